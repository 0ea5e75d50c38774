//! The protocol's cores, fed with messages that decode, from any node, in any order.
//!
//! The nodes of a cluster trust each other. That is no reason for one to take the others down, should it have a bug, so what
//! a message says must trip no assertion. Every message goes through its encoding: a core sees only what can be decoded.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use dsms::market::{Digest, GuestFault};
use dsms::protocol::channel::limits::{BACKLOG_LEN_MAX, DATAGRAM_LEN_MIN};
use dsms::protocol::channel::{Datagram, Packet, PacketNumber, PacketSet, Receipt, Seal};
use dsms::protocol::client_message::ClientMessage;
use dsms::protocol::endpoint::Endpoint;
use dsms::protocol::front_end::{self, ConnectionId, FrontEnd, FrontEndConfig};
use dsms::protocol::id::{Incarnation, Membership, NodeId, ReplicaId, SequenceNumber, SessionId};
use dsms::protocol::keyring::{Generation, Keyring};
use dsms::protocol::ledger::{Entry, Recollection};
use dsms::protocol::limits::IN_FLIGHT_LEN_MAX;
use dsms::protocol::message::{Certificate, Message};
use dsms::protocol::policy::{RecoveryPolicy, SuspicionPolicy};
use dsms::protocol::quorum::Tolerance;
use dsms::protocol::recipients::Recipients;
use dsms::protocol::record::{Record, Recovered};
use dsms::protocol::replica_manager::{self, Executed, ReplicaManager, ReplicaManagerConfig, StartFailure, Task};
use dsms::protocol::secret::{SECRET_LEN, Secret};
use dsms::protocol::sequencer::{self, Sequencer};
use dsms::protocol::swap::SwapId;
use dsms::protocol::time::Instant;
use dsms::protocol::wire;

use crate::draw::Draw;
use crate::{messages, readers};

const REPLICAS_LEN: usize = 3;

const TOLERANCES: [Tolerance; 3] =
    [Tolerance::BYZANTINE, Tolerance { wrong: 0, crashed: 2 }, Tolerance { wrong: 0, crashed: 0 }];

/// Most outputs of one step: all that a core may have held back goes out at once. Beyond it there is a loop without an end.
const OUTPUTS_LEN_MAX: usize = 100_000;

/// A message as it arrives, if it does.
fn received(message: &Message) -> Option<Message> {
    let mut bytes = Vec::new();
    wire::encode(message, &mut bytes).ok()?;
    wire::decode(&bytes).ok()
}

/// What a core sends must reach others as what it is.
fn check_sent(message: &Message) {
    assert_eq!(received(message).as_ref(), Some(message), "no other node can read this");
}

fn pass(now: &mut Instant, draw: &mut Draw<'_>) {
    let millis = if draw.below(4) == 0 { 5_000 } else { draw.below(700) as u64 };
    *now = *now + Duration::from_millis(millis);
}

