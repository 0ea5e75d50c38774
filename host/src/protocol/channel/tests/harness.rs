//! Two channels under virtual time, and a network between them that misbehaves as told, from one seed.
//!
//! Each message says which life of its sender sent it, in which stream (the sender counts the restarts of its peer), and as
//! which of that stream; so every delivery is checked against the one law: each stream arrives from its first message on,
//! in order, once, and never mixed with another.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::*;
use crate::protocol::secret::{SECRET_LEN, Secret};

/// Bytes of a message that identify it; the rest is filled from its number.
pub const MESSAGE_LEN_MIN: usize = 24;

/// Turns of one run that nothing legitimate needs; more is a loop that waits for nothing.
const TURNS_LEN_MAX: usize = 2_000_000;

/// Datagrams that wait for a paused node; the socket buffer loses the rest.
const SOCKET_LEN_MAX: usize = 90;

/// Numbers from a seed (SplitMix64).
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// What the network does to datagrams, in percent of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub loss: u64,
    pub duplication: u64,
    /// Also delivered with a bit flipped, which the seal has to find.
    pub garbling: u64,
    /// An old datagram, perhaps of an earlier session, is delivered again.
    pub replay: u64,
    /// Up to this much is added to each delay, so that datagrams overtake each other.
    pub jitter: Duration,
}

/// How often each fault fired.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fired {
    pub lost: u64,
    pub duplicated: u64,
    pub garbled: u64,
    pub replayed: u64,
    pub overtaken: u64,
    pub cut: u64,
    pub overflowed: u64,
}

struct Node {
    channel: Channel,
    life: u64,
    /// Streams begun in this life: one more at each restart of the peer.
    stream: u64,
    sent: u64,
    /// The life and the stream that messages come from, and how many have come.
    source: Option<(u64, u64)>,
    delivered: u64,
    peer_life: Option<u64>,
    paused_until: Instant,
    events: Vec<ChannelEvent>,
    takes_messages: bool,
}

/// A datagram on its way.
struct InFlight {
    to: usize,
    index: u64,
    bytes: Vec<u8>,
}

/// Two nodes and the network between them.
pub struct Pair {
    pub now: Instant,
    pub faults: Faults,
    pub fired: Fired,
    /// Whether datagrams from each node are lost.
    pub cut: [bool; 2],
    pub delay: Duration,
    pub random: Random,
    nodes: [Node; 2],
    in_flight: BTreeMap<(Instant, u64), InFlight>,
    /// Old datagrams to replay.
    archive: Vec<(usize, Vec<u8>)>,
    index: u64,
    latest_arrived: [u64; 2],
}

const NAMES: [NodeId; 2] = [NodeId::Sequencer, NodeId::FRONT_END];

fn channel(node: usize, life: u64) -> Channel {
    let config = ChannelConfig {
        local: NAMES[node],
        peer: NAMES[1 - node],
        session: SessionId(life.into()),
        datagram_len_max: limits::DATAGRAM_LEN_DEFAULT,
    };
    Channel::new(config, &keyring(NAMES[node], NAMES[1 - node]))
}

/// The keyring of one node with one peer.
pub fn keyring(local: NodeId, peer: NodeId) -> Keyring {
    Keyring::of_cluster_key(&Secret::new([7; SECRET_LEN]), local, [peer])
}

fn node(index: usize, life: u64) -> Node {
    Node {
        channel: channel(index, life),
        life,
        stream: 0,
        sent: 0,
        source: None,
        delivered: 0,
        peer_life: None,
        paused_until: Instant(0),
        events: Vec::new(),
        takes_messages: true,
    }
}

/// The message with this number, of this many bytes.
fn message(life: u64, stream: u64, number: u64, len: usize) -> Vec<u8> {
    let mut message = [life, stream, number].map(u64::to_le_bytes).concat();
    message.resize(len.max(MESSAGE_LEN_MIN), number as u8);
    message
}

impl Pair {
    pub fn new(seed: u64, faults: Faults) -> Pair {
        Pair {
            now: Instant(1_700_000_000_000_000),
            faults,
            fired: Fired::default(),
            cut: [false; 2],
            delay: Duration::from_micros(100),
            random: Random(seed),
            nodes: [node(0, 100), node(1, 200)],
            in_flight: BTreeMap::new(),
            archive: Vec::new(),
            index: 0,
            latest_arrived: [0; 2],
        }
    }

