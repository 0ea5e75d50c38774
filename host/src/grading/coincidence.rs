//! Which modules fail at the same requests, and which three of them make the best cluster.
//!
//! Replicas are of use against each other's mistakes only where they make different ones: where two of three give the same wrong
//! outcome, that is what is released.

use std::cmp::Reverse;

use serde::Serialize;

use super::Answers;
use super::answers::Failure;

/// The failures of a module in the common history.
#[derive(Clone, Debug)]
pub struct Failing<'a> {
    name: &'a str,
    digest: &'a str,
    /// Tenths of a point.
    points: u32,
    failures: &'a [Failure],
    failed: Places,
}

/// How often two modules fail at the same requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Requests at which both fail.
    pub both: u32,
    /// Of these, those at which both give the same wrong outcome.
    pub same: u32,
}

/// Three modules as the replicas of a cluster in mode `byzantine`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trio {
    /// Their names.
    pub modules: [String; 3],
    /// Requests at which two of them share a wrong outcome, which would be released.
    pub outvoted: u32,
    /// Requests at which no two of them share an outcome.
    pub no_quorum: u32,
    /// Requests at which one fails, summed over the three.
    pub failures: u32,
}

/// A set of requests, a bit for each.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Places(Vec<u64>);

impl Places {
    fn none(len: u32) -> Places {
        Places(vec![0; (len as usize).div_ceil(64)])
    }

