//! The layout of a datagram, and its total decoding.
//!
//! All numbers are little-endian. The driver adds and checks an authentication tag around these bytes.
//!
//! | Bytes | Field |
//! |---|---|
//! | 1 | version, [`VERSION`] |
//! | 1 | sending node |
//! | 1 | receiving node |
//! | 1 | flags: 1 with a packet, 2 full |
//! | 1 | words of the selective acknowledgement, 0 to 4 |
//! | 8 | session of the sender |
//! | 8 | session of the receiver that this is meant for; 0 when the sender does not know it yet |
//! | 8 | cumulative acknowledgement: every packet below this number has arrived |
//! | 8 per word | selective acknowledgement: bit *n* of all words stands for the packet *n* after the cumulative number |
//! | 8 | number of the packet, if there is one |
//! | the rest | bytes of the stream, at least one, if there is a packet |

use std::fmt;

use super::super::id::{NodeId, SessionId};
use super::limits::{DATAGRAM_LEN_MAX, DATAGRAM_LEN_MIN};
use super::packet_set::{PacketSet, WORDS_LEN_MAX};

/// The version of this layout. Nodes of one cluster run one version; a datagram of another is dropped.
pub const VERSION: u8 = 1;

const FLAG_PACKET: u8 = 1;
const FLAG_FULL: u8 = 2;

const HEADER_LEN_MIN: usize = 5 + 3 * 8;

/// Bytes of the longest header with a packet's number. A packet's bytes are cut so that even this leaves room for them: a
/// packet that is repeated may have to carry a longer acknowledgement than at first.
pub const HEADER_LEN_MAX: usize = HEADER_LEN_MIN + 8 * WORDS_LEN_MAX + 8;

const _: () = assert!(2 * HEADER_LEN_MAX <= DATAGRAM_LEN_MIN);

/// The place of a packet in one direction of a pair of sessions, from 0, without gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PacketNumber(pub u64);

impl PacketNumber {
    /// The packet `places` after this one.
    pub fn after(self, places: usize) -> PacketNumber {
        PacketNumber(self.0.saturating_add(places as u64))
    }

    /// How many places this packet is after `earlier`; `None` when it is before.
    pub fn places_after(self, earlier: PacketNumber) -> Option<usize> {
        self.0.checked_sub(earlier.0).map(|places| usize::try_from(places).unwrap_or(usize::MAX))
    }
}

/// A piece of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its place.
    pub number: PacketNumber,
    /// Its bytes, at least one.
    pub chunk: &'a [u8],
}

/// A decoded datagram. Its bytes stay where they were received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// The node that sent it.
    pub from: NodeId,
    /// The node that it is for.
    pub to: NodeId,
    /// The life of the sender that sent it. Its number is never 0.
    pub sender: SessionId,
    /// The life of the receiver that it is meant for, once the sender knows one. Its number is never 0.
    pub receiver: Option<SessionId>,
    /// What the sender has received.
    pub receipt: Receipt,
    /// The piece of the stream that it carries, if any. Only a sender that knows the receiver's session sends one.
    pub packet: Option<Packet<'a>>,
}

/// What one side has received in a pair of sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Every packet below this one has arrived.
    pub acknowledged: PacketNumber,
    /// Which packets have arrived from `acknowledged` on.
    pub selective: PacketSet,
    /// Whether packets are refused until messages that have arrived are taken.
    pub full: bool,
}

