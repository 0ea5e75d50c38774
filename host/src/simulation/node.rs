//! One node of a run: the core of its role, its channels, and its process.

use std::time::Duration;

use super::laws::Queue;
use super::scenario::Scenario;
use crate::market::Digest;
use crate::protocol::channel::limits::DATAGRAM_LEN_DEFAULT;
use crate::protocol::client_message::ServerMessage;
use crate::protocol::endpoint::Endpoint;
use crate::protocol::event::Event;
use crate::protocol::front_end::{self, ConnectionId, FrontEnd, FrontEndConfig};
use crate::protocol::id::{Incarnation, NodeId, SessionId};
use crate::protocol::keyring::Keyring;
use crate::protocol::limits::IN_FLIGHT_LEN_MAX;
use crate::protocol::message::{Message, Phase};
use crate::protocol::policy::{RecoveryPolicy, SuspicionPolicy};
use crate::protocol::recipients::Recipients;
use crate::protocol::record::{Record, Recovered};
use crate::protocol::replica_manager::{self, ReplicaManager, ReplicaManagerConfig, Task};
use crate::protocol::secret::{SECRET_LEN, Secret};
use crate::protocol::sequencer::{self, Sequencer};
use crate::protocol::swap::SwapId;
use crate::protocol::time::{Instant, earliest};

/// How long a front end of a run waits before it answers that nothing was agreed. Clients retry sooner.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);

/// The core of a role.
pub enum Core {
    /// The front end's.
    FrontEnd(Box<FrontEnd>),
    /// The sequencer's.
    Sequencer(Box<Sequencer>),
    /// A replica manager's.
    ReplicaManager(Box<ReplicaManager>),
}

/// How a node's process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It runs.
    Up,
    /// It stands still.
    Paused,
    /// There is none.
    Down,
}

/// One node.
pub struct Node {
    /// Which.
    pub id: NodeId,
    /// Its core.
    pub core: Core,
    /// Its channels.
    pub endpoint: Endpoint,
    /// Its process.
    pub process: Process,
    /// When it has something to do.
    pub wake: Option<Instant>,
    /// Its process is new, and does not yet do what its role is.
    pub is_rejoining: bool,
    /// What it had written is lost, and its replica has not voted since.
    pub has_lost_disk: bool,
}

/// What a core asks for, whatever its role.
pub enum Output {
    /// Write a record.
    Persist(Record),
    /// Send a message.
    Transmit(Recipients, Message),
    /// Send a message to a client.
    Answer(ConnectionId, ServerMessage),
    /// Start a module.
    Start(Incarnation, usize, Option<std::sync::Arc<crate::market::MarketState>>),
    /// Execute a run in the present life.
    Execute(Vec<Task>),
    /// Read the module at this path.
    Load(SwapId, String),
    /// Start a shadow.
    StartShadow(SwapId, usize, Option<std::sync::Arc<crate::market::MarketState>>),
    /// Have the shadow execute a run.
    ExecuteShadow(SwapId, Vec<Task>),
    /// Let the shadow take over.
    Promote(SwapId, Incarnation),
    /// Give the shadow up.
    StopShadow(SwapId),
    /// Log an event.
    Event(Event),
}

impl Node {
    /// A node whose process begins now, in this session, with what was recovered if it has a disk.
    pub fn new(id: NodeId, scenario: &Scenario, session: u64, recovered: Recovered, now: Instant) -> Node {
        let membership = scenario.membership();
        let Scenario { spares, checkpoint_every, reinstantiations_max, .. } = *scenario;
        let (tolerance, suspicion, process) = (scenario.tolerance(), SuspicionPolicy::default(), session as u32);
        let core = match id {
            NodeId::FrontEnd(_) => {
                let mut core = FrontEnd::new(FrontEndConfig {
                    me: id,
                    process,
                    membership,
                    tolerance,
                    request_timeout: REQUEST_TIMEOUT,
                    suspicion,
                    allow_faults: false,
                    in_flight_len_max: IN_FLIGHT_LEN_MAX,
                });
                core.keep_entries(0);
                Core::FrontEnd(Box::new(core))
            }
            NodeId::Sequencer => Core::Sequencer(Box::new(Sequencer::new(process, membership, now))),
            NodeId::ReplicaManager(replica) => {
                // Between any two places that are voted on, so that a new process often begins with a tentative one.
                let tentative_every = (checkpoint_every / 2).max(1);
                let recovery = RecoveryPolicy {
                    checkpoint_every,
                    tentative_every,
                    reinstantiations_max,
                    ..RecoveryPolicy::default()
                };
                let modules = (0..=spares).map(|module| Digest::of_bytes(&[module as u8])).collect();
                let config = ReplicaManagerConfig {
                    replica,
                    membership,
                    tolerance,
                    modules,
                    previous: None,
                    suspicion,
                    recovery,
                    process,
                };
                Core::ReplicaManager(Box::new(ReplicaManager::new(config, recovered, now)))
            }
        };
        let nodes = membership.nodes();
        let keyring = Keyring::of_cluster_key(&Secret::new([7; SECRET_LEN]), id, nodes.clone());
        let endpoint = Endpoint::new(&keyring, nodes, SessionId(session.into()), DATAGRAM_LEN_DEFAULT);
        Node { id, core, endpoint, process: Process::Up, wake: Some(now), is_rejoining: false, has_lost_disk: false }
    }

