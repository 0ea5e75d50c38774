//! Entries are appended, files begun and removed. Nothing here ends a process: what cannot be written is lost, and counted.

use std::io;

use super::disk::Disk;
use super::segment::{Before, HEADER_LEN, KIND, Places};
use super::{AGAIN_AFTER, Failing, Held, LedgerFiles, Tip};
use crate::protocol::ledger::{Entry, LedgerNews};
use crate::protocol::time::Instant;

/// About how many bytes an entry takes in a file, to begin with; most are a request's.
const ENTRY_LEN: usize = 192;

impl<D: Disk> LedgerFiles<D> {
    /// Appends entries. What people may want to know of it: that it fails now, or does no more.
    pub fn write(&mut self, entries: &[Entry], now: Instant) -> Option<LedgerNews> {
        if let Some(failing) = self.failing.as_mut().filter(|failing| now < failing.again_at) {
            failing.lost_len += entries.len() as u64;
            return None;
        }
        let earlier = self.failing.take();
        let gap = earlier.as_ref().filter(|earlier| earlier.lost_len > 0).map(|earlier| Entry::Lost {
            at: now,
            len: earlier.lost_len,
            reason: earlier.reason.clone(),
        });
        let all: Vec<&Entry> = gap.iter().chain(entries).collect();
        let mut written_len = 0;
        let appended = self.append_all(&all, &mut written_len);
        let Err(error) = appended else {
            return earlier.map(|earlier| LedgerNews::Resumed { lost_len: earlier.lost_len });
        };
        let is_gap_told = written_len > 0;
        let still_lost_len = earlier.as_ref().filter(|_| !is_gap_told).map_or(0, |earlier| earlier.lost_len);
        let left_len = entries.len() - written_len.saturating_sub(usize::from(gap.is_some()));
        let reason = format!("{}: {error}", self.disk.path(""));
        let failing =
            Failing { lost_len: still_lost_len + left_len as u64, reason: reason.clone(), again_at: now + AGAIN_AFTER };
        self.failing = Some(failing);
        // It is told once, however often it is tried again.
        earlier.is_none().then_some(LedgerNews::Failed { reason })
    }

    /// Counts entries as lost that were never handed over; the next one that is written says so. What people may want to know of it.
    pub fn lose(&mut self, len: u64, now: Instant) -> Option<LedgerNews> {
        if let Some(failing) = &mut self.failing {
            failing.lost_len += len;
            return None;
        }
        let reason = "more came than could be written".to_owned();
        self.failing = Some(Failing { lost_len: len, reason: reason.clone(), again_at: now });
        Some(LedgerNews::Failed { reason })
    }

    /// Returns once all that was written outlives what it has to, as far as the disk lets it.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.files.is_empty() { Ok(()) } else { self.disk.sync() }
    }

    /// Appends one after the other; counts those that are there.
    fn append_all(&mut self, entries: &[&Entry], written_len: &mut usize) -> io::Result<()> {
        if self.needs_cut {
            self.disk.cut(self.last_len())?;
            self.needs_cut = false;
        }
        let mut bytes = Vec::with_capacity(ENTRY_LEN * entries.len());
        while *written_len < entries.len() {
            if self.last_len() >= self.segment_len_max || self.files.is_empty() {
                self.begin_file()?;
            }
            let (mut tip, room) = (self.tip, self.segment_len_max - self.last_len());
            let mut part_len = 0;
            bytes.clear();
            for entry in &entries[*written_len..] {
                if bytes.len() as u64 >= room {
                    break;
                }
                tip.link = tip.link.append(&entry.encode(), &mut bytes);
                tip.pass(Some(entry));
                part_len += 1;
            }
            if let Err(error) = self.disk.append(&bytes) {
                // What got there is no part of the ledger. If it stays, it is cut off before anything follows.
                self.needs_cut = self.disk.cut(self.last_len()).is_err();
                return Err(error);
            }
            self.tip = tip;
            *written_len += part_len;
            let last = self.files.back_mut().expect("one was begun");
            last.len += bytes.len() as u64;
            (last.places, last.last_event) = (tip.places, tip.last_event);
        }
        Ok(())
    }

    /// The last file is full, or there is none.
    fn begin_file(&mut self) -> io::Result<()> {
        self.sync()?;
        let size = |ledger: &Self| ledger.files.iter().map(|held| held.len).sum::<u64>();
        while self.files.len() > 1 && size(self) + self.segment_len_max > self.size_bytes_max {
            self.disk.remove(&KIND.file_name(self.files[0].number))?;
            self.files.pop_front();
        }
        let number = self.files.back().map_or(1, |last| last.number.saturating_add(1));
        let before = Before::after(&self.tip);
        let header = before.header(number, self.owner);
        self.disk.create(&KIND.file_name(number), &header)?;
        self.tip = Tip::at_begin(&before, &header);
        let last_event = before.last_event;
        self.files.push_back(Held { number, len: HEADER_LEN as u64, before, places: Places::NONE, last_event });
        Ok(())
    }

    fn last_len(&self) -> u64 {
        self.files.back().map_or(0, |last| last.len)
    }
}
