//! The reliable channel: carries messages between two nodes, in order and once, over datagrams that may do neither.
//!
//! A [`Channel`] is one node's end towards one peer. It is a plain value without socket, clock and randomness: datagrams and
//! the time go in through `handle_*`, effects come out through `poll_*`.
//!
//! # What is let in
//!
//! Every datagram is sealed: keyed BLAKE3 over all of it, with a key for this direction of this pair of nodes in this cluster
//! (`envelope.rs`, `seal.rs`, `keyring.rs`). It hides nothing. Nobody but the peer can make one, but whoever sees one can send it again:
//!
//! | A datagram that is sent again | is dropped |
//! |---|---|
//! | in the session in which it was sent | by its serial number (`replay.rs`); a packet that the peer repeats has a new one, and is known by its own number (`receive.rs`) |
//! | after the receiver has begun a new session | since it names the old one; it draws an answer at most |
//! | after the sender has | since its session is smaller than the one that was adopted |
//! | before the sender's next session was heard of | by its serial number, as that of the session that still counts |
//! | to its sender | since the key of the other direction is another |
//! | to another node, or in another cluster | since those have other keys |
//!
//! A hello of a session that is not established counts in none of these: it draws an answer, at most one per [`ANSWER_INTERVAL`], and
//! has no other effect.
//!
//! # The stream
//!
//! Each direction is one stream of bytes in which every message follows its length. Whatever bytes wait go into the next
//! packet, so many short messages share a datagram, and a long one spans several, with no special case for either. A packet
//! keeps its number and its bytes however often it is sent. All that has arrived is told in every datagram, cumulatively and
//! one bit for each packet behind a gap; a datagram of its own goes for that only when no data goes for a few milliseconds,
//! or at once at a gap, a repetition, or every few packets. A packet is sent again when three later ones have arrived without it,
//! or when nothing was acknowledged for as long as the measured round trips suggest. A receiver whose messages are not taken
//! says that it is full, and the sender holds on, however long, without taking it for dead.
//!
//! When all is acknowledged, no timer runs and nothing is sent: heartbeats are the application's.
//!
//! # Sessions
//!
//! A session is one life of a process; a later life has a larger number. Every datagram names the session that sent it and
//! the session that it is meant for. What counts (`session.rs` holds the rule):
//!
//! - Only a datagram that names our own session, from no earlier session of the peer than we know, is used. If it comes from
//!   a later one, the peer has restarted: both halves begin anew, and what was not delivered or not acknowledged is gone.
//! - Data goes only to a session that we have heard of. Before that, a channel with something to send says *hello*: a bare
//!   datagram that names no receiver. Messages wait meanwhile, and the first packet is the first packet.
//! - A hello, and a datagram that was meant for an earlier life of ours, are answered by a bare datagram with our session,
//!   meant for the session that sent it. They have no other effect.
//!
//! It costs one round trip at first contact, once in the life of a process. Sending data to a session yet unknown would save
//! it, and would be wrong: such data reaches whatever life of the peer comes first, and, late or repeated, the next life as
//! well. That life would take the first packets of a stream that went on elsewhere, and then take the first packets of its
//! own stream for repetitions. Nor may a hello alone make its session the peer's: a late one from an earlier life would
//! replace nothing at worst, but its successor would then pass for a restart and cost us our queue. A session that
//! names ours is no relic from before our start, and among those that do, the largest number wins.
//!
//! So each pair of lives has one stream in each direction, begun once, at packet 0, and no byte of another is ever accepted
//! into it. Two sides that greet each other at once answer each other; a side that was restarted while data flowed is told of
//! by its answer to that data; replayed datagrams draw at most one small answer per [`ANSWER_INTERVAL`].
//!
//! What is not promised: a message that was in flight when the peer restarted may have been delivered to the life that ended,
//! or not. Whoever must know asks the peer, on [`ChannelEvent::PeerRestarted`].
//!
//! # A turn of the driver
//!
//! Any number of `handle_*` and `send`, the datagrams that wait in the socket before the timeouts, or a driver that was late
//! repeats what has been acknowledged already. After each datagram [`Channel::poll_event`] until `None` and, when it suits,
//! [`Channel::poll_message`] until `false`. At the end [`Channel::poll_transmit`] until `false`, then sleep until
//! [`Channel::poll_timeout`]. A restart of the peer discards messages that were not taken yet, so that those taken after the
//! event are the new session's.

