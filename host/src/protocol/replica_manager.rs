//! The replica manager: delivers the total order to one replica, gap-free and once, and replies.
//!
//! It does not execute. It hands runs of orders to an executor ([`Output::Execute`]), which owns the module and answers with
//! [`ReplicaManager::handle_executed`], in the same order. So a slow module never keeps the manager from the network, and this
//! core knows nothing of WebAssembly.

use std::collections::VecDeque;

use crate::market::{Digest, GuestFault, Outcome};

use super::admissions::Admissions;
use super::event::Event;
use super::hold_back::{Full, HoldBack};
use super::id::{Incarnation, NodeId, ReplicaId, SequenceNumber};
use super::limits::{DELIVERED_LEN_MAX, PROGRESS_INTERVAL, RUN_LEN_MAX, RUNS_LEN_MAX};
use super::message::{Command, Message, Order, Progress, Reply, Response};
use super::recipients::Recipients;
use super::sessions::Sessions;
use super::time::Instant;

/// Delivers the order to one replica and replies to front ends. Holds no clock, no socket and no module.
#[derive(Debug)]
pub struct ReplicaManager {
    replica: ReplicaId,
    incarnation: Incarnation,
    module: Digest,
    /// Every order up to this one is delivered.
    delivered: SequenceNumber,
    /// Every order up to this one is executed and replied to.
    executed: SequenceNumber,
    hold_back: HoldBack,
    /// Delivered orders that wait for the executor, first to be executed in front.
    waiting: VecDeque<Step>,
    /// Orders at the executor, with repeated ones between them that only wait for their turn to reply.
    in_progress: VecDeque<Step>,
    /// Lengths of the runs at the executor, the oldest in front.
    runs: VecDeque<usize>,
    /// Which requests were ordered before; asked at delivery.
    admissions: Admissions,
    /// What came of them; asked when it is an order's turn to be replied to.
    sessions: Sessions,
    failed: bool,
    progress_at: Instant,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Step {
    order: Order,
    /// Whether the executor answers it; otherwise the session table does.
    at_executor: bool,
}

/// What the executor answers to one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executed {
    /// A request's outcome.
    Outcome(Outcome),
    /// The state's digest at a barrier.
    StateDigest(Digest),
}

/// What the driver has to do for a replica manager.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a message.
    Transmit {
        /// To whom.
        to: Recipients,
        /// What.
        message: Message,
    },
    /// Execute these orders, one after the other, and answer all of them with one [`ReplicaManager::handle_executed`].
    Execute(Vec<Order>),
    /// Log an event.
    Event(Event),
}

impl ReplicaManager {
    /// A replica manager at the beginning of the order, whose replica runs the module with this digest.
    pub fn new(replica: ReplicaId, module: Digest, now: Instant) -> ReplicaManager {
        ReplicaManager {
            replica,
            incarnation: Incarnation(1),
            module,
            delivered: SequenceNumber(0),
            executed: SequenceNumber(0),
            hold_back: HoldBack::default(),
            waiting: VecDeque::new(),
            in_progress: VecDeque::new(),
            runs: VecDeque::new(),
            admissions: Admissions::default(),
            sessions: Sessions::default(),
            failed: false,
            progress_at: now,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one message in.
    pub fn handle_message(&mut self, from: NodeId, message: Message, _now: Instant) {
        match message {
            Message::Order(order) if from == NodeId::Sequencer => self.on_order(order),
            other => self.ignored(from, other.name(), "not for a replica manager"),
        }
    }

    /// Takes in what became of the oldest run of [`Output::Execute`]: one result an order, in order.
    pub fn handle_executed(&mut self, results: Vec<Result<Executed, GuestFault>>, _now: Instant) {
        let run_len = self.runs.pop_front().expect("an executor answers only what it was given");
        assert_eq!(run_len, results.len(), "an executor answers every order of a run");
        for result in results {
            self.reply_to_repeated();
            let step = self.in_progress.pop_front().expect("every order of a run is in progress");
            self.on_executed(step.order, result);
        }
        self.reply_to_repeated();
        self.start_runs();
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.progress_at <= now {
            self.on_progress_timeout(now);
        }
    }

    /// The next deadline and what it is for.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Some((self.progress_at, "progress"))
    }

    /// Drain to `None` after every `handle_*`, before the next one.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether so many orders wait for the executor that the driver should leave further messages in their channels.
    pub fn is_saturated(&self) -> bool {
        self.waiting.len() + self.in_progress.len() >= DELIVERED_LEN_MAX
    }

    fn on_order(&mut self, order: Order) {
        if let Some(reason) = self.ignore_order(&order) {
            return self.ignored(NodeId::Sequencer, "order", reason);
        }
        if let Err(Full) = self.hold_back.insert(order) {
            self.on_fallen_behind();
        }
        while let Some(next) = self.hold_back.take(self.delivered.next()) {
            self.deliver(next);
        }
        self.start_runs();
    }

    fn deliver(&mut self, order: Order) {
        self.delivered = order.sequence;
        let at_executor = match order.command {
            Command::Barrier => true,
            Command::Request(_) => self.admissions.admit(order.id, order.sequence),
        };
        self.waiting.push_back(Step { order, at_executor });
    }

    /// An order before all that wait was lost for good, so this replica cannot go on.
    fn on_fallen_behind(&mut self) {
        if !self.failed {
            self.failed = true;
            let (replica, delivered) = (self.replica, self.delivered);
            self.outputs.push_back(Output::Event(Event::FellBehind { replica, delivered }));
        }
    }

    fn ignore_order(&self, order: &Order) -> Option<&'static str> {
        (order.sequence <= self.delivered).then_some("delivered already")
    }