    pub fn channel(&self, node: usize) -> &Channel {
        &self.nodes[node].channel
    }

    pub fn counters(&self, node: usize) -> &Counters {
        self.nodes[node].channel.counters()
    }

    pub fn events(&self, node: usize) -> &[ChannelEvent] {
        &self.nodes[node].events
    }

    /// Messages that `node` has received from the current stream of its peer.
    pub fn delivered(&self, node: usize) -> u64 {
        self.nodes[node].delivered
    }

    pub fn in_flight_len(&self) -> usize {
        self.in_flight.len()
    }

    /// Queue a message of `len` bytes at `node`. It leaves with the next turn.
    pub fn send(&mut self, node: usize, len: usize) -> Result<(), SendError> {
        let Node { life, stream, sent, channel, .. } = &mut self.nodes[node];
        channel.send(&message(*life, *stream, *sent, len))?;
        *sent += 1;
        Ok(())
    }

    pub fn send_many(&mut self, node: usize, count: usize, len: usize) {
        (0..count).for_each(|_| self.send(node, len).unwrap());
    }

    /// The process ends and begins again, with nothing remembered but a larger session.
    pub fn restart(&mut self, index: usize) {
        self.nodes[index] = node(index, self.nodes[index].life + 1);
    }

    /// The process stands still; its socket takes in what fits.
    pub fn pause(&mut self, node: usize, duration: Duration) {
        self.nodes[node].paused_until = self.now + duration;
    }

    /// Whether `node` takes the messages that have arrived.
    pub fn take_messages(&mut self, node: usize, takes: bool) {
        self.nodes[node].takes_messages = takes;
    }

    /// Whether all messages of both current streams have been delivered to the current lives.
    pub fn is_settled(&self) -> bool {
        (0..2).all(|from| {
            let (sender, receiver) = (&self.nodes[from], &self.nodes[1 - from]);
            sender.sent == 0
                || receiver.source == Some((sender.life, sender.stream)) && receiver.delivered == sender.sent
        })
    }

