//! Module projects from nothing: made, built, checked, watched, swapped into a running cluster.
//!
//! The interpreters' tools are hundreds of megabytes and take minutes, so those languages are built only if DSMS_TEST_LANGUAGES is set.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::faulty_modules::faulty_module;
use crate::harness::{Cluster, dsms, reference_wasm, wait_for_end};

/// Asks for the languages whose tools have to be fetched.
const LANGUAGES: &str = "DSMS_TEST_LANGUAGES";

fn run(directory: &Path, arguments: &[&str]) -> Output {
    dsms(directory).args(arguments).output().unwrap()
}

/// What a command wrote, for a test that fails.
fn told(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn module_of_replica_3(cluster: &Cluster) -> Value {
    let ps: Value = serde_json::from_slice(&cluster.run(&["ps", "--json"]).stdout).unwrap();
    let nodes = ps["nodes"].as_array().unwrap_or_else(|| panic!("{ps}"));
    nodes.iter().find(|node| node["node"] == "replica-3").unwrap_or_else(|| panic!("{ps}"))["module_digest"].clone()
}

/// From nothing to a module that votes, by the commands that `dsms new` prints.
fn a_project_becomes_a_voting_module(language: &str) {
    let directory = tempfile::tempdir().unwrap();
    let made = run(directory.path(), &["new", "my-market", "--lang", language]);
    assert!(made.status.success(), "{}", told(&made));
    assert!(String::from_utf8_lossy(&made.stdout).contains("cd my-market"), "{}", told(&made));

    let cluster = Cluster::start_in(directory, &[]);
    cluster.script("NYKA1001 add-share NYKM100925 Equity 100\nNYKB1001 purchase-share NYKM100925 Equity 10\n");
    let before = module_of_replica_3(&cluster);
    let watched = cluster.run(&["watch", "my-market", "--once"]);
    assert!(watched.status.success(), "{}", told(&watched));
    assert!(told(&watched).contains("good: it can run as a replica"), "{}", told(&watched));
    assert!(told(&watched).contains("replica-3 runs"), "{}", told(&watched));
    assert_ne!(module_of_replica_3(&cluster), before);

    let (answer, code) = cluster.request("NYKB1001", "get-shares");
    assert_eq!((code, &answer["holdings"][0]["units"]), (0, &Value::from(10)), "{answer}");
    cluster.equal_digest();
}

#[test]
fn a_project_in_rust_is_built_checked_and_swapped_into_a_cluster() {
    a_project_becomes_a_voting_module("rust");
}

/// Whether to build a language whose tools have to be fetched; says so if not.
fn is_asked_for(language: &str, programs: &[&str]) -> bool {
    if std::env::var_os(LANGUAGES).is_none() {
        eprintln!("SKIPPED: no project in {language} is built, since its tools are large; set {LANGUAGES}=1 to do so");
        return false;
    }
    let runs =
        |program: &&&str| Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if let Some(missing) = programs.iter().find(|program| !runs(program)) {
        eprintln!("SKIPPED: no project in {language} is built, since {missing} is not installed");
        return false;
    }
    true
}

#[test]
fn a_project_in_javascript_is_built_checked_and_swapped_into_a_cluster() {
    if is_asked_for("JavaScript", &["node", "npm"]) {
        a_project_becomes_a_voting_module("js");
    }
}

#[test]
fn a_project_in_python_is_built_checked_and_swapped_into_a_cluster() {
    if is_asked_for("Python", &["python3"]) {
        a_project_becomes_a_voting_module("python");
    }
}

#[test]
fn a_project_in_c_is_built_checked_and_swapped_into_a_cluster() {
    if is_asked_for("C", &["python3", "cargo", "cc"]) {
        a_project_becomes_a_voting_module("c");
    }
}

/// A project whose build copies the reference module, so that watching is tested without a compiler.
fn project(build: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    reference_wasm(directory.path());
    fs::create_dir_all(directory.path().join("project/out")).unwrap();
    let path = directory.path().join("project/build");
    fs::write(&path, format!("#!/bin/sh\nset -e\ncd \"$(dirname \"$0\")\"\n{build}\n")).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    directory
}

const COPY: &str = "cp ../reference.wasm out/replica.wasm";

#[test]
fn without_a_cluster_the_module_is_checked_and_the_way_to_start_one_is_named() {
    let directory = project(COPY);
    let watched = run(directory.path(), &["watch", "project", "--once"]);
    assert!(watched.status.success(), "{}", told(&watched));
    assert!(told(&watched).contains("good: it can run as a replica"), "{}", told(&watched));
    assert!(told(&watched).contains("start one with `dsms up`"), "{}", told(&watched));
}

#[test]
fn what_is_wrong_with_a_project_ends_its_round_in_words() {
    let failed = |build: &str, words: &str| {
        let directory = project(build);
        let watched = run(&directory.path().join("project"), &["watch", ".", "--once"]);
        assert_eq!(watched.status.code(), Some(1), "{}", told(&watched));
        assert!(told(&watched).contains(words), "{}", told(&watched));
        // What the check has saved is no change of the sources.
        let files = fs::read_dir(directory.path().join("project")).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(files.into_iter().all(|file| file == "build" || file == "out"));
    };
    failed("echo no compiler; exit 7", "build has failed: exit status: 7");
    failed("rm -f out/replica.wasm", "out/replica.wasm");
    failed("head -c 1000 ../reference.wasm >out/replica.wasm", "not good: it cannot run as a replica");
    failed(&format!("cp {} out/replica.wasm", faulty_module("wrong-always").display()), "golden requests");
    let empty = tempfile::tempdir().unwrap();
    let watched = run(empty.path(), &["watch", "."]);
    assert_eq!(watched.status.code(), Some(2));
    assert!(told(&watched).contains("no build script"), "{}", told(&watched));
}

#[test]
fn each_save_is_built_again_and_ctrl_c_leaves_no_process_behind() {
    // The second build does not end by itself.
    let directory = project(
        "echo building $$; cat source; if grep -q endless source; then sleep 1000; fi\n\
                             cp ../reference.wasm out/replica.wasm",
    );
    let source = directory.path().join("project/source");
    fs::write(&source, "first\n").unwrap();
    let mut command = dsms(directory.path());
    let mut watch = command.args(["watch", "project"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "first"));
    assert!(lines.any(|line| line.starts_with("good:")));

    fs::write(&source, "endless\n").unwrap();
    let built = lines.find(|line| line.starts_with("building ")).unwrap();
    let build = Pid::from_raw(built["building ".len()..].parse().unwrap()).unwrap();
    assert!(lines.any(|line| line == "endless"));
    kill_process(Pid::from_child(&watch), Signal::INT).unwrap();
    assert!(watch.wait().unwrap().success());
    wait_for_end(build);
    // Whatever still ran would hold the other end open.
    assert_eq!(lines.next(), None);
}
