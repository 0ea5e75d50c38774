//! Each faulty module of `replicas/faulty`, as one replica of a real cluster: its fault shows, no client ever sees it, and the replica is
//! dealt with as the design promises.

use dsms::market::{Context, Module, Request, parse_request, request_words};
use dsms::native::NativeMarket;
use dsms::protocol::id::{NodeId, ReplicaId};
use dsms::workload::Mix;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::faulty_modules::faulty_module;
use crate::harness::{Cluster, dsms};

const SUSPECT: &str = "replica=replica-2";

/// Three replicas, the second of which runs the faulty module.
fn start_with(how: &str, spares: &str, checkpoint_every: u64) -> Cluster {
    let directory = tempfile::tempdir().unwrap();
    let module = faulty_module(how);
    let config = format!(
        "[cluster]\nallow_faults = true\n[recovery]\nbackoff_ms = 1\ncheckpoint_every = {checkpoint_every}\n\
         [[replica]]\n[[replica]]\nmodule = {module:?}\nspares = {spares}\n[[replica]]\n"
    );
    std::fs::write(directory.path().join("dsms.toml"), config).unwrap();
    Cluster::start_in(directory, &["--config", "dsms.toml"])
}

/// Sends requests, and asserts that every answer is what the reference market gives. Returns the JSON answers.
fn assert_right(cluster: &Cluster, market: &mut NativeMarket, requests: &[Request]) -> Vec<Value> {
    let script: String = requests.iter().map(|request| request_words(request).join(" ") + "\n").collect();
    let answers = cluster.script(&script);
    for (request, answer) in requests.iter().zip(&answers) {
        let context = Context { sequence_number: 1, time_ms: 0 };
        let expected = market.execute(context, request).unwrap().to_json();
        let mut given = answer.clone();
        given.as_object_mut().unwrap().retain(|key, _| key != "sequence");
        assert_eq!(given, expected, "{request}");
    }
    assert_eq!(answers.len(), requests.len());
    answers
}

fn mix(len: usize) -> Vec<Request> {
    Mix::new(7, 1).take(len).collect()
}

fn lines(lines: &[&str]) -> Vec<Request> {
    lines.iter().map(|line| parse_request(&line.split(' ').collect::<Vec<_>>()).unwrap()).collect()
}

