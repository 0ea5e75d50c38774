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

/// There is no room for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl HoldBack {
    /// Keeps an order until its turn. When the queue is full the order that would be delivered last is dropped: this one, or
    /// one that is later still.
    pub fn insert(&mut self, order: Order) -> Result<(), Full> {
        self.orders.insert(order.sequence, order);
        if self.orders.len() > HOLD_BACK_LEN_MAX {
            self.orders.pop_last();
            return Err(Full);
        }
        Ok(())
    }

    /// Takes out the order with this number, if it has arrived.
    pub fn take(&mut self, sequence: SequenceNumber) -> Option<Order> {
        self.orders.remove(&sequence)
    }
}
