//! The files of a directory, each a run of records: what they are called, and what stands at their beginning.
//!
//! ```text
//! "dsms log" (8) | version (1) | checksum of these (4) | cluster (16) | replica (1) | number of the file (8)
//!   | last life (4) | the log before the file: its start (8) | its end (8) | checksum of all this (8)
//! ```
//!
//! Numbers are written least significant byte first. Frames follow. With the extent of what was before it, a file can be read
//! when those before it are gone. Whatever a later version changes, the first 13 bytes keep their meaning: so a file of that version is
//! told from a damaged one.

use std::path::{Path, PathBuf};

use super::Owner;
use super::extent::Extent;
use crate::protocol::id::{Incarnation, SequenceNumber};

/// The first bytes of every file, by which others are told from it.
const MAGIC: &[u8; 8] = b"dsms log";

/// The version of what is written here. A reader refuses later ones, and leaves them as they are.
pub(super) const VERSION: u8 = 1;

/// The bytes that any version begins with, and those of them that the checksum is of.
const BEGINNING_LEN: usize = 13;
const BEGINNING_CHECKED_LEN: usize = 9;

/// The bytes of a file before its first frame.
pub(super) const HEADER_LEN: usize = 66;

/// The bytes of a header that its checksum is of.
const CHECKED_LEN: usize = HEADER_LEN - 8;

/// How the name of every file ends.
const SUFFIX: &str = ".log";

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

/// Why a file's header is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// Another version of this program wrote it, a later one, since there is none before.
    Newer(u8),
    /// It is whole, and of somebody else, in words.
    Foreign(String),
    /// It is damaged, or never was a header, in words.
    Damaged(String),
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
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&checksum::<4>(&bytes));
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
        let damaged = |words: &str| Err(Unusable::Damaged(words.to_owned()));
        let cut_off = || Unusable::Damaged(format!("it is cut off after {} bytes of a header", bytes.len()));
        let beginning = bytes.first_chunk::<BEGINNING_LEN>().ok_or_else(cut_off)?;
        let (named, named_checksum) = beginning.split_at(BEGINNING_CHECKED_LEN);
        if !named.starts_with(MAGIC) || checksum::<4>(named) != named_checksum {
            return damaged("this is no file of dsms, or its beginning is damaged");
        }
        if named[MAGIC.len()] != VERSION {
            return Err(Unusable::Newer(named[MAGIC.len()]));
        }
        let header = bytes.first_chunk::<HEADER_LEN>().ok_or_else(cut_off)?;
        let (checked, header_checksum) = header.split_at(CHECKED_LEN);
        if checksum::<8>(checked) != header_checksum {
            return damaged("the checksum of its header is wrong");
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
            return damaged("what it says of the files before it is impossible");
        }
        Ok(Segment::new(number, Extent { incarnation, start, end }))
    }
}

/// The next bytes of a header, which is long enough.
fn take<const LEN: usize>(rest: &mut &[u8]) -> [u8; LEN] {
    let (taken, left) = rest.split_first_chunk().expect("a header is longer");
    *rest = left;
    *taken
}

/// The name of the file of this number.
pub(super) fn file_name(number: u64) -> String {
    format!("{number:08}{SUFFIX}")
}

/// The number of the file of this name, if it is the name of one.
pub(super) fn number_of(name: &str) -> Option<u64> {
    let number = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

fn checksum<const LEN: usize>(bytes: &[u8]) -> [u8; LEN] {
    *blake3::hash(bytes).as_bytes().first_chunk().expect("a digest is longer")
}
