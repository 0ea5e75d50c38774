//! The seal that authenticates every datagram between nodes: a keyed BLAKE3 tag.
//!
//! It keeps out whoever does not hold the cluster's key. It hides nothing, and it does not by itself stop a datagram from being
//! replayed: the channel recognises packets it has had, and sessions that are over.

use std::fmt;

/// Bytes that the seal adds to a datagram: BLAKE3's output truncated to 128 bits.
pub const TAG_LEN: usize = 16;

/// The one key that all nodes of a cluster share.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterKey([u8; 32]);

impl ClusterKey {
    /// The key with these bytes, which must have been drawn at random.
    pub fn new(bytes: [u8; 32]) -> ClusterKey {
        ClusterKey(bytes)
    }

    /// Reads a key from 64 hexadecimal digits, with or without a line end.
    pub fn from_hex(text: &str) -> Option<ClusterKey> {
        let text = text.trim_end();
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let byte = |index: usize| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok();
        let mut bytes = [0; 32];
        for (index, slot) in bytes.iter_mut().enumerate() {
            *slot = byte(index)?;
        }
        Some(ClusterKey(bytes))
    }

    /// The key as 64 hexadecimal digits, for its file and nowhere else.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Appends the tag of all that is in the datagram so far.
    pub fn seal(&self, datagram: &mut Vec<u8>) {
        let tag = self.tag(datagram);
        datagram.extend_from_slice(&tag);
    }

    /// The datagram without its tag; `None` when the tag is missing or not ours.
    pub fn open<'a>(&self, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let (datagram, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG_LEN)?)?;
        // Compared as hashes, which takes the same time whichever byte differs.
        let mut padded = [0; 32];
        padded[..TAG_LEN].copy_from_slice(tag);
        let mut expected = [0; 32];
        expected[..TAG_LEN].copy_from_slice(&self.tag(datagram));
        (blake3::Hash::from_bytes(padded) == blake3::Hash::from_bytes(expected)).then_some(datagram)
    }

    fn tag(&self, datagram: &[u8]) -> [u8; TAG_LEN] {
        let hash = blake3::keyed_hash(&self.0, datagram);
        *hash.as_bytes().first_chunk().expect("a hash is longer than a tag")
    }
}

/// A key is never printed.
impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_datagram_opens_and_an_altered_one_does_not() {
        let key = ClusterKey::new([7; 32]);
        let mut sealed = b"order 1".to_vec();
        key.seal(&mut sealed);
        assert_eq!(key.open(&sealed), Some(&b"order 1"[..]));
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert_eq!(key.open(&altered), None, "byte {place} altered");
        }
        assert_eq!(ClusterKey::new([8; 32]).open(&sealed), None);
        assert_eq!(key.open(&[]), None);
        assert_eq!(key.open(&[0; TAG_LEN]), None);
    }

    #[test]
    fn a_key_is_read_back_from_its_file_form_and_never_printed() {
        let key = ClusterKey::new(std::array::from_fn(|index| index as u8 * 7));
        assert_eq!(ClusterKey::from_hex(&format!("{}\n", key.to_hex())), Some(key.clone()));
        assert_eq!(ClusterKey::from_hex("abc"), None);
        assert_eq!(ClusterKey::from_hex(&"é".repeat(32)), None);
        assert_eq!(format!("{key:?}"), "ClusterKey(…)");
    }
}
