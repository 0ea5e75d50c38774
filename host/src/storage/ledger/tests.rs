//! Ledgers in memory and in directories: what was written is there, what is wrong is told, what has no room is counted.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use super::segment::{HEADER_LEN, KIND};
use super::*;
use crate::protocol::client_message::WhyAnswer;
use crate::protocol::event::Event;
use crate::protocol::event_log::EventRecord;
use crate::protocol::id::{ClientId, ReplicaId, RequestId, RequestNumber, SequenceNumber};
use crate::protocol::ledger::{LedgerNews, Record};
use crate::protocol::message::Command;
use crate::storage::Durability;
use crate::storage::files::OpenError;

mod verifying;

const OWNER: Owner = Owner { cluster: ClusterId([7; 16]), node: NodeId::FRONT_END };

/// Files in memory, with so much room.
#[derive(Clone, Debug, Default)]
struct Shelf(Arc<Mutex<Files>>);

#[derive(Debug, Default)]
struct Files {
    files: BTreeMap<String, Vec<u8>>,
    last: String,
    /// How many bytes more there is room for.
    room: Option<usize>,
    /// Whether a file cannot be shortened either.
    is_stuck: bool,
    synced_len: usize,
}

impl Shelf {
    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap()
    }

    fn set_room(&self, room: Option<usize>) {
        self.files().room = room;
    }
}

impl Files {
    /// Writes what there is room for.
    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let len = self.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        self.room = self.room.map(|room| room - len);
        self.files.get_mut(name).expect("it is open").extend_from_slice(&bytes[..len]);
        if len < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Disk for Shelf {
    fn path(&self, name: &str) -> String {
        format!("shelf/{name}")
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.files().files.keys().cloned().collect())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(self.files().files[name].len() as u64)
    }

    fn read(&self, name: &str, len_max: u64) -> io::Result<Vec<u8>> {
        let files = self.files();
        let bytes = files.files.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(bytes[..bytes.len().min(usize::try_from(len_max).unwrap_or(usize::MAX))].to_vec())
    }

    fn open(&mut self, name: &str) -> io::Result<()> {
        self.files().last = name.to_owned();
        Ok(())
    }

