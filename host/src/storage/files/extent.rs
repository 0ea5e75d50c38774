//! What the log of a manager spans, as its records pass by: all that a file has to say of those before it.

use crate::protocol::id::{Incarnation, SequenceNumber};
use crate::protocol::limits::LOG_LEN_MAX;
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
            Record::Order(order) => {
                self.end = order.sequence;
                let held = SequenceNumber(self.end.0.saturating_sub(LOG_LEN_MAX as u64));
                self.start = self.start.max(held);
            }
            Record::Life(incarnation) => self.incarnation = self.incarnation.max(*incarnation),
            Record::Begin(after) if self.holds(*after) => self.start = *after,
            Record::Begin(after) => (self.start, self.end) = (*after, *after),
            Record::Void(_) | Record::Checkpoint(..) => {}
        }
    }

    /// Whether the log begins at this place, ends at it, or leads past it. If it does, a new beginning there only shortens it.
    pub(super) fn holds(&self, place: SequenceNumber) -> bool {
        (self.start..=self.end).contains(&place)
    }
}
