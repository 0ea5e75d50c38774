//! The layout of a datagram's content, and its total decoding.
//!
//! All numbers are little-endian. Around these bytes stands the envelope (`envelope.rs`), which says who sent them.
//!
//! | Bytes | Field |
//! |---|---|
//! | 1 | flags: 1 with a packet, 2 full |
//! | 1 | words of the selective acknowledgement, 0 to 4 |
//! | 8 | serial number |
//! | 16 | session of the sender |
//! | 16 | session of the receiver that this is meant for; 0 when the sender does not know it yet |
//! | 8 | cumulative acknowledgement: every packet below this number has arrived |
//! | 8 per word | selective acknowledgement: bit *n* of all words stands for the packet *n* after the cumulative number |
//! | 8 | number of the packet, if there is one |
//! | the rest | bytes of the stream, at least one, if there is a packet |

use super::super::id::SessionId;
use super::drop_reason::DropReason;
use super::envelope::ENVELOPE_LEN;
use super::limits::DATAGRAM_LEN_MIN;
use super::packet_set::{PacketSet, WORDS_LEN_MAX};

const FLAG_PACKET: u8 = 1;
const FLAG_FULL: u8 = 2;

const HEADER_LEN_MIN: usize = 2 + 8 + 2 * 16 + 8;

/// Bytes of the envelope and of the longest header with a packet's number. A packet's bytes are cut so that even this leaves room for them: a
/// packet that is repeated may have to carry a longer acknowledgement than at first.
pub const HEADER_LEN_MAX: usize = ENVELOPE_LEN + HEADER_LEN_MIN + 8 * WORDS_LEN_MAX + 8;

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
    /// Its place among all that this life of the sender has sent to the receiver, from 0. One that is sent again has another.
    pub serial: u64,
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

impl<'a> Datagram<'a> {
    /// Append the content to `bytes`.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        let words = self.receipt.selective.words();
        let has_packet = if self.packet.is_some() { FLAG_PACKET } else { 0 };
        let is_full = if self.receipt.full { FLAG_FULL } else { 0 };
        let mut fixed = [0; HEADER_LEN_MIN];
        fixed[0] = has_packet | is_full;
        fixed[1] = words.len() as u8;
        fixed[2..10].copy_from_slice(&self.serial.to_le_bytes());
        fixed[10..26].copy_from_slice(&self.sender.0.to_le_bytes());
        fixed[26..42].copy_from_slice(&self.receiver.map_or(0, |session| session.0).to_le_bytes());
        fixed[42..50].copy_from_slice(&self.receipt.acknowledged.0.to_le_bytes());
        bytes.extend_from_slice(&fixed);
        words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        if let Some(packet) = self.packet {
            bytes.extend_from_slice(&packet.number.0.to_le_bytes());
            bytes.extend_from_slice(packet.chunk);
        }
    }

    /// Read the content of a datagram. Any bytes may come; what is returned is all that is ever checked about them.
    pub fn decode(bytes: &'a [u8]) -> Result<Datagram<'a>, DropReason> {
        let (&[flags, words_len], rest) = bytes.split_first_chunk().ok_or(DropReason::TooShort)?;
        let (serial, rest) = split_u64(rest)?;
        let (sender, rest) = split_u128(rest)?;
        let (receiver, rest) = split_u128(rest)?;
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
            serial,
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

fn split_u128(bytes: &[u8]) -> Result<(u128, &[u8]), DropReason> {
    let (number, rest) = bytes.split_first_chunk().ok_or(DropReason::TooShort)?;
    Ok((u128::from_le_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn datagram() -> Datagram<'static> {
        let mut selective = PacketSet::default();
        [1, 70].into_iter().for_each(|place| selective.insert(place));
        Datagram {
            serial: 55,
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
        check(&|bytes| bytes[0] = 4, DropReason::Malformed);
        check(&|bytes| bytes[0] = FLAG_FULL, DropReason::TooLong);
        check(&|bytes| bytes[1] = WORDS_LEN_MAX as u8 + 1, DropReason::Malformed);
        check(&|bytes| bytes[1] = WORDS_LEN_MAX as u8, DropReason::TooShort);
        check(&|bytes| bytes[10..26].fill(0), DropReason::Malformed);
        check(&|bytes| bytes[26..42].fill(0), DropReason::Malformed);
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
            mut bytes in prop::collection::vec(any::<u8>(), 2..200),
            flags in 0_u8..4,
            words_len in 0_u8..5,
        ) {
            bytes[..2].copy_from_slice(&[flags, words_len]);
            if let Ok(datagram) = Datagram::decode(&bytes) {
                let again = encoded(&datagram);
                prop_assert_eq!(Datagram::decode(&again), Ok(datagram));
            }
        }
    }
}
