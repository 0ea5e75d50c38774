//! Starts clusters and commands of the built binary, and waits for what they do.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use dsms::config::ClusterConfig;
use dsms::protocol::client_message::{ClientMessage, ServerBody};
use dsms::protocol::id::{ClientId, NodeId, RequestNumber};
use dsms::protocol::time::Instant;
use dsms::runtime::client::Client;
use dsms::runtime::clock::Clock;
use dsms::runtime::directory::ClusterDirectory;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for anything. It is long because the machine may be busy; nothing waits this long when all is well.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How long something takes, to give up on it.
pub struct Stopwatch {
    clock: Clock,
    started_at: Instant,
}

impl Stopwatch {
    pub fn start() -> Stopwatch {
        let clock = Clock::start();
        Stopwatch { clock, started_at: clock.now() }
    }

    pub fn elapsed(&self) -> Duration {
        self.clock.now().since(self.started_at)
    }
}

/// A command of the built binary. Compiled modules are shared between tests, and apart from the user's own.
pub fn dsms(directory: &Path) -> Command {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("module-cache");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&cache).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dsms"));
    command.current_dir(directory).env("DSMS_CACHE_DIR", cache).stdin(Stdio::null());
    command
}

/// A running cluster in a directory of its own, which keeps nothing unless that is asked for. Dropping it stops it, and fails the test if
/// it does not stop cleanly.
pub struct Cluster {
    up: Child,
    directory: TempDir,
    log: Receiver<String>,
    stopped: bool,
}

impl Cluster {
    /// Starts `dsms up` with these arguments and waits until it says that it is ready.
    pub fn start(arguments: &[&str]) -> Cluster {
        Cluster::start_in(tempfile::tempdir().unwrap(), arguments)
    }

    pub fn start_in(directory: TempDir, arguments: &[&str]) -> Cluster {
        Cluster::start_durable(directory, &[&["--ephemeral"], arguments].concat())
    }

    /// Starts `dsms up` in a directory in which it keeps what was ordered.
    pub fn start_durable(directory: TempDir, arguments: &[&str]) -> Cluster {
        let (up, log) = Cluster::spawn(directory.path(), arguments);
        Cluster { up, directory, log, stopped: false }
    }

    /// Kills `dsms up` and all of its nodes, each with SIGKILL, and starts it again in the same directory.
    pub fn kill_all_and_start_again(&mut self, arguments: &[&str]) {
        let nodes = self.node_pids();
        for pid in std::iter::once(self.up_pid()).chain(nodes.iter().copied()) {
            // It may be ending already, since the process that started it is gone.
            let _ended = kill_process(pid, Signal::KILL);
        }
        self.up.wait().unwrap();
        nodes.into_iter().for_each(wait_for_end);
        (self.up, self.log) = Cluster::spawn(self.directory.path(), arguments);
    }

    fn spawn(directory: &Path, arguments: &[&str]) -> (Child, Receiver<String>) {
        let mut command = dsms(directory);
        command.arg("up").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut up = command.spawn().unwrap();
        let out = lines(up.stdout.take().unwrap());
        let log = lines(up.stderr.take().unwrap());
        match out.recv_timeout(DEADLINE) {
            Ok(line) => assert!(line.starts_with("dsms: ready"), "{line}"),
            Err(_) => panic!("the cluster is not ready; its log:\n{}", log.try_iter().collect::<Vec<_>>().join("\n")),
        }
        (up, log)
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn config(&self) -> ClusterConfig {
        ClusterDirectory::within(self.directory()).running().unwrap()
    }

    pub fn client_address(&self) -> SocketAddr {
        self.config().front_ends[0].client_address
    }

    /// Runs a command of the binary in the cluster's directory, to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        dsms(self.directory()).args(arguments).output().unwrap()
    }

    /// Sends one request; its JSON answer and exit code.
    pub fn request(&self, caller: &str, words: &str) -> (Value, i32) {
        let mut arguments = vec!["client", "--json", "--as", caller];
        arguments.extend(words.split_whitespace());
        let output = self.run(&arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        let json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text:?}, {:?}", output.stderr));
        (json, output.status.code().unwrap())
    }

