//! Random bytes for a guest: a stream drawn from a seed and the sequence number of the call.
//!
//! Equal seeds and sequence numbers give equal bytes, on every host and after every restart. They are not secret.

use std::fmt;

/// What a guest's random numbers follow from. All replicas have the same; who looks for modules that depend on them
/// gives others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    /// Of the bytes that `wasi:random/random` and `insecure` give.
    pub random: [u8; 32],
    /// What `wasi:random/insecure-seed` gives, with which language runtimes seed their hash maps.
    pub hash: (u64, u64),
}

impl Default for Seeds {
    fn default() -> Seeds {
        Seeds::of(*blake3::hash(b"dsms replica").as_bytes())
    }
}

impl Seeds {
    /// Both from one.
    pub fn of(random: [u8; 32]) -> Seeds {
        let half = |at: usize| u64::from_le_bytes(random[at..at + 8].try_into().expect("eight bytes"));
        Seeds { random, hash: (half(0), half(8)) }
    }
}

/// The generator behind `wasi:random`.
pub(super) struct VirtualRandom {
    seed: [u8; 32],
    hash_seed: (u64, u64),
    sequence_number: u64,
    /// Opened by the first draw of a call, since most calls draw nothing.
    stream: Option<blake3::OutputReader>,
}

impl VirtualRandom {
    pub(super) fn new(Seeds { random, hash }: Seeds) -> VirtualRandom {
        VirtualRandom { seed: random, hash_seed: hash, sequence_number: 0, stream: None }
    }

    /// Every call begins at the start of its own stream, so that what one call draws does not shift the next.
    pub(super) fn begin_call(&mut self, sequence_number: u64) {
        self.sequence_number = sequence_number;
        self.stream = None;
    }

    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        let stream = self.stream.get_or_insert_with(|| {
            let mut hasher = blake3::Hasher::new_keyed(&self.seed);
            hasher.update(&self.sequence_number.to_le_bytes());
            hasher.finalize_xof()
        });
        stream.fill(bytes);
    }

    pub(super) fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// What a guest seeds its hash maps with. The same in every call, as an instance asks only once, and when is its
    /// own affair.
    pub(super) fn insecure_seed(&self) -> (u64, u64) {
        self.hash_seed
    }
}

impl fmt::Debug for VirtualRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualRandom").field("sequence_number", &self.sequence_number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(seed: u8, sequence_number: u64) -> [u64; 2] {
        let mut random = VirtualRandom::new(Seeds::of([seed; 32]));
        random.begin_call(sequence_number);
        [random.next_u64(), random.next_u64()]
    }

    #[test]
    fn bytes_depend_on_the_seed_and_the_sequence_number_alone() {
        assert_eq!(draws(1, 7), draws(1, 7));
        assert_ne!(draws(1, 7), draws(1, 8));
        assert_ne!(draws(1, 7), draws(2, 7));
        assert_ne!(draws(1, 7)[0], draws(1, 7)[1]);
    }
}
