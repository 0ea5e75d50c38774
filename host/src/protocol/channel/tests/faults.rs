//! What a channel promises while the network and the peer misbehave, and how soon after they stop.

use std::time::Duration;

use proptest::prelude::*;

use super::super::limits::{
    ACKNOWLEDGE_AFTER, BACKLOG_LEN_MAX, MESSAGE_LEN_MAX, MESSAGE_PREFIX_LEN, PROBE_INTERVAL, UNDELIVERED_LEN_MAX,
};
use super::super::{ChannelEvent, SendError};
use super::harness::{Faults, MESSAGE_LEN_MIN, Pair};

const SECOND: Duration = Duration::from_secs(1);

/// How soon all is delivered once the faults have ended, in virtual time: a probe, the greetings, and what had piled up.
const LIVENESS: Duration = Duration::from_secs(5);

const BAD: Faults = Faults { loss: 30, duplication: 20, garbling: 5, replay: 2, jitter: Duration::from_millis(3) };

/// Let delayed acknowledgements go, and check that nothing more happens.
fn check_idle(pair: &mut Pair) {
    pair.run_for(SECOND);
    let datagrams = [0, 1].map(|node| pair.counters(node).datagrams_sent);
    assert_eq!([0, 1].map(|node| pair.channel(node).poll_timeout()), [None; 2]);
    assert_eq!(pair.in_flight_len(), 0);
    pair.run_for(60 * SECOND);
    assert_eq!([0, 1].map(|node| pair.counters(node).datagrams_sent), datagrams);
}

#[test]
fn a_good_network_delivers_everything_and_nothing_is_sent_twice() {
    let mut pair = Pair::new(1, Faults::default());
    pair.send_many(0, 10_000, 40);
    pair.send_many(1, 10_000, 40);
    pair.settle(LIVENESS);
    check_idle(&mut pair);
    for node in 0..2 {
        let counters = pair.counters(node);
        assert_eq!((counters.packets_retransmitted, counters.duplicates, counters.timeouts), (0, 0, 0));
        assert_eq!(counters.packets_sent, (10_000 * 44 + 28_u64).div_ceil(1109), "messages share datagrams");
        assert_eq!(pair.events(node), [ChannelEvent::Reachable]);
    }
}

#[test]
fn all_messages_arrive_once_and_in_order_through_loss_duplication_and_reordering() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed, BAD);
        for round in 0..50 {
            pair.send_many(0, 40, 40 + round);
            pair.send_many(1, 30, 400);
            pair.run_for(Duration::from_millis(5));
        }
        assert!(pair.run_until(pair.now + 60 * SECOND, Pair::is_settled), "seed {seed}: {:?}", pair.fired);
        let fired = pair.fired;
        assert!(fired.lost > 100 && fired.duplicated > 60 && fired.garbled > 10, "seed {seed}: {fired:?}");
        assert!(fired.overtaken > 100 && fired.replayed > 5, "seed {seed}: {fired:?}");
        for node in 0..2 {
            let counters = pair.counters(node);
            assert!(counters.packets_retransmitted > 20 && counters.replayed > 20, "seed {seed}: {counters:?}");
            assert!(counters.packets_lost > 0 && counters.out_of_order > 0, "seed {seed}: {counters:?}");
        }
        pair.settle(LIVENESS);
        check_idle(&mut pair);
    }
}

#[test]
fn the_longest_message_crosses_a_bad_network_in_fragments() {
    let mut pair = Pair::new(7, BAD);
    pair.send(0, 30).unwrap();
    pair.send(0, MESSAGE_LEN_MAX).unwrap();
    pair.send(0, 30).unwrap();
    assert_eq!(pair.send(0, MESSAGE_LEN_MAX + 1), Err(SendError::TooLong));
    assert!(pair.run_until(pair.now + 60 * SECOND, Pair::is_settled));
    assert_eq!(pair.delivered(1), 3);
    assert!(pair.fired.lost > 200 && pair.counters(0).packets_sent > 900, "{:?}", pair.fired);
}

#[test]
fn a_run_of_lost_packets_is_repaired_without_a_timeout() {
    let mut pair = Pair::new(3, Faults { loss: 2, ..Faults::default() });
    for _ in 0..100 {
        pair.send_many(0, 300, 40);
        pair.run_for(Duration::from_millis(10));
    }
    pair.settle(LIVENESS);
    let counters = pair.counters(0);
    assert!(pair.fired.lost > 10 && counters.packets_lost > 10, "{:?}", pair.fired);
    assert!(counters.timeouts < counters.packets_lost / 2, "{counters:?}");
}

