//! The replica manager alone: scripted nodes around it, and an executor that answers what the test says.

use super::*;
use crate::market::parse_request;
use crate::protocol::event::{Cause, Rung};
use crate::protocol::id::{ClientId, RequestId, RequestNumber};
use crate::protocol::limits::{DELIVERED_LEN_MAX, FETCH_TIMEOUT, HOLD_BACK_LEN_MAX, RUNS_LEN_MAX};
use crate::protocol::message::{Charge, Command, Response};

mod durable;
mod front_ends;
mod lives;
mod restarts;
mod swaps;
mod tentative;

/// The manager of replica 1 of three, with what it last handed to the executor.
struct Bench {
    manager: ReplicaManager,
    now: Instant,
    /// Runs that were handed over and are not answered, with the life they are for.
    runs: VecDeque<(Incarnation, Vec<Task>)>,
    replies: Vec<Replied>,
    events: Vec<Event>,
    sent: Vec<(Recipients, Message)>,
    starts: Vec<(Incarnation, usize, bool)>,
    /// What was asked for in a swap, by name, and what its shadow was handed.
    swap_asks: Vec<&'static str>,
    shadow_runs: VecDeque<(SwapId, Vec<Task>)>,
    /// What was to be written, with how many messages had been sent before.
    records: Vec<(usize, Record)>,
}

/// A reply's sequence number, and that of the first execution.
type Replied = (u64, Option<u64>);

const EVERY: u64 = 10;

fn replica(number: u8) -> ReplicaId {
    ReplicaId::new(number).unwrap()
}

fn peer(number: u8) -> NodeId {
    NodeId::ReplicaManager(replica(number))
}

fn order(sequence: u64, number: u64) -> Order {
    let request = parse_request(&["NYKB1001", "get-shares"]).unwrap();
    Order {
        sequence: SequenceNumber(sequence),
        time_ms: 0,
        origin: NodeId::FRONT_END,
        id: RequestId { client: ClientId(1), number: RequestNumber(number) },
        command: Command::Request(request),
    }
}

fn state_digest() -> Digest {
    MarketState::default().digest()
}

impl Bench {
    /// A manager that has not joined yet.
    fn new(modules_len: u8) -> Bench {
        Bench::recovered(modules_len, Recovered::default())
    }

    /// The same, with what an earlier process has left.
    fn recovered(modules_len: u8, recovered: Recovered) -> Bench {
        Bench::of(Membership::of(3), modules_len, recovered)
    }

    fn of(membership: Membership, modules_len: u8, recovered: Recovered) -> Bench {
        let recovery =
            RecoveryPolicy { checkpoint_every: EVERY, tentative_every: 2 * EVERY, ..RecoveryPolicy::default() };
        Bench::with_policy(recovery, membership, modules_len, recovered)
    }

    fn with_policy(recovery: RecoveryPolicy, membership: Membership, modules_len: u8, recovered: Recovered) -> Bench {
        let config = ReplicaManagerConfig {
            replica: replica(1),
            membership,
            tolerance: Tolerance::BYZANTINE,
            modules: (0..modules_len).map(|module| Digest::of_bytes(&[module])).collect(),
            previous: None,
            suspicion: SuspicionPolicy::default(),
            recovery,
            process: 1,
        };
        let now = Instant(1_000_000);
        let mut bench = Bench {
            manager: ReplicaManager::new(config, recovered, now),
            now,
            runs: VecDeque::new(),
            replies: Vec::new(),
            events: Vec::new(),
            sent: Vec::new(),
            starts: Vec::new(),
            swap_asks: Vec::new(),
            shadow_runs: VecDeque::new(),
            records: Vec::new(),
        };
        bench.drain();
        bench
    }

    /// A manager whose replica votes from the beginning of the order.
    fn voting(modules_len: u8) -> Bench {
        let mut bench = Bench::new(modules_len);
        bench.joined(0, 0);
        bench.start();
        assert_eq!(bench.manager.phase(), Phase::Voting);
        bench.starts.clear();
        bench
    }

    fn receive(&mut self, from: NodeId, message: Message) {
        self.manager.handle_message(from, message, self.now);
        self.drain();
    }

    fn joined(&mut self, incarnation: u32, ordered: u64) {
        let joined = Message::Joined { last: Some(Incarnation(incarnation)), ordered: SequenceNumber(ordered) };
        self.receive(NodeId::FRONT_END, joined);
    }

