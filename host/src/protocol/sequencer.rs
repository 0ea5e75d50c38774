//! The sequencer: one place in a total order for every request.
//!
//! It trusts front ends to send each request once per channel and leaves it to the replica managers to recognise a retried one,
//! since only they know what was executed. It holds no log: the channels repeat an order until each replica manager has it.
//!
//! So a sequencer whose process is new knows nothing of the order, and asks before it gives a number:
//!
//! *Gathering*: every replica manager says how far its log reaches. The order goes on after the highest place that any of them holds,
//! as soon as **all** of them hold it up to there. To wait for all is deliberate. A number that any manager has delivered can so never
//! be given to another request, and what only one of them held is in as many logs as there are managers before anything new is. The
//! price is that a new sequencer waits for crashed managers to be back.
//!
//! A round of asking names one place, and a manager that has answered takes in nothing beyond it. So all answers of a round hold
//! together, even those of managers that end meanwhile: what their successors know, they have from the others. When one manager holds more,
//! or all hold less because the one that held it is gone, the next round names that place.
//!
//! A sequencer that serves begins to gather again when every manager says that an order which it has given is held by nobody: all of
//! their processes may have ended before they had delivered it. The numbers of such orders are given anew.
//!
//! *Resuming*: a front end forgets what it knows of later places before one of them is given to a request of its own. Otherwise the
//! replicas' replies to a new order could reach it sooner than that news, and be taken for replies to an old one. So each is told where
//! the order goes on, and what it submits counts once it has confirmed that. Nobody waits for a front end that is gone: replies go
//! to the one that an order came from, so no other can mistake them.

use std::collections::{BTreeMap, VecDeque};

use super::event::Event;
use super::id::{Incarnation, Membership, NodeId, ReplicaId, RequestId, Round, SequenceNumber};
use super::limits::PROGRESS_INTERVAL;
use super::message::{Command, Message, Order, Phase, Progress};
use super::recipients::Recipients;
use super::time::Instant;

/// Gives every request one place in the total order and tells all replica managers. Holds no clock and no socket.
#[derive(Debug)]
pub struct Sequencer {
    process: u32,
    membership: Membership,
    stage: Stage,
    round: Round,
    /// The last number given; while the sequencer is gathering, the place up to which all managers are to hold the order.
    last: SequenceNumber,
    /// No order has an earlier time, in milliseconds since the Unix epoch: that of the last order, as far as it is known.
    time_ms: u64,
    progress_at: Instant,
    outputs: VecDeque<Output>,
}

/// How far a sequencer has come into its life; see the head of this file.
#[derive(Debug)]
enum Stage {
    Gathering {
        /// How far the log of each manager reaches that has answered in this round.
        ends: BTreeMap<ReplicaId, SequenceNumber>,
    },
    Serving {
        /// The place after which numbers are given anew.
        after: SequenceNumber,
        /// The front ends that have not confirmed yet that they know it, with the round in which each was told last.
        resuming: BTreeMap<NodeId, Round>,
        /// After which place the order is missing, as managers say whose logs have not grown since.
        missing: BTreeMap<ReplicaId, SequenceNumber>,
    },
}

/// What the driver has to do for a sequencer.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a message.
    Transmit {
        /// To whom.
        to: Recipients,
        /// What.
        message: Message,
    },
    /// Log an event.
    Event(Event),
}

