//! The front end alone: clients on one side, scripted nodes on the other.

use super::*;
use crate::market::{GuestFault, Outcome};
use crate::protocol::client_message::NodeState;
use crate::protocol::id::Incarnation;
use crate::protocol::limits::{IN_FLIGHT_LEN_MAX, REQUEST_TIMEOUT, SILENT_AFTER};
use crate::protocol::message::{Charge, Phase};

mod front_ends;
mod history;
mod opening;
mod recording;
mod restarts;
mod suspicions;
mod swaps;

/// A front end of three replicas with one client connected.
struct Bench {
    front_end: FrontEnd,
    now: Instant,
}

const CONNECTION: ConnectionId = ConnectionId(1);

const PROGRESS: Progress = Progress {
    incarnation: Incarnation(1),
    phase: Phase::Voting,
    delivered: SequenceNumber(0),
    executed: SequenceNumber(0),
    module: None,
    process: 4711,
};

impl Bench {
    fn config(tolerance: Tolerance) -> FrontEndConfig {
        FrontEndConfig {
            me: NodeId::FRONT_END,
            process: 4710,
            membership: Membership::of(tolerance.replicas_len_min()),
            tolerance,
            request_timeout: REQUEST_TIMEOUT,
            suspicion: SuspicionPolicy::default(),
            allow_faults: true,
            in_flight_len_max: IN_FLIGHT_LEN_MAX,
        }
    }

    fn new(tolerance: Tolerance) -> Bench {
        let config = Bench::config(tolerance);
        let mut bench = Bench { front_end: FrontEnd::new(config), now: Instant(1_000_000) };
        assert_eq!(bench.drain(), ["join"], "it asks the managers how they stand");
        for replica in ReplicaId::first(config.membership.replicas_len) {
            bench.progress(replica.number(), 1, Phase::Voting);
        }
        bench.client(CONNECTION, ClientMessage::Hello { client: ClientId(7) });
        bench
    }

    fn client(&mut self, connection: ConnectionId, message: ClientMessage) {
        self.front_end.handle_client(connection, message, self.now);
    }

    fn request(&mut self, number: u64) {
        self.request_words(number, "NYKB1001 get-shares");
    }

    fn request_words(&mut self, number: u64, words: &str) {
        let words = words.split_whitespace().map(str::to_owned).collect();
        self.client(CONNECTION, ClientMessage::Request { number: RequestNumber(number), words });
    }

    fn sequenced(&mut self, number: u64, sequence: u64) {
        let id = RequestId { client: ClientId(7), number: RequestNumber(number) };
        let message = Message::Sequenced { id, sequence: SequenceNumber(sequence) };
        self.front_end.handle_message(NodeId::Sequencer, message, self.now);
    }

    fn reply(&mut self, replica: u8, sequence: u64, response: Response) {
        let replica = NodeId::ReplicaManager(ReplicaId::new(replica).unwrap());
        let (sequence, origin) = (SequenceNumber(sequence), NodeId::FRONT_END);
        let reply = Reply { sequence, origin, incarnation: Incarnation(1), response };
        self.front_end.handle_message(replica, Message::Reply(reply), self.now);
    }

    fn progress(&mut self, replica: u8, incarnation: u32, phase: Phase) {
        let progress = Progress { incarnation: Incarnation(incarnation), phase, ..PROGRESS };
        let node = NodeId::ReplicaManager(ReplicaId::new(replica).unwrap());
        self.front_end.handle_message(node, Message::Progress(progress), self.now);
    }

    fn vote(&mut self, voter: u8, charge: Charge, agree: bool) {
        let node = NodeId::ReplicaManager(ReplicaId::new(voter).unwrap());
        self.front_end.handle_message(node, Message::CrashVote { charge, agree }, self.now);
    }

    /// Messages of some kinds that were sent to replica managers, with what they are about.
    fn charges(&mut self) -> Vec<(&'static str, u8, u64)> {
        let outputs = std::iter::from_fn(|| self.front_end.poll_output());
        let charge = |output| match output {
            Output::Transmit { message: Message::Accuse(charge), .. } => Some(("accuse", charge)),
            Output::Transmit { message: Message::Suspect(charge), .. } => Some(("suspect", charge)),
            _ => None,
        };
        outputs.filter_map(charge).map(|(kind, charge)| (kind, charge.replica.number(), charge.sequence.0)).collect()
    }

