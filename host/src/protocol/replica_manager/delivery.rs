//! Orders into the log, runs out of it, and replies.

use std::collections::VecDeque;

use super::{Executed, Life, Output, ReplicaManager, Task};
use crate::market::GuestFault;
use crate::protocol::checkpoint::ClientTables;
use crate::protocol::event::{Cause, Event};
use crate::protocol::hold_back::HoldBack;
use crate::protocol::id::{Incarnation, NodeId, Round, SequenceNumber};
use crate::protocol::limits::{DELIVERED_LEN_MAX, REPLAY_RUN_LEN_MAX, RUN_LEN_MAX, RUNS_LEN_MAX, SESSIONS_BYTES_MAX};
use crate::protocol::message::{Command, Message, Order, Phase, Progress, Reply, Response};
use crate::protocol::mutation::{self, Mutation};
use crate::protocol::order_log::OrderLog;
use crate::protocol::recipients::Recipients;
use crate::protocol::record::Record;
use crate::protocol::time::Instant;

/// Where one life of a replica stands in the order.
#[derive(Debug)]
pub(super) struct Execution {
    /// Every order up to this one was handed to the executor, or waits for its turn to be replied to.
    pub(super) cursor: SequenceNumber,
    /// Every order up to this one is executed.
    pub(super) executed: SequenceNumber,
    /// Every order up to this one was replied to, by this life or an earlier one of the same process, or nobody waits for a reply to it, or
    /// what it came to is not known any more.
    pub(super) replied: SequenceNumber,
    /// What clients have asked and been answered, by the orders up to the cursor and up to the executed one.
    pub(super) tables: ClientTables,
    /// Orders between `executed` and `cursor`.
    in_progress: VecDeque<Step>,
    /// How many results each run at the executor still owes, the oldest in front.
    runs: VecDeque<usize>,
    /// The last run ends with a checkpoint, and nothing follows it until the checkpoint is there: so both tables stand at its place.
    awaits_checkpoint: bool,
    /// The last tentative checkpoint of this life.
    pub(super) tentative_at: Option<SequenceNumber>,
    /// It began with the tentative checkpoint of the life before.
    pub(super) began_tentatively: bool,
}

#[derive(Debug)]
struct Step {
    order: Order,
    /// Whether the executor answers it; otherwise the session table does, or nobody.
    at_executor: bool,
}

impl Execution {
    /// A life that begins after this order, with these tables, in a process that has replied up to `replied`.
    pub(super) fn after(sequence: SequenceNumber, tables: ClientTables, replied: SequenceNumber) -> Execution {
        Execution {
            cursor: sequence,
            executed: sequence,
            replied,
            tables,
            in_progress: VecDeque::new(),
            runs: VecDeque::new(),
            awaits_checkpoint: false,
            tentative_at: None,
            began_tentatively: false,
        }
    }

    /// How many runs are at the executor.
    pub(super) fn runs_len(&self) -> usize {
        self.runs.len()
    }

    /// Whether the executor is to export the state.
    pub(super) fn is_exporting(&self) -> bool {
        self.awaits_checkpoint
    }

    /// Whether nothing is in progress.
    pub(super) fn is_idle(&self) -> bool {
        self.in_progress.is_empty()
    }

    /// The next tasks of a shadow, up to this place. It takes no checkpoints, and nobody asks it what it has executed before.
    pub(super) fn take_shadow_run(&mut self, log: &OrderLog, up_to: SequenceNumber, len_max: usize) -> Vec<Task> {
        let mut run = Vec::new();
        while run.len() < len_max && self.cursor < up_to {
            let Some(order) = log.order(self.cursor.next()).copied() else { break };
            let execute = match order.command {
                Command::Request(_) => self.tables.admissions.admit(order.id, order.sequence),
                Command::Barrier | Command::Void => false,
            };
            if execute {
                run.push(Task { order, execute, checkpoint: false });
            }
            self.cursor = order.sequence;
            self.in_progress.push_back(Step { order, at_executor: execute });
        }
        self.pass_over_repeated();
        if !run.is_empty() {
            self.runs.push_back(run.len());
        }
        run
    }

