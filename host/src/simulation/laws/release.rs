//! What clients are told.

use super::{Held, Laws, broken};
use crate::market::Outcome;
use crate::protocol::id::{NodeId, ReplicaId, RequestId, SequenceNumber};
use crate::protocol::message::{Reply, Response};

impl Laws {
    /// A front end has received a reply.
    pub fn on_reply_received(&mut self, front_end: NodeId, replica: ReplicaId, reply: &Reply) {
        let replies = self.replies.entry(front_end).or_default().entry(reply.sequence).or_default();
        replies.push((replica, reply.incarnation, reply.response.clone()));
    }

    /// A front end's process has ended, and with it what it knew of replies and requests.
    pub fn on_front_end_ended(&mut self, front_end: NodeId) {
        self.replies.remove(&front_end);
        self.waiting.forget(front_end);
        self.written.remove(&front_end);
    }

    /// A front end releases an outcome.
    pub fn released_outcomes_have_a_quorum(
        &mut self,
        front_end: NodeId,
        first: SequenceNumber,
        outcome: &Outcome,
    ) -> Held {
        self.checked += 1;
        self.released_last = self.released_last.max(first);
        let says_so = |response: &Response| matches!(response, Response::Executed { first: at, outcome: said } if *at == first && said == outcome);
        let quorum = self.tolerance.quorum();
        let has_quorum =
            self.replies.get(&front_end).into_iter().flat_map(|replies| replies.range(first..)).any(|(_, replies)| {
                let mut who: Vec<ReplicaId> =
                    replies.iter().filter(|(.., response)| says_so(response)).map(|(replica, ..)| *replica).collect();
                who.sort_unstable();
                who.dedup();
                who.len() >= quorum
            });
        if has_quorum {
            return Ok(());
        }
        let words = format!("{outcome} of #{first} was released, but no {quorum} replicas have said so at any place");
        broken("released_outcomes_have_a_quorum", words)
    }

    /// The same, in answer to this request.
    pub fn released_outcomes_are_those_of_the_reference_market(
        &mut self,
        id: RequestId,
        first: SequenceNumber,
        outcome: &Outcome,
    ) -> Held {
        self.checked += 1;
        let law = "released_outcomes_are_those_of_the_reference_market";
        let Some(order) = self.reference.order(first).filter(|order| order.id == id) else {
            return broken(law, format!("request {id} was answered with #{first}, where it was not ordered"));
        };
        let sequence = order.sequence;
        match self.reference.outcome_at(sequence) {
            Some((at, expected)) if at == first && expected == outcome => {}
            Some((at, expected)) => {
                return broken(law, format!("#{first}: {outcome} was released, expected {expected} of #{at}"));
            }
            None => return broken(law, format!("#{first}: {outcome} was released, but nothing was executed there")),
        }
        Ok(())
    }

    /// The highest place of which any client has an answer.
    pub fn answered(&self) -> SequenceNumber {
        self.answered
    }

    /// A client has another answer to the same request.
    pub fn a_retried_request_has_one_answer(
        &mut self,
        id: RequestId,
        answer: &(SequenceNumber, Outcome),
        earlier: &(SequenceNumber, Outcome),
    ) -> Held {
        self.checked += 1;
        if answer == earlier {
            return Ok(());
        }
        let words = format!("request {id}: {} of #{}, then {} of #{}", earlier.1, earlier.0, answer.1, answer.0);
        broken("a_retried_request_has_one_answer", words)
    }

    /// A client has an answer: it must stand, whatever happens.
    pub fn on_acknowledged(&mut self, id: RequestId, first: SequenceNumber, outcome: Outcome) {
        self.released.insert(id, (first, outcome));
    }

    /// A client has an answer. `floor` is the highest place that any client had an answer of when it asked first.
    pub fn the_order_respects_real_time(
        &mut self,
        id: RequestId,
        first: SequenceNumber,
        floor: SequenceNumber,
    ) -> Held {
        self.checked += 1;
        self.answered = self.answered.max(first);
        if first > floor {
            return Ok(());
        }
        let words = format!("request {id} has #{first}, but it was asked after the answer of #{floor} was there");
        broken("the_order_respects_real_time", words)
    }
}
