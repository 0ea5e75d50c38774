//! BLAKE3 digests: the identity of a module and the fingerprint of a state.

use std::fmt;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

/// A BLAKE3 digest of 32 bytes, printed as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a byte string.
    pub fn of_bytes(bytes: &[u8]) -> Digest {
        Digest(*blake3::hash(bytes).as_bytes())
    }

    /// The digest of a text that `write` produces piece by piece, without holding all of it in memory.
    pub fn of_text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Digest {
        let mut text = io::BufWriter::with_capacity(16 * 1024, blake3::Hasher::new());
        write(&mut text).expect("a hasher accepts every byte");
        let hasher = text.into_inner().expect("a hasher accepts every byte");
        Digest(*hasher.finalize().as_bytes())
    }

    /// The first twelve hexadecimal digits: enough to tell modules and states apart by eye.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}
