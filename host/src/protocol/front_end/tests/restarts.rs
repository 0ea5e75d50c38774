//! The front end when its own process is new, or that of another node.

use super::*;
use crate::protocol::id::Round;

impl Bench {
    fn resume(&mut self, after: u64) {
        let message = Message::Resume { round: Round(1), after: SequenceNumber(after) };
        self.front_end.handle_message(NodeId::Sequencer, message, self.now);
    }

    /// What a manager whose process is new is told.
    fn joins(&mut self, number: u8) -> Vec<Message> {
        self.drain();
        let manager = NodeId::ReplicaManager(ReplicaId::new(number).unwrap());
        self.front_end.handle_message(manager, Message::Join, self.now);
        let outputs = std::iter::from_fn(|| self.front_end.poll_output());
        let messages = outputs.filter_map(|output| match output {
            Output::Transmit { to, message } if to == Recipients::One(manager) => Some(message),
            _ => None,
        });
        messages.collect()
    }
}

#[test]
fn what_has_no_place_or_a_later_one_is_submitted_again_when_the_sequencer_resumes() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    (1..=3).for_each(|number| bench.request(number));
    bench.sequenced(1, 1);
    bench.sequenced(2, 2);
    bench.drain();
    bench.resume(1);
    assert_eq!(bench.drain(), ["resumed", "submit", "submit"]);
    // Place 2 is now that of the third request.
    bench.sequenced(3, 2);
    bench.sequenced(2, 3);
    for (sequence, capacity) in [(1, 5), (2, 7), (3, 6)] {
        bench.reply(1, sequence, executed(sequence, capacity));
        bench.reply(2, sequence, executed(sequence, capacity));
    }
    let told = bench.drain();
    let expected = [
        RIGHT,
        r#"1/3: {"sequence":2,"result":"added","capacity":7}"#,
        r#"1/2: {"sequence":3,"result":"added","capacity":6}"#,
    ];
    assert_eq!(told, expected);
}

#[test]
fn replies_to_an_order_that_nobody_holds_are_not_counted_for_the_one_that_takes_its_place() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    bench.sequenced(1, 1);
    bench.reply(1, 1, executed(1, 6));
    bench.drain();
    bench.resume(0);
    bench.request(2);
    bench.sequenced(2, 1);
    bench.reply(2, 1, executed(1, 6));
    assert_eq!(bench.drain(), ["resumed", "submit", "submit"]);
}

#[test]
fn nobody_is_suspected_of_silence_at_a_place_that_is_given_anew() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    bench.sequenced(1, 1);
    bench.resume(0);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.charges(), []);
    bench.sequenced(1, 1);
    bench.pass(Duration::from_millis(499));
    assert_eq!(bench.charges(), []);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.charges(), [("suspect", 1, 1), ("suspect", 2, 1), ("suspect", 3, 1)]);
}

#[test]
fn who_is_new_itself_claims_to_know_nothing_of_a_replica() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    let config = bench.front_end.config;
    bench.front_end = FrontEnd::new(config);
    bench.drain();
    assert_eq!(bench.joins(1), [Message::Joined { last: None, ordered: SequenceNumber(0) }]);
    bench.progress(1, 0, Phase::Recovering);
    assert_eq!(bench.joins(1), [Message::Joined { last: None, ordered: SequenceNumber(0) }]);
    let progress = Progress { incarnation: Incarnation(4), delivered: SequenceNumber(9), ..PROGRESS };
    let manager = NodeId::ReplicaManager(ReplicaId::new(2).unwrap());
    bench.front_end.handle_message(manager, Message::Progress(progress), bench.now);
    assert_eq!(bench.joins(1), [Message::Joined { last: None, ordered: SequenceNumber(9) }]);
    bench.progress(2, 0, Phase::Recovering);
    // It stood before the first order, so there is one.
    let joined = Message::Joined { last: Some(Incarnation(4)), ordered: SequenceNumber(1) };
    assert_eq!(bench.joins(2), [joined], "a process that does not know its life does not make the last one forgotten");
}

#[test]
fn a_manager_whose_process_is_new_hears_whom_it_has_to_vote_on() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.judged_request(1, &[5, 5]);
    bench.pass(SuspicionPolicy::default().deadline_start);
    let charge =
        Charge { replica: ReplicaId::new(3).unwrap(), incarnation: Incarnation(1), sequence: SequenceNumber(1) };
    assert_eq!(bench.joins(2)[1..], [Message::Suspect(charge)]);
    assert_eq!(bench.joins(3).len(), 1, "not about itself");
}

