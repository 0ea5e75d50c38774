//! What a replica manager tells which of several front ends, and what it makes of what they say.

use super::*;
use crate::protocol::limits::{ASK_AGAIN_AFTER, PROGRESS_INTERVAL};
use crate::protocol::swap::{Candidate, Stage};

const TWO: Membership = Membership { front_ends_len: 2, replicas_len: 3 };

fn second() -> NodeId {
    TWO.front_ends().last().unwrap()
}

fn joined(last: Option<u32>) -> Message {
    Message::Joined { last: last.map(Incarnation), ordered: SequenceNumber(0) }
}

/// A manager whose replica votes, in a cluster with two front ends.
fn voting() -> Bench {
    let mut bench = Bench::of(TWO, 2, Recovered::default());
    for from in [NodeId::FRONT_END, second()] {
        bench.receive(from, joined(Some(0)));
    }
    bench.start();
    assert_eq!(bench.manager.phase(), Phase::Voting);
    bench
}

#[test]
fn one_front_end_alone_may_have_missed_a_life() {
    let mut bench = Bench::of(TWO, 1, Recovered::default());
    bench.receive(second(), joined(Some(1)));
    assert_eq!(bench.starts, [], "it may have been cut off since");
    bench.receive(NodeId::FRONT_END, joined(Some(3)));
    assert_eq!(bench.starts.first().map(|(incarnation, ..)| incarnation.0), Some(4));
}

#[test]
fn a_cluster_begins_without_a_front_end_that_is_gone() {
    let mut bench = Bench::of(TWO, 1, Recovered::default());
    [peer(2), peer(3)].into_iter().for_each(|from| bench.receive(from, joined(None)));
    assert_eq!(bench.starts, [], "no front end has answered yet");
    bench.receive(second(), joined(None));
    assert_eq!(bench.starts.first().map(|(incarnation, ..)| incarnation.0), Some(1));
}

#[test]
fn a_reply_goes_to_the_front_end_that_the_order_came_from() {
    let mut bench = voting();
    bench.deliver(Order { origin: second(), ..order(1, 1) });
    let (incarnation, run) = bench.runs.pop_front().unwrap();
    bench.manager.handle_executed(incarnation, run.iter().map(done).collect(), bench.now);
    let outputs = std::iter::from_fn(|| bench.manager.poll_output());
    let mut replies = outputs.filter_map(|output| match output {
        Output::Transmit { to, message: Message::Reply(reply) } => Some((to, reply.origin)),
        _ => None,
    });
    assert_eq!(replies.next(), Some((Recipients::One(second()), second())));
}

#[test]
fn that_a_module_fails_for_good_is_told_to_every_front_end() {
    let mut bench = voting();
    bench.deliver_up_to(1);
    for _ in 0..2 * bench.manager.config.modules.len() - 1 {
        bench.fail();
        bench.start();
    }
    let (incarnation, _) = bench.runs.pop_front().unwrap();
    bench.manager.handle_executed(incarnation, vec![Err(GuestFault::StackOverflow)], bench.now);
    let outputs = std::iter::from_fn(|| bench.manager.poll_output());
    let told = outputs.filter(|output| matches!(output, Output::Transmit { message: Message::Reply(_), .. }));
    let to: Vec<Recipients> =
        told.map(|output| if let Output::Transmit { to, .. } = output { to } else { unreachable!() }).collect();
    assert_eq!(to, [Recipients::FrontEnds]);
}

#[test]
fn wrong_outcomes_in_a_row_count_whoever_says_so() {
    let mut bench = voting();
    for (from, sequence) in [(NodeId::FRONT_END, 1), (second(), 2), (NodeId::FRONT_END, 3)] {
        let charge = Charge { replica: replica(1), incarnation: Incarnation(1), sequence: SequenceNumber(sequence) };
        bench.receive(from, Message::Accuse(charge));
    }
    assert_eq!(bench.kinds(), ["recovery-started"]);
}

#[test]
fn a_checkpoint_is_asked_for_at_another_front_end_each_time() {
    let mut bench = voting();
    bench.receive(NodeId::FRONT_END, Message::Void { sequence: SequenceNumber(1) });
    bench.deliver_up_to(1);
    bench.execute_all();
    let charge =
        |sequence| Charge { replica: replica(1), incarnation: Incarnation(1), sequence: SequenceNumber(sequence) };
    (2..=4).for_each(|sequence| bench.receive(second(), Message::Accuse(charge(sequence))));
    bench.start();
    bench.execute_all();
    bench.pass(ASK_AGAIN_AFTER.max(PROGRESS_INTERVAL));
    let wanted = bench.sent.iter().filter(|(_, message)| *message == Message::WantCheckpoint).map(|(to, _)| *to);
    let expected = [NodeId::FRONT_END, second()].map(Recipients::One);
    assert_eq!(wanted.collect::<Vec<_>>(), expected);
}

#[test]
fn a_swap_that_another_front_end_asks_for_ends_the_one_under_way_and_its_front_end_is_told() {
    let mut bench = voting();
    let digest = bench.manager.config.modules[1];
    let ask =
        |at: u64| Message::Swap { swap: SwapId(at), candidate: Candidate::File { path: "b.wasm".to_owned(), digest } };
    bench.receive(NodeId::FRONT_END, ask(5));
    bench.sent.clear();
    bench.receive(second(), ask(4));
    let (to, told) = bench.sent.pop().unwrap();
    assert_eq!(to, Recipients::One(second()));
    assert!(
        matches!(told, Message::SwapReport { swap: SwapId(4), stage: Stage::Failed(words) } if words.contains("front-end"))
    );
    bench.receive(second(), ask(6));
    let told: Vec<_> = bench.sent.iter().filter(|(to, _)| *to == Recipients::One(NodeId::FRONT_END)).collect();
    assert!(
        matches!(&told[..], [(_, Message::SwapReport { swap: SwapId(5), stage: Stage::Failed(words) })] if words.contains("front-end-2"))
    );
    assert!(bench.sent.iter().any(|(to, message)| {
        *to == Recipients::One(second()) && matches!(message, Message::SwapReport { swap: SwapId(6), .. })
    }));
}