    /// A request at this place, with the outcomes that replicas 1 and on reply, each as a capacity.
    fn judged_request(&mut self, sequence: u64, capacities: &[u32]) {
        self.request(sequence);
        self.sequenced(sequence, sequence);
        for (replica, capacity) in (1..).zip(capacities) {
            self.reply(replica, sequence, executed(sequence, *capacity));
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.front_end.handle_timeout(self.now);
    }

    /// Answers to clients and events, in order; messages to nodes by name.
    fn drain(&mut self) -> Vec<String> {
        let outputs = std::iter::from_fn(|| self.front_end.poll_output());
        let words = |output| match output {
            Output::Transmit { message, .. } => message.name().to_owned(),
            Output::Recollect { sequence, .. } => format!("recollects {sequence}"),
            Output::Inject(message) => format!("injects {}", message.name()),
            Output::Event(event) => event.to_string(),
            Output::Answer { connection, message: ServerMessage { number, body } } => match body {
                ServerBody::Answer(answer) => format!("{}/{}: {}", connection.0, number.0, answer.to_json()),
                other => format!("{}/{}: {other:?}", connection.0, number.0),
            },
        };
        outputs.map(words).collect()
    }
}

fn executed(sequence: u64, capacity: u32) -> Response {
    Response::Executed { first: SequenceNumber(sequence), outcome: Outcome::Added { capacity } }
}

fn fault() -> Response {
    Response::Fault(GuestFault::StackOverflow)
}

const RIGHT: &str = r#"1/1: {"sequence":1,"result":"added","capacity":5}"#;

#[test]
fn an_outcome_is_released_as_soon_as_a_quorum_shares_it_and_no_earlier() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    bench.sequenced(1, 1);
    bench.reply(1, 1, executed(1, 5));
    assert_eq!(bench.drain(), ["submit"]);
    bench.reply(3, 1, executed(1, 5));
    assert_eq!(bench.drain(), [RIGHT]);
    bench.reply(2, 1, executed(1, 5));
    assert_eq!(bench.drain(), [""; 0]);
}

#[test]
fn a_request_beyond_the_bound_is_answered_busy_and_not_ordered_but_a_retry_and_a_checkpoint_are() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.front_end.config.in_flight_len_max = 8;
    (1..=8).for_each(|number| bench.request(number));
    assert_eq!(bench.drain(), ["submit"; 8]);
    bench.request(9);
    let busy = r#"1/9: {"error":"busy","message":"8 requests are waiting already; send it again later"}"#;
    assert_eq!(bench.drain(), [busy]);
    bench.request(8);
    assert_eq!(bench.drain(), [""; 0], "it waits with the one that it repeats");
    let replica = NodeId::ReplicaManager(ReplicaId::new(1).unwrap());
    bench.front_end.handle_message(replica, Message::WantCheckpoint, bench.now);
    assert_eq!(bench.drain(), ["submit"]);
    bench.sequenced(1, 1);
    (1..=2).for_each(|replica| bench.reply(replica, 1, executed(1, 5)));
    bench.drain();
    bench.sequenced(2, 2);
    (1..=2).for_each(|replica| bench.reply(replica, 2, executed(2, 5)));
    bench.drain();
    bench.request(9);
    assert_eq!(bench.drain(), ["submit"], "there is room again");
}

#[test]
fn replies_that_overtake_the_sequencer_count() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    bench.reply(1, 1, executed(1, 5));
    bench.reply(2, 1, executed(1, 5));
    assert_eq!(bench.drain(), ["submit"]);
    bench.sequenced(1, 1);
    assert_eq!(bench.drain(), [RIGHT]);
}

#[test]
fn a_wrong_outcome_is_seen_whether_it_comes_before_or_after_the_release() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    bench.sequenced(1, 1);
    bench.reply(1, 1, executed(1, 6));
    bench.reply(2, 1, executed(1, 5));
    bench.reply(3, 1, executed(1, 5));
    assert_eq!(bench.charges(), [("accuse", 1, 1)]);
    bench.judged_request(2, &[5, 5]);
    assert_eq!(bench.charges(), []);
    bench.reply(3, 2, executed(2, 6));
    assert_eq!(bench.charges(), [("accuse", 3, 2)]);
}

