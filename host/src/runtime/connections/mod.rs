//! A front end's client connections: accepts them, reads their messages, writes their answers.
//!
//! A connection costs others nothing but its own bounded share: it may have so many messages unanswered and so many bytes unread, after
//! which it is not read itself, and is closed if that does not help. Connections are served in turn.
//!
//! | File | Its part |
//! |---|---|
//! | `lanes.rs` | what has arrived on each connection and what waits to be written: turns and bounds, without sockets |
//! | `serve.rs` | one connection: TLS, reading, writing, its last words |
//! | `limits.rs` | the bounds |

mod lanes;
mod limits;
mod serve;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;

use crate::access::{Gate, Policy, Refusal};
use crate::market::Answer;
use crate::protocol::client_message::{ClientMessage, ServerBody, ServerMessage};
use crate::protocol::front_end::ConnectionId;
use crate::protocol::id::RequestNumber;
use crate::protocol::time::Instant;
use crate::protocol::wire;

use super::frames::FrameError;
use super::tls::ServerTls;
use lanes::{Arrival, Lanes};
pub use limits::MESSAGES_PER_TURN_MAX;
use limits::{ACCEPT_AGAIN_AFTER, TURNED_AWAY_LEN_MAX};

/// What clients have to show, and what is shown to them.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// What they have to show.
    pub policy: Policy,
    /// What the front end shows to them, if it speaks TLS.
    pub tls: Option<ServerTls>,
}

/// Who may connect, and how many.
#[derive(Clone, Debug)]
pub struct ConnectionRules {
    /// What either side has to show.
    pub credentials: Credentials,
    /// Most connections at one time.
    pub connections_len_max: usize,
    /// A connection on which nothing is asked and nothing waits for so long is closed.
    pub idle_timeout: Duration,
}

/// What became of what a client did.
#[derive(Debug)]
pub enum Polled {
    /// It sent a message that it may send.
    Message(ClientMessage),
    /// It sent what it may not send, and is told so.
    Refused,
    /// It is gone.
    Gone,
}

/// All client connections of a front end.
#[derive(Debug)]
pub struct Connections {
    shared: Arc<Shared>,
    policy: Policy,
    gates: BTreeMap<ConnectionId, Gate>,
    accepting: AbortHandle,
}

/// What the connections' tasks and the front end's loop share.
#[derive(Debug)]
struct Shared {
    lanes: Mutex<Lanes>,
    /// Something has arrived.
    arrived: Notify,
    /// All answers that there were are written.
    written: Notify,
    tls: Mutex<Option<ServerTls>>,
    idle_timeout: Duration,
}

impl Shared {
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        // Nobody panics while holding it but for a bug, after which the process ends.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tls(&self) -> Option<ServerTls> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, connection: ConnectionId, frame: &[u8]) {
        self.lanes().put(connection, frame);
        self.arrived.notify_one();
    }

    fn on_written(&self, connection: ConnectionId, len: usize) {
        let mut lanes = self.lanes();
        lanes.on_written(connection, len);
        if lanes.is_written() {
            self.written.notify_one();
        }
    }

    fn close(&self, connection: ConnectionId) {
        self.lanes().close(connection);
        self.arrived.notify_one();
        self.written.notify_one();
    }
}

