//! What was written of one place, and of events, by whatever process.

use std::collections::VecDeque;
use std::io;

use super::chain::{Frames, Link};
use super::disk::Disk;
use super::segment::{HEADER_LEN, KIND};
use super::{Held, LedgerFiles};
use crate::protocol::event_log::EventRecord;
use crate::protocol::id::SequenceNumber;
use crate::protocol::ledger::{Entry, Recollection};
use crate::protocol::wire::DecodeError;

impl<D: Disk> LedgerFiles<D> {
    /// The first and the last place that records are held of; `None` while there is none.
    pub fn range(&self) -> Option<(SequenceNumber, SequenceNumber)> {
        let oldest = self.files.front()?;
        let last = self.files.iter().map(|held| held.places.last).max()?;
        let first = match oldest.before.last_place {
            0 => self.files.iter().map(|held| held.places.first).filter(|first| *first > 0).min()?,
            // What the oldest file has of places before that is only what came late.
            removed => (removed + 1).min(last),
        };
        (last > 0).then_some((SequenceNumber(first), SequenceNumber(last)))
    }

    /// What was written of one place, as far as it can be read; what cannot is told in words.
    pub fn recollect(&self, sequence: SequenceNumber) -> (Recollection, Vec<String>) {
        let mut recollection = Recollection::of(sequence);
        let mut damage = Vec::new();
        for held in self.files.iter().filter(|held| held.places.contains(sequence)) {
            damage.extend(self.read_file(held, |entry| recollection.take_in(entry)).err());
        }
        (recollection, damage)
    }

    /// The latest events, so many at most, in their order.
    pub fn latest_events(&self, len_max: usize) -> Vec<EventRecord> {
        let mut latest = VecDeque::new();
        for held in self.files.iter().rev().filter(|held| held.last_event > held.before.last_event) {
            let mut events = Vec::new();
            // Damage is told to who asks for a place, and by `dsms ledger verify`.
            let _as_far_as_it_can_be_read = self.read_file(held, |entry| {
                if let Entry::Event(event) = entry {
                    events.push(*event);
                }
            });
            events.into_iter().rev().take(len_max - latest.len()).for_each(|event| latest.push_front(event));
            if latest.len() >= len_max {
                break;
            }
        }
        latest.into()
    }

    /// Hands each entry of a file over, up to the first that cannot be read; what is wrong with that, in words.
    fn read_file(&self, held: &Held, mut take_in: impl FnMut(Entry)) -> Result<(), String> {
        let name = KIND.file_name(held.number);
        let in_words = |error: io::Error| format!("{}: {error}", self.disk.path(&name));
        let bytes = self.disk.read(&name, held.len).map_err(in_words)?;
        let Some(header) = bytes.get(..HEADER_LEN) else {
            return Err(format!("{}: it has no header any more", self.disk.path(&name)));
        };
        let mut at = HEADER_LEN;
        let mut frames = Frames::after_header(&bytes, HEADER_LEN, Link::of_header(header));
        while let Some(entry) = frames.next() {
            let entry = entry.map_err(|unusable| unusable.to_string());
            match entry.and_then(decode) {
                Ok(entry) => entry.into_iter().for_each(&mut take_in),
                Err(words) => return Err(format!("{}, byte {at}: {words}", self.disk.path(&name))),
            }
            at = frames.at;
        }
        Ok(())
    }
}

/// Reads an entry. One of another version of the encoding is nothing that this version knows, and no damage.
pub(super) fn decode(entry: &[u8]) -> Result<Option<Entry>, String> {
    match Entry::decode(entry) {
        Ok(entry) => Ok(Some(entry)),
        Err(DecodeError::Version { found: Some(_), .. }) => Ok(None),
        Err(error) => Err(format!("no entry, {error}")),
    }
}
