//! A client under virtual time: sends what the plan says, retries what is not answered, reconnects, and may vanish.
//!
//! It stands in for `runtime/client.rs` and for whoever sits in front of it. A request keeps its number however often it is sent.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::scenario::PlannedRequest;
use crate::market::{Answer, Outcome};
use crate::protocol::client_message::ClientMessage;
use crate::protocol::front_end::ConnectionId;
use crate::protocol::id::{ClientId, Membership, NodeId, RequestNumber, SequenceNumber};
use crate::protocol::limits::IN_FLIGHT_PER_CLIENT_MAX;
use crate::protocol::time::{Instant, earliest};

/// A request that is not answered for this long is sent again, over a new connection.
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// A request that was answered with no outcome is sent again after this.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How long a client waits before it connects anew.
const RECONNECT_AFTER: Duration = Duration::from_millis(100);

/// After so many retries a client connects anew.
const RECONNECT_EVERY: u64 = 3;

/// Most requests of one client that are under way.
const IN_FLIGHT_MAX: usize = 8;

/// Numbers from here on are of messages that are no requests of the plan.
const EXTRA_NUMBERS: u64 = 1_000_000_000;

/// One client.
#[derive(Debug)]
pub struct Client {
    /// Its own number, the same in every connection.
    pub id: ClientId,
    /// The connection that it has.
    pub connection: Option<ConnectionId>,
    planned: VecDeque<PlannedRequest>,
    /// When the plan begins.
    started: Instant,
    under_way: BTreeMap<RequestNumber, UnderWay>,
    answered: BTreeMap<RequestNumber, (SequenceNumber, Outcome)>,
    reconnect_at: Option<Instant>,
    is_gone: bool,
    extra_len: u64,
    retries_len: u64,
    /// How often it has looked for a front end.
    connects_len: usize,
    to_send: VecDeque<ClientMessage>,
}

/// A request that waits for its answer.
#[derive(Clone, Debug)]
pub struct UnderWay {
    words: Vec<String>,
    /// The highest place that anybody had an answer of when it was sent first.
    pub floor: SequenceNumber,
    /// How long it is waited before it is sent again.
    retry_at: Instant,
}

/// What an answer means to a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// The outcome of a request that waited for it, and the highest place that was answered when it was sent first.
    Outcome(SequenceNumber, Outcome, SequenceNumber),
    /// The outcome of a request that was answered before, and what it was then.
    Again(SequenceNumber, Outcome, (SequenceNumber, Outcome)),
    /// A message that makes no sense was refused.
    Refused,
    /// No outcome, now.
    NoOutcome,
    /// Nothing that this client waits for.
    Nothing,
}

impl Client {
    /// A client that connects at once.
    pub fn new(number: usize, planned: VecDeque<PlannedRequest>, started: Instant) -> Client {
        Client {
            id: ClientId(1000 + number as u64),
            connection: None,
            planned,
            started,
            under_way: BTreeMap::new(),
            answered: BTreeMap::new(),
            reconnect_at: Some(started),
            is_gone: false,
            extra_len: 0,
            retries_len: 0,
            connects_len: 0,
            to_send: VecDeque::new(),
        }
    }

    /// The next deadline.
    pub fn wake(&self) -> Option<Instant> {
        if self.is_gone {
            return None;
        }
        if self.connection.is_none() {
            return self.reconnect_at;
        }
        let planned = self.next_planned().map(|at| (at, "request"));
        let retry = self.under_way.values().map(|under_way| (under_way.retry_at, "retry")).min();
        earliest(planned, retry).map(|(at, _)| at)
    }

    fn next_planned(&self) -> Option<Instant> {
        let next = self.planned.front()?;
        let oldest = self.under_way.first_key_value().map_or(next.number, |(number, _)| number.0);
        // A number that lies far ahead of one that is still under way would make the replicas forget that one.
        let is_ahead = next.number >= oldest + IN_FLIGHT_PER_CLIENT_MAX as u64 / 2;
        let may_send = self.under_way.len() < IN_FLIGHT_MAX && !is_ahead;
        may_send.then(|| self.started + Duration::from_millis(next.at_ms))
    }

    /// Does what is due. `last` is the highest place that anybody has an answer of. Returns whether the client wants another connection.
    pub fn handle_timeout(&mut self, last: SequenceNumber, now: Instant) -> bool {
        if self.is_gone {
            return false;
        }
        if self.connection.is_none() {
            return self.reconnect_at.is_some_and(|at| at <= now);
        }
        while self.next_planned().is_some_and(|at| at <= now) {
            let next = self.planned.pop_front().expect("it was seen above");
            let words: Vec<String> = next.words.split_whitespace().map(str::to_owned).collect();
            let number = RequestNumber(next.number);
            self.to_send.push_back(ClientMessage::Request { number, words: words.clone() });
            self.under_way.insert(number, UnderWay { words, floor: last, retry_at: now + RETRY_AFTER });
        }
        let mut is_patient = true;
        for (number, under_way) in self.under_way.iter_mut().filter(|(_, under_way)| under_way.retry_at <= now) {
            under_way.retry_at = now + RETRY_AFTER;
            let words = under_way.words.clone();
            self.to_send.push_back(ClientMessage::Request { number: *number, words });
            is_patient = false;
        }
        // Most retries go over the same connection; now and then a client thinks that it is broken.
        self.retries_len += u64::from(!is_patient);
        let gives_up = !is_patient && self.retries_len.is_multiple_of(RECONNECT_EVERY);
        if gives_up {
            self.to_send.clear();
        }
        gives_up
    }

