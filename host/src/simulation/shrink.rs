//! Reduces a run that breaks a law to few faults and few requests that break the same law.

use super::campaign::run;
use super::laws::Broken;
use super::panics::quietly;
use super::replica::MakeModule;
use super::scenario::Scenario;
use super::world::NOTHING_PANICS;

/// Most runs that are spent on one failure. A run of a shrunk plan takes a few milliseconds.
pub const ATTEMPTS_MAX: usize = 3000;

/// Finds a short list, made of items of this one in their order, for which something still holds that holds for the whole list.
///
/// It takes out ever smaller pieces, and in the end single items, until none can go (delta debugging, Zeller and Hildebrandt
/// 2002). `holds` is asked so often at most; the shortest list that was found by then is given.
pub fn minimize<T: Clone>(items: &[T], attempts_max: usize, mut holds: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut kept = items.to_vec();
    let (mut attempts, mut piece_len) = (0, items.len().div_ceil(2).max(1));
    loop {
        let (mut start, mut has_shrunk) = (0, false);
        while start < kept.len() {
            if attempts == attempts_max {
                return kept;
            }
            attempts += 1;
            let end = (start + piece_len).min(kept.len());
            let rest = [&kept[..start], &kept[end..]].concat();
            if holds(&rest) {
                kept = rest;
                has_shrunk = true;
            } else {
                start = end;
            }
        }
        if piece_len == 1 && !has_shrunk {
            return kept;
        }
        piece_len = if has_shrunk && piece_len == 1 { 1 } else { piece_len.div_ceil(2) };
    }
}

/// A plan with as few faults and requests as can be found that breaks the same law. `progress` is told of each plan that does.
///
/// Of a panic, which has no law of its own, the place has to be the same as well.
pub fn shrink(
    scenario: &Scenario,
    broken: &Broken,
    make: &MakeModule,
    progress: &mut dyn FnMut(&Scenario),
) -> Scenario {
    let mut kept = scenario.clone();
    let mut still_breaks = |plan: &Scenario| {
        let breaks = run(plan, make, false).broken.is_some_and(|other| is_alike(broken, &other));
        if breaks {
            progress(plan);
        }
        breaks
    };
    quietly(|| {
        // Twice, since faults that a request needed may go with it.
        for _ in 0..2 {
            let faults = minimize(&kept.faults, ATTEMPTS_MAX / 4, |faults| {
                still_breaks(&Scenario { faults: faults.to_vec(), ..kept.clone() })
            });
            kept.faults = faults;
            let requests = minimize(&kept.requests, ATTEMPTS_MAX / 4, |requests| {
                still_breaks(&Scenario { requests: requests.to_vec(), ..kept.clone() })
            });
            kept.requests = requests;
        }
        let simpler: [fn(&mut Scenario); 3] =
            [|plan| plan.jitter_us = 0, |plan| plan.latency_us = 1000, |plan| plan.spares = 0];
        for simplify in simpler {
            let mut plan = kept.clone();
            simplify(&mut plan);
            if plan != kept && still_breaks(&plan) {
                kept = plan;
            }
        }
    });
    kept
}

/// Whether two runs have broken the same law in the same way.
fn is_alike(one: &Broken, other: &Broken) -> bool {
    // The words of a panic begin with its place, up to the first blank after it.
    let place = |broken: &Broken| broken.words.split_whitespace().take(3).map(str::to_owned).collect::<Vec<_>>();
    one.law == other.law && (one.law != NOTHING_PANICS || place(one) == place(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(items: std::ops::Range<u32>, needed: &[u32], attempts_max: usize) {
        let items: Vec<u32> = items.collect();
        let mut asked = 0;
        let kept = minimize(&items, 1000, |list| {
            asked += 1;
            needed.iter().all(|item| list.contains(item))
        });
        assert_eq!(kept, needed);
        assert!(asked <= attempts_max, "asked {asked} times");
    }

    #[test]
    fn a_list_is_reduced_to_what_is_needed() {
        check(0..200, &[17, 18, 140], 120);
        check(0..200, &[], 20);
        check(0..1, &[0], 3);
        check(0..5, &[0, 1, 2, 3, 4], 30);
    }

    #[test]
    fn the_shortest_list_within_the_attempts_is_given() {
        let items: Vec<u32> = (0..100).collect();
        let kept = minimize(&items, 2, |list| list.contains(&99));
        assert_eq!(kept.len(), 50);
    }
}
