//! Which entries of the ledger are to be written down, and when: each record when it has come to its end, and again when it changes.

use std::collections::VecDeque;

use super::{Conclusion, Entry, Ledger, Record};
use crate::protocol::id::SequenceNumber;

/// What is to be written, until the driver takes it in the same turn. Empty if nobody writes.
#[derive(Debug, Default)]
pub(super) struct Journal {
    is_kept: bool,
    entries: VecDeque<Entry>,
    /// Places whose records have changed, each once; no more than the ledger holds.
    touched: VecDeque<SequenceNumber>,
}

/// What was written of a record last, as far as it can change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    is_asked: bool,
    replies_len: usize,
    /// The sum of the lives that have replied: it grows when a later one does better.
    incarnations: u64,
    /// What the conclusion is, 0 for none.
    conclusion: u8,
}

impl Mark {
    fn of(record: &Record) -> Mark {
        let replies = || record.replies.iter().flatten();
        Mark {
            is_asked: record.asked.is_some(),
            replies_len: replies().count(),
            incarnations: replies().map(|reply| u64::from(reply.incarnation.0)).sum(),
            conclusion: match record.conclusion {
                None => 0,
                Some(Conclusion::Released { .. }) => 1,
                Some(Conclusion::NoAgreement { .. }) => 2,
                Some(Conclusion::TimedOut { .. }) => 3,
            },
        }
    }
}

impl Ledger {
    /// Has entries be made from now on. Whoever asks for it takes them with [`Ledger::poll_entry`] in every turn.
    pub fn keep_entries(&mut self) {
        self.journal.is_kept = true;
    }

    /// Whether entries are made.
    pub fn keeps_entries(&self) -> bool {
        self.journal.is_kept
    }

    /// Has an entry be written that is no record.
    pub fn note(&mut self, entry: impl FnOnce() -> Entry) {
        if self.journal.is_kept {
            self.journal.entries.push_back(entry());
        }
    }

    /// The next entry to be written. A record waits until its order is concluded and nobody waits for a reply to it any more.
    pub fn poll_entry(&mut self, is_awaited: impl Fn(SequenceNumber) -> bool) -> Option<Entry> {
        loop {
            if let Some(entry) = self.journal.entries.pop_front() {
                return Some(entry);
            }
            let sequence = self.journal.touched.pop_front()?;
            // It may have been forgotten since.
            let Some(place) = self.place(sequence) else { continue };
            let Some(slot) = self.slots.get_mut(place) else { continue };
            slot.is_touched = false;
            if slot.record.conclusion.is_some() && !is_awaited(sequence) {
                self.write_down(place);
            }
        }
    }

    /// Has all records be written whose requests are known here and that have changed since, as they are: the process ends.
    pub fn write_down_all(&mut self) {
        if self.journal.is_kept {
            let asked = |place: &usize| self.slots[*place].record.asked.is_some();
            let places: Vec<usize> = (0..self.slots.len()).filter(asked).collect();
            places.into_iter().for_each(|place| self.write_down(place));
        }
    }

    /// A record is about to be forgotten, perhaps before it has come to its end.
    pub(super) fn write_down_before_forgetting(&mut self) {
        if self.journal.is_kept && self.slots.front().is_some_and(|slot| slot.record.asked.is_some()) {
            self.write_down(0);
        }
    }

    /// Has a record be written, unless that was done already.
    fn write_down(&mut self, place: usize) {
        let slot = &mut self.slots[place];
        let mark = Mark::of(&slot.record);
        if slot.written.replace(mark) != Some(mark) {
            self.journal.entries.push_back(Entry::Record(slot.record.clone()));
        }
    }

