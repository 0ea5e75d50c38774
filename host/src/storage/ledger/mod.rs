//! The ledger of a front end in the files of a directory: entries one after the other, each bound to all before it.
//!
//! It is a record for people, which no answer waits for: entries are appended in batches, and the disk is waited for only when a file is full
//! and when the process ends. What cannot be written is counted, told, and lost; the entry that comes next says how much that was. The
//! number of files is bounded, and the oldest go.
//!
//! An entry's **link** is the hash of the entry under the key that the link before it is; a file's first link is that of its header, in which
//! the last link of the file before stands. So whoever changes, takes out or puts in an entry has to write all links after it anew, and
//! whoever has noted one of those sees it. It is the same for accidents, which the checksums of frames tell at their place.
//!
//! | File | Its part |
//! |---|---|
//! | `chain.rs` | links, and entries in frames |
//! | `segment.rs` | one file: its name, and its header |
//! | `disk.rs` | what is done to files |
//! | `opening.rs` | what is there when a process begins |
//! | `writing.rs` | entries are appended, files begun and removed |
//! | `recalling.rs` | what was written of one place, and of events |
//! | `verifying.rs` | all files of a directory that nobody need have open |

mod chain;
mod disk;
mod opening;
mod recalling;
mod segment;
#[cfg(test)]
mod tests;
mod verifying;
mod writing;

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::identity::ClusterId;
use crate::protocol::id::NodeId;
use crate::protocol::ledger::Entry;
use crate::protocol::time::Instant;

pub use chain::Link;
pub use disk::{Directory, Disk};
pub use opening::Opened;
pub use verifying::{Broken, SegmentReport, Verified, read_entries, verify};

use segment::{Before, Places};

/// Most bytes of all files together that an operator may ask for, and fewest. Below a megabyte a file holds some hundred entries; beyond
/// 64 GiB looking at all headers at the start would take seconds.
pub const SIZE_BYTES_RANGE: RangeInclusive<u64> = (1 << 20)..=(64 << 30);

/// Most bytes of all files together when nothing else is said: some one and a half million requests.
pub const SIZE_BYTES_MAX: u64 = 256 << 20;

/// So many files share the bytes, so that removing one takes a small part of what is there.
const FILES_LEN: u64 = 16;

/// The lengths at which a file is full. A longer one takes long to read for one place of it.
const SEGMENT_LEN_MIN: u64 = 64 << 10;
const SEGMENT_LEN_MAX: u64 = 16 << 20;

/// How long after a failure it is tried again to write.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Whose a ledger is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The cluster.
    pub cluster: ClusterId,
    /// The node of it.
    pub node: NodeId,
}

/// A ledger that is being written.
#[derive(Debug)]
pub struct LedgerFiles<D> {
    disk: D,
    owner: Owner,
    /// The length at which a file is full.
    segment_len_max: u64,
    /// Most bytes of all files.
    size_bytes_max: u64,
    /// The files there are, the last of which is written to. None before the first entry.
    files: VecDeque<Held>,
    tip: Tip,
    /// The last file may be longer than what counts.
    needs_cut: bool,
    failing: Option<Failing>,
}

/// A file.
#[derive(Clone, Copy, Debug)]
struct Held {
    number: u64,
    len: u64,
    /// What its header says.
    before: Before,
    /// What its entries are about.
    places: Places,
    /// The index of the last event in it, or before it.
    last_event: u64,
}

/// The end of all entries.
#[derive(Clone, Copy, Debug)]
struct Tip {
    link: Link,
    /// How many entries there are, with those of files that were removed.
    entries_len: u64,
    last_event: u64,
    /// What the entries of the last file are about.
    places: Places,
    /// The highest place that any entry was about; 0 for none.
    last_place: u64,
}

/// Nothing can be written for now.
#[derive(Debug)]
struct Failing {
    lost_len: u64,
    reason: String,
    again_at: Instant,
}

/// Where one node keeps its ledger, in the data directory of its cluster.
pub fn directory_of(node: NodeId, data: &Path) -> PathBuf {
    data.join(node.to_string())
}

impl Tip {
    /// The end of a ledger that has not begun.
    const START: Tip = Tip { link: Link::START, entries_len: 0, last_event: 0, places: Places::NONE, last_place: 0 };

    /// The beginning of a file with this header, which says this.
    fn at_begin(before: &Before, header: &[u8]) -> Tip {
        let Before { entries_len, last_event, last_place, .. } = *before;
        Tip { link: Link::of_header(header), entries_len, last_event, places: Places::NONE, last_place }
    }

    /// Takes in an entry; `None` for one that this version cannot read.
    fn pass(&mut self, entry: Option<&Entry>) {
        self.entries_len += 1;
        match entry {
            Some(Entry::Event(event)) => self.last_event = event.index,
            // Whoever asks for one of these places has to read this as well.
            Some(Entry::GivenAnew { after }) if after.0 < self.last_place => {
                self.places.include(after.0 + 1);
                self.places.include(self.last_place);
            }
            _ => {}
        }
        if let Some(sequence) = entry.and_then(Entry::sequence) {
            self.places.include(sequence.0);
            self.last_place = self.last_place.max(sequence.0);
        }
    }
}
