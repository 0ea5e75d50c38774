//! A client of a running cluster.
//!
//! Requests are numbered, sent in order over one connection, and sent again under the same numbers after the connection was
//! lost, to the same front end or to the next one, so that each is executed once however often it had to be sent. A front end that is busy
//! is asked again, later and later. What would be done twice if it were asked twice is not.
//!
//! | File | Its part |
//! |---|---|
//! | `target.rs` | which front ends, TLS and tokens |
//! | `front_end_name.rs` | where a front end listens |
//! | `connection.rs` | one connection |
//! | `search.rs` | which front end is asked next |
//! | `silence.rs` | whether one is gone that says nothing |
//! | `backoff.rs` | when to ask again a front end that was busy |
//! | `error.rs` | why there is no answer |

mod backoff;
mod connection;
mod error;
mod front_end_name;
mod search;
mod silence;
mod target;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Interval;

use crate::market::Answer;
use crate::protocol::client_message::{ClientMessage, FaultAsk, ServerBody, ServerMessage};
use crate::protocol::id::{ClientId, RequestNumber};
use crate::protocol::limits::IN_FLIGHT_PER_CLIENT_MAX;
use crate::protocol::swap::SwapAsk;

use backoff::{Backoff, timer};
use connection::{Connection, OPEN_TIMEOUT};
use error::sentences;
pub use error::{Cause, ClientError, Failure};
pub use front_end_name::FrontEndName;
use search::{Next, Search};
use silence::{Call, Silence};
pub use target::Target;

/// How many messages a client should have sent that are not answered: as many as a front end takes from a connection, but one, which
/// is for the question whether it is still there.
pub const AHEAD_LEN_MAX: usize = IN_FLIGHT_PER_CLIENT_MAX - 1;

/// How long a client that is new looks for a front end: long enough for a process that has ended to be started again.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// The number of the question whether a front end is still there; those of other messages are counted from 1.
const SIGN_OF_LIFE: RequestNumber = RequestNumber(0);

/// A client, with one connection at a time.
#[derive(Debug)]
pub struct Client {
    target: Target,
    id: ClientId,
    /// How long to wait for an answer, attempts to connect again included.
    patience: Duration,
    /// Who is told where it is waited, or asked elsewhere.
    notice: Option<fn(&str)>,
    search: Search,
    /// Until when no attempt is made to connect.
    pause: Option<Interval>,
    connection: Option<Connection>,
    last_number: RequestNumber,
    /// Messages not answered yet, in the order in which they were sent.
    unanswered: VecDeque<Unanswered>,
    /// Answers to messages behind the oldest unanswered one.
    early: BTreeMap<RequestNumber, ServerBody>,
    backoff: Backoff,
    silence: Silence,
    /// How often a message was answered `busy` and sent again.
    busy_len: u64,
    /// How many connections there were.
    connections_len: u64,
}

/// A message that waits for its answer.
#[derive(Debug)]
struct Unanswered {
    number: RequestNumber,
    message: ClientMessage,
    /// A front end may have it.
    is_sent: bool,
}

impl Unanswered {
    /// Whether it changes nothing to ask it twice, and elsewhere: the replicas know a request by its number, a question changes nothing, and
    /// a swap is ended once. Faults have other numbers at each front end.
    fn may_be_repeated(&self) -> bool {
        match &self.message {
            ClientMessage::Faults { ask: FaultAsk::Add { .. } | FaultAsk::Remove(_), .. }
            | ClientMessage::Swap { ask: SwapAsk::Begin { .. }, .. } => false,
            ClientMessage::Hello { .. }
            | ClientMessage::Request { .. }
            | ClientMessage::Digest { .. }
            | ClientMessage::Status { .. }
            | ClientMessage::Why { .. }
            | ClientMessage::Events { .. }
            | ClientMessage::Faults { ask: FaultAsk::List, .. }
            | ClientMessage::Swap { ask: SwapAsk::Look { .. } | SwapAsk::End { .. }, .. }
            | ClientMessage::History { .. }
            | ClientMessage::Tokens { .. } => true,
        }
    }
}

impl Client {
    /// Connects to a front end without TLS and without a token. Answers are waited for as long as `patience`.
    pub async fn connect(address: SocketAddr, id: ClientId, patience: Duration) -> Result<Client, ClientError> {
        Client::connect_to(Target::plain(address), id, patience).await
    }

    /// Connects to a front end of a target.
    pub async fn connect_to(target: Target, id: ClientId, patience: Duration) -> Result<Client, ClientError> {
        let mut client = Client::new(target, id, patience);
        client.open().await?;
        Ok(client)
    }

