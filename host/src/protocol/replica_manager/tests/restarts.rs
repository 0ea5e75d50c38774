//! The replica manager when the process of the sequencer, of the front end or of other managers is new.

use super::*;
use crate::protocol::limits::ASK_AGAIN_AFTER;

const NOBODY: Option<Incarnation> = None;

impl Bench {
    fn answers(&mut self, from: NodeId, last: Option<Incarnation>) {
        self.receive(from, Message::Joined { last, ordered: SequenceNumber(0) });
    }

    fn fetch_end(&mut self, round: u32, ordered: u64) {
        let message = Message::FetchEnd { round: Round(round), ordered: SequenceNumber(ordered) };
        self.receive(NodeId::Sequencer, message);
    }

    fn sequencer_progress(&mut self, phase: Phase, delivered: u64) {
        let delivered = SequenceNumber(delivered);
        let progress =
            Progress { incarnation: Incarnation(0), phase, delivered, executed: delivered, module: None, process: 1 };
        self.receive(NodeId::Sequencer, Message::Progress(progress));
    }

    fn log(&mut self, from: u8, after: u64, last: u64) {
        let orders = (after + 1..=last).map(|sequence| order(sequence, sequence)).collect();
        self.receive(peer(from), Message::Log { after: SequenceNumber(after), orders });
    }

    /// How far the log reached each time that the sequencer was told, with the round.
    fn ends(&self) -> Vec<(u32, u64)> {
        let end = |(_, message): &(Recipients, Message)| match message {
            Message::LogEnd { round, sequence, .. } => Some((round.0, sequence.0)),
            _ => None,
        };
        self.sent.iter().filter_map(end).collect()
    }
}

#[test]
fn a_new_sequencer_is_told_how_far_the_log_reaches_and_what_was_held_back_is_dropped() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(2);
    bench.deliver(order(4, 4));
    bench.fetch_end(1, 0);
    assert_eq!(bench.ends(), [(1, 2)]);
    bench.log(2, 2, 3);
    assert_eq!(bench.manager.log.end().0, 2, "its answer holds until the sequencer goes on");
    bench.fetch_end(2, 3);
    bench.log(2, 2, 4);
    assert_eq!(bench.ends(), [(1, 2), (2, 2), (2, 3)]);
    bench.sequencer_progress(Phase::Recovering, 9);
    assert!(!bench.manager.has_gap(), "a provisional place");
    bench.sequencer_progress(Phase::Voting, 3);
    bench.deliver(order(4, 40));
    bench.execute_all();
    assert_eq!(bench.manager.log.order(SequenceNumber(4)).unwrap().id.number, RequestNumber(40));
    assert_eq!(bench.replies.len(), 4);
}

#[test]
fn what_the_sequencer_has_not_ordered_is_waited_for_no_longer() {
    let mut bench = Bench::new(1);
    bench.joined(4, 9);
    bench.log(2, 0, 2);
    assert_eq!(bench.starts, [], "nine were told of");
    bench.sequencer_progress(Phase::Voting, 2);
    assert_eq!(bench.starts, [(Incarnation(5), 0, false)]);
}

#[test]
fn a_gap_that_nobody_can_close_does_not_keep_a_new_sequencer_from_being_heard() {
    let mut bench = Bench::voting(1);
    for sequence in 2..=1 + HOLD_BACK_LEN_MAX as u64 {
        bench.deliver(order(sequence, sequence));
    }
    assert!(bench.manager.is_saturated());
    bench.log(2, 0, 0);
    assert!(bench.manager.is_saturated(), "another one is asked");
    bench.log(3, 0, 0);
    assert!(!bench.manager.is_saturated());
}

#[test]
fn a_process_is_somebody_when_the_front_end_or_a_majority_knows_or_when_all_have_said_that_they_do_not() {
    let check = |answers: &[(NodeId, Option<Incarnation>)], expected: Option<u32>| {
        let mut bench = Bench::new(1);
        answers.iter().for_each(|(from, last)| bench.answers(*from, *last));
        let begun = bench.starts.first().map(|(incarnation, ..)| incarnation.0);
        assert_eq!(begun, expected, "{answers:?}");
    };
    let third = Some(Incarnation(3));
    check(&[(NodeId::FRONT_END, third)], Some(4));
    check(&[(NodeId::FRONT_END, NOBODY)], None);
    check(&[(NodeId::FRONT_END, NOBODY), (peer(2), NOBODY)], None);
    check(&[(NodeId::FRONT_END, NOBODY), (peer(2), third)], Some(4));
    check(&[(peer(2), NOBODY), (peer(3), NOBODY)], None);
    check(&[(NodeId::FRONT_END, NOBODY), (peer(2), NOBODY), (peer(3), NOBODY)], Some(1));
}

