//! Keys for each pair of nodes: written, refused, rotated while requests keep coming; and what strangers can do to a running node.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::sync::mpsc::Receiver;

use dsms::config::{ClusterConfig, Keys};
use dsms::protocol::channel::limits::DATAGRAM_LEN_DEFAULT;
use dsms::protocol::channel::{Address, Envelope, enclose};
use dsms::protocol::endpoint::Endpoint;
use dsms::protocol::id::{NodeId, Round, SessionId};
use dsms::protocol::keyring::{ClusterId, Generation};
use dsms::protocol::message::Message;
use dsms::protocol::recipients::Recipients;
use dsms::protocol::secret::{SECRET_LEN, Secret};
use dsms::runtime::clock::Clock;
use dsms::runtime::keys::{key_file, read_keyring};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::harness::{Cluster, DEADLINE, dsms, lines};
use crate::load::Load;

/// Writes a configuration and keys for a cluster on this machine. Each test has ports of its own, below those that the system hands out.
fn init(test: u32) -> (TempDir, ClusterConfig) {
    let directory = tempfile::tempdir().unwrap();
    let port = 10_000 + std::process::id() % 300 * 30 + test * 6;
    let nodes = ["front-end", "sequencer", "replica-1", "replica-2", "replica-3"];
    let nodes = nodes.iter().zip(port..).map(|(node, port)| format!("{node}=127.0.0.1:{port}"));
    let nodes = nodes.collect::<Vec<_>>().join(",");
    let clients = format!("127.0.0.1:{}", port + 5);
    let output = run(directory.path(), &["init", "--nodes", &nodes, "--clients", &clients]);
    assert!(output.status.success(), "{output:?}");
    let config = ClusterConfig::load(&directory.path().join("dsms.toml")).unwrap();
    (directory, config)
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    dsms(directory).args(arguments).output().unwrap()
}

/// The words with which a command refuses.
#[track_caller]
fn refused(directory: &Path, arguments: &[&str]) -> String {
    let output = run(directory, arguments);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}");
    words
}

#[test]
fn keys_are_rotated_while_requests_keep_coming_and_none_is_lost() {
    let (directory, config) = init(0);
    let cluster = Cluster::start_in(directory, &["--config", "dsms.toml"]);
    let load = Load::start(&cluster, 1);
    for (generation, held) in [(2, "newest=2"), (3, "newest=3")] {
        let rotated = cluster.run(&["keys", "rotate"]);
        let words = String::from_utf8(rotated.stdout).unwrap();
        assert!(words.contains(&format!("generation {generation} is in the key files of 5 nodes")), "{words}");
        for node in config.nodes() {
            kill_process(cluster.node_pid(node), Signal::HUP).unwrap();
            cluster.wait_for_log(&["info", &format!("node={node} "), "keys read again", held]);
            assert_eq!(cluster.request("NYKB1001", "get-shares").1, 0);
        }
        // Every pair has to have gone over to the new generation by now, since the next rotation ends the one before it.
        cluster.equal_digest();
    }
    load.end();
    cluster.equal_digest();
    let told = String::from_utf8(cluster.run(&["log"]).stdout).unwrap();
    for node in config.nodes() {
        let is_told = |line: &&str| line.contains(&node.to_string()) && line.contains("keys read again newest=3");
        assert!(told.lines().any(|line| is_told(&line)), "{node} in {told}");
    }
    let log = cluster.log_so_far().join("\n");
    assert!(!log.contains("unreachable") && !log.contains("restarted"), "{log}");

    // A file that cannot be used changes nothing, and is told in words.
    let Keys::OfNodes(keys) = &config.keys else { panic!("{config:?}") };
    let path = key_file(keys, NodeId::Sequencer);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    kill_process(cluster.node_pid(NodeId::Sequencer), Signal::HUP).unwrap();
    cluster.wait_for_log(&["warn", "node=sequencer ", "keys not changed", "may be read by others"]);
    assert_eq!(cluster.request("NYKB1001", "get-shares").1, 0);
    let listed = cluster.run(&["keys", "ls"]);
    let words = String::from_utf8(listed.stdout).unwrap();
    assert!(words.contains("generation 2, 3") && words.contains("may be read by others"), "{words}");
    assert_eq!(listed.status.code(), Some(1));
}

