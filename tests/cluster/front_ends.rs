//! Two front ends of one cluster: clients go from one to the other, and nothing is executed twice.

use std::io::BufRead as _;
use std::process::Stdio;

use dsms::protocol::id::{Membership, NodeId};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Cluster, DEADLINE, Stopwatch, dsms, wait_for_end};

fn second() -> NodeId {
    Membership { front_ends_len: 2, replicas_len: 3 }.front_ends().last().unwrap()
}

/// The addresses of the front ends, in the cluster's order, as --connect takes them.
fn addresses(cluster: &Cluster) -> Vec<String> {
    cluster.config().front_ends.iter().map(|front_end| front_end.client_address.to_string()).collect()
}

fn json_of(cluster: &Cluster, arguments: &[&str]) -> Value {
    let output = cluster.run(arguments);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {output:?}"))
}

#[test]
fn both_serve_at_the_same_time_and_each_knows_its_own_requests() {
    let cluster = Cluster::start(&["--front-ends", "2"]);
    let at = addresses(&cluster);
    let client = |front_end: &str, caller: &str, words: &str| {
        let fixed = ["client", "--json", "--connect", front_end, "--as", caller];
        json_of(&cluster, &[&fixed, &words.split_whitespace().collect::<Vec<_>>()[..]].concat())
    };
    assert_eq!(client(&at[0], "NYKA1001", "add-share NYKM100925 Equity 5")["sequence"], 1);
    assert_eq!(client(&at[1], "NYKB1001", "purchase-share NYKM100925 Equity 2")["bought"], 2);
    assert_eq!(client(&at[0], "NYKB1002", "purchase-share NYKM100925 Equity 2")["available"], 1);
    cluster.equal_digest();
    let why = cluster.run(&["why", "2", "--connect", &at.join(",")]);
    let words = String::from_utf8(why.stdout).unwrap();
    assert!(words.contains("NYKB1001 purchase-share"), "the one that was asked tells: {words}");
    for front_end in &at {
        let ps = json_of(&cluster, &["ps", "--json", "--connect", front_end]);
        let nodes: Vec<(&Value, &Value)> =
            ps["nodes"].as_array().unwrap().iter().map(|node| (&node["node"], &node["state"])).take(2).collect();
        assert_eq!(nodes, [(&json!("front-end"), &json!("up")), (&json!("front-end-2"), &json!("up"))]);
    }
}

/// Runs a load over both front ends and has one of them killed while it goes on; how often clients have moved.
fn load_while_one_is_killed(cluster: &Cluster, killed: NodeId) -> u64 {
    let mut load = dsms(cluster.directory());
    load.args(["bench", "--clients", "4", "--in-flight", "8", "--requests", "20000", "--json"]);
    let load = load.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let watch = Stopwatch::start();
    let ordered_len = || {
        let ps = json_of(cluster, &["ps", "--json"]);
        let nodes = ps["nodes"].as_array().unwrap().clone();
        nodes.iter().find(|node| node["node"] == "sequencer").unwrap()["sequence"].as_u64().unwrap()
    };
    while ordered_len() < 500 {
        assert!(watch.elapsed() < DEADLINE, "the load does not begin");
    }
    let process = cluster.node_pid(killed);
    kill_process(process, Signal::KILL).unwrap();
    wait_for_end(process);
    let output = load.wait_with_output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let answered = told["outcomes"]["succeeded"].as_u64().unwrap() + told["outcomes"]["refused"].as_u64().unwrap();
    assert_eq!((answered, output.status.code()), (20_000, Some(0)), "{told}");
    told["moves"].as_u64().unwrap()
}

#[test]
fn a_load_goes_on_at_the_other_one_when_either_is_killed() {
    let cluster = Cluster::start(&["--front-ends", "2"]);
    // Which of the two a load is at, it decides itself: one of the kills strikes it.
    let moves = load_while_one_is_killed(&cluster, NodeId::FRONT_END) + load_while_one_is_killed(&cluster, second());
    assert!(moves >= 4, "{moves}");
    cluster.wait_for_log(&["front-end-2 ended", "its clients go to another front end"]);
    cluster.equal_digest();
}

#[test]
fn three_wrong_outcomes_in_a_row_count_at_whichever_front_end_they_are_seen() {
    let cluster = Cluster::start(&["--front-ends", "2", "--allow-faults"]);
    let at = addresses(&cluster);
    let wrong = ["fault", "add", "replica-3", "wrong", "--count", "3", "--connect", &at[1]];
    assert!(cluster.run(&wrong).status.success());
    for front_end in [&at[0], &at[1], &at[0]] {
        let answer = json_of(&cluster, &["client", "--json", "--connect", front_end, "--as", "NYKB1001", "get-shares"]);
        assert_eq!(answer["result"], "holdings", "{answer}");
    }
    cluster.wait_for_log(&["reinstantiates", "replica=replica-3", "wrong three times"]);
    let of = |front_end: &str| cluster.run(&["fault", "ls", "--json", "--connect", front_end]).stdout.lines().count();
    assert_eq!((of(&at[0]), of(&at[1])), (0, 1), "a fault is known where it was asked for");
}

#[test]
fn a_front_end_that_hangs_is_left_for_the_other_one() {
    let cluster = Cluster::start(&["--front-ends", "2"]);
    let hung = cluster.node_pid(NodeId::FRONT_END);
    kill_process(hung, Signal::STOP).unwrap();
    let (answer, code) = cluster.request("NYKA1001", "add-share NYKM100925 Equity 3");
    assert_eq!((&answer["capacity"], code), (&json!(3), 0), "{answer}");
    let why = json_of(&cluster, &["why", &answer["sequence"].to_string(), "--json"]);
    assert_eq!(why["request"], "NYKA1001 add-share NYKM100925 Equity 3");
    kill_process(hung, Signal::CONT).unwrap();
}
