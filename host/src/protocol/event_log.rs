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
    /// Gives the next event the index after this one. Only before the first event.
    pub fn count_from(&mut self, last_index: u64) {
        assert!(self.records.is_empty(), "{} events have their indexes", self.records.len());
        self.last_index = last_index;
    }

    /// Appends an event, and forgets the oldest beyond the bound. The event with its index.
    pub fn push(&mut self, node: NodeId, at: Instant, event: Event) -> &EventRecord {
        self.last_index += 1;
        if self.records.len() >= EVENTS_LEN_MAX {
            self.records.pop_front();
        }
        self.records.push_back(EventRecord { index: self.last_index, at, node, event });
        self.records.back().expect("it was put there")
    }

    /// Puts earlier events before those there are, as many of the latest as there is room for. What does not precede them is ignored.
    pub fn prepend(&mut self, earlier: Vec<EventRecord>) {
        for record in earlier.into_iter().rev() {
            let next = self.records.front().map_or(self.last_index, |next| next.index - 1);
            if self.records.len() < EVENTS_LEN_MAX && (1..=next).contains(&record.index) {
                self.records.push_front(record);
            }
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
        // Some may be missing between those of earlier processes.
        let first = self.records.partition_point(|record| record.index <= index);
        self.records.iter().skip(first).take(EVENTS_PIECE_LEN_MAX).cloned().collect()
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

    #[test]
    fn events_of_earlier_processes_come_first_and_indexes_go_on() {
        let earlier = |index| EventRecord { index, at: Instant(0), node: NodeId::Sequencer, event: Event::Ready };
        let mut log = EventLog::default();
        log.count_from(7);
        assert_eq!(log.push(NodeId::FRONT_END, Instant(1), Event::Ready).index, 8);
        // The sixth was lost; the last two are none of an earlier process.
        log.prepend([3, 4, 5, 7, 8, 9].map(earlier).to_vec());
        let indexes = |after| log.after(after).iter().map(|record| record.index).collect::<Vec<_>>();
        assert_eq!((indexes(0), indexes(5), indexes(6)), (vec![3, 4, 5, 7, 8], vec![7, 8], vec![7, 8]));
        log.prepend((1..=2).map(earlier).collect());
        assert_eq!(log.after(0)[0].index, 1);
    }

    #[test]
    fn no_more_earlier_events_are_kept_than_there_is_room_for() {
        let mut log = EventLog::default();
        let written = EVENTS_LEN_MAX as u64 + 9;
        log.count_from(written);
        log.push(NodeId::FRONT_END, Instant(1), Event::Ready);
        let earlier = |index| EventRecord { index, at: Instant(0), node: NodeId::Sequencer, event: Event::Ready };
        log.prepend((1..=written).map(earlier).collect());
        assert_eq!((log.len(), log.after(0)[0].index), (EVENTS_LEN_MAX, 11));
    }
}