    /// Takes one message in.
    pub fn handle_message(&mut self, from: NodeId, message: Message, now: Instant) {
        match &mut self.core {
            Core::FrontEnd(core) => core.handle_message(from, message, now),
            Core::Sequencer(core) => core.handle_message(from, message, now),
            Core::ReplicaManager(core) => core.handle_message(from, message, now),
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.core {
            Core::FrontEnd(core) => core.handle_timeout(now),
            Core::Sequencer(core) => core.handle_timeout(now),
            Core::ReplicaManager(core) => core.handle_timeout(now),
        }
    }

    /// What the core asks for next.
    pub fn poll_output(&mut self) -> Option<Output> {
        Some(match &mut self.core {
            Core::FrontEnd(core) => match core.poll_output()? {
                front_end::Output::Transmit { to, message } => Output::Transmit(to, message),
                front_end::Output::Answer { connection, message } => Output::Answer(connection, message),
                front_end::Output::Event(event) => Output::Event(event),
                front_end::Output::Recollect { sequence, .. } => panic!("nobody asks here why #{sequence} is as it is"),
                front_end::Output::Inject(message) => panic!("{}: no faults are asked for here", message.name()),
            },
            Core::Sequencer(core) => match core.poll_output()? {
                sequencer::Output::Transmit { to, message } => Output::Transmit(to, message),
                sequencer::Output::Event(event) => Output::Event(event),
            },
            Core::ReplicaManager(core) => match core.poll_output()? {
                replica_manager::Output::Persist(record) => Output::Persist(record),
                replica_manager::Output::Transmit { to, message } => Output::Transmit(to, message),
                replica_manager::Output::Start { incarnation, module, state } => {
                    Output::Start(incarnation, module, state)
                }
                replica_manager::Output::Execute { run, .. } => Output::Execute(run),
                replica_manager::Output::Event(event) => Output::Event(event),
                replica_manager::Output::Load { swap, path, .. } => Output::Load(swap, path),
                replica_manager::Output::StartShadow { swap, module, state } => {
                    Output::StartShadow(swap, module, state)
                }
                replica_manager::Output::ExecuteShadow { swap, run } => Output::ExecuteShadow(swap, run),
                replica_manager::Output::Promote { swap, incarnation } => Output::Promote(swap, incarnation),
                replica_manager::Output::StopShadow { swap } => Output::StopShadow(swap),
            },
        })
    }

    /// Writes down when it has something to do next.
    pub fn note_wake(&mut self) {
        let core = match &self.core {
            Core::FrontEnd(core) => core.poll_timeout(),
            Core::Sequencer(core) => core.poll_timeout(),
            Core::ReplicaManager(core) => core.poll_timeout(),
        };
        self.wake = earliest(core, self.endpoint.poll_timeout()).map(|(at, _)| at);
    }

    /// Whose messages are left in their channel for now.
    pub fn passed_over(&self) -> Option<NodeId> {
        let is_saturated = self.manager().is_some_and(ReplicaManager::is_saturated);
        is_saturated.then_some(NodeId::Sequencer)
    }

    /// The core, if it is a front end's.
    pub fn front_end_mut(&mut self) -> Option<&mut FrontEnd> {
        match &mut self.core {
            Core::FrontEnd(core) => Some(core),
            _ => None,
        }
    }

    /// The core, if it is a replica manager's.
    pub fn manager(&self) -> Option<&ReplicaManager> {
        match &self.core {
            Core::ReplicaManager(core) => Some(core),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn manager_mut(&mut self) -> Option<&mut ReplicaManager> {
        match &mut self.core {
            Core::ReplicaManager(core) => Some(core),
            _ => None,
        }
    }

    /// Whether it runs, and its replica votes.
    pub fn is_voting(&self) -> bool {
        self.process == Process::Up && self.manager().is_some_and(|manager| manager.phase() == Phase::Voting)
    }

    /// Whether a process that was new does what its role is: the sequencer gives numbers, a replica votes.
    pub fn is_back(&self) -> bool {
        match &self.core {
            Core::FrontEnd(_) => true,
            Core::Sequencer(core) => core.is_serving(),
            Core::ReplicaManager(_) => self.is_voting(),
        }
    }

    /// Every queue of the core, and of its channels.
    pub fn queues(&self) -> impl Iterator<Item = Queue> {
        let of_core: Vec<(&'static str, usize, usize)> = match &self.core {
            Core::FrontEnd(core) => core.queues().to_vec(),
            Core::Sequencer(core) => core.queues().to_vec(),
            Core::ReplicaManager(core) => core.queues().to_vec(),
        };
        let all = of_core.into_iter().chain(self.endpoint.queues());
        all.map(|(name, len, max)| Queue { name, len, max })
    }
}