pub fn front_end(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let config = FrontEndConfig {
        me: NodeId::FRONT_END,
        process: 1,
        membership: Membership::of(REPLICAS_LEN),
        tolerance: draw.pick(&TOLERANCES),
        request_timeout: Duration::from_secs(10),
        suspicion: SuspicionPolicy::default(),
        allow_faults: draw.flag(),
        in_flight_len_max: IN_FLIGHT_LEN_MAX,
    };
    let mut front_end = FrontEnd::new(config);
    if draw.flag() {
        front_end.keep_entries(draw.below(9) as u64);
    }
    let mut now = Instant(1_000_000);
    let mut submitted = VecDeque::new();
    while !draw.is_over() {
        let connection = ConnectionId(draw.below(3) as u64);
        match draw.below(8) {
            0 => pass(&mut now, &mut draw),
            1 => front_end.handle_disconnected(connection),
            2 | 3 => client_message(&mut front_end, connection, &mut draw, now),
            4 => {
                // The sequencer answers what it was asked.
                if let Some(id) = submitted.pop_front() {
                    let sequenced = Message::Sequenced { id, sequence: messages::sequence(&mut draw) };
                    received(&sequenced)
                        .into_iter()
                        .for_each(|message| front_end.handle_message(NodeId::Sequencer, message, now));
                }
            }
            _ => {
                let (from, message) = (messages::node(&mut draw), messages::message(&mut draw));
                received(&message).into_iter().for_each(|message| front_end.handle_message(from, message, now));
            }
        }
        front_end.handle_timeout(now);
        let outputs = std::iter::from_fn(|| front_end.poll_output());
        for (index, output) in outputs.enumerate() {
            assert!(index < OUTPUTS_LEN_MAX);
            match output {
                front_end::Output::Transmit { message: Message::Submit { id, .. }, .. } => submitted.push_back(id),
                front_end::Output::Transmit { message, .. } | front_end::Output::Inject(message) => {
                    check_sent(&message);
                }
                front_end::Output::Answer { message, .. } => {
                    let mut frame = Vec::new();
                    wire::encode(&message, &mut frame).expect("an answer to a client fits a message");
                    readers::message(&frame);
                }
                front_end::Output::Event(event) => drop(event.to_string()),
                front_end::Output::Recollect { sequence, answer, .. } => {
                    drop(Recollection::of(sequence).complete(answer, Some((SequenceNumber(1), sequence))));
                }
            }
        }
        for (index, entry) in std::iter::from_fn(|| front_end.poll_entry()).enumerate() {
            assert!(index < OUTPUTS_LEN_MAX);
            assert_eq!(Entry::decode(&entry.encode()), Ok(entry), "what is written can be read");
        }
        assert!(front_end.poll_timeout().is_none_or(|(at, _)| at > now), "what was due is done");
    }
}

fn client_message(front_end: &mut FrontEnd, connection: ConnectionId, draw: &mut Draw<'_>, now: Instant) {
    let mut bytes = Vec::new();
    wire::encode(&messages::client_message(draw), &mut bytes).expect("the messages drawn are short");
    if let Ok(message) = wire::decode::<ClientMessage>(&bytes) {
        front_end.handle_client(connection, message, now);
    }
}

pub fn sequencer(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let mut now = Instant(1_000_000);
    let mut sequencer = Sequencer::new(1, Membership::of(REPLICAS_LEN), now);
    while !draw.is_over() {
        pass(&mut now, &mut draw);
        let (from, message) = (messages::node(&mut draw), messages::message(&mut draw));
        received(&message).into_iter().for_each(|message| sequencer.handle_message(from, message, now));
        sequencer.handle_timeout(now);
        while let Some(output) = sequencer.poll_output() {
            match output {
                sequencer::Output::Transmit { message, .. } => check_sent(&message),
                sequencer::Output::Event(event) => drop(event.to_string()),
            }
        }
    }
}

/// A manager with an executor that answers anything the contract between the two allows.
struct Manager {
    core: ReplicaManager,
    now: Instant,
    starts: VecDeque<Incarnation>,
    /// The swap that is under way, and what its shadow was asked for.
    swap: Option<SwapId>,
    shadow_runs: VecDeque<(SwapId, Vec<Task>)>,
    runs: VecDeque<(Incarnation, Vec<Task>)>,
    /// To whom what was sent last, to one other manager.
    asked: Option<ReplicaId>,
    forged: (Vec<u8>, Certificate),
    /// Its last vote on a checkpoint of its own.
    voted: Option<(SequenceNumber, Digest)>,
    /// What it has written, and what that amounts to.
    records: Vec<Record>,
    left: Recovered,
    config: ReplicaManagerConfig,
    /// The kinds of the events that came of it.
    events: BTreeSet<&'static str>,
}

