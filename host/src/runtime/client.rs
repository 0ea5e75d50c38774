//! A client of a running cluster.
//!
//! Requests are numbered, sent in order over one connection, and sent again under the same numbers after the connection was
//! lost, so that each is executed once however often it had to be sent.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::protocol::client_message::{ClientMessage, ServerBody, ServerMessage};
use crate::protocol::id::{ClientId, RequestNumber};

use super::frames::{CLIENT_FRAME_LEN_MAX, FrameError, FrameReader, SERVER_FRAME_LEN_MAX, put_frame};

/// How long to wait between two attempts to connect.
const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// A client, with one connection at a time.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    id: ClientId,
    /// How long to wait for an answer, attempts to connect again included.
    patience: Duration,
    connection: Option<Connection>,
    last_number: RequestNumber,
    /// Messages not answered yet, in the order in which they were sent.
    unanswered: VecDeque<(RequestNumber, ClientMessage)>,
    /// Answers to messages behind the oldest unanswered one.
    early: BTreeMap<RequestNumber, ServerBody>,
}

#[derive(Debug)]
struct Connection {
    frames: FrameReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    /// Encoded and not yet written.
    outgoing: Vec<u8>,
    /// How much of it is written.
    written_len: usize,
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
    /// Connects to a front end. Answers are waited for as long as `patience`.
    pub async fn connect(address: SocketAddr, id: ClientId, patience: Duration) -> Result<Client, ClientError> {
        let connection = Connection::open(address, id).await?;
        Ok(Client {
            address,
            id,
            patience,
            connection: Some(connection),
            last_number: RequestNumber(0),
            unanswered: VecDeque::new(),
            early: BTreeMap::new(),
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

    /// Receives one message, and connects again if the connection is lost.
    async fn receive(&mut self) -> Result<ServerMessage, ClientError> {
        let (address, patience) = (self.address, self.patience);
        let mut lost = None;
        let received = tokio::time::timeout(patience, async {
            let mut again = tokio::time::interval(CONNECT_AGAIN_AFTER);
            loop {
                let error = match self.receive_once().await {
                    Ok(message) => return Ok(message),
                    Err(ClientError::Unreachable { reason, .. }) => reason,
                    Err(error) => return Err(error),
                };
                lost = Some(error);
                self.connection = None;
                again.tick().await;
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
        let address = self.address;
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let mut connection = Connection::open(address, self.id).await?;
                for (_, message) in self.unanswered.iter().filter(|(number, _)| !self.early.contains_key(number)) {
                    connection.put(message);
                }
                self.connection.insert(connection)
            }
        };
        match connection.next().await {
            Ok(ServerMessage { body: ServerBody::Refused(words), .. }) => Err(ClientError::Refused { address, words }),
            Ok(message) => Ok(message),
            Err(error) => Err(ClientError::Unreachable { address, reason: error.to_string() }),
        }
    }
}

impl Connection {
    async fn open(address: SocketAddr, id: ClientId) -> Result<Connection, ClientError> {
        let unreachable = |error: std::io::Error| ClientError::Unreachable { address, reason: error.to_string() };
        let stream = TcpStream::connect(address).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let (read, write) = stream.into_split();
        let frames = FrameReader::new(read, SERVER_FRAME_LEN_MAX);
        let mut connection = Connection { frames, write, outgoing: Vec::new(), written_len: 0 };
        connection.put(&ClientMessage::Hello { client: id });
        Ok(connection)
    }

    fn put(&mut self, message: &ClientMessage) {
        let start = self.outgoing.len();
        let fits =
            put_frame(message, &mut self.outgoing).is_ok() && self.outgoing.len() - start <= CLIENT_FRAME_LEN_MAX;
        // Words longer than a frame may be are sent as none at all, which the front end refuses as a bad request.
        if !fits && let ClientMessage::Request { number, .. } = message {
            self.outgoing.truncate(start);
            put_frame(&ClientMessage::Request { number: *number, words: Vec::new() }, &mut self.outgoing)
                .expect("an empty request fits a message");
        }
    }

    async fn next(&mut self) -> Result<ServerMessage, FrameError> {
        while self.written_len < self.outgoing.len() {
            self.written_len += self.write.write(&self.outgoing[self.written_len..]).await?;
        }
        self.outgoing.clear();
        self.written_len = 0;
        self.frames.next().await
    }
}
