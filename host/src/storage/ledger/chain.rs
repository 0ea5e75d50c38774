//! Links, and entries in frames: `frame header | link (32) | entry`.

use std::fmt;
use std::str::FromStr;

use crate::storage::frame::{self, Unusable};

/// The bytes of a link.
pub(super) const LINK_LEN: usize = 32;

/// What binds an entry to all before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Link([u8; LINK_LEN]);

impl Link {
    /// That of a ledger that has not begun.
    pub const START: Link = Link([0; LINK_LEN]);

    /// The first link of a file, whose header names the last one of the file before.
    pub(super) fn of_header(header: &[u8]) -> Link {
        Link(*blake3::hash(header).as_bytes())
    }

    /// The link of the entry that follows.
    fn next(self, entry: &[u8]) -> Link {
        Link(*blake3::keyed_hash(&self.0, entry).as_bytes())
    }

    /// Appends an entry in its frame; its link.
    pub(super) fn append(self, entry: &[u8], bytes: &mut Vec<u8>) -> Link {
        let link = self.next(entry);
        frame::enclose([&link.0, entry], bytes);
        link
    }

    pub(super) fn bytes(self) -> [u8; LINK_LEN] {
        self.0
    }

    pub(super) fn from_bytes(bytes: [u8; LINK_LEN]) -> Link {
        Link(bytes)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({self})")
    }
}

/// The text is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a link, 64 hexadecimal digits, as `dsms ledger verify` prints it")]
pub struct NotALink;

impl FromStr for Link {
    type Err = NotALink;

    fn from_str(text: &str) -> Result<Link, NotALink> {
        blake3::Hash::from_hex(text).map(|hash| Link(*hash.as_bytes())).map_err(|_| NotALink)
    }
}

/// The entries of a file, as bytes, each with its place in it. Ends after the first that cannot be used.
pub(super) struct Frames<'a> {
    bytes: &'a [u8],
    /// Where the next frame begins.
    pub(super) at: usize,
    /// The link of the entry before it.
    pub(super) link: Link,
    is_over: bool,
}

impl<'a> Frames<'a> {
    /// What follows a header of this length, which has this link, in the bytes of a file.
    pub(super) fn after_header(bytes: &'a [u8], header_len: usize, link: Link) -> Frames<'a> {
        Frames { bytes, at: header_len, link, is_over: false }
    }

    fn read(&self) -> Result<(&'a [u8], usize), Unusable> {
        let (content, len) = frame::open(&self.bytes[self.at..])?;
        let Some((link, entry)) = content.split_first_chunk::<LINK_LEN>() else {
            return Err(Unusable::Wrong(format!("{} bytes, too few for an entry", content.len())));
        };
        if self.link.next(entry).0 != *link {
            let words = "it does not follow what is before it: something was changed, taken out or put in";
            return Err(Unusable::Wrong(words.to_owned()));
        }
        Ok((entry, len))
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<&'a [u8], Unusable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over || self.at >= self.bytes.len() {
            return None;
        }
        let read = self.read();
        match &read {
            Ok((entry, len)) => {
                self.at += len;
                self.link = self.link.next(entry);
            }
            Err(_) => self.is_over = true,
        }
        Some(read.map(|(entry, _)| entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(entries: &[&str]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut link, mut places) = (Vec::new(), Link::START, Vec::new());
        for entry in entries {
            places.push(bytes.len());
            link = link.append(entry.as_bytes(), &mut bytes);
        }
        (bytes, places)
    }

    /// How many entries are read, and why no more.
    fn read(bytes: &[u8]) -> (usize, Option<Unusable>) {
        let frames: Vec<_> = Frames::after_header(bytes, 0, Link::START).collect();
        let unusable = frames.last().and_then(|last| last.clone().err());
        (frames.len() - usize::from(unusable.is_some()), unusable)
    }

    #[test]
    fn entries_are_read_back_with_the_link_of_the_last() {
        let (bytes, _) = chain(&["one", "", "three"]);
        let mut frames = Frames::after_header(&bytes, 0, Link::START);
        let entries: Vec<_> = frames.by_ref().map(Result::unwrap).collect();
        assert_eq!(entries, [b"one".as_slice(), b"", b"three"]);
        assert_eq!(frames.at, bytes.len());
        assert_ne!(frames.link, Link::START);
        assert_eq!(frames.link.to_string().parse(), Ok(frames.link));
        assert_eq!("abc".parse::<Link>(), Err(NotALink));
    }

    #[test]
    fn an_entry_that_is_taken_out_put_in_or_moved_shows_where_it_was() {
        let (bytes, at) = chain(&["one", "two!", "three", "four"]);
        let frame = |place: usize| &bytes[at[place]..at.get(place + 1).copied().unwrap_or(bytes.len())];
        let is_wrong = |places: &[usize], good_len| {
            let altered = places.iter().flat_map(|place| frame(*place)).copied().collect::<Vec<u8>>();
            assert!(matches!(read(&altered), (len, Some(Unusable::Wrong(_))) if len == good_len), "{places:?}");
        };
        is_wrong(&[0, 2, 3], 1);
        is_wrong(&[0, 1, 1, 2, 3], 2);
        is_wrong(&[0, 2, 1, 3], 1);
        is_wrong(&[1, 2, 3], 0);
        // The end can be taken away: only who has noted its link sees that.
        assert_eq!(read(&[frame(0), frame(1)].concat()), (2, None));
    }

    #[test]
    fn an_entry_that_is_changed_with_its_checksum_shows_at_the_next_one() {
        let (bytes, at) = chain(&["one", "two!", "three"]);
        let mut altered = bytes[..at[1]].to_vec();
        let first = Frames::after_header(&altered, 0, Link::START).by_ref().last();
        assert!(first.is_some());
        let link = {
            let mut frames = Frames::after_header(&altered, 0, Link::START);
            frames.by_ref().for_each(drop);
            frames.link
        };
        link.append(b"2222", &mut altered);
        altered.extend_from_slice(&bytes[at[2]..]);
        assert!(matches!(read(&altered), (2, Some(Unusable::Wrong(words))) if words.contains("does not follow")));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_shows() {
        let (bytes, at) = chain(&["one", "two!"]);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (read_len, unusable) = read(&flipped);
            assert!(unusable.is_some() && read_len == usize::from(bit / 8 >= at[1]), "bit {bit}");
        }
        for len in (1..bytes.len()).filter(|len| *len != at[1]) {
            assert!(matches!(read(&bytes[..len]), (_, Some(Unusable::CutOff(_)))), "{len}");
        }
    }
}
