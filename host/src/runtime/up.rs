//! A whole cluster on this machine: one process a role, one merged log, one life.
//!
//! Every node is started as anybody would start it, `dsms node NAME --config .dsms/cluster.toml`, with the one addition that its
//! standard input is a pipe whose other end this process holds: a node ends when that end closes, so no node outlives this
//! process, whatever becomes of it.

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

use crate::config::{ClusterConfig, FrontEndConfig, Keys};
use crate::protocol::id::NodeId;
use crate::protocol::time::Instant;
use crate::storage::files::{OpenError, hold};

use super::clock::Clock;
use super::data;
use super::directory::{ClusterDirectory, ClusterLock, DirectoryError, read_or_draw_key};
use super::injection::PAUSE_LINE;
use super::node::{ADDRESS_IN_USE_EXIT, CRASHED_LINE, READY_LINE};
use super::restarts::Restarts;
use super::stop::Stop;

/// How long a node may take to end by itself before it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a cluster may take until every node has been heard of.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// How often ports are drawn anew after somebody else took one between the drawing and the binding.
const DRAWS_MAX: usize = 5;

/// Why a cluster could not start.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The cluster's directory cannot be used, or is used already.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The data cannot be this cluster's.
    #[error(transparent)]
    Data(#[from] OpenError),
    /// A node ended before the cluster was ready. What it said is in the log above.
    #[error("{node} ended ({status}) before the cluster was ready; its last words are in the log above")]
    NodeEnded {
        /// Which node.
        node: NodeId,
        /// How.
        status: ExitStatus,
    },
    /// Some node was not heard of in time.
    #[error("the cluster was not ready within {} s; the log above says which nodes are up", READY_TIMEOUT.as_secs())]
    NotReady,
    /// The system refused something.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What it said.
        error: std::io::Error,
    },
}

/// A cluster that is starting or running. Dropping it ends its nodes.
#[derive(Debug)]
pub struct Cluster {
    /// This program, which every node runs as well; found once, since its file may be replaced meanwhile.
    program: PathBuf,
    config: ClusterConfig,
    directory: ClusterDirectory,
    lock: ClusterLock,
    clock: Clock,
    log: LogTo,
    nodes: Vec<Node>,
    happened: mpsc::UnboundedSender<Happening>,
    happenings: mpsc::UnboundedReceiver<Happening>,
}

/// Where the merged log goes.
#[derive(Clone, Debug)]
pub enum LogTo {
    /// To standard error.
    StandardError,
    /// To a file.
    File(Arc<File>),
}

impl LogTo {
    fn line(&self, line: &str) {
        // Nobody may be reading any more, or the disk is full; the cluster does not end for that.
        let _nobody_reads = match self {
            LogTo::StandardError => writeln!(std::io::stderr().lock(), "{line}"),
            LogTo::File(file) => writeln!(&**file, "{line}"),
        };
    }
}

#[derive(Debug)]
struct Node {
    id: NodeId,
    child: Child,
    /// Closing it tells the node to end.
    lifeline: Option<ChildStdin>,
    /// When the process has ended, for good or until it is started again.
    ended: bool,
    restarts: Restarts,
    /// When the process is to go on, if it is stopped.
    resume_at: Option<Instant>,
}

/// What nodes do that the cluster has to know of.
#[derive(Debug)]
enum Happening {
    /// The front end has heard of every node.
    Ready,
    /// The managers agree that the replica hosted by this process has crashed.
    CrashAgreed { node: NodeId, process: u32 },
    /// This process is to be stopped for a while, which somebody has asked for.
    Paused { node: NodeId, process: u32, lasts: Duration },
    /// The output of a process ended; most likely so has the process.
    OutputEnded { node: NodeId, process: u32 },
}

