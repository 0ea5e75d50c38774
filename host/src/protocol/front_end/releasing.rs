//! Ends the vote on an order: releases the outcome that enough replicas share, or says that there is none.

use std::sync::Arc;

use super::opening::Opening;
use super::{FrontEnd, Output};
use crate::market::Answer;
use crate::protocol::client_message::ServerBody;
use crate::protocol::event::Event;
use crate::protocol::id::{Incarnation, NodeId, ReplicaId, RequestId, SequenceNumber};
use crate::protocol::ledger::{Conclusion, Record, ReplyRecord};
use crate::protocol::message::{Command, Message, Response};
use crate::protocol::mutation::{self, Mutation};
use crate::protocol::quorum::{Decision, decide};
use crate::protocol::recipients::Recipients;
use crate::protocol::time::Instant;

impl FrontEnd {
    /// Ends the vote on one order, if its replies allow it.
    pub(super) fn conclude(&mut self, sequence: SequenceNumber, now: Instant) {
        let Some(record) = self.ledger.record_mut(sequence) else { return };
        let Some(asked) = record.asked else { return self.void_unasked(sequence, now) };
        match asked.command {
            Command::Barrier | Command::Void => self.conclude_barrier(sequence, asked.id, now),
            Command::Request(_) => self.conclude_request(sequence, asked.id, now),
        }
        if self.swaps.is_awaiting(sequence) {
            self.compare_shadows(sequence, now);
        }
    }

    /// Nobody here waits for this order, which is that of another front end or of an earlier process of this one. Replicas may wait for it
    /// to become void.
    fn void_unasked(&mut self, sequence: SequenceNumber, now: Instant) {
        let record = self.ledger.record_mut(sequence).expect("the caller has seen the record");
        if record.conclusion.is_none() && is_void(record, self.config.tolerance.quorum()) {
            record.conclusion = Some(Conclusion::NoAgreement { at: now });
            self.void(sequence, now);
        }
    }

    /// A reply to a request of another front end, which is sent to all if the module fails at it.
    pub(super) fn on_reply_to_another(
        &mut self,
        replica: ReplicaId,
        incarnation: Incarnation,
        sequence: SequenceNumber,
        response: Response,
        now: Instant,
    ) {
        let is_own = self.ledger.record(sequence).is_some_and(|record| record.asked.is_some());
        if !matches!(response, Response::Fault(_)) || is_own {
            // What is told of a place of an own request is of one that was given anew, as the sequencer is about to tell.
            return self.ignored(NodeId::ReplicaManager(replica), "reply", "to a request of another front end");
        }
        self.repeat_void(replica, sequence);
        let added = self.ledger.add_reply(sequence, replica, incarnation, response, now).is_ok();
        if added {
            self.conclude(sequence, now);
        }
    }

    fn conclude_request(&mut self, sequence: SequenceNumber, id: RequestId, now: Instant) {
        let record = self.ledger.record_mut(sequence).expect("the caller has seen the record");
        if matches!(record.conclusion, Some(Conclusion::Released { .. } | Conclusion::NoAgreement { .. })) {
            return;
        }
        let quorum = match mutation::is_on(Mutation::ReleaseAtOneReply) {
            true => 1,
            false => self.config.tolerance.quorum(),
        };
        match decide(&record.replies, quorum, ReplyRecord::outcome) {
            Decision::Open => {}
            Decision::Agreed { index, matching_len } => {
                let response = Arc::clone(&record.replies[index].as_ref().expect("an agreed reply is there").response);
                record.conclusion =
                    Some(Conclusion::Released { at: now, response: Arc::clone(&response), matching_len });
                let answer = match &*response {
                    Response::Executed { first, outcome } => {
                        Answer::Released { sequence: first.0, outcome: outcome.clone() }
                    }
                    _ => Answer::TimedOut {
                        message: "the request was executed so long ago that its outcome is forgotten".to_owned(),
                    },
                };
                self.finish(id, ServerBody::Answer(answer), now);
            }
            Decision::Impossible => {
                record.conclusion = Some(Conclusion::NoAgreement { at: now });
                let (message, standing) = (no_agreement(record, self.config.tolerance.quorum()), standing(record));
                let is_void = is_void(record, self.config.tolerance.quorum());
                self.event(Event::NoAgreement { sequence, standing }, now);
                if is_void {
                    // So that all can go on, nobody executes it.
                    self.void(sequence, now);
                }
                // A retry that has a place of its own may still be agreed on.
                if self.pending.get(&id).is_some_and(|pending| pending.sequence == Some(sequence)) {
                    self.finish(id, ServerBody::Answer(Answer::NoAgreement { sequence: sequence.0, message }), now);
                }
            }
        }
    }

