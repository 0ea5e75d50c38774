//! The front end: the only part that clients see.
//!
//! It reads and validates requests, submits them to the sequencer, collects the replicas' replies and releases the outcome that
//! enough of them share. It keeps listening after the release, so that a late wrong answer is seen as well: it accuses replicas that are
//! wrong, and suspects those that are silent. What is done about them is the replica managers' affair.
//!
//! | File | Its part |
//! |---|---|
//! | `releasing.rs` | counts the replies to an order, and releases what enough of them share |
//! | `judging.rs` | who was wrong, who is silent |
//! | `status.rs` | how the nodes are |
//! | `opening.rs` | what it waits for before it submits anything |
//! | `recording.rs` | what outlives the process |
//! | `rejoining.rs` | what it tells, and does, when the process of another node is new |
//! | `faults.rs` | faults that were asked for |
//! | `swaps.rs` | modules that are to take over, and whether their outcomes are right |

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::market::{Answer, BadRequest, Digest, parse_request};

use super::checkpoint::{Certifier, Verdict};
use super::client_message::{ClientMessage, ServerBody, ServerMessage, WhyAnswer};
use super::event::Event;
use super::event_log::EventLog;
use super::id::{ClientId, Incarnation, Membership, NodeId, ReplicaId, RequestId, RequestNumber, SequenceNumber};
use super::ledger::{Asked, Conclusion, Ledger, ReplyRecord};
use super::limits::{EVENTS_LEN_MAX, LEDGER_LEN_MAX, PENDING_LEN_MAX, SHADOW_REPLIES_LEN_MAX};
use super::message::{Certificate, Command, Message, Progress, Reply, Response};
use super::policy::SuspicionPolicy;
use super::quorum::Tolerance;
use super::recipients::Recipients;
use super::time::{Instant, earliest};

mod faults;
mod judging;
mod opening;
mod recording;
mod rejoining;
mod releasing;
mod status;
mod swaps;

use faults::FaultBoard;
use judging::Judging;
use opening::Opening;
use swaps::SwapBoard;

/// The client under which the front end itself has barriers ordered, when a replica manager needs a checkpoint.
const CHECKPOINT_CLIENT: ClientId = ClientId(u64::MAX);

/// One client connection, numbered by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// What a front end has to know of its cluster.
#[derive(Clone, Copy, Debug)]
pub struct FrontEndConfig {
    /// Which front end it is.
    pub me: NodeId,
    /// What the system calls its process.
    pub process: u32,
    /// Who belongs to the cluster.
    pub membership: Membership,
    /// What they must tolerate.
    pub tolerance: Tolerance,
    /// How long a request may wait for its answer.
    pub request_timeout: Duration,
    /// How long a reply may take.
    pub suspicion: SuspicionPolicy,
    /// Whether clients may have faults injected.
    pub allow_faults: bool,
    /// How many requests may wait for their answer at once; at most [`IN_FLIGHT_LEN_MAX`](super::limits::IN_FLIGHT_LEN_MAX).
    pub in_flight_len_max: usize,
}

/// Submits clients' requests, counts replies and releases outcomes. Holds no clock and no socket.
#[derive(Debug)]
pub struct FrontEnd {
    config: FrontEndConfig,
    clients: BTreeMap<ConnectionId, ClientId>,
    /// Requests that wait for their answer; at most [`PENDING_LEN_MAX`].
    pending: BTreeMap<RequestId, Pending>,
    /// The same requests by deadline.
    deadlines: BTreeSet<(Instant, RequestId)>,
    ledger: Ledger,
    /// Each node's last heartbeat, and when it came.
    heartbeats: BTreeMap<NodeId, (Progress, Instant)>,
    /// The life in which each replica has voted first, since this process is.
    first_lives: BTreeMap<ReplicaId, Incarnation>,
    judging: Judging,
    certifier: Certifier,
    events: EventLog,
    faults: FaultBoard,
    swaps: SwapBoard,
    /// The barrier that was asked for by a replica manager and is not concluded yet, and how many there have been.
    checkpoint: Option<RequestId>,
    /// Another one is needed after it: whoever asked meanwhile may have been too late for it.
    checkpoint_again: bool,
    checkpoints_len: u64,
    ready: bool,
    opening: Opening,
    /// When the other front ends are told that this one is up.
    progress_at: Option<Instant>,
    outputs: VecDeque<Output>,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Pending {
    /// The connections to answer on: each that asked. Every entry is an unanswered message of a connection, so that the bound
    /// on those bounds this.
    connections: Vec<ConnectionId>,
    command: Command,
    submitted_at: Instant,
    deadline: Instant,
    sequence: Option<SequenceNumber>,
}

/// What the driver has to do for a front end.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a message to a node.
    Transmit {
        /// To whom.
        to: Recipients,
        /// What.
        message: Message,
    },
    /// Send a message to a client. A connection that is gone is ignored.
    Answer {
        /// On which connection.
        connection: ConnectionId,
        /// What.
        message: ServerMessage,
    },
    /// Take a message about a fault in, as other nodes do when it comes from their front end.
    Inject(Message),
    /// Log an event.
    Event(Event),
    /// Look up what earlier processes have written of a place, complete the answer with it, and send it.
    Recollect {
        /// Who asks: on which connection.
        connection: ConnectionId,
        /// The client's number for the question.
        number: RequestNumber,
        /// About which place.
        sequence: SequenceNumber,
        /// What this process knows.
        answer: WhyAnswer,
    },
}

