//! Which packets of a window have arrived: the selective acknowledgement.
//!
//! A set of places relative to the cumulative acknowledgement, one bit each. It says everything there is to say about a
//! window in at most 32 bytes, and every bit pattern is a valid set, so there is nothing to check when one is decoded.

use super::limits::WINDOW_LEN_MAX;

/// Words in a full set.
pub const WORDS_LEN_MAX: usize = WINDOW_LEN_MAX / 64;

/// A set of places in a window. Place 0 is the first packet that has not arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketSet {
    words: [u64; WORDS_LEN_MAX],
}

impl PacketSet {
    /// The set with the given first words; `None` when there are too many.
    pub fn from_words(words: impl ExactSizeIterator<Item = u64>) -> Option<PacketSet> {
        let mut set = PacketSet::default();
        set.words.get_mut(..words.len())?.iter_mut().zip(words).for_each(|(word, given)| *word = given);
        Some(set)
    }

    /// The words up to the last that is not zero.
    pub fn words(&self) -> &[u64] {
        let len = self.words.iter().rposition(|&word| word != 0).map_or(0, |last| last + 1);
        &self.words[..len]
    }

    /// Whether no place is in the set.
    pub fn is_empty(&self) -> bool {
        self.words == [0; WORDS_LEN_MAX]
    }

    /// Whether `place`, below [`WINDOW_LEN_MAX`], is in the set.
    pub fn contains(&self, place: usize) -> bool {
        self.words[place / 64] & 1 << (place % 64) != 0
    }

    /// Add `place`, below [`WINDOW_LEN_MAX`].
    pub fn insert(&mut self, place: usize) {
        self.words[place / 64] |= 1 << (place % 64);
    }

    /// Count every place from one further on: the window has moved by one packet, and the old place 0 is forgotten.
    pub fn advance(&mut self) {
        for index in 0..WORDS_LEN_MAX {
            let carried = self.words.get(index + 1).map_or(0, |next| next << 63);
            self.words[index] = self.words[index] >> 1 | carried;
        }
    }

    /// The places, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            std::iter::successors(Some(word), |word| Some(word & word.wrapping_sub(1)))
                .take_while(|&word| word != 0)
                .map(move |word| index * 64 + word.trailing_zeros() as usize)
        })
    }

    /// The highest place.
    pub fn last(&self) -> Option<usize> {
        let index = self.words.iter().rposition(|&word| word != 0)?;
        Some(index * 64 + 63 - self.words[index].leading_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(places: &[usize]) -> PacketSet {
        let mut set = PacketSet::default();
        places.iter().for_each(|&place| set.insert(place));
        set
    }

    #[test]
    fn a_set_lists_what_was_put_into_it_and_fits_the_fewest_words() {
        for (places, words) in [(&[][..], 0), (&[0], 1), (&[1, 63], 1), (&[64], 2), (&[3, 64, 200, 255], 4)] {
            let set = set(places);
            assert_eq!(set.iter().collect::<Vec<_>>(), places);
            assert_eq!(set.last(), places.last().copied());
            assert_eq!(set.is_empty(), places.is_empty());
            assert_eq!(set.words().len(), words, "{places:?}");
            assert_eq!(PacketSet::from_words(set.words().iter().copied()), Some(set));
            assert!(places.iter().all(|&place| set.contains(place)));
        }
        assert_eq!(PacketSet::from_words([0; WORDS_LEN_MAX + 1].into_iter()), None);
    }

    #[test]
    fn advancing_moves_every_place_down_by_one_across_words() {
        let mut moved = set(&[0, 1, 64, 128, 255]);
        moved.advance();
        assert_eq!(moved, set(&[0, 63, 127, 254]));
    }
}
