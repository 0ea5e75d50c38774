//! Whatever comes from outside: every reader of bytes and every core, with bytes and messages that nobody sane would send.
//!
//! What is fed in is drawn from bytes (`draw.rs`), so that the property tests here and the targets in `fuzz/` share their bodies.
//!
//! | File | Its part |
//! |---|---|
//! | `readers.rs` | one function for each reader of bytes |
//! | `cores.rs` | the cores with hostile messages, the channels with hostile datagrams |
//! | `guests.rs` | the sandbox with damaged and hostile components, the cache with damaged files |
//! | `messages.rs` | any message there can be |
//! | `draw.rs` | choices out of bytes |

mod cores;
mod draw;
mod guests;
mod messages;
mod readers;

use std::collections::BTreeSet;

use proptest::prelude::*;

/// How often each property is tried: some seconds for all of them. `PROPTEST_CASES` asks for more.
fn cases(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|asked| asked.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(cases), failure_persistence: None, ..ProptestConfig::default() }
}

fn bytes(len_max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..len_max)
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn any_datagram_is_opened_decoded_or_dropped(bytes in bytes(300)) {
        readers::datagram(&bytes);
    }

    #[test]
    fn any_message_and_any_damaged_one_is_decoded_or_refused(bytes in bytes(400)) {
        readers::message(&bytes);
        readers::damaged_message(&bytes);
    }

    #[test]
    fn any_frames_of_a_disk_are_records_up_to_their_damage(bytes in bytes(400)) {
        readers::frames(&bytes);
    }

    #[test]
    fn a_checkpoint_that_was_made_up_is_refused_or_can_be_begun_with(bytes in bytes(400)) {
        readers::checkpoint(&bytes);
    }

    #[test]
    fn any_bytes_of_a_client_are_frames_or_the_end_of_its_connection(bytes in bytes(300)) {
        readers::client_frames(&bytes);
    }

    #[test]
    fn any_text_is_a_token_or_refused_and_a_damaged_token_is_good_for_nothing(bytes in bytes(300)) {
        readers::token(&bytes);
        readers::damaged_token(&bytes);
    }

    #[test]
    fn any_words_are_a_request_or_a_short_refusal(bytes in bytes(300), drawn in bytes(100)) {
        readers::request_words(&bytes);
        readers::request_words(messages::words(&mut draw::Draw::new(&drawn)).join(" ").as_bytes());
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn any_text_is_a_configuration_or_problems_with_their_places(bytes in bytes(300)) {
        readers::config(&bytes);
        readers::damaged_config(&bytes);
    }

    #[test]
    fn any_text_is_a_plan_or_a_history_or_refused(bytes in bytes(300)) {
        readers::scenario(&bytes);
        readers::damaged_scenario(&bytes);
        readers::history(&bytes);
        readers::damaged_history(&bytes);
    }

    #[test]
    fn any_files_of_a_cluster_are_read_or_refused(
        bytes in prop_oneof![bytes(300), "[0-9a-fé]{60,68}\n?".prop_map(String::into_bytes)],
    ) {
        readers::cluster_files(&bytes);
    }

    #[test]
    fn no_message_ends_a_front_end(bytes in bytes(1500)) {
        cores::front_end(&bytes);
    }

    #[test]
    fn no_message_ends_a_sequencer(bytes in bytes(1500)) {
        cores::sequencer(&bytes);
    }

    #[test]
    fn no_message_ends_a_replica_manager(bytes in bytes(3000)) {
        cores::replica_manager(&bytes);
    }

    #[test]
    fn no_datagram_ends_a_channel(bytes in bytes(1500)) {
        cores::endpoint(&bytes);
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn a_damaged_component_is_refused_or_runs_within_its_limits(bytes in bytes(60)) {
        guests::damaged_component(&bytes);
        guests::component(&bytes);
    }

    #[test]
    fn a_component_that_is_almost_one_of_the_contracts_is_refused_or_runs(bytes in bytes(40)) {
        guests::altered_component(&bytes);
    }

    #[test]
    fn a_cache_file_that_somebody_changed_is_never_used(bytes in bytes(400)) {
        guests::cache_file(&bytes);
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn any_files_of_a_ledger_are_entries_up_to_their_damage(bytes in bytes(400)) {
        readers::ledger(&bytes);
    }

    #[test]
    fn hostile_code_behind_the_contract_ends_in_a_value_or_a_fault(bytes in bytes(400)) {
        guests::hostile_component(&bytes);
    }
}

/// Bytes as random as those of the properties, but the same every time.
fn fixed_bytes(len: usize) -> impl Iterator<Item = Vec<u8>> {
    (0_u32..).map(move |seed| {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    })
}

/// Tries until everything expected has come of it.
#[track_caller]
fn check_reached<K: Into<BTreeSet<&'static str>>>(
    expected: &[&'static str],
    tries_len: usize,
    bytes_len: usize,
    try_once: impl Fn(&[u8]) -> K,
) {
    let mut missing: BTreeSet<&str> = expected.iter().copied().collect();
    for bytes in fixed_bytes(bytes_len).take(tries_len) {
        let seen = try_once(&bytes).into();
        missing.retain(|expected| !seen.contains(expected));
        if missing.is_empty() {
            return;
        }
    }
    panic!("nothing has led to {missing:?}");
}

#[test]
fn hostile_messages_bring_a_replica_manager_to_everything_that_it_does() {
    let expected = [
        "module-failed",
        "recovery-started",
        "recovery-failed",
        "recovered",
        "blocked",
        "quarantined",
        "voted",
        "corrupt",
        "verified",
        "state-fetched",
        "state-refused",
    ];
    check_reached(&expected, 2000, 3000, cores::replica_manager);
}

#[test]
fn hostile_code_runs_into_every_limit() {
    let expected = [
        "answered",
        "trap",
        "budget-exhausted",
        "memory-exceeded",
        "stack-overflow",
        "bad-export",
        "oversized",
        "exited",
    ];
    check_reached(&expected, 300, 400, |bytes| [guests::hostile_component(bytes)]);
}

#[test]
fn damage_to_a_history_is_read_or_refused() {
    check_reached(&["read", "refused", "not written"], 300, 60, |bytes| [readers::damaged_history(bytes)]);
}

#[test]
fn damage_to_a_component_is_refused_or_runs() {
    check_reached(&["refused", "answered"], 300, 60, |bytes| [guests::damaged_component(bytes)]);
    check_reached(&["refused", "answered", "not-written"], 300, 40, |bytes| [guests::altered_component(bytes)]);
}