impl FrontEnd {
    /// A front end that knows nothing of the order yet, and asks the managers how they stand.
    pub fn new(config: FrontEndConfig) -> FrontEnd {
        let mut front_end = FrontEnd {
            config,
            clients: BTreeMap::new(),
            pending: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            ledger: Ledger::new(config.membership.replicas_len),
            heartbeats: BTreeMap::new(),
            first_lives: BTreeMap::new(),
            judging: Judging::new(config.membership.replicas_len, config.suspicion),
            certifier: Certifier::new(config.tolerance.quorum(), config.membership.replicas_len),
            events: EventLog::default(),
            faults: FaultBoard::default(),
            swaps: SwapBoard::default(),
            checkpoint: None,
            checkpoint_again: false,
            checkpoints_len: 0,
            ready: false,
            opening: Opening::Alone,
            progress_at: None,
            outputs: VecDeque::new(),
        };
        front_end.begin();
        front_end
    }

    /// Takes in one message of a client.
    pub fn handle_client(&mut self, connection: ConnectionId, message: ClientMessage, now: Instant) {
        match message {
            ClientMessage::Hello { client: CHECKPOINT_CLIENT } => {
                let words = "this client number is the front end's own; draw another".to_owned();
                self.answer(connection, RequestNumber(0), ServerBody::Refused(words));
            }
            ClientMessage::Hello { client } => {
                self.clients.insert(connection, client);
            }
            // Whoever drives this core has looked at them, or needs none.
            ClientMessage::Tokens { .. } => {}
            ClientMessage::Request { number, words } => match parse_request(&words) {
                Ok(request) => self.on_command(connection, number, Command::Request(request), now),
                Err(refused) => self.on_bad_request(connection, number, refused),
            },
            ClientMessage::Digest { number } => self.on_command(connection, number, Command::Barrier, now),
            ClientMessage::Status { number } => {
                let status = self.status(now);
                self.answer(connection, number, ServerBody::Status(status));
            }
            ClientMessage::Events { number, after } => {
                let events = self.events.after(after);
                self.answer(connection, number, ServerBody::Events(events));
            }
            ClientMessage::Faults { number, ask } => self.on_faults(connection, number, ask, now),
            ClientMessage::Swap { number, ask } => self.on_swap_ask(connection, number, ask, now),
            ClientMessage::Why { number, sequence } => {
                self.on_why(connection, number, SequenceNumber(sequence));
            }
            ClientMessage::History { number, after } => {
                let history = self.history(SequenceNumber(after));
                self.answer(connection, number, ServerBody::History(history));
            }
        }
    }

    /// Takes in that a connection is gone. Its requests go on; their outcomes can be had by a retry.
    pub fn handle_disconnected(&mut self, connection: ConnectionId) {
        self.clients.remove(&connection);
    }

