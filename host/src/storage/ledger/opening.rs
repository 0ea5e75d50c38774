//! What is there when a process begins: headers of all files, and the whole of the last one.

use std::collections::VecDeque;
use std::io;

use super::chain::Frames;
use super::disk::{Disk, unusable};
use super::segment::{Before, HEADER_LEN, KIND, Places};
use super::{FILES_LEN, Held, LedgerFiles, Owner, SEGMENT_LEN_MAX, SEGMENT_LEN_MIN, Tip};
use crate::protocol::ledger::Entry;
use crate::storage::files::OpenError;
use crate::storage::frame;
use crate::storage::numbered_file::Unusable;

/// What a ledger was found with.
#[derive(Debug)]
pub struct Opened {
    /// The index of the last event in it.
    pub last_event: u64,
    /// What was wrong, in words, one sentence each.
    pub damage: Vec<String>,
}

impl<D: Disk> LedgerFiles<D> {
    /// Opens the files there are, or none. What is of a later version or of somebody else is refused, and nothing is changed then. An end
    /// that is not a whole entry is cut off; what is damaged otherwise is set aside and told.
    pub fn open(disk: D, owner: Owner, size_bytes_max: u64) -> Result<(LedgerFiles<D>, Opened), OpenError> {
        let mut ledger = LedgerFiles {
            disk,
            owner,
            segment_len_max: (size_bytes_max / FILES_LEN).clamp(SEGMENT_LEN_MIN, SEGMENT_LEN_MAX),
            size_bytes_max,
            files: VecDeque::new(),
            tip: Tip::START,
            needs_cut: false,
            failing: None,
        };
        let mut damage = Vec::new();
        for number in ledger.numbers()? {
            // Before anything is changed. What is damaged is no reason.
            let _used_or_not = ledger.header(number)?;
        }
        for number in ledger.numbers()? {
            ledger.take_in(number, &mut damage)?;
        }
        ledger.measure();
        ledger.go_to_end(&mut damage)?;
        let opened = Opened { last_event: ledger.tip.last_event, damage };
        Ok((ledger, opened))
    }

    /// The numbers of the files there are, in their order.
    fn numbers(&self) -> Result<Vec<u64>, OpenError> {
        let names = self.disk.names().map_err(unusable(&self.disk, ""))?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| KIND.number_of(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// What the header of a file says, or what is wrong with it; refused, if nobody may use it who does not own it.
    fn header(&self, number: u64) -> Result<Result<Before, String>, OpenError> {
        let name = KIND.file_name(number);
        let header = self.disk.read(&name, HEADER_LEN as u64).map_err(unusable(&self.disk, &name))?;
        let file = self.disk.path(&name);
        match Before::read(number, &header, Some(self.owner)) {
            Ok((_, before)) => Ok(Ok(before)),
            Err(Unusable::Damaged(words)) => Ok(Err(words)),
            Err(Unusable::Foreign(words)) => Err(OpenError::Foreign { file, words }),
            Err(Unusable::Newer(version)) => {
                Err(OpenError::Newer { file, version: version.into(), known: KIND.version.into() })
            }
        }
    }

    /// The next file is there, or it is not used.
    fn take_in(&mut self, number: u64, damage: &mut Vec<String>) -> Result<(), OpenError> {
        let name = KIND.file_name(number);
        let file = self.disk.path(&name);
        let before = match self.header(number)? {
            Ok(before) => before,
            Err(words) => {
                let aside = self.disk.set_aside(&name, 0).map_err(unusable(&self.disk, &name))?;
                damage.push(format!("{file}: {words}; it is set aside as {aside}"));
                return Ok(());
            }
        };
        if self.files.back().is_some_and(|last| last.number + 1 != number) {
            damage.push(format!("{}, which {file} follows, is missing", KIND.file_name(number - 1)));
        }
        let len = self.disk.len(&name).map_err(unusable(&self.disk, &name))?;
        self.files.push_back(Held { number, len, before, places: Places::NONE, last_event: before.last_event });
        Ok(())
    }

    /// Finds out what each file but the last is about: from the header of the next one, or if that is missing, from all of it.
    fn measure(&mut self) {
        for place in 1..self.files.len() {
            let (held, next) = (self.files[place - 1], self.files[place]);
            let (places, last_event) = match next.number == held.number + 1 {
                true => (next.before.places, next.before.last_event),
                false => self
                    .walk(&held)
                    .map_or((Places::NONE, held.last_event), |walk| (walk.tip.places, walk.tip.last_event)),
            };
            let held = &mut self.files[place - 1];
            (held.places, held.last_event) = (places, last_event);
        }
    }

    /// Has the last file be the one that is appended to, after its last whole entry.
    fn go_to_end(&mut self, damage: &mut Vec<String>) -> Result<(), OpenError> {
        let Some(last) = self.files.back().copied() else { return Ok(()) };
        let name = KIND.file_name(last.number);
        let Walk { tip, len, ended } = self.walk(&last).map_err(unusable(&self.disk, &name))?;
        if let Some(frame::Unusable::Wrong(words)) = &ended {
            let aside = self.disk.set_aside(&name, len).map_err(unusable(&self.disk, &name))?;
            let file = self.disk.path(&name);
            damage.push(format!("{file}, byte {len}: {words}; what is from there on is set aside in {aside}"));
        }
        let opened = self.disk.open(&name).and_then(|()| ended.map_or(Ok(()), |_| self.disk.cut(len)));
        opened.map_err(unusable(&self.disk, &name))?;
        let last = self.files.back_mut().expect("it was there");
        (last.len, last.places, last.last_event) = (len, tip.places, tip.last_event);
        self.tip = tip;
        Ok(())
    }

    /// Reads a whole file.
    fn walk(&self, held: &Held) -> io::Result<Walk> {
        let bytes = self.disk.read(&KIND.file_name(held.number), u64::MAX)?;
        let header = bytes.get(..HEADER_LEN).ok_or_else(|| io::Error::other("it has no header any more"))?;
        let mut tip = Tip::at_begin(&held.before, header);
        let mut frames = Frames::after_header(&bytes, HEADER_LEN, tip.link);
        let mut ended = None;
        for entry in frames.by_ref() {
            match entry {
                Ok(entry) => tip.pass(Entry::decode(entry).ok().as_ref()),
                Err(unusable) => ended = Some(unusable),
            }
        }
        tip.link = frames.link;
        Ok(Walk { tip, len: frames.at as u64, ended })
    }
}

/// What a whole file amounts to.
struct Walk {
    /// The end of its entries.
    tip: Tip,
    /// How many bytes of it are whole entries.
    len: u64,
    /// Why no more of them are.
    ended: Option<frame::Unusable>,
}
