//! Frames: records as bytes, one after the other, so that damage shows.
//!
//! ```text
//! version (1) | length of the content (4, least significant first) | checksum (8) | content
//! ```
//!
//! The checksum is the beginning of the BLAKE3 digest of all the rest. It tells accidents, not forgeries: who can write to the data
//! directory is the operator.

use std::fmt;

use crate::protocol::limits::STATE_LEN_MAX;
use crate::protocol::record::Record;

/// The first byte of every frame; it changes whenever an older reader would misread.
pub const VERSION: u8 = 1;

/// The bytes of a frame before its record.
pub const HEADER_LEN: usize = 13;

/// The longest record: a checkpoint with what is around it.
const RECORD_LEN_MAX: usize = STATE_LEN_MAX + 1024;

/// The longest frame.
pub const LEN_MAX: usize = HEADER_LEN + RECORD_LEN_MAX;

/// Where the checksum begins.
const CHECKSUM_AT: usize = 5;

/// Appends a record in its frame.
pub fn encode(record: &Record, bytes: &mut Vec<u8>) {
    enclose([&record.encode()], bytes);
}

/// Reads the frame at the beginning of these bytes, with its length; or says in words why there is none. No bytes hold none.
pub fn decode(bytes: &[u8]) -> Result<(Record, usize), String> {
    let (record, len) = open(bytes).map_err(|unusable| unusable.to_string())?;
    Ok((Record::decode(record)?, len))
}

/// Appends content in a frame, given in parts.
pub fn enclose<const PARTS: usize>(content: [&[u8]; PARTS], bytes: &mut Vec<u8>) {
    let len: usize = content.iter().map(|part| part.len()).sum();
    let len = u32::try_from(len).expect("a record is a state at most");
    let start = bytes.len();
    bytes.push(VERSION);
    bytes.extend_from_slice(&len.to_le_bytes());
    let checksum = checksum(&bytes[start..], content);
    bytes.extend_from_slice(&checksum);
    content.iter().for_each(|part| bytes.extend_from_slice(part));
}

/// What is in the frame at the beginning of these bytes, and how long that is. No bytes hold none.
pub fn open(bytes: &[u8]) -> Result<(&[u8], usize), Unusable> {
    let Some((header, rest)) = bytes.split_at_checked(HEADER_LEN) else {
        return Err(Unusable::CutOff(format!("{} bytes of a header", bytes.len())));
    };
    if header[0] != VERSION {
        return Err(Unusable::Wrong(format!("version {}, expected {VERSION}", header[0])));
    }
    let len = u32::from_le_bytes(*header[1..].first_chunk().expect("a header is longer")) as usize;
    if len > RECORD_LEN_MAX {
        return Err(Unusable::Wrong(format!("a record of {len} bytes, of which there is none")));
    }
    let Some(content) = rest.get(..len) else {
        return Err(Unusable::CutOff(format!("{} of {len} bytes", rest.len())));
    };
    if checksum(&header[..CHECKSUM_AT], [content]) != header[CHECKSUM_AT..] {
        return Err(Unusable::Wrong("its checksum is wrong".to_owned()));
    }
    Ok((content, HEADER_LEN + len))
}

/// Why bytes do not begin with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// They end before it does: after what.
    CutOff(String),
    /// They are none, in words.
    Wrong(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::CutOff(after) => write!(f, "it is cut off after {after}"),
            Unusable::Wrong(words) => f.write_str(words),
        }
    }
}

fn checksum<const PARTS: usize>(head: &[u8], content: [&[u8]; PARTS]) -> [u8; HEADER_LEN - CHECKSUM_AT] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(head);
    content.iter().for_each(|part| _ = hasher.update(part));
    *hasher.finalize().as_bytes().first_chunk().expect("a digest is longer")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::id::{Incarnation, SequenceNumber};
    use proptest::prelude::*;

    fn frames(records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        records.iter().for_each(|record| encode(record, &mut bytes));
        bytes
    }

    #[test]
    fn frames_are_read_back_one_after_the_other() {
        let records =
            [Record::Life(Incarnation(3)), Record::Void(SequenceNumber(9)), Record::Begin(SequenceNumber(70_000))];
        let bytes = frames(&records);
        let mut at = 0;
        for record in records {
            let (read, len) = decode(&bytes[at..]).unwrap();
            assert_eq!(read, record);
            at += len;
        }
        assert_eq!(at, bytes.len());
    }

    #[test]
    fn a_frame_that_is_cut_off_or_of_another_version_is_refused_in_words() {
        let bytes = frames(&[Record::Life(Incarnation(3))]);
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).unwrap_err().contains("cut off"), "{len}");
        }
        assert_eq!(decode(&[[9].as_slice(), &bytes[1..]].concat()).unwrap_err(), "version 9, expected 1");
    }

    #[test]
    fn every_flipped_bit_shows() {
        let bytes = frames(&[Record::Void(SequenceNumber(300))]);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&flipped).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Some(version) = bytes.first_mut() {
                *version = VERSION;
            }
            let _total = decode(&bytes);
        }
    }
}
