//! Secrets, and what is made of them: keys and tags of keyed BLAKE3. No other file of `protocol/` knows it.

use std::fmt;

/// Bytes of a secret.
pub const SECRET_LEN: usize = 32;

/// Bytes of a tag: BLAKE3's output truncated to 128 bits.
pub const TAG_LEN: usize = 16;

/// Bytes that nobody else may know, drawn at random or derived from such.
///
/// They are never printed, and overwritten when they are dropped. That spares them a core dump or a swapped page much later; what
/// the compiler copied on the way is not found again.
#[derive(Clone)]
pub struct Secret([u8; SECRET_LEN]);

impl Secret {
    /// The secret with these bytes.
    pub fn new(bytes: [u8; SECRET_LEN]) -> Secret {
        Secret(bytes)
    }

    /// Reads a secret from 64 hexadecimal digits, with or without a line end.
    pub fn from_hex(text: &str) -> Option<Secret> {
        let text = text.trim_end();
        if text.len() != 2 * SECRET_LEN || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut secret = Secret([0; SECRET_LEN]);
        for (index, slot) in secret.0.iter_mut().enumerate() {
            *slot = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(secret)
    }

    /// The secret as 64 hexadecimal digits, for its file and nowhere else.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Another secret, from which this one cannot be found again. Each purpose has a context of its own, and secrets for different
    /// `public` bytes tell nothing of each other.
    pub fn derive(&self, context: &'static str, public: &[u8]) -> Secret {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(&self.0).update(public);
        Secret(*hasher.finalize().as_bytes())
    }

    /// The tag of these bytes, which nobody can make without the secret.
    pub fn tag(&self, bytes: &[u8]) -> [u8; TAG_LEN] {
        *blake3::keyed_hash(&self.0, bytes).as_bytes().first_chunk().expect("a hash is longer than a tag")
    }

    /// Whether this is the tag of these bytes. It takes the same time whichever of its bits differs.
    pub fn is_tag(&self, bytes: &[u8], tag: &[u8; TAG_LEN]) -> bool {
        // Hashes are compared in constant time.
        let padded = |tag: &[u8; TAG_LEN]| {
            let mut padded = [0; blake3::OUT_LEN];
            padded[..TAG_LEN].copy_from_slice(tag);
            blake3::Hash::from_bytes(padded)
        };
        padded(tag) == padded(&self.tag(bytes))
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        blake3::Hash::from_bytes(self.0) == blake3::Hash::from_bytes(other.0)
    }
}

impl Eq for Secret {}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        // Or else nobody would read it, and the compiler might leave it out.
        std::hint::black_box(&mut self.0);
    }
}

/// A secret is never printed.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_that_of_its_bytes_and_its_secret() {
        let secret = Secret::new([7; SECRET_LEN]);
        let tag = secret.tag(b"order 1");
        assert!(secret.is_tag(b"order 1", &tag));
        assert!(!secret.is_tag(b"order 2", &tag));
        assert!(!Secret::new([8; SECRET_LEN]).is_tag(b"order 1", &tag));
        for bit in 0..8 * TAG_LEN {
            let mut altered = tag;
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!secret.is_tag(b"order 1", &altered), "bit {bit}");
        }
    }

    #[test]
    fn secrets_for_different_purposes_and_parties_differ() {
        let secret = Secret::new([7; SECRET_LEN]);
        let derived = [secret.derive("a", b"x"), secret.derive("b", b"x"), secret.derive("a", b"y"), secret.clone()];
        for (one, other) in (0..4).flat_map(|one| (0..one).map(move |other| (one, other))) {
            assert!(derived[one] != derived[other], "{one} and {other}");
        }
        assert!(secret.derive("a", b"x") == derived[0]);
    }

    #[test]
    fn a_secret_is_read_back_from_its_file_form_and_never_printed() {
        let secret = Secret::new(std::array::from_fn(|index| index as u8 * 7));
        assert!(Secret::from_hex(&format!("{}\n", secret.to_hex())) == Some(secret.clone()));
        assert!(Secret::from_hex("abc").is_none() && Secret::from_hex(&"é".repeat(32)).is_none());
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "Secret(…) Some(Secret(…))");
    }
}
