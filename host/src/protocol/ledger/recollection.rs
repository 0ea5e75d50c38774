//! What the entries of a ledger amount to at one place of the order, for who asks after the process that wrote them has ended.

use std::collections::BTreeMap;

use super::{Conclusion, Entry, Record, ReplyRecord};
use crate::protocol::client_message::WhyAnswer;
use crate::protocol::event_log::EventRecord;
use crate::protocol::id::SequenceNumber;
use crate::protocol::limits::EVENTS_PIECE_LEN_MAX;

/// What is known of one place so far. Entries are taken in as they were written, the earliest first.
#[derive(Debug)]
pub struct Recollection {
    sequence: SequenceNumber,
    record: Option<Record>,
    /// By the index of each; no more than one answer carries.
    events: BTreeMap<u64, EventRecord>,
}

impl Recollection {
    /// Nothing is known of this place yet.
    pub fn of(sequence: SequenceNumber) -> Recollection {
        Recollection { sequence, record: None, events: BTreeMap::new() }
    }

    /// Takes in the next entry, whatever it is about.
    pub fn take_in(&mut self, entry: Entry) {
        match entry {
            Entry::Record(record) if record.sequence == self.sequence => self.take_in_record(record),
            Entry::Event(event) if event.event.sequence() == Some(self.sequence) => self.take_in_event(*event),
            Entry::GivenAnew { after } if after < self.sequence => {
                self.record = None;
                self.events.clear();
            }
            _ => {}
        }
    }

    /// The answer of a front end that knows only this of the place, with what was written of it before. `held` is the range of places
    /// that is written down.
    pub fn complete(mut self, answer: WhyAnswer, held: Option<(SequenceNumber, SequenceNumber)>) -> WhyAnswer {
        let Some((first, last)) = held else { return answer };
        let mut last = last.0;
        match answer {
            WhyAnswer::Recorded { record, events } => {
                // Of a place that was removed for want of room this process may hold a record without anything in it.
                let is_removed = self.sequence < first && !record.says_anything();
                if !is_removed {
                    self.take_in_record(*record);
                }
                events.into_iter().for_each(|event| self.take_in_event(event));
            }
            // It may hold places of which it has heard nothing, so what it says of the first one counts for nothing.
            WhyAnswer::NotRecorded { last: known, .. } => last = last.max(known),
        }
        match self.record {
            Some(record) => {
                WhyAnswer::Recorded { record: Box::new(record), events: self.events.into_values().collect() }
            }
            None => WhyAnswer::NotRecorded { first: first.0, last },
        }
    }

    fn take_in_record(&mut self, later: Record) {
        match &mut self.record {
            Some(record) => record.take_in(later),
            None => self.record = Some(later),
        }
    }

    fn take_in_event(&mut self, event: EventRecord) {
        self.events.entry(event.index).or_insert(event);
        if self.events.len() > EVENTS_PIECE_LEN_MAX {
            self.events.pop_last();
        }
    }
}

impl Record {
    /// Whether anything was heard of the place.
    fn says_anything(&self) -> bool {
        self.asked.is_some() || self.conclusion.is_some() || self.replies.iter().any(Option::is_some)
    }

    /// Takes in what was recorded later of the same place. A process that does not know what was asked adds to what an earlier one knew.
    fn take_in(&mut self, later: Record) {
        if later.asked.is_some() {
            *self = later;
            return;
        }
        for (reply, later) in self.replies.iter_mut().zip(later.replies) {
            let is_better =
                later.as_ref().is_some_and(|later| reply.as_ref().is_none_or(|reply| later.improves(reply)));
            if is_better {
                *reply = later;
            }
        }
        if !matches!(self.conclusion, Some(Conclusion::Released { .. })) {
            self.conclusion = later.conclusion.or(self.conclusion.take());
        }
        self.judged |= later.judged;
    }
}