    fn deliver(&mut self, order: Order) {
        self.receive(NodeId::Sequencer, Message::Order(order));
    }

    fn deliver_up_to(&mut self, last: u64) {
        for sequence in self.manager.log.end().0 + 1..=last {
            self.deliver(order(sequence, sequence));
        }
    }

    fn void(&mut self, sequence: u64) {
        self.receive(NodeId::FRONT_END, Message::Void { sequence: SequenceNumber(sequence) });
    }

    /// What the next process of this manager has.
    fn left(&self) -> Recovered {
        let mut recovered = Recovered::default();
        for (_, record) in &self.records {
            let read = Record::decode(&record.encode()).expect("what is written can be read");
            assert_eq!(read, *record);
            recovered.apply(read).expect("records follow one another");
        }
        recovered.finish();
        recovered
    }

    /// A checkpoint there is taken, and another replica has the same.
    fn certify(&mut self, sequence: u64) {
        self.deliver_up_to(sequence);
        self.execute_all();
        let digest = self.own_digest(sequence);
        self.checkpoint_vote(2, sequence, digest);
    }

    /// The module that was asked for last is ready.
    fn start(&mut self) {
        let incarnation = self.manager.incarnation;
        self.manager.handle_started(incarnation, Ok(()), self.now);
        self.drain();
    }

    fn pass(&mut self, time: std::time::Duration) {
        self.now = self.now + time;
        self.manager.handle_timeout(self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.manager.poll_output() {
            match output {
                Output::Persist(record) => self.records.push((self.sent.len() + self.replies.len(), record)),
                Output::Execute { incarnation, run } => self.runs.push_back((incarnation, run)),
                Output::Start { incarnation, module, state } => {
                    self.runs.clear();
                    self.starts.push((incarnation, module, state.is_some()));
                }
                Output::Load { .. } => self.swap_asks.push("load"),
                Output::StartShadow { state, .. } => {
                    self.swap_asks.push(if state.is_some() { "start with a state" } else { "start" });
                }
                Output::ExecuteShadow { swap, run } => self.shadow_runs.push_back((swap, run)),
                Output::Promote { .. } => {
                    self.runs.clear();
                    self.swap_asks.push("promote");
                }
                Output::StopShadow { .. } => {
                    self.shadow_runs.clear();
                    self.swap_asks.push("stop");
                }
                Output::Event(event) => self.events.push(event),
                Output::Transmit { message: Message::Reply(reply), .. } => {
                    let first = match reply.response {
                        Response::Executed { first, .. } => Some(first.0),
                        _ => None,
                    };
                    self.replies.push((reply.sequence.0, first));
                }
                Output::Transmit { message: Message::Progress(_) | Message::Event { .. }, .. } => {}
                Output::Transmit { to, message } => self.sent.push((to, message)),
            }
        }
    }

    /// Places of the runs that are handed over and not answered.
    fn places(&self) -> Vec<Vec<u64>> {
        let places = |run: &[Task]| run.iter().map(|task| task.order.sequence.0).collect();
        self.runs.iter().map(|(_, run)| places(run)).collect()
    }

    /// Answers the oldest run.
    fn execute(&mut self) {
        let (incarnation, run) = self.runs.pop_front().expect("a run was handed over");
        let results = run.iter().map(done).collect();
        self.manager.handle_executed(incarnation, results, self.now);
        self.drain();
    }

    fn execute_all(&mut self) {
        while !self.runs.is_empty() {
            self.execute();
        }
    }

    /// Fails the oldest run at its first task.
    fn fail(&mut self) {
        let (incarnation, _) = self.runs.pop_front().expect("a run was handed over");
        self.manager.handle_executed(incarnation, vec![Err(GuestFault::StackOverflow)], self.now);
        self.drain();
    }

    fn accuse(&mut self, incarnation: u32, sequence: u64) {
        let charge =
            Charge { replica: replica(1), incarnation: Incarnation(incarnation), sequence: SequenceNumber(sequence) };
        self.receive(NodeId::FRONT_END, Message::Accuse(charge));
    }

    fn checkpoint_vote(&mut self, voter: u8, sequence: u64, digest: Digest) {
        let sequence = SequenceNumber(sequence);
        self.receive(peer(voter), Message::CheckpointVote { sequence, digest });
    }

    /// The digest of this manager's own checkpoint at a place, as it told the others.
    fn own_digest(&self, at: u64) -> Digest {
        let digest = |(_, message): &(Recipients, Message)| match message {
            Message::CheckpointVote { sequence, digest } if sequence.0 == at => Some(*digest),
            _ => None,
        };
        self.sent.iter().rev().find_map(digest).expect("a checkpoint was taken")
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.events.iter().map(Event::kind).collect()
    }

    fn sent_names(&self) -> Vec<&'static str> {
        self.sent.iter().map(|(_, message)| message.name()).collect()
    }
}

