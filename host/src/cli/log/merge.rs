//! The events of several front ends as one list: in the order of their times, each once.

use std::collections::BTreeSet;

use crate::protocol::event_log::EventRecord;
use crate::protocol::id::NodeId;
use crate::protocol::limits::EVENTS_LEN_MAX;
use crate::protocol::time::Instant;

/// Most events that are remembered so that they are shown once: as many as seven front ends keep. Beyond it the oldest are forgotten.
const KNOWN_LEN_MAX: usize = 7 * EVENTS_LEN_MAX;

/// What makes an event the same, whoever tells of it.
type Identity = (Instant, NodeId, String);

/// Events that are to be shown, and which were.
#[derive(Debug, Default)]
pub(super) struct Merge {
    waiting: Vec<EventRecord>,
    known: BTreeSet<Identity>,
    /// The latest time that was known when events were taken last.
    settled_until: Instant,
}

impl Merge {
    /// Takes an event in, unless it is known.
    pub(super) fn put(&mut self, record: EventRecord) {
        if self.known.insert((record.at, record.node, record.event.to_string())) {
            self.waiting.push(record);
        }
        if self.known.len() > KNOWN_LEN_MAX {
            self.known.pop_first();
        }
    }

    /// All events that wait, in the order of their times. Those of one time stay in the order in which they were learnt.
    pub(super) fn take_all(&mut self) -> Vec<EventRecord> {
        let mut all = std::mem::take(&mut self.waiting);
        all.sort_by_key(|record| record.at);
        all
    }

    /// Those of them that are no later than what was known the last time: whatever is still on its way from another node is later.
    pub(super) fn take_settled(&mut self) -> Vec<EventRecord> {
        let mut settled = self.take_all();
        let until = self.settled_until;
        self.settled_until = settled.last().map_or(until, |latest| latest.at.max(until));
        self.waiting = settled.split_off(settled.partition_point(|record| record.at <= until));
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::event::Event;

    fn record(index: u64, at: u64, node: NodeId) -> EventRecord {
        EventRecord { index, at: Instant(at), node, event: Event::Ready }
    }

    fn times(records: &[EventRecord]) -> Vec<u64> {
        records.iter().map(|record| record.at.0).collect()
    }

    #[test]
    fn events_are_in_the_order_of_their_times_and_each_is_there_once() {
        let mut merge = Merge::default();
        for (index, at, node) in [(1, 5, NodeId::Sequencer), (2, 3, NodeId::Sequencer), (7, 5, NodeId::Sequencer)] {
            merge.put(record(index, at, node));
        }
        merge.put(record(3, 5, NodeId::ReplicaManager(crate::protocol::id::ReplicaId::new(1).unwrap())));
        assert_eq!(times(&merge.take_all()), [3, 5, 5]);
        merge.put(record(9, 3, NodeId::Sequencer));
        assert!(merge.take_all().is_empty(), "it was shown before");
    }

    #[test]
    fn a_follower_waits_one_look_for_what_is_still_on_its_way() {
        let mut merge = Merge::default();
        merge.put(record(1, 10, NodeId::Sequencer));
        assert!(merge.take_settled().is_empty());
        merge.put(record(2, 12, NodeId::Sequencer));
        merge.put(record(3, 9, NodeId::Sequencer));
        assert_eq!(times(&merge.take_settled()), [9, 10]);
        assert_eq!(times(&merge.take_settled()), [12]);
        assert!(merge.take_settled().is_empty());
    }
}
