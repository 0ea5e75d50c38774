//! How two lives of two processes find each other, datagram by datagram, and what a stale one may do: nothing.

use std::time::Duration;

use super::super::limits::{ANSWER_INTERVAL, DATAGRAM_LEN_DEFAULT, PROBE_INTERVAL};
use super::super::*;
use super::harness::{Faults, Pair, keyring};
use crate::protocol::id::ReplicaId;

const NOW: Instant = Instant(1_000_000);
const LATER: Duration = Duration::from_secs(5);

fn sequencer(session: u128) -> Channel {
    channel(NodeId::Sequencer, NodeId::FRONT_END, session)
}

fn front_end(session: u128) -> Channel {
    channel(NodeId::FRONT_END, NodeId::Sequencer, session)
}

fn channel(local: NodeId, peer: NodeId, session: u128) -> Channel {
    let session = SessionId(session);
    let config = ChannelConfig { local, peer, session, datagram_len_max: DATAGRAM_LEN_DEFAULT };
    Channel::new(config, &keyring(local, peer))
}

/// All that a channel sends in one turn.
fn transmit(channel: &mut Channel, now: Instant) -> Vec<Vec<u8>> {
    let mut datagram = Vec::new();
    std::iter::from_fn(|| channel.poll_transmit(now, &mut datagram).then(|| datagram.clone())).collect()
}

fn deliver(channel: &mut Channel, datagram: &[u8], now: Instant) -> Result<(), DropReason> {
    channel.handle_datagram(&Envelope::read(datagram).unwrap(), now)
}

/// Carry datagrams to and fro until neither side has one.
fn exchange(one: &mut Channel, other: &mut Channel, now: Instant) {
    for _ in 0..10 {
        let (to_other, to_one) = (transmit(one, now), transmit(other, now));
        if to_other.is_empty() && to_one.is_empty() {
            return;
        }
        to_other.iter().for_each(|datagram| deliver(other, datagram, now).unwrap());
        to_one.iter().for_each(|datagram| deliver(one, datagram, now).unwrap());
    }
    panic!("the two never come to an end");
}

fn messages(channel: &mut Channel) -> Vec<Vec<u8>> {
    let mut message = Vec::new();
    std::iter::from_fn(|| channel.poll_message(&mut message).then(|| message.clone())).collect()
}

fn events(channel: &mut Channel) -> Vec<ChannelEvent> {
    std::iter::from_fn(|| channel.poll_event()).collect()
}

#[test]
fn nothing_but_a_hello_goes_to_a_peer_that_was_never_heard_of() {
    let mut one = sequencer(1);
    assert!(transmit(&mut one, NOW).is_empty(), "and not even that without a message");
    one.send(b"first").unwrap();
    let sent = transmit(&mut one, NOW);
    let [hello] = &sent[..] else { panic!("{sent:?}") };
    let hello = Datagram::decode(Envelope::read(hello).unwrap().content()).unwrap();
    assert_eq!((hello.sender, hello.receiver, hello.packet), (SessionId(1), None, None));
}

#[test]
fn messages_for_a_peer_that_is_not_up_yet_arrive_from_the_first() {
    for (down, is_unreachable) in [(Duration::from_millis(50), false), (Duration::from_secs(30), true)] {
        let mut pair = Pair::new(1, Faults::default());
        pair.cut = [true; 2];
        pair.send_many(0, 500, 100);
        pair.run_for(down);
        assert_eq!(pair.channel(0).is_unreachable(), is_unreachable);
        pair.restart(1);
        pair.cut = [false; 2];
        assert!(pair.run_until(pair.now + 2 * PROBE_INTERVAL, Pair::is_settled));
        assert_eq!(pair.delivered(1), 500);
        assert!(!pair.events(0).iter().any(|event| matches!(event, ChannelEvent::PeerRestarted { .. })));
    }
}

#[test]
fn two_that_greet_each_other_at_once_both_deliver() {
    let (mut one, mut other) = (sequencer(1), front_end(2));
    one.send(b"from one").unwrap();
    other.send(b"from other").unwrap();
    exchange(&mut one, &mut other, NOW);
    assert_eq!(messages(&mut one), [b"from other"]);
    assert_eq!(messages(&mut other), [b"from one"]);
    assert_eq!((events(&mut one), events(&mut other)), (vec![ChannelEvent::Reachable], vec![ChannelEvent::Reachable]));
}

