//! The ordered log of one replica manager: every order since the older of its checkpoints, so that its replica, or another one,
//! can execute them again.

use std::collections::{BTreeSet, VecDeque};

use super::id::SequenceNumber;
use super::limits::LOG_PIECE_LEN_MAX;
use super::message::{Command, Order};

/// Delivered orders, without a gap.
#[derive(Debug, Default)]
pub struct OrderLog {
    /// The place before the first order held.
    after: SequenceNumber,
    orders: VecDeque<Order>,
    /// The time of the last order that was ever appended.
    time_ms: u64,
    /// Requests that became void before they were delivered here; at most [`VOID_AHEAD_LEN_MAX`].
    void_ahead: BTreeSet<SequenceNumber>,
}

/// A front end controls it, and says of an order that it is void only once most replicas have tried it. The oldest go first.
const VOID_AHEAD_LEN_MAX: usize = 64;

impl OrderLog {
    /// Drops all orders, and begins anew after this place. What is known to become void stays known.
    pub fn begin_after(&mut self, after: SequenceNumber) {
        self.after = after;
        self.orders.clear();
        self.void_ahead = self.void_ahead.split_off(&after.next());
    }

    /// The place before the first order held.
    pub fn start(&self) -> SequenceNumber {
        self.after
    }

    /// The place of the last order held, or where the log begins.
    pub fn end(&self) -> SequenceNumber {
        SequenceNumber(self.after.0 + self.orders.len() as u64)
    }

    /// How many orders are held.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// The time of the last order that was held, in milliseconds since the Unix epoch; 0 if there was none. A checkpoint with which
    /// the log begins anew does not tell.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// Appends the next order.
    pub fn push(&mut self, mut order: Order) {
        assert_eq!(order.sequence, self.end().next(), "the log has no gap");
        if self.void_ahead.remove(&order.sequence) {
            order.command = Command::Void;
        }
        self.time_ms = self.time_ms.max(order.time_ms);
        self.orders.push_back(order);
    }

    /// The order at this place, if it is held.
    pub fn order(&self, sequence: SequenceNumber) -> Option<&Order> {
        let place = sequence.0.checked_sub(self.after.0 + 1)?;
        self.orders.get(usize::try_from(place).ok()?)
    }

    /// Drops the orders up to this place.
    pub fn truncate(&mut self, up_to: SequenceNumber) {
        while self.after < up_to && self.orders.pop_front().is_some() {
            self.after = self.after.next();
        }
    }

    /// Makes the request at this place void, now or when it is delivered. Whether it was there and was not void yet.
    pub fn void(&mut self, sequence: SequenceNumber) -> bool {
        if sequence > self.end() {
            self.void_ahead.insert(sequence);
            if self.void_ahead.len() > VOID_AHEAD_LEN_MAX {
                self.void_ahead.pop_first();
            }
            return false;
        }
        let place = sequence.0.checked_sub(self.after.0 + 1).and_then(|place| usize::try_from(place).ok());
        let Some(order) = place.and_then(|place| self.orders.get_mut(place)) else { return false };
        let was = std::mem::replace(&mut order.command, Command::Void);
        was != Command::Void
    }

    /// Forgets which requests after this place are void: their numbers will be given anew.
    pub fn forget_void_after(&mut self, after: SequenceNumber) {
        self.void_ahead.split_off(&after.next());
    }

    /// The places of requests that are held and void.
    pub fn voids(&self) -> impl DoubleEndedIterator<Item = SequenceNumber> {
        self.orders.iter().filter(|order| order.command == Command::Void).map(|order| order.sequence)
    }

    /// Some orders after this place, in order; `None` if the first of them is not held any more.
    pub fn piece(&self, after: SequenceNumber) -> Option<Vec<Order>> {
        let skipped = usize::try_from(after.0.checked_sub(self.after.0)?).ok()?;
        Some(self.orders.iter().skip(skipped).take(LOG_PIECE_LEN_MAX).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::id::{ClientId, NodeId, RequestId, RequestNumber};

    fn order(sequence: u64) -> Order {
        let id = RequestId { client: ClientId(1), number: RequestNumber(sequence) };
        let sequence = SequenceNumber(sequence);
        Order { sequence, time_ms: 0, origin: NodeId::FRONT_END, id, command: Command::Barrier }
    }

    fn log(len: u64) -> OrderLog {
        let mut log = OrderLog::default();
        (1..=len).for_each(|sequence| log.push(order(sequence)));
        log
    }

    fn places(piece: Option<Vec<Order>>) -> Option<Vec<u64>> {
        piece.map(|orders| orders.iter().map(|order| order.sequence.0).collect())
    }

    #[test]
    fn a_piece_begins_right_after_the_place_asked_for_or_is_not_held_any_more() {
        let mut log = log(5);
        log.truncate(SequenceNumber(2));
        assert_eq!(places(log.piece(SequenceNumber(2))), Some(vec![3, 4, 5]));
        assert_eq!(places(log.piece(SequenceNumber(4))), Some(vec![5]));
        assert_eq!(places(log.piece(SequenceNumber(9))), Some(vec![]));
        assert_eq!(places(log.piece(SequenceNumber(1))), None);
        assert_eq!((log.start().0, log.end().0), (2, 5));
    }

    #[test]
    fn a_request_becomes_void_once() {
        let mut log = log(3);
        assert!(log.void(SequenceNumber(2)));
        assert!(!log.void(SequenceNumber(2)));
        assert_eq!(log.order(SequenceNumber(2)).unwrap().command, Command::Void);
        assert!(!log.void(SequenceNumber(4)), "it is not here yet");
        log.push(order(4));
        assert_eq!(log.order(SequenceNumber(4)).unwrap().command, Command::Void);
    }

    #[test]
    fn what_was_to_become_void_is_forgotten_where_places_are_given_anew() {
        let mut log = log(3);
        log.void(SequenceNumber(5));
        log.forget_void_after(SequenceNumber(4));
        (4..=5).for_each(|sequence| log.push(order(sequence)));
        assert_eq!(log.order(SequenceNumber(5)).unwrap().command, Command::Barrier);
    }

    #[test]
    fn what_becomes_void_stays_void_when_the_log_begins_anew_before_it() {
        let mut log = log(3);
        log.void(SequenceNumber(5));
        log.void(SequenceNumber(9));
        log.begin_after(SequenceNumber(7));
        (8..=9).for_each(|sequence| log.push(order(sequence)));
        assert_eq!(log.order(SequenceNumber(8)).unwrap().command, Command::Barrier);
        assert_eq!(log.order(SequenceNumber(9)).unwrap().command, Command::Void);
    }
}