impl ReplyRecord {
    /// A later life may do better where the module of an earlier one failed.
    pub(super) fn improves(&self, earlier: &ReplyRecord) -> bool {
        earlier.outcome().is_none() && earlier.incarnation < self.incarnation
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{diverged, executed, record};
    use super::*;
    use crate::protocol::id::Incarnation;
    use crate::protocol::time::Instant;

    const PLACE: SequenceNumber = SequenceNumber(5);

    const HELD: Option<(SequenceNumber, SequenceNumber)> = Some((SequenceNumber(1), PLACE));

    fn of(entries: impl IntoIterator<Item = Entry>) -> Recollection {
        let mut recollection = Recollection::of(PLACE);
        entries.into_iter().for_each(|entry| recollection.take_in(entry));
        recollection
    }

    fn recorded(answer: WhyAnswer) -> (Record, Vec<u64>) {
        let WhyAnswer::Recorded { record, events } = answer else { panic!("{answer:?}") };
        (*record, events.iter().map(|event| event.index).collect())
    }

    const NOTHING: WhyAnswer = WhyAnswer::NotRecorded { first: 0, last: 0 };

    #[test]
    fn the_last_entry_of_a_place_counts_and_all_events_at_it() {
        let (early, late) = (record(5, &[Some(1), Some(1), None]), record(5, &[Some(1), Some(1), Some(2)]));
        let entries = [
            Entry::Record(record(4, &[Some(9)])),
            Entry::Record(early),
            Entry::Event(Box::new(diverged(1, 4))),
            Entry::Event(Box::new(diverged(2, 5))),
            Entry::Record(late.clone()),
        ];
        assert_eq!(recorded(of(entries).complete(NOTHING, HELD)), (late, vec![2]));
    }

    #[test]
    fn a_place_that_is_given_anew_is_forgotten_and_those_before_it_are_not() {
        let entries = |after| {
            let first = [Entry::Record(record(5, &[Some(1)])), Entry::Event(Box::new(diverged(1, 5)))];
            first.into_iter().chain([Entry::GivenAnew { after: SequenceNumber(after) }])
        };
        assert_eq!(of(entries(4)).complete(NOTHING, HELD), WhyAnswer::NotRecorded { first: 1, last: 5 });
        assert_eq!(recorded(of(entries(5)).complete(NOTHING, HELD)).1, [1]);
        let anew = record(5, &[Some(7)]);
        let given = of(entries(4).chain([Entry::Record(anew.clone())]));
        assert_eq!(recorded(given.complete(NOTHING, HELD)), (anew, vec![]));
    }

    #[test]
    fn a_later_process_adds_the_replies_that_it_alone_has_seen() {
        let written = record(5, &[Some(1), Some(1), None]);
        let mut later = record(5, &[Some(3), None, Some(2)]);
        (later.asked, later.conclusion) = (None, None);
        let known = WhyAnswer::Recorded { record: Box::new(later), events: vec![diverged(8, 5)] };
        let mut expected = record(5, &[Some(1), Some(1), Some(2)]);
        expected.conclusion = written.conclusion.clone();
        let entries = [Entry::Record(written), Entry::Event(Box::new(diverged(2, 5)))];
        assert_eq!(recorded(of(entries).complete(known, HELD)), (expected, vec![2, 8]));
    }

    #[test]
    fn what_a_later_process_finds_void_is_so_unless_it_was_released() {
        let void = |mut record: Record| {
            (record.asked, record.conclusion) = (None, Some(Conclusion::NoAgreement { at: Instant(9) }));
            Entry::Record(record)
        };
        let mut open = record(5, &[Some(1), None, None]);
        open.conclusion = Some(Conclusion::TimedOut { at: Instant(8) });
        let both = [Entry::Record(open.clone()), void(open.clone())];
        let (concluded, _) = recorded(of(both).complete(NOTHING, HELD));
        assert_eq!(
            (concluded.conclusion, concluded.asked),
            (Some(Conclusion::NoAgreement { at: Instant(9) }), open.asked)
        );
        let released = record(5, &[Some(1), Some(1), None]);
        let both = [Entry::Record(released.clone()), void(released.clone())];
        assert_eq!(recorded(of(both).complete(NOTHING, HELD)).0, released);
    }

    #[test]
    fn an_outcome_of_a_later_life_takes_the_place_of_a_fault() {
        let fault = |incarnation| ReplyRecord {
            at: Instant(1),
            incarnation: Incarnation(incarnation),
            response: std::sync::Arc::new(crate::protocol::message::Response::Fault(
                crate::market::GuestFault::BudgetExhausted { fuel: 1 },
            )),
        };
        let outcome = ReplyRecord { at: Instant(2), incarnation: Incarnation(2), response: executed(5, 1) };
        assert!(outcome.improves(&fault(1)) && !outcome.improves(&fault(2)) && !fault(3).improves(&outcome));
    }

    #[test]
    fn where_nothing_is_written_the_range_that_is_held_is_told() {
        let told = |answer, held: Option<(u64, u64)>| {
            let held = held.map(|(first, last)| (SequenceNumber(first), SequenceNumber(last)));
            let WhyAnswer::NotRecorded { first, last } = of([]).complete(answer, held) else { panic!("nothing is") };
            (first, last)
        };
        let known = |first, last| WhyAnswer::NotRecorded { first, last };
        assert_eq!(told(NOTHING, None), (0, 0));
        assert_eq!(told(NOTHING, Some((7, 9))), (7, 9));
        assert_eq!(told(known(8, 20), None), (8, 20));
        assert_eq!(told(known(1, 20), Some((7, 9))), (7, 20));
        let mut unheard_of = record(5, &[Some(1)]);
        (unheard_of.asked, unheard_of.conclusion, unheard_of.replies) = (None, None, vec![None; 3]);
        let known = || WhyAnswer::Recorded { record: Box::new(unheard_of.clone()), events: vec![] };
        assert_eq!(told(known(), Some((7, 9))), (7, 9));
        assert_eq!(of([]).complete(known(), None), known());
        assert_eq!(of([]).complete(known(), HELD), known(), "it is not earlier than what is held");
    }
}