    fn create(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut files = self.files();
        assert_eq!(files.files.insert(name.to_owned(), Vec::new()), None, "{name} is new");
        let written = files.write(name, bytes);
        match written {
            Ok(()) => files.last = name.to_owned(),
            Err(_) => _ = files.files.remove(name),
        }
        written
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut files = self.files();
        let last = files.last.clone();
        files.write(&last, bytes)
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        let mut files = self.files();
        if files.is_stuck {
            return Err(io::Error::other("stuck"));
        }
        let last = files.last.clone();
        files.files.get_mut(&last).unwrap().truncate(len as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.files().synced_len += 1;
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.files().files.remove(name);
        Ok(())
    }

    fn set_aside(&mut self, name: &str, at: u64) -> io::Result<String> {
        let mut files = self.files();
        let aside = files.files.get_mut(name).unwrap().split_off(at as usize);
        if at == 0 {
            files.files.remove(name);
        }
        files.files.insert(format!("{name}.damaged"), aside);
        Ok(format!("shelf/{name}.damaged"))
    }
}

fn open(shelf: &Shelf) -> (LedgerFiles<Shelf>, Opened) {
    LedgerFiles::open(shelf.clone(), OWNER, SIZE_BYTES_MAX).unwrap()
}

/// The smallest files there are.
fn open_small(shelf: &Shelf) -> LedgerFiles<Shelf> {
    LedgerFiles::open(shelf.clone(), OWNER, 4 * SEGMENT_LEN_MIN).unwrap().0
}

/// A barrier at this place, which client `number` asked for.
fn record(sequence: u64, number: u64) -> Entry {
    let asked = crate::protocol::ledger::Asked {
        id: RequestId { client: ClientId(1), number: RequestNumber(number) },
        command: Command::Barrier,
        submitted_at: Instant(1),
        sequenced_at: Instant(2),
    };
    let sequence = SequenceNumber(sequence);
    Entry::Record(Record { sequence, asked: Some(asked), replies: vec![None; 3], conclusion: None, judged: false })
}

fn records(places: impl IntoIterator<Item = u64>) -> Vec<Entry> {
    places.into_iter().map(|place| record(place, place)).collect()
}

/// At a place, the event that a replica stands before it.
fn event(index: u64, sequence: u64) -> Entry {
    let event = Event::Blocked { replica: ReplicaId::new(2).unwrap(), sequence: SequenceNumber(sequence) };
    Entry::Event(Box::new(EventRecord { index, at: Instant(3), node: NodeId::Sequencer, event }))
}

/// As which number of its client the request at a place was asked, and the indexes of the events there.
fn recollected(ledger: &LedgerFiles<impl Disk>, sequence: u64) -> Option<(u64, Vec<u64>)> {
    let (recollection, damage) = ledger.recollect(SequenceNumber(sequence));
    assert_eq!(damage, [""; 0]);
    match recollection.complete(WhyAnswer::NotRecorded { first: 0, last: 0 }, ledger.range()) {
        WhyAnswer::Recorded { record, events } => {
            Some((record.asked.unwrap().id.number.0, events.iter().map(|event| event.index).collect()))
        }
        WhyAnswer::NotRecorded { .. } => None,
    }
}

fn range(ledger: &LedgerFiles<impl Disk>) -> Option<(u64, u64)> {
    ledger.range().map(|(first, last)| (first.0, last.0))
}

/// Writes until there are three files, and gives the last place.
fn fill_three_files(ledger: &mut LedgerFiles<impl Disk>) -> u64 {
    let mut last = 0;
    while ledger.files.len() < 3 {
        ledger.write(&records(last + 1..=last + 50), NOW);
        last += 50;
    }
    last
}

const NOW: Instant = Instant(1_000_000);

#[test]
fn what_was_written_is_there_for_the_next_process_and_it_goes_on() {
    let shelf = Shelf::default();
    let (mut ledger, opened) = open(&shelf);
    assert_eq!((opened.last_event, opened.damage.len(), range(&ledger)), (0, 0, None));
    assert_eq!(ledger.write(&[record(1, 1), event(1, 1), record(2, 2)], NOW), None);
    let (mut ledger, opened) = open(&shelf);
    assert_eq!((opened.last_event, opened.damage.len()), (1, 0));
    assert_eq!(ledger.write(&[record(3, 3), event(2, 1), record(2, 9)], NOW), None);
    let (ledger, opened) = open(&shelf);
    assert_eq!((opened.last_event, range(&ledger)), (2, Some((1, 3))));
    assert_eq!(recollected(&ledger, 1), Some((1, vec![1, 2])));
    assert_eq!(recollected(&ledger, 2), Some((9, vec![])), "the last entry of a place counts");
    assert_eq!(recollected(&ledger, 4), None);
    assert_eq!(ledger.latest_events(1).iter().map(|event| event.index).collect::<Vec<_>>(), [2]);
    assert_eq!(shelf.files().files.len(), 1);
}

#[test]
fn files_are_full_at_some_length_and_the_oldest_go() {
    let shelf = Shelf::default();
    let mut ledger = open_small(&shelf);
    let mut first = 1;
    while first == 1 || shelf.files().files.contains_key("00000001.ledger") {
        let places = first..first + 100;
        ledger.write(&records(places), NOW);
        ledger.write(&[event(first, first)], NOW);
        first += 100;
        let size: usize = shelf.files().files.values().map(Vec::len).sum();
        assert!(size as u64 <= 4 * SEGMENT_LEN_MIN + 1000, "{size}");
    }
    for (name, bytes) in &shelf.files().files {
        assert!(bytes.len() as u64 <= SEGMENT_LEN_MIN + 200, "{name}: {}", bytes.len());
    }
    let begun_len = shelf.files().files.len();
    assert_eq!(shelf.files().synced_len, begun_len, "each file is with the disk before the next one begins");
    let last = first - 1;
    let ledger = open_small(&shelf);
    let (held_first, held_last) = range(&ledger).unwrap();
    assert!(held_first > 1 && held_last == last, "{held_first} to {held_last} of {last}");
    assert_eq!(recollected(&ledger, held_first - 1), None);
    for place in [held_first, held_first + 1, (held_first + last) / 2, last] {
        assert_eq!(recollected(&ledger, place).map(|(number, _)| number), Some(place));
    }
    let latest = ledger.latest_events(2);
    assert_eq!(latest.iter().map(|event| event.index).collect::<Vec<_>>(), [last - 199, last - 99]);
}

#[test]
fn what_comes_late_is_found_in_a_later_file_and_places_given_anew_are_forgotten() {
    let shelf = Shelf::default();
    let mut ledger = open_small(&shelf);
    let last = fill_three_files(&mut ledger);
    ledger.write(&[event(1, 3), record(3, 99)], NOW);
    assert_eq!(recollected(&open_small(&shelf), 3), Some((99, vec![1])));
    ledger.write(&[Entry::GivenAnew { after: SequenceNumber(2) }, record(3, 77)], NOW);
    for ledger in [&ledger, &open_small(&shelf)] {
        assert_eq!(recollected(ledger, 2), Some((2, vec![])));
        assert_eq!(recollected(ledger, 3), Some((77, vec![])));
        assert_eq!((recollected(ledger, 4), recollected(ledger, last)), (None, None));
    }
}

#[test]
fn an_end_that_is_no_whole_entry_is_cut_off_and_the_chain_goes_on() {
    let shelf = Shelf::default();
    let (mut ledger, _) = open(&shelf);
    ledger.write(&records(1..=2), NOW);
    let whole = shelf.files().files.clone();
    let before_last = {
        let alone = Shelf::default();
        open(&alone).0.write(&records(1..=1), NOW);
        alone.files().files["00000001.ledger"].len()
    };
    for len in HEADER_LEN..whole["00000001.ledger"].len() {
        let torn = Shelf::default();
        let mut files = whole.clone();
        files.get_mut("00000001.ledger").unwrap().truncate(len);
        torn.files().files = files;
        let (mut ledger, opened) = open(&torn);
        assert_eq!(opened.damage, [""; 0], "{len}");
        ledger.write(&records(5..=5), NOW);
        let (ledger, _) = open(&torn);
        let kept = [1, 2, 5].map(|place| recollected(&ledger, place).is_some());
        assert_eq!(kept, [len >= before_last, false, true], "{len}");
    }
}

#[test]
fn every_flipped_bit_is_told_and_set_aside_and_the_chain_goes_on() {
    let shelf = Shelf::default();
    open(&shelf).0.write(&records(1..=3), NOW);
    let whole = shelf.files().files.clone();
    for bit in 0..whole["00000001.ledger"].len() * 8 {
        let damaged = Shelf::default();
        let mut files = whole.clone();
        files.get_mut("00000001.ledger").unwrap()[bit / 8] ^= 1 << (bit % 8);
        damaged.files().files = files;
        let (mut ledger, opened) = open(&damaged);
        // A length that was flipped can look like an end that was cut off.
        let is_told =
            opened.damage.iter().all(|words| words.contains("00000001.ledger") && words.contains("set aside"));
        let is_aside = damaged.files().files.contains_key("00000001.ledger.damaged");
        assert!(is_told && is_aside != opened.damage.is_empty(), "bit {bit}: {:?}", opened.damage);
        assert_eq!(ledger.write(&records(9..=9), NOW), None);
        let (ledger, opened) = open(&damaged);
        assert_eq!((recollected(&ledger, 9).is_some(), opened.damage.len()), (true, 0), "bit {bit}");
        assert!(recollected(&ledger, 3).is_none());
    }
}

#[test]
fn a_file_that_is_missing_between_others_is_told() {
    let shelf = Shelf::default();
    let mut ledger = open_small(&shelf);
    let last = fill_three_files(&mut ledger);
    shelf.files().files.remove("00000002.ledger");
    let (ledger, opened) = LedgerFiles::open(shelf, OWNER, 4 * SEGMENT_LEN_MIN).unwrap();
    assert!(opened.damage[0].starts_with("00000002.ledger, which shelf/00000003.ledger follows, is missing"));
    assert!(recollected(&ledger, 1).is_some() && recollected(&ledger, last).is_some());
}

#[test]
fn a_file_of_a_later_version_or_of_somebody_else_is_refused_and_left_as_it_is() {
    let shelf = Shelf::default();
    open(&shelf).0.write(&records(1..=1), NOW);
    let refused = |owner| match LedgerFiles::open(shelf.clone(), owner, SIZE_BYTES_MAX) {
        Err(refused @ (OpenError::Foreign { .. } | OpenError::Newer { .. })) => refused.to_string(),
        other => panic!("{other:?}"),
    };
    let whole = shelf.files().files.clone();
    let words = refused(Owner { cluster: ClusterId([8; 16]), ..OWNER });
    assert!(words.contains("shelf/00000001.ledger: it belongs to another cluster"), "{words}");
    let words = refused(Owner { node: NodeId::Sequencer, ..OWNER });
    assert!(words.contains("it belongs to front-end"), "{words}");
    let later = crate::storage::numbered_file::Kind { version: 9, ..KIND }.beginning();
    shelf.files().files.get_mut("00000001.ledger").unwrap()[..later.len()].copy_from_slice(&later);
    assert!(refused(OWNER).contains("later version of dsms (format 9"));
    shelf.files().files.get_mut("00000001.ledger").unwrap()[..later.len()].copy_from_slice(&KIND.beginning());
    assert_eq!(shelf.files().files, whole);
}

#[test]
fn a_full_disk_is_told_once_and_what_was_lost_is_counted_in_the_chain() {
    for is_stuck in [false, true] {
        let shelf = Shelf::default();
        let (mut ledger, _) = open(&shelf);
        ledger.write(&records(1..=1), NOW);
        shelf.set_room(Some(10));
        shelf.files().is_stuck = is_stuck;
        let Some(LedgerNews::Failed { reason }) = ledger.write(&records(2..=3), NOW) else {
            panic!("there is no room")
        };
        assert!(reason.contains("shelf/"), "{reason}");
        assert_eq!(ledger.write(&records(4..=4), NOW), None, "it is not tried again at once");
        let later = NOW + AGAIN_AFTER;
        assert_eq!(ledger.write(&records(5..=5), later), None, "it is told once");
        shelf.set_room(None);
        shelf.files().is_stuck = false;
        assert_eq!(ledger.write(&records(6..=6), later), None);
        let news = ledger.write(&records(7..=7), later + AGAIN_AFTER);
        assert_eq!(news, Some(LedgerNews::Resumed { lost_len: 5 }));
        assert_eq!(ledger.write(&records(8..=8), later + AGAIN_AFTER), None);
        let (ledger, opened) = open(&shelf);
        assert_eq!(opened.damage, [""; 0]);
        let held = (1..=8).filter(|place| recollected(&ledger, *place).is_some()).collect::<Vec<_>>();
        assert_eq!(held, [1, 7, 8]);
        let lost = lost_lens(&shelf);
        assert_eq!(lost, [5]);
    }
}

/// What the chain says of how many entries were lost.
fn lost_lens(shelf: &Shelf) -> Vec<u64> {
    let files = shelf.files();
    let entries = files.files.values().flat_map(|bytes| {
        let header = &bytes[..HEADER_LEN];
        chain::Frames::after_header(bytes, HEADER_LEN, Link::of_header(header)).map(Result::unwrap).collect::<Vec<_>>()
    });
    let lost = entries.map(|entry| Entry::decode(entry).unwrap()).filter_map(|entry| match entry {
        Entry::Lost { len, .. } => Some(len),
        _ => None,
    });
    lost.collect()
}

#[test]
fn a_disk_that_is_full_when_a_file_is_begun_loses_only_what_comes_then() {
    let shelf = Shelf::default();
    let mut ledger = open_small(&shelf);
    let mut last = 0;
    let batch = 100;
    while shelf.files().files.values().all(|bytes| (bytes.len() as u64) < SEGMENT_LEN_MIN) {
        ledger.write(&records(last + 1..=last + batch), NOW);
        last += batch;
        if last > batch {
            // Room for what the first file lacks, and not for the header of the next one.
            let len = shelf.files().files["00000001.ledger"].len();
            shelf.set_room(Some((SEGMENT_LEN_MIN as usize + HEADER_LEN).saturating_sub(len)));
        }
    }
    let mut now = NOW;
    assert_eq!(shelf.files().files.len(), 1);
    shelf.set_room(None);
    now = now + AGAIN_AFTER;
    ledger.write(&records(last + 1..=last + 1), now);
    let verified: u64 = lost_lens(&shelf).iter().sum();
    let held = (1..=last + 1).filter(|place| recollected(&ledger, *place).is_some()).count() as u64;
    assert_eq!(held + verified, last + 1, "what is not there is counted");
    assert!(verified < batch, "{verified}");
}

#[test]
fn what_was_never_handed_over_is_counted_as_well() {
    let shelf = Shelf::default();
    let (mut ledger, _) = open(&shelf);
    assert!(matches!(ledger.lose(3, NOW), Some(LedgerNews::Failed { .. })));
    assert_eq!(ledger.lose(4, NOW), None);
    assert_eq!(ledger.write(&records(1..=1), NOW), Some(LedgerNews::Resumed { lost_len: 7 }));
    assert_eq!(lost_lens(&shelf), [7]);
}