impl Cluster {
    /// Starts every node and waits until all of them have been heard of, or `stop` is requested (then `None`).
    ///
    /// `directory` is where `.dsms/` is. Addresses of the configuration with port 0 get free ports.
    pub async fn start(
        directory: &Path,
        config: ClusterConfig,
        log: LogTo,
        stop: &mut Stop,
    ) -> Result<Option<Cluster>, UpError> {
        let directory = ClusterDirectory::within(directory);
        let mut lock = directory.lock()?;
        if let Keys::Shared(path) = &config.keys {
            read_or_draw_key(path)?;
        }
        if let Some(data) = &config.data {
            lock = lock.with_data(hold(&data.directory)?);
            data::claim(&config, &data.directory)?;
        }
        let drawn = config.nodes().iter().any(|node| config.address_of(*node).port() == 0)
            || config.front_ends.iter().any(|front_end| front_end.client_address.port() == 0);
        let mut lock = Some(lock);
        for draw in 1.. {
            let with_ports = draw_ports(config.clone())?;
            let held = lock.take().expect("a failed attempt gives the lock back");
            let mut cluster = Cluster::spawn(directory.clone(), held, with_ports, log.clone())?;
            let started = tokio::select! {
                started = tokio::time::timeout(READY_TIMEOUT, cluster.until_ready()) => started.unwrap_or(Err(UpError::NotReady)),
                () = stop.requested() => {
                    cluster.end().await;
                    return Ok(None);
                }
            };
            match started {
                Ok(()) => return Ok(Some(cluster)),
                Err(error) => {
                    let port_taken = matches!(&error, UpError::NodeEnded { status, .. }
                        if status.code() == Some(i32::from(ADDRESS_IN_USE_EXIT)));
                    let held = cluster.end().await;
                    if !(port_taken && drawn && draw < DRAWS_MAX) {
                        return Err(error);
                    }
                    lock = Some(held);
                }
            }
        }
        unreachable!("the last draw returns")
    }

    /// The configuration with every port filled in.
    pub fn config(&self) -> &ClusterConfig {
        &self.config
    }

    /// Starts processes again that end, and tells of every end, until `stop` is requested.
    pub async fn watch(&mut self, stop: &mut Stop) -> Result<(), UpError> {
        loop {
            let restart_at = self.nodes.iter().filter_map(|node| node.restarts.due_at()).min();
            let resume_at = self.nodes.iter().filter_map(|node| node.resume_at).min();
            let (restart_due, resume_due) = (until(restart_at, self.clock), until(resume_at, self.clock));
            tokio::select! {
                happening = self.happenings.recv() => match happening.expect("this cluster keeps a sender") {
                    Happening::Ready => {}
                    Happening::CrashAgreed { node, process } => self.on_crash_agreed(node, process).await,
                    Happening::Paused { node, process, lasts } => self.on_paused(node, process, lasts),
                    Happening::OutputEnded { node, process } => self.on_ended(node, process).await,
                },
                () = restart_due => self.start_again(),
                () = resume_due => self.resume(),
                () = stop.requested() => return Ok(()),
            }
        }
    }

    /// The managers agree on a crash: a process that hangs is ended, and one that has ended is started again at once.
    async fn on_crash_agreed(&mut self, id: NodeId, process: u32) {
        let log = self.log.clone();
        let now = self.clock.now();
        let node = self.node(id);
        if node.ended {
            node.restarts.on_agreed(process, now);
        } else if node.child.id() == Some(process) {
            log.line(&format!("dsms: {id} does not answer, and the managers agree that it has crashed; it is killed"));
            // It may be stopped, so it is not asked.
            let _ended_meanwhile = node.child.kill().await;
            node.restarts.on_agreed(process, now);
        }
    }

    /// A fault stops a process; it is resumed when its time is over, unless it has been killed by then.
    fn on_paused(&mut self, id: NodeId, process: u32, lasts: Duration) {
        let log = self.log.clone();
        let resume_at = self.clock.now() + lasts;
        let node = self.node(id);
        if node.child.id() == Some(process) && node.signal(Signal::STOP) {
            node.resume_at = Some(resume_at);
            log.line(&format!("dsms: {id} is stopped for {lasts:?}"));
        }
    }

    fn resume(&mut self) {
        let log = self.log.clone();
        let now = self.clock.now();
        for node in self.nodes.iter_mut().filter(|node| node.resume_at.is_some_and(|at| at <= now)) {
            node.resume_at = None;
            if node.signal(Signal::CONT) {
                log.line(&format!("dsms: {} goes on", node.id));
            }
        }
    }

