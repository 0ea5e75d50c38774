//! A front end's client connections: accepts them, reads their messages, writes their answers.
//!
//! A connection costs others nothing but its own bounded share: it may have so many messages unanswered, after which it is not
//! read until answers have been written to it, so that a slow reader only slows itself.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::MissedTickBehavior;

use crate::protocol::client_message::{ClientMessage, ServerBody, ServerMessage};
use crate::protocol::front_end::ConnectionId;
use crate::protocol::id::RequestNumber;
use crate::protocol::limits::{CONNECTIONS_LEN_MAX, IN_FLIGHT_PER_CLIENT_MAX};

use super::frames::{CLIENT_FRAME_LEN_MAX, FrameError, FrameReader, put_frame};

/// How long a new connection may take to say who it is. Silent strangers hold a place no longer than this.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers are gathered up to this many bytes before they are written.
const WRITE_LEN: usize = 64 * 1024;

/// How long a last word to a client may take to be written.
const LAST_WORD_TIMEOUT: Duration = Duration::from_secs(1);

/// How long to wait before accepting again after the system refused to, for example for want of file descriptors.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Most messages that wait for the core. It is small, since every connection is bounded by itself; it only decouples the tasks.
const INCOMING_LEN_MAX: usize = 1024;

/// Something that a client did.
#[derive(Debug)]
pub enum Incoming {
    /// It connected; its answers go in here, at most as many as it has messages unanswered.
    Connected(ConnectionId, mpsc::UnboundedSender<ServerMessage>),
    /// It sent a message.
    Message(ConnectionId, ClientMessage),
    /// It is gone.
    Disconnected(ConnectionId),
}

/// All client connections of a front end.
#[derive(Debug)]
pub struct Connections {
    incoming: mpsc::Receiver<Incoming>,
    /// What [`Connections::wait`] has found and [`Connections::poll`] has not taken.
    next: Option<Incoming>,
    answers: BTreeMap<ConnectionId, mpsc::UnboundedSender<ServerMessage>>,
}

impl Connections {
    /// Starts to accept clients on a bound listener. Must be called within a runtime.
    pub fn start(listener: TcpListener) -> Connections {
        let (incoming_out, incoming) = mpsc::channel(INCOMING_LEN_MAX);
        tokio::spawn(accept(listener, incoming_out));
        Connections { incoming, next: None, answers: BTreeMap::new() }
    }

    /// Waits until clients have done something. Cancel-safe.
    pub async fn wait(&mut self) {
        if self.next.is_none() {
            self.next = self.incoming.recv().await;
        }
    }

    /// The next thing that a client did: it sent a message, or (`None`) it is gone.
    pub fn poll(&mut self) -> Option<(ConnectionId, Option<ClientMessage>)> {
        loop {
            match self.next.take().or_else(|| self.incoming.try_recv().ok())? {
                Incoming::Connected(connection, answers) => drop(self.answers.insert(connection, answers)),
                Incoming::Message(connection, message) => return Some((connection, Some(message))),
                Incoming::Disconnected(connection) => {
                    self.answers.remove(&connection);
                    return Some((connection, None));
                }
            }
        }
    }

    /// Sends an answer. A connection that is gone is ignored.
    pub fn answer(&self, connection: ConnectionId, message: ServerMessage) {
        if let Some(answers) = self.answers.get(&connection) {
            let _gone_meanwhile = answers.send(message);
        }
    }
}

