//! What the log of a manager spans, as its records pass by: all that a file has to say of those before it.

use crate::protocol::id::{Incarnation, SequenceNumber};
use crate::protocol::record::Record;

/// The last life, and the log, of which `start` is the place before the first order and `end` that of the last one.
///
/// It follows records as [`Recovered::apply`](crate::protocol::record::Recovered::apply) does, without keeping any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) incarnation: Incarnation,
    pub(super) start: SequenceNumber,
    pub(super) end: SequenceNumber,
}

impl Extent {
    /// The next record.
    pub(super) fn pass(&mut self, record: &Record) {
        match record {
            Record::Order(order) => self.end = order.sequence,
            Record::Life(incarnation) => self.incarnation = self.incarnation.max(*incarnation),
            Record::Begin(after) if self.holds(*after) => self.start = *after,
            Record::Begin(after) => (self.start, self.end) = (*after, *after),
            Record::Void(_) | Record::Checkpoint(..) | Record::Tentative(_) => {}
        }
    }

    /// Whether a file that begins with `next` may follow where all records before amount to this. Earlier versions dropped the oldest
    /// orders of a full log without a record that says so.
    pub(super) fn may_precede(&self, next: Extent) -> bool {
        Extent { start: next.start, ..*self } == next && self.holds(next.start)
    }

    /// Whether the log begins at this place, ends at it, or leads past it. If it does, a new beginning there only shortens it.
    pub(super) fn holds(&self, place: SequenceNumber) -> bool {
        (self.start..=self.end).contains(&place)
    }
}