#[test]
fn where_no_quorum_is_possible_the_client_is_told_so_with_the_sequence_number() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    bench.sequenced(1, 1);
    for (replica, capacity) in [(1, 5), (2, 6), (3, 7)] {
        bench.reply(replica, 1, executed(1, capacity));
    }
    let told = bench.drain();
    assert!(told[1].contains("no agreement seq=1") && told[1].contains("replica-2: added: capacity 6"), "{told:?}");
    assert!(told[2].starts_with(r#"1/1: {"error":"no-agreement","sequence":1,"#), "{told:?}");
}

#[test]
fn two_faults_leave_no_quorum_but_one_leaves_one() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    bench.sequenced(1, 1);
    bench.reply(1, 1, fault());
    bench.reply(2, 1, executed(1, 5));
    bench.reply(3, 1, executed(1, 5));
    assert_eq!(bench.drain(), ["submit", RIGHT]);
    bench.request(2);
    bench.sequenced(2, 2);
    bench.reply(1, 2, fault());
    bench.reply(2, 2, fault());
    let told = bench.drain();
    assert!(told.iter().any(|line| line.contains("no-agreement")), "{told:?}");
    assert!(told.contains(&"void".to_owned()), "no replica is to execute it: {told:?}");
}

#[test]
fn mode_crash_releases_the_first_outcome_and_warns_of_one_that_differs() {
    let mut bench = Bench::new(Tolerance::CRASH);
    bench.request(1);
    bench.sequenced(1, 1);
    bench.reply(2, 1, fault());
    bench.reply(3, 1, executed(1, 5));
    assert_eq!(bench.drain(), ["submit", RIGHT]);
    bench.reply(1, 1, executed(1, 6));
    let words = "outcome differs from the released one replica=replica-1 incarnation=1 seq=1 in_a_row=1";
    assert_eq!(bench.drain(), [words], "nobody can say which is right, so nobody is accused");
}

#[test]
fn mode_both_needs_two_of_four() {
    let mut bench = Bench::new(Tolerance::BOTH);
    bench.request(1);
    bench.sequenced(1, 1);
    bench.reply(4, 1, executed(1, 6));
    bench.reply(2, 1, executed(1, 5));
    assert_eq!(bench.drain(), ["submit"]);
    bench.reply(1, 1, executed(1, 5));
    assert!(bench.drain().contains(&RIGHT.to_owned()));
}

#[test]
fn a_replica_has_one_vote_however_often_it_replies() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    bench.sequenced(1, 1);
    bench.reply(1, 1, executed(1, 6));
    bench.reply(1, 1, executed(1, 6));
    assert_eq!(bench.drain(), ["submit"]);
    bench.reply(2, 1, executed(1, 5));
    assert_eq!(bench.drain(), [""; 0]);
}

#[test]
fn a_retry_of_what_is_under_way_is_not_submitted_again_and_both_are_answered() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    bench.client(ConnectionId(2), ClientMessage::Hello { client: ClientId(7) });
    let words = vec!["NYKB1001".to_owned(), "get-shares".to_owned()];
    bench.client(ConnectionId(2), ClientMessage::Request { number: RequestNumber(1), words });
    bench.sequenced(1, 1);
    bench.reply(1, 1, executed(1, 5));
    bench.reply(2, 1, executed(1, 5));
    assert_eq!(bench.drain(), ["submit".to_owned(), RIGHT.to_owned(), RIGHT.replacen('1', "2", 1)]);
}

#[test]
fn a_retry_after_the_answer_gets_the_first_sequence_number() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    for sequence in [1, 2] {
        bench.request(1);
        bench.sequenced(1, sequence);
        bench.reply(1, sequence, executed(1, 5));
        bench.reply(2, sequence, executed(1, 5));
        assert_eq!(bench.drain(), ["submit", RIGHT]);
    }
}

