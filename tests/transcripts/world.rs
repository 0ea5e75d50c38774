//! A cluster in virtual time on one thread, for transcripts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dsms::market::{Context, GuestFault, Module, Outcome};
use dsms::native::NativeMarket;
use dsms::protocol::channel::limits::DATAGRAM_LEN_DEFAULT;
use dsms::protocol::client_message::{ClientMessage, ServerBody};
use dsms::protocol::endpoint::Endpoint;
use dsms::protocol::front_end::{self, ConnectionId, FrontEnd, FrontEndConfig};
use dsms::protocol::id::{ClientId, NodeId, RequestNumber, SessionId};
use dsms::protocol::limits::REQUEST_TIMEOUT;
use dsms::protocol::message::{Command, Message, Order, Response};
use dsms::protocol::quorum::Tolerance;
use dsms::protocol::recipients::Recipients;
use dsms::protocol::replica_manager::{self, Executed, ReplicaManager};
use dsms::protocol::sequencer::{self, Sequencer};
use dsms::protocol::time::Instant;

/// How long every datagram is on its way.
const LATENCY: Duration = Duration::from_millis(1);

/// A settled cluster does nothing but heartbeats for this long.
const QUIET: Duration = Duration::from_secs(3);

/// Longest time that `settle` waits for quiet.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// A datagram that carries no message, only acknowledgements, is no longer than this.
const MESSAGELESS_LEN_MAX: usize = 60;

const CONNECTION: ConnectionId = ConnectionId(1);

enum Core {
    FrontEnd(FrontEnd),
    Sequencer(Sequencer),
    ReplicaManager(ReplicaManager, Box<Replica>),
}

#[derive(Default)]
struct Replica {
    market: NativeMarket,
    wrong: bool,
    trap: bool,
    trapped: bool,
}

struct Node {
    core: Core,
    endpoint: Endpoint,
    retransmitted: BTreeMap<NodeId, u64>,
}

pub struct World {
    now: Instant,
    started: Instant,
    nodes: BTreeMap<NodeId, Node>,
    /// Datagrams on their way: when they arrive, to whom, a number that keeps them in order, their bytes.
    in_flight: BTreeMap<(Instant, u64), (NodeId, Vec<u8>)>,
    sent_len: u64,
    dropping: BTreeSet<(NodeId, NodeId)>,
    cut: BTreeSet<NodeId>,
    requests: Vec<Vec<String>>,
    transcript: Vec<String>,
    last_happening: Instant,
}

impl World {
    pub fn new(mode: &str) -> World {
        let (_, tolerance) = *Tolerance::NAMED.iter().find(|(name, _)| *name == mode).expect("a named mode");
        let started = Instant(1_757_500_000_000_000);
        let replicas_len = tolerance.replicas_len_min();
        let ids = NodeId::all(replicas_len);
        let config = FrontEndConfig { replicas_len, tolerance, request_timeout: REQUEST_TIMEOUT };
        let node = |id: &NodeId| {
            let core = match id {
                NodeId::FrontEnd => Core::FrontEnd(FrontEnd::new(config)),
                NodeId::Sequencer => Core::Sequencer(Sequencer::new(started)),
                NodeId::ReplicaManager(replica) => {
                    let digest = dsms::market::Digest::of_bytes(b"native");
                    Core::ReplicaManager(ReplicaManager::new(*replica, digest, started), Box::default())
                }
            };
            let endpoint = Endpoint::new(*id, ids.iter().copied(), SessionId(1), DATAGRAM_LEN_DEFAULT);
            (*id, Node { core, endpoint, retransmitted: BTreeMap::new() })
        };
        let mut world = World {
            now: started,
            started,
            nodes: ids.iter().map(node).collect(),
            in_flight: BTreeMap::new(),
            sent_len: 0,
            dropping: BTreeSet::new(),
            cut: BTreeSet::new(),
            requests: Vec::new(),
            transcript: Vec::new(),
            last_happening: started,
        };
        world.client(ClientMessage::Hello { client: ClientId(1) });
        world.settle();
        world.transcript.clear();
        world.started = world.now;
        world
    }

    pub fn take_transcript(&mut self) -> Vec<String> {
        std::mem::take(&mut self.transcript)
    }

