//! The lives of the replica: how each begins, and what ends it.
//!
//! ```text
//! Joining ─▶ Restoring ─▶ Replaying ─▶ Voting ─┐
//!               ▲                    │         │ wrong, crashed, failed, corrupt, behind, void, hung
//!               └──────────────────────────────┤
//!                                              ├─▶ Blocked: until the others are past the request, then Restoring
//!                                              └─▶ Quarantined
//! ```
//!
//! *Restoring* ends the old instance, waits out the backoff, finds a checkpoint (its own, or another manager's) and has a module
//! import it; *Replaying* executes the log from there to where the order was when the module was ready.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Execution, Output, ReplicaManager, StartFailure};
use crate::market::GuestFault;
use crate::protocol::checkpoint::{Checkpoint, ClientTables};
use crate::protocol::crash_votes::majority;
use crate::protocol::event::{Cause, Event};
use crate::protocol::id::{Incarnation, NodeId, ReplicaId, SequenceNumber};
use crate::protocol::ladder::Step;
use crate::protocol::limits::{ASK_AGAIN_AFTER, VOIDS_REPEATED_LEN_MAX};
use crate::protocol::message::{Message, Response};
use crate::protocol::recipients::Recipients;
use crate::protocol::record::Record;
use crate::protocol::time::Instant;

use Life::{Blocked, Joining, Quarantined, Replaying, Restoring, Voting};

/// Where the replica is in its life.
#[derive(Debug)]
pub(super) enum Life {
    /// The process is new, and asks the others which life this is.
    Joining {
        /// Who has answered, and the last life that each of them has heard of.
        answers: BTreeMap<NodeId, Option<Incarnation>>,
    },
    /// A module is about to be started.
    Restoring(Recovery),
    /// It executes the log again.
    Replaying(Recovery),
    /// It is up to date.
    Voting,
    /// Its module fails at this order every time.
    Blocked {
        /// The order.
        at: SequenceNumber,
        /// How it fails.
        fault: GuestFault,
    },
    /// Nothing is left to try.
    Quarantined,
}

/// What a life begins with.
#[derive(Debug)]
pub(super) enum Base {
    /// There was nothing before.
    EmptyMarket,
    /// A checkpoint that enough replicas share.
    Certified(Checkpoint),
    /// The tentative one of the life before, which ended with its process.
    Tentative(Checkpoint),
}

/// One attempt to bring the replica back.
#[derive(Debug)]
pub(super) struct Recovery {
    /// When it was decided.
    began_at: Instant,
    /// Whether this is the first life in a cluster that has ordered nothing: then there is nothing to tell.
    is_first: bool,
    /// Not before this.
    pub(super) pause_until: Option<Instant>,
    /// The checkpoint to begin with must not be from before this place.
    pub(super) not_before: SequenceNumber,
    /// The corrupt checkpoint, so that the difference to the certified one can be told.
    pub(super) corrupt: Option<Checkpoint>,
    /// The executor was asked to start the module.
    is_starting: bool,
    /// The checkpoint that it begins with; 0 for none.
    checkpoint: SequenceNumber,
    /// When the module was ready.
    ready_after: Duration,
    /// Up to where the log is executed again before the replica votes.
    target: SequenceNumber,
    /// When the last result of that has come.
    pub(super) advanced_at: Instant,
}

impl Recovery {
    fn new(began_at: Instant) -> Recovery {
        Recovery {
            began_at,
            is_first: false,
            pause_until: None,
            not_before: SequenceNumber(0),
            corrupt: None,
            is_starting: false,
            checkpoint: SequenceNumber(0),
            ready_after: Duration::ZERO,
            target: SequenceNumber(0),
            advanced_at: began_at,
        }
    }
}

impl Recovery {
    /// A shadow takes over, which has executed the order up to `executed`; the replica has up to `target`.
    pub(super) fn of_shadow(executed: SequenceNumber, target: SequenceNumber, now: Instant) -> Recovery {
        Recovery { checkpoint: executed, target, ..Recovery::new(now) }
    }
}

