//! The lanes of all client connections: what has arrived on each, and what waits to be written to it.
//!
//! A plain value without sockets, shared by the connections' tasks and the front end's loop. Lanes are served in turn, one message of
//! each, whatever the others have sent. A lane that has too much of anything is not read; one whose client does not read its answers is
//! closed. Neither costs another one anything.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Notify;

use super::limits::{ARRIVED_LEN_MAX, NOTICES_LEN_MAX, WAITING_ALL_LEN_MAX, WAITING_LEN_MAX, WAITING_LEN_PAUSE};
use crate::protocol::client_message::{ServerBody, ServerMessage};
use crate::protocol::front_end::ConnectionId;
use crate::protocol::id::RequestNumber;
use crate::protocol::limits::IN_FLIGHT_PER_CLIENT_MAX;
use crate::runtime::frames::put_frame;

/// Wakes the tasks of one connection.
#[derive(Debug, Default)]
pub struct Wake {
    /// The lane may be read again.
    pub reader: Notify,
    /// There is something to write.
    pub writer: Notify,
    /// The connection has to end.
    pub ended: Notify,
}

/// What has arrived next.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The bytes of one frame.
    Frame(ConnectionId, Box<[u8]>),
    /// The connection is gone; nothing more comes of it.
    Gone(ConnectionId),
}

/// All lanes.
#[derive(Debug, Default)]
pub struct Lanes {
    lanes: BTreeMap<ConnectionId, Lane>,
    /// Lanes of which something has arrived, the next one first; each stands here once.
    turns: VecDeque<ConnectionId>,
    /// Bytes of answers that wait to be written to all of them.
    waiting_len: usize,
    notices: VecDeque<String>,
    /// No lane is read any more.
    is_closing: bool,
}

#[derive(Debug)]
struct Lane {
    /// Whose it is, for the log.
    peer: SocketAddr,
    arrived: VecDeque<Box<[u8]>>,
    arrived_len: usize,
    /// Messages that have arrived and are not answered.
    in_flight_len: usize,
    /// Messages that have arrived at all.
    messages_len: u64,
    /// Answers as frames, to be taken by the writer.
    outgoing: Vec<u8>,
    /// Bytes that the writer has taken and not written yet.
    writing_len: usize,
    /// Its reader waits until it may be read.
    is_paused: bool,
    has_turn: bool,
    ending: Option<ServerBody>,
    is_gone: bool,
    wake: Arc<Wake>,
}

impl Lane {
    fn new(peer: SocketAddr) -> Lane {
        Lane {
            peer,
            arrived: VecDeque::new(),
            arrived_len: 0,
            in_flight_len: 0,
            messages_len: 0,
            outgoing: Vec::new(),
            writing_len: 0,
            is_paused: false,
            has_turn: false,
            ending: None,
            is_gone: false,
            wake: Arc::default(),
        }
    }

    fn waiting_len(&self) -> usize {
        self.outgoing.len() + self.writing_len
    }

    fn may_be_read(&self) -> bool {
        self.in_flight_len < IN_FLIGHT_PER_CLIENT_MAX
            && self.arrived_len < ARRIVED_LEN_MAX
            && self.waiting_len() < WAITING_LEN_PAUSE
            && self.ending.is_none()
    }

    fn resume(&mut self) {
        if self.is_paused && self.may_be_read() {
            self.is_paused = false;
            self.wake.reader.notify_one();
        }
    }
}

impl Lanes {
    /// Opens a lane for a client at this address.
    pub fn open(&mut self, connection: ConnectionId, peer: SocketAddr) -> Arc<Wake> {
        let lane = self.lanes.entry(connection).or_insert_with(|| Lane::new(peer));
        Arc::clone(&lane.wake)
    }

    /// Whether another frame may be read; if not, the reader is woken when it may.
    pub fn may_read(&mut self, connection: ConnectionId) -> bool {
        let Some(lane) = self.lanes.get_mut(&connection).filter(|_| !self.is_closing) else { return false };
        lane.is_paused = !lane.may_be_read();
        !lane.is_paused
    }

    /// A frame has arrived. What comes after a connection was ended is nothing any more.
    pub fn put(&mut self, connection: ConnectionId, frame: &[u8]) {
        let is_closing = self.is_closing;
        let lane = self.lanes.get_mut(&connection).filter(|lane| lane.ending.is_none() && !is_closing);
        let Some(lane) = lane else { return };
        lane.arrived.push_back(frame.into());
        lane.arrived_len += frame.len();
        lane.in_flight_len += 1;
        lane.messages_len += 1;
        self.give_turn(connection);
    }

    /// Nothing more is read on any lane; what has arrived is still taken.
    pub fn stop_reading(&mut self) {
        self.is_closing = true;
    }

    /// Whether no answer waits to be written.
    pub fn is_written(&self) -> bool {
        self.waiting_len == 0
    }

    /// Whether anything has arrived that was not taken.
    pub fn has_arrivals(&self) -> bool {
        !self.turns.is_empty()
    }

