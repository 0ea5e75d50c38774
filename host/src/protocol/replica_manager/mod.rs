//! The replica manager: delivers the total order to one replica, gap-free and once, replies, and brings the replica back when it
//! fails.
//!
//! It does not execute. It hands runs of orders to an executor ([`Output::Execute`]), which owns the module and answers with
//! [`ReplicaManager::handle_executed`], in the same order. So a slow module never keeps the manager from the network, and this
//! core knows nothing of WebAssembly.
//!
//! | File | Its part |
//! |---|---|
//! | `delivery.rs` | orders into the log, runs out of it, replies |
//! | `recovery.rs` | the lives of the replica: join, restore, replay, vote, and what ends them |
//! | `checkpoints.rs` | takes checkpoints, has them certified, keeps the last ones |
//! | `catch_up.rs` | fetches from other managers what this one is missing, and serves them |
//! | `watching.rs` | accusations, suspicions and votes |
//! | `swapping.rs` | another module for the replica, first as its shadow |

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::market::{Digest, GuestFault, MarketState, Outcome};

use super::checkpoint::{Certifier, Checkpoint, ClientTables};
use super::crash_votes::Watch;
use super::event::Event;
use super::hold_back::HoldBack;
use super::id::{Incarnation, Membership, NodeId, ReplicaId, Round, SequenceNumber};
use super::ladder::Ladder;
use super::limits::{
    ABSENCE_MIN, CERTIFICATES_LEN_MAX, HOLD_BACK_LEN_MAX, PENDING_LEN_MAX, PROGRESS_INTERVAL, RUNS_LEN_MAX,
    STABLE_LEN_MAX,
};
use super::message::{Certificate, Message, Order, Phase, Progress};
use super::order_log::OrderLog;
use super::policy::{RecoveryPolicy, SuspicionPolicy};
use super::quorum::Tolerance;
use super::recipients::Recipients;
use super::record::{Record, Recovered};
use super::strikes::Strikes;
use super::swap::SwapId;
use super::tentative::Tentative;
use super::time::{Instant, earliest};

mod catch_up;
mod checkpoints;
mod delivery;
mod recovery;
mod swapping;
mod watching;

#[cfg(test)]
mod tests;

use catch_up::Fetch;
use delivery::Execution;
use recovery::Life;
use swapping::Swap;

/// What a replica manager has to know of its cluster and its replica.
#[derive(Clone, Debug)]
pub struct ReplicaManagerConfig {
    /// Which replica it manages.
    pub replica: ReplicaId,
    /// Who belongs to the cluster.
    pub membership: Membership,
    /// What they must tolerate.
    pub tolerance: Tolerance,
    /// The digests of its modules: the first one, then its spares. At least one.
    pub modules: Vec<Digest>,
    /// The module that the first one has replaced in a swap, by its place in the list, if that is known.
    pub previous: Option<usize>,
    /// When others are taken for crashed.
    pub suspicion: SuspicionPolicy,
    /// How its own replica is brought back.
    pub recovery: RecoveryPolicy,
    /// What the system calls this process.
    pub process: u32,
}

/// Delivers the order to one replica and replies to front ends. Holds no clock, no socket and no module.
#[derive(Debug)]
pub struct ReplicaManager {
    config: ReplicaManagerConfig,
    incarnation: Incarnation,
    life: Life,
    log: OrderLog,
    hold_back: HoldBack,
    /// The highest place that is known to be ordered and sent to this manager.
    ordered: SequenceNumber,
    /// The sequencer's process is new and has asked, in this round, how far the log reaches: until it gives numbers, no order after
    /// `ordered` is taken in.
    asked_in: Option<Round>,
    execution: Execution,
    certifier: Certifier,
    /// Certified checkpoints, the latest at the end; at most [`STABLE_LEN_MAX`](super::limits::STABLE_LEN_MAX).
    stable: VecDeque<(Checkpoint, Certificate)>,
    /// The tentative checkpoint that the process before has left, until a life begins.
    tentative: Option<Tentative>,
    /// Checkpoints of this life that are not certified yet.
    candidates: BTreeMap<SequenceNumber, Checkpoint>,
    /// The recovered replica has been compared with the others at no checkpoint yet.
    is_unverified: bool,
    /// When it is told again what this manager waits for, if it does.
    ask_again_at: Instant,
    /// How often a checkpoint was asked for: each time of another front end.
    wanted_len: usize,
    fetch: Option<Fetch>,
    /// The checkpoint that another manager is fetching, encoded.
    served: Option<(SequenceNumber, Vec<u8>)>,
    ladder: Ladder,
    swap: Option<Swap>,
    /// The module that the last swap has replaced, by its place in the list.
    previous: Option<usize>,
    strikes: Strikes,
    watch: Watch,
    watch_at: Option<Instant>,
    progress_at: Instant,
    outputs: VecDeque<Output>,
}