impl ReplicaManager {
    /// Takes in that the module of a life is ready, or could not be started.
    pub fn handle_started(&mut self, incarnation: Incarnation, started: Result<(), StartFailure>, now: Instant) {
        let Restoring(recovery) = &mut self.life else { return };
        if incarnation != self.incarnation || !recovery.is_starting {
            return;
        }
        if let Err(failure) = started {
            let reason = match failure {
                StartFailure::Fault(fault) => fault.to_string(),
                StartFailure::Refused(words) => format!("it refuses the state: {words}"),
            };
            let replica = self.config.replica;
            self.event(Event::RecoveryFailed { replica, incarnation, reason: reason.clone() }, now);
            return self.recover(Cause::ImportFailed(reason), now);
        }
        if recovery.checkpoint < self.log.start() {
            // Another checkpoint was adopted while the module was being started: the orders between are gone.
            let checkpoint = recovery.checkpoint;
            return self.recover(Cause::Behind(checkpoint), now);
        }
        recovery.ready_after = now.since(recovery.began_at);
        recovery.target = self.log.end();
        recovery.advanced_at = now;
        let Restoring(recovery) = std::mem::replace(&mut self.life, Voting) else {
            unreachable!("it was matched above")
        };
        self.life = Replaying(recovery);
        if self.execution.began_tentatively {
            self.reply_to_those_before();
        }
        self.start_runs();
        self.check_caught_up(now);
    }

    /// Another manager's process is new, and asks who it was.
    pub(super) fn on_join(&mut self, peer: ReplicaId) {
        let last = Some(self.watch.incarnation(peer)).filter(|last| *last > Incarnation(0));
        self.transmit_to(peer, Message::Joined { last, ordered: self.log.end() });
        self.repeat_voids(Recipients::One(NodeId::ReplicaManager(peer)));
    }

    /// Asks those again that have not answered yet, since their processes may have ended instead.
    fn join_again(&mut self) {
        let Joining { answers } = &self.life else { return };
        let me = NodeId::ReplicaManager(self.config.replica);
        let is_asked =
            |node: &NodeId| *node != me && Recipients::Watchers.include(*node) && !answers.contains_key(node);
        for node in self.config.membership.nodes().into_iter().filter(is_asked).collect::<Vec<_>>() {
            self.transmit(Recipients::One(node), Message::Join);
        }
    }

    pub(super) fn on_joined(&mut self, from: NodeId, last: Option<Incarnation>, ordered: SequenceNumber, now: Instant) {
        if self.asked_in.is_none() {
            self.ordered = self.ordered.max(ordered);
        }
        let replicas_len = self.config.membership.replicas_len;
        let Joining { answers } = &mut self.life else { return };
        answers.insert(from, last);
        let knows = |node: &NodeId| matches!(answers.get(node), Some(Some(_)));
        let knowing_len = answers.keys().filter(|node| node.replica().is_some() && knows(node)).count();
        // A front end hears of every life, but one may have been cut off, so it takes all of them. Without them a majority of managers has
        // heard of it: this one is among them. When all managers and some front end have answered there is nothing to wait for: at the
        // beginning of a cluster nobody has heard of anybody, and a front end that is gone does not keep it from beginning.
        let membership = self.config.membership;
        let have_all_managers = answers.keys().filter(|node| node.replica().is_some()).count() == replicas_len - 1;
        let is_known = membership.front_ends().all(|front_end| knows(&front_end))
            || knowing_len + 1 >= majority(replicas_len)
            || have_all_managers && answers.keys().any(|node| node.is_front_end());
        if !is_known {
            return;
        }
        let heard_of = answers.values().flatten().max().copied().unwrap_or_default();
        let last = self.incarnation.max(heard_of);
        if heard_of > self.incarnation {
            // What a life before the last one has left counts no more, even if the record that says so is lost.
            self.tentative = None;
        }
        self.count_life(last);
        self.repeat_voids(Recipients::ReplicaManagers);
        let is_first = last.0 == 0 && self.ordered == SequenceNumber(0);
        if is_first {
            self.life = Restoring(Recovery { is_first, ..Recovery::new(now) });
            self.restore(now);
        } else {
            self.begin_life(Cause::NewProcess(self.log.end()), now);
        }
    }

    /// Ends the present life of the replica for this cause, and begins the next one if there is anything left to try.
    pub(super) fn recover(&mut self, cause: Cause, now: Instant) {
        match self.life {
            Joining { .. } | Quarantined => {}
            _ => {
                self.count_life(self.incarnation);
                self.begin_life(cause, now);
            }
        }
    }

    /// The life after this one is the present one. It is written down before anybody hears of it, so that no other one has its number.
    pub(super) fn count_life(&mut self, last: Incarnation) {
        self.incarnation = Incarnation(last.0 + 1);
        self.persist(Record::Life(self.incarnation));
    }

    /// Tells again which requests in the log are void. Who said so first may have ended before it reached everybody.
    fn repeat_voids(&mut self, to: Recipients) {
        let voids: Vec<SequenceNumber> = self.log.voids().rev().take(VOIDS_REPEATED_LEN_MAX).collect();
        for sequence in voids {
            self.transmit(to, Message::Void { sequence });
        }
    }

