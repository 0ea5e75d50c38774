//! Who was wrong, and who is silent.
//!
//! An order is judged once every replica that is waited for has replied: those that vote and are not suspected. So a replica that is
//! merely slower than the quorum is neither accused nor passed over. What is said of a replica names its life, so that managers can
//! tell whether it is about the present one.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{FrontEnd, Output, Pending, diverges};
use crate::protocol::crash_votes::Votes;
use crate::protocol::event::Event;
use crate::protocol::id::{Incarnation, NodeId, ReplicaId, SequenceNumber};
use crate::protocol::ledger::Conclusion;
use crate::protocol::limits::{PROGRESS_INTERVAL, SILENT_AFTER};
use crate::protocol::message::{Charge, Command, Message, Phase, Progress};
use crate::protocol::mutation::{self, Mutation};
use crate::protocol::policy::SuspicionPolicy;
use crate::protocol::recipients::Recipients;
use crate::protocol::strikes::Strikes;
use crate::protocol::time::Instant;

/// The orders that are not judged yet, and how each replica stands.
#[derive(Debug)]
pub(super) struct Judging {
    policy: SuspicionPolicy,
    /// How long the slowest matching reply has taken so far. Replies that come after their replica was suspected do not count, so
    /// that time-outs do not make the next ones longer.
    slowest: Option<Duration>,
    replicas: BTreeMap<ReplicaId, Standing>,
    /// Orders that are not judged, by when the wait for their replies began; at most as many as the ledger holds.
    awaited: BTreeMap<SequenceNumber, Instant>,
    /// The same in the order of those times, with some that are judged already.
    due: VecDeque<(SequenceNumber, Instant)>,
}

#[derive(Debug, Default)]
struct Standing {
    strikes: Strikes,
    /// The last place that was judged.
    judged: SequenceNumber,
    /// The place at which it owes a reply for too long.
    suspected_at: Option<SequenceNumber>,
    /// The managers' votes on whether it has crashed.
    votes: Option<Votes>,
}

impl Judging {
    pub(super) fn new(replicas_len: usize, policy: SuspicionPolicy) -> Judging {
        let replicas = ReplicaId::first(replicas_len).map(|replica| (replica, Standing::default())).collect();
        Judging { policy, slowest: None, replicas, awaited: BTreeMap::new(), due: VecDeque::new() }
    }

    /// An order has its place; the replies to it are waited for from now on.
    pub(super) fn await_replies(&mut self, sequence: SequenceNumber, now: Instant) {
        self.awaited.insert(sequence, now);
        self.due.push_back((sequence, now));
    }

    /// Forgets all of the places after this one, which will be given anew.
    pub(super) fn forget_after(&mut self, after: SequenceNumber) {
        self.awaited.split_off(&after.next());
        self.due.retain(|(sequence, _)| *sequence <= after);
        for standing in self.replicas.values_mut() {
            standing.judged = standing.judged.min(after);
            standing.suspected_at = standing.suspected_at.map(|suspected_at| suspected_at.min(after));
        }
    }

    /// How long a reply may take: twice as long as the slowest so far, within the operator's bounds.
    fn deadline(&self) -> Duration {
        let SuspicionPolicy { deadline_start, deadline_floor, deadline_ceiling, .. } = self.policy;
        self.slowest.map_or(deadline_start, |slowest| 2 * slowest).clamp(deadline_floor, deadline_ceiling)
    }

    /// Whether the order at this place is not judged yet.
    pub(super) fn is_waiting_at(&self, sequence: SequenceNumber) -> bool {
        self.awaited.contains_key(&sequence)
    }

    /// How many orders are not judged yet.
    pub(super) fn awaited_len(&self) -> usize {
        self.awaited.len()
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.due.front().map(|(_, since)| (*since + self.deadline(), "reply"))
    }

    /// A reply, or a heartbeat that says as much, clears a replica of the suspicion that it stands before this place or an earlier one.
    pub(super) fn on_executed(&mut self, replica: ReplicaId, sequence: SequenceNumber) {
        if let Some(standing) = self.replicas.get_mut(&replica) {
            standing.suspected_at.take_if(|suspected_at| *suspected_at <= sequence);
        }
    }

    /// A replica begins or ends a life, or votes again.
    pub(super) fn on_standing(&mut self, replica: ReplicaId, incarnation: Incarnation) {
        if let Some(standing) = self.replicas.get_mut(&replica) {
            standing.suspected_at = None;
            standing.strikes.begin(incarnation);
            standing.votes.take_if(|votes| votes.charge.incarnation < incarnation);
        }
    }