    /// The order that a shadow has executed now; nothing if it was not asked for any.
    pub(super) fn shadow_executed(&mut self) -> Option<Order> {
        let owed = self.runs.front_mut()?;
        *owed -= 1;
        if *owed == 0 {
            self.runs.pop_front();
        }
        let step = self.in_progress.pop_front().expect("every order of a run is in progress");
        self.executed = step.order.sequence;
        self.pass_over_repeated();
        Some(step.order)
    }

    fn pass_over_repeated(&mut self) {
        while let Some(step) = self.in_progress.pop_front_if(|step| !step.at_executor) {
            self.executed = step.order.sequence;
        }
    }

    /// Forgets what is at the executor; this life has ended.
    pub(super) fn stop(&mut self) {
        self.in_progress.clear();
        self.runs.clear();
        self.awaits_checkpoint = false;
    }
}

impl ReplicaManager {
    /// Takes in results of the oldest runs of a life: one a task, in order.
    pub fn handle_executed(
        &mut self,
        incarnation: Incarnation,
        results: Vec<Result<Executed, GuestFault>>,
        now: Instant,
    ) {
        for result in results {
            if incarnation != self.incarnation || !matches!(self.life, Life::Replaying(_) | Life::Voting) {
                // Of a life that has ended, perhaps by the result before this one.
                return;
            }
            self.reply_to_repeated();
            let owed = self.execution.runs.front_mut().expect("an executor answers only what it was given");
            *owed -= 1;
            if *owed == 0 {
                self.execution.runs.pop_front();
            }
            let step = self.execution.in_progress.pop_front().expect("every order of a run is in progress");
            match result {
                Ok(executed) => self.on_executed(step.order, executed, now),
                Err(fault) => self.on_module_failed(step.order, fault, now),
            }
        }
        self.on_advanced(now);
        self.reply_to_repeated();
        self.start_runs();
        self.check_caught_up(now);
        self.run_shadow(now);
    }

    /// Whether so many orders wait that the driver should leave the sequencer's further messages in their channel.
    pub fn is_saturated(&self) -> bool {
        let lag = self.log.end().0.saturating_sub(self.execution.executed.0);
        let lag_max = match self.life {
            Life::Voting => DELIVERED_LEN_MAX as u64,
            Life::Joining { .. } | Life::Restoring(_) | Life::Replaying(_) => {
                self.config.recovery.log_len_max() as u64 / 2
            }
            // It follows the order for the others' sake, and will begin with a later checkpoint itself.
            Life::Blocked { .. } | Life::Quarantined => u64::MAX,
        };
        // What nobody else holds may be lost with a sequencer, whose successor has to be heard then.
        lag >= lag_max || (self.hold_back.is_full() && !self.is_fetch_fruitless())
    }

    pub(super) fn on_order(&mut self, order: Order, now: Instant) {
        self.ordered = self.ordered.max(order.sequence);
        if order.sequence <= self.log.end() {
            // Fetched from another manager in the meantime.
            return;
        }
        let order = match mutation::is_on(Mutation::SkipHoldBack) {
            true => Order { sequence: self.log.end().next(), ..order },
            false => order,
        };
        self.hold_back.insert(order);
        self.deliver_held_back(now);
    }

    /// The channel between keeps the order of messages. So the sequencer has ordered up to there and nothing more, whatever others may
    /// have told, and what is not here of it was lost.
    pub(super) fn on_sequencer_progress(&mut self, progress: &Progress, now: Instant) {
        if progress.phase == Phase::Voting {
            if self.asked_in.take().is_some() {
                // What was said of later places was of orders that nobody holds any more.
                self.certifier.forget_after(progress.delivered);
                self.log.forget_void_after(progress.delivered);
            }
            self.expect_up_to(progress.delivered, now);
        }
    }

    /// The sequencer's process is new, so what the earlier one has sent and this manager cannot deliver may be held by nobody.
    pub(super) fn on_fetch_end(&mut self, round: Round, ordered: SequenceNumber, now: Instant) {
        self.hold_back = HoldBack::default();
        self.asked_in = Some(round);
        self.expect_up_to(ordered, now);
        self.tell_end();
    }

    /// Tells a sequencer that has asked how far the log reaches.
    fn tell_end(&mut self) {
        let Some(round) = self.asked_in else { return };
        let message = Message::LogEnd { round, sequence: self.log.end(), time_ms: self.log.time_ms() };
        self.transmit(Recipients::One(NodeId::Sequencer), message);
    }