#[test]
fn a_full_backlog_refuses_messages_until_the_peer_is_back_and_keeps_the_others() {
    let mut pair = Pair::new(1, Faults::default());
    pair.send(0, 40).unwrap();
    pair.run_for(SECOND);
    pair.cut = [true; 2];
    let len = 10_000;
    let mut queued = 1;
    while pair.send(0, len) == Ok(()) {
        queued += 1;
        if queued % 100 == 0 {
            pair.run_for(SECOND);
        }
    }
    assert_eq!(pair.send(0, len), Err(SendError::Backlogged));
    assert_eq!(queued as usize, 1 + BACKLOG_LEN_MAX / (len + MESSAGE_PREFIX_LEN));
    assert!(pair.channel(0).backlog_len() <= BACKLOG_LEN_MAX && pair.channel(0).is_unreachable());
    assert!(pair.fired.cut > 5);
    pair.settle(LIVENESS);
    assert!(pair.delivered(1) >= queued);
}

#[test]
fn a_silent_peer_becomes_unreachable_is_probed_slowly_and_resumes_with_the_queue_intact() {
    let mut pair = Pair::new(1, Faults::default());
    pair.send(0, 40).unwrap();
    pair.run_for(SECOND);
    pair.cut = [true; 2];
    let since = pair.now;
    pair.send_many(0, 1000, 40);
    pair.run_for(10 * SECOND);
    assert_eq!(pair.events(0), [ChannelEvent::Reachable, ChannelEvent::Unreachable { since }]);
    assert!(pair.channel(0).is_unreachable());

    let (before, probes) = (pair.counters(0).datagrams_sent, 60);
    pair.send_many(0, 1000, 40);
    pair.run_for(probes * PROBE_INTERVAL);
    assert_eq!(pair.counters(0).datagrams_sent, before + u64::from(probes));

    pair.cut = [false; 2];
    let back = pair.run_until(pair.now + PROBE_INTERVAL + ACKNOWLEDGE_AFTER + 10 * pair.delay, Pair::is_settled);
    assert!(back, "{:?}", pair.channel(0));
    assert_eq!(pair.events(0)[2..], [ChannelEvent::Reachable]);
    assert_eq!(pair.delivered(1), 2001);
    check_idle(&mut pair);
}

#[test]
fn a_peer_that_hears_us_no_more_is_unreachable_although_it_is_heard() {
    let mut pair = Pair::new(1, Faults::default());
    pair.send_many(0, 10, 40);
    pair.run_for(SECOND);
    pair.cut = [true, false];
    pair.send(0, 40).unwrap();
    for _ in 0..100 {
        pair.send(1, 40).unwrap();
        pair.run_for(Duration::from_millis(100));
    }
    assert!(pair.channel(0).is_unreachable() && pair.channel(1).is_unreachable());
    assert!(pair.now.since(pair.channel(0).last_heard_at().unwrap()) <= PROBE_INTERVAL);
    assert_eq!(pair.events(0).len(), 2, "it does not flap: {:?}", pair.events(0));
    assert!(pair.fired.cut < 200, "{:?}", pair.fired);
    pair.settle(LIVENESS);
}

#[test]
fn a_receiver_that_takes_no_messages_holds_its_sender_back_and_is_not_unreachable() {
    let mut pair = Pair::new(1, Faults::default());
    pair.take_messages(1, false);
    let sent_len = BACKLOG_LEN_MAX / 8 * 7;
    for _ in 0..sent_len / 1000 {
        pair.send(0, 1000).unwrap();
    }
    pair.run_for(30 * SECOND);
    assert!(pair.counters(1).undelivered > 10, "{:?}", pair.counters(1));
    assert!(pair.channel(0).backlog_len() > sent_len - UNDELIVERED_LEN_MAX - (1 << 20));
    assert_eq!(pair.events(0), [ChannelEvent::Reachable]);
    let sent = pair.counters(0).datagrams_sent;
    pair.run_for(60 * SECOND);
    assert!(pair.counters(0).datagrams_sent - sent <= 61, "one packet asks each second");

    pair.take_messages(1, true);
    pair.settle(LIVENESS);
    check_idle(&mut pair);
}