mod byte_queue;
mod congestion;
mod counters;
mod datagram;
mod drop_reason;
mod envelope;
pub mod limits;
mod packet_set;
mod receive;
mod replay;
mod retry;
mod round_trip;
mod seal;
mod send;
mod session;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::id::{NodeId, SessionId};
use super::keyring::{Generation, Keyring};
use super::time::{Instant, earliest};
pub use counters::Counters;
pub use datagram::{Datagram, Packet, PacketNumber, Receipt};
pub use drop_reason::DropReason;
pub use envelope::{Address, ENVELOPE_LEN, Envelope, enclose};
use limits::{ANSWER_INTERVAL, DATAGRAM_LEN_MAX, DATAGRAM_LEN_MIN, EVENTS_LEN_MAX};
pub use packet_set::PacketSet;
use receive::{Arrival, ReceiveHalf};
use replay::ReplayWindow;
use retry::{Retry, Timeout};
pub use seal::Seal;
use send::SendHalf;
use session::Standing;

/// Who a channel is between, and how long its datagrams may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelConfig {
    /// This node.
    pub local: NodeId,
    /// The node at the other end.
    pub peer: NodeId,
    /// This life of this node: not 0, larger than any life of it before, or the peer takes it for one of those, and nothing that
    /// anybody could foresee.
    pub session: SessionId,
    /// Longest datagram to send, in bytes, all included: from [`DATAGRAM_LEN_MIN`] to [`DATAGRAM_LEN_MAX`]. The two ends need not
    /// agree.
    pub datagram_len_max: usize,
}

/// A change in what is known of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelEvent {
    /// The peer answers: for the first time, or again after it was unreachable. What was queued goes on.
    Reachable,
    /// The peer has not answered since then in spite of all retries. What is queued stays, and the peer is probed.
    Unreachable {
        /// When the wait for its answer began.
        since: Instant,
    },
    /// The peer has begun a new life. What was queued for the old one, or had arrived from it, is gone.
    PeerRestarted {
        /// The new life.
        session: SessionId,
    },
}

/// Why a message was not queued. Nothing of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The message is longer than [`MESSAGE_LEN_MAX`](limits::MESSAGE_LEN_MAX).
    TooLong,
    /// The message does not fit: [`BACKLOG_LEN_MAX`](limits::BACKLOG_LEN_MAX) bytes may wait for the peer.
    Backlogged,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::TooLong => "the message is too long for the channel",
            SendError::Backlogged => "too much waits for the peer already",
        })
    }
}

impl std::error::Error for SendError {}

/// One end of the reliable connection between two nodes.
#[derive(Debug)]
pub struct Channel {
    config: ChannelConfig,
    seal: Seal,
    /// The serial number of the next datagram.
    serial: u64,
    /// The latest session of the peer that has named ours.
    peer_session: Option<SessionId>,
    /// Which of its datagrams have arrived.
    arrived: ReplayWindow,
    /// The newest generation of keys that it holds, as it last said.
    peer_newest: Option<Generation>,
    send: SendHalf,
    receive: ReceiveHalf,
    retry: Retry,
    /// Say hello in this turn, if there is something to send and the peer's session is unknown.
    hello_due: bool,
    /// Tell this session of the peer, which was not the current one when it asked and held keys up to this generation, our own.
    answer_to: Option<(SessionId, Generation)>,
    answered_at: Option<Instant>,
    last_heard_at: Option<Instant>,
    events: VecDeque<ChannelEvent>,
    counters: Counters,
}

