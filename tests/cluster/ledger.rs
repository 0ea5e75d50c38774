//! What the front end has seen outlives its process: `dsms why` and `dsms log` of a cluster that was started again, and the files.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::harness::{Cluster, DEADLINE, Stopwatch, dsms, wait_for_end};
use dsms::protocol::id::NodeId;

/// Where the ledger is.
const DIRECTORY: &str = ".dsms/data/front-end";

fn json_lines(cluster: &Cluster, arguments: &[&str]) -> Vec<Value> {
    let output = cluster.run(arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{arguments:?}: {line}"))).collect()
}

fn why(cluster: &Cluster, sequence: u64) -> Value {
    json_lines(cluster, &["why", &sequence.to_string(), "--json"]).remove(0)
}

/// Asserts that the same is told of a place as earlier. Events may have come since: the replicas begin after some place again.
#[track_caller]
fn assert_told_again(cluster: &Cluster, earlier: &Value) {
    let mut told = why(cluster, earlier["sequence"].as_u64().unwrap());
    let events_len = earlier["events"].as_array().unwrap().len();
    told["events"].as_array_mut().unwrap().truncate(events_len);
    assert_eq!(told, *earlier);
}

/// Waits until an entry of this place is in the files that has all replies.
fn wait_for_entry(cluster: &Cluster, sequence: u64) {
    let patience = Stopwatch::start();
    let place = sequence.to_string();
    let is_whole = |entry: &Value| {
        let replies = entry["replies"].as_array();
        entry["entry"] == "record"
            && replies.is_some_and(|replies| replies.iter().all(|reply| reply["replied"] == true))
    };
    while !json_lines(cluster, &["ledger", "show", DIRECTORY, "--from", &place, "--to", &place, "--json"])
        .iter()
        .any(is_whole)
    {
        assert!(patience.elapsed() < DEADLINE, "#{sequence} is not written");
    }
}

fn verify(cluster: &Cluster, more: &[&str]) -> (Value, i32) {
    let mut command = dsms(cluster.directory());
    let output = command.args(["ledger", "verify", DIRECTORY, "--json"]).args(more).output().unwrap();
    (serde_json::from_slice(&output.stdout).unwrap(), output.status.code().unwrap())
}

fn newest_file(cluster: &Cluster) -> PathBuf {
    let files = fs::read_dir(cluster.directory().join(DIRECTORY)).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "ledger")).max().unwrap()
}

#[test]
fn why_and_log_tell_after_all_processes_were_killed_what_they_told_before() {
    let mut cluster = Cluster::start_durable(tempfile::tempdir().unwrap(), &["--allow-faults"]);
    cluster.request("NYKA1001", "add-share NYKM100925 Equity 100");
    cluster.run(&["fault", "add", "replica-2", "wrong", "--count", "1"]);
    let (answer, _) = cluster.request("NYKB1001", "purchase-share NYKM100925 Equity 10");
    let wrong = answer["sequence"].as_u64().unwrap();
    wait_for_entry(&cluster, wrong);
    let before = why(&cluster, wrong);
    assert_eq!(before["replies"][1]["equals_released"], false, "{before}");
    assert_eq!(before["events"][0]["kind"], "diverged", "{before}");
    let (verified, _) = verify(&cluster, &[]);
    let noted = verified["link"].as_str().unwrap().to_owned();

    cluster.kill_all_and_start_again(&["--allow-faults"]);
    assert_told_again(&cluster, &before);
    let kinds: Vec<Value> =
        json_lines(&cluster, &["log", "--json"]).into_iter().map(|event| event["kind"].clone()).collect();
    let place = |kind: &str| kinds.iter().position(|known| known == kind);
    assert!(
        place("diverged").is_some() && place("diverged") < kinds.iter().rposition(|kind| kind == "ready"),
        "{kinds:?}"
    );

    // The front end alone; the cluster goes on.
    cluster.log_so_far();
    let front_end = cluster.node_pid(NodeId::FRONT_END);
    kill_process(front_end, Signal::KILL).unwrap();
    wait_for_end(front_end);
    cluster.wait_for_log(&["node=front-end", "ready"]);
    let (answer, _) = cluster.request("NYKB1001", "get-shares");
    let last = answer["sequence"].as_u64().unwrap();
    assert_told_again(&cluster, &before);

    // The files are whole, in use and after the end, which writes what is left.
    let (verified, code) = verify(&cluster, &["--earlier", &noted]);
    assert_eq!((&verified["whole"], &verified["has_earlier"], code), (&true.into(), &true.into(), 0), "{verified}");
    assert!(cluster.end_by(Signal::TERM).success());
    let (verified, code) = verify(&cluster, &["--earlier", &noted]);
    assert_eq!((verified["last"].as_u64(), code), (Some(last), 0), "{verified}");
    let began = json_lines(&cluster, &["ledger", "show", DIRECTORY, "--json"]);
    assert_eq!(began.iter().filter(|entry| entry["entry"] == "began").count(), 3);

    // One bit, and it is named; so is a link that is not there any more.
    let file = newest_file(&cluster);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let (verified, code) = verify(&cluster, &[]);
    assert_eq!(code, 1, "{verified}");
    assert!(verified["broken"]["file"].as_str().unwrap().ends_with("00000001.ledger"), "{verified}");
    let at = verified["broken"]["byte"].as_u64().unwrap() as usize;
    assert!(at <= middle && middle < at + 1000, "{verified}");
}

#[test]
fn what_was_removed_for_want_of_room_is_said_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let text = "[cluster]\ndurability = \"os\"\n[ledger]\nsize_bytes_max = 1048576\n";
    fs::write(directory.path().join("dsms.toml"), text).unwrap();
    let config = ["--config", "dsms.toml"];
    let mut cluster = Cluster::start_durable(directory, &config);
    let bench = cluster.run(&["bench", "--clients", "8", "--in-flight", "16", "--requests", "12000"]);
    assert!(bench.status.success(), "{bench:?}");
    assert_eq!(why(&cluster, 1)["sequence"], 1, "it is still in memory");
    cluster.kill_all_and_start_again(&config);
    let (verified, code) = verify(&cluster, &[]);
    let bytes: u64 = verified["segments"].as_array().unwrap().iter().map(|file| file["bytes"].as_u64().unwrap()).sum();
    assert!(code == 0 && bytes <= 1_060_000, "{verified}");
    let output = cluster.run(&["why", "1"]);
    let words = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("#1 is not recorded") && words.contains("were removed to make room"), "{words}");
    let last = verified["last"].as_u64().unwrap();
    assert_eq!(why(&cluster, last - 10)["conclusion"]["kind"], "released");
}

#[test]
fn a_cluster_that_keeps_nothing_has_no_ledger() {
    let cluster = Cluster::start(&[]);
    assert!(!cluster.directory().join(DIRECTORY).exists());
    let output = cluster.run(&["ledger", "verify", "."]);
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("there is no ledger in .") && words.contains(".dsms/data/front-end"), "{words}");
}