    /// Whether the reply of this replica to the order at this place is waited for.
    ///
    /// A replica that has executed the order has replied before it said so, through the same channel. If that reply is not here, an
    /// earlier process of the front end has had it, and it will not come again.
    pub(super) fn is_awaited(
        &self,
        replica: ReplicaId,
        sequence: SequenceNumber,
        heartbeats: &BTreeMap<NodeId, (Progress, Instant)>,
        now: Instant,
    ) -> bool {
        let votes = match heartbeats.get(&NodeId::ReplicaManager(replica)) {
            Some((Progress { phase: Phase::Voting, executed, .. }, _)) => *executed < sequence,
            // Its recovery goes on only as long as its manager is heard of.
            Some((Progress { phase: Phase::Recovering, .. }, at)) => now.since(*at) > SILENT_AFTER,
            Some((Progress { phase: Phase::Quarantined, .. }, _)) | None => false,
        };
        votes && !self.is_suspected(replica)
    }

    pub(super) fn is_suspected(&self, replica: ReplicaId) -> bool {
        self.replicas.get(&replica).is_some_and(|standing| standing.suspected_at.is_some())
    }

    /// At how many places in a row, up to the last judged one, the replica was wrong.
    pub(super) fn wrong_len(&self, replica: ReplicaId) -> u64 {
        self.replicas.get(&replica).map_or(0, |standing| standing.strikes.run_up_to(standing.judged))
    }

    /// The order is judged, and took its slowest matching reply so long.
    fn on_judged(&mut self, sequence: SequenceNumber, slowest: Option<Duration>) {
        self.awaited.remove(&sequence);
        while self.due.front().is_some_and(|(sequence, _)| !self.awaited.contains_key(sequence)) {
            self.due.pop_front();
        }
        for standing in self.replicas.values_mut() {
            standing.judged = standing.judged.max(sequence);
        }
        self.slowest = self.slowest.max(slowest);
    }
}

impl FrontEnd {
    /// A replica says that it stands before an order. If nobody waits for its reply, since the order was judged while nothing was heard of
    /// the replica, or since it was ordered before this process began, then it is waited for from now on.
    pub(super) fn await_who_stands_before(&mut self, replica: ReplicaId, progress: &Progress, now: Instant) {
        let sequence = progress.executed.next();
        if progress.phase != Phase::Voting || progress.delivered < sequence {
            return;
        }
        let Some(record) = self.ledger.record_mut(sequence) else { return };
        // A barrier has its own time-out, since an export may take long.
        let is_barrier = record.asked.is_some_and(|asked| asked.command == Command::Barrier);
        let is_missing = record.replies.get(replica.index()).is_some_and(Option::is_none);
        let is_done = mutation::is_on(Mutation::JudgeBeforeAllReplied) && record.judged;
        if is_missing && !is_barrier && !is_done && !self.judging.awaited.contains_key(&sequence) {
            self.judging.await_replies(sequence, now);
        }
    }

    /// Judges an order if all replies that are waited for are there.
    pub(super) fn judge(&mut self, sequence: SequenceNumber, now: Instant) {
        let Some(since) = self.judging.awaited.get(&sequence).copied() else { return };
        let Some(record) = self.ledger.record_mut(sequence) else {
            // Forgotten for want of room; nobody can say any more what was right.
            return self.judging.on_judged(sequence, None);
        };
        let is_awaited = |replica| self.judging.is_awaited(replica, sequence, &self.heartbeats, now);
        let judges_early = mutation::is_on(Mutation::JudgeBeforeAllReplied);
        // What an earlier process of this front end was asked for, this one does not conclude.
        let is_open = record.conclusion.is_none() && record.asked.is_some();
        if is_open || !(record.is_complete(is_awaited) || judges_early) {
            return;
        }
        if std::mem::replace(&mut record.judged, true) {
            // It was only waited for somebody who was late.
            return self.judging.on_judged(sequence, None);
        }
        let Some(Conclusion::Released { response, .. }) = &record.conclusion else {
            return self.judging.on_judged(sequence, None);
        };
        let replies = || ReplicaId::first(record.replies.len()).zip(record.replies.iter().map(Option::as_ref));
        let slowest = replies()
            .filter_map(|(_, reply)| reply.filter(|reply| reply.response == *response))
            .map(|reply| reply.at.since(since))
            // What came too late for this deadline must not make the next ones longer.
            .filter(|took| *took <= self.judging.deadline())
            .max();
        let wrong: Vec<(ReplicaId, Incarnation)> = replies()
            .filter_map(|(replica, reply)| {
                Some((replica, reply.filter(|reply| diverges(reply, response))?.incarnation))
            })
            .collect();
        self.judging.on_judged(sequence, slowest);
        for (replica, incarnation) in wrong {
            self.accuse(replica, incarnation, sequence, now);
        }
    }

    /// Judges all orders that can be judged now that fewer replies are waited for.
    pub(super) fn judge_all(&mut self, now: Instant) {
        self.judge_up_to(SequenceNumber(u64::MAX), now);
    }

    /// The same, of the orders up to this place.
    pub(super) fn judge_up_to(&mut self, last: SequenceNumber, now: Instant) {
        let awaited: Vec<SequenceNumber> = self.judging.awaited.range(..=last).map(|(sequence, _)| *sequence).collect();
        for sequence in awaited {
            self.conclude(sequence, now);
            self.judge(sequence, now);
        }
        let is_barrier = |pending: &&Pending| pending.command == Command::Barrier;
        let barriers = self.pending.values().filter(is_barrier).filter_map(|pending| pending.sequence);
        for sequence in barriers.filter(|sequence| *sequence <= last).collect::<Vec<_>>() {
            self.conclude(sequence, now);
        }
    }

