//! What a front end whose process is new waits for before it submits anything.

use super::*;
use crate::protocol::id::Round;
use crate::protocol::limits::PROGRESS_INTERVAL;

const NONE: [u64; 0] = [];

/// A front end whose process is new, in this mode.
fn newborn(tolerance: Tolerance) -> Bench {
    let mut bench = Bench { front_end: FrontEnd::new(Bench::config(tolerance)), now: Instant(1_000_000) };
    bench.client(CONNECTION, ClientMessage::Hello { client: ClientId(7) });
    bench
}

impl Bench {
    /// The numbers of the requests that were submitted since this was asked last.
    fn submitted(&mut self) -> Vec<u64> {
        let outputs = std::iter::from_fn(|| self.front_end.poll_output());
        let submits = outputs.filter_map(|output| match output {
            Output::Transmit { message: Message::Submit { id, .. }, .. } => Some(id.number.0),
            _ => None,
        });
        submits.collect()
    }
}

#[test]
fn nothing_is_submitted_before_the_managers_know_the_new_process() {
    let mut bench = newborn(Tolerance::BYZANTINE);
    bench.request(1);
    bench.progress(1, 1, Phase::Voting);
    bench.progress(2, 1, Phase::Recovering);
    bench.request(2);
    assert_eq!(bench.submitted(), NONE);
    bench.progress(3, 1, Phase::Voting);
    assert_eq!(bench.submitted(), [1, 2]);
    bench.request(3);
    assert_eq!(bench.submitted(), [3]);
}

#[test]
fn a_manager_that_is_down_keeps_a_new_front_end_waiting_for_a_moment_only() {
    let mut bench = newborn(Tolerance::BYZANTINE);
    bench.request(1);
    bench.progress(1, 1, Phase::Voting);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.submitted(), NONE, "one of three is no quorum");
    bench.progress(2, 1, Phase::Voting);
    bench.pass(PROGRESS_INTERVAL);
    assert_eq!(bench.submitted(), NONE, "the third may yet be heard of");
    bench.pass(2 * PROGRESS_INTERVAL);
    assert_eq!(bench.submitted(), [1]);
}

#[test]
fn a_new_sequencer_gets_nothing_from_a_front_end_that_does_not_submit_yet() {
    let mut bench = newborn(Tolerance::BYZANTINE);
    bench.request(1);
    let resume = Message::Resume { round: Round(2), after: SequenceNumber(0) };
    bench.front_end.handle_message(NodeId::Sequencer, resume, bench.now);
    assert_eq!(bench.submitted(), NONE);
    (1..=3).for_each(|replica| bench.progress(replica, 1, Phase::Voting));
    assert_eq!(bench.submitted(), [1], "once, now that its reply can come");
}

#[test]
fn who_waited_for_the_managers_in_vain_is_told_so() {
    let mut bench = newborn(Tolerance::BYZANTINE);
    bench.request(1);
    bench.progress(1, 1, Phase::Voting);
    bench.pass(REQUEST_TIMEOUT);
    let told = bench.drain().join("\n");
    assert!(told.contains("of 3 replica managers 1 have been heard of, and 2 have to be"), "{told}");
}