impl Channel {
    /// A channel that has heard of no session of the peer. It sends nothing before there is something to send.
    ///
    /// The keyring has to have a secret with the peer.
    pub fn new(config: ChannelConfig, keyring: &Keyring) -> Channel {
        assert!(config.session.0 != 0, "session 0 stands for an unknown one");
        assert!(config.local != config.peer, "a channel from {} to itself", config.local);
        assert!(
            (DATAGRAM_LEN_MIN..=DATAGRAM_LEN_MAX).contains(&config.datagram_len_max),
            "datagrams of {} bytes",
            config.datagram_len_max
        );
        Channel {
            config,
            seal: Seal::new(keyring, config.peer),
            serial: 0,
            peer_session: None,
            arrived: ReplayWindow::default(),
            peer_newest: None,
            send: SendHalf::new(config.datagram_len_max - datagram::HEADER_LEN_MAX),
            receive: ReceiveHalf::new(),
            retry: Retry::default(),
            hello_due: true,
            answer_to: None,
            answered_at: None,
            last_heard_at: None,
            events: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Queue a message. It leaves with the next [`Channel::poll_transmit`] that the peer and the path allow; waiting for an
    /// answer begins only then, so the time does not matter here.
    pub fn send(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.send.push(message)?;
        self.counters.messages_sent += 1;
        Ok(())
    }

    /// Seal and open with other keys from now on. The keyring has to have a secret with the peer.
    pub fn change_keys(&mut self, keyring: &Keyring) {
        self.seal = Seal::new(keyring, self.config.peer);
    }

    /// Take in a datagram. An error tells why it, or the packet in it, was not used; nothing need be done about it.
    pub fn handle_datagram(&mut self, envelope: &Envelope<'_>, now: Instant) -> Result<(), DropReason> {
        let opened = self.seal.open(envelope).and_then(Datagram::decode);
        let result = opened.and_then(|datagram| self.on_datagram(&datagram, envelope.address.newest, now));
        if let Err(reason) = result {
            self.counters.count_drop(reason);
        }
        result
    }

    fn on_datagram(&mut self, datagram: &Datagram<'_>, newest: Generation, now: Instant) -> Result<(), DropReason> {
        let standing = session::judge(datagram, self.config.session, self.peer_session);
        if standing == Standing::Adopted {
            self.adopt(datagram.sender);
        }
        if self.peer_session == Some(datagram.sender) && !self.arrived.admit(datagram.serial) {
            return Err(DropReason::Replayed);
        }
        match standing {
            Standing::Current | Standing::Adopted => {}
            Standing::Hello => {
                self.answer(datagram.sender, newest, now);
                return Ok(());
            }
            Standing::StaleReceiver => {
                self.answer(datagram.sender, newest, now);
                return Err(DropReason::StaleReceiver);
            }
            Standing::StaleSender => return Err(DropReason::StaleSender),
        }
        self.peer_newest = Some(newest);
        self.counters.datagrams_received += 1;
        self.last_heard_at = Some(now);
        self.on_receipt(&datagram.receipt, now)?;
        let Some(packet) = datagram.packet else { return Ok(()) };
        if self.receive.on_packet(packet, now)? == Arrival::OutOfOrder {
            self.counters.out_of_order += 1;
        }
        Ok(())
    }

    /// Begin with a session of the peer: its first, or one after a restart.
    fn adopt(&mut self, session: SessionId) {
        let is_first = self.peer_session.replace(session).is_none();
        self.arrived = ReplayWindow::default();
        if !is_first {
            self.send.reset();
            self.receive.reset();
            self.counters.peer_restarts += 1;
            self.emit(ChannelEvent::PeerRestarted { session });
        }
        if self.retry.on_new_session() || is_first {
            self.emit(ChannelEvent::Reachable);
        }
    }

    /// Tell a session of the peer which session ours is, unless another answer has just gone.
    fn answer(&mut self, session: SessionId, newest: Generation, now: Instant) {
        if self.answered_at.is_some_and(|at| now.since(at) < ANSWER_INTERVAL) {
            return;
        }
        self.answered_at = Some(now);
        if self.peer_session == Some(session) {
            self.receive.acknowledge_now();
        } else {
            self.answer_to = Some((session, newest));
        }
    }

    fn on_receipt(&mut self, receipt: &Receipt, now: Instant) -> Result<(), DropReason> {
        let progress = self.send.on_receipt(receipt, now)?;
        self.counters.packets_lost += progress.lost as u64;
        let mut is_back = false;
        if progress.acknowledged > 0 {
            is_back |= self.retry.on_answered(progress.round_trip, self.send.is_waiting(), now);
        }
        if receipt.full {
            is_back |= self.retry.on_refused(now);
        }
        if is_back {
            self.send.on_reachable();
            self.emit(ChannelEvent::Reachable);
        } else if self.retry.is_probe_worthwhile(now) {
            self.on_retry_timeout(now);
        }
        Ok(())
    }

    /// Do what is due. To call it early, late or twice does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.receive.handle_timeout(now);
        if self.retry.is_due(now) {
            self.on_retry_timeout(now);
        }
    }

    fn on_retry_timeout(&mut self, now: Instant) {
        let timeout = self.retry.on_timeout(now);
        self.counters.timeouts += 1;
        if self.peer_session.is_some() {
            self.send.on_timeout(timeout == Timeout::First);
        } else {
            self.hello_due = true;
        }
        if let Timeout::Unreachable(since) = timeout {
            self.emit(ChannelEvent::Unreachable { since });
        }
    }

    /// The next deadline and what it is for; `None` when only a datagram or a message can wake the channel.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        earliest(self.receive.poll_timeout(), self.retry.poll_timeout())
    }

