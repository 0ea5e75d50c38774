//! A replica's module is changed while clients are served.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::faulty_modules::faulty_module;
use crate::harness::{Cluster, requests_as};

/// The reference market as another module: its bytes with a custom section after them.
fn twin(directory: &Path, name: &str) -> PathBuf {
    let section = [&[0, 1 + u8::try_from(name.len()).unwrap(), u8::try_from(name.len()).unwrap()], name.as_bytes()];
    let path = directory.join(format!("{name}.wasm"));
    std::fs::write(&path, [dsms::sandbox::reference_module(), &section.concat()].concat()).unwrap();
    path
}

fn swap(cluster: &Cluster, arguments: &[&str]) -> (Vec<Value>, Option<i32>) {
    let output = cluster.run(&[&["swap"], arguments, &["--json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>();
    assert!(!lines.is_empty(), "{:?}", String::from_utf8(output.stderr));
    (lines, output.status.code())
}

/// Sends requests until it is told to stop; every one of them has to be answered with an outcome.
fn load(address: SocketAddr, is_over: &AtomicBool) -> usize {
    let mut answered = 0;
    for client in 1.. {
        let line = |number: u64| {
            let (day, month, year) = (number % 28 + 1, number / 28 % 12 + 1, number / 336 % 90 + 10);
            format!("NYKA1001 add-share NYKM{day:02}{month:02}{year} Equity {}", 1 + number % 9)
        };
        let lines: Vec<String> = (50 * client..50 * (client + 1)).map(line).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        for answer in requests_as(address, client, &lines) {
            assert!(answer["sequence"].is_u64(), "{answer}");
            answered += 1;
        }
        if is_over.load(Ordering::Relaxed) {
            break;
        }
    }
    answered
}

#[test]
fn a_module_is_swapped_under_load_and_taken_back_without_an_unanswered_request() {
    let cluster = Cluster::start(&[]);
    let twin = twin(cluster.directory(), "twin");
    let twin = twin.to_str().unwrap();
    let (address, is_over) = (cluster.client_address(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let load = scope.spawn(|| load(address, &is_over));
        let (lines, code) = swap(&cluster, &["replica-2", twin, "--shadow", "20"]);
        let swapped = &lines[0];
        assert_eq!((code, &swapped["swapped"], &swapped["reason"]), (Some(0), &json!(true), &Value::Null), "{swapped}");
        assert!(swapped["equal"].as_u64().unwrap() >= 20, "{swapped}");
        cluster.wait_for_log(&["replica-2", "swapped its module"]);
        let (lines, code) = swap(&cluster, &["replica-2", twin]);
        assert_eq!((code, &lines[0]["unneeded"]), (Some(0), &json!(true)));
        let (lines, code) = swap(&cluster, &["replica-2", "--rollback"]);
        assert_eq!((code, &lines[0]["swapped"]), (Some(0), &json!(true)), "{lines:?}");
        is_over.store(true, Ordering::Relaxed);
        assert!(load.join().unwrap() > 0);
    });
    cluster.equal_digest();
    let log = String::from_utf8(cluster.run(&["log"]).stdout).unwrap();
    assert!(!log.contains("suspected") && !log.contains("differs"), "{log}");
}

#[test]
fn a_module_that_answers_otherwise_does_not_take_over_and_its_history_is_saved() {
    let cluster = Cluster::start(&[]);
    cluster.script("NYKA1001 add-share NYKM100925 Equity 5\nNYKB1001 purchase-share NYKM100925 Equity 2\n");
    let module = faulty_module("wrong-always");
    let (lines, code) = swap(&cluster, &["replica-3", module.to_str().unwrap()]);
    let [failed, shrunk] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(
        (code, &failed["swapped"], &failed["mismatch"]["sequence"]),
        (Some(1), &json!(false), &json!(1)),
        "{failed}"
    );
    assert_ne!(failed["mismatch"]["released"], failed["mismatch"]["shadow"]);
    assert_eq!((&shrunk["shows"], &shrunk["requests_after"]), (&json!(true), &json!(1)), "{shrunk}");
    let file = shrunk["file"].as_str().unwrap();
    let replayed = cluster.run(&["replay", file]);
    assert_eq!(replayed.status.code(), Some(1), "{replayed:?}");
    let (_, code) = cluster.request("NYKB1001", "get-shares");
    assert_eq!(code, 0);
    cluster.equal_digest();
}

#[test]
fn a_module_that_came_in_a_swap_and_differs_then_is_shrunk_once_its_file_is_named() {
    let cluster = Cluster::start(&[]);
    let module = faulty_module("wrong-always");
    let (lines, code) = swap(&cluster, &["replica-3", module.to_str().unwrap(), "--shadow", "0"]);
    assert_eq!((code, &lines[0]["swapped"]), (Some(0), &json!(true)), "{lines:?}");
    let (answer, _) = cluster.request("NYKB1001", "get-shares");
    cluster.wait_for_log(&["outcome differs", "replica=replica-3"]);
    let place = answer["sequence"].to_string();
    let output = cluster.run(&["shrink", &place]);
    let words = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("Not every module was tried: replica-3 runs the module"), "{words}");
    assert!(words.contains("--module FILE.wasm") && !words.contains("not the module's code alone"), "{words}");
    let output = cluster.run(&["shrink", &place, "--module", module.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn what_cannot_be_swapped_is_said_with_its_reason() {
    let cluster = Cluster::start(&[]);
    let refused = |arguments: &[&str], words: &str| {
        let output = cluster.run(&[&["swap"], arguments].concat());
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert_eq!(told.matches(words).count(), 1, "{told}");
    };
    refused(&["replica-1", "/no/such.wasm"], "/no/such.wasm");
    refused(&["replica-4", "reference"], "its replicas are replica-1, replica-2, replica-3");
    refused(
        &["replica-9", "reference"],
        "this cluster has no replica-9; its replicas are replica-1, replica-2, replica-3",
    );
    refused(&["sequencer", "reference"], "runs no module");
    let output = cluster.run(&["swap", "replica-1", "--rollback"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with("replica-1 keeps the module that it has and does not go back: no module was"), "{told}");
}

#[test]
fn a_module_that_came_in_a_swap_is_there_after_all_processes_were_killed() {
    let arguments = ["--durability", "os"];
    let mut cluster = Cluster::start_durable(tempfile::tempdir().unwrap(), &arguments);
    let module_of_replica_2 = |cluster: &Cluster| {
        let ps: Value = serde_json::from_slice(&cluster.run(&["ps", "--json"]).stdout).unwrap();
        let nodes = ps["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["node"] == "replica-2").unwrap()["module_digest"].clone()
    };
    let configured = module_of_replica_2(&cluster);
    let twin = twin(cluster.directory(), "twin");
    let (lines, code) = swap(&cluster, &["replica-2", twin.to_str().unwrap(), "--shadow", "0"]);
    assert_eq!((code, &lines[0]["swapped"]), (Some(0), &json!(true)), "{lines:?}");
    let swapped = module_of_replica_2(&cluster);
    assert_ne!(swapped, configured);
    // Its own file is not needed any more.
    std::fs::remove_file(twin).unwrap();
    cluster.kill_all_and_start_again(&arguments);
    assert_eq!(module_of_replica_2(&cluster), swapped);
    let (lines, code) = swap(&cluster, &["replica-2", "--rollback"]);
    assert_eq!((code, &lines[0]["swapped"]), (Some(0), &json!(true)), "{lines:?}");
    cluster.kill_all_and_start_again(&arguments);
    assert_eq!(module_of_replica_2(&cluster), configured);
    cluster.equal_digest();
}