    fn expect_up_to(&mut self, sequence: SequenceNumber, now: Instant) {
        self.ordered = sequence.max(self.log.end());
        self.deliver_held_back(now);
        if !self.has_gap() {
            self.end_fetch_log(now);
        }
    }

    /// Takes in orders that another manager holds.
    pub(super) fn take_in(&mut self, orders: Vec<Order>, now: Instant) {
        let had_gap = self.has_gap();
        for order in orders {
            let is_open = self.asked_in.is_none() || order.sequence <= self.ordered;
            if order.sequence == self.log.end().next() && is_open {
                self.ordered = self.ordered.max(order.sequence);
                self.append(order);
            }
        }
        self.hold_back.forget(self.log.end());
        self.deliver_held_back(now);
        self.check_gap_closed(had_gap);
    }

    /// The log has grown by what was fetched. A sequencer that waits for that is told.
    pub(super) fn check_gap_closed(&mut self, had_gap: bool) {
        if had_gap && !self.has_gap() {
            self.tell_end();
        }
    }

    /// Delivers all orders that are contiguous, and sees to it that a gap is closed.
    pub(super) fn deliver_held_back(&mut self, now: Instant) {
        while let Some(next) = self.hold_back.take(self.log.end().next()) {
            self.append(next);
        }
        if self.has_gap() {
            self.fetch_log(now);
        }
        self.start_runs();
    }

    /// Puts the next order into the log, where it stays if this process ends.
    fn append(&mut self, order: Order) {
        let sequence = order.sequence;
        self.log.push(order);
        let order = *self.log.order(sequence).expect("it was put there");
        if !mutation::is_on(Mutation::ForgetRecord) {
            self.persist(Record::Order(order));
        }
        self.shorten_log();
    }

    /// Nothing was certified for so long that the log is full: the oldest orders go, many at once, and checkpoints that it does not lead on
    /// from.
    fn shorten_log(&mut self) {
        let len_max = self.config.recovery.log_len_max();
        if self.log.len() > len_max {
            let begins_after = SequenceNumber(self.log.end().0 - (len_max - len_max / 16) as u64);
            self.log.truncate(begins_after);
            self.stable.retain(|(checkpoint, _)| checkpoint.sequence >= begins_after);
            self.persist(Record::Begin(begins_after));
        }
    }

    /// Whether an order is known to exist that this manager does not have.
    pub(super) fn has_gap(&self) -> bool {
        self.ordered > self.log.end()
    }

    /// Hands over as many runs as the executor may hold.
    pub(super) fn start_runs(&mut self) {
        let len_max = match self.life {
            Life::Voting => RUN_LEN_MAX,
            Life::Replaying(_) => REPLAY_RUN_LEN_MAX,
            _ => return,
        };
        while self.execution.runs.len() < RUNS_LEN_MAX && !self.execution.awaits_checkpoint {
            let before = self.execution.cursor;
            let run = self.take_run(len_max);
            if !run.is_empty() {
                self.execution.runs.push_back(run.len());
                self.outputs.push_back(Output::Execute { incarnation: self.incarnation, run });
            } else if self.execution.cursor == before {
                return;
            }
        }
    }

    /// The next tasks for the executor. Repeated and void requests go past it: they reply when their turn comes.
    fn take_run(&mut self, len_max: usize) -> Vec<Task> {
        let mut run = Vec::new();
        while run.len() < len_max && !self.execution.awaits_checkpoint {
            let Some(order) = self.log.order(self.execution.cursor.next()).copied() else { break };
            let execute = match order.command {
                Command::Request(_) => self.execution.tables.admissions.admit(order.id, order.sequence),
                Command::Barrier | Command::Void => false,
            };
            let checkpoint = self.is_export_due(&order);
            let at_executor = execute || checkpoint;
            if at_executor {
                run.push(Task { order, execute, checkpoint });
            }
            self.execution.cursor = order.sequence;
            self.execution.awaits_checkpoint = checkpoint;
            self.execution.in_progress.push_back(Step { order, at_executor });
            if self.execution.runs.is_empty() && run.is_empty() {
                self.reply_to_repeated();
            }
        }
        run
    }

