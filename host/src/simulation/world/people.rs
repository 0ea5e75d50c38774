//! Clients and their connections, which keep what is sent in its order, and break only with a process.

use std::collections::VecDeque;

use super::super::client::{Client, Told};
use super::super::laws::{Broken, Held};
use super::super::node::{Core, Process};
use super::super::scenario::Scenario;
use super::{CLIENT_LATENCY, Happening, World};
use crate::protocol::client_message::{ClientMessage, ServerBody, ServerMessage};
use crate::protocol::front_end::ConnectionId;
use crate::protocol::id::{NodeId, RequestId, SequenceNumber};
use crate::protocol::time::Instant;
use crate::protocol::wire;

/// The clients of a plan, and after them the operator's.
pub(super) fn clients(scenario: &Scenario, started: Instant) -> Vec<Client> {
    let mut planned = vec![VecDeque::new(); scenario.clients_len()];
    for request in &scenario.requests {
        planned[request.client - 1].push_back(request.clone());
    }
    planned.push(VecDeque::new());
    (1..).zip(planned).map(|(number, planned)| Client::new(number, planned, started)).collect()
}

/// A client's connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    /// Which of the clients.
    client: usize,
    pub(super) front_end: NodeId,
}

impl World {
    /// A client does what is due.
    pub(super) fn client_turn(&mut self, index: usize) {
        let (now, last) = (self.now, self.laws.answered());
        let wants_connection = self.clients[index].handle_timeout(last, now);
        if wants_connection {
            self.disconnect(index);
            self.connect(index);
        }
        self.send_from(index);
    }

    /// Sends what a client has to say.
    pub(super) fn send_from(&mut self, index: usize) {
        let Some(connection) = self.clients[index].connection else { return };
        let to = self.connections[&connection].front_end;
        while let Some(message) = self.clients[index].poll_message() {
            let mut bytes = Vec::new();
            wire::encode(&message, &mut bytes).expect("a client's message is short");
            self.arrange(self.now + CLIENT_LATENCY, Happening::FromClient { to, connection, bytes });
        }
    }

    fn connect(&mut self, index: usize) {
        let now = self.now;
        let front_end = self.clients[index].next_front_end(self.scenario.membership());
        if self.nodes[&front_end].process == Process::Down {
            return self.clients[index].on_disconnected(now);
        }
        self.connections_len += 1;
        let connection = ConnectionId(self.connections_len);
        self.connections.insert(connection, Connection { client: index, front_end });
        self.clients[index].on_connected(connection, now);
    }

    /// A client ends its connection.
    pub(super) fn disconnect(&mut self, index: usize) {
        if let Some(connection) = self.clients[index].connection.take() {
            let Connection { front_end: from, .. } = self.connections.remove(&connection).expect("it is a client's");
            self.arrange(self.now + CLIENT_LATENCY, Happening::Disconnected { from, connection });
        }
    }

    /// A front end's process has ended: so have all of its connections.
    pub(super) fn disconnect_all(&mut self, front_end: NodeId) {
        let now = self.now;
        let operator = self.clients.len() - 1;
        self.laws.on_front_end_ended(front_end);
        self.connections_ended.insert(front_end, ConnectionId(self.connections_len));
        let ended: Vec<usize> =
            self.connections.extract_if(.., |_, of| of.front_end == front_end).map(|(_, of)| of.client).collect();
        for client in ended {
            self.clients[client].on_disconnected(now);
            if client == operator {
                self.operator.on_disconnected();
            }
        }
    }

