//! How the nodes are, from what they say of themselves, and what is known of one order: for clients who ask.

use std::time::Duration;

use super::FrontEnd;
use super::releasing::is_void;
use crate::protocol::client_message::{ClusterStatus, NodeState, NodeStatus, PastOrder, WhyAnswer};
use crate::protocol::event::Event;
use crate::protocol::id::{Incarnation, NodeId, SequenceNumber};
use crate::protocol::ledger::{Conclusion, Record};
use crate::protocol::limits::{HISTORY_PIECE_LEN_MAX, PROGRESS_INTERVAL, SILENT_AFTER};
use crate::protocol::message::{Message, Phase, Progress};
use crate::protocol::quorum::Tolerance;
use crate::protocol::recipients::Recipients;
use crate::protocol::time::Instant;

impl FrontEnd {
    pub(super) fn on_progress(&mut self, from: NodeId, mut progress: Progress, now: Instant) {
        if let Some((earlier, _)) = self.heartbeats.get(&from) {
            // A process that does not know yet which life this is does not make the last one forgotten.
            progress.incarnation = progress.incarnation.max(earlier.incarnation);
        }
        let earlier = self.heartbeats.insert(from, (progress, now));
        let is_new_process = earlier.is_some_and(|(earlier, _)| earlier.process != progress.process);
        if from.is_front_end() && is_new_process {
            self.renew_faults(from, now);
        }
        let standing = |progress: Progress| (progress.incarnation, progress.phase);
        if let NodeId::ReplicaManager(replica) = from {
            // Until it votes it may still speak for a life of an earlier process.
            if progress.phase == Phase::Voting {
                self.first_lives.entry(replica).or_insert(progress.incarnation);
            }
            let is_news = earlier.is_none_or(|(earlier, _)| standing(earlier) != standing(progress));
            if is_news {
                self.judging.on_standing(replica, progress.incarnation);
            }
            self.judging.on_executed(replica, progress.executed);
            if is_news {
                self.judge_all(now);
            } else {
                self.judge_up_to(progress.executed, now);
            }
            self.await_who_stands_before(replica, &progress, now);
            self.check_opening(now);
        }
        // Clients can be served while another front end is down.
        let mut others = self.heartbeats.iter().filter(|(node, _)| !node.is_front_end());
        let are_heard = others.clone().count() == 1 + self.config.membership.replicas_len;
        if !self.ready && are_heard && others.all(|(_, (progress, _))| progress.phase == Phase::Voting) {
            self.ready = true;
            self.event(Event::Ready, now);
        }
    }

    /// Tells the other front ends, if there are any, that this one is up.
    pub(super) fn on_progress_timeout(&mut self, now: Instant) {
        let is_due = self.progress_at.is_none_or(|at| at <= now);
        if is_due && self.config.membership.front_ends_len > 1 {
            self.progress_at = Some(now + PROGRESS_INTERVAL);
            self.transmit(Recipients::FrontEnds, Message::Progress(self.own_progress()));
        }
    }

    fn own_progress(&self) -> Progress {
        let last = self.ordered();
        let (incarnation, process) = (Incarnation::default(), self.config.process);
        Progress { incarnation, phase: Phase::Voting, delivered: last, executed: last, module: None, process }
    }

    /// The highest place that is known here to be ordered.
    pub(super) fn ordered(&self) -> SequenceNumber {
        let recorded = self.ledger.range().map_or(SequenceNumber(0), |(_, last)| last);
        self.heartbeats.values().map(|(progress, _)| progress.delivered).fold(recorded, SequenceNumber::max)
    }

    /// What a node has said shows how far it is, sooner than its next heartbeat does.
    pub(super) fn heard_from(&mut self, node: NodeId, sequence: SequenceNumber, now: Instant) {
        if let Some((progress, at)) = self.heartbeats.get_mut(&node) {
            *at = now;
            progress.delivered = progress.delivered.max(sequence);
            progress.executed = progress.executed.max(sequence);
        }
    }

    pub(super) fn status(&self, now: Instant) -> ClusterStatus {
        let node_status = |node: NodeId| {
            if node == self.config.me {
                let last_seen = Some(Duration::ZERO);
                let (wrong_len, restarts_len, is_suspected) = (0, 0, false);
                let progress = Some(self.own_progress());
                let state = NodeState::Up;
                return NodeStatus { node, state, progress, last_seen, wrong_len, restarts_len, is_suspected };
            }
            let heartbeat = self.heartbeats.get(&node);
            let last_seen = heartbeat.map(|(_, at)| now.since(*at));
            let state = match last_seen {
                Some(ago) if ago <= SILENT_AFTER => NodeState::Up,
                Some(_) => NodeState::Silent,
                None => NodeState::Unknown,
            };
            let progress = heartbeat.map(|(progress, _)| *progress);
            let wrong_len = node.replica().map_or(0, |replica| self.judging.wrong_len(replica));
            let is_suspected = node.replica().is_some_and(|replica| self.judging.is_suspected(replica));
            let first_life = node.replica().and_then(|replica| self.first_lives.get(&replica));
            let restarts_len = match (first_life, progress) {
                (Some(first), Some(progress)) => progress.incarnation.0.saturating_sub(first.0),
                _ => 0,
            };
            NodeStatus { node, state, progress, last_seen, wrong_len, restarts_len, is_suspected }
        };
        let Tolerance { wrong, crashed } = self.config.tolerance;
        let nodes = self.config.membership.nodes().into_iter().map(node_status).collect();
        ClusterStatus { wrong, crashed, nodes }
    }

    pub(super) fn why(&self, sequence: SequenceNumber) -> WhyAnswer {
        match self.ledger.record(sequence) {
            Some(record) => WhyAnswer::Recorded { record: Box::new(record.clone()), events: self.events.at(sequence) },
            None => {
                let (first, last) = self.ledger.range().unwrap_or_default();
                WhyAnswer::NotRecorded { first: first.0, last: last.0 }
            }
        }
    }

    /// What was asked at the first places after this one.
    pub(super) fn history(&self, after: SequenceNumber) -> Vec<PastOrder> {
        let quorum = self.config.tolerance.quorum();
        let past = |record: &Record| PastOrder {
            sequence: record.sequence,
            asked: record.asked.map(|asked| (asked.id, asked.command)),
            is_void: matches!(record.conclusion, Some(Conclusion::NoAgreement { .. })) && is_void(record, quorum),
        };
        self.ledger.after(after).take(HISTORY_PIECE_LEN_MAX).map(past).collect()
    }
}