    /// Takes in one message of a node.
    pub fn handle_message(&mut self, from: NodeId, message: Message, now: Instant) {
        match (from, message) {
            (NodeId::Sequencer, Message::Sequenced { id, sequence }) => self.on_sequenced(id, sequence, now),
            (NodeId::Sequencer, Message::Resume { round, after }) => self.on_resume(round, after, now),
            (NodeId::ReplicaManager(replica), Message::Reply(reply)) => self.on_reply(replica, reply, now),
            (_, Message::Progress(progress)) => self.on_progress(from, progress, now),
            (NodeId::ReplicaManager(voter), Message::CrashVote { charge, agree }) => {
                self.on_crash_vote(voter, charge, agree, now);
            }
            (NodeId::ReplicaManager(voter), Message::CheckpointVote { sequence, digest }) => {
                self.on_checkpoint_vote(voter, sequence, digest, now);
            }
            (NodeId::ReplicaManager(replica), Message::Join) => self.on_join(replica, now),
            (NodeId::ReplicaManager(replica), Message::SwapReport { swap, stage }) => {
                self.on_swap_report(replica, swap, stage);
            }
            (NodeId::ReplicaManager(replica), Message::ShadowReply { swap, sequence, response }) => {
                self.on_shadow_reply(replica, swap, sequence, response, now);
            }
            (NodeId::ReplicaManager(_), Message::WantCheckpoint) => self.on_want_checkpoint(now),
            (_, Message::Event { at, event }) => self.remember(from, at, *event),
            (_, Message::FaultReport { id, fired, is_over, refused }) => {
                self.on_fault_report(id, fired, is_over, refused, now);
            }
            (_, other) => self.ignored(from, other.name(), "not for a front end"),
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((deadline, id)) = self.deadlines.first().copied() {
            if deadline > now {
                break;
            }
            self.on_request_timeout(id, now);
        }
        self.on_opening_timeout(now);
        self.on_progress_timeout(now);
        self.suspect_silent(now);
    }

    /// The next deadline and what it is for.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let request = self.deadlines.first().map(|(deadline, _)| (*deadline, "request"));
        let progress = self.progress_at.map(|at| (at, "progress"));
        [self.opening_timeout(), progress, self.judging.poll_timeout()].into_iter().fold(request, earliest)
    }

    /// Drain to `None` after every `handle_*`, before the next one.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How many requests wait for their answer, those that the front end has itself made included.
    pub fn waiting_len(&self) -> usize {
        self.pending.len()
    }

