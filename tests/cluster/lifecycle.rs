//! Starting and ending: one cluster a directory, clear refusals, and nothing left behind.

use std::net::UdpSocket;
use std::process::Stdio;

use dsms::protocol::quorum::Tolerance;
use rustix::process::Signal;

use crate::harness::{Cluster, DEADLINE, Stopwatch, dsms, reference_wasm, wait_for_end};

#[test]
fn a_second_cluster_in_the_same_directory_is_refused() {
    let cluster = Cluster::start(&[]);
    let second = cluster.run(&["up"]);
    let words = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(words.contains("running in this directory already") && words.contains("dsms sh"), "{words}");
    assert_eq!(cluster.request("NYKA1001", "add-share NYKM100925 Equity 3").1, 0, "the first goes on");
}

#[test]
fn on_a_signal_everything_ends_and_the_directory_is_free() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut cluster = Cluster::start(&[]);
        let pids = cluster.node_pids();
        let status = cluster.run(&["status", "--check"]);
        assert_eq!(String::from_utf8(status.stdout).unwrap(), "OK: 3 of 3 replicas vote\n");
        assert!(cluster.end_by(signal).success());
        // A process that is gone holds no port and no lock.
        pids.into_iter().for_each(wait_for_end);
        let after = cluster.run(&["ps"]);
        let words = String::from_utf8(after.stderr).unwrap();
        assert!(after.status.code() == Some(2) && words.contains("no cluster is running in this directory"), "{words}");
        let status = cluster.run(&["status", "--check"]);
        let words = String::from_utf8(status.stdout).unwrap();
        assert!(status.status.code() == Some(3) && words.starts_with("UNKNOWN: no cluster is running"), "{words}");
    }
}

#[test]
fn when_dsms_up_is_killed_its_nodes_end_and_the_directory_can_be_used_again() {
    let mut cluster = Cluster::start(&[]);
    let pids = cluster.node_pids();
    cluster.end_by(Signal::KILL);
    pids.into_iter().for_each(wait_for_end);
    let after = cluster.run(&["ps"]);
    let words = String::from_utf8(after.stderr).unwrap();
    assert!(after.status.code() == Some(2) && words.contains("start it again with `dsms up`"), "{words}");
    let mut again = dsms(cluster.directory());
    let mut again = again.arg("up").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(again.stdout.take().unwrap()), &mut line).unwrap();
    assert!(line.starts_with("dsms: ready"), "{line}");
    rustix::process::kill_process(rustix::process::Pid::from_child(&again), Signal::TERM).unwrap();
    assert!(again.wait().unwrap().success());
}

#[test]
fn a_configuration_that_is_there_and_was_not_named_is_pointed_out() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("dsms.toml"), "[cluster]\nmode = \"crash\"\n").unwrap();
    let cluster = Cluster::start_in(directory, &[]);
    cluster.wait_for_log(&["dsms.toml is here", "dsms up --config dsms.toml"]);
    assert_eq!(cluster.config().tolerance, Tolerance::BYZANTINE, "it is not read");
}

/// Runs `dsms up` where it must refuse; its exit code and words.
#[track_caller]
fn refused(directory: &std::path::Path, arguments: &[&str]) -> String {
    let output = dsms(directory).arg("up").args(arguments).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(matches!(output.status.code(), Some(2 | 64)), "{words}");
    words
}

#[test]
fn what_cannot_work_is_refused_with_what_where_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let words = refused(path, &["--mode", "both", "--replicas", "3"]);
    assert!(words.contains("2 x 1 + 1 + 1 = 4 replicas, there are 3"), "{words}");
    let words = refused(path, &["--module", "missing.wasm"]);
    assert!(words.contains("missing.wasm"), "{words}");
    std::fs::write(path.join("text.wasm"), "this is no component").unwrap();
    let words = refused(path, &["--module", "text.wasm"]);
    assert!(words.contains("text.wasm") && words.contains("not"), "{words}");
    std::fs::write(path.join("core.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let words = refused(path, &["--module", "core.wasm"]);
    assert!(words.contains("core WebAssembly module"), "{words}");
    reference_wasm(path);
    let words = refused(path, &["--replicas", "3", "--module", "reference.wasm", "--module", "reference"]);
    assert!(words.contains("given 2 times for 3 replicas"), "{words}");
    std::fs::write(path.join("bad.toml"), "[cluster]\nmode = \"both\"\nmood = 1\n[[replica]]\naddress = \"nowhere\"\n")
        .unwrap();
    let words = refused(path, &["--config", "bad.toml"]);
    for place in ["bad.toml:2:", "bad.toml:3:1", "bad.toml:5:"] {
        assert!(words.contains(place), "{place} is not named in {words}");
    }
    assert!(!path.join(".dsms/cluster.toml").exists(), "nothing was started");
}

#[test]
fn a_port_in_use_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = format!("[sequencer]\naddress = \"{address}\"\n");
    std::fs::write(directory.path().join("dsms.toml"), config).unwrap();
    let words = refused(directory.path(), &["--config", "dsms.toml"]);
    assert!(words.contains(&format!("cannot listen on udp {address}")), "{words}");
    assert!(words.contains("sequencer"), "{words}");
}

