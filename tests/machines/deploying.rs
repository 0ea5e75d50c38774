//! What an operator installs: the unit for systemd, and the commands of docs/operating.md that make a cluster for it.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dsms::config::{ClusterConfig, Keys};
use dsms::protocol::id::Membership;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{DEADLINE, dsms};
use crate::lab::skip;

/// Where the unit expects the binary.
const BINARY: &str = "/usr/local/bin/dsms";

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

fn unit() -> String {
    file("deploy/dsms@.service")
}

/// The value of a key that the unit has once.
fn value(unit: &str, key: &str) -> String {
    let values: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect();
    assert_eq!(values.len(), 1, "{key}: {values:?}");
    values[0].to_owned()
}

/// What systemd says of a unit with this text: whether it would be loaded, and the lines about it.
fn verify(text: &str) -> Option<(bool, Vec<String>)> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dsms@.service");
    fs::write(&path, text).unwrap();
    let Output { status, stderr, .. } = Command::new("systemd-analyze").arg("verify").arg(path).output().ok()?;
    let words = String::from_utf8_lossy(&stderr);
    // Other units of this system are none of ours.
    Some((status.success(), words.lines().filter(|line| line.contains("dsms@")).map(str::to_owned).collect()))
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let unit = unit();
    let installed = unit.replace(BINARY, env!("CARGO_BIN_EXE_dsms"));
    assert_ne!(installed, unit, "the binary of the unit is another one");
    let Some(verified) = verify(&installed) else {
        skip("systemd-analyze is not installed, so the unit was not verified");
        return;
    };
    assert_eq!(verified, (true, Vec::new()));
    // It does look.
    let (_, words) = verify(&installed.replace("ProtectHome=", "ProtectedHome=")).unwrap();
    assert!(words.len() == 1 && words[0].contains("ProtectedHome"), "{words:?}");
}

#[test]
fn a_node_tells_its_service_manager_that_it_runs_and_is_not_stuck() {
    let scratch = tempfile::tempdir().unwrap();
    // Addresses of the loopback network that no other process uses.
    let [.., high, low] = std::process::id().to_be_bytes();
    let nodes: Vec<String> = Membership::of(3)
        .nodes()
        .iter()
        .zip(1..)
        .map(|(node, last)| format!("{node}=127.{high}.{low}.{last}:7400"))
        .collect();
    let made = dsms(scratch.path())
        .args(["init", "--nodes", &nodes.join(","), "--clients", &format!("127.{high}.{low}.1:7401")])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let path = scratch.path().join("notify");
    let service_manager = UnixDatagram::bind(&path).unwrap();
    service_manager.set_read_timeout(Some(DEADLINE)).unwrap();
    let heard = || {
        let mut bytes = [0; 64];
        let len = service_manager.recv(&mut bytes).expect("the node says something");
        String::from_utf8(bytes[..len].to_vec()).unwrap()
    };
    for node in Membership::of(1).nodes() {
        let mut command = dsms(scratch.path());
        command.args(["node", &node.to_string()]).stderr(Stdio::null());
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "300000");
        let mut process = command.spawn().unwrap();
        // It has nobody to talk to, and still has its turns in time.
        let said: Vec<String> = (0..4).map(|_| heard()).collect();
        assert_eq!(said, ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"], "{node}");
        kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
        assert!(process.wait().unwrap().success());
        // What it said meanwhile.
        service_manager.set_nonblocking(true).unwrap();
        while service_manager.recv(&mut [0; 64]).is_ok() {}
        service_manager.set_nonblocking(false).unwrap();
    }
}

/// The blocks of commands in the guide that have these words in them.
fn commands_with(words: &str) -> Vec<String> {
    let guide = file("docs/operating.md");
    let blocks = guide.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
    blocks.filter(|block| block.contains(words)).map(str::to_owned).collect()
}

#[test]
fn the_guide_makes_a_cluster_for_the_unit() {
    let scratch = tempfile::tempdir().unwrap();
    let commands = commands_with("dsms init");
    assert_eq!(commands.len(), 1);
    let binaries = Path::new(env!("CARGO_BIN_EXE_dsms")).parent().unwrap().to_str().unwrap();
    let path = format!("{binaries}:{}", std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-euc", &commands[0]]).current_dir(scratch.path()).env("PATH", path);
    let made = shell.output().unwrap();
    assert!(made.status.success(), "{made:?}");

    let unit = unit();
    let config = ClusterConfig::load(&scratch.path().join("cluster/dsms.toml")).unwrap();
    assert_eq!(config.require_ports(), Ok(()));
    let addresses =
        config.nodes().into_iter().map(|node| config.address_of(node)).chain([config.front_ends[0].client_address]);
    assert!(addresses.clone().all(|address| address.port() > 1024), "{:?}", addresses.collect::<Vec<_>>());
    let data = config.data.unwrap().directory;
    assert_eq!(data, PathBuf::from("/var/lib").join(value(&unit, "StateDirectory")).join("data"));
    let cache = PathBuf::from("/var/cache").join(value(&unit, "CacheDirectory"));
    assert_eq!(value(&unit, "Environment"), format!("DSMS_CACHE_DIR={}", cache.display()));
    let Keys::OfNodes(keys) = config.keys else { panic!("no keys for each node") };
    let beside = keys.strip_prefix(scratch.path().join("cluster")).unwrap();

    // The guide copies the files to where the unit looks for them, for its user.
    let start = value(&unit, "ExecStart");
    let words: Vec<&str> = start.split(' ').collect();
    assert_eq!(words[..3], [BINARY, "node", "%i"]);
    let config_file = words[4];
    let keys = Path::new(config_file).with_file_name(beside);
    let user = value(&unit, "User");
    let guide = file("docs/operating.md");
    for copied in [
        format!("/dev/stdin {BINARY}\""),
        format!("/dev/stdin {config_file}\""),
        format!("install -m 600 -o {user} -g {user} /dev/stdin {}/$node.key\"", keys.display()),
        format!("useradd --system --home-dir {} ", data.parent().unwrap().display()),
    ] {
        assert!(guide.contains(&copied), "the guide does not say {copied}");
    }
    // And the words after the node's name are those of the command.
    let help = dsms(scratch.path()).args(["node", "--help"]).output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains(words[3]), "{start}");
}
