//! The sequencer: one place in a total order for every request.
//!
//! It trusts front ends to send each request once per channel and leaves it to the replica managers to recognise a retried one,
//! since only they know what was executed. It holds no log: the channels repeat an order until each replica manager has it.

use std::collections::VecDeque;

use super::event::Event;
use super::id::{Incarnation, NodeId, RequestId, SequenceNumber};
use super::limits::PROGRESS_INTERVAL;
use super::message::{Command, Message, Order, Phase, Progress};
use super::recipients::Recipients;
use super::time::Instant;

/// Gives every request one place in the total order and tells all replica managers. Holds no clock and no socket.
#[derive(Debug)]
pub struct Sequencer {
    process: u32,
    last: SequenceNumber,
    progress_at: Instant,
    outputs: VecDeque<Output>,
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
    /// A sequencer at the beginning of an order, which announces itself at once. `process` is what the system calls its process.
    pub fn new(process: u32, now: Instant) -> Sequencer {
        Sequencer { process, last: SequenceNumber(0), progress_at: now, outputs: VecDeque::new() }
    }

    /// Takes one message in.
    pub fn handle_message(&mut self, from: NodeId, message: Message, now: Instant) {
        match message {
            Message::Submit { id, command } if from == NodeId::FrontEnd => self.on_submit(from, id, command, now),
            // It has opened the channel, which is what it is sent for.
            Message::Progress(_) => {}
            other => {
                let reason = "not for a sequencer";
                self.outputs.push_back(Output::Event(Event::Ignored {
                    from,
                    message: other.name().to_owned(),
                    reason: reason.to_owned(),
                }));
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

    /// The last number given.
    pub fn last(&self) -> SequenceNumber {
        self.last
    }

    fn on_submit(&mut self, origin: NodeId, id: RequestId, command: Command, now: Instant) {
        self.last = self.last.next();
        let sequence = self.last;
        let order = Order { sequence, time_ms: now.as_millis(), origin, id, command };
        self.transmit(Recipients::ReplicaManagers, Message::Order(order));
        self.transmit(Recipients::One(origin), Message::Sequenced { id, sequence });
    }

    fn on_progress_timeout(&mut self, now: Instant) {
        self.progress_at = now + PROGRESS_INTERVAL;
        let progress = Progress {
            incarnation: Incarnation::default(),
            phase: Phase::Voting,
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
    use crate::protocol::id::{ClientId, ReplicaId, RequestNumber};

    fn outputs(sequencer: &mut Sequencer) -> Vec<Output> {
        std::iter::from_fn(|| sequencer.poll_output()).collect()
    }

    fn submit(number: u64) -> Message {
        let id = RequestId { client: ClientId(1), number: RequestNumber(number) };
        Message::Submit { id, command: Command::Barrier }
    }

    #[test]
    fn every_request_gets_the_next_place_and_the_front_end_is_told() {
        let mut sequencer = Sequencer::new(1, Instant(0));
        for number in 1..=3 {
            sequencer.handle_message(NodeId::FrontEnd, submit(number), Instant(5_000 * number));
            let id = RequestId { client: ClientId(1), number: RequestNumber(number) };
            let sequence = SequenceNumber(number);
            let order =
                Order { sequence, time_ms: 5 * number, origin: NodeId::FrontEnd, id, command: Command::Barrier };
            let expected = [
                Output::Transmit { to: Recipients::ReplicaManagers, message: Message::Order(order) },
                Output::Transmit {
                    to: Recipients::One(NodeId::FrontEnd),
                    message: Message::Sequenced { id, sequence },
                },
            ];
            assert_eq!(outputs(&mut sequencer), expected);
        }
    }

    #[test]
    fn only_a_front_end_may_submit() {
        let mut sequencer = Sequencer::new(1, Instant(0));
        let manager = NodeId::ReplicaManager(ReplicaId::new(1).unwrap());
        sequencer.handle_message(manager, submit(1), Instant(1));
        assert!(matches!(outputs(&mut sequencer)[..], [Output::Event(Event::Ignored { .. })]));
        assert_eq!(sequencer.last(), SequenceNumber(0));
    }
}
