//! How many times in a row a replica has been wrong.

use std::collections::BTreeSet;

use super::id::{Incarnation, SequenceNumber};
use super::message::Charge;
use super::mutation::{self, Mutation};

/// As many consecutive wrong outcomes make a replica faulty.
pub const STRIKES_MAX: u64 = 3;

/// Most places that are remembered of one life of a replica.
///
/// Accusations come in any order, but not from far apart: a front end judges an order at the latest when the deadline of its slowest
/// replica has passed. The oldest go first.
const PLACES_LEN_MAX: usize = 1024;

/// The places of the order at which one life of a replica was wrong.
///
/// *Consecutive* means contiguous sequence numbers: a right answer in between is a place that is missing here. Since only places
/// count, it does not matter in which order the accusations arrive.
#[derive(Clone, Debug, Default)]
pub struct Strikes {
    incarnation: Incarnation,
    wrong_at: BTreeSet<SequenceNumber>,
}

impl Strikes {
    /// Writes down an accusation. Returns how many contiguous places, this one among them, the replica was wrong at; `None` if
    /// it is about an earlier life. One about a later life begins the count anew.
    pub fn accuse(&mut self, charge: Charge) -> Option<u64> {
        if charge.incarnation < self.incarnation && !mutation::is_on(Mutation::IgnoreIncarnation) {
            return None;
        }
        if charge.incarnation > self.incarnation {
            *self = Strikes { incarnation: charge.incarnation, wrong_at: BTreeSet::new() };
        }
        self.wrong_at.insert(charge.sequence);
        let run_len = match mutation::is_on(Mutation::CountStrikesInTotal) {
            true => self.wrong_at.len() as u64,
            false => self.run_through(charge.sequence),
        };
        while self.wrong_at.len() > PLACES_LEN_MAX {
            self.wrong_at.pop_first();
        }
        Some(run_len)
    }

    /// Forgets what was said of lives before this one.
    pub fn begin(&mut self, incarnation: Incarnation) {
        if incarnation > self.incarnation {
            *self = Strikes { incarnation, wrong_at: BTreeSet::new() };
        }
    }

    /// How many places in a row, up to this one, the replica was wrong at.
    pub fn run_up_to(&self, sequence: SequenceNumber) -> u64 {
        let down = (1..=sequence.0).rev().take_while(|place| self.wrong_at.contains(&SequenceNumber(*place)));
        down.count() as u64
    }

    fn run_through(&self, sequence: SequenceNumber) -> u64 {
        let up = (sequence.0 + 1..).take_while(|place| self.wrong_at.contains(&SequenceNumber(*place)));
        self.run_up_to(sequence) + up.count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::id::ReplicaId;

    fn charge(incarnation: u32, sequence: u64) -> Charge {
        let replica = ReplicaId::new(1).unwrap();
        Charge { replica, incarnation: Incarnation(incarnation), sequence: SequenceNumber(sequence) }
    }

    /// Accuses at these places, in this order, and checks the longest run reported.
    #[track_caller]
    fn check(places: &[u64], expected: u64) {
        let mut strikes = Strikes::default();
        let longest = places.iter().filter_map(|place| strikes.accuse(charge(1, *place))).max();
        assert_eq!(longest, Some(expected), "{places:?}");
    }

    #[test]
    fn contiguous_places_count_in_whatever_order_the_accusations_arrive() {
        check(&[7], 1);
        check(&[7, 8, 9], 3);
        check(&[9, 7, 8], 3);
        check(&[8, 9, 7], 3);
    }

    #[test]
    fn a_right_answer_in_between_resets() {
        check(&[1, 2, 4, 5], 2);
        check(&[5, 4, 2, 1, 7, 8], 2);
    }

    #[test]
    fn an_accusation_counts_once() {
        check(&[3, 3, 3], 1);
    }

    #[test]
    fn what_is_said_of_an_earlier_life_is_ignored_and_a_later_life_begins_anew() {
        let mut strikes = Strikes::default();
        assert_eq!(strikes.accuse(charge(1, 1)), Some(1));
        assert_eq!(strikes.accuse(charge(1, 2)), Some(2));
        assert_eq!(strikes.accuse(charge(2, 3)), Some(1));
        assert_eq!(strikes.accuse(charge(1, 3)), None);
        strikes.begin(Incarnation(3));
        assert_eq!(strikes.accuse(charge(2, 4)), None);
        assert_eq!(strikes.run_up_to(SequenceNumber(4)), 0);
    }

    #[test]
    fn the_memory_of_wrong_places_is_bounded() {
        let mut strikes = Strikes::default();
        for place in 1..=3 * PLACES_LEN_MAX as u64 {
            strikes.accuse(charge(1, 2 * place));
        }
        assert_eq!(strikes.wrong_at.len(), PLACES_LEN_MAX);
    }
}