    fn conclude_barrier(&mut self, sequence: SequenceNumber, id: RequestId, now: Instant) {
        let record = self.ledger.record_mut(sequence).expect("the caller has seen the record");
        if is_void(record, self.config.tolerance.quorum())
            && !matches!(record.conclusion, Some(Conclusion::NoAgreement { .. }))
        {
            // Too many modules fail to export their state here, so that no checkpoint can be had at this place.
            record.conclusion = Some(Conclusion::NoAgreement { at: now });
            let body = digests_body(record);
            self.void(sequence, now);
            return self.finish(id, body, now);
        }
        let is_awaited = |replica| self.judging.is_awaited(replica, sequence, &self.heartbeats, now);
        if !record.is_complete(is_awaited) || record.conclusion.is_some() {
            return;
        }
        // Only replicas that vote are waited for, and while there is none, for whoever comes first.
        let Some(first) = record.replies.iter().flatten().next() else { return };
        let response = Arc::clone(&first.response);
        let matching_len = record.replies.iter().flatten().filter(|reply| reply.response == response).count();
        let digests: Vec<_> = ReplicaId::first(record.replies.len())
            .zip(&record.replies)
            .filter_map(|(replica, reply)| match reply.as_ref().map(|reply| &*reply.response) {
                Some(Response::StateDigest(digest)) => Some((replica, *digest)),
                _ => None,
            })
            .collect();
        record.conclusion = Some(Conclusion::Released { at: now, response, matching_len });
        let body = digests_body(record);
        if digests.iter().any(|(_, digest)| *digest != digests[0].1) {
            self.event(Event::StatesDiffer { sequence, digests }, now);
        }
        self.finish(id, body, now);
    }

    pub(super) fn on_request_timeout(&mut self, id: RequestId, now: Instant) {
        let pending = self.pending.get(&id).expect("every deadline is that of a pending request");
        let (sequence, command) = (pending.sequence, pending.command);
        let record = sequence.and_then(|sequence| self.ledger.record_mut(sequence));
        let body = match (record, command) {
            (Some(record), Command::Barrier | Command::Void) => {
                record.conclusion.get_or_insert(Conclusion::TimedOut { at: now });
                digests_body(record)
            }
            (Some(record), Command::Request(_)) => {
                record.conclusion.get_or_insert(Conclusion::TimedOut { at: now });
                let message = no_agreement(record, self.config.tolerance.quorum());
                ServerBody::Answer(Answer::NoAgreement { sequence: record.sequence.0, message })
            }
            (None, _) => {
                let not_answered = match self.opening {
                    Opening::Open => "the sequencer did not answer".to_owned(),
                    _ => format!(
                        "of {} replica managers {} have been heard of, and {} have to be before a request is ordered",
                        self.config.membership.replicas_len,
                        self.managers_heard_len(),
                        self.config.tolerance.quorum()
                    ),
                };
                let message = format!("{not_answered}; run `dsms ps` to see which nodes are up");
                ServerBody::Answer(Answer::TimedOut { message })
            }
        };
        self.event(Event::TimedOut { sequence }, now);
        self.finish(id, body, now);
        let Some(sequence) = sequence else { return };
        if command == Command::Barrier && self.suspect_at(sequence, now) {
            // An export may take longer than a reply, so nobody is suspected of it sooner. But nobody else may ask anything.
            self.judge_all(now);
        }
        self.judge(sequence, now);
    }

