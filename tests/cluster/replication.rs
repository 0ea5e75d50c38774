//! Every replica executes every request, in one order, in every mode.

use dsms::protocol::client_message::{ClientMessage, ServerBody};
use dsms::protocol::id::{ClientId, NodeId, ReplicaId};
use dsms::protocol::limits::IN_FLIGHT_PER_CLIENT_MAX;
use dsms::runtime::client::Client;
use dsms::workload::Mix;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Cluster, DEADLINE, block_on};

const CLIENTS_LEN: usize = 8;
const REQUESTS_PER_CLIENT: usize = 12_500;

/// One client's share of the load: sends its requests as fast as it may, and checks that each is answered once.
async fn load(address: std::net::SocketAddr, client: usize) -> usize {
    let mut requests = Mix::new(1, client as u64).take(REQUESTS_PER_CLIENT);
    let mut connection = Client::connect(address, ClientId(client as u64 + 1), DEADLINE).await.unwrap();
    let mut answered = 0;
    loop {
        while connection.unanswered_len() < IN_FLIGHT_PER_CLIENT_MAX
            && let Some(request) = requests.next()
        {
            let words = dsms::market::request_words(&request);
            connection.send(|number| ClientMessage::Request { number, words });
        }
        if connection.unanswered_len() == 0 {
            return answered;
        }
        let message = connection.next_in_any_order().await.unwrap();
        let ServerBody::Answer(answer) = message.body else { panic!("{message:?}") };
        assert!(answer.to_json().get("error").is_none(), "{answer}");
        answered += 1;
    }
}

#[test]
fn a_hundred_thousand_requests_of_eight_clients_leave_equal_states() {
    let cluster = Cluster::start(&[]);
    let address = cluster.client_address();
    let answered = block_on(async {
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..CLIENTS_LEN {
            clients.spawn(load(address, client));
        }
        clients.join_all().await.into_iter().sum::<usize>()
    });
    assert_eq!(answered, CLIENTS_LEN * REQUESTS_PER_CLIENT);
    cluster.equal_digest();
    let output = cluster.run(&["digest", "--json"]);
    let digest: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(digest["sequence"], answered + 2, "every request took one place of the order, and so did two barriers");
    let (availability, _) = cluster.request("NYKA0001", "list-share-availability Equity");
    assert!(!availability["shares"].as_array().unwrap().is_empty(), "the load has left something to compare");
    let log = String::from_utf8(cluster.run(&["log"]).stdout).unwrap();
    for never in ["outcome differs", "crash agreed", "reinstantiates", "states differ"] {
        assert!(!log.contains(never), "nobody is to blame for a busy machine: {log}");
    }
}

#[test]
fn each_mode_runs_with_its_number_of_replicas() {
    for (mode, replicas_len, quorum) in [("crash", 3, 1), ("both", 4, 2)] {
        let cluster = Cluster::start(&["--mode", mode]);
        assert_eq!(cluster.config().replicas.len(), replicas_len, "{mode}");
        assert_eq!(cluster.request("NYKA1001", "add-share NYKM100925 Equity 3").1, 0);
        cluster.equal_digest();
        let why: Value = serde_json::from_slice(&cluster.run(&["why", "1", "--json"]).stdout).unwrap();
        assert_eq!((&why["quorum"], why["replies"].as_array().unwrap().len()), (&json!(quorum), replicas_len));
    }
}

#[test]
fn a_paused_replica_delays_nobody_and_catches_up() {
    let cluster = Cluster::start(&[]);
    let paused = cluster.node_pid(NodeId::ReplicaManager(ReplicaId::new(2).unwrap()));
    kill_process(paused, Signal::STOP).unwrap();
    let script: String = (1..=200).map(|number| format!("NYKB{number:04} get-shares\n")).collect();
    assert_eq!(cluster.script(&script).len(), 200);
    kill_process(paused, Signal::CONT).unwrap();
    cluster.equal_digest();
    let why: Value = serde_json::from_slice(&cluster.run(&["why", "100", "--json"]).stdout).unwrap();
    assert_eq!(why["replies"][1]["equals_released"], true, "{why}");
}

#[test]
fn a_crashed_replica_is_outvoted_by_the_others() {
    let cluster = Cluster::start(&[]);
    let killed = cluster.node_pid(NodeId::ReplicaManager(ReplicaId::new(3).unwrap()));
    kill_process(killed, Signal::KILL).unwrap();
    cluster.wait_for_log(&["replica-3 ended", &format!("process {}", killed.as_raw_nonzero()), "SIGKILL"]);
    assert_eq!(cluster.request("NYKA1001", "add-share NYKM100925 Equity 3").1, 0);
}

#[test]
fn without_a_quorum_the_client_gets_an_error_and_never_a_guess() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("dsms.toml"), "[cluster]\nrequest_timeout_ms = 1500\n").unwrap();
    let cluster = Cluster::start_in(directory, &["--config", "dsms.toml"]);
    for replica in [2, 3] {
        kill_process(cluster.node_pid(NodeId::ReplicaManager(ReplicaId::new(replica).unwrap())), Signal::KILL).unwrap();
    }
    let (answer, code) = cluster.request("NYKA1001", "add-share NYKM100925 Equity 3");
    assert_eq!((&answer["error"], &answer["sequence"], code), (&json!("no-agreement"), &json!(1), 2), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("1 of 3 replicas replied"), "{answer}");
    // Their processes are started again, and service comes back by itself.
    cluster.wait_for_log(&["votes again"]);
    cluster.wait_for_log(&["votes again"]);
    let (answer, code) = cluster.request("NYKA1001", "remove-share NYKM100925 Equity");
    assert_eq!((&answer["result"], code), (&json!("removed"), 0), "what was ordered meanwhile was executed: {answer}");
    cluster.equal_digest();
}
