//! Several front ends of one cluster, from the side of one of them.

use super::*;
use crate::protocol::limits::PROGRESS_INTERVAL;

fn second() -> NodeId {
    Membership { front_ends_len: 2, replicas_len: 3 }.front_ends().last().unwrap()
}

/// The first of two front ends.
fn first_of_two() -> Bench {
    let membership = Membership { front_ends_len: 2, replicas_len: 3 };
    let config = FrontEndConfig { membership, ..Bench::config(Tolerance::BYZANTINE) };
    let mut bench = Bench { front_end: FrontEnd::new(config), now: Instant(1_000_000) };
    (1..=3).for_each(|replica| bench.progress(replica, 1, Phase::Voting));
    bench.client(CONNECTION, ClientMessage::Hello { client: ClientId(7) });
    bench.drain();
    bench
}

#[test]
fn the_cluster_is_ready_while_another_front_end_is_down() {
    let mut bench = first_of_two();
    bench.front_end.handle_message(NodeId::Sequencer, Message::Progress(PROGRESS), bench.now);
    assert_eq!(bench.drain(), ["ready"]);
}

#[test]
fn a_reply_to_a_request_of_another_front_end_is_ignored() {
    let mut bench = first_of_two();
    bench.request(1);
    bench.sequenced(1, 1);
    for replica in 1..=2 {
        let replica = NodeId::ReplicaManager(ReplicaId::new(replica).unwrap());
        let (sequence, origin) = (SequenceNumber(1), second());
        let reply = Reply { sequence, origin, incarnation: Incarnation(1), response: executed(1, 5) };
        bench.front_end.handle_message(replica, Message::Reply(reply), bench.now);
    }
    let ignored = "ignored reply from=replica-1 reason=\"to a request of another front end\"";
    let told = bench.drain();
    assert!(told.contains(&ignored.to_owned()) && !told.iter().any(|words| words.contains("capacity")), "{told:?}");
    (1..=2).for_each(|replica| bench.reply(replica, 1, executed(1, 5)));
    assert!(bench.drain().iter().any(|words| words.starts_with("1/1: ")), "those to its own count");
}

#[test]
fn a_request_of_another_front_end_becomes_void_when_too_many_modules_fail_at_it() {
    let mut bench = first_of_two();
    let fails = |bench: &mut Bench, replica| {
        let replica = NodeId::ReplicaManager(ReplicaId::new(replica).unwrap());
        let (sequence, response) = (SequenceNumber(1), Response::Fault(GuestFault::StackOverflow));
        let reply = Reply { sequence, origin: second(), incarnation: Incarnation(1), response };
        bench.front_end.handle_message(replica, Message::Reply(reply), bench.now);
        bench.drain()
    };
    assert_eq!(fails(&mut bench, 1), [""; 0]);
    assert_eq!(fails(&mut bench, 1), [""; 0], "it repeats itself");
    let told = fails(&mut bench, 2);
    assert!(told.contains(&"void".to_owned()), "{told:?}");
    assert_eq!(fails(&mut bench, 1), ["void"], "whoever still says so has not heard of it");
}

#[test]
fn front_ends_hear_of_each_other_and_tell_clients_how_the_others_are() {
    let mut bench = first_of_two();
    let state_of = |bench: &Bench, node| {
        let status = bench.front_end.status(bench.now);
        status.nodes.into_iter().find(|status| status.node == node).map(|status| status.state)
    };
    bench.pass(PROGRESS_INTERVAL);
    let told = std::iter::from_fn(|| bench.front_end.poll_output()).find_map(|output| match output {
        Output::Transmit { to: Recipients::FrontEnds, message: Message::Progress(progress) } => Some(progress),
        _ => None,
    });
    assert_eq!(state_of(&bench, second()), Some(NodeState::Unknown));
    bench.front_end.handle_message(second(), Message::Progress(told.expect("it is due")), bench.now);
    assert_eq!(state_of(&bench, second()), Some(NodeState::Up));
    bench.now = bench.now + SILENT_AFTER + Duration::from_millis(1);
    assert_eq!(state_of(&bench, second()), Some(NodeState::Silent));
    assert_eq!(state_of(&bench, NodeId::FRONT_END), Some(NodeState::Up));
}
