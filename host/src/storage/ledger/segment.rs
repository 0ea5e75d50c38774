//! One file: its name, and what stands at its beginning.
//!
//! ```text
//! "dsms led" (8) | version (1) | checksum of these (4) | cluster (16) | node (1) | number of the file (8)
//!   | the last link before the file (32) | how many entries were before it (8) | the index of the last event before it (8)
//!   | the first (8) and the last place (8) that the file before it is about | the highest place before it (8) | checksum of all this (8)
//! ```
//!
//! Numbers are written least significant byte first. What the file before is about stands here, so that a place is found from headers.

use super::chain::{LINK_LEN, Link};
use super::{Owner, Tip};
use crate::protocol::id::{NodeId, SequenceNumber};
use crate::storage::files::identity::ClusterId;
use crate::storage::numbered_file::{BEGINNING_LEN, Kind, Unusable, checksum, take};

/// The files of a ledger.
pub(super) const KIND: Kind = Kind { magic: b"dsms led", version: 1, suffix: ".ledger" };

/// The bytes of a file before its first entry.
pub(super) const HEADER_LEN: usize = BEGINNING_LEN + 16 + 1 + 8 + LINK_LEN + 5 * 8 + CHECKSUM_LEN;

const CHECKSUM_LEN: usize = 8;

/// The first and the last of the places that some entries are about; 0 and 0 if they are about none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) first: u64,
    pub(super) last: u64,
}

/// What was before a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Before {
    pub(super) link: Link,
    pub(super) entries_len: u64,
    pub(super) last_event: u64,
    /// What the file before is about.
    pub(super) places: Places,
    /// The highest place that any entry was about; 0 for none.
    pub(super) last_place: u64,
}

impl Places {
    pub(super) const NONE: Places = Places { first: 0, last: 0 };

    pub(super) fn include(&mut self, place: u64) {
        self.first = if self.first == 0 { place } else { self.first.min(place) };
        self.last = self.last.max(place);
    }

    pub(super) fn contains(self, sequence: SequenceNumber) -> bool {
        (self.first..=self.last).contains(&sequence.0)
    }
}

impl Before {
    /// What is before the file that follows these entries.
    pub(super) fn after(tip: &Tip) -> Before {
        let Tip { link, entries_len, last_event, places, last_place } = *tip;
        Before { link, entries_len, last_event, places, last_place }
    }

    /// The header of the file of this number.
    pub(super) fn header(&self, number: u64, owner: Owner) -> Vec<u8> {
        let Before { link, entries_len, last_event, places, last_place } = self;
        let mut bytes = KIND.beginning();
        bytes.extend_from_slice(&owner.cluster.0);
        bytes.push(owner.node.to_byte());
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&link.bytes());
        for counted in [*entries_len, *last_event, places.first, places.last, *last_place] {
            bytes.extend_from_slice(&counted.to_le_bytes());
        }
        bytes.extend_from_slice(&checksum::<CHECKSUM_LEN>(&bytes));
        assert_eq!(bytes.len(), HEADER_LEN, "the length of a header is fixed");
        bytes
    }

    /// Reads the header of the file of this number; whose it is, and what was before it. If an owner is given, it has to be that one's.
    pub(super) fn read(number: u64, bytes: &[u8], wanted: Option<Owner>) -> Result<(Owner, Before), Unusable> {
        KIND.check_beginning(bytes)?;
        let header = bytes.first_chunk::<HEADER_LEN>().ok_or_else(|| Unusable::cut_off(bytes))?;
        let (checked, header_checksum) = header.split_at(HEADER_LEN - CHECKSUM_LEN);
        if checksum::<CHECKSUM_LEN>(checked) != header_checksum {
            return Err(Unusable::damaged("the checksum of its header is wrong"));
        }
        let mut rest = &checked[BEGINNING_LEN..];
        let (cluster, [node]) = (ClusterId(take(&mut rest)), take::<1>(&mut rest));
        let node =
            NodeId::from_byte(node).ok_or_else(|| Unusable::damaged("it belongs to a node that there is not"))?;
        if wanted.is_some_and(|wanted| wanted.cluster != cluster) {
            return Err(Unusable::Foreign("it belongs to another cluster".to_owned()));
        }
        if wanted.is_some_and(|wanted| wanted.node != node) {
            return Err(Unusable::Foreign(format!("it belongs to {node}")));
        }
        let written = u64::from_le_bytes(take(&mut rest));
        if written != number {
            return Err(Unusable::Damaged(format!("it was written as {}", KIND.file_name(written))));
        }
        let link = Link::from_bytes(take(&mut rest));
        let [entries_len, last_event, first, last, last_place] = [(); 5].map(|()| u64::from_le_bytes(take(&mut rest)));
        let possible = 0..=SequenceNumber::RECEIVED_MAX;
        let is_possible = first <= last
            && [entries_len, last_event, last, last_place].iter().all(|counted| possible.contains(counted));
        if !is_possible {
            return Err(Unusable::damaged("what it says of the files before it is impossible"));
        }
        let before = Before { link, entries_len, last_event, places: Places { first, last }, last_place };
        Ok((Owner { cluster, node }, before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::id::ReplicaId;

    const OWNER: Owner = Owner { cluster: ClusterId([7; 16]), node: NodeId::FRONT_END };

    fn before() -> Before {
        let places = Places { first: 3, last: 90 };
        Before { link: Link::of_header(b"x"), entries_len: 12, last_event: 4, places, last_place: 91 }
    }

    #[test]
    fn a_header_is_read_back_by_its_owner() {
        let header = before().header(9, OWNER);
        assert_eq!(Before::read(9, &header, Some(OWNER)), Ok((OWNER, before())));
        assert_eq!(Before::read(9, &header, None), Ok((OWNER, before())));
    }

    #[test]
    fn that_of_another_cluster_node_version_or_place_is_refused_in_words() {
        let header = before().header(9, OWNER);
        let refused = |owner| Before::read(9, &header, Some(owner)).unwrap_err();
        let other = Owner { cluster: ClusterId([8; 16]), ..OWNER };
        assert_eq!(refused(other), Unusable::Foreign("it belongs to another cluster".to_owned()));
        let other = Owner { node: NodeId::ReplicaManager(ReplicaId::new(1).unwrap()), ..OWNER };
        assert_eq!(refused(other), Unusable::Foreign("it belongs to front-end".to_owned()));
        let elsewhere = Before::read(10, &header, None).unwrap_err();
        assert_eq!(elsewhere, Unusable::Damaged("it was written as 00000009.ledger".to_owned()));
        let later = Kind { version: 2, ..KIND };
        let header = [&later.beginning(), &header[BEGINNING_LEN..]].concat();
        assert_eq!(Before::read(9, &header, None), Err(Unusable::Newer(2)));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let header = before().header(9, OWNER);
        for bit in 0..HEADER_LEN * 8 {
            let mut flipped = header.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Before::read(9, &flipped, Some(OWNER)), Err(Unusable::Damaged(_))), "bit {bit}");
        }
        for len in 0..HEADER_LEN {
            assert!(matches!(Before::read(9, &header[..len], None), Err(Unusable::Damaged(_))), "{len}");
        }
    }

    #[test]
    fn places_span_what_they_include() {
        let mut places = Places::NONE;
        assert!(!places.contains(SequenceNumber(1)));
        [7, 3, 5].into_iter().for_each(|place| places.include(place));
        assert_eq!(places, Places { first: 3, last: 7 });
        assert!(places.contains(SequenceNumber(4)) && !places.contains(SequenceNumber(8)));
    }
}