#[test]
fn a_request_that_is_not_answered_in_time_is_given_up_with_its_place_if_it_has_one() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    bench.request(2);
    bench.sequenced(2, 1);
    bench.pass(REQUEST_TIMEOUT - Duration::from_micros(1));
    let told = bench.drain();
    assert!(!told.iter().any(|line| line.contains("error")), "{told:?}");
    bench.pass(Duration::from_micros(1));
    let told = bench.drain();
    assert!(told.iter().any(|line| line.starts_with(r#"1/1: {"error":"timed-out""#)), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with(r#"1/2: {"error":"no-agreement","sequence":1"#)), "{told:?}");
    assert_eq!(bench.front_end.poll_timeout(), None);
}

#[test]
fn a_request_that_has_timed_out_still_becomes_void_when_too_many_modules_turn_out_to_fail_at_it() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    for replica in 1..=3 {
        bench.progress(replica, 1, Phase::Recovering);
    }
    bench.request(1);
    bench.sequenced(1, 1);
    bench.pass(REQUEST_TIMEOUT);
    bench.drain();
    bench.reply(1, 1, fault());
    assert!(!bench.drain().contains(&"void".to_owned()));
    bench.reply(2, 1, fault());
    assert!(bench.drain().contains(&"void".to_owned()));
}

#[test]
fn a_manager_that_replies_to_what_is_void_is_told_again() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    bench.sequenced(1, 1);
    bench.reply(1, 1, fault());
    bench.reply(2, 1, fault());
    assert!(bench.drain().contains(&"void".to_owned()));
    bench.reply(1, 1, fault());
    assert_eq!(bench.drain(), ["void"], "its process may have ended before it wrote that down");
}

#[test]
fn a_bad_request_never_reaches_the_sequencer() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request_words(1, "NYKA1001 add-share TOKE925 Equity 5");
    let told = bench.drain();
    assert!(
        told.len() == 1 && told[0].contains(r#""error":"bad-request","field":"share-id","given":"TOKE925""#),
        "{told:?}"
    );
}

#[test]
fn a_connection_must_introduce_itself() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    let words = vec!["NYKB1001".to_owned(), "get-shares".to_owned()];
    bench.client(ConnectionId(9), ClientMessage::Request { number: RequestNumber(1), words });
    assert!(bench.drain()[0].contains("Refused"));
}

#[test]
fn a_barrier_is_answered_when_every_replica_has_digested_its_state() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.client(CONNECTION, ClientMessage::Digest { number: RequestNumber(1) });
    bench.sequenced(1, 1);
    let digest = |text: &str| Response::StateDigest(Digest::of_bytes(text.as_bytes()));
    bench.reply(1, 1, digest("state"));
    bench.reply(2, 1, digest("state"));
    assert_eq!(bench.drain(), ["submit"]);
    bench.reply(3, 1, digest("other"));
    let told = bench.drain();
    assert!(told[0].starts_with("states differ seq=1") && told[1].contains("Digests"), "{told:?}");
}

#[test]
fn the_cluster_is_ready_once_every_other_node_was_heard_of() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.progress(3, 1, Phase::Recovering);
    bench.front_end.handle_message(NodeId::Sequencer, Message::Progress(PROGRESS), bench.now);
    assert_eq!(bench.drain(), [""; 0]);
    bench.progress(3, 1, Phase::Voting);
    assert_eq!(bench.drain(), ["ready"]);
    bench.now = bench.now + SILENT_AFTER + Duration::from_millis(1);
    bench.progress(3, 2, Phase::Quarantined);
    let nodes = bench.front_end.status(bench.now).nodes;
    let states: Vec<NodeState> = nodes.iter().map(|node| node.state).collect();
    assert_eq!(states, [NodeState::Up, NodeState::Silent, NodeState::Silent, NodeState::Silent, NodeState::Up]);
    let restarts: Vec<u32> = nodes.iter().map(|node| node.restarts_len).collect();
    assert_eq!(restarts, [0, 0, 0, 0, 1]);
}

#[test]
fn lives_before_the_first_one_that_votes_are_no_restarts() {
    let config = Bench::config(Tolerance::BYZANTINE);
    let mut bench = Bench { front_end: FrontEnd::new(config), now: Instant(1_000_000) };
    // The process of the manager is new, and speaks for the life that it has kept until it knows which one this is.
    for (incarnation, phase, expected) in
        [(4, Phase::Recovering, 0), (5, Phase::Recovering, 0), (5, Phase::Voting, 0), (6, Phase::Recovering, 1)]
    {
        bench.progress(1, incarnation, phase);
        let restarts_len = bench.front_end.status(bench.now).nodes[2].restarts_len;
        assert_eq!(restarts_len, expected, "incarnation {incarnation}, {phase:?}");
    }
}

