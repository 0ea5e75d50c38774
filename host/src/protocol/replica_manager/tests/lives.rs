//! The lives of a replica: what ends each, and how the next one begins.

use super::*;

#[test]
fn three_wrong_outcomes_in_a_row_begin_a_new_life_which_executes_the_log_again_and_repeats_no_reply() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(4);
    bench.execute_all();
    for sequence in [4, 2, 3] {
        assert_eq!(bench.manager.phase(), Phase::Voting);
        bench.accuse(1, sequence);
    }
    assert_eq!((bench.manager.phase(), &bench.starts[..]), (Phase::Recovering, &[(Incarnation(2), 0, false)][..]));
    bench.deliver_up_to(5);
    bench.start();
    assert_eq!(bench.places(), [vec![1, 2, 3, 4, 5]]);
    bench.execute_all();
    assert_eq!(bench.replies.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(bench.kinds(), ["recovery-started", "recovered"]);
    assert!(bench.sent_names().contains(&"want-checkpoint"));
    bench.accuse(1, 5);
    assert_eq!(bench.manager.phase(), Phase::Voting, "of an earlier life");
}

#[test]
fn two_wrong_one_right_two_wrong_have_no_consequence() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(5);
    bench.execute_all();
    for sequence in [1, 2, 4, 5] {
        bench.accuse(1, sequence);
    }
    assert_eq!((bench.manager.phase(), bench.events.len()), (Phase::Voting, 0));
}

#[test]
fn a_module_that_fails_begins_a_new_life_at_once_and_what_the_old_one_still_says_is_ignored() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(2);
    let (life, second) = bench.runs.pop_back().unwrap();
    bench.fail();
    assert_eq!(bench.starts, [(Incarnation(2), 0, false)]);
    bench.manager.handle_executed(life, second.iter().map(done).collect(), bench.now);
    bench.start();
    bench.execute_all();
    assert_eq!(bench.replies, [(1, Some(1)), (2, Some(2))]);
}

#[test]
fn a_module_that_fails_twice_at_one_order_is_never_called_there_again() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(2);
    bench.fail();
    bench.start();
    bench.fail();
    assert_eq!(bench.kinds().last(), Some(&"blocked"));
    assert_eq!((bench.starts.len(), &bench.replies[..]), (1, &[(1, None)][..]), "its reply is its fault");
    bench.receive(NodeId::FRONT_END, Message::Void { sequence: SequenceNumber(1) });
    bench.start();
    assert_eq!(bench.places(), [vec![2]]);
    bench.execute_all();
    assert_eq!((bench.manager.phase(), bench.replies.last()), (Phase::Voting, Some(&(2, Some(2)))));
}

#[test]
fn a_spare_takes_over_where_a_module_fails_twice() {
    let mut bench = Bench::voting(2);
    bench.deliver_up_to(1);
    bench.fail();
    bench.start();
    bench.fail();
    assert_eq!(bench.starts.last(), Some(&(Incarnation(3), 1, false)));
    assert!(matches!(bench.events.last(), Some(Event::RecoveryStarted { rung: Rung::Spare, .. })));
}

#[test]
fn a_replica_that_has_executed_a_void_request_begins_anew_without_it() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(3);
    bench.execute_all();
    bench.receive(NodeId::FRONT_END, Message::Void { sequence: SequenceNumber(2) });
    bench.start();
    assert_eq!(bench.places(), [vec![1, 3]]);
    // One that is not here yet is void when it comes.
    bench.receive(NodeId::FRONT_END, Message::Void { sequence: SequenceNumber(4) });
    bench.execute_all();
    bench.deliver_up_to(5);
    assert_eq!(bench.places(), [vec![5]]);
}

#[test]
fn a_certified_checkpoint_shortens_the_log_and_is_where_the_next_life_begins() {
    let mut bench = Bench::voting(1);
    for round in 1..=3 {
        bench.deliver_up_to(round * EVERY);
        bench.execute_all();
        let digest = bench.own_digest(round * EVERY);
        bench.checkpoint_vote(2, round * EVERY, digest);
    }
    assert_eq!(bench.manager.log.start(), SequenceNumber(2 * EVERY), "back to the older of the last two");
    bench.deliver_up_to(3 * EVERY + 1);
    bench.fail();
    bench.start();
    assert_eq!((bench.starts.last(), bench.places()), (Some(&(Incarnation(2), 0, true)), vec![vec![3 * EVERY + 1]]));
    bench.execute_all();
    assert!(matches!(bench.events.last(), Some(Event::Recovered { checkpoint, replayed_len: 1, .. })
        if checkpoint.0 == 3 * EVERY));
}