impl Sequencer {
    /// A sequencer that knows nothing of the order yet, in a cluster of these. `process` is what the system calls its process.
    pub fn new(process: u32, membership: Membership, now: Instant) -> Sequencer {
        Sequencer {
            process,
            membership,
            stage: Stage::Gathering { ends: BTreeMap::new() },
            round: Round(1),
            last: SequenceNumber(0),
            time_ms: 0,
            progress_at: now,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one message in.
    pub fn handle_message(&mut self, from: NodeId, message: Message, now: Instant) {
        match (from, message) {
            (NodeId::FrontEnd(_), Message::Submit { id, command }) => self.on_submit(from, id, command, now),
            (NodeId::ReplicaManager(replica), Message::LogEnd { round, sequence, time_ms }) => {
                self.on_log_end(replica, round, sequence, time_ms, now);
            }
            (NodeId::FrontEnd(_), Message::Resumed { round }) => self.on_resumed(from, round),
            (NodeId::ReplicaManager(replica), Message::Missing { after }) => self.on_missing(replica, after),
            (NodeId::ReplicaManager(replica), Message::Progress(progress)) => {
                self.on_manager_progress(replica, &progress)
            }
            // It has opened the channel, which is what it is sent for.
            (NodeId::FrontEnd(_), Message::Progress(_)) => {}
            (_, other) => {
                let (message, reason) = (other.name().to_owned(), "not for a sequencer".to_owned());
                self.outputs.push_back(Output::Event(Event::Ignored { from, message, reason }));
            }
        }
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

    /// Every queue that others can make grow: what it holds, how long it is, and its bound. It has none: what it orders waits in the
    /// channels.
    pub fn queues(&self) -> [(&'static str, usize, usize); 0] {
        []
    }

    /// Whether it gives numbers; a new process has to gather first.
    pub fn is_serving(&self) -> bool {
        matches!(self.stage, Stage::Serving { .. })
    }

    /// The last number given.
    pub fn last(&self) -> SequenceNumber {
        self.last
    }

    fn on_submit(&mut self, origin: NodeId, id: RequestId, command: Command, now: Instant) {
        let Stage::Serving { resuming, .. } = &self.stage else { return };
        if resuming.contains_key(&origin) {
            // The front end submits it again when it is told to resume, so nothing need be kept here, nor bounded.
            return;
        }
        self.last = self.last.next();
        self.time_ms = self.time_ms.max(now.as_millis());
        let sequence = self.last;
        let order = Order { sequence, time_ms: self.time_ms, origin, id, command };
        self.transmit(Recipients::ReplicaManagers, Message::Order(order));
        self.transmit(Recipients::One(origin), Message::Sequenced { id, sequence });
    }

    fn on_log_end(&mut self, replica: ReplicaId, round: Round, end: SequenceNumber, time_ms: u64, now: Instant) {
        let Stage::Gathering { ends } = &mut self.stage else { return };
        self.time_ms = self.time_ms.max(time_ms);
        if round != self.round {
            return;
        }
        ends.insert(replica, end);
        let is_complete = ends.len() == self.membership.replicas_len;
        let (lowest, highest) = (ends.values().min().copied(), ends.values().max().copied());
        match highest {
            Some(highest) if highest > self.last || is_complete && highest < self.last => self.gather(highest),
            _ if is_complete && lowest == Some(self.last) => self.serve(now),
            _ => {}
        }
    }

    /// A manager cannot get an order from any other one. When none of them can, nobody has it.
    fn on_missing(&mut self, replica: ReplicaId, after: SequenceNumber) {
        let Stage::Serving { missing, .. } = &mut self.stage else { return };
        if after >= self.last {
            return;
        }
        missing.insert(replica, after);
        let (held, said_len) = (missing.values().max().copied(), missing.len());
        if let Some(held) = held.filter(|_| said_len == self.membership.replicas_len) {
            self.gather(held);
        }
    }

    /// A manager's log that has grown is not at its end any more where an order was missing.
    fn on_manager_progress(&mut self, replica: ReplicaId, progress: &Progress) {
        if let Stage::Serving { missing, .. } = &mut self.stage {
            missing.retain(|other, after| *other != replica || *after >= progress.delivered);
        }
    }

    /// Has all managers hold the order up to this place.
    fn gather(&mut self, last: SequenceNumber) {
        self.last = last;
        self.round = self.round.next();
        self.stage = Stage::Gathering { ends: BTreeMap::new() };
        self.ask();
    }

    fn ask(&mut self) {
        let message = Message::FetchEnd { round: self.round, ordered: self.last };
        self.transmit(Recipients::ReplicaManagers, message);
    }

    /// Goes on with the order.
    fn serve(&mut self, now: Instant) {
        let resuming = self.membership.front_ends().map(|front_end| (front_end, self.round)).collect();
        self.stage = Stage::Serving { after: self.last, resuming, missing: BTreeMap::new() };
        self.announce();
        self.progress(now);
    }

    /// Tells the front ends that have not confirmed it where the order goes on. Each announcement has a round of its own: the answer to
    /// the last one says that the front end will act on no other.
    fn announce(&mut self) {
        let Stage::Serving { after, resuming, .. } = &mut self.stage else { return };
        if resuming.is_empty() {
            return;
        }
        self.round = self.round.next();
        let message = Message::Resume { round: self.round, after: *after };
        for (front_end, round) in resuming {
            *round = self.round;
            self.outputs.push_back(Output::Transmit { to: Recipients::One(*front_end), message: message.clone() });
        }
    }

    fn on_resumed(&mut self, front_end: NodeId, round: Round) {
        if let Stage::Serving { resuming, .. } = &mut self.stage
            && resuming.get(&front_end) == Some(&round)
        {
            resuming.remove(&front_end);
        }
    }

    /// Also asks again, whatever was answered: a process that has answered may have ended, or one that was asked.
    fn on_progress_timeout(&mut self, now: Instant) {
        self.progress(now);
        match self.stage {
            Stage::Gathering { .. } => self.ask(),
            Stage::Serving { .. } => self.announce(),
        }
    }

    fn progress(&mut self, now: Instant) {
        self.progress_at = now + PROGRESS_INTERVAL;
        let phase = if self.is_serving() { Phase::Voting } else { Phase::Recovering };
        let progress = Progress {
            incarnation: Incarnation::default(),
            phase,
            delivered: self.last,
            executed: self.last,
            module: None,
            process: self.process,
        };
        self.transmit(Recipients::All, Message::Progress(progress));
    }

    fn transmit(&mut self, to: Recipients, message: Message) {
        self.outputs.push_back(Output::Transmit { to, message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::id::{ClientId, RequestNumber};

    fn outputs(sequencer: &mut Sequencer) -> Vec<Output> {
        std::iter::from_fn(|| sequencer.poll_output()).collect()
    }

    /// What was sent but heartbeats.
    fn sent(sequencer: &mut Sequencer) -> Vec<Message> {
        let messages = outputs(sequencer).into_iter().filter_map(|output| match output {
            Output::Transmit { message: Message::Progress(_), .. } | Output::Event(_) => None,
            Output::Transmit { message, .. } => Some(message),
        });
        messages.collect()
    }

    fn submit(number: u64) -> Message {
        let id = RequestId { client: ClientId(1), number: RequestNumber(number) };
        Message::Submit { id, command: Command::Barrier }
    }

    fn manager(number: u8) -> NodeId {
        NodeId::ReplicaManager(ReplicaId::new(number).unwrap())
    }

    fn log_end(sequencer: &mut Sequencer, number: u8, round: u32, end: u64) {
        let message = Message::LogEnd { round: Round(round), sequence: SequenceNumber(end), time_ms: 0 };
        sequencer.handle_message(manager(number), message, Instant(0));
    }

    fn fetch_end(round: u32, ordered: u64) -> Message {
        Message::FetchEnd { round: Round(round), ordered: SequenceNumber(ordered) }
    }

    fn resume(round: u32, after: u64) -> Message {
        Message::Resume { round: Round(round), after: SequenceNumber(after) }
    }

    /// A sequencer of three replicas that has asked.
    fn gathering() -> Sequencer {
        let mut sequencer = Sequencer::new(1, Membership::of(3), Instant(0));
        sequencer.handle_timeout(Instant(0));
        assert_eq!(sent(&mut sequencer), [fetch_end(1, 0)]);
        sequencer
    }

    /// A sequencer that gives numbers, from the beginning of the order.
    fn serving() -> Sequencer {
        let mut sequencer = gathering();
        (1..=3).for_each(|number| log_end(&mut sequencer, number, 1, 0));
        assert_eq!(sent(&mut sequencer), [resume(2, 0)]);
        sequencer.handle_message(NodeId::FRONT_END, Message::Resumed { round: Round(2) }, Instant(0));
        let voting = |output: &Output| {
            matches!(output, Output::Transmit { to: Recipients::All, message: Message::Progress(progress) }
                if progress.phase == Phase::Voting)
        };
        assert!(outputs(&mut sequencer).iter().all(voting));
        sequencer
    }

    #[test]
    fn every_request_gets_the_next_place_and_the_front_end_is_told() {
        let mut sequencer = serving();
        for number in 1..=3 {
            sequencer.handle_message(NodeId::FRONT_END, submit(number), Instant(5_000 * number));
            let id = RequestId { client: ClientId(1), number: RequestNumber(number) };
            let sequence = SequenceNumber(number);
            let order =
                Order { sequence, time_ms: 5 * number, origin: NodeId::FRONT_END, id, command: Command::Barrier };
            let expected = [
                Output::Transmit { to: Recipients::ReplicaManagers, message: Message::Order(order) },
                Output::Transmit {
                    to: Recipients::One(NodeId::FRONT_END),
                    message: Message::Sequenced { id, sequence },
                },
            ];
            assert_eq!(outputs(&mut sequencer), expected);
        }
    }

    #[test]
    fn only_a_front_end_may_submit() {
        let mut sequencer = serving();
        sequencer.handle_message(manager(1), submit(1), Instant(1));
        assert!(matches!(outputs(&mut sequencer)[..], [Output::Event(Event::Ignored { .. })]));
        assert_eq!(sequencer.last(), SequenceNumber(0));
    }

    #[test]
    fn no_number_is_given_before_every_manager_holds_what_any_of_them_holds() {
        let mut sequencer = gathering();
        log_end(&mut sequencer, 1, 1, 5);
        assert_eq!(sent(&mut sequencer), [fetch_end(2, 5)]);
        log_end(&mut sequencer, 2, 1, 0);
        log_end(&mut sequencer, 3, 2, 7);
        assert_eq!(sent(&mut sequencer), [fetch_end(3, 7)]);
        for (number, end) in [(1, 5), (2, 7), (3, 7)] {
            log_end(&mut sequencer, number, 3, end);
        }
        sequencer.handle_message(NodeId::FRONT_END, submit(1), Instant(1));
        assert_eq!(sent(&mut sequencer), [], "the first manager lacks some");
        log_end(&mut sequencer, 1, 3, 7);
        assert_eq!(sent(&mut sequencer), [resume(4, 7)]);
        sequencer.handle_message(NodeId::FRONT_END, submit(1), Instant(1));
        assert_eq!(sent(&mut sequencer), [], "the front end has not forgotten what came after");
        sequencer.handle_message(NodeId::FRONT_END, Message::Resumed { round: Round(4) }, Instant(1));
        sequencer.handle_message(NodeId::FRONT_END, submit(1), Instant(1));
        assert_eq!(sequencer.last(), SequenceNumber(8));
    }

    #[test]
    fn what_only_one_manager_held_that_is_gone_is_waited_for_no_longer() {
        let mut sequencer = gathering();
        log_end(&mut sequencer, 1, 1, 7);
        log_end(&mut sequencer, 1, 2, 7);
        log_end(&mut sequencer, 2, 2, 5);
        log_end(&mut sequencer, 3, 2, 5);
        sent(&mut sequencer);
        sequencer.handle_timeout(Instant(0) + PROGRESS_INTERVAL);
        assert_eq!(sent(&mut sequencer), [fetch_end(2, 7)]);
        log_end(&mut sequencer, 1, 2, 0);
        assert_eq!(sent(&mut sequencer), [fetch_end(3, 5)], "the first manager's process is new");
    }

    #[test]
    fn only_the_answer_to_the_last_announcement_counts() {
        let mut sequencer = gathering();
        (1..=3).for_each(|number| log_end(&mut sequencer, number, 1, 0));
        sequencer.handle_timeout(Instant(0) + PROGRESS_INTERVAL);
        assert_eq!(sent(&mut sequencer), [resume(2, 0), resume(3, 0)]);
        sequencer.handle_message(NodeId::FRONT_END, Message::Resumed { round: Round(2) }, Instant(1));
        sequencer.handle_message(NodeId::FRONT_END, submit(1), Instant(1));
        assert_eq!(sent(&mut sequencer), []);
        sequencer.handle_message(NodeId::FRONT_END, Message::Resumed { round: Round(3) }, Instant(1));
        sequencer.handle_message(NodeId::FRONT_END, submit(1), Instant(1));
        assert_eq!(sequencer.last(), SequenceNumber(1));
    }

    #[test]
    fn a_front_end_that_is_gone_keeps_no_other_one_waiting_and_is_told_when_it_is_back() {
        let membership = Membership { front_ends_len: 2, replicas_len: 1 };
        let [first, second] = membership.front_ends().collect::<Vec<_>>()[..] else { panic!("there are two") };
        let mut sequencer = Sequencer::new(1, membership, Instant(0));
        log_end(&mut sequencer, 1, 1, 7);
        log_end(&mut sequencer, 1, 2, 7);
        sent(&mut sequencer);
        sequencer.handle_message(second, Message::Resumed { round: Round(3) }, Instant(1));
        sequencer.handle_message(first, submit(1), Instant(1));
        sequencer.handle_message(second, submit(2), Instant(1));
        assert_eq!(sequencer.last(), SequenceNumber(8), "the first one knows nothing of it");
        sent(&mut sequencer);
        sequencer.handle_timeout(Instant(0) + PROGRESS_INTERVAL);
        let told = Output::Transmit { to: Recipients::One(first), message: resume(4, 7) };
        assert!(outputs(&mut sequencer).contains(&told));
        sequencer.handle_message(first, Message::Resumed { round: Round(4) }, Instant(1));
        sequencer.handle_message(first, submit(1), Instant(1));
        assert_eq!(sequencer.last(), SequenceNumber(9));
    }

    fn missing(sequencer: &mut Sequencer, number: u8, after: u64) {
        let message = Message::Missing { after: SequenceNumber(after) };
        sequencer.handle_message(manager(number), message, Instant(1));
    }

    #[test]
    fn the_number_of_an_order_that_every_manager_misses_is_given_anew() {
        let mut sequencer = serving();
        (1..=2).for_each(|number| sequencer.handle_message(NodeId::FRONT_END, submit(number), Instant(1)));
        sent(&mut sequencer);
        (1..=2).for_each(|number| missing(&mut sequencer, number, 1));
        missing(&mut sequencer, 3, 2);
        assert_eq!(sent(&mut sequencer), [], "the third one has all");
        missing(&mut sequencer, 3, 1);
        assert_eq!(sent(&mut sequencer), [fetch_end(3, 1)]);
        (1..=3).for_each(|number| log_end(&mut sequencer, number, 3, 1));
        assert_eq!(sent(&mut sequencer), [resume(4, 1)]);
        sequencer.handle_message(NodeId::FRONT_END, Message::Resumed { round: Round(4) }, Instant(1));
        sequencer.handle_message(NodeId::FRONT_END, submit(3), Instant(1));
        assert_eq!(sequencer.last(), SequenceNumber(2));
    }

    #[test]
    fn a_manager_whose_log_has_grown_misses_nothing_there_any_more() {
        let mut sequencer = serving();
        sequencer.handle_message(NodeId::FRONT_END, submit(1), Instant(1));
        (1..=2).for_each(|number| missing(&mut sequencer, number, 0));
        let (delivered, executed) = (SequenceNumber(1), SequenceNumber(0));
        let (incarnation, phase) = (Incarnation(1), Phase::Voting);
        let progress = Progress { incarnation, phase, delivered, executed, module: None, process: 1 };
        sequencer.handle_message(manager(1), Message::Progress(progress), Instant(1));
        sent(&mut sequencer);
        missing(&mut sequencer, 3, 0);
        assert_eq!(sent(&mut sequencer), [], "the first one has it");
    }

    #[test]
    fn the_time_of_orders_does_not_go_back() {
        let mut sequencer = gathering();
        for number in 1..=3 {
            let message = Message::LogEnd { round: Round(1), sequence: SequenceNumber(0), time_ms: 900 };
            sequencer.handle_message(manager(number), message, Instant(0));
        }
        sequencer.handle_message(NodeId::FRONT_END, Message::Resumed { round: Round(2) }, Instant(0));
        sequencer.handle_message(NodeId::FRONT_END, submit(1), Instant(5_000));
        let times = sent(&mut sequencer).into_iter().filter_map(|message| match message {
            Message::Order(order) => Some(order.time_ms),
            _ => None,
        });
        assert_eq!(times.collect::<Vec<_>>(), [900]);
    }
}