#[test]
fn a_node_without_its_keys_is_refused_in_words() {
    let (directory, config) = init(1);
    let path = directory.path();
    let Keys::OfNodes(keys) = &config.keys else { panic!("{config:?}") };
    let of = |node| key_file(keys, node);
    fs::rename(of(NodeId::FRONT_END), keys.join("elsewhere")).unwrap();
    let words = refused(path, &["node", "front-end"]);
    assert!(words.contains("there is no key file") && words.contains("dsms init"), "{words}");
    fs::copy(of(NodeId::Sequencer), of(NodeId::FRONT_END)).unwrap();
    let words = refused(path, &["node", "front-end"]);
    assert!(words.contains("these are the keys of sequencer, not of front-end"), "{words}");
    fs::set_permissions(of(NodeId::Sequencer), fs::Permissions::from_mode(0o604)).unwrap();
    let words = refused(path, &["node", "sequencer"]);
    assert!(words.contains("may be read by others (mode 604)") && words.contains("chmod 600"), "{words}");
    let text = fs::read_to_string(keys.join("elsewhere")).unwrap().replace("dsms-keys 1", "dsms-keys 2");
    fs::write(of(NodeId::FRONT_END), text).unwrap();
    let words = refused(path, &["node", "front-end"]);
    assert!(words.contains("it is of version 2, and this dsms reads version 1"), "{words}");

    let bare = tempfile::tempdir().unwrap();
    fs::write(bare.path().join("dsms.toml"), "[front_end]\naddress = \"10.0.0.1:7400\"\n").unwrap();
    for command in [&["node", "front-end"][..], &["up", "--config", "dsms.toml"]] {
        let words = refused(bare.path(), command);
        assert!(words.contains("expected a loopback address") && words.contains("`dsms init`"), "{words}");
    }
    fs::write(bare.path().join("dsms.toml"), "").unwrap();
    let words = refused(bare.path(), &["keys", "rotate"]);
    assert!(words.contains("its nodes share one key"), "{words}");
}

/// A node that runs, with its log.
struct Running {
    node: Child,
    log: Receiver<String>,
}

impl Running {
    fn start(directory: &Path, node: NodeId) -> Running {
        let mut command = dsms(directory);
        command.args(["node", &node.to_string()]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut node = command.spawn().unwrap();
        let log = lines(node.stderr.take().unwrap());
        Running { node, log }
    }

    /// Waits for a line of the log that has all of these words.
    fn wait_for_log(&self, words: &[&str]) {
        loop {
            let line = self.log.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("no log line says {words:?}"));
            if words.iter().all(|word| line.split_whitespace().any(|given| given == *word)) {
                return;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.node), Signal::TERM).unwrap();
        assert!(self.node.wait().unwrap().success() || std::thread::panicking());
    }
}

/// This test as the front end of a cluster, over a real socket.
struct FrontEnd {
    endpoint: Endpoint,
    socket: UdpSocket,
    clock: Clock,
    sequencer: SocketAddr,
    /// What was sent, and what has arrived.
    sent: Vec<Vec<u8>>,
    received: Vec<Vec<u8>>,
}

impl FrontEnd {
    fn start(config: &ClusterConfig) -> FrontEnd {
        let Keys::OfNodes(keys) = &config.keys else { panic!("{config:?}") };
        let keyring = read_keyring(&key_file(keys, NodeId::FRONT_END), NodeId::FRONT_END, &config.nodes()).unwrap();
        let clock = Clock::start();
        let session = SessionId::new(clock.now(), 7);
        let endpoint = Endpoint::new(&keyring, config.nodes(), session, DATAGRAM_LEN_DEFAULT);
        let socket = UdpSocket::bind(config.front_ends[0].address).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let sequencer = config.sequencer.address;
        FrontEnd { endpoint, socket, clock, sequencer, sent: Vec::new(), received: Vec::new() }
    }

