//! Whether the laws would notice: for each of some deliberate bugs in the protocol, the simulator finds a run that breaks a law.

use super::super::campaign::run;
use super::super::draw::{DrawOptions, draw};
use super::super::panics;
use super::super::replica::native;
use crate::protocol::mutation::{Mutation, with};
use crate::protocol::quorum::Tolerance;

/// Where a bug is looked for: few kinds of faults, so that it shows soon, and how many of them in one run at most.
struct Hunt {
    tolerance: Tolerance,
    faults: &'static [&'static str],
    faults_len_max: u64,
    seeds_max: u64,
}

/// Runs seeds with a bug switched on, until a law breaks. It has to within so many seeds, and the law has to be one of these.
#[track_caller]
fn check(mutation: Mutation, hunt: Hunt, laws: &[&str]) {
    let Hunt { tolerance, faults, faults_len_max, seeds_max } = hunt;
    let (tolerance, faults) = (Some(tolerance), Some(faults.to_vec()));
    let options = DrawOptions { tolerance, faults, faults_len_max, ..DrawOptions::default() };
    let broken = panics::quietly(|| {
        (1..=seeds_max).find_map(|seed| {
            let plan = draw(seed, &options);
            with(mutation, || run(&plan, &native(), false)).broken.map(|broken| (seed, broken))
        })
    });
    let (seed, broken) = broken.unwrap_or_else(|| panic!("{mutation:?} is not found within {seeds_max} seeds"));
    assert!(laws.contains(&broken.law.as_str()), "{mutation:?} is found by seed {seed}, but as {broken}");
}

const BYZANTINE: Tolerance = Tolerance::BYZANTINE;

/// How a run that does not end well breaks a law.
const NOT_WELL: [&str; 3] = [
    "every_request_is_answered_after_the_faults",
    "every_replica_votes_again_after_the_faults",
    "every_replica_has_the_state_of_the_order_after_the_faults",
];

#[test]
fn a_release_at_one_reply_is_found() {
    let hunt = Hunt { tolerance: BYZANTINE, faults: &["wrong"], faults_len_max: 8, seeds_max: 1 };
    check(Mutation::ReleaseAtOneReply, hunt, &["released_outcomes_have_a_quorum"]);
}

#[test]
fn strikes_counted_in_total_are_found() {
    let hunt = Hunt { tolerance: BYZANTINE, faults: &["wrong"], faults_len_max: 8, seeds_max: 5 };
    check(Mutation::CountStrikesInTotal, hunt, &["nobody_is_restarted_without_three_wrong_answers_in_a_row"]);
}

#[test]
fn a_hold_back_queue_that_holds_nothing_back_is_found() {
    let hunt = Hunt { tolerance: BYZANTINE, faults: &["kill", "loss"], faults_len_max: 24, seeds_max: 40 };
    check(Mutation::SkipHoldBack, hunt, &["replicas_deliver_prefixes_of_one_order"]);
}

#[test]
fn a_manager_that_writes_nothing_down_is_found() {
    let hunt = Hunt { tolerance: BYZANTINE, faults: &["outage"], faults_len_max: 8, seeds_max: 10 };
    let laws = ["the_sequencer_gives_each_place_once", "replicas_deliver_prefixes_of_one_order"];
    check(Mutation::ForgetRecord, hunt, &laws);
}

#[test]
fn a_lost_session_table_is_found() {
    let laws = ["certified_checkpoints_are_never_contradicted", "nobody_is_restarted_without_cause"];
    let hunt = Hunt { tolerance: BYZANTINE, faults: &["trap", "kill", "repeat"], faults_len_max: 24, seeds_max: 5 };
    check(Mutation::LoseSessionTable, hunt, &laws);
}

#[test]
fn a_forgotten_retransmission_is_found() {
    let hunt = Hunt { tolerance: Tolerance::BOTH, faults: &["loss"], faults_len_max: 24, seeds_max: 5 };
    check(Mutation::ForgetRetransmission, hunt, &NOT_WELL);
}

#[test]
fn a_judgement_before_all_have_replied_is_found() {
    let hunt = Hunt { tolerance: BYZANTINE, faults: &["mute"], faults_len_max: 8, seeds_max: 25 };
    check(Mutation::JudgeBeforeAllReplied, hunt, &NOT_WELL);
}

#[test]
fn trust_in_the_first_snapshot_is_found() {
    let laws = ["nobody_is_restarted_without_cause", "equal_places_have_equal_states"];
    let hunt = Hunt { tolerance: BYZANTINE, faults: &["kill", "wrong-snapshot"], faults_len_max: 8, seeds_max: 60 };
    check(Mutation::TrustFirstSnapshot, hunt, &laws);
}

#[test]
fn trust_in_a_shadow_is_found() {
    let hunt = Hunt { tolerance: BYZANTINE, faults: &["swap"], faults_len_max: 8, seeds_max: 60 };
    check(Mutation::TrustShadow, hunt, &["nothing_takes_over_before_enough_of_its_outcomes_were_right"]);
}

#[test]
fn an_accusation_of_an_earlier_life_that_counts_is_found() {
    let hunt = Hunt { tolerance: BYZANTINE, faults: &["wrong"], faults_len_max: 8, seeds_max: 40 };
    check(Mutation::IgnoreIncarnation, hunt, &["nobody_is_restarted_without_three_wrong_answers_in_a_row"]);
}

#[test]
fn a_front_end_that_submits_before_it_is_heard_of_is_found() {
    let hunt = Hunt { tolerance: BYZANTINE, faults: &["kill"], faults_len_max: 2, seeds_max: 60 };
    check(Mutation::SubmitAtOnce, hunt, &["an_undisturbed_request_is_answered_soon"]);
}