    /// Sends a script; its JSON answers in order.
    pub fn script(&self, script: &str) -> Vec<Value> {
        let mut command = dsms(self.directory());
        command.args(["client", "--json", "--script", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Every replica's state digest at one place of the order; asserts that all are equal. The front end does not wait for a replica that
    /// it suspects, so one that is slow has to come up first.
    pub fn equal_digest(&self) -> String {
        let watch = Stopwatch::start();
        loop {
            let output = self.run(&["digest", "--json"]);
            let json: Value = serde_json::from_slice(&output.stdout).unwrap();
            let is_late = |replica: &Value| replica["error"] == "no reply in time";
            if json["replicas"].as_array().unwrap().iter().any(is_late) && watch.elapsed() < DEADLINE {
                continue;
            }
            assert_eq!((json["equal"].as_bool(), output.status.code()), (Some(true), Some(0)), "{json}");
            return json["replicas"][0]["digest"].as_str().unwrap().to_owned();
        }
    }

    /// The process of a node, found by its command line.
    pub fn node_pid(&self, node: NodeId) -> Pid {
        self.find_node_pid(node).unwrap_or_else(|| panic!("{node} does not run"))
    }

    /// The same, if there is one at this moment.
    pub fn find_node_pid(&self, node: NodeId) -> Option<Pid> {
        let config = ClusterDirectory::within(self.directory()).config_file();
        let config = fs::canonicalize(config).unwrap();
        let wanted = format!("\0node\0{node}\0--config\0{}\0", config.display());
        let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        let has = |pid: &i32| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(&wanted))
        };
        pids.into_iter().find(has).and_then(Pid::from_raw)
    }

    pub fn node_pids(&self) -> Vec<Pid> {
        self.config().nodes().into_iter().filter_map(|node| self.find_node_pid(node)).collect()
    }

    pub fn up_pid(&self) -> Pid {
        Pid::from_child(&self.up)
    }

    /// Waits for a log line that contains all of these words, after the last one that was waited for. Lines of two processes that are
    /// close to each other may come in either order.
    pub fn wait_for_log(&self, words: &[&str]) -> String {
        let patience = Stopwatch::start();
        loop {
            let left = DEADLINE.saturating_sub(patience.elapsed());
            let line = self.log.recv_timeout(left).unwrap_or_else(|_| panic!("no log line says {words:?}"));
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
    }

    pub fn log_so_far(&self) -> Vec<String> {
        self.log.try_iter().collect()
    }

    /// Sends a signal to `dsms up` and waits for its end.
    pub fn end_by(&mut self, signal: Signal) -> ExitStatus {
        kill_process(self.up_pid(), signal).unwrap();
        self.stopped = true;
        self.up.wait().unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !self.stopped {
            let status = self.end_by(Signal::TERM);
            assert!(status.success() || std::thread::panicking(), "dsms up ended with {status}");
        }
    }
}

/// Waits until a process that need not be our child is gone.
pub fn wait_for_end(pid: Pid) {
    // A process that cannot be opened is gone already.
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    let timeout = Timespec { tv_sec: i64::try_from(DEADLINE.as_secs()).unwrap(), tv_nsec: 0 };
    let ended = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&timeout)).unwrap();
    assert_eq!(ended, 1, "process {pid:?} does not end");
}

/// Runs asynchronous client code to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Sends requests as one client of a fixed identity, and gives the answers in order as JSON.
pub fn requests_as(address: SocketAddr, client: u64, lines: &[&str]) -> Vec<Value> {
    block_on(async {
        let mut client = Client::connect(address, ClientId(client), DEADLINE).await.unwrap();
        let mut answers = Vec::new();
        for line in lines {
            let words = line.split_whitespace().map(str::to_owned).collect();
            let body = client.call(|number: RequestNumber| ClientMessage::Request { number, words }).await.unwrap();
            let ServerBody::Answer(answer) = body else { panic!("{body:?}") };
            answers.push(answer.to_json());
        }
        answers
    })
}

/// The embedded reference module as a file.
pub fn reference_wasm(directory: &Path) -> PathBuf {
    let path = directory.join("reference.wasm");
    fs::write(&path, dsms::sandbox::reference_module()).unwrap();
    path
}

/// The lines of a stream as they come, read by a thread of its own so that the writer never waits.
pub fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