/// Why a datagram, or the packet in it, was not used. All of these are faults in the model, and the channel outlives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// It ends before it is complete.
    TooShort,
    /// It is longer than any datagram of ours, or has bytes after its end.
    TooLong,
    /// It has another version than ours.
    UnknownVersion,
    /// It is from or for a node that cannot exist.
    UnknownNode,
    /// A field has a value that no sender writes.
    Malformed,
    /// It is not from this channel's peer to this channel's node.
    Misrouted,
    /// It comes from an earlier life of the peer.
    StaleSender,
    /// It was meant for another life of ours. The sender is told our session.
    StaleReceiver,
    /// It acknowledges a packet that was never sent.
    AcknowledgesUnsent,
    /// Its packet has arrived before. What it acknowledges was used.
    Duplicate,
    /// Its packet lies further ahead than any sender may be. What it acknowledges was used.
    BeyondWindow,
    /// The messages that have arrived must be taken first. What it acknowledges was used.
    Undelivered,
    /// The peer's stream has announced a message longer than any may be, so that nothing after it has a meaning. It heals
    /// when either side starts a new session. What it acknowledges was used.
    BrokenStream,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DropReason::TooShort => "too short",
            DropReason::TooLong => "too long",
            DropReason::UnknownVersion => "of an unknown version",
            DropReason::UnknownNode => "from or for an unknown node",
            DropReason::Malformed => "malformed",
            DropReason::Misrouted => "for another channel",
            DropReason::StaleSender => "from an earlier session of the peer",
            DropReason::StaleReceiver => "for an earlier session of this node",
            DropReason::AcknowledgesUnsent => "acknowledges what was never sent",
            DropReason::Duplicate => "a duplicate",
            DropReason::BeyondWindow => "beyond the window",
            DropReason::Undelivered => "ahead of too much that waits for delivery",
            DropReason::BrokenStream => "of a broken stream",
        })
    }
}

impl std::error::Error for DropReason {}

impl<'a> Datagram<'a> {
    /// Append the datagram to `bytes`.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        let words = self.receipt.selective.words();
        let has_packet = if self.packet.is_some() { FLAG_PACKET } else { 0 };
        let is_full = if self.receipt.full { FLAG_FULL } else { 0 };
        let mut fixed = [0; HEADER_LEN_MIN];
        fixed[0] = VERSION;
        fixed[1] = self.from.to_byte();
        fixed[2] = self.to.to_byte();
        fixed[3] = has_packet | is_full;
        fixed[4] = words.len() as u8;
        fixed[5..13].copy_from_slice(&self.sender.0.to_le_bytes());
        fixed[13..21].copy_from_slice(&self.receiver.map_or(0, |session| session.0).to_le_bytes());
        fixed[21..29].copy_from_slice(&self.receipt.acknowledged.0.to_le_bytes());
        bytes.extend_from_slice(&fixed);
        words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        if let Some(packet) = self.packet {
            bytes.extend_from_slice(&packet.number.0.to_le_bytes());
            bytes.extend_from_slice(packet.chunk);
        }
    }

    /// Read a datagram without its tag. Any bytes may come; what is returned is all that is ever checked about them.
    pub fn decode(bytes: &'a [u8]) -> Result<Datagram<'a>, DropReason> {
        if bytes.len() > DATAGRAM_LEN_MAX {
            return Err(DropReason::TooLong);
        }
        let (&[version, from, to, flags, words_len], rest) = bytes.split_first_chunk().ok_or(DropReason::TooShort)?;
        if version != VERSION {
            return Err(DropReason::UnknownVersion);
        }
        let (sender, rest) = split_u64(rest)?;
        let (receiver, rest) = split_u64(rest)?;
        let (acknowledged, rest) = split_u64(rest)?;
        let words_len = usize::from(words_len);
        if words_len > WORDS_LEN_MAX || flags & !(FLAG_PACKET | FLAG_FULL) != 0 || sender == 0 {
            return Err(DropReason::Malformed);
        }
        let (words, rest) = rest.split_at_checked(8 * words_len).ok_or(DropReason::TooShort)?;
        let (words, _) = words.as_chunks();
        let words = words.iter().map(|&word| u64::from_le_bytes(word));
        let packet = decode_packet(flags, rest)?;
        if packet.is_some() && receiver == 0 {
            return Err(DropReason::Malformed);
        }
        Ok(Datagram {
            from: NodeId::from_byte(from).ok_or(DropReason::UnknownNode)?,
            to: NodeId::from_byte(to).ok_or(DropReason::UnknownNode)?,
            sender: SessionId(sender),
            receiver: (receiver != 0).then_some(SessionId(receiver)),
            receipt: Receipt {
                acknowledged: PacketNumber(acknowledged),
                selective: PacketSet::from_words(words).ok_or(DropReason::Malformed)?,
                full: flags & FLAG_FULL != 0,
            },
            packet,
        })
    }
}

