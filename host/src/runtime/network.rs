//! One node's UDP socket with its endpoint: moves datagrams between the two, in batches.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{getpid, kill_process};
use tokio::net::UdpSocket;

use crate::protocol::channel::ChannelEvent;
use crate::protocol::channel::limits::{BACKLOG_LEN_MAX, DATAGRAM_LEN_DEFAULT};
use crate::protocol::endpoint::{Endpoint, NotSent};
use crate::protocol::event::Event;
use crate::protocol::id::{NodeId, SessionId};
use crate::protocol::message::Message;
use crate::protocol::recipients::Recipients;
use crate::protocol::time::{Instant, earliest};

use super::clock::Clock;
use super::dropped::{Dropped, Level};
use super::injection::{Injection, ModuleFaults, PAUSE_LINE};
use super::keys::NodeKeys;
use super::log::Log;
use super::node::log;
use super::service_manager::ServiceManager;

/// Most datagrams taken in one turn, so that a flood cannot keep a node from its timers and from sending.
const DATAGRAMS_PER_TURN_MAX: usize = 256;

/// Longest wait of one turn. Deadlines end it earlier.
const TURN_MAX: Duration = Duration::from_secs(1);

/// The socket, the channels over it, and the node's log.
#[derive(Debug)]
pub struct Network {
    local: NodeId,
    socket: UdpSocket,
    endpoint: Endpoint,
    keys: NodeKeys,
    addresses: BTreeMap<NodeId, SocketAddr>,
    clock: Clock,
    /// The node's log.
    pub log: Log,
    dropped: Dropped,
    injection: Injection,
    service_manager: ServiceManager,
    own_reports: VecDeque<Message>,
    /// The last turn left datagrams in the socket.
    flooded: bool,
    received: Vec<u8>,
    sent: Vec<u8>,
}

impl Network {
    /// The network of a node whose socket is bound already.
    pub fn new(
        local: NodeId,
        socket: UdpSocket,
        addresses: BTreeMap<NodeId, SocketAddr>,
        keys: NodeKeys,
        clock: Clock,
        injection: Injection,
        service_manager: ServiceManager,
    ) -> io::Result<Network> {
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        // A later life of the process has a later start, which is what makes its session the newer one.
        let session = SessionId::new(clock.now(), u64::from_le_bytes(nonce));
        let endpoint = Endpoint::new(keys.keyring(), addresses.keys().copied(), session, DATAGRAM_LEN_DEFAULT);
        let log = Log::new(local, clock);
        // One byte more than a datagram may have, so that a longer one is seen to be too long.
        let received = vec![0; DATAGRAM_LEN_DEFAULT + 1];
        Ok(Network {
            local,
            socket,
            endpoint,
            keys,
            addresses,
            clock,
            log,
            dropped: Dropped::default(),
            injection,
            service_manager,
            own_reports: VecDeque::new(),
            flooded: false,
            received,
            sent: Vec::new(),
        })
    }

    /// This node.
    pub fn node(&self) -> NodeId {
        self.local
    }