    /// A replica's outcome differs from the released one.
    pub(super) fn accuse(
        &mut self,
        replica: ReplicaId,
        incarnation: Incarnation,
        sequence: SequenceNumber,
        now: Instant,
    ) {
        let charge = Charge { replica, incarnation, sequence };
        let standing = self.judging.replicas.get_mut(&replica).expect("the ledger takes replies of this cluster only");
        // What an earlier life did has no consequence any more.
        let Some(run_len) = standing.strikes.accuse(charge) else { return };
        self.event(Event::Diverged { charge, run_len }, now);
        // Where nobody can be wrong, nobody can say who is.
        if self.config.tolerance.wrong > 0 {
            let message = Message::Accuse(charge);
            self.outputs.push_back(Output::Transmit { to: Recipients::ReplicaManagers, message });
        }
    }

    /// Suspects the replicas that owe a reply for longer than the deadline.
    pub(super) fn suspect_silent(&mut self, now: Instant) {
        let deadline = self.judging.deadline();
        let mut is_news = false;
        while let Some((sequence, since)) = self.judging.due.front().copied() {
            if since + deadline > now {
                break;
            }
            self.judging.due.pop_front();
            // The order may have been judged since, and be waited for anew.
            if self.judging.awaited.get(&sequence) != Some(&since) {
                continue;
            }
            if self.suspect_at(sequence, now) {
                is_news = true;
            } else {
                // Nobody is missed who is known to vote, but whoever is not heard of yet may turn out to stand before it.
                self.judging.await_replies(sequence, now);
            }
        }
        if is_news {
            self.judge_all(now);
        }
    }

    /// Suspects the replicas that owe a reply to the order at this place. Whether there are any.
    pub(super) fn suspect_at(&mut self, sequence: SequenceNumber, now: Instant) -> bool {
        let Some(record) = self.ledger.record(sequence) else { return false };
        let is_missing = |replica: &ReplicaId| {
            record.replies[replica.index()].is_none()
                && self.judging.is_awaited(*replica, sequence, &self.heartbeats, now)
        };
        let missing: Vec<ReplicaId> =
            ReplicaId::first(self.config.membership.replicas_len).filter(is_missing).collect();
        for replica in &missing {
            let incarnation = self.incarnation(*replica);
            let charge = Charge { replica: *replica, incarnation, sequence };
            let standing = self.judging.replicas.get_mut(replica).expect("it is of this cluster");
            standing.suspected_at = Some(sequence);
            self.event(Event::Suspected { charge, deadline: self.judging.deadline() }, now);
            let message = Message::Suspect(charge);
            self.outputs.push_back(Output::Transmit { to: Recipients::ReplicaManagers, message });
        }
        !missing.is_empty()
    }

    /// A manager's process is new and does not know whom it has to vote on.
    pub(super) fn repeat_suspicions(&mut self, to: ReplicaId) {
        let suspected = self.judging.replicas.iter().filter(|(replica, _)| **replica != to);
        let charges = suspected.filter_map(|(replica, standing)| {
            let incarnation = self.incarnation(*replica);
            standing.suspected_at.map(|sequence| Charge { replica: *replica, incarnation, sequence })
        });
        for charge in charges.collect::<Vec<_>>() {
            self.transmit(Recipients::One(NodeId::ReplicaManager(to)), Message::Suspect(charge));
        }
    }

    pub(super) fn on_crash_vote(&mut self, voter: ReplicaId, charge: Charge, agree: bool, now: Instant) {
        let incarnation = self.incarnation(charge.replica);
        let Some(standing) = self.judging.replicas.get_mut(&charge.replica) else { return };
        if charge.incarnation < incarnation {
            return;
        }
        standing.votes.take_if(|votes| votes.charge.incarnation < charge.incarnation);
        let votes = standing.votes.get_or_insert_with(|| Votes::new(charge));
        if charge.incarnation < votes.charge.incarnation {
            return;
        }
        if let Some(voters) = votes.count(voter, agree, self.config.membership.replicas_len) {
            let heartbeat = self.heartbeats.get(&NodeId::ReplicaManager(charge.replica));
            let process = heartbeat.map_or(0, |(progress, _)| progress.process);
            // A manager that lives has the votes as well, and brings its replica back itself.
            let is_silent = heartbeat.is_none_or(|(_, at)| now.since(*at) > 2 * PROGRESS_INTERVAL);
            self.event(Event::CrashAgreed { charge, voters, process, is_silent }, now);
        }
    }

    /// The last life of a replica that was heard of.
    pub(super) fn incarnation(&self, replica: ReplicaId) -> Incarnation {
        let heartbeat = self.heartbeats.get(&NodeId::ReplicaManager(replica));
        heartbeat.map_or(Incarnation(0), |(progress, _)| progress.incarnation)
    }
}