#[test]
fn an_order_of_an_earlier_front_end_becomes_void_when_too_many_modules_fail_at_it() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.reply(1, 7, fault());
    assert_eq!(bench.drain(), [""; 0]);
    bench.reply(2, 7, fault());
    assert_eq!(bench.drain(), ["request is void, too many modules fail at it seq=7", "void"]);
    bench.reply(3, 7, fault());
    assert_eq!(bench.drain(), ["void"], "it becomes void once, and who may not know is told");
}

#[test]
fn who_asked_for_a_request_that_is_void_before_its_place_is_known_is_told() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    bench.reply(1, 1, fault());
    bench.reply(2, 1, fault());
    bench.drain();
    bench.sequenced(1, 1);
    assert!(bench.drain().iter().any(|line| line.contains("no-agreement")));
}

#[test]
fn a_replica_whose_reply_an_earlier_front_end_has_had_is_waited_for_at_later_orders_only() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    for sequence in [1, 2] {
        bench.request(sequence);
        bench.sequenced(sequence, sequence);
        bench.reply(1, sequence, executed(sequence, 5));
        bench.reply(2, sequence, executed(sequence, 5));
    }
    let node = NodeId::ReplicaManager(ReplicaId::new(3).unwrap());
    let progress = Progress { executed: SequenceNumber(1), delivered: SequenceNumber(2), ..PROGRESS };
    bench.front_end.handle_message(node, Message::Progress(progress), bench.now);
    bench.charges();
    bench.pass(SuspicionPolicy::default().deadline_ceiling);
    assert_eq!(bench.charges(), [("suspect", 3, 2)], "it hangs at the second one, and its manager can see that");
}

#[test]
fn a_replica_that_stands_before_an_order_is_waited_for_although_the_order_was_judged_without_it() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.progress(3, 1, Phase::Recovering);
    bench.judged_request(1, &[5, 5]);
    assert!(bench.front_end.ledger.record(SequenceNumber(1)).unwrap().judged);
    let node = NodeId::ReplicaManager(ReplicaId::new(3).unwrap());
    let progress = Progress { delivered: SequenceNumber(1), ..PROGRESS };
    bench.front_end.handle_message(node, Message::Progress(progress), bench.now);
    bench.charges();
    bench.pass(SuspicionPolicy::default().deadline_ceiling);
    assert_eq!(bench.charges(), [("suspect", 3, 1)]);
    bench.reply(3, 1, executed(1, 5));
    assert_eq!(bench.front_end.judging.awaited_len(), 0);
}

#[test]
fn a_wrong_reply_is_accused_although_all_replies_and_a_heartbeat_overtake_the_sequencer() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    let node = NodeId::ReplicaManager(ReplicaId::new(2).unwrap());
    let progress = Progress { delivered: SequenceNumber(1), ..PROGRESS };
    bench.front_end.handle_message(node, Message::Progress(progress), bench.now);
    for (replica, capacity) in [(1, 5), (2, 5), (3, 6)] {
        bench.reply(replica, 1, executed(1, capacity));
    }
    bench.charges();
    bench.sequenced(1, 1);
    assert_eq!(bench.charges(), [("accuse", 3, 1)]);
}

#[test]
fn a_late_disagreement_does_not_end_the_retry_that_has_a_place_of_its_own() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    bench.sequenced(1, 1);
    bench.pass(REQUEST_TIMEOUT);
    bench.request(1);
    bench.sequenced(1, 2);
    bench.drain();
    bench.reply(1, 1, fault());
    bench.reply(2, 1, fault());
    assert!(
        !bench.drain().iter().any(|line| line.contains("no-agreement")),
        "it may still be agreed on at its new place"
    );
    bench.reply(1, 2, executed(2, 5));
    bench.reply(2, 2, executed(2, 5));
    assert!(bench.drain().iter().any(|line| line.contains("\"sequence\":2")));
}

#[test]
fn a_replica_that_is_heard_of_only_after_the_deadline_is_still_missed() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    let config = bench.front_end.config;
    bench.front_end = FrontEnd::new(config);
    bench.drain();
    bench.client(CONNECTION, ClientMessage::Hello { client: ClientId(7) });
    bench.request(1);
    bench.sequenced(1, 1);
    bench.pass(SuspicionPolicy::default().deadline_start);
    assert_eq!(bench.charges(), [], "nobody is known to vote");
    bench.progress(3, 1, Phase::Voting);
    bench.pass(SuspicionPolicy::default().deadline_start);
    assert_eq!(bench.charges(), [("suspect", 3, 1)]);
}