    /// A client's bytes arrive at a front end.
    pub(super) fn on_client_bytes(&mut self, front_end: NodeId, connection: ConnectionId, bytes: &[u8]) -> Held {
        // What was sent before the client gave up the connection arrives all the same, unless the front end is another process.
        if self.connections_ended.get(&front_end).is_some_and(|last| connection <= *last) {
            return Ok(());
        }
        let message: ClientMessage = wire::decode(bytes).expect("what a client has encoded can be read");
        let now = self.now;
        if let ClientMessage::Request { number, words } = &message {
            let index = self.connections.get(&connection).map_or(0, |of| of.client + 1);
            self.narrator.say(now, &format!("client-{index}"), || format!("request {}: {}", number.0, words.join(" ")));
        }
        if let ClientMessage::Request { number, .. } = &message {
            self.laws.on_asked(front_end, connection, *number, now);
        }
        if let Core::FrontEnd(core) = &mut self.node_mut(front_end).core {
            core.handle_client(connection, message, now);
        }
        self.turn(front_end)
    }

    /// A front end learns that a connection has ended.
    pub(super) fn on_client_gone(&mut self, front_end: NodeId, connection: ConnectionId) -> Held {
        self.laws.on_client_gone(connection);
        if let Core::FrontEnd(core) = &mut self.node_mut(front_end).core {
            core.handle_disconnected(connection);
        }
        self.turn(front_end)
    }

    /// A front end answers a client.
    pub(super) fn answer(&mut self, front_end: NodeId, connection: ConnectionId, message: &ServerMessage) -> Held {
        let now = self.now;
        if let ServerBody::Answer(answer) = &message.body {
            self.laws.on_told(connection, message.number);
            self.narrator.say_of(now, front_end, || format!("answer request {}: {answer}", message.number.0));
            if let crate::market::Answer::Released { sequence, outcome } = answer {
                let first = SequenceNumber(*sequence);
                self.laws.released_outcomes_have_a_quorum(front_end, first, outcome)?;
                if let Some(of) = self.connections.get(&connection) {
                    let id = RequestId { client: self.clients[of.client].id, number: message.number };
                    self.laws.released_outcomes_are_those_of_the_reference_market(id, first, outcome)?;
                    self.laws.on_released(front_end, id);
                }
            }
        }
        let mut bytes = Vec::new();
        wire::encode(message, &mut bytes).map_err(|error| Broken {
            law: "what_the_front_end_answers_can_be_sent".to_owned(),
            words: error.to_string(),
        })?;
        self.trace.update(&now.0.to_le_bytes());
        self.trace.update(&bytes);
        self.arrange(now + CLIENT_LATENCY, Happening::ToClient { connection, bytes });
        Ok(())
    }

    /// A front end's bytes arrive at a client.
    pub(super) fn on_answer_bytes(&mut self, connection: ConnectionId, bytes: &[u8]) -> Held {
        let Some(Connection { client: index, .. }) = self.connections.get(&connection).copied() else { return Ok(()) };
        let message: ServerMessage = wire::decode(bytes).expect("what the front end has encoded can be read");
        let (number, now) = (message.number, self.now);
        match message.body {
            ServerBody::Answer(answer) => {
                let id = RequestId { client: self.clients[index].id, number };
                let told = self.clients[index].on_answer(number, answer, now);
                self.on_told(index, id, told)
            }
            ServerBody::Digests { sequence, responses } => self.on_digests(sequence, &responses),
            ServerBody::Swap(status) => {
                self.operator.on_told(number, status.as_ref());
                Ok(())
            }
            ServerBody::SwapRefused(_) => {
                self.operator.on_told(number, None);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn on_told(&mut self, index: usize, id: RequestId, told: Told) -> Held {
        match told {
            Told::Outcome(first, outcome, floor) => {
                self.laws.on_acknowledged(id, first, outcome);
                self.laws.the_order_respects_real_time(id, first, floor)
            }
            Told::Again(first, outcome, earlier) => {
                self.note_client_fault(index, "repeat", "replicas (sessions)");
                self.laws.a_retried_request_has_one_answer(id, &(first, outcome), &earlier)
            }
            Told::Refused => {
                self.note_client_fault(index, "nonsense", "front end (validation)");
                Ok(())
            }
            Told::NoOutcome | Told::Nothing => Ok(()),
        }
    }
}