#[test]
fn a_late_or_repeated_hello_changes_nothing_in_an_established_session() {
    let (mut one, mut other) = (sequencer(1), front_end(2));
    one.send(b"first").unwrap();
    let hello = transmit(&mut one, NOW).remove(0);
    deliver(&mut other, &hello, NOW).unwrap();
    exchange(&mut one, &mut other, NOW);
    one.send(b"second").unwrap();
    exchange(&mut one, &mut other, NOW);
    assert_eq!(messages(&mut other), [&b"first"[..], b"second"]);
    events(&mut other);

    // It came before its session was established, so once more it is taken for one that is late.
    let now = NOW + ANSWER_INTERVAL;
    deliver(&mut other, &hello, now).unwrap();
    let answers = transmit(&mut other, now);
    assert_eq!(answers.len(), 1);
    deliver(&mut one, &answers[0], now).unwrap();
    assert!(transmit(&mut one, now).is_empty());
    for step in 2..5 {
        let now = NOW + step * ANSWER_INTERVAL;
        assert_eq!(deliver(&mut other, &hello, now), Err(DropReason::Replayed));
        assert!(transmit(&mut other, now).is_empty());
    }
    one.send(b"third").unwrap();
    exchange(&mut one, &mut other, NOW + LATER);
    assert_eq!(messages(&mut other), [b"third"]);
    assert!(events(&mut other).is_empty() && other.counters().peer_restarts == 0);
}

#[test]
fn a_hello_of_a_life_that_has_ended_costs_its_successor_nothing() {
    let mut ended = sequencer(1);
    ended.send(b"never sent").unwrap();
    let stale_hello = transmit(&mut ended, NOW).remove(0);

    let (mut one, mut other) = (sequencer(2), front_end(9));
    other.send(b"queued early").unwrap();
    deliver(&mut other, &stale_hello, NOW).unwrap();
    for datagram in transmit(&mut other, NOW) {
        let _ = deliver(&mut one, &datagram, NOW);
    }
    exchange(&mut one, &mut other, NOW + LATER);
    assert_eq!(messages(&mut one), [b"queued early"]);
    assert_eq!(events(&mut other), [ChannelEvent::Reachable], "no restart");
    assert_eq!(deliver(&mut other, &stale_hello, NOW + LATER), Err(DropReason::StaleSender));
}

#[test]
fn data_for_an_earlier_life_never_enters_the_stream_of_a_later_one() {
    let (mut one, mut other) = (sequencer(1), front_end(2));
    one.send(b"old").unwrap();
    let hello = transmit(&mut one, NOW).remove(0);
    deliver(&mut other, &hello, NOW).unwrap();
    let answer = transmit(&mut other, NOW).remove(0);
    deliver(&mut one, &answer, NOW).unwrap();
    let old_data = transmit(&mut one, NOW).remove(0);

    let mut other = front_end(3);
    assert_eq!(deliver(&mut other, &old_data, NOW), Err(DropReason::StaleReceiver));
    assert!(messages(&mut other).is_empty());
    // Its answer tells the sender, and the late hello and data still change nothing.
    exchange(&mut one, &mut other, NOW);
    assert_eq!(events(&mut one), [ChannelEvent::Reachable, ChannelEvent::PeerRestarted { session: SessionId(3) }]);
    assert_eq!(one.backlog_len(), 0, "what was queued for the life that ended is gone");
    one.send(b"new").unwrap();
    deliver(&mut other, &hello, NOW + LATER).unwrap();
    assert_eq!(deliver(&mut other, &old_data, NOW + LATER), Err(DropReason::StaleReceiver));
    exchange(&mut one, &mut other, NOW + LATER);
    assert_eq!(messages(&mut other), [b"new"]);
    assert_eq!(deliver(&mut one, &answer, NOW + LATER), Err(DropReason::StaleSender));
    assert!(events(&mut one).is_empty() && one.counters().peer_restarts == 1);
}

#[test]
fn a_flood_of_stale_datagrams_draws_few_answers() {
    let (mut one, mut other) = (sequencer(1), front_end(2));
    one.send(b"old").unwrap();
    exchange(&mut one, &mut other, NOW);
    one.send(b"more").unwrap();
    let stale = transmit(&mut one, NOW).remove(0);
    let mut other = front_end(3);
    let mut now = NOW;
    for _ in 0..1000 {
        now = now + ANSWER_INTERVAL / 100;
        assert_eq!(deliver(&mut other, &stale, now), Err(DropReason::StaleReceiver));
        transmit(&mut other, now);
    }
    assert_eq!(other.counters().answers_sent, 10);
    assert_eq!(other.counters().stale, 1000);
}

