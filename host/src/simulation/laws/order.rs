//! One total order, delivered in prefixes, each request executed once.

use std::collections::BTreeSet;

use super::recovery::Life;
use super::reference::Reference;
use super::{Held, Laws, broken};
use crate::protocol::id::{Incarnation, NodeId, ReplicaId, RequestId, SequenceNumber};
use crate::protocol::message::{Command, Order, Response};
use crate::protocol::order_log::OrderLog;
use crate::protocol::replica_manager::Task;

impl Laws {
    /// The sequencer has given a place.
    pub fn the_sequencer_gives_each_place_once(&mut self, order: &Order) -> Held {
        self.checked += 1;
        let last = self.reference.last();
        if order.sequence > last.next() {
            let words = format!("#{} was given after #{last}: there is a gap", order.sequence);
            return broken("the_sequencer_gives_each_place_once", words);
        }
        if order.sequence <= self.delivered {
            let words = format!("#{} is given again, although a manager has delivered it", order.sequence);
            return broken("the_sequencer_gives_each_place_once", words);
        }
        // What nobody has delivered may be given anew by a new process of the sequencer.
        let earlier = self.reference.order(SequenceNumber(order.sequence.0 - 1));
        if earlier.is_some_and(|earlier| earlier.time_ms > order.time_ms) {
            let words = format!("#{} is earlier than the order before it", order.sequence);
            return broken("the_time_of_the_order_does_not_go_back", words);
        }
        self.reference.push(*order);
        Ok(())
    }

    /// A manager's log may have grown.
    pub fn replicas_deliver_prefixes_of_one_order(&mut self, replica: ReplicaId, log: &OrderLog) -> Held {
        let compared = self.compared.entry(replica).or_default();
        if log.end() == *compared {
            return Ok(());
        }
        self.checked += 1;
        let from = if log.end() < *compared { log.start() } else { (*compared).max(log.start()) };
        *compared = log.end();
        self.delivered = self.delivered.max(log.end());
        for place in from.0 + 1..=log.end().0 {
            let (held, given) = (log.order(SequenceNumber(place)), self.reference.order(SequenceNumber(place)));
            let is_same = match (held, given) {
                (Some(held), Some(given)) => {
                    (held.id, held.time_ms, held.origin) == (given.id, given.time_ms, given.origin)
                        && (held.command == given.command || held.command == Command::Void)
                }
                _ => false,
            };
            if !is_same {
                let words = format!("{replica} has delivered {held:?} at #{place}, the sequencer gave {given:?}");
                return broken("replicas_deliver_prefixes_of_one_order", words);
            }
            if held.is_some_and(|held| held.command == Command::Void) && !self.reference.is_void(SequenceNumber(place))
            {
                let words = format!("{replica} takes #{place} for void, which nobody has said");
                return broken("replicas_deliver_prefixes_of_one_order", words);
            }
        }
        Ok(())
    }

    /// The process of a manager is new, and has forgotten its log.
    pub fn on_manager_started(&mut self, replica: ReplicaId) {
        self.compared.remove(&replica);
        self.executed.remove(&replica);
        self.executed_by_shadow.remove(&replica);
        // A life that nobody has heard of does not count: the new process may use its number again.
        self.lives.insert(replica, Life::default());
    }

    /// A new life of a replica begins.
    pub fn on_life_begun(&mut self, replica: ReplicaId) {
        self.executed.remove(&replica);
    }

    /// A manager hands a run over.
    pub fn each_request_is_executed_once_in_one_incarnation(&mut self, replica: ReplicaId, run: &[Task]) -> Held {
        self.checked += 1;
        check_run(&mut self.reference, self.executed.entry(replica).or_default(), replica, run)
    }

    /// A manager hands a run over to the shadow of its replica.
    pub fn each_request_is_executed_once_by_a_shadow(&mut self, replica: ReplicaId, run: &[Task]) -> Held {
        self.checked += 1;
        check_run(&mut self.reference, self.executed_by_shadow.entry(replica).or_default(), replica, run)
    }

    /// A front end says that nobody executes the request at this place.
    pub fn nothing_before_what_was_released_becomes_void(
        &mut self,
        front_end: NodeId,
        sequence: SequenceNumber,
    ) -> Held {
        self.checked += 1;
        let failed = |replies: &Vec<(ReplicaId, Incarnation, Response)>| {
            let failed = replies.iter().filter(|(.., response)| matches!(response, Response::Fault(_)));
            failed.map(|(replica, ..)| *replica).collect::<BTreeSet<_>>().len()
        };
        let failed_len = self.replies.get(&front_end).and_then(|replies| replies.get(&sequence)).map_or(0, failed);
        if self.replicas_len - failed_len >= self.tolerance.quorum() {
            let words = format!("#{sequence} becomes void, although only {failed_len} modules have failed at it");
            return broken("only_what_too_many_modules_fail_at_becomes_void", words);
        }
        let is_news = self.reference.void(sequence);
        if is_news && sequence <= self.released_last {
            let words =
                format!("#{sequence} becomes void, although an outcome of #{} was released", self.released_last);
            return broken("nothing_before_what_was_released_becomes_void", words);
        }
        Ok(())
    }
}

/// An instance gets a run, after what it has executed already.
fn check_run(reference: &mut Reference, executed: &mut BTreeSet<RequestId>, replica: ReplicaId, run: &[Task]) -> Held {
    let mut before = None;
    for Task { order, execute, .. } in run {
        if before.is_some_and(|before| before >= order.sequence) {
            let words = format!("{replica} executes #{} after #{}", order.sequence, before.unwrap_or_default());
            return broken("replicas_execute_in_the_order", words);
        }
        before = Some(order.sequence);
        if !execute {
            continue;
        }
        if !executed.insert(order.id) {
            let words = format!("{replica} executes request {} again at #{}", order.id, order.sequence);
            return broken("each_request_is_executed_once_in_one_incarnation", words);
        }
        let first = reference.outcome_at(order.sequence).map(|(first, _)| first);
        // A place that becomes void only later may be executed, and is taken back.
        if first.is_some_and(|first| first < order.sequence) {
            let words = format!(
                "{replica} executes request {} at #{}, it was executed at #{} already",
                order.id,
                order.sequence,
                first.unwrap_or_default()
            );
            return broken("each_request_is_executed_once_in_one_incarnation", words);
        }
    }
    Ok(())
}