#[test]
fn a_replica_whose_checkpoint_is_not_the_certified_one_is_repaired_from_another_managers() {
    let mut other = Bench::voting(1);
    let mut bench = Bench::voting(1);
    for (manager, units) in [(&mut other, 0), (&mut bench, 1)] {
        manager.deliver_up_to(EVERY - 1);
        manager.execute_all();
        manager.deliver_up_to(EVERY);
        let (life, _) = manager.runs.pop_front().unwrap();
        let share = "NYKM100925".parse().unwrap();
        let share = crate::market::Share { id: share, share_type: crate::market::ShareType::Equity };
        let shares = vec![crate::market::ShareState { share, capacity: 1, available: units }];
        let state = MarketState { shares, holdings: Vec::new() };
        let checkpoint = Some((Arc::new(state.clone()), state.digest()));
        let outcome = Some(Outcome::Added { capacity: 1 });
        manager.manager.handle_executed(life, vec![Ok(Executed { outcome, checkpoint })], manager.now);
        manager.drain();
    }
    let certified = other.own_digest(EVERY);
    other.checkpoint_vote(2, EVERY, certified);
    bench.checkpoint_vote(2, EVERY, certified);
    bench.checkpoint_vote(3, EVERY, certified);
    assert_eq!(bench.kinds(), ["corrupt", "recovery-started"]);
    let fetch = Message::FetchState { sequence: SequenceNumber(EVERY), offset: 0 };
    assert_eq!(bench.sent.last(), Some(&(Recipients::One(peer(2)), fetch.clone())));

    // The first source sends something else.
    let wrong = Message::State { sequence: SequenceNumber(EVERY), offset: 0, len: 3, bytes: vec![2, 2, 2] };
    bench.receive(peer(2), wrong);
    assert_eq!(bench.kinds().last(), Some(&"state-refused"));
    assert_eq!(bench.sent.last(), Some(&(Recipients::One(peer(3)), fetch.clone())), "the next one is asked");
    other.receive(peer(1), fetch);
    let (_, state) = other.sent.last().unwrap().clone();
    bench.receive(peer(3), state);
    assert_eq!(bench.kinds()[3..], ["state-fetched", "first-difference"]);
    assert!(
        bench
            .events
            .last()
            .unwrap()
            .to_string()
            .contains("has=\"share NYKM100925 Equity 1 1\" certified=\"share NYKM100925 Equity 1 0\"")
    );
    bench.start();
    assert_eq!(bench.manager.phase(), Phase::Voting);
    assert_eq!(bench.starts, [(Incarnation(2), 0, true)]);
}

#[test]
fn a_new_process_is_a_new_life_and_fetches_what_it_has_missed_from_whoever_answers() {
    let mut bench = Bench::new(1);
    bench.pass(std::time::Duration::ZERO);
    assert_eq!(
        (&bench.starts[..], bench.sent_names()),
        (&[][..], vec!["join", "join", "join"]),
        "it asks each of the others"
    );
    bench.joined(4, 2);
    assert_eq!(bench.sent_names().last(), Some(&"fetch-log"));
    bench.pass(FETCH_TIMEOUT);
    assert_eq!(bench.sent.last().unwrap().0, Recipients::One(peer(3)), "the first one does not answer");
    let log = Message::Log { after: SequenceNumber(0), orders: vec![order(1, 1), order(2, 2)] };
    bench.receive(peer(3), log);
    bench.start();
    assert_eq!((bench.starts.last(), bench.places()), (Some(&(Incarnation(5), 0, false)), vec![vec![1, 2]]));
    assert!(matches!(bench.events[0], Event::RecoveryStarted { cause: Cause::NewProcess(_), .. }));
}

#[test]
fn a_manager_is_somebody_only_when_one_who_knows_has_said_so() {
    let mut bench = Bench::new(1);
    bench.deliver(order(1, 1));
    bench.pass(PROGRESS_INTERVAL);
    assert_eq!((bench.manager.phase(), &bench.starts[..]), (Phase::Recovering, &[][..]));
    bench.receive(peer(2), Message::Join);
    let joined = Message::Joined { last: None, ordered: SequenceNumber(1) };
    assert_eq!(bench.sent.last(), Some(&(Recipients::One(peer(2)), joined)), "it claims to know nothing");
}

