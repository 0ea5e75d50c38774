//! Machines that are network namespaces, joined by a switch, which is a namespace with a bridge in it. Dropping a lab ends every process
//! in it, and removes it. The network of this system has no part in it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::harness::wait_for_end;

/// What the name of each namespace begins with. The number of the test's process follows, so that two of them never meet, and what a
/// process has left that was killed is known.
const PREFIX: &str = "dsms-test";

/// Where `ip` has an entry for each namespace.
const NAMESPACES: &str = "/run/netns";

/// The name of the switch.
const SWITCH: &str = "switch";

/// The name of each machine's own end of its cable.
const OWN_END: &str = "eth0";

static LABS_LEN: AtomicU32 = AtomicU32::new(0);

/// Machines, their cables and their switch.
pub struct Lab {
    prefix: String,
    machines: Vec<String>,
    namespaces: Vec<String>,
}

/// Which end of a cable.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// The machine's own interface, whose addresses cannot be used then.
    Machine,
    /// The switch's port, of which the machine only sees that it hears nothing.
    Switch,
}

impl Lab {
    /// Connects these machines; or says on standard error why it cannot be done here.
    pub fn build(machines: &[&str]) -> Option<Lab> {
        if let Some(missing) = missing() {
            skip(&format!("{missing}, so no cluster ran on several machines"));
            return None;
        }
        remove_what_killed_tests_left();
        let mut lab = Lab { prefix: new_prefix(), machines: Vec::new(), namespaces: Vec::new() };
        let switch = lab.add_namespace(SWITCH);
        must(&["-n", &switch, "link", "add", "bridge", "type", "bridge", "forward_delay", "0"]);
        must(&["-n", &switch, "link", "set", "bridge", "up"]);
        for machine in machines {
            let own = lab.add_namespace(machine);
            lab.machines.push((*machine).to_owned());
            must(&["-n", &switch, "link", "add", machine, "type", "veth", "peer", "name", OWN_END, "netns", &own]);
            must(&["-n", &switch, "link", "set", machine, "master", "bridge", "up"]);
            must(&["-n", &own, "addr", "add", &format!("{}/24", lab.address_of(machine)), "dev", OWN_END]);
            must(&["-n", &own, "link", "set", "lo", "up"]);
            must(&["-n", &own, "link", "set", OWN_END, "up"]);
        }
        Some(lab)
    }

