//! The whole cluster in one thread, under virtual time.
//!
//! The cores, the channels and the encoding are those of a real cluster. What is outside of them is small here: time is a number
//! that jumps to the next thing that happens, the network is `network.rs`, a module's thread is `replica.rs`, people are
//! `client.rs`. Everything that happens follows from the plan, so the same plan gives the same run, on any machine.
//!
//! | File | Its part |
//! |---|---|
//! | `turn.rs` | what a driver does each time it wakes up, and what cores ask for |
//! | `executors.rs` | what managers ask of their executors |
//! | `people.rs` | clients and their connections |
//! | `faults.rs` | faults that begin, strike and end, and whether the mode bears one more |
//! | `operator.rs` | whoever has modules replaced |
//! | `ending.rs` | how a run ends |
//! | `script.rs` | what somebody who scripts a run may do to it |

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::client::Client;
use super::coverage::{Observed, Phase};
use super::disk::Disk;
use super::fault::{PlannedFault, Realm};
use super::laws::{Broken, Held, Laws};
use super::narrator::Narrator;
use super::network::Network;
use super::node::{Node, Process};
use super::panics;
use super::random::Random;
use super::replica::{MakeModule, Replica};
use super::scenario::Scenario;
use crate::protocol::front_end::ConnectionId;
use crate::protocol::id::{NodeId, ReplicaId, SequenceNumber};
use crate::protocol::record::Recovered;
use crate::protocol::replica_manager::ReplicaManager;
use crate::protocol::time::Instant;
use crate::storage::Opened;

mod ending;
mod executors;
mod faults;
mod operator;
mod people;
mod script;
mod turn;

/// When every run begins, by its own clock: 10 September 2025.
const STARTED: Instant = Instant(1_757_500_000_000_000);

/// The law that a run breaks when a part of it panics: an assertion of ours is wrong about our own state.
pub const NOTHING_PANICS: &str = "no_assertion_of_ours_fails";

/// Steps of one run that nothing legitimate needs; more is a loop that waits for nothing.
const STEPS_LEN_MAX: u64 = 20_000_000;

/// How long a message between a client and the front end is on its way.
const CLIENT_LATENCY: Duration = Duration::from_micros(150);

/// Something that happens at a certain time, whatever the nodes do.
enum Happening {
    /// A datagram arrives.
    Arrival { from: NodeId, to: NodeId, bytes: Vec<u8> },
    /// The time of a replica's job is over.
    Job { replica: ReplicaId, number: u64 },
    /// A client's bytes arrive at its front end.
    FromClient { to: NodeId, connection: ConnectionId, bytes: Vec<u8> },
    /// A client's connection has ended, and its front end learns of it.
    Disconnected { from: NodeId, connection: ConnectionId },
    /// A front end's bytes arrive at a client.
    ToClient { connection: ConnectionId, bytes: Vec<u8> },
    /// A planned fault can strike, if the mode bears it now.
    FaultDue { index: usize },
    /// It is over.
    FaultOver { index: usize },
    /// The channels have had time to show it.
    FaultReviewed { index: usize },
    /// A new process of a node begins, if there is none.
    ProcessDue { node: NodeId },
}

/// A run under way.
pub struct World {
    scenario: Scenario,
    now: Instant,
    nodes: BTreeMap<NodeId, Node>,
    replicas: BTreeMap<ReplicaId, Replica>,
    disks: BTreeMap<ReplicaId, Disk>,
    /// Up to where each manager's log is certainly on its disk.
    committed: BTreeMap<ReplicaId, SequenceNumber>,
    network: Network,
    /// The clients of the plan, and after them the operator's, who also watches the end.
    clients: Vec<Client>,
    connections: BTreeMap<ConnectionId, people::Connection>,
    /// What happens, by when, and in the order in which it was arranged.
    happenings: BTreeMap<(Instant, u64), Happening>,
    /// What has happened to nodes that stand still, to be taken up when they go on.
    postponed: BTreeMap<NodeId, Vec<Happening>>,
    /// Draws when processes begin anew.
    random: Random,
    arranged_len: u64,
    sessions_len: u64,
    connections_len: u64,
    /// Connections up to this one ended with the last process of this front end.
    connections_ended: BTreeMap<NodeId, ConnectionId>,
    /// Faults of the plan that are not over.
    faults_left: usize,
    /// The faults that have begun and are not over, by their place in the plan.
    active: BTreeSet<usize>,
    /// When the last fault was over.
    quiet_since: Instant,
    /// Channel counters of each link when a fault of it began.
    counted: BTreeMap<usize, faults::LinkCounts>,
    observed: Observed,
    laws: Laws,
    narrator: Narrator,
    /// How many packets of each link had gone again when that was last told.
    retransmitted: BTreeMap<(NodeId, NodeId), u64>,
    /// The digest of everything that was sent and told so far.
    trace: blake3::Hasher,
    datagrams_len: u64,
    operator: operator::Operator,
    /// What the last barrier at the end of the run said.
    ending: ending::Barrier,
    /// Kept for its capacity.
    datagram: Vec<u8>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The first law that was broken; `None` if all were held.
    pub broken: Option<Broken>,
    /// Requests that were answered with an outcome.
    pub answered_len: usize,
    /// Virtual time from the beginning to the end.
    pub took: Duration,
    /// What became of the faults.
    pub observed: Observed,
    /// How often a law was looked at.
    pub checked: u64,
    /// Datagrams that were sent.
    pub datagrams_len: u64,
    /// The digest of the whole trace, in hexadecimal digits: equal for equal plans, on any machine.
    pub trace: String,
    /// What happened, line by line, if that was wanted.
    pub lines: Vec<String>,
}

