//! What a replica manager writes, and how it begins with what an earlier process has written.

use super::*;
use crate::protocol::limits::{LOG_LEN_MAX_DEFAULT, PENDING_LEN_MAX, VOIDS_REPEATED_LEN_MAX};

impl Bench {
    /// Ends this process and begins another with what was written.
    fn reborn(self) -> Bench {
        Bench::recovered(1, self.left())
    }

    fn own_places(&self) -> (u64, u64, Vec<u64>) {
        let stable = self.manager.stable.iter().map(|(checkpoint, _)| checkpoint.sequence.0).collect();
        (self.manager.log.start().0, self.manager.log.end().0, stable)
    }
}

#[test]
fn an_order_is_written_before_it_is_executed_and_before_its_reply() {
    let mut bench = Bench::voting(1);
    bench.records.clear();
    bench.sent.clear();
    bench.deliver_up_to(2);
    bench.execute_all();
    let records: Vec<(usize, u64)> = bench
        .records
        .iter()
        .map(|(sent_len, record)| match record {
            Record::Order(order) => (*sent_len, order.sequence.0),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((records, bench.replies.len()), (vec![(0, 1), (0, 2)], 2));
}

#[test]
fn a_new_process_begins_a_later_life_with_its_own_log_and_checkpoints_and_fetches_nothing() {
    let mut bench = Bench::voting(1);
    for sequence in [EVERY, 2 * EVERY, 3 * EVERY] {
        bench.certify(sequence);
    }
    bench.deliver_up_to(3 * EVERY + 4);
    let left = bench.own_places();
    assert_eq!(left, (2 * EVERY, 3 * EVERY + 4, vec![2 * EVERY, 3 * EVERY]));
    let mut bench = bench.reborn();
    assert_eq!(bench.own_places(), left);
    bench.joined(1, 3 * EVERY + 4);
    assert_eq!(bench.starts, [(Incarnation(2), 0, true)]);
    assert!(!bench.sent_names().contains(&"fetch-log"));
    bench.start();
    let rest: Vec<u64> = (3 * EVERY + 1..=3 * EVERY + 4).collect();
    assert_eq!(bench.places().concat(), rest);
}

#[test]
fn a_new_process_does_not_reply_to_orders_that_are_too_old_for_anybody_to_wait_for() {
    let mut bench = Bench::voting(1);
    let last = PENDING_LEN_MAX as u64 + 3;
    bench.deliver_up_to(last);
    let mut bench = bench.reborn();
    bench.joined(1, last);
    bench.start();
    bench.execute_all();
    let replied: Vec<u64> = bench.replies.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(replied, (4..=last).collect::<Vec<u64>>());
}

#[test]
fn what_was_delivered_meanwhile_is_fetched_from_the_end_of_the_own_log_on() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(3);
    let mut bench = bench.reborn();
    bench.joined(1, 5);
    assert!(bench.sent.iter().any(|(_, message)| *message == Message::FetchLog { after: SequenceNumber(3) }));
}

#[test]
fn a_cluster_that_begins_as_a_whole_with_its_disks_goes_on_where_it_was() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(3);
    let mut bench = bench.reborn();
    for from in [NodeId::FRONT_END, peer(2), peer(3)] {
        bench.receive(from, Message::Joined { last: None, ordered: SequenceNumber(0) });
    }
    assert_eq!(bench.starts, [(Incarnation(2), 0, false)], "nobody else knows that there was a life before");
    bench.receive(NodeId::Sequencer, Message::FetchEnd { round: Round(1), ordered: SequenceNumber(0) });
    let end =
        |(_, message): &(Recipients, Message)| matches!(message, Message::LogEnd { sequence, .. } if sequence.0 == 3);
    assert!(bench.sent.iter().any(end));
    bench.start();
    bench.execute_all();
    bench.deliver(order(4, 2));
    bench.execute_all();
    assert_eq!(bench.replies.last(), Some(&(4, Some(2))), "a retry is answered and not executed again");
}

#[test]
fn every_life_is_written_before_anybody_hears_of_it() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(3);
    bench.execute_all();
    (1..=3).for_each(|sequence| bench.accuse(1, sequence));
    assert_eq!(bench.left().incarnation, Incarnation(2));
}

#[test]
fn the_life_that_others_have_heard_of_counts_if_it_is_later_than_the_one_written() {
    let mut bench = Bench::voting(1).reborn();
    bench.joined(7, 0);
    assert_eq!(bench.starts, [(Incarnation(8), 0, false)]);
}

#[test]
fn what_became_void_stays_void_and_is_told_again() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(2);
    bench.void(1);
    bench.void(3);
    bench.void(3);
    bench.deliver_up_to(3);
    let mut bench = bench.reborn();
    let is_void = |place| bench.manager.log.order(SequenceNumber(place)).unwrap().command == Command::Void;
    assert_eq!([1, 2, 3].map(is_void), [true, false, true]);
    bench.joined(1, 0);
    let told = |sequence| (Recipients::ReplicaManagers, Message::Void { sequence: SequenceNumber(sequence) });
    assert!(bench.sent.contains(&told(1)) && bench.sent.contains(&told(3)));
}