    /// Fill `datagram` with the next one to send to the peer; `false` when there is none. Call it until then at the end of
    /// each turn.
    pub fn poll_transmit(&mut self, now: Instant, datagram: &mut Vec<u8>) -> bool {
        datagram.clear();
        let is_filled = match (self.answer_to.take(), self.peer_session) {
            (Some((session, newest)), _) => self.transmit_answer(session, newest, datagram),
            (None, None) => self.transmit_hello(now, datagram),
            (None, Some(session)) => {
                self.transmit_packet(session, now, datagram) || self.transmit_acknowledgement(session, datagram)
            }
        };
        self.serial += u64::from(is_filled);
        self.counters.datagrams_sent += u64::from(is_filled);
        let (len, bound) = (datagram.len(), self.config.datagram_len_max);
        assert!(len <= bound, "a datagram of {len} bytes, with a bound of {bound}");
        is_filled
    }

    fn transmit_answer(&mut self, session: SessionId, newest: Generation, bytes: &mut Vec<u8>) -> bool {
        self.seal.write(&self.bare(Some(session), Receipt::default()), newest, bytes);
        self.counters.answers_sent += 1;
        true
    }

    fn transmit_hello(&mut self, now: Instant, bytes: &mut Vec<u8>) -> bool {
        if !self.hello_due || self.send.backlog_len() == 0 {
            return false;
        }
        self.hello_due = false;
        let generation = self.seal.greeting(self.counters.hellos_sent);
        self.seal.write(&self.bare(None, Receipt::default()), generation, bytes);
        self.retry.on_sent(now);
        self.counters.hellos_sent += 1;
        true
    }

    fn transmit_packet(&mut self, session: SessionId, now: Instant, bytes: &mut Vec<u8>) -> bool {
        let bare = self.bare(Some(session), self.receive.receipt());
        let newest = self.newest_of_peer();
        let Some(outgoing) = self.send.next_packet(self.retry.is_unreachable(), now) else { return false };
        self.seal.write(&Datagram { packet: Some(outgoing.packet), ..bare }, newest, bytes);
        let Counters { packets_sent, packets_retransmitted, .. } = &mut self.counters;
        *(if outgoing.retransmitted { packets_retransmitted } else { packets_sent }) += 1;
        self.retry.on_sent(now);
        self.receive.on_receipt_sent();
        true
    }

    fn transmit_acknowledgement(&mut self, session: SessionId, bytes: &mut Vec<u8>) -> bool {
        if !self.receive.is_receipt_due() {
            return false;
        }
        self.seal.write(&self.bare(Some(session), self.receive.receipt()), self.newest_of_peer(), bytes);
        self.receive.on_receipt_sent();
        self.counters.acknowledgements_sent += 1;
        true
    }

    fn bare(&self, receiver: Option<SessionId>, receipt: Receipt) -> Datagram<'static> {
        Datagram { serial: self.serial, sender: self.config.session, receiver, receipt, packet: None }
    }

    /// The newest generation of keys that the peer holds. Whoever has established a session has said so.
    fn newest_of_peer(&self) -> Generation {
        self.peer_newest.expect("a peer whose session is known was heard")
    }

    /// Fill `message` with the next one from the peer; `false` when none is complete.
    ///
    /// Messages may be left here for a while: the peer then holds back what it has to send.
    pub fn poll_message(&mut self, message: &mut Vec<u8>) -> bool {
        let is_filled = self.receive.poll_message(message);
        self.counters.messages_delivered += u64::from(is_filled);
        is_filled
    }

    /// The next change in what is known of the peer.
    pub fn poll_event(&mut self) -> Option<ChannelEvent> {
        self.events.pop_front()
    }

    fn emit(&mut self, event: ChannelEvent) {
        if self.events.len() == EVENTS_LEN_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// When the peer's current session last sent something to ours; data or acknowledgement, used or not.
    pub fn last_heard_at(&self) -> Option<Instant> {
        self.last_heard_at
    }

    /// The smoothed round-trip time, the delay of acknowledgements included, once it was measured.
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.retry.round_trip_time()
    }

    /// Whether the peer has failed to answer too often and is probed.
    pub fn is_unreachable(&self) -> bool {
        self.retry.is_unreachable()
    }

    /// Bytes that are queued or sent and not acknowledged, up to [`BACKLOG_LEN_MAX`](limits::BACKLOG_LEN_MAX).
    pub fn backlog_len(&self) -> usize {
        self.send.backlog_len()
    }

    /// What the channel has done so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}