    /// Hands over as many runs as the executor may hold.
    fn start_runs(&mut self) {
        while self.runs.len() < RUNS_LEN_MAX && !self.waiting.is_empty() {
            let run = self.take_run();
            if run.is_empty() {
                continue;
            }
            self.runs.push_back(run.len());
            self.outputs.push_back(Output::Execute(run));
        }
    }

    /// The next orders to execute. Repeated requests go past the executor: they reply when their turn comes.
    fn take_run(&mut self) -> Vec<Order> {
        let mut run = Vec::with_capacity(self.waiting.len().min(RUN_LEN_MAX));
        while run.len() < RUN_LEN_MAX {
            let Some(step) = self.waiting.pop_front() else { break };
            if step.at_executor {
                run.push(step.order);
            }
            self.in_progress.push_back(step);
            if self.runs.is_empty() && run.is_empty() {
                self.reply_to_repeated();
            }
        }
        run
    }

    /// Replies to the repeated requests whose turn it is, from the session table.
    fn reply_to_repeated(&mut self) {
        while let Some(step) = self.in_progress.pop_front_if(|step| !step.at_executor) {
            let response = match self.sessions.look_up(step.order.id) {
                Some((first, outcome)) => Response::Executed { first, outcome: outcome.clone() },
                // The first execution may have failed, in which case there is no outcome to repeat.
                None if self.failed => Response::Fault(GuestFault::Finished),
                None => Response::Forgotten,
            };
            self.reply(step.order, response);
        }
    }

    fn on_executed(&mut self, order: Order, result: Result<Executed, GuestFault>) {
        let response = match result {
            Ok(Executed::Outcome(outcome)) => {
                self.sessions.record(order.id, order.sequence, outcome.clone());
                Response::Executed { first: order.sequence, outcome }
            }
            Ok(Executed::StateDigest(digest)) => Response::StateDigest(digest),
            Err(fault) => {
                if !self.failed {
                    self.failed = true;
                    let (replica, sequence, fault) = (self.replica, order.sequence, fault.clone());
                    self.outputs.push_back(Output::Event(Event::ModuleFailed { replica, sequence, fault }));
                }
                Response::Fault(fault)
            }
        };
        self.reply(order, response);
    }

    fn reply(&mut self, order: Order, response: Response) {
        assert_eq!(order.sequence, self.executed.next(), "replies go out in the order of the orders");
        self.executed = order.sequence;
        let reply = Reply { sequence: order.sequence, incarnation: self.incarnation, response };
        self.transmit(Recipients::One(order.origin), Message::Reply(reply));
    }

