//! How many replicas must share an outcome before a client may see it.
//!
//! The mode of a cluster is a pair of tolerances. A wrong replica may answer anything, a crashed one answers nothing. Since the
//! order comes from a trusted sequencer, w + 1 equal outcomes contain one from a correct replica, and 2w + c + 1 replicas
//! suffice for that many to exist (without a trusted order it would be 3w + 1).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::limits::REPLICAS_LEN_MAX;

/// How many replicas may be wrong, and how many crashed, at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tolerance {
    /// Replicas that may answer wrongly.
    pub wrong: usize,
    /// Replicas that may have crashed.
    pub crashed: usize,
}

impl Tolerance {
    /// Mode `byzantine`: one wrong replica.
    pub const BYZANTINE: Tolerance = Tolerance { wrong: 1, crashed: 0 };
    /// Mode `crash`: two crashed replicas.
    pub const CRASH: Tolerance = Tolerance { wrong: 0, crashed: 2 };
    /// Mode `both`: one wrong and one crashed replica at the same time.
    pub const BOTH: Tolerance = Tolerance { wrong: 1, crashed: 1 };

    /// The modes that have a name, with it.
    pub const NAMED: [(&'static str, Tolerance); 3] =
        [("byzantine", Tolerance::BYZANTINE), ("crash", Tolerance::CRASH), ("both", Tolerance::BOTH)];

    /// The fewest replicas that carry these tolerances, 2w + c + 1.
    pub fn replicas_len_min(self) -> usize {
        self.wrong.saturating_mul(2).saturating_add(self.crashed).saturating_add(1)
    }

    /// How many equal outcomes release, w + 1.
    pub fn quorum(self) -> usize {
        self.wrong.saturating_add(1)
    }

    /// The tolerances as they hold in a cluster of `replicas_len`, or the arithmetic of why they cannot.
    ///
    /// The named mode `crash` means "all but one": with two replicas it tolerates one crash.
    pub fn check(self, replicas_len: usize) -> Result<Tolerance, ImpossibleTolerance> {
        let all_but_one = self == Tolerance::CRASH && replicas_len >= 2;
        let tolerance = if all_but_one { Tolerance { wrong: 0, crashed: replicas_len - 1 } } else { self };
        let possible = (tolerance.replicas_len_min()..=REPLICAS_LEN_MAX).contains(&replicas_len);
        possible.then_some(tolerance).ok_or(ImpossibleTolerance { tolerance: self, replicas_len })
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Tolerance::NAMED.iter().find(|(_, tolerance)| tolerance == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{} wrong, {} crashed", self.wrong, self.crashed),
        }
    }
}

/// More was to be tolerated than the number of replicas can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImpossibleTolerance {
    /// What was to be tolerated.
    pub tolerance: Tolerance,
    /// By how many replicas.
    pub replicas_len: usize,
}

impl fmt::Display for ImpossibleTolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ImpossibleTolerance { tolerance, replicas_len } = self;
        let Tolerance { wrong, crashed } = tolerance;
        let needed = tolerance.replicas_len_min();
        if *replicas_len > REPLICAS_LEN_MAX {
            return write!(f, "{replicas_len} replicas are more than the {REPLICAS_LEN_MAX} that a cluster may have");
        }
        if *tolerance == Tolerance::CRASH {
            return write!(f, "mode crash needs at least 2 replicas, so that one can crash; there are {replicas_len}");
        }
        write!(
            f,
            "{wrong} wrong and {crashed} crashed need 2 x {wrong} + {crashed} + 1 = {needed} replicas, there are {replicas_len}"
        )
    }
}

impl std::error::Error for ImpossibleTolerance {}

/// What the replies to one order amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Replies may still make the difference.
    Open,
    /// This many replies share the response at this place of the list; release it.
    Agreed {
        /// Place of the first reply that says it.
        index: usize,
        /// How many say it.
        matching_len: usize,
    },
    /// Whatever may still come, no response can be shared by enough.
    Impossible,
}

