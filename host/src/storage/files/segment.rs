//! The files of a directory, each a run of records: what they are called, and what stands at their beginning.
//!
//! ```text
//! "dsms log" (8) | version (1) | checksum of these (4) | cluster (16) | replica (1) | number of the file (8)
//!   | last life (4) | the log before the file: its start (8) | its end (8) | checksum of all this (8)
//! ```
//!
//! Numbers are written least significant byte first. Frames follow. With the extent of what was before it, a file can be read
//! when those before it are gone.

use std::path::{Path, PathBuf};

use super::Owner;
use super::extent::Extent;
use crate::protocol::id::{Incarnation, SequenceNumber};
use crate::storage::numbered_file::{BEGINNING_LEN, Kind, Unusable, checksum, take};

/// The files of a manager's records. Those of version 1 are the same, without tentative checkpoints.
pub(super) const KIND: Kind = Kind { magic: b"dsms log", version: 2, suffix: ".log" };

/// The bytes of a file before its first frame.
pub(super) const HEADER_LEN: usize = 66;

/// The bytes of a header that its checksum is of.
const CHECKED_LEN: usize = HEADER_LEN - 8;

/// One file: its number, and what was before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// One more than that of the file before.
    pub(super) number: u64,
    /// What all records before the file amount to.
    pub(super) before: Extent,
    /// The latest checkpoint in it.
    pub(super) checkpoint: Option<SequenceNumber>,
}

impl Segment {
    pub(super) fn new(number: u64, before: Extent) -> Segment {
        Segment { number, before, checkpoint: None }
    }

    /// Where it is.
    pub(super) fn path(&self, directory: &Path) -> PathBuf {
        directory.join(file_name(self.number))
    }

    /// Its header.
    pub(super) fn header(&self, owner: Owner) -> Vec<u8> {
        let Extent { incarnation, start, end } = self.before;
        let mut bytes = KIND.beginning();
        bytes.extend_from_slice(&owner.cluster.0);
        bytes.push(owner.replica.number());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&incarnation.0.to_le_bytes());
        bytes.extend_from_slice(&start.0.to_le_bytes());
        bytes.extend_from_slice(&end.0.to_le_bytes());
        bytes.extend_from_slice(&checksum::<8>(&bytes));
        bytes
    }

    /// Reads the header of the file of this number.
    pub(super) fn read(number: u64, bytes: &[u8], owner: Owner) -> Result<Segment, Unusable> {
        KIND.check_beginning(bytes)?;
        let header = bytes.first_chunk::<HEADER_LEN>().ok_or_else(|| Unusable::cut_off(bytes))?;
        let (checked, header_checksum) = header.split_at(CHECKED_LEN);
        if checksum::<8>(checked) != header_checksum {
            return Err(Unusable::damaged("the checksum of its header is wrong"));
        }
        let mut rest = &checked[BEGINNING_LEN..];
        let (cluster, [replica]) = (take::<16>(&mut rest), take::<1>(&mut rest));
        if cluster != owner.cluster.0 {
            return Err(Unusable::Foreign("it belongs to another cluster".to_owned()));
        }
        if replica != owner.replica.number() {
            return Err(Unusable::Foreign(format!("it belongs to replica-{replica}")));
        }
        let written = u64::from_le_bytes(take(&mut rest));
        if written != number {
            return Err(Unusable::Damaged(format!("it was written as {}", file_name(written))));
        }
        let incarnation = Incarnation(u32::from_le_bytes(take(&mut rest)));
        let [start, end] = [take(&mut rest), take(&mut rest)].map(|place| SequenceNumber(u64::from_le_bytes(place)));
        let is_possible =
            start <= end && end.0 <= SequenceNumber::RECEIVED_MAX && incarnation.0 <= Incarnation::RECEIVED_MAX;
        if !is_possible {
            return Err(Unusable::damaged("what it says of the files before it is impossible"));
        }
        Ok(Segment::new(number, Extent { incarnation, start, end }))
    }
}

/// The name of the file of this number.
pub(super) fn file_name(number: u64) -> String {
    KIND.file_name(number)
}

/// The number of the file of this name, if it is the name of one.
pub(super) fn number_of(name: &str) -> Option<u64> {
    KIND.number_of(name)
}
