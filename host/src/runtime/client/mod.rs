//! A client of a running cluster.
//!
//! Requests are numbered, sent in order over one connection, and sent again under the same numbers after the connection was
//! lost, so that each is executed once however often it had to be sent. A front end that is busy is asked again, later and later.
//!
//! | File | Its part |
//! |---|---|
//! | `target.rs` | which front end, TLS and tokens; one connection to it |
//! | `backoff.rs` | when to ask again a front end that was busy |

mod backoff;
mod target;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::market::Answer;
use crate::protocol::client_message::{ClientMessage, ServerBody, ServerMessage};
use crate::protocol::id::{ClientId, RequestNumber};

use backoff::Backoff;
use target::Connection;
pub use target::Target;

/// How long to wait before the second attempt to connect; then twice as long each time.
const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Longest wait between two attempts.
const CONNECT_AGAIN_MAX: Duration = Duration::from_secs(1);

/// A client, with one connection at a time.
#[derive(Debug)]
pub struct Client {
    target: Target,
    id: ClientId,
    /// How long to wait for an answer, attempts to connect again included.
    patience: Duration,
    connection: Option<Connection>,
    last_number: RequestNumber,
    /// Messages not answered yet, in the order in which they were sent.
    unanswered: VecDeque<(RequestNumber, ClientMessage)>,
    /// Answers to messages behind the oldest unanswered one.
    early: BTreeMap<RequestNumber, ServerBody>,
    backoff: Backoff,
    /// How often a message was answered `busy` and sent again.
    busy_len: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there, or the connection was lost and could not be had again in time.
    #[error("no front end answers at {address}: {reason}")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// Connected, but no answer in time.
    #[error("the front end at {address} did not answer within {patience:?}")]
    TimedOut {
        /// Where.
        address: SocketAddr,
        /// How long it was waited.
        patience: Duration,
    },
    /// The connection cannot be secured, or not believed.
    #[error("the front end at {address} is not spoken to: {words}")]
    NotSecured {
        /// Where.
        address: SocketAddr,
        /// Why, and what to do.
        words: String,
    },
    /// The front end refuses this connection.
    #[error("the front end at {address} refuses: {words}")]
    Refused {
        /// Where.
        address: SocketAddr,
        /// Why.
        words: String,
    },
}

impl Client {
    /// Connects to a front end without TLS and without a token. Answers are waited for as long as `patience`.
    pub async fn connect(address: SocketAddr, id: ClientId, patience: Duration) -> Result<Client, ClientError> {
        Client::connect_to(Target::plain(address), id, patience).await
    }

    /// Connects to a front end.
    pub async fn connect_to(target: Target, id: ClientId, patience: Duration) -> Result<Client, ClientError> {
        let connection = Connection::open(&target, id).await?;
        Ok(Client {
            target,
            id,
            patience,
            connection: Some(connection),
            last_number: RequestNumber(0),
            unanswered: VecDeque::new(),
            early: BTreeMap::new(),
            backoff: Backoff::default(),
            busy_len: 0,
        })
    }

    /// Draws a number for a new client.
    pub fn draw_id() -> ClientId {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the system has random bytes");
        ClientId(u64::from_le_bytes(bytes))
    }

    /// Queues a message; `message` makes it from the number it gets. It is written by the next call of a receiving function.
    pub fn send(&mut self, message: impl FnOnce(RequestNumber) -> ClientMessage) -> RequestNumber {
        let number = RequestNumber(self.last_number.0 + 1);
        self.last_number = number;
        let message = message(number);
        if let Some(connection) = &mut self.connection {
            connection.put(&message);
        }
        self.unanswered.push_back((number, message));
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
            let oldest = self.unanswered.front().expect("something was sent").0;
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
        self.unanswered.retain(|(number, _)| *number != message.number);
        Ok(message)
    }

    /// Receives one message, connects again if the connection is lost, and asks again if the front end is busy.
    async fn receive(&mut self) -> Result<ServerMessage, ClientError> {
        let (address, patience) = (self.target.address, self.patience);
        let mut lost = None;
        let received = tokio::time::timeout(patience, async {
            let mut again_after = CONNECT_AGAIN_AFTER;
            loop {
                let error = match self.receive_once().await {
                    Ok(message) => return Ok(message),
                    Err(ClientError::Unreachable { reason, .. }) => reason,
                    Err(error) => return Err(error),
                };
                lost = Some(error);
                self.connection = None;
                let _passed = tokio::time::timeout(again_after, std::future::pending::<()>()).await;
                again_after = (again_after * 2).min(CONNECT_AGAIN_MAX);
            }
        });
        match received.await {
            Ok(received) => received,
            Err(_) => Err(match lost {
                Some(reason) if self.connection.is_none() => ClientError::Unreachable { address, reason },
                _ => ClientError::TimedOut { address, patience },
            }),
        }
    }

    async fn receive_once(&mut self) -> Result<ServerMessage, ClientError> {
        let address = self.target.address;
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let mut connection = Connection::open(&self.target, self.id).await?;
                for (_, message) in self.unanswered.iter().filter(|(number, _)| !self.early.contains_key(number)) {
                    connection.put(message);
                }
                self.backoff.clear();
                self.connection.insert(connection)
            }
        };
        loop {
            let next = tokio::select! {
                biased;
                next = connection.next() => next,
                numbers = self.backoff.due() => {
                    for (_, message) in self.unanswered.iter().filter(|(number, _)| numbers.contains(number)) {
                        connection.put(message);
                    }
                    continue;
                }
            };
            match next {
                Ok(ServerMessage { number, body: ServerBody::Answer(Answer::Busy { .. }) })
                    if self.backoff.on_busy(number) =>
                {
                    self.busy_len += 1;
                }
                Ok(ServerMessage { body: ServerBody::Refused(words), .. }) => {
                    return Err(ClientError::Refused { address, words });
                }
                Ok(ServerMessage { body: ServerBody::Closed(reason), .. }) => {
                    return Err(ClientError::Unreachable { address, reason });
                }
                Ok(message) => {
                    self.backoff.on_answered();
                    return Ok(message);
                }
                Err(error) => return Err(ClientError::Unreachable { address, reason: error.to_string() }),
            }
        }
    }
}