fn done(task: &Task) -> Result<Executed, GuestFault> {
    let outcome = task.execute.then_some(Outcome::Added { capacity: 1 });
    let checkpoint = task.checkpoint.then(|| (Arc::new(MarketState::default()), state_digest()));
    Ok(Executed { outcome, checkpoint })
}

#[test]
fn orders_are_held_back_until_those_before_them_have_arrived() {
    let mut bench = Bench::voting(1);
    bench.deliver(order(2, 2));
    bench.deliver(order(3, 3));
    assert_eq!(bench.places(), Vec::<Vec<u64>>::new());
    bench.deliver(order(1, 1));
    assert_eq!(bench.places(), [vec![1, 2, 3]]);
    bench.deliver(order(1, 1));
    assert_eq!(bench.places(), [vec![1, 2, 3]], "what was delivered is not delivered again");
}

#[test]
fn a_retried_request_is_executed_once_and_answered_with_its_first_outcome() {
    let mut bench = Bench::voting(1);
    bench.deliver(order(1, 1));
    bench.execute();
    bench.deliver(order(2, 1));
    assert_eq!((bench.places(), bench.replies), (vec![], vec![(1, Some(1)), (2, Some(1))]));
}

#[test]
fn a_retry_that_overtakes_the_first_execution_waits_for_its_outcome() {
    let mut bench = Bench::voting(1);
    bench.deliver(order(2, 1));
    bench.deliver(order(3, 2));
    bench.deliver(order(1, 1));
    assert_eq!((bench.places(), bench.replies.len()), (vec![vec![1, 3]], 0));
    bench.execute();
    assert_eq!(bench.replies, [(1, Some(1)), (2, Some(1)), (3, Some(3))]);
}

#[test]
fn which_requests_are_executed_does_not_depend_on_how_fast_they_are() {
    // One client sends 66 requests and then, late, one that is older than all of them, and one that is repeated.
    let numbers: Vec<u64> = (2..=67).chain([1, 67]).collect();
    let outcomes_of = |executes_at_once: bool| {
        let mut bench = Bench::voting(1);
        for (number, sequence) in numbers.iter().zip(1..) {
            bench.deliver(order(sequence, *number));
            if executes_at_once {
                bench.execute_all();
            }
        }
        bench.execute_all();
        bench.replies
    };
    assert_eq!(outcomes_of(true), outcomes_of(false));
    let replies = outcomes_of(true);
    assert!(replies[..66].iter().all(|(sequence, first)| *first == Some(*sequence)));
    assert_eq!(replies[66..], [(67, None), (68, Some(66))], "neither the late one nor the repeated one");
}

#[test]
fn no_more_runs_are_handed_over_than_the_executor_may_hold() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(5);
    assert_eq!(bench.places(), [vec![1], vec![2]]);
    bench.execute();
    assert_eq!(bench.places(), [vec![2], vec![3, 4, 5]]);
}

#[test]
fn results_may_come_back_in_several_pieces() {
    let mut bench = Bench::voting(1);
    bench.deliver(order(2, 2));
    bench.deliver(order(3, 3));
    bench.deliver(order(1, 1));
    let (life, run) = bench.runs.pop_front().unwrap();
    for (task, replied) in run.iter().zip(1..) {
        bench.manager.handle_executed(life, vec![done(task)], bench.now);
        bench.drain();
        assert_eq!(bench.replies.len(), replied);
    }
}

#[test]
fn a_module_that_lags_and_a_gap_that_stays_open_saturate_the_manager() {
    let mut bench = Bench::voting(1);
    while !bench.manager.is_saturated() {
        bench.deliver_up_to(bench.manager.log.end().0 + 1);
    }
    assert_eq!((bench.manager.log.end().0, bench.runs.len()), (DELIVERED_LEN_MAX as u64, RUNS_LEN_MAX));
    let mut bench = Bench::voting(1);
    for sequence in 2..=1 + HOLD_BACK_LEN_MAX as u64 {
        assert!(!bench.manager.is_saturated());
        bench.deliver(order(sequence, sequence));
    }
    assert!(bench.manager.is_saturated());
}
