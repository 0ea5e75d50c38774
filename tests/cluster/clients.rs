//! What a person or a script sees: answers, JSON forms, exit codes, `ps`, `why`.

use std::process::Stdio;

use dsms::protocol::id::NodeId;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Cluster, DEADLINE, Stopwatch, dsms, requests_as, wait_for_end};

#[test]
fn every_operation_is_answered_in_the_form_and_with_the_exit_code_of_the_specification() {
    let cluster = Cluster::start(&[]);
    #[track_caller]
    fn check(cluster: &Cluster, caller: &str, words: &str, expected: Value, code: i32) {
        assert_eq!(cluster.request(caller, words), (expected, code), "{caller} {words}");
    }
    let mut sequence = 0;
    let mut next = |mut json: Value| {
        sequence += 1;
        json["sequence"] = sequence.into();
        json
    };
    check(
        &cluster,
        "NYKA1001",
        "add-share NYKM100925 Equity 100",
        next(json!({"result": "added", "capacity": 100})),
        0,
    );
    check(&cluster, "LONA1001", "add-share LONM101025 Equity 15", next(json!({"result": "added", "capacity": 15})), 0);
    let purchased = json!({"result": "purchased", "requested": 10, "bought": 10, "available": 90});
    check(&cluster, "nykb1001", "purchase-share nykm100925 equity 10", next(purchased), 0);
    check(&cluster, "NYKB1001", "purchase-share NYKM100925 Equity 1", next(json!({"refused": "already-owned"})), 1);
    let holdings = json!({"result": "holdings", "holdings": [{"share": "NYKM100925", "type": "Equity", "units": 10}]});
    check(&cluster, "NYKA1001", "get-shares --buyer NYKB1001", next(holdings), 0);
    let sold = json!({"result": "sold", "type": "Equity", "sold": 4, "remaining": 6, "available": 94});
    check(&cluster, "NYKB1001", "sell-share NYKM100925 4", next(sold), 0);
    let swapped = json!({"result": "swapped", "units": 6});
    check(&cluster, "NYKB1001", "swap-shares NYKM100925 Equity LONM101025 Equity", next(swapped), 0);
    let shares = json!([{"share": "LONM101025", "available": 9}, {"share": "NYKM100925", "available": 100}]);
    let availability = json!({"result": "availability", "type": "Equity", "shares": shares});
    check(&cluster, "TOKA1001", "list-share-availability Equity", next(availability), 0);
    let removed = json!({"result": "removed", "available": 9, "holders": 1, "units": 6});
    check(&cluster, "LONA1001", "remove-share LONM101025 Equity", next(removed), 0);
    check(&cluster, "NYKB1001", "sell-share LONM101025 1", next(json!({"refused": "not-owned"})), 1);

    let (refused, code) = cluster.request("NYKA1001", "add-share TOKE925 Equity 5");
    assert_eq!(
        (&refused["error"], &refused["field"], &refused["given"], code),
        (&json!("bad-request"), &json!("share-id"), &json!("TOKE925"), 64)
    );
    let (refused, code) = cluster.request("NYKA1001", "get-shares");
    assert_eq!((&refused["field"], code), (&json!("buyer"), 64));
    assert_eq!(cluster.run(&["client", "--as", "NYKA1001"]).status.code(), Some(64), "no operation is a usage error");
    assert_eq!(cluster.run(&["no-such-command"]).status.code(), Some(64));
}