/// One order, with what the executor has to do for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// The order.
    pub order: Order,
    /// Whether its request is to be executed.
    pub execute: bool,
    /// Whether the state is to be exported after it.
    pub checkpoint: bool,
}

/// What the executor answers to one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// The request's outcome, if it was to be executed.
    pub outcome: Option<Outcome>,
    /// The exported state with its digest, if it was asked for.
    pub checkpoint: Option<(Arc<MarketState>, Digest)>,
}

/// Why a module could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFailure {
    /// It failed when it was instantiated, or when it was to import the state.
    Fault(GuestFault),
    /// It refuses the state, in its words.
    Refused(String),
}

/// What the driver has to do for a replica manager.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Put this where it outlives the process, before anything leaves that follows in the outputs.
    Persist(Record),
    /// Send a message.
    Transmit {
        /// To whom.
        to: Recipients,
        /// What.
        message: Message,
    },
    /// Drop the instance there is, with all that waits for it; make one of this module, have it import the state if there is one, and
    /// answer with [`ReplicaManager::handle_started`].
    Start {
        /// The new life, to be named in the answer and in those to its runs.
        incarnation: Incarnation,
        /// The module's place in the configured list.
        module: usize,
        /// What it begins with; an empty market otherwise.
        state: Option<Arc<MarketState>>,
    },
    /// Do these tasks, one after the other, and answer with [`ReplicaManager::handle_executed`], in one answer or in several, each
    /// of one result a task. After a fault nothing more is answered.
    Execute {
        /// The life that this is for.
        incarnation: Incarnation,
        /// What to do.
        run: Vec<Task>,
    },
    /// Load a module from a file, put it at the end of the list of modules, and answer with [`ReplicaManager::handle_loaded`]. It may take
    /// long, and must keep nobody waiting.
    Load {
        /// For which swap.
        swap: SwapId,
        /// The file's absolute path.
        path: String,
        /// The digest that its bytes must have.
        digest: Digest,
    },
    /// Drop the shadow there is, if there is one; make an instance of this module beside the replica's own, have it import the state if
    /// there is one, and answer with [`ReplicaManager::handle_shadow_started`].
    StartShadow {
        /// For which swap.
        swap: SwapId,
        /// The module's place in the list.
        module: usize,
        /// What it begins with; an empty market otherwise.
        state: Option<Arc<MarketState>>,
    },
    /// As [`Output::Execute`], by the shadow; to be answered with [`ReplicaManager::handle_shadow_executed`].
    ExecuteShadow {
        /// For which swap.
        swap: SwapId,
        /// What to do.
        run: Vec<Task>,
    },
    /// The shadow, at which nothing waits, is the replica's instance from now on, in this life. What the old one still does is given up.
    Promote {
        /// Of which swap.
        swap: SwapId,
        /// The new life.
        incarnation: Incarnation,
    },
    /// Drop the shadow.
    StopShadow {
        /// Of which swap.
        swap: SwapId,
    },
    /// Log an event.
    Event(Event),
}