    fn add_namespace(&mut self, name: &str) -> String {
        let namespace = self.namespace(name);
        must(&["netns", "add", &namespace]);
        self.namespaces.push(namespace.clone());
        namespace
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// The address of a machine.
    pub fn address_of(&self, machine: &str) -> String {
        let place = self.machines.iter().position(|known| known == machine).expect("a machine of this lab");
        format!("10.213.0.{}", place + 1)
    }

    /// The same command, on a machine.
    pub fn on(&self, machine: &str, command: &Command) -> Command {
        let mut there = Command::new("ip");
        there.args(["netns", "exec", &self.namespace(machine)]).arg(command.get_program()).args(command.get_args());
        there.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(directory) = command.get_current_dir() {
            there.current_dir(directory);
        }
        there.stdin(Stdio::null());
        there
    }

    /// Takes the cable of a machine out, at one of its ends.
    pub fn cut(&self, machine: &str, end: End) {
        self.set_link(machine, end, "down");
    }

    /// Puts it in again.
    pub fn mend(&self, machine: &str, end: End) {
        self.set_link(machine, end, "up");
    }

    fn set_link(&self, machine: &str, end: End, state: &str) {
        let (namespace, interface) = match end {
            End::Machine => (self.namespace(machine), OWN_END),
            End::Switch => (self.namespace(SWITCH), machine),
        };
        must(&["-n", &namespace, "link", "set", interface, state]);
    }

    /// Has what a machine sends go through this queueing discipline of the kernel; or what the system said.
    pub fn shape(&self, machine: &str, discipline: &[&str]) -> Result<(), String> {
        let added = [&["qdisc", "add", "dev", OWN_END, "root"], discipline].concat();
        self.traffic_control(machine, &added).map(|_| ())
    }

    /// How many datagrams of a machine that discipline has lost.
    pub fn lost_len(&self, machine: &str) -> u64 {
        let told = self.traffic_control(machine, &["-s", "qdisc", "show", "dev", OWN_END]).unwrap();
        let after = told.split("(dropped ").nth(1).unwrap_or_else(|| panic!("{told}"));
        after.split(',').next().unwrap().parse().unwrap()
    }

    fn traffic_control(&self, machine: &str, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("tc");
        command.args(arguments);
        said_by(&mut self.on(machine, &command))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in &self.namespaces {
            let removed = remove(namespace);
            assert!(removed.is_ok() || std::thread::panicking(), "{namespace} is left behind: {removed:?}");
        }
    }
}

/// Says on standard error that something was not tested. The test harness keeps what `eprintln!` prints to itself if a test passes.
pub fn skip(why: &str) {
    let _nobody_reads = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

fn new_prefix() -> String {
    format!("{PREFIX}-{}-{}", std::process::id(), LABS_LEN.fetch_add(1, Ordering::Relaxed))
}

/// What this system or this user lacks for a lab.
fn missing() -> Option<String> {
    if !geteuid().is_root() {
        return Some("only root may make network namespaces".to_owned());
    }
    if Command::new("ip").arg("-V").output().is_err() {
        return Some("`ip` is not installed (package iproute2)".to_owned());
    }
    let probe = format!("{}-probe", new_prefix());
    let made = ip(&["netns", "add", &probe])
        .and_then(|_| ip(&["-n", &probe, "link", "add", "one", "type", "veth", "peer", "name", "other"]))
        .and_then(|_| ip(&["-n", &probe, "link", "add", "bridge", "type", "bridge"]));
    let _never_made = ip(&["netns", "delete", &probe]);
    made.err().map(|words| format!("this system makes no network namespaces, veth pairs or bridges ({words})"))
}

/// Removes the namespaces of test processes that have ended, as those do that are killed, without doing so themselves.
fn remove_what_killed_tests_left() {
    for namespace in namespaces(PREFIX) {
        let process = namespace[PREFIX.len() + 1..].split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            // Another test may be at it as well.
            let _removed = remove(&namespace);
        }
    }
}

/// The namespaces of this system whose names begin so.
fn namespaces(prefix: &str) -> Vec<String> {
    // `ip netns list` stumbles over those that are being made; and before the first one there is no directory.
    let entries = fs::read_dir(NAMESPACES).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.starts_with(&format!("{prefix}-"))).collect()
}

/// Ends every process in a namespace, and deletes it.
fn remove(namespace: &str) -> Result<(), String> {
    // One whose making was interrupted has no processes that could be asked for.
    let processes = ip(&["netns", "pids", namespace]).unwrap_or_default();
    for process in processes.lines().filter_map(|line| Pid::from_raw(line.trim().parse().ok()?)) {
        // It may have ended since.
        let _ended = kill_process(process, Signal::KILL);
        wait_for_end(process);
    }
    ip(&["netns", "delete", namespace]).map(|_| ())
}

#[track_caller]
fn must(arguments: &[&str]) {
    ip(arguments).unwrap_or_else(|words| panic!("ip {}: {words}", arguments.join(" ")));
}

fn ip(arguments: &[&str]) -> Result<String, String> {
    said_by(Command::new("ip").args(arguments))
}

/// What a command prints, or what it says when it fails.
fn said_by(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(words(&output.stdout)) } else { Err(words(&output.stderr)) }
}

#[test]
fn nothing_is_left_of_a_test_that_fails() {
    let Some(lab) = Lab::build(&["machine"]) else { return };
    let prefix = lab.prefix.clone();
    let mut forever = Command::new("tail");
    forever.args(["-f", "/dev/null"]);
    let mut process = lab.on("machine", &forever).spawn().unwrap();
    assert_eq!(namespaces(&prefix).len(), 2);
    let failed = std::panic::catch_unwind(move || {
        let _dropped = lab;
        panic!("this test fails on purpose");
    });
    assert!(failed.is_err());
    assert_eq!(namespaces(&prefix), [""; 0]);
    assert!(!process.wait().unwrap().success(), "it was killed");
}