impl World {
    /// The world of a plan, before anything has happened. `is_told` says whether lines are wanted.
    pub fn new(scenario: Scenario, make: &MakeModule, is_told: bool) -> World {
        let now = STARTED;
        let Scenario { seed, replicas, spares, latency_us, jitter_us, call_us, checkpoint_every, .. } = scenario;
        let mut world = World {
            now,
            nodes: BTreeMap::new(),
            replicas: ReplicaId::first(replicas)
                .map(|id| (id, Replica::new(id, make.clone(), spares, call_us, seed)))
                .collect(),
            disks: ReplicaId::first(replicas).map(|id| (id, Disk::new(seed, &format!("disk of {id}")))).collect(),
            committed: ReplicaId::first(replicas).map(|id| (id, SequenceNumber(0))).collect(),
            network: Network::new(seed, latency_us, jitter_us),
            clients: people::clients(&scenario, now),
            connections: BTreeMap::new(),
            happenings: BTreeMap::new(),
            postponed: BTreeMap::new(),
            random: Random::of(seed, "processes"),
            arranged_len: 0,
            sessions_len: 0,
            connections_len: 0,
            connections_ended: BTreeMap::new(),
            faults_left: scenario.faults.len(),
            active: BTreeSet::new(),
            quiet_since: now,
            counted: BTreeMap::new(),
            observed: Observed::new(scenario.faults.len()),
            laws: Laws::new(scenario.tolerance(), replicas, checkpoint_every),
            narrator: Narrator::new(now, is_told),
            retransmitted: BTreeMap::new(),
            trace: blake3::Hasher::new(),
            datagrams_len: 0,
            operator: operator::Operator::default(),
            ending: ending::Barrier::default(),
            datagram: Vec::new(),
            scenario,
        };
        for id in world.scenario.membership().nodes() {
            world.start_process(id);
        }
        for index in 0..world.scenario.faults.len() {
            let at = now + Duration::from_millis(world.scenario.faults[index].at_ms);
            world.arrange(at, Happening::FaultDue { index });
        }
        world
    }

    /// Lets the whole plan happen, and all that comes of it. A panic of a core, or of the world itself, is a broken law; its words are known
    /// where panics are kept, see [`panics::quietly`].
    pub fn run(mut self) -> Report {
        let ended = catch_unwind(AssertUnwindSafe(|| self.run_to_its_end()));
        let panicked = |_| Err(Broken { law: NOTHING_PANICS.to_owned(), words: panics::last_words() });
        let broken = ended.unwrap_or_else(panicked).err();
        if let Some(broken) = &broken {
            self.narrator.say(self.now, "LAW BROKEN", || broken.to_string());
        }
        let of_plan = &self.clients[..self.clients.len() - 1];
        Report {
            answered_len: of_plan.iter().map(Client::answered_len).sum(),
            took: self.now.since(STARTED),
            checked: self.laws.checked(),
            datagrams_len: self.datagrams_len,
            trace: self.trace.finalize().to_hex().to_string(),
            lines: self.narrator.take(),
            observed: self.observed,
            broken,
        }
    }

    /// Lets things happen until the run is over, or breaks a law.
    fn run_to_its_end(&mut self) -> Held {
        for _ in 0..STEPS_LEN_MAX {
            if self.is_over()? {
                return Ok(());
            }
            self.step()?;
        }
        Err(Broken {
            law: "every_run_comes_to_an_end".to_owned(),
            words: format!("still busy after {STEPS_LEN_MAX} steps"),
        })
    }

    /// The next thing happens.
    fn step(&mut self) -> Held {
        let next = self.next_instant().expect("heartbeats never end");
        self.now = self.now.max(next);
        let is_due = |at: &Instant| *at <= next;
        if let Some(entry) = self.happenings.first_entry().filter(|entry| is_due(&entry.key().0)) {
            let happening = entry.remove();
            return self.happen(happening);
        }
        if let Some(id) = self.nodes.values().find(|node| node.wake.as_ref().is_some_and(is_due)).map(|node| node.id) {
            return self.turn(id);
        }
        if let Some(index) = self.clients.iter().position(|client| client.wake().as_ref().is_some_and(is_due)) {
            self.client_turn(index);
        }
        Ok(())
    }