#[test]
fn the_nodes_of_a_configuration_can_be_started_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    // Ports below those that the system hands out, so that no other test is given one of them meanwhile.
    let port = 20_000 + std::process::id() % 1000 * 10;
    let at = |offset: u32| format!("\"127.0.0.1:{}\"", port + offset);
    let mut text =
        format!("[front_end]\naddress = {}\nclient_address = {}\n[sequencer]\naddress = {}\n", at(0), at(1), at(2));
    (3..6).for_each(|offset| text.push_str(&format!("[[replica]]\naddress = {}\n", at(offset))));
    std::fs::write(path.join("dsms.toml"), text).unwrap();
    let config = ::dsms::config::ClusterConfig::load(&path.join("dsms.toml")).unwrap();
    let ::dsms::config::Keys::Shared(key) = &config.keys else { panic!("{config:?}") };
    ::dsms::runtime::directory::read_or_draw_key(key).unwrap();
    let mut nodes: Vec<_> = config
        .nodes()
        .into_iter()
        .map(|node| {
            let mut command = crate::harness::dsms(path);
            command.args(["node", &node.to_string()]).stdout(Stdio::piped()).stderr(Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    let front_end = nodes[0].stdout.take().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(front_end), &mut line).unwrap();
    assert!(line.starts_with("ready"), "{line}");
    let connect = config.front_ends[0].client_address.to_string();
    let answer = dsms(path)
        .args(["client", "--connect", &connect, "--as", "NYKA1001", "add-share", "NYKM100925", "Equity", "3"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(answer.stdout).unwrap(), "#1 added: capacity 3\n");
    let here = dsms(path).args(["client", "--as", "NYKA1001", "list-share-availability", "Equity"]).output().unwrap();
    assert!(here.status.success(), "the configuration says where: {here:?}");
    let unknown = dsms(path).args(["node", "replica-7"]).output().unwrap();
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("its nodes are front-end, sequencer, replica-1"));
    for node in &mut nodes {
        rustix::process::kill_process(rustix::process::Pid::from_child(node), Signal::TERM).unwrap();
        assert!(node.wait().unwrap().success());
    }
}

#[test]
fn a_cluster_that_is_told_to_end_answers_what_it_has_taken_in() {
    let mut cluster = Cluster::start(&[]);
    let last_ordered = |cluster: &Cluster| {
        let ps: serde_json::Value = serde_json::from_slice(&cluster.run(&["ps", "--json"]).stdout).unwrap();
        let nodes = ps["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["node"] == "sequencer").unwrap()["sequence"].as_u64().unwrap()
    };
    assert_eq!(cluster.request("NYKA1001", "add-share NYKM100925 Equity 3").1, 0);
    let before = last_ordered(&cluster);
    // Two replicas of three stand still, so the next request is ordered and nobody can agree on its outcome.
    let stopped: Vec<_> = ["replica-1", "replica-2"].map(|name| cluster.node_pid(name.parse().unwrap())).to_vec();
    stopped.iter().for_each(|pid| rustix::process::kill_process(*pid, Signal::STOP).unwrap());
    let mut client = dsms(cluster.directory());
    client.args(["client", "--as", "NYKB1001", "purchase-share", "NYKM100925", "Equity", "2"]);
    let client = client.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let watch = Stopwatch::start();
    while last_ordered(&cluster) == before {
        assert!(watch.elapsed() < DEADLINE, "the request is not ordered");
    }
    assert!(cluster.end_by(Signal::TERM).success());
    let answered = client.wait_with_output().unwrap();
    let words = String::from_utf8(answered.stdout).unwrap();
    assert!(answered.status.success() && words.contains("purchased: 2 of 2"), "{words}");
}