    /// Takes down that a record may be about to change.
    pub(super) fn touch(&mut self, place: usize) {
        let slot = &mut self.slots[place];
        if self.journal.is_kept && !std::mem::replace(&mut slot.is_touched, true) {
            self.journal.touched.push_back(slot.record.sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ReplyRecord;
    use super::super::entry::tests::{executed, record};
    use super::*;
    use crate::protocol::id::{Incarnation, ReplicaId};
    use crate::protocol::limits::LEDGER_LEN_MAX;
    use crate::protocol::time::Instant;

    fn kept() -> Ledger {
        let mut ledger = Ledger::new(3);
        ledger.keep_entries();
        ledger
    }

    /// Puts into the ledger what a record says.
    fn put(ledger: &mut Ledger, record: Record) {
        let Record { sequence, asked, replies, conclusion, judged } = record;
        for (replica, reply) in ReplicaId::first(replies.len()).zip(replies) {
            let Some(ReplyRecord { at, incarnation, response }) = reply else { continue };
            let _repeated = ledger.add_reply(sequence, replica, incarnation, (*response).clone(), at);
        }
        let written = ledger.record_mut(sequence).unwrap();
        (written.asked, written.conclusion, written.judged) = (asked, conclusion, judged);
    }

    fn reply(ledger: &mut Ledger, sequence: u64, replica: u8, incarnation: u32) {
        let replica = ReplicaId::new(replica).unwrap();
        let response = (*executed(sequence, 1)).clone();
        ledger.add_reply(SequenceNumber(sequence), replica, Incarnation(incarnation), response, Instant(1)).unwrap();
    }

    fn entries(ledger: &mut Ledger) -> Vec<Entry> {
        std::iter::from_fn(|| ledger.poll_entry(|_| false)).collect()
    }

    #[test]
    fn a_record_is_written_when_it_has_come_to_its_end_and_once() {
        let mut ledger = kept();
        let ended = record(1, &[Some(1), Some(1), Some(1)]);
        put(&mut ledger, Record { conclusion: None, ..ended.clone() });
        assert_eq!(entries(&mut ledger), [], "it is not concluded");
        put(&mut ledger, ended.clone());
        assert_eq!(ledger.poll_entry(|_| true), None, "somebody is waited for");
        ledger.record_mut(SequenceNumber(1)).unwrap();
        assert_eq!(entries(&mut ledger), [Entry::Record(ended)]);
        ledger.record_mut(SequenceNumber(1)).unwrap();
        assert_eq!(entries(&mut ledger), [], "nothing has changed");
    }

    #[test]
    fn a_late_reply_gives_a_later_entry() {
        let mut ledger = kept();
        put(&mut ledger, record(1, &[Some(1), Some(1), None]));
        assert_eq!(entries(&mut ledger).len(), 1);
        reply(&mut ledger, 1, 3, 1);
        let [Entry::Record(later)] = &entries(&mut ledger)[..] else { panic!("one") };
        assert!(later.replies[2].is_some());
    }

    #[test]
    fn what_timed_out_and_is_agreed_on_after_all_gives_a_later_entry() {
        let mut ledger = kept();
        let agreed = record(1, &[Some(1), Some(1), None]);
        put(&mut ledger, Record { conclusion: Some(Conclusion::TimedOut { at: Instant(1) }), ..agreed.clone() });
        assert_eq!(entries(&mut ledger).len(), 1);
        put(&mut ledger, agreed.clone());
        assert_eq!(entries(&mut ledger), [Entry::Record(agreed)]);
    }

    #[test]
    fn what_is_forgotten_before_its_end_is_written_as_it_is() {
        let mut ledger = kept();
        let open = Record { conclusion: None, ..record(1, &[Some(1), None, None]) };
        put(&mut ledger, open.clone());
        ledger.record_mut(SequenceNumber(LEDGER_LEN_MAX as u64)).unwrap();
        assert_eq!(entries(&mut ledger), []);
        ledger.record_mut(SequenceNumber(LEDGER_LEN_MAX as u64 + 1)).unwrap();
        assert_eq!(entries(&mut ledger), [Entry::Record(open)]);
    }

    #[test]
    fn at_the_end_all_is_written_of_which_the_request_is_known() {
        let mut ledger = kept();
        let open = Record { conclusion: None, ..record(2, &[Some(1), None, None]) };
        put(&mut ledger, record(1, &[Some(1), Some(1), Some(1)]));
        put(&mut ledger, open.clone());
        reply(&mut ledger, 3, 1, 1);
        assert_eq!(entries(&mut ledger).len(), 1);
        ledger.write_down_all();
        assert_eq!(entries(&mut ledger), [Entry::Record(open)]);
    }

    #[test]
    fn what_is_given_anew_is_said_before_what_follows() {
        let mut ledger = kept();
        put(&mut ledger, record(5, &[Some(1), Some(1), Some(1)]));
        ledger.forget_after(SequenceNumber(4));
        put(&mut ledger, record(5, &[Some(2), Some(2), Some(2)]));
        let [Entry::GivenAnew { after }, Entry::Record(anew)] = &entries(&mut ledger)[..] else { panic!("two") };
        assert_eq!((after.0, &anew.replies[0].as_ref().unwrap().response), (4, &executed(5, 2)));
    }

    #[test]
    fn where_nobody_writes_nothing_waits() {
        let mut ledger = Ledger::new(3);
        put(&mut ledger, record(1, &[Some(1), Some(1), Some(1)]));
        ledger.note(|| unreachable!("it is not even made"));
        ledger.forget_after(SequenceNumber(0));
        ledger.write_down_all();
        assert!(ledger.journal.touched.is_empty() && entries(&mut ledger).is_empty());
    }
}
