//! Faults injected into running clusters: each strikes, is found, and does what the design promises; clients notice nothing.

use serde_json::Value;

use crate::harness::{Cluster, DEADLINE, Stopwatch};
use crate::load::Load;

/// Asks for a fault and returns its number.
fn add(cluster: &Cluster, arguments: &str) -> u64 {
    let mut words = vec!["fault", "add", "--json"];
    words.extend(arguments.split(' '));
    let output = cluster.run(&words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["id"].as_u64().unwrap()
}

/// How often a fault has struck, as `dsms fault ls` says.
fn fired(cluster: &Cluster, id: u64) -> u64 {
    let output = cluster.run(&["fault", "ls", "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut faults = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    faults.find(|fault| fault["id"] == id).unwrap()["fired"].as_u64().unwrap()
}

/// Waits until a fault is reported to have struck so often.
fn await_fired(cluster: &Cluster, id: u64, times: u64) {
    await_that(|| fired(cluster, id) >= times);
    assert_eq!(fired(cluster, id), times);
}

/// Asks again and again until the answer is yes. Every question starts a process, so it takes its time.
fn await_that(mut is_so: impl FnMut() -> bool) {
    let patience = Stopwatch::start();
    while !is_so() {
        assert!(patience.elapsed() < DEADLINE, "it does not happen");
    }
}

fn start(mode: &str) -> Cluster {
    Cluster::start(&["--mode", mode, "--allow-faults"])
}

/// A fault of replica 2 under load: it is found in this way, and the replica is back with the state of the others.
fn is_found_and_repaired(fault: &str, found: &[&str]) {
    let cluster = start("byzantine");
    let load = Load::start(&cluster, 1);
    let id = add(&cluster, &format!("replica-2 {fault}"));
    cluster.wait_for_log(&[found, &["replica=replica-2"]].concat());
    cluster.wait_for_log(&["votes again", "replica=replica-2"]);
    cluster.wait_for_log(&["state equals the certified one", "replica=replica-2"]);
    load.end();
    cluster.equal_digest();
    await_that(|| fired(&cluster, id) > 0);
}

#[test]
fn three_wrong_answers_in_a_row_are_repaired() {
    is_found_and_repaired("wrong --count 3", &["reinstantiates", "wrong three times in a row"]);
}

#[test]
fn wrong_answers_that_come_late_count_as_well() {
    let cluster = start("byzantine");
    let load = Load::start(&cluster, 1);
    let slow = add(&cluster, "replica-2 slow --by 400ms --count 3");
    let wrong = add(&cluster, "replica-2 wrong --count 3");
    // The answers are later than the deadline, so the others were judged without them.
    cluster.wait_for_log(&["suspected", "replica=replica-2"]);
    cluster.wait_for_log(&["reinstantiates", "replica=replica-2", "wrong three times in a row"]);
    cluster.wait_for_log(&["votes again", "replica=replica-2"]);
    load.end();
    await_fired(&cluster, slow, 3);
    await_fired(&cluster, wrong, 3);
    let log = String::from_utf8(cluster.run(&["log"]).stdout).unwrap();
    assert!(!log.contains("crash agreed"), "slow is not dead: {log}");
}

#[test]
fn a_trap_is_repaired() {
    is_found_and_repaired("trap", &["module failed", "injected"]);
}

#[test]
fn a_call_that_does_not_come_back_is_agreed_on_and_repaired_in_its_process() {
    is_found_and_repaired("mute", &["reinstantiates", "agreed to have crashed"]);
}

#[test]
fn a_corrupt_state_is_found_by_the_next_barrier_and_repaired() {
    let cluster = start("byzantine");
    let id = add(&cluster, "replica-2 corrupt-state");
    cluster.request("NYKA1001", "add-share NYKM100925 Equity 3");
    cluster.run(&["digest"]);
    cluster.wait_for_log(&["first difference", "replica=replica-2", "NYKM100925"]);
    cluster.wait_for_log(&["state equals the certified one", "replica=replica-2"]);
    cluster.equal_digest();
    await_fired(&cluster, id, 1);
}

#[test]
fn a_kill_is_agreed_on_and_the_process_started_again() {
    is_found_and_repaired("kill", &["crash agreed"]);
}

#[test]
fn a_pause_shorter_than_a_crash_restarts_nobody() {
    let cluster = start("byzantine");
    let load = Load::start(&cluster, 1);
    let before = cluster.run(&["ps", "--json"]).stdout;
    add(&cluster, "replica-2 pause --for 700ms");
    cluster.wait_for_log(&["replica-2 is stopped"]);
    cluster.wait_for_log(&["replica-2 goes on"]);
    load.end();
    cluster.equal_digest();
    let process = |json: &[u8]| serde_json::from_slice::<Value>(json).unwrap()["nodes"][3]["process"].clone();
    let after = cluster.run(&["ps", "--json"]).stdout;
    assert_eq!(process(&before), process(&after));
    assert_eq!(serde_json::from_slice::<Value>(&after).unwrap()["nodes"][3]["incarnation"], 1);
}

#[test]
fn wrong_and_killed_at_once_are_both_repaired_with_four_replicas() {
    let cluster = start("both");
    let load = Load::start(&cluster, 1);
    let wrong = add(&cluster, "replica-1 wrong --count 3");
    let kill = add(&cluster, "replica-4 kill");
    cluster.wait_for_log(&["votes again", "replica=replica-4"]);
    cluster.wait_for_log(&["state equals the certified one"]);
    load.end();
    cluster.equal_digest();
    await_fired(&cluster, wrong, 3);
    await_fired(&cluster, kill, 1);
    let log = String::from_utf8(cluster.run(&["log"]).stdout).unwrap();
    assert!(log.contains("votes again replica=replica-1"), "{log}");
}

#[test]
fn a_garbled_snapshot_is_refused_and_another_source_asked() {
    let directory = tempfile::tempdir().unwrap();
    let config = "[cluster]\nallow_faults = true\n[recovery]\ncheckpoint_every = 10\n";
    std::fs::write(directory.path().join("dsms.toml"), config).unwrap();
    let cluster = Cluster::start_in(directory, &["--config", "dsms.toml"]);
    let script: String = (1001..1101).map(|number| format!("NYKB{number} get-shares\n")).collect();
    cluster.script(&script);
    let ids = [1, 3].map(|number| add(&cluster, &format!("replica-{number} wrong-snapshot")));
    add(&cluster, "replica-2 kill");
    cluster.wait_for_log(&["state refused", "replica=replica-2"]);
    cluster.wait_for_log(&["votes again", "replica=replica-2"]);
    cluster.equal_digest();
    await_that(|| ids.iter().any(|id| fired(&cluster, *id) > 0));
}

#[test]
fn bad_links_everywhere_accuse_and_restart_nobody() {
    let cluster = start("byzantine");
    for fault in
        ["all loss --rate 5%", "all duplicate --rate 5%", "all delay --by 1ms --jitter 20ms", "all reorder --rate 5%"]
    {
        let mut words = vec!["fault", "add"];
        words.extend(fault.split(' '));
        assert!(cluster.run(&words).status.success());
    }
    let script: String = (1..=1000).map(|number| format!("NYKB{number:04} get-shares\n")).collect();
    assert_eq!(cluster.script(&script).len(), 1000);
    let text = String::from_utf8(cluster.run(&["fault", "ls", "--json"]).stdout).unwrap();
    for line in text.lines() {
        let fault: Value = serde_json::from_str(line).unwrap();
        assert!(fault["fired"].as_u64().unwrap() > 0 && fault["state"] == "active", "{fault}");
    }
    assert!(cluster.run(&["fault", "rm", "all"]).status.success());
    cluster.equal_digest();
    let log = String::from_utf8(cluster.run(&["log"]).stdout).unwrap();
    for never in ["outcome differs", "crash agreed", "reinstantiates"] {
        assert!(!log.contains(never), "{log}");
    }
}

#[test]
fn a_cut_replica_comes_back_when_the_link_is_mended() {
    let cluster = start("byzantine");
    let id = add(&cluster, "front-end cut --peer replica-3");
    let script: String = (1..=100).map(|number| format!("NYKB{number:04} get-shares\n")).collect();
    assert_eq!(cluster.script(&script).len(), 100);
    cluster.wait_for_log(&["suspected", "replica=replica-3"]);
    let remove = || String::from_utf8(cluster.run(&["fault", "rm", &id.to_string()]).stdout).unwrap();
    assert!(remove().contains("cut with replica-3"));
    assert!(remove().contains(&format!("fault {id} is over already")));
    cluster.script(&script.replace("NYKB", "LONB"));
    await_that(|| {
        let ps: Value = serde_json::from_slice(&cluster.run(&["ps", "--json"]).stdout).unwrap();
        ps["nodes"][4]["state"] == "voting"
    });
    cluster.equal_digest();
    let log = String::from_utf8(cluster.run(&["log"]).stdout).unwrap();
    assert!(!log.contains("crash agreed"), "the managers hear of it: {log}");
}

#[test]
fn faults_are_refused_unless_they_were_allowed() {
    let cluster = Cluster::start(&[]);
    let output = cluster.run(&["fault", "add", "replica-1", "trap"]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && words.contains("dsms up --allow-faults"), "{words}");
}