impl Connections {
    /// Starts to accept clients on a bound listener. Must be called within a runtime.
    pub fn start(listener: TcpListener, rules: ConnectionRules) -> Connections {
        let ConnectionRules { credentials: Credentials { policy, tls }, connections_len_max, idle_timeout } = rules;
        let shared = Arc::new(Shared {
            lanes: Mutex::default(),
            arrived: Notify::new(),
            written: Notify::new(),
            tls: Mutex::new(tls),
            idle_timeout,
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared), connections_len_max));
        Connections { shared, policy, gates: BTreeMap::new(), accepting: accepting.abort_handle() }
    }

    /// Has other credentials count. Connections that are open stay open; what they have shown counts as far as its key still does.
    pub fn change_credentials(&mut self, credentials: Credentials) {
        let Credentials { policy, tls } = credentials;
        self.policy = policy;
        *self.shared.tls.lock().unwrap_or_else(PoisonError::into_inner) = tls;
    }

    /// Waits until clients have done something. Cancel-safe.
    pub async fn wait(&self) {
        while !self.shared.lanes().has_arrivals() {
            self.shared.arrived.notified().await;
        }
    }

    /// The next thing that a client did, each client in its turn.
    pub fn poll(&mut self, now: Instant) -> Option<(ConnectionId, Polled)> {
        let arrival = self.shared.lanes().next()?;
        let (connection, frame) = match arrival {
            Arrival::Frame(connection, frame) => (connection, frame),
            Arrival::Gone(connection) => {
                self.gates.remove(&connection);
                return Some((connection, Polled::Gone));
            }
        };
        let polled = match wire::decode::<ClientMessage>(&frame) {
            Ok(message) if self.admit(connection, &message, now) => Polled::Message(message),
            Ok(_) => Polled::Refused,
            Err(error) => {
                let words = FrameError::Malformed(error).to_string();
                self.shared.lanes().end(connection, ServerBody::Refused(words));
                Polled::Refused
            }
        };
        Some((connection, polled))
    }

    /// Whether a message may pass; one that may not is answered.
    fn admit(&mut self, connection: ConnectionId, message: &ClientMessage, now: Instant) -> bool {
        let number = message.number();
        if number.is_none() {
            self.shared.lanes().expect_no_answer(connection);
        }
        match self.gates.entry(connection).or_default().check(&self.policy, message, now) {
            Ok(()) => true,
            Err(Refusal::Unauthorized(message)) => {
                let body = ServerBody::Answer(Answer::Unauthorized { message });
                self.answer(connection, ServerMessage { number: number.unwrap_or(RequestNumber(0)), body });
                false
            }
            Err(Refusal::Ends(words)) => {
                self.shared.lanes().end(connection, ServerBody::Refused(words));
                false
            }
        }
    }

    /// Sends an answer. A connection that is gone is ignored.
    pub fn answer(&self, connection: ConnectionId, message: ServerMessage) {
        self.shared.lanes().answer(connection, &message);
    }

    /// No more clients are accepted, and those there are may ask nothing more; what they have asked can still be answered.
    pub fn stop_reading(&mut self) {
        self.accepting.abort();
        self.shared.lanes().stop_reading();
    }

    /// Returns when all answers are with the system. Cancel-safe.
    pub async fn all_written(&self) {
        while !self.shared.lanes().is_written() {
            self.shared.written.notified().await;
        }
    }

    /// The end of a connection that somebody may want to know of.
    pub fn poll_notice(&self) -> Option<String> {
        self.shared.lanes().poll_notice()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, connections_len_max: usize) {
    let open = Arc::new(AtomicUsize::new(0));
    let mut again = tokio::time::interval(ACCEPT_AGAIN_AFTER);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0.. {
        let stream = loop {
            match listener.accept().await {
                Ok((stream, _)) => break stream,
                Err(_) => drop(again.tick().await),
            }
        };
        let place = open.fetch_add(1, Ordering::Relaxed);
        let (shared, open) = (Arc::clone(&shared), Arc::clone(&open));
        tokio::spawn(async move {
            receive(stream, ConnectionId(number), &shared, place, connections_len_max).await;
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn receive(stream: TcpStream, connection: ConnectionId, shared: &Shared, place: usize, len_max: usize) {
    if place < len_max {
        serve::serve(stream, connection, shared).await;
    } else if place < len_max + TURNED_AWAY_LEN_MAX {
        let words = format!("there are {len_max} connections already, try again later");
        serve::turn_away(stream, shared.tls().as_ref(), words).await;
    }
}