    /// Goes on until a message of the sequencer has arrived, and it has acknowledged ours.
    fn talk(&mut self) {
        let message = Message::Resumed { round: Round(1) };
        assert_eq!(self.endpoint.send(Recipients::One(NodeId::Sequencer), &message), []);
        let mut has_heard = false;
        while !has_heard || self.endpoint.backlog_len(NodeId::Sequencer) > 0 {
            let mut datagram = Vec::new();
            while self.endpoint.poll_transmit(self.clock.now(), &mut datagram).is_some() {
                self.socket.send_to(&datagram, self.sequencer).unwrap();
                self.sent.push(datagram.clone());
            }
            let mut received = [0; DATAGRAM_LEN_DEFAULT];
            let (len, _) = self.socket.recv_from(&mut received).expect("the sequencer says something");
            self.received.push(received[..len].to_vec());
            let _used_or_not = self.endpoint.handle_datagram(&received[..len], self.clock.now());
            self.endpoint.handle_timeout(self.clock.now());
            has_heard |= self.endpoint.poll_message(None).is_some();
        }
    }
}

#[test]
fn what_strangers_send_to_a_running_node_is_dropped_and_counted_for_what_it_is() {
    let (directory, config) = init(2);
    let sequencer = Running::start(directory.path(), NodeId::Sequencer);
    sequencer.wait_for_log(&["listening"]);
    let mut front_end = FrontEnd::start(&config);
    front_end.talk();

    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let attack = |datagram: &[u8]| assert!(stranger.send_to(datagram, config.sequencer.address).is_ok());
    let last = front_end.sent.last().unwrap();
    attack(last);
    attack(last);
    attack(front_end.received.last().unwrap());
    attack(&last[..last.len() - 1]);
    let address = Envelope::read(last).unwrap().address;
    let mut forged = Vec::new();
    let key = Secret::new([0; SECRET_LEN]);
    enclose(&address, &key, &mut forged, |bytes| bytes.extend_from_slice(&[0; 50]));
    (0..3).for_each(|_| attack(&forged));
    let elsewhere = Address { cluster: ClusterId(address.cluster.0 ^ 1), ..address };
    enclose(&elsewhere, &key, &mut forged, |bytes| bytes.extend_from_slice(&[0; 50]));
    attack(&forged);
    let later = Address { generation: Generation(9), ..address };
    enclose(&later, &key, &mut forged, |bytes| bytes.extend_from_slice(&[0; 50]));
    attack(&forged);
    attack(b"\x01an earlier version");
    sequencer.wait_for_log(&[
        "warn",
        "forged=3",
        "truncated=1",
        "reflected=1",
        "other_cluster=1",
        "unknown_key=1",
        "unknown_version=1",
        "replayed=2",
    ]);
    // The node is none the worse for it.
    front_end.talk();

    // Nor is a new process of it, to whom all of that was sent in an earlier session.
    drop(sequencer);
    let sequencer = Running::start(directory.path(), NodeId::Sequencer);
    sequencer.wait_for_log(&["listening"]);
    let old = std::mem::take(&mut front_end.sent);
    let is_of_a_session = |datagram: &&Vec<u8>| {
        let content = Envelope::read(datagram).unwrap().content();
        dsms::protocol::channel::Datagram::decode(content).unwrap().receiver.is_some()
    };
    let stale: Vec<_> = old.iter().filter(is_of_a_session).collect();
    assert!(!stale.is_empty());
    stale.iter().for_each(|datagram| attack(datagram));
    sequencer.wait_for_log(&[&format!("stale={}", stale.len()), "replayed=0"]);
}