    fn begin_life(&mut self, cause: Cause, now: Instant) {
        let (replica, incarnation) = (self.config.replica, self.incarnation);
        let corrupt_at = match &cause {
            Cause::Corrupt(sequence) => Some(*sequence),
            _ => None,
        };
        // What the last attempt had to begin with, a failed import of it has to as well.
        let mut recovery = match (&cause, std::mem::replace(&mut self.life, Voting)) {
            (Cause::ImportFailed(_), Restoring(last)) => Recovery { not_before: last.not_before, ..Recovery::new(now) },
            _ => Recovery::new(now),
        };
        recovery.corrupt = corrupt_at.and_then(|sequence| self.candidates.remove(&sequence));
        recovery.not_before = recovery.not_before.max(corrupt_at.unwrap_or_default());
        self.strikes.begin(incarnation);
        self.candidates.clear();
        self.fetch = None;
        self.execution.stop();
        match self.ladder.next(&cause, now) {
            Step::Start { rung, pause, module } => {
                let module = self.config.modules[module];
                self.event(Event::RecoveryStarted { replica, incarnation, cause, rung, module }, now);
                recovery.pause_until = (!pause.is_zero()).then(|| now + pause);
                self.life = Restoring(recovery);
            }
            Step::Block(at) => {
                self.event(Event::Blocked { replica, sequence: at }, now);
                let Cause::ModuleFailed(_, fault) = cause else { unreachable!("only a failure at one order blocks") };
                self.life = Blocked { at, fault };
                self.ask_for_passage(now);
            }
            Step::Quarantine => {
                self.event(Event::Quarantined { replica, incarnation, cause }, now);
                self.life = Quarantined;
            }
        }
        self.announce(now);
        if self.pause_until().is_none() {
            self.restore(now);
        }
    }

    pub(super) fn pause_until(&self) -> Option<Instant> {
        match &self.life {
            Restoring(recovery) => recovery.pause_until,
            _ => None,
        }
    }

    pub(super) fn on_pause_timeout(&mut self, now: Instant) {
        if let Restoring(recovery) = &mut self.life {
            recovery.pause_until = None;
        }
        self.restore(now);
    }

    /// When a call that the log is executed again with has not come back for so long that it never will.
    ///
    /// Nobody else would notice: a replica that is being brought back is not suspected. It is its own manager's affair, as a trap is.
    pub(super) fn hung_at(&self) -> Option<Instant> {
        match &self.life {
            Replaying(recovery) if self.execution.runs_len() > 0 => {
                Some(recovery.advanced_at + self.config.suspicion.stuck_after)
            }
            _ => None,
        }
    }

    pub(super) fn on_hung_timeout(&mut self, now: Instant) {
        self.recover(Cause::Hung(self.execution.executed.next()), now);
    }

    /// Something has come of executing the log again, or the process has stood still itself and knows nothing.
    pub(super) fn on_advanced(&mut self, now: Instant) {
        if let Replaying(recovery) = &mut self.life {
            recovery.advanced_at = now;
        }
    }

    /// Takes the next step towards a running module: has it started if there is something to begin with, or fetches that.
    pub(super) fn restore(&mut self, now: Instant) {
        let Restoring(recovery) = &self.life else { return };
        if recovery.is_starting || recovery.pause_until.is_some() || self.fetch.is_some() {
            return;
        }
        let not_before = recovery.not_before;
        if self.has_gap() {
            // What is missing may be more than the others hold in their logs, so this comes before the choice of a checkpoint.
            return self.fetch_log(now);
        }
        let Some(base) = self.base(not_before) else { return self.fetch_checkpoint(not_before, now) };
        let began_tentatively = matches!(base, Base::Tentative(_));
        let (sequence, state, tables) = match base {
            Base::Certified(base) | Base::Tentative(base) => (base.sequence, Some(base.state.clone()), base.tables()),
            Base::EmptyMarket => (SequenceNumber(0), None, ClientTables::default()),
        };
        // It had its chance. Whether the others have the same is found out when the replica votes.
        self.tentative = None;
        self.execution = Execution::after(sequence, tables, self.execution.replied);
        self.execution.began_tentatively = began_tentatively;
        let Restoring(recovery) = &mut self.life else { unreachable!("it was matched above") };
        recovery.is_starting = true;
        recovery.checkpoint = sequence;
        let (incarnation, module) = (self.incarnation, self.ladder.module());
        self.outputs.push_back(Output::Start { incarnation, module, state });
    }