fn decode_packet(flags: u8, rest: &[u8]) -> Result<Option<Packet<'_>>, DropReason> {
    if flags & FLAG_PACKET == 0 {
        return if rest.is_empty() { Ok(None) } else { Err(DropReason::TooLong) };
    }
    let (number, chunk) = split_u64(rest)?;
    if chunk.is_empty() {
        return Err(DropReason::TooShort);
    }
    Ok(Some(Packet { number: PacketNumber(number), chunk }))
}

fn split_u64(bytes: &[u8]) -> Result<(u64, &[u8]), DropReason> {
    let (number, rest) = bytes.split_first_chunk().ok_or(DropReason::TooShort)?;
    Ok((u64::from_le_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn datagram() -> Datagram<'static> {
        let mut selective = PacketSet::default();
        [1, 70].into_iter().for_each(|place| selective.insert(place));
        Datagram {
            from: NodeId::Sequencer,
            to: NodeId::FrontEnd,
            sender: SessionId(11),
            receiver: Some(SessionId(22)),
            receipt: Receipt { acknowledged: PacketNumber(33), selective, full: true },
            packet: Some(Packet { number: PacketNumber(44), chunk: b"!" }),
        }
    }

    fn encoded(datagram: &Datagram<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        datagram.encode(&mut bytes);
        bytes
    }

    #[test]
    fn a_datagram_is_read_back_as_it_was_written() {
        let bare = Datagram { packet: None, ..datagram() };
        let hello = Datagram { receiver: None, receipt: Receipt::default(), ..bare };
        for datagram in [datagram(), bare, hello, Datagram { receipt: Receipt::default(), ..datagram() }] {
            assert_eq!(Datagram::decode(&encoded(&datagram)), Ok(datagram));
        }
    }

    #[test]
    fn each_malformed_datagram_is_dropped_for_its_reason() {
        let check = |change: &dyn Fn(&mut Vec<u8>), expected| {
            let mut bytes = encoded(&datagram());
            change(&mut bytes);
            assert_eq!(Datagram::decode(&bytes), Err(expected), "{bytes:?}");
        };
        check(&|bytes| bytes[0] = VERSION + 1, DropReason::UnknownVersion);
        check(&|bytes| bytes[1] = 255, DropReason::UnknownNode);
        check(&|bytes| bytes[2] = 255, DropReason::UnknownNode);
        check(&|bytes| bytes[3] = 4, DropReason::Malformed);
        check(&|bytes| bytes[3] = FLAG_FULL, DropReason::TooLong);
        check(&|bytes| bytes[4] = WORDS_LEN_MAX as u8 + 1, DropReason::Malformed);
        check(&|bytes| bytes[4] = WORDS_LEN_MAX as u8, DropReason::TooShort);
        check(&|bytes| bytes[5..13].fill(0), DropReason::Malformed);
        check(&|bytes| bytes[13..21].fill(0), DropReason::Malformed);
        check(&|bytes| bytes.resize(DATAGRAM_LEN_MAX + 1, 0), DropReason::TooLong);
        for len in 0..encoded(&datagram()).len() {
            check(&|bytes| bytes.truncate(len), DropReason::TooShort);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_bytes_are_decoded_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Datagram::decode(&bytes);
        }

        #[test]
        fn what_is_decoded_from_any_bytes_encodes_to_a_datagram_that_says_the_same(
            mut bytes in prop::collection::vec(any::<u8>(), 5..200),
            nodes in (0_u8..4, 0_u8..4),
            flags in 0_u8..4,
            words_len in 0_u8..5,
        ) {
            bytes[..5].copy_from_slice(&[VERSION, nodes.0, nodes.1, flags, words_len]);
            if let Ok(datagram) = Datagram::decode(&bytes) {
                let again = encoded(&datagram);
                prop_assert_eq!(Datagram::decode(&again), Ok(datagram));
            }
        }
    }
}