    pub fn command(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let node = |name: &str| name.parse::<NodeId>().unwrap_or_else(|error| panic!("{line}: {error}"));
        match words.as_slice() {
            ["client", request @ ..] => {
                self.requests.push(request.iter().map(|word| (*word).to_owned()).collect());
                self.request(self.requests.len());
            }
            ["retry", number] => self.request(number.parse().expect("the number of a request")),
            ["drop", from, "->", to] => drop(self.dropping.insert((node(from), node(to)))),
            ["cut", name] => drop(self.cut.insert(node(name))),
            ["heal", name] => drop(self.cut.remove(&node(name))),
            ["wrong", name] => self.replica(node(name)).wrong = true,
            ["trap", name] => self.replica(node(name)).trap = true,
            ["pass", ms] => {
                let until = self.now + Duration::from_millis(ms.parse().expect("milliseconds"));
                self.run(|world, next| next > until || world.now >= until);
                self.now = until;
            }
            ["settle"] => self.settle(),
            _ => panic!("not a line of script: {line}"),
        }
    }

    fn replica(&mut self, node: NodeId) -> &mut Replica {
        match &mut self.nodes.get_mut(&node).expect("a node of the cluster").core {
            Core::ReplicaManager(_, replica) => replica,
            _ => panic!("{node} has no replica"),
        }
    }

    fn request(&mut self, number: usize) {
        let words = self.requests[number - 1].clone();
        self.say(&format!("client      request {number}: {}", words.join(" ")));
        self.client(ClientMessage::Request { number: RequestNumber(number as u64), words });
    }

    fn client(&mut self, message: ClientMessage) {
        let now = self.now;
        let Core::FrontEnd(core) = &mut self.nodes.get_mut(&NodeId::FrontEnd).unwrap().core else { unreachable!() };
        core.handle_client(CONNECTION, message, now);
        self.turn(NodeId::FrontEnd);
    }

    fn settle(&mut self) {
        let begin = self.now;
        self.last_happening = begin;
        self.run(|world, next| next.since(world.last_happening) > QUIET);
        assert!(self.now.since(begin) < SETTLE_MAX, "the cluster does not settle");
    }

    /// Lets time pass from one deadline or arrival to the next, until `done` of the world and the next instant.
    fn run(&mut self, done: impl Fn(&World, Instant) -> bool) {
        loop {
            let arrival = self.in_flight.first_key_value().map(|((at, _), _)| *at);
            let deadlines = self.nodes.values().filter_map(Node::deadline);
            let next = deadlines.chain(arrival).min().expect("heartbeats never end").max(self.now);
            if done(self, next) {
                return;
            }
            self.now = next;
            while let Some(entry) = self.in_flight.first_entry().filter(|entry| entry.key().0 <= next) {
                let (to, datagram) = entry.remove();
                let node = self.nodes.get_mut(&to).unwrap();
                // What the channel makes of a stale or repeated datagram is its own affair.
                let _used_or_not = node.endpoint.handle_datagram(&datagram, next);
                self.turn(to);
            }
            let due = |node: &Node| node.deadline().is_some_and(|deadline| deadline <= next);
            let due: Vec<NodeId> = self.nodes.iter().filter(|(_, node)| due(node)).map(|(id, _)| *id).collect();
            due.into_iter().for_each(|id| self.turn(id));
        }
    }

    /// What a driver does each time it wakes up.
    fn turn(&mut self, id: NodeId) {
        let now = self.now;
        let mut said = Vec::new();
        let node = self.nodes.get_mut(&id).unwrap();
        node.endpoint.handle_timeout(now);
        while let Some((peer, event)) = node.endpoint.poll_event() {
            said.push(format!("{id:<11} {peer}: {event:?}").split(" {").next().unwrap().to_owned());
        }
        while let Some((from, message)) = node.endpoint.poll_message() {
            node.handle_message(from, message.expect("our own messages can be decoded"), now);
            node.drain(id, now, &mut said);
        }
        node.handle_timeout(now);
        node.drain(id, now, &mut said);
        let mut datagram = Vec::new();
        while let Some(to) = node.endpoint.poll_transmit(now, &mut datagram) {
            let repeated = node.repeated_to(to);
            // What a node that is cut off repeats is mostly heartbeats, and of no interest.
            if self.cut.contains(&id) || self.cut.contains(&to) {
                continue;
            }
            if repeated {
                said.push(format!("{id:<11} repeat to {to}"));
            }
            if datagram.len() > MESSAGELESS_LEN_MAX && self.dropping.remove(&(id, to)) {
                said.push(format!("network     lose {id} -> {to}"));
                continue;
            }
            self.sent_len += 1;
            self.in_flight.insert((now + LATENCY, self.sent_len), (to, datagram.clone()));
        }
        said.iter().for_each(|line| self.say(line));
    }

    fn say(&mut self, line: &str) {
        self.last_happening = self.now;
        let after = self.now.since(self.started).as_millis();
        self.transcript.push(format!("{after:>6} ms  {}", line.replace("\n ", ";")));
    }
}