    /// The latest that a life can begin with and that is not from before this place, if there is any.
    pub(super) fn base(&self, not_before: SequenceNumber) -> Option<Base> {
        let earliest = not_before.max(self.log.start());
        let is_usable = |sequence: SequenceNumber| sequence >= earliest;
        let certified = self.stable.iter().rev().map(|(stable, _)| stable).find(|stable| is_usable(stable.sequence));
        let is_latest = |sequence| is_usable(sequence) && certified.is_none_or(|stable| stable.sequence < sequence);
        let tentative = self.tentative.as_ref().filter(|tentative| is_latest(tentative.sequence));
        // Its checksum was right, so that it cannot be opened is a matter of another version; it is done without.
        let tentative = tentative.and_then(|tentative| tentative.open().ok());
        let certified = certified.cloned().map(Base::Certified);
        let empty_market = (earliest == SequenceNumber(0)).then_some(Base::EmptyMarket);
        tentative.map(Base::Tentative).or(certified).or(empty_market)
    }

    /// Votes, once the log is executed to where it was when the module was ready.
    pub(super) fn check_caught_up(&mut self, now: Instant) {
        let Replaying(recovery) = &self.life else { return };
        if self.execution.executed < recovery.target {
            return;
        }
        let (replica, incarnation) = (self.config.replica, self.incarnation);
        let recovered = Event::Recovered {
            replica,
            incarnation,
            checkpoint: recovery.checkpoint,
            replayed_len: recovery.target.0.saturating_sub(recovery.checkpoint.0),
            instantiated_after: recovery.ready_after,
            took: now.since(recovery.began_at),
        };
        let is_first = recovery.is_first;
        self.life = Voting;
        self.ladder.on_voting(now);
        if !is_first {
            self.event(recovered, now);
            // Has it the same state as the others? The next checkpoint tells, and one is due for that.
            self.is_unverified = true;
            self.want_checkpoint(now);
        }
        self.announce(now);
        self.start_runs();
    }

    fn want_checkpoint(&mut self, now: Instant) {
        self.ask_again_at = now + ASK_AGAIN_AFTER;
        let membership = self.config.membership;
        let asked = membership.front_ends().nth(self.wanted_len % membership.front_ends_len);
        self.wanted_len += 1;
        self.transmit(Recipients::One(asked.expect("a cluster has a front end")), Message::WantCheckpoint);
    }

    /// A blocked replica goes on with a checkpoint from beyond its request: a new one, or one that others hold already. They may be
    /// blocked themselves, further on, and then there is no new one before this replica has come as far.
    fn ask_for_passage(&mut self, now: Instant) {
        self.want_checkpoint(now);
        self.transmit(Recipients::ReplicaManagers, Message::FetchOffer);
    }

    /// Says again what somebody has to know for this replica to go on.
    pub(super) fn ask_again(&mut self, now: Instant) {
        self.join_again();
        if self.ask_again_at > now {
            return;
        }
        match &self.life {
            Blocked { at, fault } => {
                let (order, fault) = (self.log.order(*at).copied(), fault.clone());
                if let Some(order) = order {
                    self.transmit_reply(order, Response::Fault(fault));
                }
                self.ask_for_passage(now);
            }
            Voting if self.is_unverified => self.want_checkpoint(now),
            _ => {}
        }
    }

    /// Too many modules fail at this request, so nobody executes it.
    pub(super) fn on_void(&mut self, sequence: SequenceNumber, now: Instant) {
        let is_certified = self.stable.back().is_some_and(|(stable, _)| stable.sequence >= sequence);
        if is_certified {
            return;
        }
        // What becomes void when it is delivered is written then.
        if !self.log.void(sequence) {
            return;
        }
        self.persist(Record::Void(sequence));
        self.tentative.take_if(|tentative| tentative.sequence >= sequence);
        self.on_void_of_shadow(sequence, now);
        let has_begun = match &self.life {
            Restoring(recovery) => recovery.is_starting,
            Replaying(_) | Voting => true,
            Joining { .. } | Blocked { .. } | Quarantined => false,
        };
        match self.life {
            Blocked { at, .. } if at == sequence => self.unblock(SequenceNumber(0), now),
            _ if has_begun && self.execution.cursor >= sequence => self.recover(Cause::Voided(sequence), now),
            _ => {}
        }
    }

    /// The request at which the module fails lies behind: a checkpoint from there on will do.
    pub(super) fn unblock(&mut self, not_before: SequenceNumber, now: Instant) {
        self.life = Restoring(Recovery { not_before, ..Recovery::new(now) });
        self.restore(now);
    }
}