    /// Every queue that others can make grow: what it holds, how long it is, and its bound.
    pub fn queues(&self) -> [(&'static str, usize, usize); 5] {
        [
            ("pending requests", self.pending.len(), PENDING_LEN_MAX),
            ("ledger records", self.ledger.len(), LEDGER_LEN_MAX),
            ("orders that are not judged", self.judging.awaited_len(), LEDGER_LEN_MAX),
            ("events", self.events.len(), EVENTS_LEN_MAX),
            ("outcomes of shadows", self.swaps.waiting_len(), SHADOW_REPLIES_LEN_MAX),
        ]
    }

    fn on_bad_request(&mut self, connection: ConnectionId, number: RequestNumber, refused: BadRequest) {
        self.answer(connection, number, ServerBody::Answer(Answer::BadRequest(refused)));
    }

    fn on_command(&mut self, connection: ConnectionId, number: RequestNumber, command: Command, now: Instant) {
        let Some(client) = self.clients.get(&connection).copied() else {
            let words = "the first message of a connection must be a hello that names the client".to_owned();
            return self.answer(connection, number, ServerBody::Refused(words));
        };
        let id = RequestId { client, number };
        if let Some(pending) = self.pending.get_mut(&id) {
            // A retry of what is under way.
            pending.connections.retain(|connection| self.clients.contains_key(connection));
            pending.connections.push(connection);
            return;
        }
        if self.pending.len() >= self.config.in_flight_len_max {
            let message = format!("{} requests are waiting already; send it again later", self.pending.len());
            return self.answer(connection, number, ServerBody::Answer(Answer::Busy { message }));
        }
        self.submit(id, command, vec![connection], now);
    }

    fn submit(&mut self, id: RequestId, command: Command, connections: Vec<ConnectionId>, now: Instant) {
        let deadline = now + self.config.request_timeout;
        self.deadlines.insert((deadline, id));
        self.pending.insert(id, Pending { connections, command, submitted_at: now, deadline, sequence: None });
        if self.opening == Opening::Open {
            self.transmit(Recipients::One(NodeId::Sequencer), Message::Submit { id, command });
        }
    }

    fn on_sequenced(&mut self, id: RequestId, sequence: SequenceNumber, now: Instant) {
        self.heard_from(NodeId::Sequencer, sequence, now);
        let Some(pending) = self.pending.get_mut(&id) else {
            return self.ignored(NodeId::Sequencer, "sequenced", "nobody waits for this request any more");
        };
        let Some(record) = self.ledger.record_mut(sequence) else {
            return self.ignored(NodeId::Sequencer, "sequenced", "the ledger has forgotten this place");
        };
        if record.asked.is_none() {
            // Replies may have come, or the request may have become void, before its place was known here. Now there is somebody to be
            // told, and something to compare the replies with.
            record.conclusion = None;
            record.judged = false;
        }
        pending.sequence = Some(sequence);
        let Pending { command, submitted_at, .. } = *pending;
        record.asked = Some(Asked { id, command, submitted_at, sequenced_at: now });
        if matches!(command, Command::Request(_)) {
            self.judging.await_replies(sequence, now);
        }
        self.conclude(sequence, now);
        self.judge(sequence, now);
    }

    fn on_reply(&mut self, replica: ReplicaId, reply: Reply, now: Instant) {
        let Reply { sequence, origin, incarnation, response } = reply;
        self.heard_from(NodeId::ReplicaManager(replica), sequence, now);
        if origin != self.config.me {
            return self.on_reply_to_another(replica, incarnation, sequence, response, now);
        }
        self.repeat_void(replica, sequence);
        match self.ledger.add_reply(sequence, replica, incarnation, response, now) {
            // A replica that executes the log again may repeat itself.
            Err(_) => {}
            Ok(record) => match &record.conclusion {
                Some(Conclusion::Released { response, .. }) if record.judged => {
                    if record.replies[replica.index()].as_ref().is_some_and(|reply| diverges(reply, response)) {
                        self.accuse(replica, incarnation, sequence, now);
                    }
                }
                // What has timed out may still be agreed on, or turn out to be void.
                _ => self.conclude(sequence, now),
            },
        }
        self.judging.on_executed(replica, sequence);
        self.judge(sequence, now);
    }

    /// The managers act on their votes; here they are only counted, to be told.
    fn on_checkpoint_vote(&mut self, voter: ReplicaId, sequence: SequenceNumber, digest: Digest, now: Instant) {
        match self.certifier.vote(voter, sequence, digest) {
            Verdict::Open => {}
            Verdict::Certified(Certificate { sequence, digest, voters }) => {
                self.event(Event::Certified { sequence, digest, voters }, now);
            }
            Verdict::Disputed(digests) => self.event(Event::StatesDiffer { sequence, digests }, now),
        }
    }

    fn on_want_checkpoint(&mut self, now: Instant) {
        if self.checkpoint.is_some() {
            self.checkpoint_again = true;
        } else if self.pending.len() < PENDING_LEN_MAX {
            self.checkpoints_len += 1;
            let id = RequestId { client: CHECKPOINT_CLIENT, number: RequestNumber(self.checkpoints_len) };
            self.checkpoint = Some(id);
            self.submit(id, Command::Barrier, Vec::new(), now);
        }
    }

    fn transmit(&mut self, to: Recipients, message: Message) {
        self.outputs.push_back(Output::Transmit { to, message });
    }

    fn answer(&mut self, connection: ConnectionId, number: RequestNumber, body: ServerBody) {
        self.outputs.push_back(Output::Answer { connection, message: ServerMessage { number, body } });
    }

    /// Logs an event, and keeps it for clients who ask.
    fn event(&mut self, event: Event, now: Instant) {
        self.remember(self.config.me, now, event.clone());
        self.outputs.push_back(Output::Event(event));
    }

    fn ignored(&mut self, from: NodeId, message: &str, reason: &str) {
        let (message, reason) = (message.to_owned(), reason.to_owned());
        self.outputs.push_back(Output::Event(Event::Ignored { from, message, reason }));
    }
}

/// Whether a reply is an outcome other than the released one. A fault is no outcome: its own manager reports it.
fn diverges(reply: &ReplyRecord, released: &Response) -> bool {
    reply.outcome().is_some_and(|response| **response != *released)
}

#[cfg(test)]
mod tests;