    /// When the next thing happens.
    fn next_instant(&self) -> Option<Instant> {
        let happening = self.happenings.first_key_value().map(|((at, _), _)| *at);
        let nodes = self.nodes.values().filter_map(|node| node.wake);
        let clients = self.clients.iter().filter_map(Client::wake);
        happening.into_iter().chain(nodes).chain(clients).min()
    }

    fn arrange(&mut self, at: Instant, happening: Happening) {
        self.arranged_len += 1;
        self.happenings.insert((at, self.arranged_len), happening);
    }

    fn happen(&mut self, happening: Happening) -> Held {
        let concerned = match &happening {
            Happening::Arrival { to, .. } => Some(*to),
            Happening::Job { replica, .. } => Some(NodeId::ReplicaManager(*replica)),
            Happening::FromClient { to, .. } => Some(*to),
            Happening::Disconnected { from, .. } => Some(*from),
            _ => None,
        };
        if let Some(id) = concerned {
            match self.nodes[&id].process {
                Process::Up => {}
                Process::Paused => {
                    self.postpone(id, happening);
                    return Ok(());
                }
                Process::Down => return Ok(()),
            }
        }
        match happening {
            Happening::Arrival { from, to, bytes } => self.on_arrival(from, to, &bytes),
            Happening::Job { replica, number } => self.on_job(replica, number),
            Happening::FromClient { to, connection, bytes } => self.on_client_bytes(to, connection, &bytes),
            Happening::Disconnected { from, connection } => self.on_client_gone(from, connection),
            Happening::ToClient { connection, bytes } => self.on_answer_bytes(connection, &bytes),
            Happening::FaultDue { index } => self.on_fault_due(index),
            Happening::FaultOver { index } => self.on_fault_over(index),
            Happening::FaultReviewed { index } => {
                self.review_fault(index);
                Ok(())
            }
            Happening::ProcessDue { node } => {
                self.start_process_if_down(node);
                Ok(())
            }
        }
    }

    /// A node begins a new process, which remembers nothing but what is on its disk.
    fn start_process(&mut self, id: NodeId) {
        self.sessions_len += 1;
        let recovered = id.replica().map_or_else(Recovered::default, |replica| self.open_disk(replica));
        let earlier = self.nodes.get(&id);
        let (is_first, has_lost_disk) = (earlier.is_none(), earlier.is_some_and(|earlier| earlier.has_lost_disk));
        let tentative = recovered.tentative.clone();
        let node = Node::new(id, &self.scenario, self.sessions_len, recovered, self.now);
        self.nodes.insert(id, Node { is_rejoining: !is_first, has_lost_disk, ..node });
        self.postponed.remove(&id);
        if let NodeId::ReplicaManager(replica) = id {
            self.replica_mut(replica).forget();
            self.replica_mut(replica).note_found(tentative.as_ref());
            self.laws.on_manager_started(replica);
        }
    }

    fn start_process_if_down(&mut self, id: NodeId) {
        if self.nodes[&id].process == Process::Down {
            self.start_process(id);
        }
    }

    /// Reads what an earlier process of a manager has left.
    fn open_disk(&mut self, replica: ReplicaId) -> Recovered {
        let Opened { recovered, damage } = self.disk_mut(replica).open();
        let now = self.now;
        for words in &damage {
            self.narrator.say_of(now, NodeId::ReplicaManager(replica), || format!("disk: {words}"));
        }
        if !damage.is_empty() {
            self.note_damaged_disk(replica);
        }
        self.committed.insert(replica, recovered.log.end());
        recovered
    }

    /// What the cluster does just now.
    fn phase(&self) -> Phase {
        let managers = || self.nodes.values().filter(|node| node.manager().is_some());
        let is_down = self.nodes.values().any(|node| node.process != Process::Up);
        if is_down || managers().any(|node| !node.is_voting()) {
            return Phase::Recovery;
        }
        if managers().filter_map(Node::manager).any(ReplicaManager::is_swapping) {
            return Phase::Swap;
        }
        if managers().filter_map(Node::manager).any(ReplicaManager::is_checkpointing) {
            return Phase::Checkpoint;
        }
        if self.clients.iter().any(Client::is_waiting) { Phase::Load } else { Phase::Idle }
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(&id).expect("a node of this cluster")
    }

    fn disk_mut(&mut self, id: ReplicaId) -> &mut Disk {
        self.disks.get_mut(&id).expect("a replica of this cluster")
    }

    fn replica_mut(&mut self, id: ReplicaId) -> &mut Replica {
        self.replicas.get_mut(&id).expect("a replica of this cluster")
    }
}

/// Whether a fault is of a link.
fn is_of_link(fault: &PlannedFault) -> bool {
    fault.kind.realm() == Realm::Link
}