    /// What is next, one frame of each lane in turn.
    pub fn next(&mut self) -> Option<Arrival> {
        let connection = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&connection).expect("a lane is there until it is told of its end");
        lane.has_turn = false;
        let Some(frame) = lane.arrived.pop_front() else {
            assert!(lane.is_gone, "a lane without frames has a turn only to end");
            self.lanes.remove(&connection);
            return Some(Arrival::Gone(connection));
        };
        lane.arrived_len -= frame.len();
        lane.resume();
        if !lane.arrived.is_empty() || lane.is_gone {
            self.give_turn(connection);
        }
        Some(Arrival::Frame(connection, frame))
    }

    fn give_turn(&mut self, connection: ConnectionId) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        if !std::mem::replace(&mut lane.has_turn, true) {
            self.turns.push_back(connection);
        }
    }

    /// A message that was taken is one that is not answered.
    pub fn expect_no_answer(&mut self, connection: ConnectionId) {
        if let Some(lane) = self.lanes.get_mut(&connection) {
            lane.in_flight_len = lane.in_flight_len.saturating_sub(1);
            lane.resume();
        }
    }

    /// Has an answer written. A connection that is gone, or about to end, is ignored.
    pub fn answer(&mut self, connection: ConnectionId, message: &ServerMessage) {
        let Some(lane) = self.lanes.get_mut(&connection).filter(|lane| lane.ending.is_none() && !lane.is_gone) else {
            return;
        };
        let len_before = lane.outgoing.len();
        if put_frame(message, &mut lane.outgoing).is_err() {
            let refused = ServerBody::Refused("the answer is longer than a message may be".to_owned());
            put_frame(&ServerMessage { number: message.number, body: refused }, &mut lane.outgoing)
                .expect("a sentence fits a message");
        }
        self.waiting_len += lane.outgoing.len() - len_before;
        lane.in_flight_len = lane.in_flight_len.saturating_sub(1);
        lane.wake.writer.notify_one();
        lane.resume();
        if lane.waiting_len() > WAITING_LEN_MAX {
            let words = format!("more than {WAITING_LEN_MAX} bytes of answers wait to be read by this client");
            self.end(connection, ServerBody::Closed(words));
        } else if self.waiting_len > WAITING_ALL_LEN_MAX {
            let longest = self.lanes.iter().max_by_key(|(_, lane)| lane.waiting_len());
            let longest = *longest.expect("somebody has bytes waiting").0;
            let words = format!(
                "{WAITING_ALL_LEN_MAX} bytes of answers wait to be read by all clients, most of them by this one"
            );
            self.end(longest, ServerBody::Closed(words));
        }
    }

    /// Has a connection end with these last words; what waits to be written to it is given up, and so is what has arrived.
    pub fn end(&mut self, connection: ConnectionId, last_word: ServerBody) {
        let Some(lane) = self.lanes.get_mut(&connection).filter(|lane| lane.ending.is_none() && !lane.is_gone) else {
            return;
        };
        self.waiting_len -= std::mem::take(&mut lane.outgoing).len();
        lane.arrived.clear();
        lane.arrived_len = 0;
        if std::mem::take(&mut lane.has_turn) {
            self.turns.retain(|other| *other != connection);
        }
        lane.ending = Some(last_word.clone());
        lane.wake.ended.notify_one();
        let peer = lane.peer;
        self.notice(peer, &last_word);
    }

    /// The last words of a connection that has to end.
    pub fn ending(&self, connection: ConnectionId) -> Option<ServerBody> {
        self.lanes.get(&connection)?.ending.clone()
    }

    /// All that waits to be written goes into `writing`, which is empty. Whether there is anything.
    pub fn take_outgoing(&mut self, connection: ConnectionId, writing: &mut Vec<u8>) -> bool {
        let Some(lane) = self.lanes.get_mut(&connection).filter(|lane| !lane.outgoing.is_empty()) else { return false };
        std::mem::swap(&mut lane.outgoing, writing);
        lane.writing_len = writing.len();
        true
    }

    /// So many bytes of it are written.
    pub fn on_written(&mut self, connection: ConnectionId, len: usize) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        lane.writing_len -= len;
        self.waiting_len -= len;
        lane.resume();
    }

    /// Nothing waits to be answered or written, and since there were `messages_len` messages there has been no other. Else how many there
    /// have been.
    pub fn check_idle(&self, connection: ConnectionId, messages_len: u64) -> Result<(), u64> {
        let Some(lane) = self.lanes.get(&connection) else { return Ok(()) };
        let is_idle = lane.messages_len == messages_len && lane.in_flight_len == 0 && lane.waiting_len() == 0;
        if is_idle { Ok(()) } else { Err(lane.messages_len) }
    }

    /// Its tasks have ended. What has arrived is still taken, unless the connection was ended; then it is told to be gone.
    pub fn close(&mut self, connection: ConnectionId) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        self.waiting_len -= lane.waiting_len();
        lane.outgoing = Vec::new();
        lane.writing_len = 0;
        lane.is_gone = true;
        self.give_turn(connection);
    }

    fn notice(&mut self, peer: SocketAddr, last_word: &ServerBody) {
        if let (ServerBody::Closed(words) | ServerBody::Refused(words), true) =
            (last_word, self.notices.len() < NOTICES_LEN_MAX)
        {
            self.notices.push_back(format!("the connection of the client at {peer} ends: {words}"));
        }
    }

    /// The end of a connection that somebody may want to know of.
    pub fn poll_notice(&mut self) -> Option<String> {
        self.notices.pop_front()
    }
}

/// What is left to write of the frame that a writer is in the middle of, after `written_len` bytes of whole frames.
pub fn rest_of_frame(frames: &[u8], written_len: usize) -> &[u8] {
    let mut end = 0;
    while end < written_len {
        let len = frames[end..].first_chunk().expect("frames are whole");
        end += len.len() + u32::from_be_bytes(*len) as usize;
    }
    &frames[written_len..end]
}

/// The frame with which a connection ends.
pub fn last_frame(last_word: ServerBody) -> Vec<u8> {
    let mut frame = Vec::new();
    put_frame(&ServerMessage { number: RequestNumber(0), body: last_word }, &mut frame)
        .expect("a sentence fits a message");
    frame
}

#[cfg(test)]
mod tests;
