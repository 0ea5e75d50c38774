//! What the order amounts to: the reference market, executing the sequencer's order as the specification says, far from any
//! channel, replica or checkpoint of the run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::market::{Context, Digest, MarketState, Module, Outcome};
use crate::native::NativeMarket;
use crate::protocol::checkpoint::{Checkpoint, ClientTables};
use crate::protocol::id::{RequestId, SequenceNumber};
use crate::protocol::message::{Command, Order};

/// The order of a run, and what comes of it.
#[derive(Debug)]
pub struct Reference {
    checkpoint_every: u64,
    /// The orders by place, the first one in front.
    orders: Vec<Order>,
    voids: BTreeSet<SequenceNumber>,
    done: Done,
}

/// The outcome of a prefix of the order.
#[derive(Debug, Default)]
struct Done {
    /// Every order up to here is executed.
    executed: u64,
    market: NativeMarket,
    tables: ClientTables,
    /// Where each request was executed, and what came out.
    first_places: BTreeMap<RequestId, SequenceNumber>,
    outcomes: BTreeMap<SequenceNumber, Outcome>,
    /// The digests of the state and of the checkpoint at each place where one is taken.
    checkpoints: BTreeMap<SequenceNumber, (Digest, Digest)>,
}

impl Reference {
    /// The reference of an order that has not begun.
    pub fn new(checkpoint_every: u64) -> Reference {
        Reference { checkpoint_every, orders: Vec::new(), voids: BTreeSet::new(), done: Done::default() }
    }

    /// The order at this place.
    pub fn order(&self, sequence: SequenceNumber) -> Option<&Order> {
        self.orders.get(usize::try_from(sequence.0.checked_sub(1)?).ok()?)
    }

    /// The last place that the sequencer has given.
    pub fn last(&self) -> SequenceNumber {
        SequenceNumber(self.orders.len() as u64)
    }

    /// The sequencer gives this place, after the last one, or anew after a restart.
    pub fn push(&mut self, order: Order) {
        assert!(order.sequence <= self.last().next(), "#{} leaves a gap", order.sequence);
        self.orders.truncate(order.sequence.0 as usize - 1);
        self.orders.push(order);
        if self.done.executed >= order.sequence.0 {
            self.done = Done::default();
        }
        self.voids.split_off(&order.sequence);
    }

    /// Nobody executes the request at this place. Whether that is news.
    pub fn void(&mut self, sequence: SequenceNumber) -> bool {
        let is_news = self.voids.insert(sequence);
        if is_news && self.done.executed >= sequence.0 {
            self.done = Done::default();
        }
        is_news
    }

    /// Whether nobody executes the request at this place.
    pub fn is_void(&self, sequence: SequenceNumber) -> bool {
        self.voids.contains(&sequence)
    }

    /// Where the request ordered at this place is executed first, and what comes out; nothing for what is no request, and for a place
    /// that does not exist.
    pub fn outcome_at(&mut self, sequence: SequenceNumber) -> Option<(SequenceNumber, &Outcome)> {
        self.advance(sequence);
        let id = self.order(sequence)?.id;
        let first = *self.done.first_places.get(&id)?;
        Some((first, self.done.outcomes.get(&first)?))
    }

    /// The digests of the state and of the checkpoint after this place, if one is taken there.
    pub fn checkpoint_at(&mut self, sequence: SequenceNumber) -> Option<(Digest, Digest)> {
        self.advance(sequence);
        self.done.checkpoints.get(&sequence).copied()
    }

    /// The state after the whole order.
    pub fn last_state(&mut self) -> MarketState {
        self.advance(self.last());
        self.done.market.export_state().expect("the reference market does not fail")
    }

    /// Executes the order up to this place, or to its end.
    fn advance(&mut self, to: SequenceNumber) {
        let to = to.min(self.last());
        while self.done.executed < to.0 {
            let order = self.orders[self.done.executed as usize];
            self.done.executed += 1;
            let is_void = self.voids.contains(&order.sequence);
            self.done.execute(&order, is_void, self.checkpoint_every);
        }
    }
}

impl Done {
    fn execute(&mut self, order: &Order, is_void: bool, checkpoint_every: u64) {
        let sequence = order.sequence;
        let mut takes_checkpoint = order.command == Command::Barrier;
        if let Command::Request(request) = &order.command {
            takes_checkpoint = sequence.0.is_multiple_of(checkpoint_every);
            if !is_void && self.tables.admissions.admit(order.id, sequence) {
                let context = Context { sequence_number: sequence.0, time_ms: order.time_ms };
                let outcome = self.market.execute(context, request).expect("the reference market does not fail");
                self.tables.sessions.record(order.id, sequence, outcome.clone());
                self.first_places.entry(order.id).or_insert(sequence);
                self.outcomes.insert(sequence, outcome);
            }
        }
        if takes_checkpoint && !is_void {
            let state = self.market.export_state().expect("the reference market does not fail");
            let digest = state.digest();
            let checkpoint = Checkpoint::new(sequence, Arc::new(state), digest, &self.tables);
            self.checkpoints.insert(sequence, (digest, checkpoint.digest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::parse_request;
    use crate::protocol::id::{ClientId, NodeId, RequestNumber};

    fn order(sequence: u64, number: u64, words: &str) -> Order {
        let request = parse_request(&words.split(' ').collect::<Vec<_>>()).unwrap();
        Order {
            sequence: SequenceNumber(sequence),
            time_ms: 0,
            origin: NodeId::FRONT_END,
            id: RequestId { client: ClientId(1), number: RequestNumber(number) },
            command: Command::Request(request),
        }
    }

    const ADD: &str = "NYKA1001 add-share NYKM100925 Equity 5";
    const BUY: &str = "NYKB1001 purchase-share NYKM100925 Equity 2";

    fn bought(reference: &mut Reference, sequence: u64) -> Option<(u64, String)> {
        reference.outcome_at(SequenceNumber(sequence)).map(|(first, outcome)| (first.0, outcome.to_string()))
    }

    #[test]
    fn a_repeated_request_has_the_outcome_of_its_first_place_unless_that_is_void() {
        let mut reference = Reference::new(10);
        for (sequence, number, words) in [(1, 1, ADD), (2, 2, BUY), (3, 2, BUY)] {
            reference.push(order(sequence, number, words));
        }
        assert_eq!(bought(&mut reference, 3).unwrap().0, 2);
        reference.void(SequenceNumber(2));
        assert_eq!(bought(&mut reference, 3).unwrap().0, 3);
        assert_eq!(bought(&mut reference, 4), None);
    }

    #[test]
    fn a_place_that_is_given_anew_is_executed_anew() {
        let mut reference = Reference::new(1);
        reference.push(order(1, 1, ADD));
        reference.push(order(2, 2, BUY));
        let before = reference.checkpoint_at(SequenceNumber(2)).unwrap();
        reference.push(order(2, 3, ADD));
        assert_eq!(bought(&mut reference, 2).unwrap().1, "refused: already-exists");
        assert_ne!(reference.checkpoint_at(SequenceNumber(2)).unwrap(), before);
    }
}