    /// Replies to the orders whose turn it is and that the executor has nothing to do with.
    fn reply_to_repeated(&mut self) {
        while let Some(step) = self.execution.in_progress.pop_front_if(|step| !step.at_executor) {
            self.reply_from_sessions(step.order);
        }
    }

    /// What a life begins with was written in the turn whose replies left after it, or did not: those whose outcomes are known are
    /// repeated, the last ones that a session table has room for.
    pub(super) fn reply_to_those_before(&mut self) {
        let (replied, executed) = (self.execution.replied, self.execution.executed);
        let mut bytes_left = SESSIONS_BYTES_MAX;
        let mut repeated = Vec::new();
        for sequence in (replied.0 + 1..=executed.0).rev().map(SequenceNumber) {
            let order = self.log.order(sequence).filter(|order| matches!(order.command, Command::Request(_)));
            let Some(order) = order.copied() else { continue };
            let known = self.execution.tables.sessions.look_up(order.id);
            // A request whose number was forgotten and came again was executed anew, later.
            let Some((first, outcome)) = known.filter(|(first, _)| *first <= sequence) else { continue };
            let Some(left) = bytes_left.checked_sub(outcome.size_bytes()) else { break };
            bytes_left = left;
            repeated.push((order, Response::Executed { first, outcome: outcome.clone() }));
        }
        for (order, response) in repeated.into_iter().rev() {
            self.transmit_reply(order, response);
        }
        self.execution.replied = replied.max(executed);
    }

    fn reply_from_sessions(&mut self, order: Order) {
        let response = match (order.command, self.execution.tables.sessions.look_up(order.id)) {
            (Command::Void, _) => None,
            (_, Some((first, outcome))) => Some(Response::Executed { first, outcome: outcome.clone() }),
            (_, None) => Some(Response::Forgotten),
        };
        self.reply(order, response);
    }

    fn on_executed(&mut self, order: Order, executed: Executed, now: Instant) {
        let Executed { outcome, checkpoint } = executed;
        let state_digest = checkpoint.as_ref().map(|(_, digest)| *digest);
        match (order.command, outcome, state_digest) {
            (Command::Request(_), Some(outcome), _) => {
                self.execution.tables.sessions.record(order.id, order.sequence, outcome.clone());
                self.reply(order, Some(Response::Executed { first: order.sequence, outcome }));
            }
            (Command::Barrier, _, Some(digest)) => self.reply(order, Some(Response::StateDigest(digest))),
            _ => self.reply_from_sessions(order),
        }
        if let Some((state, digest)) = checkpoint {
            self.execution.awaits_checkpoint = false;
            self.on_exported(&order, state, digest, now);
        }
    }

    fn on_module_failed(&mut self, order: Order, fault: GuestFault, now: Instant) {
        let (replica, incarnation, sequence) = (self.config.replica, self.incarnation, order.sequence);
        self.event(Event::ModuleFailed { replica, incarnation, sequence, fault: fault.clone() }, now);
        self.recover(Cause::ModuleFailed(sequence, fault.clone()), now);
        if matches!(self.life, Life::Blocked { .. } | Life::Quarantined) {
            // It will not do better, so whoever counts replies need not wait for this one.
            self.transmit_reply(order, Response::Fault(fault));
        }
    }

    fn reply(&mut self, order: Order, response: Option<Response>) {
        assert_eq!(order.sequence, self.execution.executed.next(), "orders are executed in their order");
        self.execution.executed = order.sequence;
        // A life that executes the log again says nothing again.
        if order.sequence > self.execution.replied {
            self.execution.replied = order.sequence;
            if let Some(response) = response {
                self.transmit_reply(order, response);
            }
        }
    }

    /// That the module fails for good is told to all front ends: any of them may find that too many do, also when the one that the order came
    /// from is gone.
    pub(super) fn transmit_reply(&mut self, order: Order, response: Response) {
        let Order { sequence, origin, .. } = order;
        let to = if matches!(response, Response::Fault(_)) { Recipients::FrontEnds } else { Recipients::One(origin) };
        let reply = Reply { sequence, origin, incarnation: self.incarnation, response };
        self.transmit(to, Message::Reply(reply));
    }
}