    /// A client that is not connected yet.
    pub fn new(target: Target, id: ClientId, patience: Duration) -> Client {
        Client {
            search: Search::new(target.front_ends.len()),
            target,
            id,
            patience,
            notice: None,
            pause: None,
            connection: None,
            last_number: RequestNumber(0),
            unanswered: VecDeque::new(),
            early: BTreeMap::new(),
            backoff: Backoff::default(),
            silence: Silence::default(),
            busy_len: 0,
            connections_len: 0,
        }
    }

    /// The same, and `notice` is told where it is waited, or asked elsewhere: a sentence each time.
    pub fn with_notice(self, notice: fn(&str)) -> Client {
        Client { notice: Some(notice), ..self }
    }

    /// The same, and nobody is told.
    pub fn without_notice(self) -> Client {
        Client { notice: None, ..self }
    }

    /// Connects to the first front end that lets it, and waits for one for some seconds.
    pub async fn open(&mut self) -> Result<(), ClientError> {
        // Each front end may take its time.
        let others_len = u32::try_from(self.target.front_ends.len() - 1).unwrap_or(u32::MAX);
        let patience = (CONNECT_PATIENCE + OPEN_TIMEOUT * others_len).min(self.patience);
        let opened = tokio::time::timeout(patience, async {
            while self.connection.is_none() {
                if let Err(failure) = self.open_current().await {
                    self.on_failed(failure)?;
                }
            }
            Ok(())
        });
        opened.await.unwrap_or_else(|_| Err(self.out_of_patience(patience)))
    }

    /// Connects to the current front end, once.
    pub async fn try_open(&mut self) -> Result<(), Failure> {
        if self.connection.is_none() { self.open_current().await } else { Ok(()) }
    }

    /// Draws a number for a new client.
    pub fn draw_id() -> ClientId {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the system has random bytes");
        ClientId(u64::from_le_bytes(bytes))
    }

    /// The front end that it is connected to, or would connect to next.
    pub fn front_end(&self) -> &FrontEndName {
        &self.target.front_ends[self.search.current()]
    }

    /// Whether it might be connected to another one.
    pub fn has_choice(&self) -> bool {
        self.target.front_ends.len() > 1
    }

    /// Queues a message; `message` makes it from the number it gets. It is written by the next call of a receiving function.
    pub fn send(&mut self, message: impl FnOnce(RequestNumber) -> ClientMessage) -> RequestNumber {
        let number = RequestNumber(self.last_number.0 + 1);
        self.last_number = number;
        let message = message(number);
        if let Some(connection) = &mut self.connection {
            connection.put(&message);
        }
        if self.unanswered.is_empty() {
            self.silence.on_heard();
        }
        self.unanswered.push_back(Unanswered { number, message, is_sent: self.connection.is_some() });
        number
    }

    /// How many messages wait for their answer.
    pub fn unanswered_len(&self) -> usize {
        self.unanswered.len()
    }

    /// How often a message was answered `busy` and sent again.
    pub fn busy_len(&self) -> u64 {
        self.busy_len
    }

    /// How often another connection took the place of one that was lost, to the same front end or to another.
    pub fn moved_len(&self) -> u64 {
        self.connections_len.saturating_sub(1)
    }

    /// Sends one message and waits for its answer, and for those of all sent before.
    pub async fn call(
        &mut self,
        message: impl FnOnce(RequestNumber) -> ClientMessage,
    ) -> Result<ServerBody, ClientError> {
        self.send(message);
        loop {
            let answer = self.next_in_order().await?;
            if self.unanswered.is_empty() {
                return Ok(answer);
            }
        }
    }

    /// The answer to the oldest unanswered message. There must be one.
    pub async fn next_in_order(&mut self) -> Result<ServerBody, ClientError> {
        loop {
            let oldest = self.unanswered.front().expect("something was sent").number;
            if let Some(body) = self.early.remove(&oldest) {
                self.unanswered.pop_front();
                return Ok(body);
            }
            let ServerMessage { number, body } = self.receive().await?;
            self.early.insert(number, body);
        }
    }

    /// The next answer, whichever message it belongs to. There must be an unanswered one.
    pub async fn next_in_any_order(&mut self) -> Result<ServerMessage, ClientError> {
        let message = self.receive().await?;
        self.unanswered.retain(|unanswered| unanswered.number != message.number);
        Ok(message)
    }

    /// Receives one message, moves on if the connection is lost, and asks again if the front end is busy.
    async fn receive(&mut self) -> Result<ServerMessage, ClientError> {
        let patience = self.patience;
        let received = tokio::time::timeout(patience, async {
            loop {
                match self.receive_once().await {
                    Ok(message) => return Ok(message),
                    Err(failure) => self.on_failed(failure)?,
                }
            }
        });
        received.await.unwrap_or_else(|_| Err(self.out_of_patience(patience)))
    }

