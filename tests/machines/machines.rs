//! A cluster of three replicas with a machine for each node, made by `dsms init`, and a machine for clients.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::mpsc::Receiver;

use dsms::protocol::id::{Membership, NodeId};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{DEADLINE, Stopwatch, dsms, lines};
use crate::lab::Lab;

/// The machine of the clients.
const CLIENT: &str = "client";

/// Dropping this stops the nodes, and fails the test if one of them does not end in order.
pub struct Machines {
    nodes: BTreeMap<NodeId, Running>,
    /// The network; it goes after the nodes.
    pub lab: Lab,
    directory: TempDir,
    front_end: String,
}

/// A node that runs.
struct Running {
    process: Child,
    out: Receiver<String>,
    log: Receiver<String>,
}

impl Machines {
    /// Machines with their files, on which nothing runs yet; or says on standard error why there are none.
    pub fn install() -> Option<Machines> {
        let names: Vec<String> = Membership::of(3).nodes().iter().map(NodeId::to_string).collect();
        let machines: Vec<&str> = names.iter().map(String::as_str).chain([CLIENT]).collect();
        let lab = Lab::build(&machines)?;
        let directory = tempfile::tempdir().unwrap();
        let front_end = format!("{}:7401", lab.address_of("front-end"));
        let nodes: Vec<String> = names.iter().map(|name| format!("{name}={}:7400", lab.address_of(name))).collect();
        let mut init = dsms(directory.path());
        init.args(["init", "--nodes", &nodes.join(","), "--clients", &front_end, "--out", "operator"]);
        let made = init.output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let operator = directory.path().join("operator");
        for name in &names {
            let own = directory.path().join(name);
            fs::create_dir_all(own.join("keys")).unwrap();
            for file in ["dsms.toml".to_owned(), format!("keys/{name}.key")] {
                fs::copy(operator.join(&file), own.join(&file)).unwrap();
            }
        }
        fs::create_dir(directory.path().join(CLIENT)).unwrap();
        Some(Machines { nodes: BTreeMap::new(), lab, directory, front_end })
    }

    /// The same, with all nodes running.
    pub fn start() -> Option<Machines> {
        let mut machines = Machines::install()?;
        Membership::of(3).nodes().into_iter().for_each(|node| machines.start_node(node));
        machines.wait_until_ready();
        Some(machines)
    }

    /// Where a machine has its files.
    pub fn directory(&self, machine: &str) -> PathBuf {
        self.directory.path().join(machine)
    }

    pub fn start_node(&mut self, node: NodeId) {
        let name = node.to_string();
        let mut command = dsms(&self.directory(&name));
        command.args(["node", &name]);
        let mut there = self.lab.on(&name, &command);
        let mut process = there.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = lines(process.stdout.take().unwrap());
        let log = lines(process.stderr.take().unwrap());
        assert!(self.nodes.insert(node, Running { process, out, log }).is_none(), "{node} runs already");
    }

    /// Ends a node's process as a power cut does.
    pub fn kill_node(&mut self, node: NodeId) {
        let mut running = self.nodes.remove(&node).expect("a node that runs");
        running.process.kill().unwrap();
        running.process.wait().unwrap();
    }

    /// Waits until the front end, which was started before, has heard of every node.
    pub fn wait_until_ready(&self) {
        let said = self.nodes[&NodeId::FRONT_END].out.recv_timeout(DEADLINE);
        assert_eq!(said.as_deref(), Ok(&*format!("ready {}", self.front_end)), "{}", self.log_so_far());
    }

    /// What all nodes have logged that was not asked for yet.
    fn log_so_far(&self) -> String {
        self.nodes.values().flat_map(|node| node.log.try_iter()).collect::<Vec<_>>().join("\n")
    }

    /// A command on the clients' machine.
    pub fn command(&self, name: &str) -> std::process::Command {
        let mut command = dsms(&self.directory(CLIENT));
        command.args([name, "--connect", &self.front_end]);
        self.lab.on(CLIENT, &command)
    }

    /// Runs a command there to its end.
    pub fn run(&self, name: &str, arguments: &[&str]) -> Output {
        self.command(name).args(arguments).output().unwrap()
    }

    /// Sends one request, which has to be answered; its JSON answer.
    pub fn request(&self, caller: &str, words: &str) -> Value {
        let words: Vec<&str> = words.split_whitespace().collect();
        let output = self.run("client", &[&["--json", "--as", caller], &words[..]].concat());
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        assert!(answer["sequence"].is_u64() && output.status.success(), "{answer}\n{}", self.log_so_far());
        answer
    }

    /// Waits until the state of the cluster, as monitoring sees it, has these words, and its exit code is this one.
    pub fn wait_for_status(&self, words: &str, code: i32) {
        let watch = Stopwatch::start();
        loop {
            let output = self.run("status", &["--check"]);
            let line = String::from_utf8(output.stdout).unwrap();
            if line.contains(words) && output.status.code() == Some(code) {
                return;
            }
            assert!(watch.elapsed() < DEADLINE, "no status says {words:?}; at last: {line}\n{}", self.log_so_far());
        }
    }

    /// Waits until all replicas vote and nothing is amiss, and then asserts that their states are equal at one place of the order. Gives
    /// the digest that they have.
    pub fn wait_until_well(&self) -> String {
        self.wait_for_status("OK: 3 of 3 replicas vote", 0);
        let watch = Stopwatch::start();
        loop {
            let output = self.run("digest", &["--json"]);
            let told: Value = serde_json::from_slice(&output.stdout).unwrap();
            let is_late = |replica: &Value| replica["error"] == "no reply in time";
            if !told["replicas"].as_array().unwrap().iter().any(is_late) {
                assert_eq!((told["equal"].as_bool(), output.status.code()), (Some(true), Some(0)), "{told}");
                return told["replicas"][0]["digest"].as_str().unwrap().to_owned();
            }
            assert!(watch.elapsed() < DEADLINE, "{told}\n{}", self.log_so_far());
        }
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for node in self.nodes.values() {
            // It may have ended by itself, which the next lines find out.
            let _ended = kill_process(Pid::from_child(&node.process), Signal::TERM);
        }
        for (node, running) in &mut self.nodes {
            let status = running.process.wait().unwrap();
            assert!(status.success() || std::thread::panicking(), "{node} ended with {status}");
        }
    }
}

/// The nodes in an order that is drawn anew in each run, and printed for when the test fails.
pub fn drawn_order() -> Vec<NodeId> {
    let mut random = Pcg32::seed_from_u64(std::process::id().into());
    let mut nodes = Membership::of(3).nodes();
    for len in (2..=nodes.len()).rev() {
        let drawn = usize::try_from(random.next_u64() % len as u64).unwrap();
        nodes.swap(len - 1, drawn);
    }
    println!("drawn order: {nodes:?}");
    nodes
}

/// The names of the entries of a directory, with those below, and without its own name.
pub fn files_below(directory: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut unread = vec![directory.to_owned()];
    while let Some(read) = unread.pop() {
        for entry in fs::read_dir(read).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                unread.push(path);
            } else {
                files.push(path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}