/// Decides over the replies to one order, one place a replica, `None` where none has come.
///
/// `outcome` is what a reply says; a reply without one (a fault) takes its replica's place, but is nothing that others could
/// share.
pub fn decide<R, O: PartialEq>(replies: &[Option<R>], quorum: usize, outcome: impl Fn(&R) -> Option<&O>) -> Decision {
    let outcomes = || replies.iter().map(|reply| reply.as_ref().and_then(&outcome));
    let mut largest = 0;
    for (index, one) in outcomes().enumerate() {
        let Some(one) = one else { continue };
        let matching_len = outcomes().skip(index).flatten().filter(|other| *other == one).count();
        if matching_len >= quorum {
            return Decision::Agreed { index, matching_len };
        }
        largest = largest.max(matching_len);
    }
    let outstanding = replies.iter().filter(|reply| reply.is_none()).count();
    if largest + outstanding < quorum { Decision::Impossible } else { Decision::Open }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `.` no reply yet, `x` a fault, any other letter an outcome.
    #[track_caller]
    fn check(replies: &str, quorum: usize, expected: Decision) {
        let replies: Vec<Option<char>> = replies.chars().map(|reply| (reply != '.').then_some(reply)).collect();
        assert_eq!(
            decide(&replies, quorum, |reply| (*reply != 'x').then_some(reply)),
            expected,
            "{replies:?} with quorum {quorum}"
        );
    }

    fn agreed(index: usize, matching_len: usize) -> Decision {
        Decision::Agreed { index, matching_len }
    }

    #[test]
    fn the_first_outcome_that_a_quorum_shares_is_agreed() {
        check("...", 2, Decision::Open);
        check("a..", 2, Decision::Open);
        check("a.a", 2, agreed(0, 2));
        check("baa", 2, agreed(1, 2));
        check("aaa", 2, agreed(0, 3));
        check(".b.b", 2, agreed(1, 2));
    }

    #[test]
    fn one_reply_is_enough_when_nobody_can_be_wrong() {
        check(".a.", 1, agreed(1, 1));
        check("xa.", 1, agreed(1, 1));
    }

    #[test]
    fn a_lone_outcome_is_never_agreed_where_one_may_be_wrong() {
        check("a", 2, Decision::Impossible);
        check("ab.", 2, Decision::Open);
        check("abc", 2, Decision::Impossible);
    }

    #[test]
    fn a_fault_is_no_outcome_that_others_could_share() {
        check("xx.", 2, Decision::Impossible);
        check("xxx", 1, Decision::Impossible);
        check("xaa", 2, agreed(1, 2));
        check("xa.", 2, Decision::Open);
    }

    #[test]
    fn a_configuration_that_breaks_the_inequality_is_refused() {
        assert_eq!(Tolerance::BYZANTINE.check(3), Ok(Tolerance::BYZANTINE));
        assert_eq!(Tolerance::CRASH.check(2), Ok(Tolerance { wrong: 0, crashed: 1 }));
        assert_eq!(Tolerance::CRASH.check(3), Ok(Tolerance::CRASH));
        assert_eq!(Tolerance::BOTH.check(4), Ok(Tolerance::BOTH));
        for (tolerance, replicas_len) in
            [(Tolerance::BYZANTINE, 2), (Tolerance::CRASH, 1), (Tolerance::BOTH, 3), (Tolerance::BYZANTINE, 8)]
        {
            assert_eq!(tolerance.check(replicas_len), Err(ImpossibleTolerance { tolerance, replicas_len }));
        }
        let words = Tolerance::BOTH.check(3).unwrap_err().to_string();
        assert_eq!(words, "1 wrong and 1 crashed need 2 x 1 + 1 + 1 = 4 replicas, there are 3");
        let _no_overflow = Tolerance { wrong: usize::MAX, crashed: usize::MAX }.check(3).unwrap_err().to_string();
    }
}