    /// The front end that it tries: each time another one, and not all clients the same.
    pub fn next_front_end(&mut self, membership: Membership) -> NodeId {
        let place = self.id.0 as usize + self.connects_len;
        self.connects_len += 1;
        membership.front_ends().nth(place % membership.front_ends_len).expect("a cluster has a front end")
    }

    /// It has a connection: says who it is, and all that is not answered.
    pub fn on_connected(&mut self, connection: ConnectionId, now: Instant) {
        self.connection = Some(connection);
        self.reconnect_at = None;
        self.to_send.clear();
        self.to_send.push_back(ClientMessage::Hello { client: self.id });
        for (number, under_way) in &mut self.under_way {
            under_way.retry_at = now + RETRY_AFTER;
            self.to_send.push_back(ClientMessage::Request { number: *number, words: under_way.words.clone() });
        }
    }

    /// Its connection is gone.
    pub fn on_disconnected(&mut self, now: Instant) {
        self.connection = None;
        self.to_send.clear();
        self.reconnect_at = Some(now + RECONNECT_AFTER);
    }

    /// It goes, and never comes back.
    pub fn vanish(&mut self) {
        self.is_gone = true;
        self.planned.clear();
        self.under_way.clear();
        self.to_send.clear();
    }

    /// Sends a request again that was answered lately. Whether there is one.
    pub fn repeat(&mut self, words_of: impl Fn(RequestNumber) -> Option<String>) -> bool {
        let Some((number, _)) = self.answered.last_key_value() else { return false };
        let Some(words) = words_of(*number).filter(|_| self.connection.is_some() && !self.is_gone) else {
            return false;
        };
        let words = words.split_whitespace().map(str::to_owned).collect();
        self.to_send.push_back(ClientMessage::Request { number: *number, words });
        true
    }

    /// Sends what is no request. Whether it can.
    pub fn send_nonsense(&mut self) -> bool {
        if self.connection.is_none() || self.is_gone {
            return false;
        }
        self.extra_len += 1;
        let number = RequestNumber(EXTRA_NUMBERS + self.extra_len);
        let words = vec!["NYKX1".to_owned(), "purchase-share".to_owned(), "\u{1F980}".repeat(50)];
        self.to_send.push_back(ClientMessage::Request { number, words });
        true
    }

    /// Asks for something that is no request, under a number that it makes a message with, and returns.
    pub fn ask(&mut self, message: impl FnOnce(RequestNumber) -> ClientMessage) -> RequestNumber {
        self.extra_len += 1;
        let number = RequestNumber(EXTRA_NUMBERS + self.extra_len);
        self.to_send.push_back(message(number));
        number
    }

    /// The next message to the front end.
    pub fn poll_message(&mut self) -> Option<ClientMessage> {
        self.to_send.pop_front()
    }

    /// An answer has come.
    pub fn on_answer(&mut self, number: RequestNumber, answer: Answer, now: Instant) -> Told {
        if number.0 > EXTRA_NUMBERS {
            let is_refused = matches!(answer, Answer::BadRequest(_));
            return if is_refused { Told::Refused } else { Told::Nothing };
        }
        let Answer::Released { sequence, outcome } = answer else {
            if let Some(under_way) = self.under_way.get_mut(&number) {
                under_way.retry_at = under_way.retry_at.min(now + AGAIN_AFTER);
            }
            return Told::NoOutcome;
        };
        let sequence = SequenceNumber(sequence);
        if let Some(earlier) = self.answered.get(&number) {
            return Told::Again(sequence, outcome, earlier.clone());
        }
        let Some(under_way) = self.under_way.remove(&number) else { return Told::Nothing };
        self.answered.insert(number, (sequence, outcome.clone()));
        Told::Outcome(sequence, outcome, under_way.floor)
    }

    /// The numbers of the requests that it still has to send, or to get an answer to.
    pub fn unanswered(&self) -> impl Iterator<Item = RequestNumber> {
        let planned = self.planned.iter().map(|planned| RequestNumber(planned.number));
        self.under_way.keys().copied().chain(planned)
    }

    /// Whether any request is under way.
    pub fn is_waiting(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// How many requests were answered with an outcome.
    pub fn answered_len(&self) -> usize {
        self.answered.len()
    }
}