/// Returns the kinds of all events, to tell how far the messages got.
pub fn replica_manager(bytes: &[u8]) -> BTreeSet<&'static str> {
    let mut draw = Draw::new(bytes);
    let config = ReplicaManagerConfig {
        replica: ReplicaId::new(1).expect("the first one"),
        membership: Membership::of(REPLICAS_LEN),
        tolerance: draw.pick(&TOLERANCES),
        modules: (0..1 + draw.below(3)).map(|module| Digest::of_bytes(&[module as u8])).collect(),
        previous: None,
        suspicion: SuspicionPolicy::default(),
        recovery: RecoveryPolicy {
            checkpoint_every: 1 + draw.below(9) as u64,
            tentative_every: 1 + draw.below(9) as u64,
            ..RecoveryPolicy::default()
        },
        process: 1,
    };
    let now = Instant(1_000_000);
    let mut manager = Manager {
        core: ReplicaManager::new(config.clone(), Recovered::default(), now),
        now,
        starts: VecDeque::new(),
        swap: None,
        shadow_runs: VecDeque::new(),
        runs: VecDeque::new(),
        asked: None,
        forged: readers::forged_checkpoint(&mut draw),
        voted: None,
        records: Vec::new(),
        left: Recovered::default(),
        config,
        events: BTreeSet::new(),
    };
    let mut next = 1;
    manager.drain();
    if draw.flag() {
        manager.receive(NodeId::FRONT_END, &Message::Joined { last: Some(Incarnation(0)), ordered: SequenceNumber(0) });
    }
    while !draw.is_over() {
        manager.step(&mut draw, &mut next);
        manager.drain();
    }
    let (log, mut left) = (manager.core.log(), manager.left);
    left.finish();
    assert_eq!((left.log.start(), left.log.end()), (log.start(), log.end()), "what is left is what there was");
    manager.events
}

impl Manager {
    fn step(&mut self, draw: &mut Draw<'_>, next: &mut u64) {
        match draw.below(10) {
            0 => {
                pass(&mut self.now, draw);
                self.core.handle_timeout(self.now);
                if draw.below(8) == 0 {
                    self.begin_anew();
                }
            }
            1 => {
                for _ in 0..=draw.below(20) {
                    let order = messages::order(draw, SequenceNumber(*next));
                    self.receive(NodeId::Sequencer, &Message::Order(order));
                    *next += 1;
                }
            }
            2 | 3 => self.execute(draw),
            4 if draw.flag() => self.start(draw),
            4 => self.shadow(draw),
            5 => self.answer_with_forgery(draw),
            6 => self.vote(draw),
            _ => {
                let from = messages::node(draw);
                self.receive(from, &messages::message(draw));
            }
        }
    }

    fn receive(&mut self, from: NodeId, message: &Message) {
        received(message).into_iter().for_each(|message| self.core.handle_message(from, message, self.now));
    }

    /// The process ends, and another one begins with what it has written and hears who it was.
    fn begin_anew(&mut self) {
        let mut recovered = Recovered::default();
        self.records.iter().for_each(|record| recovered.apply(record.clone()).expect("records follow one another"));
        recovered.finish();
        let joined = Message::Joined { last: Some(recovered.incarnation), ordered: recovered.log.end() };
        self.core = ReplicaManager::new(self.config.clone(), recovered, self.now);
        (self.starts, self.runs, self.shadow_runs, self.swap) = Default::default();
        self.drain();
        self.receive(NodeId::FRONT_END, &joined);
    }

    /// Some results of the oldest run.
    fn execute(&mut self, draw: &mut Draw<'_>) {
        let Some((incarnation, run)) = self.runs.front_mut() else { return };
        let incarnation = *incarnation;
        let done: Vec<Task> = run.drain(..run.len().min(1 + draw.below(40))).collect();
        let is_done = run.is_empty();
        let mut results = Vec::new();
        for task in done {
            if draw.below(16) == 0 {
                results.push(Err(messages::guest_fault(draw)));
                break;
            }
            let outcome = task.execute.then(|| messages::outcome(draw));
            let checkpoint = task.checkpoint.then(|| {
                let state = messages::state(draw);
                let digest = state.digest();
                (Arc::new(state), digest)
            });
            results.push(Ok(Executed { outcome, checkpoint }));
        }
        if is_done {
            self.runs.pop_front();
        }
        self.core.handle_executed(incarnation, results, self.now);
    }

