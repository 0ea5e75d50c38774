//! Whom the front end accuses and suspects, and when.

use super::*;

#[test]
fn nobody_is_accused_before_every_replica_has_replied_or_is_suspected() {
    let mut bench = Bench::new(Tolerance::BOTH);
    bench.judged_request(1, &[6, 5, 5]);
    assert_eq!(bench.charges(), []);
    bench.pass(SuspicionPolicy::default().deadline_start);
    assert_eq!(bench.charges(), [("suspect", 4, 1), ("accuse", 1, 1)]);
    bench.judged_request(2, &[6, 5, 5]);
    assert_eq!(bench.charges(), [("accuse", 1, 2)], "who is suspected is not waited for");
    bench.reply(4, 2, executed(2, 5));
    bench.judged_request(3, &[6, 5, 5]);
    assert_eq!(bench.charges(), [], "it has replied, so it is waited for again");
}

#[test]
fn a_replica_that_is_brought_back_is_neither_waited_for_nor_suspected() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.judged_request(1, &[6, 5]);
    bench.progress(3, 2, Phase::Recovering);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.charges(), []);
    bench.reply(2, 1, executed(1, 5));
    bench.progress(3, 2, Phase::Voting);
    bench.reply(3, 1, executed(1, 5));
    assert_eq!(bench.charges(), [("accuse", 1, 1)]);
}

#[test]
fn the_deadline_follows_the_slowest_matching_reply_and_no_time_out_raises_it() {
    let policy = SuspicionPolicy::default();
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.judged_request(1, &[5, 5]);
    bench.pass(Duration::from_millis(300));
    bench.reply(3, 1, executed(1, 5));
    assert_eq!(bench.charges(), []);
    bench.judged_request(2, &[5, 5]);
    bench.pass(Duration::from_millis(599));
    assert_eq!(bench.charges(), [], "twice the slowest, 300 ms");
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.charges(), [("suspect", 3, 2)]);
    bench.pass(policy.deadline_ceiling);
    bench.reply(3, 2, executed(2, 5));
    bench.judged_request(3, &[5, 5]);
    bench.pass(Duration::from_millis(600));
    assert_eq!(bench.charges(), [("suspect", 3, 3)], "what came after the suspicion does not count");
}

#[test]
fn a_majority_of_all_managers_agrees_on_a_crash_and_the_process_is_named() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    let replica = ReplicaId::new(3).unwrap();
    let charge = Charge { replica, incarnation: Incarnation(1), sequence: SequenceNumber(1) };
    bench.vote(1, charge, true);
    assert_eq!(bench.drain(), [""; 0]);
    bench.vote(2, charge, true);
    let told = bench.drain();
    assert!(told[0].starts_with("crash agreed replica=replica-3 incarnation=1 seq=1 process=4711"), "{told:?}");
    bench.progress(3, 2, Phase::Voting);
    bench.vote(1, charge, true);
    bench.vote(2, charge, true);
    assert_eq!(bench.drain(), [""; 0], "of an earlier life");
}

#[test]
fn a_replica_that_has_not_digested_its_state_when_a_barrier_times_out_is_suspected() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.client(CONNECTION, ClientMessage::Digest { number: RequestNumber(1) });
    bench.sequenced(1, 1);
    let digest = Response::StateDigest(Digest::of_bytes(b"state"));
    bench.reply(1, 1, digest.clone());
    bench.reply(3, 1, digest);
    bench.pass(SuspicionPolicy::default().deadline_start);
    assert_eq!(bench.charges(), [], "an export may take long");
    bench.pass(REQUEST_TIMEOUT);
    assert_eq!(bench.charges(), [("suspect", 2, 1)]);
}