/// What `dsms ps` says of the second replica.
fn standing(cluster: &Cluster) -> Value {
    let output = cluster.run(&["ps", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    json["nodes"].as_array().unwrap().iter().find(|node| node["node"] == "replica-2").unwrap().clone()
}

/// The faulty module does this, is brought back until that is no use, and a spare takes its place.
fn is_replaced_by_a_spare(how: &str, fault: &[&str]) {
    let cluster = start_with(how, "[\"reference\"]", 10_000);
    let mut market = NativeMarket::new();
    let requests = mix(400);
    assert_right(&cluster, &mut market, &requests);
    cluster.wait_for_log(&[fault, &[SUSPECT]].concat());
    cluster.wait_for_log(&["replaces its module by a spare", SUSPECT]);
    cluster.wait_for_log(&["votes again", SUSPECT]);
    cluster.wait_for_log(&["state equals the certified one", SUSPECT]);
    cluster.equal_digest();
    assert_eq!(standing(&cluster)["state"], "voting");
}

#[test]
fn wrong_always_is_outvoted_and_replaced() {
    is_replaced_by_a_spare("wrong-always", &["outcome differs", "in_a_row=3"]);
}

#[test]
fn wrong_after_some_requests_is_outvoted_and_replaced() {
    is_replaced_by_a_spare("wrong-after", &["outcome differs", "in_a_row=3"]);
}

#[test]
fn a_trap_is_seen_at_once_and_the_module_replaced() {
    is_replaced_by_a_spare("trap", &["module failed", "the tenth request is too much"]);
}

#[test]
fn an_endless_loop_ends_with_its_budget_and_the_module_is_replaced() {
    is_replaced_by_a_spare("loop", &["module failed", "instruction budget of 200000000 exhausted"]);
}

#[test]
fn a_stack_overflow_ends_the_call_alone_and_the_module_is_replaced() {
    is_replaced_by_a_spare("stack-overflow", &["module failed", "stack overflow"]);
}

#[test]
fn a_memory_hog_is_stopped_at_its_cap_and_replaced() {
    is_replaced_by_a_spare("memory-hog", &["module failed", "bytes of memory, the cap is 134217728"]);
}

#[test]
fn an_oversized_outcome_is_never_read_and_the_module_replaced() {
    is_replaced_by_a_spare("oversized-outcome", &["module failed", "oversized"]);
}

#[test]
fn a_malformed_outcome_is_a_fault_of_its_module() {
    is_replaced_by_a_spare("malformed-outcome", &["module failed", "not in the calendar: day 31, month 2"]);
}

#[test]
fn wrong_now_and_then_is_outvoted_and_not_replaced() {
    let cluster = start_with("wrong-nth", "[]", 10_000);
    assert_right(&cluster, &mut NativeMarket::new(), &mix(30));
    let line = cluster.wait_for_log(&["outcome differs", SUSPECT, "seq=30"]);
    assert!(line.contains("in_a_row=1") && line.contains("incarnation=1"), "{line}");
    // What it answered wrongly it would answer a retry as well, so its client table is repaired at the next checkpoint.
    assert_eq!(cluster.run(&["digest"]).status.code(), Some(0), "its market is right");
    let line = cluster.wait_for_log(&["reinstantiates", SUSPECT]);
    assert!(line.contains("incarnation=2") && line.contains("state is corrupt at 31"), "{line}");
    cluster.wait_for_log(&["state equals the certified one", SUSPECT]);
}

#[test]
fn wrong_in_one_operation_is_replaced_once_that_is_asked_three_times_in_a_row() {
    let cluster = start_with("wrong-one-operation", "[]", 10_000);
    let mut market = NativeMarket::new();
    let (add, buy) = ("NYKA1001 add-share NYKM100925 Equity 100", "NYKB1001 purchase-share NYKM100925 Equity 5");
    let (get, list) = ("NYKB1001 get-shares", "NYKA1001 list-share-availability Equity");
    // Two wrong, one right, two wrong: that is no reason.
    assert_right(&cluster, &mut market, &lines(&[add, buy, get, get, list, get, get, list]));
    assert_right(&cluster, &mut market, &lines(&[get, get, get]));
    let line = cluster.wait_for_log(&["reinstantiates", SUSPECT]);
    assert!(line.contains("wrong three times in a row, last at 11") && line.contains("incarnation=2"), "{line}");
    cluster.wait_for_log(&["state equals the certified one", SUSPECT]);
    cluster.equal_digest();
}

#[test]
fn the_order_of_a_hash_map_is_outvoted() {
    let cluster = start_with("hash-order", "[]", 10_000);
    let mut market = NativeMarket::new();
    let types = ["Equity", "Bonus", "Dividend"];
    let add = types.map(|name| format!("NYKA1001 add-share NYKM100925 {name} 1000"));
    let buy = types.map(|name| format!("NYKB1001 purchase-share NYKM100925 {name} 100"));
    let sell = std::array::from_fn::<String, 20, _>(|_| "NYKB1001 sell-share NYKM100925 1".to_owned());
    let requests: Vec<&str> = add.iter().chain(&buy).chain(&sell).map(String::as_str).collect();
    assert_right(&cluster, &mut market, &lines(&requests));
    cluster.wait_for_log(&["outcome differs", SUSPECT]);
}

#[test]
fn what_a_module_keeps_beside_its_state_is_missed_once_it_has_been_brought_back() {
    let cluster = start_with("stale-index", "[]", 10);
    let mut market = NativeMarket::new();
    let (add, buy) = ("NYKA1001 add-share NYKM100925 Equity 100", "NYKB1001 purchase-share NYKM100925 Equity 5");
    let get = "NYKB1001 get-shares";
    assert_right(&cluster, &mut market, &lines(&[&[add, buy], &[get; 28][..]].concat()));
    let log = cluster.log_so_far();
    assert!(!log.iter().any(|line| line.contains("outcome differs")), "{log:?}");
    kill_process(cluster.node_pid(NodeId::ReplicaManager(ReplicaId::new(2).unwrap())), Signal::KILL).unwrap();
    cluster.wait_for_log(&["votes again", SUSPECT]);
    assert_right(&cluster, &mut market, &lines(&[get; 3]));
    cluster.wait_for_log(&["outcome differs", SUSPECT]);
}

#[test]
fn slow_but_alive_is_neither_accused_nor_restarted() {
    let cluster = start_with("slow", "[]", 10_000);
    let answers = assert_right(&cluster, &mut NativeMarket::new(), &mix(20));
    cluster.equal_digest();
    // The requests were sent at once, so the last one has waited for all the others.
    let sequence = answers.last().unwrap()["sequence"].to_string();
    let why: Value = serde_json::from_slice(&cluster.run(&["why", &sequence, "--json"]).stdout).unwrap();
    let after = |replica: usize| why["replies"][replica]["after_ms"].as_f64().unwrap();
    assert!(after(1) > 3.0 * after(0).min(after(2)), "it is not slow: {why}");
    let standing = standing(&cluster);
    assert_eq!((&standing["state"], &standing["incarnation"]), (&json!("voting"), &json!(1)), "{standing}");
    let log = cluster.log_so_far();
    assert!(!log.iter().any(|line| line.contains("outcome differs") || line.contains("crash agreed")), "{log:?}");
}

#[test]
fn a_state_that_is_silently_corrupt_is_found_at_the_next_checkpoint_and_repaired() {
    let cluster = start_with("silent-corruption", "[]", 10_000);
    let mut market = NativeMarket::new();
    let (add, spoil) = ("NYKA1001 add-share NYKM100925 Equity 100", "NYKA1001 add-share NYKE311229 Bonus 1");
    assert_right(&cluster, &mut market, &lines(&[add, spoil, "NYKB1001 get-shares"]));
    // A barrier: it finds the states different.
    assert_eq!(cluster.run(&["digest"]).status.code(), Some(1));
    cluster.wait_for_log(&["state differs from the certified one", SUSPECT]);
    let difference = cluster.wait_for_log(&["first difference", SUSPECT]);
    assert!(difference.contains("101") && difference.contains("NYKM100925"), "{difference}");
    cluster.wait_for_log(&["votes again", SUSPECT]);
    cluster.wait_for_log(&["state equals the certified one", SUSPECT]);
    cluster.equal_digest();
    assert_right(&cluster, &mut market, &lines(&["NYKA1001 list-share-availability Equity"]));
}

#[test]
fn a_lying_export_is_found_each_time_and_the_module_replaced() {
    let cluster = start_with("lying-export", "[\"reference\"]", 20);
    assert_right(&cluster, &mut NativeMarket::new(), &mix(200));
    cluster.wait_for_log(&["state differs from the certified one", SUSPECT]);
    cluster.wait_for_log(&["replaces its module by a spare", SUSPECT]);
    cluster.wait_for_log(&["state equals the certified one", SUSPECT]);
    cluster.equal_digest();
}

#[test]
fn a_module_that_cannot_export_its_state_is_replaced() {
    let cluster = start_with("trapping-export", "[\"reference\"]", 20);
    assert_right(&cluster, &mut NativeMarket::new(), &mix(100));
    cluster.wait_for_log(&["module failed", SUSPECT, "my state is mine"]);
    cluster.wait_for_log(&["replaces its module by a spare", SUSPECT]);
    cluster.wait_for_log(&["state equals the certified one", SUSPECT]);
    cluster.equal_digest();
}

#[test]
fn when_no_replica_can_export_its_state_there_is_no_checkpoint_and_all_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let module = faulty_module("trapping-export");
    let replicas = format!("[[replica]]\nmodule = {module:?}\n").repeat(3);
    let config = format!("[recovery]\nreinstantiations_max = 1000\nbackoff_ms = 1\ncheckpoint_every = 20\n{replicas}");
    std::fs::write(directory.path().join("dsms.toml"), config).unwrap();
    let cluster = Cluster::start_in(directory, &["--config", "dsms.toml"]);
    let script: String = (1..=50).map(|number| format!("NYKB{number:04} get-shares\n")).collect();
    let answers = cluster.script(&script);
    let void: Vec<_> = answers.iter().filter(|answer| answer.get("error").is_some()).collect();
    assert!((1..=5).contains(&void.len()), "only what is at the place of a checkpoint is not answered: {void:?}");
    // A barrier fails as well, and is no obstacle either.
    assert_eq!(cluster.run(&["digest"]).status.code(), Some(1));
    let answers = cluster.script(&script.replace("NYKB", "LONB"));
    let void = answers.iter().filter(|answer| answer.get("error").is_some()).count();
    assert!((1..=5).contains(&void), "{answers:?}");
}

#[test]
fn a_replica_with_nothing_left_to_try_is_quarantined_and_the_others_go_on() {
    let cluster = start_with("lying-export", "[]", 20);
    let mut market = NativeMarket::new();
    let requests = mix(300);
    assert_right(&cluster, &mut market, &requests[..200]);
    cluster.wait_for_log(&["quarantined", SUSPECT]);
    assert_right(&cluster, &mut market, &requests[200..]);
    assert_eq!(standing(&cluster)["state"], "quarantined");
    assert_eq!(cluster.run(&["ps"]).status.code(), Some(1), "a replica is out of the vote");
}

/// A module that cannot take over a state: it is right until it has to.
fn cannot_import(how: &str, words: &str) {
    let cluster = start_with(how, "[\"reference\"]", 10);
    let mut market = NativeMarket::new();
    let requests = mix(150);
    assert_right(&cluster, &mut market, &requests[..100]);
    assert_eq!(standing(&cluster)["incarnation"], 1);
    kill_process(cluster.node_pid(NodeId::ReplicaManager(ReplicaId::new(2).unwrap())), Signal::KILL).unwrap();
    cluster.wait_for_log(&["could not start", SUSPECT, words]);
    cluster.wait_for_log(&["replaces its module by a spare", SUSPECT]);
    cluster.wait_for_log(&["votes again", SUSPECT]);
    assert_right(&cluster, &mut market, &requests[100..]);
    cluster.equal_digest();
}

#[test]
fn a_module_that_refuses_its_state_is_replaced() {
    cannot_import("refusing-import", "I take over from nobody");
}

#[test]
fn a_module_that_traps_at_its_state_is_replaced() {
    cannot_import("trapping-import", "a state is too much");
}

#[test]
fn whims_are_alike_in_every_replica() {
    let module = faulty_module("nondeterministic");
    let cluster = Cluster::start(&["--module", module.to_str().unwrap()]);
    let requests = mix(200);
    let script: String = requests.iter().map(|request| request_words(request).join(" ") + "\n").collect();
    let answers = cluster.script(&script);
    let mut market = NativeMarket::new();
    let is_right = |request: &Request, answer: &Value| {
        let expected = market.execute(Context { sequence_number: 1, time_ms: 0 }, request).unwrap().to_json();
        expected.as_object().unwrap().iter().all(|(key, value)| answer[key] == *value)
    };
    let right_len = requests.iter().zip(&answers).map({
        let mut is_right = is_right;
        move |(request, answer)| is_right(request, answer)
    });
    let right_len = right_len.filter(|right| *right).count();
    assert!(right_len > 0 && right_len < requests.len(), "it has no whims: {right_len} of {}", requests.len());
    assert!(answers.iter().all(|answer| answer.get("error").is_none()), "all three agree at every request");
    cluster.equal_digest();
    let log = cluster.log_so_far();
    assert!(!log.iter().any(|line| line.contains("outcome differs")), "{log:?}");
}

#[test]
fn a_flooded_log_is_cut_off_and_drowns_nothing() {
    let cluster = start_with("log-flood", "[]", 10_000);
    assert_right(&cluster, &mut NativeMarket::new(), &mix(30));
    cluster.wait_for_log(&["node=replica-2", "dropped", "bytes of log: a call may write 16384"]);
    cluster.equal_digest();
    let standing = standing(&cluster);
    assert_eq!((&standing["state"], &standing["incarnation"]), (&json!("voting"), &json!(1)), "{standing}");
}

#[test]
fn a_foreign_import_is_refused_before_anything_starts() {
    let directory = tempfile::tempdir().unwrap();
    let module = faulty_module("foreign-import");
    let module = module.to_str().unwrap();
    for arguments in [["up", "--module", module], ["up", "--spare", module]] {
        let output = dsms(directory.path()).args(arguments).output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(words.contains("wasi:sockets/tcp") && words.contains("may not reach the network"), "{words}");
    }
}

#[test]
fn a_module_that_traps_at_one_request_for_ever_goes_on_past_it() {
    let cluster = start_with("trap-at-request", "[]", 10_000);
    let mut market = NativeMarket::new();
    let requests = mix(60);
    assert_right(&cluster, &mut market, &requests[..30]);
    assert_right(&cluster, &mut market, &lines(&["NYKB9999 get-shares"]));
    cluster.wait_for_log(&["module failed", SUSPECT, "not this one"]);
    cluster.wait_for_log(&["module failed", SUSPECT, "not this one"]);
    cluster.wait_for_log(&["module fails at this request every time", SUSPECT]);
    cluster.wait_for_log(&["votes again", SUSPECT]);
    assert_right(&cluster, &mut market, &requests[30..]);
    cluster.equal_digest();
    let failures = cluster.log_so_far().iter().filter(|line| line.contains("module failed")).count();
    assert_eq!(failures, 0, "a module that fails twice at a request is not called there again");
}

#[test]
fn when_every_replica_traps_at_one_request_its_client_is_told_and_the_cluster_goes_on() {
    let module = faulty_module("trap-at-request");
    let cluster = Cluster::start(&["--module", module.to_str().unwrap()]);
    let mut market = NativeMarket::new();
    let requests = mix(60);
    assert_right(&cluster, &mut market, &requests[..30]);
    let (answer, code) = cluster.request("NYKA1001", "get-shares --buyer NYKB9999");
    assert_eq!((&answer["error"], &answer["sequence"], code), (&json!("no-agreement"), &json!(31), 2), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("2 of them with a fault"), "{answer}");
    let why = String::from_utf8(cluster.run(&["why", "31"]).stdout).unwrap();
    assert!(why.contains("not this one") && why.contains("request is void"), "{why}");
    assert_right(&cluster, &mut market, &requests[30..]);
    cluster.equal_digest();
}
