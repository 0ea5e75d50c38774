//! The events of the whole cluster, in the order in which the front end learnt of them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::id::{NodeId, SequenceNumber};
use super::limits::{EVENTS_LEN_MAX, EVENTS_PIECE_LEN_MAX};
use super::time::Instant;

/// One event, with where and when it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Its place among all events, from 1.
    pub index: u64,
    /// When, by the clock of the node where it happened.
    pub at: Instant,
    /// Where.
    pub node: NodeId,
    /// What.
    pub event: Event,
}

/// The latest events.
#[derive(Debug, Default)]
pub struct EventLog {
    records: VecDeque<EventRecord>,
    last_index: u64,
}

impl EventLog {
    /// Appends an event, and forgets the oldest beyond the bound.
    pub fn push(&mut self, node: NodeId, at: Instant, event: Event) {
        self.last_index += 1;
        self.records.push_back(EventRecord { index: self.last_index, at, node, event });
        if self.records.len() > EVENTS_LEN_MAX {
            self.records.pop_front();
        }
    }

    /// How many events are kept.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The first events after this index, as many as go into one answer.
    pub fn after(&self, index: u64) -> Vec<EventRecord> {
        let first = self.last_index - self.records.len() as u64;
        let skipped = usize::try_from(index.saturating_sub(first)).unwrap_or(usize::MAX);
        self.records.iter().skip(skipped).take(EVENTS_PIECE_LEN_MAX).cloned().collect()
    }

    /// The events at one place of the order.
    pub fn at(&self, sequence: SequenceNumber) -> Vec<EventRecord> {
        let at_place = self.records.iter().filter(|record| record.event.sequence() == Some(sequence));
        at_place.take(EVENTS_PIECE_LEN_MAX).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_after_an_index_are_told_in_pieces_and_the_oldest_are_forgotten() {
        let mut log = EventLog::default();
        let pushed = EVENTS_LEN_MAX as u64 + 10;
        for _ in 0..pushed {
            log.push(NodeId::FRONT_END, Instant(0), Event::Ready);
        }
        let indexes = |after| log.after(after).iter().map(|record| record.index).collect::<Vec<_>>();
        assert_eq!(indexes(0), (11..11 + EVENTS_PIECE_LEN_MAX as u64).collect::<Vec<_>>());
        assert_eq!(indexes(pushed - 2), [pushed - 1, pushed]);
        assert_eq!(indexes(pushed), [0; 0]);
        assert_eq!(indexes(pushed + 5), [0; 0]);
    }
}