#[test]
fn those_that_have_not_answered_are_asked_again_who_one_was() {
    let mut bench = Bench::new(1);
    bench.pass(PROGRESS_INTERVAL);
    bench.answers(NodeId::FRONT_END, NOBODY);
    bench.sent.clear();
    bench.pass(PROGRESS_INTERVAL);
    let expected = [2, 3].map(|number| (Recipients::One(peer(number)), Message::Join));
    assert_eq!(bench.sent, expected);
}

#[test]
fn a_blocked_replica_says_again_how_its_module_fails_and_that_it_wants_a_checkpoint() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(1);
    bench.fail();
    bench.start();
    bench.fail();
    bench.sent.clear();
    bench.pass(ASK_AGAIN_AFTER - PROGRESS_INTERVAL);
    assert_eq!((bench.replies.len(), bench.sent.len()), (1, 0));
    bench.pass(PROGRESS_INTERVAL);
    assert_eq!((bench.replies.len(), bench.sent_names()), (2, vec!["want-checkpoint", "fetch-offer"]));
}

#[test]
fn a_blocked_replica_goes_on_with_a_checkpoint_that_another_one_holds_already() {
    let mut source = Bench::voting(1);
    source.certify(EVERY);
    let (checkpoint, certificate) = source.manager.stable.back().unwrap().clone();
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(EVERY + 1);
    bench.fail();
    bench.start();
    bench.fail();
    assert_eq!(bench.kinds().last(), Some(&"blocked"));
    assert!(bench.sent.contains(&(Recipients::ReplicaManagers, Message::FetchOffer)));
    let earlier = Certificate { sequence: SequenceNumber(0), ..certificate.clone() };
    bench.receive(peer(3), Message::Offer(earlier));
    bench.receive(peer(2), Message::Offer(certificate));
    let bytes = checkpoint.encode();
    let (sequence, len) = (checkpoint.sequence, bytes.len() as u64);
    let asked = (Recipients::One(peer(2)), Message::FetchState { sequence, offset: 0 });
    assert_eq!(bench.sent.last(), Some(&asked), "the earlier one is of no use");
    bench.receive(peer(2), Message::State { sequence, offset: 0, len, bytes });
    bench.start();
    assert_eq!(bench.places(), [vec![EVERY + 1]], "its request is passed");
}

#[test]
fn a_recovered_replica_wants_a_checkpoint_until_it_is_compared_with_the_others() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(EVERY - 1);
    bench.execute_all();
    (1..=3).for_each(|sequence| bench.accuse(1, sequence));
    bench.start();
    bench.execute_all();
    bench.sent.clear();
    bench.pass(ASK_AGAIN_AFTER);
    assert_eq!(bench.sent_names(), ["want-checkpoint"]);
    bench.deliver_up_to(EVERY);
    bench.execute_all();
    let digest = bench.own_digest(EVERY);
    bench.checkpoint_vote(2, EVERY, digest);
    bench.sent.clear();
    bench.pass(ASK_AGAIN_AFTER);
    assert_eq!(bench.sent_names(), [""; 0]);
}

#[test]
fn what_the_front_end_says_is_void_is_passed_on_once() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(2);
    let void = Message::Void { sequence: SequenceNumber(1) };
    bench.receive(NodeId::FRONT_END, void.clone());
    assert!(bench.sent.contains(&(Recipients::ReplicaManagers, void.clone())));
    bench.sent.clear();
    let void_2 = Message::Void { sequence: SequenceNumber(2) };
    bench.receive(peer(2), void_2.clone());
    assert!(!bench.sent.iter().any(|(_, message)| *message == void_2));
    assert_eq!(bench.manager.log.order(SequenceNumber(2)).unwrap().command, Command::Void);
}