#[test]
fn a_paused_peer_catches_up_when_it_goes_on() {
    for (pause, is_unreachable) in [(Duration::from_millis(200), false), (20 * SECOND, true)] {
        let mut pair = Pair::new(5, Faults::default());
        pair.send_many(0, 10, 40);
        pair.run_for(SECOND);
        pair.pause(1, pause);
        pair.send_many(0, 10_000, 400);
        pair.run_for(pause / 2);
        assert_eq!(pair.channel(0).is_unreachable(), is_unreachable);
        assert_eq!(pair.delivered(1), 10);
        pair.run_for(pause / 2);
        pair.settle(LIVENESS);
        assert_eq!(pair.delivered(1), 10_011);
        assert!(!pair.channel(0).is_unreachable());
    }
}

#[test]
fn a_burst_that_overflows_the_socket_of_a_slow_peer_shrinks_the_window_and_arrives() {
    let mut pair = Pair::new(5, Faults::default());
    pair.send_many(0, 40_000, 400);
    for _ in 0..100 {
        pair.pause(1, Duration::from_millis(7));
        pair.run_for(Duration::from_millis(8));
    }
    assert!(pair.fired.overflowed > 50, "{:?}", pair.fired);
    pair.settle(LIVENESS);
    let counters = pair.counters(0);
    assert!(counters.packets_retransmitted < counters.packets_sent / 4, "{counters:?}");
}

#[test]
fn a_path_much_slower_than_it_was_does_not_repeat_everything_for_ever() {
    let mut pair = Pair::new(5, Faults::default());
    pair.send_many(0, 100, 40);
    pair.run_for(SECOND);
    pair.delay = Duration::from_millis(250);
    for _ in 0..200 {
        pair.send(0, 40).unwrap();
        pair.run_for(Duration::from_millis(100));
    }
    pair.settle(LIVENESS);
    assert!(pair.channel(0).round_trip_time() > Some(Duration::from_millis(400)));
    let counters = pair.counters(0);
    assert!(counters.packets_retransmitted > 0 && counters.packets_retransmitted < 40, "{counters:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Send { node: usize, count: usize, len: usize },
    Wait(Duration),
    Restart(usize),
    Cut([bool; 2]),
    Pause { node: usize, duration: Duration },
    Take { node: usize, takes: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let milliseconds = |range| prop::strategy::Strategy::prop_map(range, Duration::from_millis);
    prop_oneof![
        6 => (0..2_usize, 1..200_usize, MESSAGE_LEN_MIN..3000).prop_map(|(node, count, len)| Step::Send { node, count, len }),
        6 => milliseconds(0..30_u64).prop_map(Step::Wait),
        1 => milliseconds(0..8000_u64).prop_map(Step::Wait),
        2 => (0..2_usize).prop_map(Step::Restart),
        1 => any::<[bool; 2]>().prop_map(Step::Cut),
        1 => (0..2_usize, milliseconds(0..500_u64)).prop_map(|(node, duration)| Step::Pause { node, duration }),
        1 => (0..2_usize, any::<bool>()).prop_map(|(node, takes)| Step::Take { node, takes }),
    ]
}

fn faults() -> impl Strategy<Value = Faults> {
    (0..50_u64, 0..50_u64, 0..20_u64, 0..20_u64, 0..20_u64).prop_map(|(loss, duplication, garbling, replay, jitter)| {
        Faults { loss, duplication, garbling, replay, jitter: Duration::from_millis(jitter) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_streams_stay_whole_and_all_is_delivered_soon_after(
        seed in any::<u64>(),
        faults in faults(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut pair = Pair::new(seed, faults);
        for step in steps {
            match step {
                Step::Send { node, count, len } => (0..count).for_each(|_| { let _ = pair.send(node, len); }),
                Step::Wait(duration) => pair.run_for(duration),
                Step::Restart(node) => pair.restart(node),
                Step::Cut(cut) => pair.cut = cut,
                Step::Pause { node, duration } => pair.pause(node, duration),
                Step::Take { node, takes } => pair.take_messages(node, takes),
            }
        }
        (0..2).for_each(|node| pair.take_messages(node, true));
        pair.settle(LIVENESS);
        check_idle(&mut pair);
    }
}