#[test]
fn a_manager_that_needs_a_checkpoint_gets_one_barrier_at_a_time() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    let manager = NodeId::ReplicaManager(ReplicaId::new(1).unwrap());
    for expected in [&["submit"][..], &[]] {
        bench.front_end.handle_message(manager, Message::WantCheckpoint, bench.now);
        assert_eq!(bench.drain(), expected);
    }
    let id = RequestId { client: CHECKPOINT_CLIENT, number: RequestNumber(1) };
    bench.front_end.handle_message(
        NodeId::Sequencer,
        Message::Sequenced { id, sequence: SequenceNumber(1) },
        bench.now,
    );
    for replica in 1..=3 {
        bench.reply(replica, 1, Response::StateDigest(Digest::of_bytes(b"state")));
    }
    bench.front_end.handle_message(manager, Message::WantCheckpoint, bench.now);
    assert_eq!(bench.drain(), ["submit"]);
}

#[test]
fn a_new_process_is_told_its_last_life_and_how_far_the_order_is() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.judged_request(1, &[5, 5, 5]);
    bench.drain();
    let manager = NodeId::ReplicaManager(ReplicaId::new(2).unwrap());
    bench.front_end.handle_message(manager, Message::Join, bench.now);
    let joined = Message::Joined { last: Some(Incarnation(1)), ordered: SequenceNumber(1) };
    assert_eq!(bench.front_end.poll_output(), Some(Output::Transmit { to: Recipients::One(manager), message: joined }));
}

#[test]
fn only_a_replica_replies_and_only_the_sequencer_orders() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.request(1);
    let (sequence, origin) = (SequenceNumber(1), NodeId::FRONT_END);
    let reply = Reply { sequence, origin, incarnation: Incarnation(1), response: executed(1, 5) };
    bench.front_end.handle_message(NodeId::Sequencer, Message::Reply(reply), bench.now);
    let id = RequestId { client: ClientId(7), number: RequestNumber(1) };
    let sequenced = Message::Sequenced { id, sequence: SequenceNumber(1) };
    bench.front_end.handle_message(NodeId::ReplicaManager(ReplicaId::new(1).unwrap()), sequenced, bench.now);
    let told = bench.drain();
    assert!(told[1].starts_with("ignored reply") && told[2].starts_with("ignored sequenced"), "{told:?}");
}

#[test]
fn who_wants_a_checkpoint_while_one_is_taken_gets_another_one_after_it() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.drain();
    let from = |number| NodeId::ReplicaManager(ReplicaId::new(number).unwrap());
    bench.front_end.handle_message(from(1), Message::WantCheckpoint, bench.now);
    assert_eq!(bench.drain(), ["submit"]);
    bench.front_end.handle_message(from(2), Message::WantCheckpoint, bench.now);
    assert_eq!(bench.drain(), [""; 0], "the first is under way");
    let id = RequestId { client: CHECKPOINT_CLIENT, number: RequestNumber(1) };
    let sequenced = Message::Sequenced { id, sequence: SequenceNumber(1) };
    bench.front_end.handle_message(NodeId::Sequencer, sequenced, bench.now);
    let response = Response::StateDigest(Digest::of_bytes(b"state"));
    for number in 1..=3 {
        let (sequence, origin) = (SequenceNumber(1), NodeId::FRONT_END);
        let reply = Reply { sequence, origin, incarnation: Incarnation(1), response: response.clone() };
        bench.front_end.handle_message(from(number), Message::Reply(reply), bench.now);
    }
    assert_eq!(bench.drain(), ["submit"], "who asked meanwhile may have been too late for the first");
}

#[test]
fn a_barrier_that_is_still_waited_for_ends_when_its_replica_is_not_waited_for_any_more() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.client(CONNECTION, ClientMessage::Digest { number: RequestNumber(1) });
    let id = RequestId { client: ClientId(7), number: RequestNumber(1) };
    let sequenced = Message::Sequenced { id, sequence: SequenceNumber(1) };
    bench.front_end.handle_message(NodeId::Sequencer, sequenced, bench.now);
    for number in 1..=2 {
        let response = Response::StateDigest(Digest::of_bytes(b"state"));
        let (sequence, origin) = (SequenceNumber(1), NodeId::FRONT_END);
        let reply = Reply { sequence, origin, incarnation: Incarnation(1), response };
        let from = NodeId::ReplicaManager(ReplicaId::new(number).unwrap());
        bench.front_end.handle_message(from, Message::Reply(reply), bench.now);
    }
    assert!(!bench.drain().iter().any(|line| line.contains("Digests")), "the third is waited for");
    bench.progress(3, 2, Phase::Recovering);
    assert!(bench.drain().iter().any(|line| line.contains("Digests")));
}