#[test]
fn a_restart_while_data_flows_both_ways_begins_two_new_streams() {
    for restarted in 0..2 {
        for seed in 0..10 {
            let faults =
                Faults { loss: 20, duplication: 20, replay: 20, jitter: Duration::from_millis(2), garbling: 0 };
            let mut pair = Pair::new(seed, faults);
            pair.send(0, 100).unwrap();
            pair.run_for(LATER);
            for round in 0..60 {
                (0..2).for_each(|node| pair.send_many(node, 20, 100));
                pair.run_for(Duration::from_millis(10));
                if round % 20 == 10 {
                    pair.restart(restarted);
                }
            }
            pair.settle(LATER);
            assert!(pair.fired.replayed > 20, "{:?}", pair.fired);
            assert_eq!(pair.counters(1 - restarted).peer_restarts, 3, "each restart was noticed");
            assert_eq!(pair.counters(restarted).peer_restarts, 0);
            assert!((0..2).all(|node| pair.counters(node).stale > 0), "stale datagrams arrived");
        }
    }
}

#[test]
fn a_restart_is_noticed_by_an_idle_peer_as_soon_as_either_sends() {
    for sender in 0..2 {
        let mut pair = Pair::new(1, Faults::default());
        (0..2).for_each(|node| pair.send_many(node, 10, 40));
        pair.run_for(LATER);
        pair.restart(1);
        pair.run_for(LATER);
        assert_eq!(pair.counters(0).peer_restarts, 0);
        pair.send(sender, 40).unwrap();
        let noticed = |pair: &Pair| pair.counters(0).peer_restarts == 1;
        assert!(pair.run_until(pair.now + 10 * pair.delay, noticed), "sender {sender}");
        pair.settle(LATER);
    }
}

#[test]
fn both_sides_may_restart_at_once() {
    let mut pair = Pair::new(1, Faults::default());
    for _ in 0..5 {
        (0..2).for_each(|node| pair.send_many(node, 1000, 40));
        pair.run_for(Duration::from_micros(350));
        (0..2).for_each(|node| pair.restart(node));
    }
    pair.settle(LATER);
    assert!((0..2).all(|node| pair.counters(node).stale > 0), "datagrams of the old lives arrived");
}

#[test]
fn a_peer_that_restarts_while_it_is_unreachable_is_told_from_one_that_comes_back() {
    let mut pair = Pair::new(1, Faults::default());
    pair.send(0, 40).unwrap();
    pair.run_for(LATER);
    pair.cut = [true; 2];
    pair.send_many(0, 100, 40);
    pair.run_for(2 * LATER);
    pair.restart(1);
    pair.cut = [false; 2];
    pair.run_for(2 * PROBE_INTERVAL);
    let [.., ChannelEvent::Unreachable { .. }, ChannelEvent::PeerRestarted { session }, ChannelEvent::Reachable] =
        pair.events(0)
    else {
        panic!("{:?}", pair.events(0));
    };
    assert_eq!(*session, SessionId(201));
    assert_eq!(pair.delivered(1), 0, "nothing for the old life reaches the new one");
    pair.settle(LATER);
}

#[test]
fn a_datagram_for_another_channel_is_refused() {
    let replica = NodeId::ReplicaManager(ReplicaId::new(1).unwrap());
    let mut one = sequencer(1);
    for mut stranger in [channel(replica, NodeId::Sequencer, 2), channel(NodeId::FRONT_END, replica, 2)] {
        stranger.send(b"hello").unwrap();
        let hello = transmit(&mut stranger, NOW).remove(0);
        assert_eq!(deliver(&mut one, &hello, NOW), Err(DropReason::Misrouted));
    }
    assert!(transmit(&mut one, NOW).is_empty());
    assert_eq!(one.counters().dropped, 2);
}

#[test]
fn events_that_nobody_takes_are_bounded_and_the_latest_are_kept() {
    let mut one = sequencer(1);
    for session in 2..100 {
        let mut bytes = Vec::new();
        let peer = front_end(session);
        peer.seal.write(&peer.bare(Some(SessionId(1)), Receipt::default()), Generation::FIRST, &mut bytes);
        deliver(&mut one, &bytes, NOW).unwrap();
    }
    let events = events(&mut one);
    assert_eq!(events.len(), limits::EVENTS_LEN_MAX);
    assert_eq!(events.last(), Some(&ChannelEvent::PeerRestarted { session: SessionId(99) }));
}