    fn start(&mut self, draw: &mut Draw<'_>) {
        let Some(incarnation) = self.starts.pop_front() else { return };
        let started = match draw.below(6) {
            0 => Err(StartFailure::Fault(GuestFault::StackOverflow)),
            1 => Err(StartFailure::Refused(draw.text(300))),
            _ => Ok(()),
        };
        self.core.handle_started(incarnation, started, self.now);
    }

    /// The shadow is loaded, started or has executed, if that was asked for.
    fn shadow(&mut self, draw: &mut Draw<'_>) {
        let Some(swap) = self.swap else { return };
        match draw.below(4) {
            0 => {
                let loaded = if draw.flag() { Ok(messages::digest(draw)) } else { Err(draw.text(300)) };
                self.core.handle_loaded(swap, loaded, self.now);
            }
            1 => {
                let failure = draw.below(4) == 0;
                let started = if failure { Err(StartFailure::Refused(draw.text(300))) } else { Ok(()) };
                self.core.handle_shadow_started(swap, started, self.now);
            }
            2 => self.receive(NodeId::FRONT_END, &Message::Promote { swap }),
            _ => {
                let Some((swap, run)) = self.shadow_runs.pop_front() else { return };
                let results = run.iter().map(|task| {
                    let outcome = task.execute.then(|| messages::outcome(draw));
                    Ok(Executed { outcome, checkpoint: None })
                });
                let results = results.collect();
                self.core.handle_shadow_executed(swap, results, self.now);
            }
        }
    }

    /// The others have the same checkpoint as this one, or another.
    fn vote(&mut self, draw: &mut Draw<'_>) {
        let Some((sequence, own)) = self.voted else { return };
        let digest = if draw.flag() { own } else { messages::digest(draw) };
        for number in [2, 3] {
            let from = NodeId::ReplicaManager(ReplicaId::new(number).expect("one of three"));
            self.receive(from, &Message::CheckpointVote { sequence, digest });
        }
    }

    /// The manager that was asked answers with a checkpoint that it has made up, its certificate first.
    fn answer_with_forgery(&mut self, draw: &mut Draw<'_>) {
        let Some(asked) = self.asked else { return };
        if draw.below(4) == 0 {
            self.forged = readers::forged_checkpoint(draw);
        }
        let (bytes, certificate) = self.forged.clone();
        let from = NodeId::ReplicaManager(asked);
        let (sequence, len) = (certificate.sequence, bytes.len() as u64);
        if draw.flag() {
            self.receive(from, &Message::Offer(certificate));
        }
        self.receive(from, &Message::State { sequence, offset: 0, len, bytes });
    }

    fn drain(&mut self) {
        for index in 0.. {
            assert!(index < OUTPUTS_LEN_MAX);
            match self.core.poll_output() {
                None => break,
                Some(replica_manager::Output::Transmit { to, message }) => {
                    check_sent(&message);
                    match (to, message) {
                        (Recipients::One(NodeId::ReplicaManager(asked)), _) => self.asked = Some(asked),
                        (_, Message::CheckpointVote { sequence, digest }) => self.voted = Some((sequence, digest)),
                        _ => {}
                    }
                }
                Some(replica_manager::Output::Persist(record)) => {
                    let read = Record::decode(&record.encode()).expect("what is written can be read");
                    assert_eq!(read, record);
                    self.records.push(record);
                    self.left.apply(read).expect("records follow one another");
                }
                Some(replica_manager::Output::Start { incarnation, .. }) => {
                    self.runs.clear();
                    self.starts.push_back(incarnation);
                }
                Some(replica_manager::Output::Execute { incarnation, run }) => self.runs.push_back((incarnation, run)),
                Some(
                    replica_manager::Output::Load { swap, .. } | replica_manager::Output::StartShadow { swap, .. },
                ) => {
                    self.shadow_runs.clear();
                    self.swap = Some(swap);
                }
                Some(replica_manager::Output::ExecuteShadow { swap, run }) => self.shadow_runs.push_back((swap, run)),
                Some(replica_manager::Output::Promote { swap, .. }) => {
                    assert_eq!(self.swap.take(), Some(swap));
                    assert!(self.shadow_runs.is_empty(), "nothing waits at a shadow that takes over");
                    self.runs.clear();
                }
                Some(replica_manager::Output::StopShadow { .. }) => {
                    self.shadow_runs.clear();
                    self.swap = None;
                }
                Some(replica_manager::Output::Event(event)) => {
                    let _words = event.to_string();
                    self.events.insert(event.kind());
                }
            }
        }
    }
}

