//! Choices out of bytes, so that whoever makes bytes (proptest, libFuzzer) makes values, and shrinks them by shrinking bytes.

use dsms::protocol::limits::REPLICAS_LEN_MAX;

/// Bytes on their way to become choices. When they have run out, every choice is the first one.
pub struct Draw<'b> {
    rest: &'b [u8],
}

impl<'b> Draw<'b> {
    pub fn new(bytes: &'b [u8]) -> Draw<'b> {
        Draw { rest: bytes }
    }

    pub fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.rest.split_off_first().copied().unwrap_or(0)
    }

    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number below this one, which may be as large as a length of some thousands.
    pub fn below(&mut self, bound: usize) -> usize {
        let drawn = usize::from(self.byte());
        let drawn = if bound > 256 { drawn << 8 | usize::from(self.byte()) } else { drawn };
        drawn % bound.max(1)
    }

    pub fn pick<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())].clone()
    }

    /// A number as somebody would choose it who wants to do harm, and often a small one, so that something comes of it.
    pub fn number(&mut self) -> u64 {
        match self.below(16) {
            0 => u64::MAX - u64::from(self.byte() % 3),
            1 => u64::MAX / 2 + 1 - u64::from(self.byte() % 3),
            2 => 1 << self.below(64),
            3 => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
            4 => 10 * u64::from(self.byte()),
            _ => u64::from(self.byte() % 24),
        }
    }

    /// [`Draw::number`] of 32 bits.
    pub fn word(&mut self) -> u32 {
        let number = self.number();
        u32::try_from(number).unwrap_or(u32::MAX - (number % 3) as u32)
    }

    pub fn replica_number(&mut self) -> u8 {
        1 + self.below(REPLICAS_LEN_MAX) as u8
    }

    pub fn bytes(&mut self, len_max: usize) -> Vec<u8> {
        let len = self.below(len_max + 1).min(self.rest.len());
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken.to_vec()
    }

    pub fn text(&mut self, len_max: usize) -> String {
        String::from_utf8_lossy(&self.bytes(len_max)).into_owned()
    }

    /// Some of these values.
    pub fn some_of<T>(&mut self, len_max: usize, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(len_max + 1)).map(|_| one(self)).collect()
    }

    pub fn option<T>(&mut self, one: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| one(self))
    }

    /// Damages what was valid: bits flipped, bytes cut off, repeated, moved, or replaced by what begins a long number.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..1 + self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(7) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, self.byte()),
                2 => drop(bytes.drain(at..bytes.len().min(at + 1 + self.below(8)))),
                3 => {
                    let piece = bytes[at..bytes.len().min(at + 1 + self.below(16))].to_vec();
                    let to = self.below(bytes.len() + 1);
                    bytes.splice(to..to, piece);
                }
                4 => {
                    // bincode: a number of two, four, eight or sixteen bytes follows.
                    let marker = self.pick(&[251, 252, 253, 254]);
                    bytes.splice(at..at, [marker].into_iter().chain([0xff; 8]));
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
            }
        }
    }
}