    fn void(&mut self, sequence: SequenceNumber, now: Instant) {
        self.event(Event::Voided { sequence }, now);
        let message = Message::Void { sequence };
        self.outputs.push_back(Output::Transmit { to: Recipients::ReplicaManagers, message });
    }

    /// A replica replies to what was void before. Its manager was perhaps told in a process that has ended before it wrote that down.
    pub(super) fn repeat_void(&mut self, replica: ReplicaId, sequence: SequenceNumber) {
        let quorum = self.config.tolerance.quorum();
        let Some(record) = self.ledger.record(sequence) else { return };
        if matches!(record.conclusion, Some(Conclusion::NoAgreement { .. })) && is_void(record, quorum) {
            self.transmit(Recipients::One(NodeId::ReplicaManager(replica)), Message::Void { sequence });
        }
    }

    /// Answers a request that waits, if it still does.
    fn finish(&mut self, id: RequestId, body: ServerBody, now: Instant) {
        let Some(pending) = self.pending.remove(&id) else { return };
        self.deadlines.remove(&(pending.deadline, id));
        if self.checkpoint.take_if(|checkpoint| *checkpoint == id).is_some()
            && std::mem::take(&mut self.checkpoint_again)
        {
            self.on_want_checkpoint(now);
        }
        // The front end's own barriers are asked by nobody.
        let Some((last, others)) = pending.connections.split_last() else { return };
        for connection in others {
            self.answer(*connection, id.number, body.clone());
        }
        self.answer(*last, id.number, body);
    }
}

/// Whether modules that fail are so many that no quorum is left, whatever the others say.
pub(super) fn is_void(record: &Record, quorum: usize) -> bool {
    let can_reply = |reply: &&Option<ReplyRecord>| reply.as_ref().is_none_or(|reply| reply.outcome().is_some());
    record.replies.iter().filter(can_reply).count() < quorum
}

/// Most characters of one replica's words in an event; the module controls them.
const WORDS_LEN_MAX: usize = 120;

/// What each replica said, in words: the beginning of a long list.
fn standing(record: &Record) -> String {
    let words = |reply: &Option<ReplyRecord>| match reply.as_ref().map(|reply| &*reply.response) {
        None => "no reply".to_owned(),
        Some(Response::Executed { outcome, .. }) => outcome.to_string(),
        Some(Response::StateDigest(digest)) => format!("state {}", digest.short()),
        Some(Response::Forgotten) => "forgotten".to_owned(),
        Some(Response::Fault(fault)) => fault.to_string(),
    };
    let replies = ReplicaId::first(record.replies.len()).zip(&record.replies);
    let short =
        |words: String| words.lines().next().unwrap_or_default().chars().take(WORDS_LEN_MAX).collect::<String>();
    replies.map(|(replica, reply)| format!("{replica}: {}", short(words(reply)))).collect::<Vec<_>>().join("; ")
}

/// What is known of a vote that did not come to an end, for a client.
fn no_agreement(record: &Record, quorum: usize) -> String {
    let replies: Vec<&Response> = record.replies.iter().flatten().map(|reply| &*reply.response).collect();
    let faults = replies.iter().filter(|response| matches!(response, Response::Fault(_))).count();
    let total = record.replies.len();
    format!(
        "{} of {total} replicas replied, {faults} of them with a fault, and no outcome is shared by the {quorum} needed; \
         see `dsms why {}`",
        replies.len(),
        record.sequence
    )
}

fn digests_body(record: &Record) -> ServerBody {
    let replies = record.replies.iter().map(|reply| reply.as_ref().map(|reply| (*reply.response).clone()));
    let responses = ReplicaId::first(record.replies.len()).zip(replies).collect();
    ServerBody::Digests { sequence: record.sequence.0, responses }
}
