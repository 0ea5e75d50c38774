//! Whole runs: that they are the same every time, and that they hold the laws.

mod mutations;

use super::campaign::{campaign, run};
use super::draw::{DrawOptions, draw};
use super::fault::{FaultKind, Place, PlannedFault};
use super::replica::native;
use crate::protocol::id::NodeId;

/// Seeds whose runs are part of every run of the suite. Unoptimised they take a quarter of a second each; `dsms sim` runs thousands.
const SEEDS: u64 = 24;

#[test]
fn every_law_holds_in_the_first_runs() {
    let tally = campaign(1, SEEDS, &DrawOptions::default(), &native(), 2, false, &|_| ());
    if let Some((seed, broken)) = tally.failure {
        panic!("seed {seed}: {broken}; see it: dsms sim --seed {seed} --runs 1");
    }
    assert_eq!(tally.runs, SEEDS);
    assert!(tally.struck > 500 && tally.answered > SEEDS * 150 && tally.checked > 10_000, "{tally:?}");
    assert!(tally.coverage.covered_len() > 40, "{}", tally.coverage.to_text());
}

#[test]
fn equal_plans_give_byte_equal_traces_and_others_do_not() {
    let options = DrawOptions::default();
    let traces = |seed| run(&draw(seed, &options), &native(), true);
    for seed in [5, 6] {
        let (one, other) = (traces(seed), traces(seed));
        assert_eq!(one.lines, other.lines);
        assert_eq!((&one.trace, one.datagrams_len), (&other.trace, other.datagrams_len));
        assert!(one.lines.len() > 300, "{} lines", one.lines.len());
    }
    assert_ne!(traces(5).trace, traces(6).trace);
}

#[test]
fn garbled_datagrams_arrive_and_are_dropped_by_their_seal() {
    let mut plan = draw(3, &DrawOptions::default());
    let (place, peer) = (Place::Node(NodeId::FRONT_END), Some(Place::Node(NodeId::Sequencer)));
    let kind = FaultKind::Garble { per_mille: 500 };
    plan.faults = vec![PlannedFault { at_ms: 0, lasts_ms: 3_000, place, peer, kind }];
    let report = run(&plan, &native(), false);
    assert!(report.broken.is_none(), "{:?}", report.broken);
    assert!(report.observed.struck_len() > 20 && report.observed.is_detected_by(0, "seal"), "{:?}", report.observed);
}

#[test]
fn replicas_begin_with_tentative_checkpoints_right_ones_and_wrong_ones() {
    let faults = Some(vec!["kill", "corrupt-state", "outage"]);
    let options = DrawOptions { faults, ..DrawOptions::default() };
    let begun = (1..=250).flat_map(|seed| {
        let report = run(&draw(seed, &options), &native(), true);
        assert!(report.broken.is_none(), "seed {seed}: {:?}", report.broken);
        report.lines.into_iter().filter(|line| line.contains("with a tentative checkpoint"))
    });
    let mut seen = [false; 2];
    let both = begun.map(|line| line.ends_with("that is wrong")).any(|is_wrong| {
        seen[usize::from(is_wrong)] = true;
        seen == [true; 2]
    });
    assert!(both, "right: {}, wrong: {}", seen[0], seen[1]);
}

#[test]
fn a_run_is_the_same_whether_it_is_told_or_not() {
    let plan = draw(9, &DrawOptions::default());
    assert_eq!(run(&plan, &native(), true).trace, run(&plan, &native(), false).trace);
}