    fn of(len: u32, places: impl IntoIterator<Item = u32>) -> Places {
        let mut set = Places::none(len);
        for place in places.into_iter().filter(|place| (1..=len).contains(place)) {
            set.0[(place - 1) as usize / 64] |= 1 << ((place - 1) % 64);
        }
        set
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

impl<'a> Failing<'a> {
    /// The failures of the module of this name and digest, which has so many points.
    pub fn new(name: &'a str, digest: &'a str, points: f64, answers: &'a Answers) -> Failing<'a> {
        Failing {
            name,
            digest,
            points: (points * 10.0).round() as u32,
            failures: &answers.failures,
            failed: Places::of(answers.of, answers.failures.iter().map(|failure| failure.at)),
        }
    }

    /// Where both give the same wrong outcome.
    fn same_as(&self, other: &Failing) -> Places {
        let mut theirs = other.failures.iter().peekable();
        let same = self.failures.iter().filter(|mine| {
            while theirs.next_if(|theirs| theirs.at < mine.at).is_some() {}
            mine.wrong.is_some() && theirs.peek().is_some_and(|theirs| theirs == mine)
        });
        Places::of(self.failed.0.len() as u32 * 64, same.map(|failure| failure.at))
    }
}

/// The cell of every two modules. On the diagonal are a module's own failures, and its wrong outcomes among them.
pub fn matrix(modules: &[Failing]) -> Vec<Vec<Cell>> {
    let cell = |one: &Failing, other: &Failing| Cell {
        both: one.failed.0.iter().zip(&other.failed.0).map(|(one, other)| (one & other).count_ones()).sum(),
        same: one.same_as(other).count(),
    };
    modules.iter().map(|one| modules.iter().map(|other| cell(one, other)).collect()).collect()
}

/// The best three different modules, each of which was asked all requests: those with the fewest requests at which a wrong outcome would
/// be released; of these, with the fewest without a quorum; then with the fewest failures; then with the most points; then the first by
/// name. Nothing if there are fewer than three.
pub fn best_trio(modules: &[Failing]) -> Option<Trio> {
    let mut modules: Vec<&Failing> = modules.iter().collect();
    modules.sort_by_key(|module| (module.digest, module.name));
    modules.dedup_by_key(|module| module.digest);
    modules.sort_by_key(|module| module.name);
    let same: Vec<Vec<Places>> =
        modules.iter().map(|one| modules.iter().map(|other| one.same_as(other)).collect()).collect();
    let mut best: Option<(Rank, [usize; 3])> = None;
    for a in 0..modules.len() {
        for b in a + 1..modules.len() {
            for c in b + 1..modules.len() {
                let rank = rank([a, b, c].map(|place| modules[place]), [&same[a][b], &same[a][c], &same[b][c]]);
                if best.is_none_or(|(before, _)| rank > before) {
                    best = Some((rank, [a, b, c]));
                }
            }
        }
    }
    best.map(|((Reverse((outvoted, no_quorum, failures)), _), places)| Trio {
        modules: places.map(|place| modules[place].name.to_owned()),
        outvoted,
        no_quorum,
        failures,
    })
}

/// Requests outvoted, without quorum, and failures in all, the fewer the better; and points.
type Rank = (Reverse<(u32, u32, u32)>, u32);

fn rank(three: [&Failing; 3], same: [&Places; 3]) -> Rank {
    let (mut outvoted, mut no_quorum) = (0, 0);
    for word in 0..three[0].failed.0.len() {
        let [a, b, c] = three.map(|module| module.failed.0[word]);
        let shared = same.iter().fold(0, |all, places| all | places.0[word]);
        outvoted += shared.count_ones();
        no_quorum += (((a & b) | (a & c) | (b & c)) & !shared).count_ones();
    }
    let failures = three.map(|module| module.failed.count()).iter().sum();
    (Reverse((outvoted, no_quorum, failures)), three.iter().map(|module| module.points).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(failures: &[(u32, &str)]) -> Answers {
        let failure =
            |(at, wrong): &(u32, &str)| Failure { at: *at, wrong: (!wrong.is_empty()).then(|| (*wrong).to_owned()) };
        Answers { asked: 100, of: 100, failures: failures.iter().map(failure).collect(), ..Answers::default() }
    }

    #[test]
    fn a_cell_counts_failures_at_the_same_request_and_equal_outcomes_among_them() {
        let one = answers(&[(3, "x"), (64, "y"), (65, ""), (100, "z")]);
        let other = answers(&[(2, "x"), (64, "y"), (65, ""), (100, "q")]);
        let modules = [Failing::new("one", "1", 0.0, &one), Failing::new("other", "2", 0.0, &other)];
        let cell = |both, same| Cell { both, same };
        assert_eq!(matrix(&modules), [[cell(4, 3), cell(3, 1)], [cell(3, 1), cell(4, 3)]]);
    }

    #[test]
    fn three_that_fail_often_but_differently_are_better_than_two_with_one_common_mistake() {
        let (a, b) = (answers(&[(1, "x")]), answers(&[(1, "x")]));
        let c = answers(&[(5, "p"), (6, "q")]);
        let d = answers(&[(7, "p"), (8, "q"), (9, "")]);
        let modules = [("a", "1", &a), ("b", "2", &b), ("c", "3", &c), ("d", "4", &d)]
            .map(|(n, d, a)| Failing::new(n, d, 0.0, a));
        let best = best_trio(&modules).unwrap();
        assert_eq!(best.modules, ["a", "c", "d"]);
        assert_eq!((best.outvoted, best.no_quorum, best.failures), (0, 0, 6));
        let worse = best_trio(&modules[..3]).unwrap();
        assert_eq!((worse.outvoted, worse.no_quorum, worse.failures), (1, 0, 4));
        assert_eq!(best_trio(&modules[..2]), None);
    }

    #[test]
    fn two_that_fail_differently_at_one_request_leave_no_quorum() {
        let (a, b, c) = (answers(&[(9, "x")]), answers(&[(9, "y")]), answers(&[]));
        let modules = [("a", "1", &a), ("b", "2", &b), ("c", "3", &c)].map(|(n, d, a)| Failing::new(n, d, 0.0, a));
        let trio = best_trio(&modules).unwrap();
        assert_eq!((trio.outvoted, trio.no_quorum, trio.failures), (0, 1, 2));
    }

    #[test]
    fn of_equally_good_trios_the_one_with_more_points_is_best() {
        let good = answers(&[]);
        let modules = [("a", "1", 85.0), ("b", "2", 99.0), ("c", "3", 100.0), ("d", "4", 99.0)]
            .map(|(name, digest, points)| Failing::new(name, digest, points, &good));
        assert_eq!(best_trio(&modules).unwrap().modules, ["b", "c", "d"]);
    }

    #[test]
    fn a_module_that_is_there_twice_is_no_trio() {
        let good = answers(&[]);
        let modules = [("a", "1"), ("b", "1"), ("c", "2"), ("d", "3")].map(|(n, d)| Failing::new(n, d, 0.0, &good));
        assert_eq!(best_trio(&modules[..3]), None);
        assert_eq!(best_trio(&modules).unwrap().modules, ["a", "c", "d"]);
    }
}