#[test]
fn a_gap_is_closed_with_what_others_have_and_a_checkpoint_where_they_have_it_no_more() {
    let mut bench = Bench::voting(1);
    bench.deliver(order(3, 3));
    assert_eq!(bench.sent.last().unwrap().1, Message::FetchLog { after: SequenceNumber(0) });
    let source = bench.sent.last().unwrap().0;
    assert_eq!(source, Recipients::One(peer(2)));
    bench.receive(peer(2), Message::Log { after: SequenceNumber(0), orders: vec![order(1, 1), order(2, 2)] });
    bench.execute_all();
    assert_eq!((bench.replies.len(), bench.manager.phase()), (3, Phase::Voting));

    bench.deliver(order(30, 30));
    let certificate =
        Certificate { sequence: SequenceNumber(20), digest: state_digest(), voters: vec![replica(2), replica(3)] };
    bench.receive(peer(2), Message::Offer(certificate));
    assert_eq!(bench.manager.phase(), Phase::Recovering);
    let fetch = Message::FetchState { sequence: SequenceNumber(20), offset: 0 };
    assert_eq!(bench.sent.last(), Some(&(Recipients::One(peer(2)), fetch)));
}

#[test]
fn a_crash_that_the_managers_agree_on_begins_a_new_life_if_the_manager_lives() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(1);
    let charge = Charge { replica: replica(1), incarnation: Incarnation(1), sequence: SequenceNumber(1) };
    bench.receive(NodeId::FRONT_END, Message::Suspect(charge));
    assert_eq!(bench.sent.last(), Some(&(Recipients::Watchers, Message::CrashVote { charge, agree: false })));
    bench.receive(peer(2), Message::CrashVote { charge, agree: true });
    assert_eq!(bench.manager.phase(), Phase::Voting);
    bench.receive(peer(3), Message::CrashVote { charge, agree: true });
    assert!(matches!(bench.events.last(), Some(Event::RecoveryStarted { cause: Cause::Crashed(_), .. })));
}

#[test]
fn a_call_that_does_not_come_back_while_the_replica_is_brought_back_ends_its_life() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(2);
    bench.fail();
    bench.start();
    // In steps that are no absence of the manager's own.
    let step = std::time::Duration::from_millis(200);
    let steps = SuspicionPolicy::default().stuck_after.div_duration_f64(step).ceil() as u32;
    (1..steps).for_each(|_| bench.pass(step));
    assert_eq!(bench.manager.incarnation, Incarnation(2), "it may still come back");
    bench.pass(step);
    assert!(
        matches!(bench.events.last(), Some(Event::RecoveryStarted { cause: Cause::Hung(SequenceNumber(1)), .. })),
        "{:?}",
        bench.events
    );
    bench.pass(std::time::Duration::from_secs(1));
    bench.start();
    bench.execute_all();
    assert_eq!(bench.manager.phase(), Phase::Voting);
}

#[test]
fn a_manager_that_has_stood_still_does_not_take_its_module_for_hung() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(2);
    bench.fail();
    bench.start();
    bench.pass(2 * SuspicionPolicy::default().stuck_after);
    assert_eq!(bench.manager.incarnation, Incarnation(2));
}

#[test]
fn a_replica_that_cannot_be_started_climbs_the_ladder_to_quarantine() {
    let mut bench = Bench::voting(2);
    bench.deliver_up_to(1);
    bench.fail();
    while bench.manager.phase() == Phase::Recovering {
        let incarnation = bench.manager.incarnation;
        let refused = Err(StartFailure::Refused("no".to_owned()));
        bench.manager.handle_started(incarnation, refused, bench.now);
        bench.drain();
        bench.pass(std::time::Duration::from_secs(1));
    }
    assert_eq!(bench.manager.phase(), Phase::Quarantined);
    let spares = bench.starts.iter().filter(|(_, module, _)| *module == 1).count();
    assert!(spares >= 1 && bench.kinds().last() == Some(&"quarantined"), "{:?}", bench.events);
    bench.deliver_up_to(2);
    assert_eq!(bench.places(), Vec::<Vec<u64>>::new());
}