impl ReplicaManager {
    /// A replica manager that begins its process's life, with what an earlier one has left: with its first time-out, which is due at once,
    /// it asks the others who it was, and what it has missed.
    pub fn new(config: ReplicaManagerConfig, recovered: Recovered, now: Instant) -> ReplicaManager {
        let ReplicaManagerConfig { replica, membership, tolerance, previous, suspicion, recovery, .. } = config;
        let replicas_len = membership.replicas_len;
        let Recovered { incarnation, log, stable, tentative } = recovered;
        let ladder = Ladder::new(recovery, config.modules.len());
        // Replicas reply in order, and a front end gives up no request before those that were ordered earlier. So of an order this far back, it
        // has concluded or given up what it asked.
        let waited_for_len_max = (membership.front_ends_len * PENDING_LEN_MAX) as u64;
        let replied = SequenceNumber(log.end().0.saturating_sub(waited_for_len_max));
        ReplicaManager {
            config,
            incarnation,
            life: Life::Joining { answers: BTreeMap::new() },
            ordered: log.end(),
            log,
            hold_back: HoldBack::default(),
            asked_in: None,
            execution: Execution::after(SequenceNumber(0), ClientTables::default(), replied),
            certifier: Certifier::new(tolerance.quorum(), replicas_len),
            stable,
            tentative: tentative.filter(|_| recovery.tentative_every > 0),
            candidates: BTreeMap::new(),
            is_unverified: false,
            ask_again_at: now,
            wanted_len: 0,
            fetch: None,
            served: None,
            ladder,
            swap: None,
            previous,
            strikes: Strikes::default(),
            watch: Watch::new(replica, replicas_len, suspicion),
            watch_at: None,
            progress_at: now,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one message in.
    pub fn handle_message(&mut self, from: NodeId, message: Message, now: Instant) {
        if let NodeId::ReplicaManager(peer) = from {
            self.watch.on_heard(peer, now);
        }
        match (from, message) {
            (NodeId::Sequencer, Message::Order(order)) => self.on_order(order, now),
            (NodeId::Sequencer, Message::Progress(progress)) => self.on_sequencer_progress(&progress, now),
            (NodeId::Sequencer, Message::FetchEnd { round, ordered }) => self.on_fetch_end(round, ordered, now),
            (NodeId::FrontEnd(_), Message::Accuse(charge)) => self.on_accuse(charge, now),
            (NodeId::FrontEnd(_), Message::Suspect(charge)) => self.on_suspect(charge, now),
            (NodeId::FrontEnd(_), Message::Swap { swap, candidate }) => self.on_swap(from, swap, candidate, now),
            (NodeId::FrontEnd(_), Message::Promote { swap }) => self.on_promote(swap, now),
            (NodeId::FrontEnd(_), Message::EndSwap { swap }) => self.on_end_swap(swap),
            (NodeId::FrontEnd(_), Message::Void { sequence }) => {
                self.transmit(Recipients::ReplicaManagers, Message::Void { sequence });
                self.on_void(sequence, now);
            }
            (NodeId::ReplicaManager(_), Message::Void { sequence }) => self.on_void(sequence, now),
            (NodeId::ReplicaManager(peer), Message::Progress(progress)) => self.watch.on_progress(peer, &progress, now),
            (NodeId::ReplicaManager(peer), Message::CrashVote { charge, agree }) => {
                self.on_crash_vote(peer, charge, agree, now);
            }
            (NodeId::ReplicaManager(peer), Message::CheckpointVote { sequence, digest }) => {
                self.on_checkpoint_vote(peer, sequence, digest, now);
            }
            (NodeId::ReplicaManager(peer), Message::Join) => self.on_join(peer),
            (NodeId::FrontEnd(_), Message::Join) => self.announce(now),
            (NodeId::FrontEnd(_) | NodeId::ReplicaManager(_), Message::Joined { last, ordered }) => {
                self.on_joined(from, last, ordered, now);
            }
            (NodeId::ReplicaManager(peer), Message::FetchLog { after }) => self.on_fetch_log(peer, after),
            (NodeId::ReplicaManager(peer), Message::FetchOffer) => self.on_fetch_offer(peer),
            (NodeId::ReplicaManager(peer), Message::Log { after, orders }) => self.on_log(peer, after, orders, now),
            (NodeId::ReplicaManager(peer), Message::Offer(certificate)) => self.on_offer(peer, certificate, now),
            (NodeId::ReplicaManager(peer), Message::FetchState { sequence, offset }) => {
                self.on_fetch_state(peer, sequence, offset);
            }
            (NodeId::ReplicaManager(peer), Message::State { sequence, offset, len, bytes }) => {
                self.on_state(peer, sequence, offset, len, &bytes, now);
            }
            (_, other) => self.ignored(from, other.name(), "not for a replica manager"),
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.progress_at <= now {
            self.on_progress_timeout(now);
        }
        if self.watch_at.is_some_and(|at| at <= now) {
            self.on_watch_timeout(now);
        }
        if self.pause_until().is_some_and(|at| at <= now) {
            self.on_pause_timeout(now);
        }
        if self.fetch.as_ref().is_some_and(|fetch| fetch.deadline() <= now) {
            self.on_fetch_timeout(now);
        }
        if self.hung_at().is_some_and(|at| at <= now) {
            self.on_hung_timeout(now);
        }
    }

    /// The next deadline and what it is for.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let watch = self.watch_at.map(|at| (at, "watch"));
        let pause = self.pause_until().map(|at| (at, "pause"));
        let fetch = self.fetch.as_ref().map(|fetch| (fetch.deadline(), "fetch"));
        let progress = Some((self.progress_at, "progress"));
        let hung = self.hung_at().map(|at| (at, "hung"));
        [watch, pause, fetch, hung].into_iter().fold(progress, earliest)
    }

    /// Drain to `None` after every `handle_*`, before the next one.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How the replica stands in the vote.
    pub fn phase(&self) -> Phase {
        match self.life {
            Life::Joining { .. } | Life::Restoring(_) | Life::Replaying(_) | Life::Blocked { .. } => Phase::Recovering,
            Life::Voting => Phase::Voting,
            Life::Quarantined => Phase::Quarantined,
        }
    }

    /// The orders that it has delivered.
    pub fn log(&self) -> &OrderLog {
        &self.log
    }

    /// The last place that its replica has executed in its present life.
    pub fn executed(&self) -> SequenceNumber {
        self.execution.executed
    }

    /// Whether its present life began with a tentative checkpoint, for which only the process before vouches.
    pub fn began_tentatively(&self) -> bool {
        self.execution.began_tentatively
    }

    /// Whether a checkpoint is being taken, or waits to be certified.
    pub fn is_checkpointing(&self) -> bool {
        self.execution.is_exporting() || !self.candidates.is_empty()
    }

    /// Whether another module is about to take over.
    pub fn is_swapping(&self) -> bool {
        self.swap.is_some()
    }

    /// Every queue that others can make grow: what it holds, how long it is, and its bound.
    pub fn queues(&self) -> [(&'static str, usize, usize); 5] {
        [
            ("orders in the log", self.log.len(), self.config.recovery.log_len_max()),
            ("orders held back", self.hold_back.len(), HOLD_BACK_LEN_MAX),
            ("runs at the executor", self.execution.runs_len(), RUNS_LEN_MAX),
            ("checkpoints to be certified", self.candidates.len(), CERTIFICATES_LEN_MAX),
            ("certified checkpoints", self.stable.len(), STABLE_LEN_MAX),
        ]
    }

    fn on_progress_timeout(&mut self, now: Instant) {
        if now.since(self.progress_at) > ABSENCE_MIN {
            self.watch.on_own_absence(now);
            self.on_advanced(now);
        }
        self.announce(now);
        self.ask_again(now);
        self.run_shadow(now);
    }

    /// Tells all others how far this replica is.
    fn announce(&mut self, now: Instant) {
        self.progress_at = now + PROGRESS_INTERVAL;
        let progress = Progress {
            incarnation: self.incarnation,
            phase: self.phase(),
            delivered: self.log.end(),
            executed: self.execution.executed,
            module: Some(self.config.modules[self.ladder.module()]),
            process: self.config.process,
        };
        self.watch.on_progress(self.config.replica, &progress, now);
        // Also to the sequencer, so that its channel to this manager is open before there is an order to send.
        self.transmit(Recipients::All, Message::Progress(progress));
    }

    fn persist(&mut self, record: Record) {
        self.outputs.push_back(Output::Persist(record));
    }

    fn transmit(&mut self, to: Recipients, message: Message) {
        self.outputs.push_back(Output::Transmit { to, message });
    }

    fn transmit_to(&mut self, peer: ReplicaId, message: Message) {
        self.transmit(Recipients::One(NodeId::ReplicaManager(peer)), message);
    }

    /// Logs an event here, and tells the front ends, which keep the events of all.
    fn event(&mut self, event: Event, now: Instant) {
        self.outputs.push_back(Output::Event(event.clone()));
        let message = Message::Event { at: now, event: Box::new(event) };
        self.transmit(Recipients::FrontEnds, message);
    }

    fn ignored(&mut self, from: NodeId, message: &str, reason: &str) {
        let (message, reason) = (message.to_owned(), reason.to_owned());
        self.outputs.push_back(Output::Event(Event::Ignored { from, message, reason }));
    }
}