#[test]
fn no_more_void_requests_are_told_again_than_the_bound() {
    let mut bench = Bench::voting(1);
    let last = VOIDS_REPEATED_LEN_MAX as u64 + 5;
    bench.deliver_up_to(last);
    (1..=last).for_each(|sequence| bench.void(sequence));
    bench.sent.clear();
    bench.receive(peer(2), Message::Join);
    assert_eq!(bench.sent_names().iter().filter(|name| **name == "void").count(), VOIDS_REPEATED_LEN_MAX);
}

#[test]
fn a_log_that_is_full_since_nothing_is_certified_is_shortened_and_so_is_what_is_left_of_it() {
    let mut bench = Bench::voting(1);
    (1..=2).for_each(|step| bench.certify(step * EVERY));
    bench.deliver_up_to(LOG_LEN_MAX_DEFAULT as u64);
    assert_eq!(bench.own_places(), (0, LOG_LEN_MAX_DEFAULT as u64, vec![EVERY, 2 * EVERY]));
    bench.deliver_up_to(LOG_LEN_MAX_DEFAULT as u64 + 1);
    let (start, end, stable) = bench.own_places();
    assert_eq!(
        (end - start, stable),
        ((LOG_LEN_MAX_DEFAULT - LOG_LEN_MAX_DEFAULT / 16) as u64, vec![]),
        "no checkpoint leads on to the log"
    );
    let left = bench.left();
    assert_eq!((left.log.start().0, left.log.end().0, left.stable.len()), (start, end, 0));
}

#[test]
fn an_adopted_checkpoint_is_left_with_the_log_that_begins_after_it_or_not_at_all() {
    let mut source = Bench::voting(1);
    (1..=2).for_each(|step| source.certify(step * EVERY));
    let (checkpoint, certificate) = source.manager.stable.back().unwrap().clone();
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(3);
    bench.manager.ordered = SequenceNumber(2 * EVERY + 1);
    bench.manager.fetch_log(bench.now);
    bench.receive(peer(2), Message::Offer(certificate));
    let bytes = checkpoint.encode();
    let (sequence, len) = (checkpoint.sequence, bytes.len() as u64);
    bench.receive(peer(2), Message::State { sequence, offset: 0, len, bytes });
    assert_eq!(bench.own_places(), (2 * EVERY, 2 * EVERY, vec![2 * EVERY]));
    let whole = bench.left();
    assert_eq!((whole.log.start(), whole.stable.len()), (sequence, 1));
    assert!(matches!(bench.records.last(), Some((_, Record::Begin(after))) if *after == sequence));
    bench.records.pop();
    let cut_off = bench.left();
    assert_eq!((cut_off.log.end(), cut_off.stable.len()), (SequenceNumber(3), 0));
}

#[test]
fn a_life_that_a_fetched_checkpoint_has_overtaken_gives_way_to_one_that_begins_with_it() {
    let mut source = Bench::voting(1);
    (1..=2).for_each(|step| source.certify(step * EVERY));
    let (checkpoint, certificate) = source.manager.stable.back().unwrap().clone();
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(3);
    bench.execute_all();
    bench.manager.ordered = SequenceNumber(2 * EVERY + 1);
    bench.manager.fetch_log(bench.now);
    bench.receive(peer(2), Message::Offer(certificate));
    // Its own log begins at the beginning, so a life begins with that, before the checkpoint is here.
    bench.start();
    let bytes = checkpoint.encode();
    let (sequence, len) = (checkpoint.sequence, bytes.len() as u64);
    bench.receive(peer(2), Message::State { sequence, offset: 0, len, bytes });
    assert_eq!(bench.manager.fetch.is_some(), bench.manager.has_gap(), "it fetches what comes after");
    bench.receive(peer(2), Message::Log { after: sequence, orders: vec![order(2 * EVERY + 1, 2 * EVERY + 1)] });
    bench.start();
    bench.execute_all();
    assert_eq!((bench.manager.phase(), bench.manager.executed().0), (Phase::Voting, 2 * EVERY + 1));
}

#[test]
fn an_order_that_nobody_has_is_told_to_the_sequencer() {
    let mut bench = Bench::voting(1);
    bench.deliver(order(2, 2));
    let empty = || Message::Log { after: SequenceNumber(0), orders: Vec::new() };
    bench.receive(peer(2), empty());
    assert!(!bench.sent_names().contains(&"missing"), "another one is asked");
    bench.receive(peer(3), empty());
    let told = (Recipients::One(NodeId::Sequencer), Message::Missing { after: SequenceNumber(0) });
    assert!(bench.sent.contains(&told));
}