    async fn on_ended(&mut self, id: NodeId, process: u32) {
        let (log, front_ends_len) = (self.log.clone(), self.config.front_ends.len());
        let now = self.clock.now();
        let node = self.node(id);
        if node.ended || node.restarts.process() != process {
            return;
        }
        let ended = format!("{id} ended (process {process}, {})", node.wait().await);
        match id {
            NodeId::FrontEnd(_) | NodeId::Sequencer => {
                let meanwhile = match id.is_front_end() && front_ends_len > 1 {
                    true => "its clients go to another front end",
                    false => "nothing is answered until it is started again",
                };
                log.line(&format!("dsms: {ended}: {meanwhile}"));
                node.restarts.on_ended_alone(now);
            }
            NodeId::ReplicaManager(_) => {
                log.line(&format!("dsms: {ended}: the others go on, and it is started again"));
                node.restarts.on_ended(now);
            }
        }
    }

    /// Starts the processes again whose time has come.
    fn start_again(&mut self) {
        let now = self.clock.now();
        let width = self.name_width();
        let Cluster { program, nodes, directory, log, happened, .. } = self;
        for node in nodes.iter_mut().filter(|node| node.restarts.due_at().is_some_and(|at| at <= now)) {
            let why = if node.restarts.is_agreed() { "the managers agree that it has crashed" } else { "it has ended" };
            let mut started = match spawn_node(program, node.id, directory, width, log, happened) {
                Ok(started) => started,
                Err(error) => {
                    log.line(&format!("dsms: {error}; it is tried again"));
                    node.restarts.on_not_started(now);
                    continue;
                }
            };
            started.restarts = std::mem::take(&mut node.restarts).restarted(started.restarts.process(), now);
            *node = started;
            log.line(&format!("dsms: {} is started again (process {}): {why}", node.id, node.restarts.process()));
        }
    }

    /// Ends every node and waits for it, the front ends first, which answer what they have taken in; kills those that do not end by themselves.
    pub async fn end(mut self) -> ClusterLock {
        let log = self.log.clone();
        for node in &self.nodes {
            // A process that somebody has stopped does not see that it is to end, nor does it help others to.
            node.signal(Signal::CONT);
        }
        let (front_ends, others): (Vec<&mut Node>, Vec<&mut Node>) =
            self.nodes.iter_mut().partition(|node| node.id.is_front_end());
        for mut nodes in [front_ends, others] {
            nodes.iter_mut().for_each(|node| node.lifeline = None);
            for node in nodes {
                if tokio::time::timeout(END_TIMEOUT, node.child.wait()).await.is_err() {
                    log.line(&format!("{} does not end by itself and is killed", node.id));
                    let _ended_meanwhile = node.child.kill().await;
                }
            }
        }
        self.directory.withdraw();
        self.lock
    }

    fn spawn(
        directory: ClusterDirectory,
        lock: ClusterLock,
        config: ClusterConfig,
        log: LogTo,
    ) -> Result<Cluster, UpError> {
        directory.publish(&config)?;
        let (happened, happenings) = mpsc::unbounded_channel();
        let clock = Clock::start();
        let program = std::env::current_exe().map_err(io_error("cannot find the running program"))?;
        let mut cluster =
            Cluster { program, config, directory, lock, clock, log, nodes: Vec::new(), happened, happenings };
        let width = cluster.name_width();
        for id in cluster.config.nodes() {
            cluster.nodes.push(spawn_node(
                &cluster.program,
                id,
                &cluster.directory,
                width,
                &cluster.log,
                &cluster.happened,
            )?);
        }
        Ok(cluster)
    }

    /// How wide a node's name is in the log.
    fn name_width(&self) -> usize {
        self.config.nodes().iter().map(|node| node.to_string().len()).max().unwrap_or(0)
    }

    async fn until_ready(&mut self) -> Result<(), UpError> {
        let mut front_ends_len = self.config.front_ends.len();
        while front_ends_len > 0 {
            match self.happenings.recv().await.expect("this cluster keeps a sender") {
                Happening::Ready => front_ends_len -= 1,
                Happening::CrashAgreed { .. } | Happening::Paused { .. } => {}
                Happening::OutputEnded { node, .. } => {
                    let status = self.node(node).wait().await;
                    return Err(UpError::NodeEnded { node, status });
                }
            }
        }
        Ok(())
    }

    fn node(&mut self, id: NodeId) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.id == id).expect("only nodes of this cluster report")
    }
}

impl Node {
    /// Sends a signal to the process; false if it has ended.
    fn signal(&self, signal: Signal) -> bool {
        let process = self.child.id().and_then(|process| Pid::from_raw(process.cast_signed()));
        process.is_some_and(|process| kill_process(process, signal).is_ok())
    }

