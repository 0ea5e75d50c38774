//! The hold-back queue: orders that have arrived but may not be delivered yet, because one before them is missing.

use std::collections::BTreeMap;

use super::id::SequenceNumber;
use super::limits::HOLD_BACK_LEN_MAX;
use super::message::Order;

/// Orders by sequence number, none of them delivered.
#[derive(Debug, Default)]
pub struct HoldBack {
    orders: BTreeMap<SequenceNumber, Order>,
}

impl HoldBack {
    /// Keeps an order until its turn. Beyond the bound the order that would be delivered last is dropped, this one or one that is later
    /// still: it is in the log of other managers.
    pub fn insert(&mut self, order: Order) {
        self.orders.insert(order.sequence, order);
        if self.orders.len() > HOLD_BACK_LEN_MAX {
            self.orders.pop_last();
        }
    }

    /// Takes out the order with this number, if it has arrived.
    pub fn take(&mut self, sequence: SequenceNumber) -> Option<Order> {
        self.orders.remove(&sequence)
    }

    /// Drops the orders up to this number, which are not needed any more.
    pub fn forget(&mut self, up_to: SequenceNumber) {
        self.orders = self.orders.split_off(&up_to.next());
    }

    /// How many orders are held back.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// Whether one more would go beyond the bound.
    pub fn is_full(&self) -> bool {
        self.orders.len() >= HOLD_BACK_LEN_MAX
    }
}