    fn out_of_patience(&self, patience: Duration) -> ClientError {
        let failures = self.search.failures();
        if self.connection.is_some() || failures.is_empty() {
            return ClientError::TimedOut { front_end: self.front_end().clone(), patience };
        }
        ClientError::NoFrontEnd(failures)
    }

    /// The connection is lost, or could not be had. Decides where to go on, unless that is nowhere.
    fn on_failed(&mut self, failure: Failure) -> Result<(), ClientError> {
        self.connection = None;
        // Who refuses has done nothing.
        let may_be_done = failure.cause == Cause::Unreachable;
        let is_unsure = |unanswered: &Unanswered| may_be_done && unanswered.is_sent && !unanswered.may_be_repeated();
        if self.unanswered.iter().any(is_unsure) {
            self.unanswered.retain(|unanswered| !is_unsure(unanswered));
            return Err(ClientError::Unsure(failure));
        }
        let is_news = self.search.is_first_round();
        let words = failure.to_string();
        match self.search.on_failed(failure) {
            Next::Now if is_news => self.tell(&format!("{words}; asking {}", self.front_end())),
            Next::Now => {}
            Next::After(wait) => {
                self.pause = Some(timer(wait));
                if is_news {
                    self.tell(&format!("{}; trying again for some seconds", sentences(&self.search.failures())));
                }
            }
            Next::Never => return Err(ClientError::NoFrontEnd(self.search.failures())),
        }
        Ok(())
    }

    fn tell(&self, words: &str) {
        if let Some(notice) = self.notice {
            notice(words);
        }
    }

    /// Connects to the current front end, when it is time to, and sends again what is not answered. Cancel-safe, but begins anew.
    async fn open_current(&mut self) -> Result<(), Failure> {
        if let Some(pause) = &mut self.pause {
            pause.tick().await;
            self.pause = None;
        }
        let mut connection = Connection::open(&self.target, self.front_end(), self.id).await?;
        for unanswered in &mut self.unanswered {
            if !self.early.contains_key(&unanswered.number) {
                connection.put(&unanswered.message);
                unanswered.is_sent = true;
            }
        }
        self.backoff.clear();
        self.silence.on_heard();
        self.connections_len += 1;
        self.connection = Some(connection);
        Ok(())
    }

    /// Receives one message from the current front end.
    async fn receive_once(&mut self) -> Result<ServerMessage, Failure> {
        if self.connection.is_none() {
            self.open_current().await?;
        }
        let connection = self.connection.as_mut().expect("it was opened");
        let front_end = &self.target.front_ends[self.search.current()];
        let failure = |cause, words| Failure { front_end: front_end.clone(), cause, words };
        loop {
            let next = tokio::select! {
                biased;
                next = connection.next() => next,
                numbers = self.backoff.due() => {
                    for unanswered in self.unanswered.iter().filter(|unanswered| numbers.contains(&unanswered.number)) {
                        connection.put(&unanswered.message);
                    }
                    continue;
                }
                call = self.silence.due() => {
                    match call {
                        Call::Ask => connection.put(&ClientMessage::Status { number: SIGN_OF_LIFE }),
                        // What cannot be asked elsewhere is waited for.
                        Call::GiveUp if self.unanswered.iter().all(Unanswered::may_be_repeated) => {
                            let words = format!("it has said nothing for {} s", Silence::LEAST.as_secs());
                            return Err(failure(Cause::Unreachable, words));
                        }
                        Call::GiveUp => {}
                    }
                    continue;
                }
            };
            self.silence.on_heard();
            match next {
                Ok(ServerMessage { body: ServerBody::Refused(words), .. }) => {
                    return Err(failure(Cause::Refused, words));
                }
                Ok(ServerMessage { body: ServerBody::Closed(words), .. }) => {
                    return Err(failure(Cause::Unreachable, words));
                }
                Ok(ServerMessage { number: SIGN_OF_LIFE, .. }) => {}
                Ok(ServerMessage { number, body: ServerBody::Answer(Answer::Busy { message }) })
                    if self.backoff.on_busy(number) || self.search.has_another() =>
                {
                    self.busy_len += 1;
                    if !self.backoff.is_waiting() {
                        return Err(failure(Cause::Unreachable, message));
                    }
                }
                Ok(message) => {
                    self.backoff.on_answered();
                    self.search.on_answered();
                    return Ok(message);
                }
                Err(error) => return Err(failure(Cause::Unreachable, error.to_string())),
            }
        }
    }
}

#[cfg(test)]
mod tests;
