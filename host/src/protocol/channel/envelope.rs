//! What stands around a datagram: who it is from and for, under which key, and the tag over all of it.
//!
//! All numbers are little-endian. Reading an envelope proves nothing but its form: what it says is the claim of whoever sent it,
//! until [`Seal::open`](super::seal::Seal::open) has checked the tag.
//!
//! | Bytes | Field |
//! |---|---|
//! | 1 | version, [`VERSION`] |
//! | 1 | sending node |
//! | 1 | receiving node |
//! | 2 | length of the whole, the tag included |
//! | 8 | cluster |
//! | 2 | generation of the key of the tag |
//! | 2 | newest generation that the sender holds |
//! | the rest but 16 | the content, see `datagram.rs` |
//! | 16 | tag of all bytes before it |

use super::super::id::NodeId;
use super::super::keyring::{ClusterId, Generation};
use super::super::secret::{Secret, TAG_LEN};
use super::drop_reason::DropReason;
use super::limits::DATAGRAM_LEN_MAX;

/// The version of this layout and of the content's. Nodes of one cluster run one version; a datagram of another is dropped.
pub const VERSION: u8 = 2;

const PREFIX_LEN: usize = 17;

const LEN_AT: std::ops::Range<usize> = 3..5;

/// Bytes that stand around the content.
pub const ENVELOPE_LEN: usize = PREFIX_LEN + TAG_LEN;

const _: () = assert!(DATAGRAM_LEN_MAX <= u16::MAX as usize, "the length has two bytes");

/// Who a datagram is from and for, and under which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The node that sent it.
    pub from: NodeId,
    /// The node that it is for.
    pub to: NodeId,
    /// The cluster of both.
    pub cluster: ClusterId,
    /// The generation of the key of its tag.
    pub generation: Generation,
    /// The newest generation that its sender holds.
    pub newest: Generation,
}

/// A datagram whose envelope was read. Its bytes stay where they were received.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// What it says of itself.
    pub address: Address,
    /// All that the tag is of.
    tagged: &'a [u8],
    tag: &'a [u8; TAG_LEN],
}

impl<'a> Envelope<'a> {
    /// Reads a whole datagram as it came. Any bytes may come.
    pub fn read(bytes: &'a [u8]) -> Result<Envelope<'a>, DropReason> {
        let &version = bytes.first().ok_or(DropReason::Truncated)?;
        if version != VERSION {
            return Err(DropReason::UnknownVersion);
        }
        let (&[_, from, to, len_0, len_1], rest) = bytes.split_first_chunk().ok_or(DropReason::Truncated)?;
        let len = usize::from(u16::from_le_bytes([len_0, len_1]));
        if bytes.len() < len.max(ENVELOPE_LEN) {
            return Err(DropReason::Truncated);
        }
        if bytes.len() > len || len > DATAGRAM_LEN_MAX {
            return Err(DropReason::TooLong);
        }
        let node = |byte| NodeId::from_byte(byte).ok_or(DropReason::UnknownNode);
        let (cluster, rest) = rest.split_first_chunk().expect("the prefix is there");
        let &[generation_0, generation_1, newest_0, newest_1] = rest.first_chunk().expect("the prefix is there");
        let (tagged, tag) = bytes.split_last_chunk().expect("the tag is there");
        let address = Address {
            from: node(from)?,
            to: node(to)?,
            cluster: ClusterId(u64::from_le_bytes(*cluster)),
            generation: Generation(u16::from_le_bytes([generation_0, generation_1])),
            newest: Generation(u16::from_le_bytes([newest_0, newest_1])),
        };
        Ok(Envelope { address, tagged, tag })
    }

    /// Whether the tag was made with this key. The content is then what the sender wrote.
    pub fn is_sealed_with(&self, key: &Secret) -> bool {
        key.is_tag(self.tagged, self.tag)
    }

    /// The content. It is of no worth before the tag was checked.
    pub fn content(&self) -> &'a [u8] {
        &self.tagged[PREFIX_LEN..]
    }
}