    fn on_progress_timeout(&mut self, now: Instant) {
        self.progress_at = now + PROGRESS_INTERVAL;
        let progress = Progress {
            incarnation: self.incarnation,
            delivered: self.delivered,
            executed: self.executed,
            module: Some(self.module),
            failed: self.failed,
        };
        self.transmit(Recipients::One(NodeId::FrontEnd), Message::Progress(progress));
        // So the sequencer's channel to this manager is open before there is an order to send.
        self.transmit(Recipients::One(NodeId::Sequencer), Message::Progress(progress));
    }

    fn transmit(&mut self, to: Recipients, message: Message) {
        self.outputs.push_back(Output::Transmit { to, message });
    }

    fn ignored(&mut self, from: NodeId, message: &'static str, reason: &'static str) {
        self.outputs.push_back(Output::Event(Event::Ignored { from, message, reason }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::parse_request;
    use crate::protocol::id::{ClientId, RequestId, RequestNumber};
    use crate::protocol::limits::HOLD_BACK_LEN_MAX;

    fn manager() -> ReplicaManager {
        ReplicaManager::new(ReplicaId::new(1).unwrap(), Digest::of_bytes(b"module"), Instant(0))
    }

    fn order(sequence: u64, number: u64) -> Order {
        let request = parse_request(&["NYKB1001", "get-shares"]).unwrap();
        Order {
            sequence: SequenceNumber(sequence),
            time_ms: 0,
            origin: NodeId::FrontEnd,
            id: RequestId { client: ClientId(1), number: RequestNumber(number) },
            command: Command::Request(request),
        }
    }

    fn deliver(manager: &mut ReplicaManager, order: Order) {
        manager.handle_message(NodeId::Sequencer, Message::Order(order), Instant(0));
    }

    /// A reply's sequence number, and that of the first execution.
    type Replied = (u64, Option<u64>);

    /// Sequence numbers handed to the executor, run by run, and what was replied.
    fn drain(manager: &mut ReplicaManager) -> (Vec<Vec<u64>>, Vec<Replied>) {
        let (mut runs, mut replies) = (Vec::new(), Vec::new());
        while let Some(output) = manager.poll_output() {
            match output {
                Output::Execute(run) => runs.push(run.iter().map(|order| order.sequence.0).collect()),
                Output::Transmit { message: Message::Reply(reply), .. } => {
                    let first = match reply.response {
                        Response::Executed { first, .. } => Some(first.0),
                        _ => None,
                    };
                    replies.push((reply.sequence.0, first));
                }
                _ => {}
            }
        }
        (runs, replies)
    }

    fn done(len: usize) -> Vec<Result<Executed, GuestFault>> {
        vec![Ok(Executed::Outcome(Outcome::Added { capacity: 1 })); len]
    }

    #[test]
    fn orders_are_held_back_until_those_before_them_have_arrived() {
        let mut manager = manager();
        deliver(&mut manager, order(2, 2));
        deliver(&mut manager, order(3, 3));
        assert_eq!(drain(&mut manager).0, Vec::<Vec<u64>>::new());
        deliver(&mut manager, order(1, 1));
        assert_eq!(drain(&mut manager).0, [vec![1, 2, 3]]);
    }

    #[test]
    fn an_order_that_was_delivered_is_not_delivered_again() {
        let mut manager = manager();
        deliver(&mut manager, order(1, 1));
        deliver(&mut manager, order(1, 1));
        assert_eq!(drain(&mut manager).0, [vec![1]]);
    }

    #[test]
    fn a_retried_request_is_executed_once_and_answered_with_its_first_outcome() {
        let mut manager = manager();
        deliver(&mut manager, order(1, 1));
        assert_eq!(drain(&mut manager).0, [vec![1]]);
        manager.handle_executed(done(1), Instant(0));
        deliver(&mut manager, order(2, 1));
        let (runs, replies) = drain(&mut manager);
        assert_eq!((runs, replies), (vec![], vec![(1, Some(1)), (2, Some(1))]));
    }

    #[test]
    fn a_retry_that_overtakes_the_first_execution_waits_for_its_outcome() {
        let mut manager = manager();
        deliver(&mut manager, order(2, 1));
        deliver(&mut manager, order(3, 2));
        deliver(&mut manager, order(1, 1));
        assert_eq!(drain(&mut manager), (vec![vec![1, 3]], vec![]));
        manager.handle_executed(done(2), Instant(0));
        assert_eq!(drain(&mut manager).1, [(1, Some(1)), (2, Some(1)), (3, Some(3))]);
    }

    #[test]
    fn which_requests_are_executed_does_not_depend_on_how_fast_they_are() {
        // One client sends 66 requests and then, late, one that is older than all of them, and one that is repeated.
        let numbers: Vec<u64> = (2..=67).chain([1, 67]).collect();
        let outcomes_of = |executes_at_once: bool| {
            let mut manager = manager();
            let (mut executed, mut replied) = (Vec::new(), Vec::new());
            for (number, sequence) in numbers.iter().zip(1..) {
                deliver(&mut manager, order(sequence, *number));
                if executes_at_once {
                    finish(&mut manager, &mut executed, &mut replied);
                }
            }
            finish(&mut manager, &mut executed, &mut replied);
            (executed, replied)
        };
        assert_eq!(outcomes_of(true), outcomes_of(false));
        let (executed, replied) = outcomes_of(true);
        assert_eq!(executed, (1..=66).collect::<Vec<u64>>(), "neither the late one nor the repeated one");
        assert_eq!(replied[66..], [(67, None), (68, Some(66))]);
    }

    /// Executes all that is handed over, until nothing is.
    fn finish(manager: &mut ReplicaManager, executed: &mut Vec<u64>, replied: &mut Vec<Replied>) {
        loop {
            let (runs, replies) = drain(manager);
            replied.extend(replies);
            if runs.is_empty() {
                return;
            }
            for run in runs {
                manager.handle_executed(done(run.len()), Instant(0));
                executed.extend(run);
            }
        }
    }

    #[test]
    fn a_replica_that_has_lost_an_order_for_good_says_so_once() {
        let mut manager = manager();
        for sequence in 2..HOLD_BACK_LEN_MAX as u64 + 10 {
            deliver(&mut manager, order(sequence, sequence));
        }
        let outputs: Vec<Output> = std::iter::from_fn(|| manager.poll_output()).collect();
        assert!(matches!(outputs[..], [Output::Event(Event::FellBehind { .. })]), "{outputs:?}");
    }

    #[test]
    fn no_more_runs_are_handed_over_than_the_executor_may_hold() {
        let mut manager = manager();
        for sequence in 1..=5 {
            deliver(&mut manager, order(sequence, sequence));
        }
        assert_eq!(drain(&mut manager).0, [vec![1], vec![2]]);
        manager.handle_executed(done(1), Instant(0));
        assert_eq!(drain(&mut manager).0, [vec![3, 4, 5]]);
    }

    #[test]
    fn a_fault_is_a_reply_and_is_reported_once() {
        let mut manager = manager();
        deliver(&mut manager, order(1, 1));
        drain(&mut manager);
        manager.handle_executed(vec![Err(GuestFault::StackOverflow)], Instant(0));
        deliver(&mut manager, order(2, 2));
        manager.handle_executed(vec![Err(GuestFault::Finished)], Instant(0));
        let outputs: Vec<Output> = std::iter::from_fn(|| manager.poll_output()).collect();
        let failures = outputs.iter().filter(|output| matches!(output, Output::Event(Event::ModuleFailed { .. })));
        assert_eq!(failures.count(), 1);
        let reply = |sequence| Reply {
            sequence: SequenceNumber(sequence),
            incarnation: Incarnation(1),
            response: Response::Fault(if sequence == 1 { GuestFault::StackOverflow } else { GuestFault::Finished }),
        };
        for sequence in [1, 2] {
            let expected =
                Output::Transmit { to: Recipients::One(NodeId::FrontEnd), message: Message::Reply(reply(sequence)) };
            assert!(outputs.contains(&expected), "{outputs:?}");
        }
    }

    #[test]
    fn a_module_that_lags_saturates_its_manager() {
        let mut manager = manager();
        let mut sequence = 0;
        while !manager.is_saturated() {
            sequence += 1;
            deliver(&mut manager, order(sequence, sequence));
        }
        assert_eq!((sequence as usize, manager.runs.len()), (DELIVERED_LEN_MAX, RUNS_LEN_MAX));
    }
}