    async fn wait(&mut self) -> ExitStatus {
        self.ended = true;
        self.child.wait().await.expect("a child can be waited for")
    }
}

/// Starts a node as anybody would, on a lifeline.
fn spawn_node(
    program: &Path,
    id: NodeId,
    directory: &ClusterDirectory,
    name_width: usize,
    log: &LogTo,
    happened: &mpsc::UnboundedSender<Happening>,
) -> Result<Node, UpError> {
    let mut command = Command::new(program);
    command.arg("node").arg(id.to_string()).arg("--config").arg(directory.config_file()).arg("--supervised");
    // A group of its own, so that Ctrl-C reaches this process alone, which then ends the nodes in order.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(io_error(&format!("cannot start {id}")))?;
    let process = child.id().expect("a child that nobody has waited for has a number");
    let lifeline = child.stdin.take();
    if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) {
        tokio::spawn(merge(stderr, format!("{id:name_width$} | "), log.clone()));
        tokio::spawn(listen(stdout, id, process, happened.clone()));
    }
    Ok(Node { id, child, lifeline, ended: false, restarts: Restarts::of(process), resume_at: None })
}

/// Waits until this time; for ever if there is none.
async fn until(at: Option<Instant>, clock: Clock) {
    match at {
        Some(at) => drop(tokio::time::timeout(at.since(clock.now()), std::future::pending::<()>()).await),
        None => std::future::pending().await,
    }
}

/// Gives every address without a port a free one of this machine. The sockets are held until all are drawn, so no two are equal.
fn draw_ports(mut config: ClusterConfig) -> Result<ClusterConfig, UpError> {
    let mut held_udp = Vec::new();
    let mut draw_udp = |address: &mut SocketAddr| -> Result<(), UpError> {
        if address.port() == 0 {
            let socket = UdpSocket::bind(*address).map_err(io_error(&format!("cannot listen on udp {address}")))?;
            *address = socket.local_addr().map_err(io_error("cannot read a socket's address"))?;
            held_udp.push(socket);
        }
        Ok(())
    };
    for front_end in &mut config.front_ends {
        draw_udp(&mut front_end.address)?;
    }
    draw_udp(&mut config.sequencer.address)?;
    for replica in &mut config.replicas {
        draw_udp(&mut replica.address)?;
    }
    let mut held_tcp = Vec::new();
    for FrontEndConfig { client_address, .. } in &mut config.front_ends {
        if client_address.port() == 0 {
            let listener = TcpListener::bind(*client_address)
                .map_err(io_error(&format!("cannot listen on tcp {client_address}")))?;
            *client_address = listener.local_addr().map_err(io_error("cannot read a socket's address"))?;
            held_tcp.push(listener);
        }
    }
    Ok(config)
}

/// Copies a node's log to ours, line by line, each with the node's name in front.
async fn merge(stderr: impl AsyncRead + Unpin, prefix: String, log: LogTo) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        log.line(&format!("{prefix}{line}"));
    }
}

async fn listen(
    stdout: impl AsyncRead + Unpin,
    node: NodeId,
    process: u32,
    happened: mpsc::UnboundedSender<Happening>,
) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let happening = match line.split(' ').collect::<Vec<_>>()[..] {
            [READY_LINE, _] => Some(Happening::Ready),
            [CRASHED_LINE, node, "process", process] => crash_agreed(node, process),
            [PAUSE_LINE, millis] => {
                let lasts = millis.parse().map(Duration::from_millis);
                lasts.ok().map(|lasts| Happening::Paused { node, process, lasts })
            }
            _ => None,
        };
        if let Some(happening) = happening {
            let _nobody_waits = happened.send(happening);
        }
    }
    let _nobody_waits = happened.send(Happening::OutputEnded { node, process });
}

fn crash_agreed(node: &str, process: &str) -> Option<Happening> {
    Some(Happening::CrashAgreed { node: node.parse().ok()?, process: process.parse().ok()? })
}

fn io_error(what: &str) -> impl Fn(std::io::Error) -> UpError {
    let what = what.to_owned();
    move |error| UpError::Io { what: what.clone(), error }
}

/// The command line by which a person reaches this very program: its name if that is enough, else its path.
pub fn program_name() -> String {
    let path = std::env::args_os().next().map(PathBuf::from).unwrap_or_else(|| PathBuf::from("dsms"));
    path.display().to_string()
}