    /// Let this much time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.run_until(end, |_| false);
    }

    /// Let time pass until the condition holds; at most until `end`. Returns whether it holds.
    pub fn run_until(&mut self, end: Instant, condition: impl Fn(&Pair) -> bool) -> bool {
        for _ in 0..TURNS_LEN_MAX {
            (0..2).for_each(|node| self.turn(node));
            if condition(self) {
                return true;
            }
            let arrival = self.in_flight.first_key_value().map(|(&(at, _), _)| at);
            let wakes = (0..2).filter_map(|node| self.wake(node)).chain(arrival).min();
            let Some(next) = wakes.filter(|next| *next <= end) else {
                self.now = end;
                return condition(self);
            };
            self.now = self.now.max(next);
            self.arrivals();
            (0..2).for_each(|node| self.timeouts(node));
        }
        panic!("still busy after {TURNS_LEN_MAX} turns");
    }

    /// The faults end, both sides have one more message for each other, and everything must be delivered within `limit`.
    ///
    /// A message that was queued for a life that has ended is gone; its sender is told, and sends another here.
    pub fn settle(&mut self, limit: Duration) {
        self.faults = Faults::default();
        self.cut = [false; 2];
        let end = self.now + limit;
        let streams = |pair: &Pair| [0, 1].map(|node| (pair.nodes[node].life, pair.nodes[node].stream));
        loop {
            let before = streams(self);
            for node in 0..2 {
                // At the bound of the backlog there is something to deliver as it is.
                let _ = self.send(node, MESSAGE_LEN_MIN);
            }
            let is_settled = self.run_until(end, |pair| streams(pair) != before || pair.is_settled());
            assert!(is_settled, "not settled after {limit:?}: {:#?}", [self.counters(0), self.counters(1)]);
            if streams(self) == before {
                return;
            }
        }
    }

    fn wake(&self, node: usize) -> Option<Instant> {
        let node = &self.nodes[node];
        let goes_on = (node.paused_until > self.now).then_some(node.paused_until);
        goes_on.or_else(|| Some(node.channel.poll_timeout()?.0))
    }

    fn timeouts(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if node.paused_until > self.now || node.channel.poll_timeout().is_none_or(|(at, _)| at > self.now) {
            return;
        }
        node.channel.handle_timeout(self.now);
        let next = node.channel.poll_timeout();
        assert!(next.is_none_or(|(at, _)| at > self.now), "{next:?} is due after the timeouts of {}", self.now);
    }

    fn arrivals(&mut self) {
        while let Some(entry) = self.in_flight.first_entry() {
            let (at, order) = *entry.key();
            if at > self.now {
                return;
            }
            let datagram = entry.remove();
            let paused_until = self.nodes[datagram.to].paused_until;
            if paused_until > self.now {
                let waiting = self.in_flight.range((paused_until, 0)..=(paused_until, u64::MAX)).count();
                if waiting < SOCKET_LEN_MAX {
                    self.in_flight.insert((paused_until, order), datagram);
                } else {
                    self.fired.overflowed += 1;
                }
                continue;
            }
            self.fired.overtaken += u64::from(datagram.index < self.latest_arrived[datagram.to]);
            self.latest_arrived[datagram.to] = self.latest_arrived[datagram.to].max(datagram.index);
            self.arrive(datagram.to, &datagram.bytes);
        }
    }

    fn arrive(&mut self, to: usize, bytes: &[u8]) {
        let envelope = Envelope::read(bytes).expect("what a channel has written is an envelope");
        let _used_or_not = self.nodes[to].channel.handle_datagram(&envelope, self.now);
        self.take_events(to);
    }

    fn take_events(&mut self, to: usize) {
        let node = &mut self.nodes[to];
        while let Some(event) = node.channel.poll_event() {
            node.events.push(event);
            if let ChannelEvent::PeerRestarted { session } = event {
                (node.stream, node.sent) = (node.stream + 1, 0);
                (node.source, node.delivered) = (None, 0);
                let life = u64::try_from(session.0).unwrap();
                assert!(node.peer_life < Some(life), "{session:?} after {:?}", node.peer_life);
                node.peer_life = Some(life);
            }
        }
    }

    fn turn(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if node.paused_until > self.now {
            return;
        }
        let mut message = Vec::new();
        while node.takes_messages && node.channel.poll_message(&mut message) {
            let &[life, stream, number] = message.as_chunks().0.first_chunk().unwrap();
            let source = (u64::from_le_bytes(life), u64::from_le_bytes(stream));
            let number = u64::from_le_bytes(number);
            assert_eq!(*node.source.get_or_insert(source), source, "a message of another stream");
            assert_eq!(number, node.delivered, "a message out of order, or twice");
            assert!(node.peer_life.is_none_or(|life| life == source.0), "a message of another life");
            assert!(message[MESSAGE_LEN_MIN..].iter().all(|&byte| byte == number as u8));
            node.delivered += 1;
        }
        let mut datagram = Vec::new();
        while self.nodes[index].channel.poll_transmit(self.now, &mut datagram) {
            self.transmit(index, &datagram);
        }
        self.take_events(index);
    }

    fn transmit(&mut self, from: usize, bytes: &[u8]) {
        let to = 1 - from;
        if self.random.percent(5) || self.archive.len() < 8 {
            self.archive.truncate(255);
            self.archive.insert(0, (to, bytes.to_vec()));
        }
        if self.cut[from] {
            self.fired.cut += 1;
            return;
        }
        if self.random.percent(self.faults.replay) {
            let old = self.random.below(self.archive.len() as u64) as usize;
            let (to, bytes) = self.archive[old].clone();
            self.fired.replayed += 1;
            self.put(to, bytes);
        }
        if self.random.percent(self.faults.garbling) {
            let mut garbled = bytes.to_vec();
            let place = self.random.below(garbled.len() as u64) as usize;
            garbled[place] ^= 1 << self.random.below(8);
            self.fired.garbled += 1;
            let read = Envelope::read(&garbled);
            let taken = read.and_then(|envelope| self.nodes[to].channel.handle_datagram(&envelope, self.now));
            assert!(taken.is_err(), "{garbled:?} was taken in");
        }
        if self.random.percent(self.faults.loss) {
            self.fired.lost += 1;
            return;
        }
        if self.random.percent(self.faults.duplication) {
            self.fired.duplicated += 1;
            self.put(to, bytes.to_vec());
        }
        self.put(to, bytes.to_vec());
    }

    fn put(&mut self, to: usize, bytes: Vec<u8>) {
        self.index += 1;
        let jitter = Duration::from_micros(self.random.below(self.faults.jitter.as_micros() as u64));
        let datagram = InFlight { to, index: self.index, bytes };
        self.in_flight.insert((self.now + self.delay + jitter, self.index), datagram);
    }
}
