//! Whether the laws would notice: for each of some deliberate bugs in the protocol, the simulator finds a run that breaks a law.

use super::super::campaign::run;
use super::super::draw::{DrawOptions, draw};
use super::super::panics;
use super::super::replica::native;
use crate::protocol::mutation::{Mutation, with};
use crate::protocol::quorum::Tolerance;

/// Runs seeds with a bug switched on, until a law breaks. It has to within so many seeds, and the law has to be one of these.
#[track_caller]
fn check(mutation: Mutation, tolerance: Tolerance, faults: &[&'static str], seeds_max: u64, laws: &[&str]) {
    let options = DrawOptions { tolerance: Some(tolerance), faults: Some(faults.to_vec()), ..DrawOptions::default() };
    let broken = panics::quietly(|| {
        let runs = (1..=seeds_max).map(|seed| (seed, draw(seed, &options)));
        let broken = |(seed, plan)| with(mutation, || run(&plan, &native(), false)).broken.map(|broken| (seed, broken));
        runs.into_iter().find_map(broken)
    });
    let (seed, broken) = broken.unwrap_or_else(|| panic!("{mutation:?} is not found within {seeds_max} seeds"));
    assert!(laws.contains(&broken.law.as_str()), "{mutation:?} is found by seed {seed}, but as {broken}");
}

/// How a run that does not end well breaks a law.
const NOT_WELL: [&str; 3] = [
    "every_request_is_answered_after_the_faults",
    "every_replica_votes_again_after_the_faults",
    "every_replica_has_the_state_of_the_order_after_the_faults",
];

#[test]
fn a_release_at_one_reply_is_found() {
    let laws = ["released_outcomes_have_a_quorum"];
    check(Mutation::ReleaseAtOneReply, Tolerance::BYZANTINE, &["wrong"], 1, &laws);
}

#[test]
fn strikes_counted_in_total_are_found() {
    let laws = ["nobody_is_restarted_without_three_wrong_answers_in_a_row"];
    check(Mutation::CountStrikesInTotal, Tolerance::BYZANTINE, &["wrong"], 3, &laws);
}

#[test]
fn a_hold_back_queue_that_holds_nothing_back_is_found() {
    let laws = ["replicas_deliver_prefixes_of_one_order"];
    check(Mutation::SkipHoldBack, Tolerance::BYZANTINE, &["kill", "loss"], 20, &laws);
}

#[test]
fn a_lost_session_table_is_found() {
    let laws = [
        "each_request_is_executed_once_in_one_incarnation",
        "certified_checkpoints_are_those_of_the_order",
        "nobody_is_restarted_without_cause",
    ];
    check(Mutation::LoseSessionTable, Tolerance::BYZANTINE, &["trap", "kill", "repeat"], 3, &laws);
}

#[test]
fn a_forgotten_retransmission_is_found() {
    check(Mutation::ForgetRetransmission, Tolerance::BOTH, &["loss"], 3, &NOT_WELL);
}

#[test]
fn a_judgement_before_all_have_replied_is_found() {
    check(Mutation::JudgeBeforeAllReplied, Tolerance::BYZANTINE, &["mute"], 6, &NOT_WELL);
}

#[test]
fn trust_in_the_first_snapshot_is_found() {
    let laws = ["nobody_is_restarted_without_cause", "equal_places_have_equal_states"];
    check(Mutation::TrustFirstSnapshot, Tolerance::BYZANTINE, &["kill", "wrong-snapshot"], 3, &laws);
}

#[test]
fn an_accusation_of_an_earlier_life_that_counts_is_found() {
    let laws = ["nobody_is_restarted_without_three_wrong_answers_in_a_row"];
    check(Mutation::IgnoreIncarnation, Tolerance::BYZANTINE, &["wrong"], 50, &laws);
}