#[test]
fn a_script_is_answered_line_by_line_in_order_and_a_bad_line_in_its_place() {
    let cluster = Cluster::start(&[]);
    let answers = cluster.script(
        "# a comment, then a blank line\n\nNYKA1001 add-share NYKM100925 Equity 3\nNYKB1001 purchase-share NYKM100925 Equity 5\n\
         NYKB1002 purchase-share NYKM310225 Equity 5\nNYKB1002 purchase-share NYKM100925 Equity 1\r\nNYKA1001 get-shares --buyer NYKB1001",
    );
    assert_eq!(answers[0], json!({"sequence": 1, "result": "added", "capacity": 3}));
    assert_eq!(answers[1], json!({"sequence": 2, "result": "purchased", "requested": 5, "bought": 3, "available": 0}));
    assert_eq!((&answers[2]["error"], &answers[2]["given"]), (&json!("bad-request"), &json!("NYKM310225")));
    assert_eq!(answers[3], json!({"sequence": 3, "refused": "sold-out"}));
    assert_eq!(answers[4]["holdings"][0]["units"], 3);
    assert_eq!(answers.len(), 5);
    let many: String = (1..=500).map(|number| format!("NYKB{number:04} get-shares\n")).collect();
    let sequences: Vec<u64> = cluster.script(&many).iter().map(|answer| answer["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (5..505).collect::<Vec<u64>>());
}

#[test]
fn a_retried_request_is_executed_once_and_answered_with_its_first_outcome() {
    let cluster = Cluster::start(&[]);
    let address = cluster.client_address();
    let first = requests_as(address, 7, &["NYKA1001 add-share NYKM100925 Equity 3"]);
    assert_eq!(first, [json!({"sequence": 1, "result": "added", "capacity": 3})]);
    // The same client as a new process would be: a new connection, and the same number, 1.
    assert_eq!(requests_as(address, 7, &["NYKA1001 add-share NYKM100925 Equity 3"]), first);
    let other = requests_as(address, 8, &["NYKA1001 add-share NYKM100925 Equity 3"]);
    assert_eq!(other, [json!({"sequence": 3, "refused": "already-exists"})]);
}

#[test]
fn ps_shows_every_node_and_why_shows_what_each_replica_said() {
    let cluster = Cluster::start(&[]);
    cluster.request("NYKA1001", "add-share NYKM100925 Equity 100");
    let output = cluster.run(&["ps", "--json"]);
    let ps: Value = serde_json::from_slice(&output.stdout).unwrap();
    let nodes = ps["nodes"].as_array().unwrap();
    let names: Vec<&str> = nodes.iter().map(|node| node["node"].as_str().unwrap()).collect();
    assert_eq!(names, ["front-end", "sequencer", "replica-1", "replica-2", "replica-3"]);
    let config = cluster.config();
    for (node, json) in config.nodes().into_iter().zip(nodes) {
        let state = if node.replica().is_some() { "voting" } else { "up" };
        assert_eq!(
            (&json["state"], &json["address"]),
            (&json!(state), &json!(config.address_of(node).to_string())),
            "{json}"
        );
        assert!(json["last_seen_ms"].as_u64().is_some_and(|ago| ago < 10_000), "{json}");
    }
    assert_eq!(nodes[2]["module_digest"], nodes[4]["module_digest"]);
    assert!(String::from_utf8(cluster.run(&["ps"]).stdout).unwrap().contains("reference"));

    // All three have replied once the barrier after the request is complete.
    cluster.equal_digest();
    let output = cluster.run(&["why", "1", "--json"]);
    let why: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(why["request"], "NYKA1001 add-share NYKM100925 Equity 100");
    assert_eq!((&why["conclusion"]["kind"], &why["quorum"]), (&json!("released"), &json!(2)));
    for reply in why["replies"].as_array().unwrap() {
        assert_eq!(reply["response"]["outcome"], json!({"result": "added", "capacity": 100}), "{reply}");
        assert!(reply["after_ms"].as_f64().unwrap() > 0.0 && reply["equals_released"] == true, "{reply}");
    }
    let words = String::from_utf8(cluster.run(&["why", "1"]).stdout).unwrap();
    assert!(words.contains("2 replicas shared it, 2 were needed"), "{words}");
    let missing = cluster.run(&["why", "99"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8(missing.stdout).unwrap().contains("has heard of is 2"));
}

#[test]
fn the_shell_reads_lines_and_ends() {
    use std::io::Write;
    let cluster = Cluster::start(&[]);
    let mut command = crate::harness::dsms(cluster.directory());
    command.arg("sh").env("XDG_STATE_HOME", cluster.directory());
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut shell = command.spawn().unwrap();
    let lines =
        "get-shares\nas NYKA1001\nadd-share NYKM100925 Equity 3\njson\nlist-share-availability equity\nhelp\nquit\n";
    shell.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for expected in
        ["say first who asks", "#1 added: capacity 3", r#"{"sequence":2,"result":"availability""#, "swap-shares OLD-ID"]
    {
        assert!(text.contains(expected), "{expected:?} is missing in {text}");
    }
}

#[test]
fn a_command_waits_for_a_front_end_that_is_started_again() {
    let cluster = Cluster::start(&[]);
    assert_eq!(cluster.request("NYKA1001", "add-share NYKM100925 Equity 3").1, 0);
    let kill = || {
        let front_end = cluster.node_pid(NodeId::FRONT_END);
        kill_process(front_end, Signal::KILL).unwrap();
        wait_for_end(front_end);
    };
    kill();
    let ps = cluster.run(&["ps", "--json"]);
    let ps: Value = serde_json::from_slice(&ps.stdout).unwrap_or_else(|_| panic!("{ps:?}"));
    let process = cluster.node_pid(NodeId::FRONT_END).as_raw_nonzero().get();
    assert_eq!((&ps["nodes"][0]["node"], &ps["nodes"][0]["process"]), (&json!("front-end"), &json!(process)));
    kill();
    let (answer, code) = cluster.request("NYKB1001", "purchase-share NYKM100925 Equity 2");
    assert_eq!((&answer["result"], &answer["bought"], code), (&json!("purchased"), &json!(2), 0), "{answer}");
}

#[test]
fn with_several_addresses_whoever_answers_is_asked_and_nothing_is_told_twice() {
    let cluster = Cluster::start(&[]);
    assert_eq!(cluster.request("NYKA1001", "add-share NYKM100925 Equity 3").1, 0);
    let here = cluster.client_address();
    // A port that the system hands out to nobody, and at which nothing listens.
    let nobody = "127.0.0.1:1";
    let told = |arguments: &[&str], connect: String| {
        let output = cluster.run(&[arguments, &["--connect", &connect]].concat());
        assert!(output.status.success(), "{output:?}");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let client = ["client", "--as", "NYKB1001", "purchase-share", "NYKM100925", "Equity", "2"];
    let (answer, notice) = told(&client, format!("{nobody},{here}"));
    assert_eq!(answer, "#2 purchased: 2 of 2, 1 still available\n");
    assert!(notice.contains(nobody) && notice.contains(&format!("asking {here}")), "{notice}");
    let (why, notice) = told(&["why", "2"], format!("{nobody},{here}"));
    assert!(why.contains("purchased: 2 of 2") && notice.contains(nobody), "{why}{notice}");
    // The same front end under two names knows the same events.
    let (once, _) = told(&["log", "--json"], here.to_string());
    let (twice, _) = told(&["log", "--json"], format!("{here},localhost:{}", here.port()));
    assert!(once.lines().count() > 0 && twice == once, "{once}\n{twice}");
}

#[test]
fn a_load_goes_on_when_its_front_end_is_killed_and_each_request_counts_once() {
    let cluster = Cluster::start(&[]);
    let ordered_len = || -> u64 {
        let ps: Value = serde_json::from_slice(&cluster.run(&["ps", "--json"]).stdout).unwrap();
        let nodes = ps["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["node"] == "sequencer").unwrap()["sequence"].as_u64().unwrap()
    };
    let mut load = dsms(cluster.directory());
    load.args(["bench", "--clients", "3", "--in-flight", "8", "--requests", "20000", "--json"]);
    let load = load.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let watch = Stopwatch::start();
    while ordered_len() < 500 {
        assert!(watch.elapsed() < DEADLINE, "the load does not begin");
    }
    kill_process(cluster.node_pid(NodeId::FRONT_END), Signal::KILL).unwrap();
    let output = load.wait_with_output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let answered = told["outcomes"]["succeeded"].as_u64().unwrap() + told["outcomes"]["refused"].as_u64().unwrap();
    assert_eq!((answered, output.status.code()), (20_000, Some(0)), "{told}");
    assert!(told["moves"].as_u64().unwrap() >= 3, "each client has moved: {told}");
}