async fn accept(listener: TcpListener, incoming: mpsc::Sender<Incoming>) {
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
        let (incoming, open) = (incoming.clone(), Arc::clone(&open));
        let place = open.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            if place < CONNECTIONS_LEN_MAX {
                serve(stream, ConnectionId(number), &incoming).await;
            } else {
                let words = format!("there are {CONNECTIONS_LEN_MAX} connections already, try again later");
                say_last_word(stream.into_split().1, words).await;
            }
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Serves one client until it is gone or breaks the rules.
async fn serve(stream: TcpStream, connection: ConnectionId, incoming: &mpsc::Sender<Incoming>) {
    // Answers are written whole, and none of them should wait for a fuller packet.
    let _slower_without = stream.set_nodelay(true);
    let (read, mut write) = stream.into_split();
    let (answers_out, answers) = mpsc::unbounded_channel();
    let unanswered = Semaphore::new(IN_FLIGHT_PER_CLIENT_MAX);
    if incoming.send(Incoming::Connected(connection, answers_out)).await.is_err() {
        return;
    }
    let last_word = tokio::select! {
        last_word = read_messages(read, connection, incoming, &unanswered) => last_word,
        _gone = write_answers(&mut write, answers, &unanswered) => None,
    };
    let _shutting_down = incoming.send(Incoming::Disconnected(connection)).await;
    if let Some(words) = last_word {
        say_last_word(write, words).await;
    }
}

/// Reads messages until the client is gone (`None`) or breaks the rules (why, in words).
async fn read_messages(
    read: OwnedReadHalf,
    connection: ConnectionId,
    incoming: &mpsc::Sender<Incoming>,
    unanswered: &Semaphore,
) -> Option<String> {
    let mut frames = FrameReader::new(read, CLIENT_FRAME_LEN_MAX);
    let mut introduced = false;
    loop {
        let next = if introduced {
            frames.next().await
        } else {
            match tokio::time::timeout(HELLO_TIMEOUT, frames.next()).await {
                Ok(next) => next,
                Err(_) => return Some(format!("nothing was said for {} s", HELLO_TIMEOUT.as_secs())),
            }
        };
        let message = match next {
            Ok(message) => message,
            Err(FrameError::Closed) => return None,
            Err(FrameError::Io(error)) if error.kind() != io::ErrorKind::InvalidData => return None,
            Err(FrameError::Io(_)) => return Some(format!("a frame may have {CLIENT_FRAME_LEN_MAX} bytes at most")),
            Err(error) => return Some(error.to_string()),
        };
        introduced = true;
        if !matches!(message, ClientMessage::Hello { .. }) {
            unanswered.acquire().await.ok()?.forget();
        }
        incoming.send(Incoming::Message(connection, message)).await.ok()?;
    }
}

/// Writes answers as they come, as many at once as are there, until the client is gone.
async fn write_answers(
    write: &mut OwnedWriteHalf,
    mut answers: mpsc::UnboundedReceiver<ServerMessage>,
    unanswered: &Semaphore,
) -> io::Result<()> {
    let mut batch = Vec::with_capacity(IN_FLIGHT_PER_CLIENT_MAX);
    let mut frames = Vec::new();
    while answers.recv_many(&mut batch, IN_FLIGHT_PER_CLIENT_MAX).await > 0 {
        let answered = batch.len();
        for message in batch.drain(..) {
            if put_frame(&message, &mut frames).is_err() {
                let refused = ServerBody::Refused("the answer is longer than a message may be".to_owned());
                put_frame(&ServerMessage { number: message.number, body: refused }, &mut frames)
                    .expect("a sentence fits a message");
            }
            // Long answers are written one by one, so that a slow reader costs one of them and not a batch.
            if frames.len() > WRITE_LEN {
                write.write_all(&frames).await?;
                frames = Vec::new();
            }
        }
        write.write_all(&frames).await?;
        frames.clear();
        unanswered.add_permits(answered);
    }
    Ok(())
}

/// Tells a client why its connection ends.
async fn say_last_word(mut write: OwnedWriteHalf, words: String) {
    let mut frame = Vec::new();
    let message = ServerMessage { number: RequestNumber(0), body: ServerBody::Refused(words) };
    put_frame(&message, &mut frame).expect("a sentence fits a message");
    let _gone_already = tokio::time::timeout(LAST_WORD_TIMEOUT, write.write_all(&frame)).await;
}