/// Replaces `bytes` by a whole datagram whose content `write` appends, sealed with this key.
pub fn enclose(address: &Address, key: &Secret, bytes: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let Address { from, to, cluster, generation, newest } = address;
    bytes.clear();
    bytes.extend_from_slice(&[VERSION, from.to_byte(), to.to_byte(), 0, 0]);
    bytes.extend_from_slice(&cluster.0.to_le_bytes());
    bytes.extend_from_slice(&generation.0.to_le_bytes());
    bytes.extend_from_slice(&newest.0.to_le_bytes());
    write(bytes);
    let len = u16::try_from(bytes.len() + TAG_LEN).expect("no content is so long");
    bytes[LEN_AT].copy_from_slice(&len.to_le_bytes());
    let tag = key.tag(bytes);
    bytes.extend_from_slice(&tag);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::secret::SECRET_LEN;
    use super::*;

    const ADDRESS: Address = Address {
        from: NodeId::Sequencer,
        to: NodeId::FRONT_END,
        cluster: ClusterId(0x0123_4567_89ab_cdef),
        generation: Generation(3),
        newest: Generation(4),
    };

    fn key() -> Secret {
        Secret::new([7; SECRET_LEN])
    }

    fn enclosed(content: &[u8]) -> Vec<u8> {
        let mut bytes = b"of an earlier datagram".to_vec();
        enclose(&ADDRESS, &key(), &mut bytes, |bytes| bytes.extend_from_slice(content));
        bytes
    }

    #[test]
    fn an_envelope_is_read_back_with_its_content() {
        for content in [&b""[..], b"content", &[7; DATAGRAM_LEN_MAX - ENVELOPE_LEN]] {
            let bytes = enclosed(content);
            let envelope = Envelope::read(&bytes).unwrap();
            assert_eq!((envelope.address, envelope.content()), (ADDRESS, content));
            assert!(envelope.is_sealed_with(&key()));
            assert!(!envelope.is_sealed_with(&Secret::new([8; SECRET_LEN])));
            assert_eq!(bytes.len(), content.len() + ENVELOPE_LEN);
        }
    }

    #[test]
    fn no_bit_can_be_altered() {
        let bytes = enclosed(b"content");
        for bit in 0..8 * bytes.len() {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let is_read = Envelope::read(&altered).is_ok_and(|envelope| envelope.is_sealed_with(&key()));
            assert!(!is_read, "bit {bit}");
        }
    }

    #[test]
    fn what_is_no_envelope_is_dropped_for_its_reason() {
        let check = |change: &dyn Fn(&mut Vec<u8>), expected| {
            let mut bytes = enclosed(b"content");
            change(&mut bytes);
            assert_eq!(Envelope::read(&bytes).unwrap_err(), expected, "{bytes:?}");
        };
        check(&|bytes| bytes[0] = VERSION - 1, DropReason::UnknownVersion);
        check(&|bytes| bytes[1] = 255, DropReason::UnknownNode);
        check(&|bytes| bytes[2] = 255, DropReason::UnknownNode);
        check(&|bytes| bytes.push(0), DropReason::TooLong);
        check(&|bytes| bytes[3] -= 1, DropReason::TooLong);
        check(&|bytes| bytes[4] = 255, DropReason::Truncated);
        for len in 0..enclosed(b"content").len() {
            check(&|bytes| bytes.truncate(len), DropReason::Truncated);
        }
        let too_long = &mut enclosed(&[7; DATAGRAM_LEN_MAX - ENVELOPE_LEN + 1]);
        assert_eq!(Envelope::read(too_long).unwrap_err(), DropReason::TooLong);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_bytes_are_read_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..100), is_near in any::<bool>()) {
            if let Some(first) = bytes.first_mut().filter(|_| is_near) {
                *first = VERSION;
            }
            let is_sealed = Envelope::read(&bytes).is_ok_and(|envelope| envelope.is_sealed_with(&key()));
            prop_assert!(!is_sealed);
        }
    }
}