/// Two endpoints with a network between them that damages what it carries, and adds datagrams of its own.
pub fn endpoint(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let nodes = [NodeId::FRONT_END, NodeId::Sequencer];
    let datagram_len_max = DATAGRAM_LEN_MIN + draw.below(1200);
    let keyring = |at: usize| Keyring::of_cluster_key(&Secret::new([7; SECRET_LEN]), nodes[at], nodes);
    let endpoint = |at: usize| Endpoint::new(&keyring(at), nodes, SessionId(5), datagram_len_max);
    let mut endpoints = [endpoint(0), endpoint(1)];
    let mut now = Instant(1_000_000);
    let mut carried: VecDeque<(usize, Vec<u8>)> = VecDeque::new();
    while !draw.is_over() {
        let at = draw.below(2);
        match draw.below(6) {
            0 => pass(&mut now, &mut draw),
            1 => drop(endpoints[at].send(Recipients::All, &messages::message(&mut draw))),
            2 => carried.push_back((at, any_datagram(&Seal::new(&keyring(1 - at), nodes[at]), &mut draw))),
            3 => {
                if let Some((_, datagram)) = carried.back_mut() {
                    draw.damage(datagram);
                }
            }
            _ => {
                if let Some((to, datagram)) = carried.pop_front() {
                    let _dropped = endpoints[to].handle_datagram(&datagram, now);
                }
            }
        }
        for (at, endpoint) in endpoints.iter_mut().enumerate() {
            endpoint.handle_timeout(now);
            while endpoint.poll_event().is_some() {}
            while endpoint.poll_message(None).is_some() {}
            let mut datagram = Vec::new();
            for index in 0.. {
                assert!(index < OUTPUTS_LEN_MAX);
                match endpoint.poll_transmit(now, &mut datagram) {
                    None => break,
                    Some(_) => carried.push_back((1 - at, datagram.clone())),
                }
            }
            assert!(endpoint.backlog_len(nodes[1 - at]) <= BACKLOG_LEN_MAX);
        }
    }
}

/// A datagram that the peer has sealed, with any numbers in it.
fn any_datagram(seal: &Seal, draw: &mut Draw<'_>) -> Vec<u8> {
    let mut selective = PacketSet::default();
    draw.some_of(4, |draw| draw.below(255)).into_iter().for_each(|place| selective.insert(1 + place));
    let chunk = draw.bytes(64);
    let number = PacketNumber(draw.number());
    let session = |draw: &mut Draw<'_>| if draw.below(4) > 0 { 5 } else { draw.number().max(1) };
    let datagram = Datagram {
        serial: draw.number(),
        sender: SessionId(session(draw).into()),
        receiver: Some(SessionId(session(draw).into())),
        receipt: Receipt { acknowledged: PacketNumber(draw.number()), selective, full: draw.flag() },
        packet: (!chunk.is_empty()).then_some(Packet { number, chunk: &chunk }),
    };
    let mut bytes = Vec::new();
    seal.write(&datagram, Generation::FIRST, &mut bytes);
    bytes
}