impl Node {
    fn deadline(&self) -> Option<Instant> {
        let core = match &self.core {
            Core::FrontEnd(core) => core.poll_timeout(),
            Core::Sequencer(core) => core.poll_timeout(),
            Core::ReplicaManager(core, _) => core.poll_timeout(),
        };
        [core, self.endpoint.poll_timeout()].into_iter().flatten().map(|(deadline, _)| deadline).min()
    }

    fn handle_message(&mut self, from: NodeId, message: Message, now: Instant) {
        match &mut self.core {
            Core::FrontEnd(core) => core.handle_message(from, message, now),
            Core::Sequencer(core) => core.handle_message(from, message, now),
            Core::ReplicaManager(core, _) => core.handle_message(from, message, now),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match &mut self.core {
            Core::FrontEnd(core) => core.handle_timeout(now),
            Core::Sequencer(core) => core.handle_timeout(now),
            Core::ReplicaManager(core, _) => core.handle_timeout(now),
        }
    }

    /// Does what the core asks for, and says what a person would want to know.
    fn drain(&mut self, id: NodeId, now: Instant, said: &mut Vec<String>) {
        loop {
            let transmit = match &mut self.core {
                Core::FrontEnd(core) => match core.poll_output() {
                    None => return,
                    Some(front_end::Output::Transmit { to, message }) => (to, message),
                    Some(front_end::Output::Answer { message, .. }) => {
                        if let ServerBody::Answer(answer) = message.body {
                            said.push(format!("{id:<11} answer request {}: {answer}", message.number.0));
                        }
                        continue;
                    }
                    Some(front_end::Output::Event(event)) => {
                        said.push(format!("{id:<11} {event}"));
                        continue;
                    }
                },
                Core::Sequencer(core) => match core.poll_output() {
                    None => return,
                    Some(sequencer::Output::Transmit { to, message }) => (to, message),
                    Some(sequencer::Output::Event(event)) => {
                        said.push(format!("{id:<11} {event}"));
                        continue;
                    }
                },
                Core::ReplicaManager(core, replica) => match core.poll_output() {
                    None => return,
                    Some(replica_manager::Output::Transmit { to, message }) => (to, message),
                    Some(replica_manager::Output::Execute(run)) => {
                        let results = run.iter().map(|order| replica.execute(order)).collect();
                        let sequences: Vec<String> = run.iter().map(|order| format!("#{}", order.sequence)).collect();
                        said.push(format!("{id:<11} execute {}", sequences.join(" ")));
                        core.handle_executed(results, now);
                        continue;
                    }
                    Some(replica_manager::Output::Event(event)) => {
                        said.push(format!("{id:<11} {event}"));
                        continue;
                    }
                },
            };
            let (to, message) = transmit;
            if let Some(words) = message_words(&message, to) {
                said.push(format!("{id:<11} {words}"));
            }
            assert_eq!(self.endpoint.send(to, &message), []);
        }
    }

    fn repeated_to(&mut self, to: NodeId) -> bool {
        let counters = self.endpoint.counters().find(|(peer, ..)| *peer == to).expect("a peer").1;
        let before = self.retransmitted.insert(to, counters.packets_retransmitted).unwrap_or(0);
        counters.packets_retransmitted > before
    }
}

impl Replica {
    fn execute(&mut self, order: &Order) -> Result<Executed, GuestFault> {
        let Command::Request(request) = &order.command else {
            return self.market.export_state().map(|state| Executed::StateDigest(state.digest()));
        };
        if self.trapped {
            return Err(GuestFault::Finished);
        }
        if std::mem::take(&mut self.trap) {
            self.trapped = true;
            return Err(GuestFault::Trap("unreachable".to_owned()));
        }
        let context = Context { sequence_number: order.sequence.0, time_ms: order.time_ms };
        let outcome = self.market.execute(context, request)?;
        let wrong = std::mem::take(&mut self.wrong);
        Ok(Executed::Outcome(if wrong { Outcome::Swapped { units: 666 } } else { outcome }))
    }
}

/// What a message says, for those that are not heartbeats.
fn message_words(message: &Message, to: Recipients) -> Option<String> {
    let to = match to {
        Recipients::One(node) => node.to_string(),
        Recipients::ReplicaManagers => "all replicas".to_owned(),
    };
    match message {
        Message::Submit { id, .. } => Some(format!("submit request {} to {to}", id.number.0)),
        Message::Order(order) => Some(format!("order #{} = request {} to {to}", order.sequence, order.id.number.0)),
        Message::Sequenced { .. } | Message::Progress(_) => None,
        Message::Reply(reply) => {
            let words = match &reply.response {
                Response::Executed { outcome, .. } => outcome.to_string(),
                Response::StateDigest(digest) => digest.short(),
                Response::Forgotten => "forgotten".to_owned(),
                Response::Fault(fault) => fault.to_string(),
            };
            Some(format!("reply #{} {words}", reply.sequence))
        }
    }
}
