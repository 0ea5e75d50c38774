//! Random numbers of the simulator: equal seeds give equal numbers, on any machine.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

/// A stream of numbers, named by a seed and by what it is for, so that drawing more for one purpose changes no other.
#[derive(Clone, Debug)]
pub struct Random(Pcg32);

impl Random {
    /// The stream for this purpose.
    pub fn of(seed: u64, purpose: &str) -> Random {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(purpose.as_bytes());
        let start = *hasher.finalize().as_bytes().first_chunk().expect("a hash is longer than the generator's state");
        Random(Pcg32::from_seed(start))
    }

    /// A number from 0 to `bound`, which is excluded; 0 for an empty range. The bounds here are so small that no number is
    /// noticeably likelier.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.next_u64() % bound }
    }

    /// A number of a range, both ends included.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last.saturating_sub(first) + 1)
    }

    /// Whether something happens that happens in so many of a thousand cases.
    pub fn per_mille(&mut self, chance: u64) -> bool {
        self.below(1000) < chance
    }

    /// One of a list that is not empty.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_and_purposes_give_equal_numbers() {
        let draw = |seed, purpose| {
            let mut random = Random::of(seed, purpose);
            (0..20).map(|_| random.between(3, 1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, "links"), draw(1, "links"));
        assert_ne!(draw(1, "links"), draw(2, "links"));
        assert_ne!(draw(1, "links"), draw(1, "clients"));
        // Written down once: whatever machine this runs on, these are the numbers.
        assert_eq!(Random::of(7, "golden").below(1_000_000), GOLDEN);
    }

    const GOLDEN: u64 = 785_785;

    #[test]
    fn a_range_includes_both_of_its_ends() {
        let mut random = Random::of(1, "range");
        let drawn: std::collections::BTreeSet<u64> = (0..200).map(|_| random.between(5, 7)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [5, 6, 7]);
        assert_eq!(random.below(0), 0);
    }
}