    /// The clock of this node.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Waits until a datagram is there, or a deadline of the channels or of the core has come.
    pub async fn wait(&self, core_deadline: Option<(Instant, &'static str)>) {
        if self.flooded {
            // More is there already. Let the process's other tasks, and its end, have their turn first.
            return tokio::task::yield_now().await;
        }
        let deadline = earliest(core_deadline, self.endpoint.poll_timeout());
        let deadline = earliest(deadline, self.injection.poll_timeout());
        let deadline = earliest(deadline, self.service_manager.poll_timeout());
        let patience = deadline.map_or(TURN_MAX, |(at, _)| at.since(self.now()).min(TURN_MAX));
        let _or_a_deadline = tokio::time::timeout(patience, self.socket.readable()).await;
    }

    /// Takes in what has arrived and what is due. Returns the time of this turn.
    pub fn receive(&mut self) -> Instant {
        let now = self.now();
        self.service_manager.on_turn(now);
        self.change_keys(now);
        // What has arrived may make a deadline void, so it goes first.
        self.flooded = true;
        for _ in 0..DATAGRAMS_PER_TURN_MAX {
            match self.socket.try_recv_from(&mut self.received) {
                Ok((len, from)) => {
                    if self.is_let_through(from, now) {
                        // The endpoint counts what it drops.
                        let _used_or_not = self.endpoint.handle_datagram(&self.received[..len], now);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.flooded = false;
                    break;
                }
                // A peer's port that nobody listens on comes back as an error of an earlier send: the channel repeats.
                Err(_) => self.dropped.unsent += 1,
            }
        }
        self.endpoint.handle_timeout(now);
        while let Some((peer, event)) = self.endpoint.poll_event() {
            self.on_channel_event(peer, event);
        }
        self.log_dropped(now);
        now
    }

    /// The next message from a peer, other than the one that is passed over.
    pub fn poll_message(&mut self, passed_over: Option<NodeId>) -> Option<(NodeId, Message)> {
        if let Some(report) = self.own_reports.pop_front() {
            return Some((self.local, report));
        }
        loop {
            match self.endpoint.poll_message(passed_over)? {
                // Only front ends speak of faults.
                (peer @ NodeId::FrontEnd(_), Ok(message)) => {
                    if let Some(message) = self.injection.take(peer, message) {
                        return Some((peer, message));
                    }
                }
                (peer, Ok(message)) => return Some((peer, message)),
                (peer, Err(error)) => self.log.warn(format_args!("undecodable message from={peer} reason=\"{error}\"")),
            }
        }
    }

    /// Queues a message; [`Network::flush`] sends it.
    pub fn send(&mut self, to: Recipients, message: &Message) {
        let garbled = self.injection.garble(message);
        let message = garbled.as_ref().unwrap_or(message);
        for NotSent { to, error } in self.endpoint.send(to, message) {
            self.log.warn(format_args!("not sent {} to={to} reason=\"{error}\"", message.name()));
        }
    }

    /// Whether so much waits for front ends that nothing should be made for them that can wait: for one that takes it, or for all. What
    /// waits for one that cannot be reached keeps the others from nothing.
    pub fn front_ends_are_backlogged(&self) -> bool {
        let is_backlogged = |peer: NodeId| self.endpoint.backlog_len(peer) > BACKLOG_LEN_MAX / 2;
        let is_waited_for = |peer: NodeId| is_backlogged(peer) && self.endpoint.is_reachable(peer);
        self.front_ends().any(is_waited_for) || self.front_ends().all(is_backlogged)
    }

    /// Whether a front end that can be reached has not confirmed yet all that was sent to it.
    pub fn owes_front_ends(&self) -> bool {
        self.front_ends().any(|peer| self.endpoint.is_reachable(peer) && self.endpoint.backlog_len(peer) > 0)
    }

    fn front_ends(&self) -> impl Iterator<Item = NodeId> {
        self.addresses.keys().copied().filter(|node| node.is_front_end())
    }

    /// Takes a message about a fault of this node in, on the node that others get theirs from.
    pub fn inject(&mut self, message: Message) {
        let _taken = self.injection.take(self.local, message);
    }

    /// The faults of this node's module.
    pub fn module_faults(&self) -> Arc<ModuleFaults> {
        self.injection.module()
    }

    /// Sends all that the channels have to send now.
    pub fn flush(&mut self) {
        let now = self.now();
        self.report_faults(now);
        while let Some(peer) = self.endpoint.poll_transmit(now, &mut self.sent) {
            let undisturbed = self.injection.links.are_undisturbed();
            let copies = if undisturbed { 1 } else { self.injection.links.send(peer, &self.sent, now) };
            for _ in 0..copies {
                send(&self.socket, &mut self.dropped, self.addresses[&peer], &self.sent);
            }
        }
        while let Some((peer, datagram)) = self.injection.links.poll_delayed(now) {
            send(&self.socket, &mut self.dropped, self.addresses[&peer], &datagram);
        }
        if let Some(lasts) = self.injection.poll_pause() {
            // Whoever started this process reads it, or else the fault would have been refused.
            let _nobody_reads = writeln!(std::io::stdout(), "{PAUSE_LINE} {}", lasts.as_millis());
        }
        if self.injection.is_ending(!self.owes_front_ends(), now) {
            let _ended = kill_process(getpid(), rustix::process::Signal::KILL);
        }
    }

    fn report_faults(&mut self, now: Instant) {
        while let Some((asked, report)) = self.injection.poll_report(now) {
            if self.local == asked {
                self.own_reports.push_back(report);
            } else {
                self.send(Recipients::One(asked), &report);
            }
        }
    }

    /// Whether a fault of the link lets a datagram through.
    fn is_let_through(&mut self, from: SocketAddr, now: Instant) -> bool {
        if self.injection.links.are_undisturbed() {
            return true;
        }
        let peer = self.addresses.iter().find(|(_, address)| **address == from).map(|(peer, _)| *peer);
        peer.is_none_or(|peer| self.injection.links.receive(peer, now))
    }

    fn on_channel_event(&mut self, peer: NodeId, event: ChannelEvent) {
        match event {
            ChannelEvent::Reachable => self.log.info(format_args!("reachable peer={peer}")),
            ChannelEvent::Unreachable { .. } => self.log.warn(format_args!("unreachable peer={peer}")),
            ChannelEvent::PeerRestarted { .. } => self.log.warn(format_args!("restarted peer={peer}")),
        }
    }

    fn log_dropped(&mut self, now: Instant) {
        match self.dropped.poll_line(&self.endpoint, now) {
            Some((totals, Level::Warning)) => {
                self.log.warn(totals);
                if let Some(event) = self.dropped.poll_event(now) {
                    self.tell(event, now);
                }
            }
            Some((totals, Level::Information)) => self.log.info(totals),
            None => {}
        }
    }

    /// Goes over to keys that were read again.
    fn change_keys(&mut self, now: Instant) {
        let event = match self.keys.poll_reloaded() {
            None => return,
            Some(Ok(keyring)) => {
                self.endpoint.change_keys(keyring);
                Event::KeysRead { newest: keyring.newest().map_or(0, |generation| generation.0) }
            }
            Some(Err(error)) => Event::KeysRefused { reason: error.to_string() },
        };
        log(&mut self.log, &event);
        self.tell(event, now);
    }

    /// Tells the front ends of something that happened here.
    pub(super) fn tell(&mut self, event: Event, now: Instant) {
        let message = Message::Event { at: now, event: Box::new(event) };
        self.send(Recipients::FrontEnds, &message);
        if self.local.is_front_end() {
            self.own_reports.push_back(message);
        }
    }
}

fn send(socket: &UdpSocket, dropped: &mut Dropped, address: SocketAddr, datagram: &[u8]) {
    if socket.try_send_to(datagram, address).is_err() {
        // A full socket buffer is a lost datagram, which the channel repeats.
        dropped.unsent += 1;
    }
}
