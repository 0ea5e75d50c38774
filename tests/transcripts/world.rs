//! A cluster in virtual time on one thread, for transcripts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dsms::market::{BuyerId, Caller, Context, Digest, GuestFault, MarketState, Module, Operation, Outcome, Request};
use dsms::native::NativeMarket;
use dsms::protocol::channel::limits::DATAGRAM_LEN_DEFAULT;
use dsms::protocol::client_message::{ClientMessage, ServerBody};
use dsms::protocol::endpoint::Endpoint;
use dsms::protocol::front_end::{self, ConnectionId, FrontEnd, FrontEndConfig};
use dsms::protocol::id::{ClientId, NodeId, RequestNumber, SessionId};
use dsms::protocol::limits::REQUEST_TIMEOUT;
use dsms::protocol::message::{Command, Message, Response};
use dsms::protocol::policy::{RecoveryPolicy, SuspicionPolicy};
use dsms::protocol::quorum::Tolerance;
use dsms::protocol::recipients::Recipients;
use dsms::protocol::replica_manager::{self, Executed, ReplicaManager, ReplicaManagerConfig, StartFailure, Task};
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
    FrontEnd(Box<FrontEnd>),
    Sequencer(Sequencer),
    ReplicaManager(Box<ReplicaManager>, Box<Replica>),
}

/// A replica's module with the faults that a script gives it.
#[derive(Default)]
struct Replica {
    market: NativeMarket,
    /// So many of its next outcomes are wrong.
    wrong_len: u64,
    /// The next call traps.
    trap: bool,
    /// Every call at this place of the order traps, in every life.
    trap_at: Option<u64>,
    /// After its next request, if that is a purchase, it makes another one that nobody has asked for.
    corrupt: bool,
}

struct Node {
    core: Core,
    endpoint: Endpoint,
    retransmitted: BTreeMap<NodeId, u64>,
}

pub struct World {
    now: Instant,
    started: Instant,
    tolerance: Tolerance,
    modules_len: usize,
    nodes: BTreeMap<NodeId, Node>,
    /// Nodes whose next piece of a checkpoint is garbled.
    garbled: BTreeSet<NodeId>,
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
    /// A cluster in the mode that the first word names; with `spares`, each replica has one.
    pub fn new(words: &str) -> World {
        let (mode, modules_len) = words.strip_suffix(" spares").map_or((words, 1), |mode| (mode, 2));
        let (_, tolerance) = *Tolerance::NAMED.iter().find(|(name, _)| *name == mode).expect("a named mode");
        let started = Instant(1_757_500_000_000_000);
        let replicas_len = tolerance.replicas_len_min();
        let ids = NodeId::all(replicas_len);
        let mut world = World {
            now: started,
            started,
            tolerance,
            modules_len,
            nodes: ids.iter().map(|id| (*id, Node::new(*id, tolerance, modules_len, 1, started))).collect(),
            garbled: BTreeSet::new(),
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
            ["wrong", name] => self.replica(node(name)).wrong_len = 1,
            ["wrong", name, len] => self.replica(node(name)).wrong_len = len.parse().expect("how many outcomes"),
            ["trap", name, place] => self.replica(node(name)).trap_at = Some(place.parse().expect("a place")),
            ["corrupt", name] => self.replica(node(name)).corrupt = true,
            ["garble", name] => drop(self.garbled.insert(node(name))),
            ["restart", name] => self.restart(node(name)),
            ["barrier"] => self.client(ClientMessage::Digest { number: RequestNumber(1_000_000 + self.sent_len) }),
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

    /// A new process in place of the old one, which has forgotten everything.
    fn restart(&mut self, id: NodeId) {
        self.say(&format!("{id:<11} its process ends, and a new one begins"));
        self.nodes.insert(id, Node::new(id, self.tolerance, self.modules_len, 1 + self.sent_len, self.now));
        self.cut.remove(&id);
        self.turn(id);
        if id == NodeId::FrontEnd {
            // The client connects again.
            self.client(ClientMessage::Hello { client: ClientId(1) });
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
        while let Some((from, message)) = node.endpoint.poll_message(None) {
            node.handle_message(from, message.expect("our own messages can be decoded"), now);
            node.drain(id, now, &mut said, &mut self.garbled);
        }
        node.handle_timeout(now);
        node.drain(id, now, &mut said, &mut self.garbled);
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
    fn new(id: NodeId, tolerance: Tolerance, modules_len: usize, session: u64, now: Instant) -> Node {
        let replicas_len = tolerance.replicas_len_min();
        let suspicion = SuspicionPolicy::default();
        let core = match id {
            NodeId::FrontEnd => Core::FrontEnd(Box::new(FrontEnd::new(FrontEndConfig {
                replicas_len,
                tolerance,
                request_timeout: REQUEST_TIMEOUT,
                suspicion,
                allow_faults: false,
            }))),
            NodeId::Sequencer => Core::Sequencer(Sequencer::new(1, replicas_len, now)),
            NodeId::ReplicaManager(replica) => {
                let config = ReplicaManagerConfig {
                    replica,
                    replicas_len,
                    tolerance,
                    modules: (0..modules_len).map(|module| Digest::of_bytes(&[module as u8])).collect(),
                    suspicion,
                    recovery: RecoveryPolicy::default(),
                    process: 1,
                };
                Core::ReplicaManager(Box::new(ReplicaManager::new(config, now)), Box::default())
            }
        };
        let endpoint = Endpoint::new(id, NodeId::all(replicas_len), SessionId(session), DATAGRAM_LEN_DEFAULT);
        Node { core, endpoint, retransmitted: BTreeMap::new() }
    }

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
    fn drain(&mut self, id: NodeId, now: Instant, said: &mut Vec<String>, garbled: &mut BTreeSet<NodeId>) {
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
                    Some(front_end::Output::Inject(message)) => panic!("{} was not asked for", message.name()),
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
                    Some(replica_manager::Output::Start { incarnation, module, state }) => {
                        let with = if state.is_some() { "with a checkpoint" } else { "empty" };
                        said.push(format!("{id:<11} start module {module} {with}"));
                        let started = replica.start(module, state.as_deref());
                        core.handle_started(incarnation, started, now);
                        continue;
                    }
                    Some(replica_manager::Output::Execute { incarnation, run }) => {
                        let places: Vec<String> = run.iter().map(|task| format!("#{}", task.order.sequence)).collect();
                        said.push(format!("{id:<11} execute {}", places.join(" ")));
                        core.handle_executed(incarnation, replica.execute(&run), now);
                        continue;
                    }
                    Some(replica_manager::Output::Event(event)) => {
                        said.push(format!("{id:<11} {event}"));
                        continue;
                    }
                },
            };
            let (to, mut message) = transmit;
            if let Message::State { bytes, .. } = &mut message
                && garbled.remove(&id)
            {
                bytes.iter_mut().for_each(|byte| *byte ^= 1);
            }
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
    fn start(&mut self, module: usize, state: Option<&MarketState>) -> Result<(), StartFailure> {
        self.market = NativeMarket::new();
        // A spare has none of the faults of the first one.
        if module > 0 {
            *self = Replica::default();
        }
        match state {
            Some(state) => self.market.import_state(state).map_err(StartFailure::Fault)?.map_err(StartFailure::Refused),
            None => Ok(()),
        }
    }

    /// One result a task, up to the first fault.
    fn execute(&mut self, run: &[Task]) -> Vec<Result<Executed, GuestFault>> {
        let mut results = Vec::new();
        for task in run {
            results.push(self.execute_one(task));
            if results.last().is_some_and(Result::is_err) {
                break;
            }
        }
        results
    }

    fn execute_one(&mut self, Task { order, execute, checkpoint }: &Task) -> Result<Executed, GuestFault> {
        if std::mem::take(&mut self.trap) || self.trap_at == Some(order.sequence.0) {
            return Err(GuestFault::Trap("unreachable".to_owned()));
        }
        let outcome = match &order.command {
            Command::Request(request) if *execute => {
                let context = Context { sequence_number: order.sequence.0, time_ms: order.time_ms };
                let outcome = self.market.execute(context, request)?;
                if std::mem::take(&mut self.corrupt)
                    && let Operation::PurchaseShare { share, count, .. } = request.operation
                {
                    let buyer: BuyerId = "NYKB9999".parse().expect("a buyer");
                    let hidden = Operation::PurchaseShare { buyer, share, count };
                    self.market.execute(context, &Request { caller: Caller::Buyer(buyer), operation: hidden })?;
                }
                let is_wrong = self.wrong_len > 0;
                self.wrong_len -= u64::from(is_wrong);
                Some(if is_wrong { Outcome::Swapped { units: 666 } } else { outcome })
            }
            _ => None,
        };
        let mut export = || -> Result<_, GuestFault> {
            let state = self.market.export_state()?;
            let digest = state.digest();
            Ok((Arc::new(state), digest))
        };
        let checkpoint = if *checkpoint { Some(export()?) } else { None };
        Ok(Executed { outcome, checkpoint })
    }
}

/// What a message says, for those that are not heartbeats.
fn message_words(message: &Message, to: Recipients) -> Option<String> {
    let to = match to {
        Recipients::One(node) => node.to_string(),
        Recipients::ReplicaManagers => "all replicas".to_owned(),
        Recipients::Watchers | Recipients::All => "all".to_owned(),
    };
    match message {
        Message::AddFault { .. } | Message::RemoveFault { .. } | Message::FaultReport { .. } => {
            Some(message.name().to_owned())
        }
        Message::Submit { id, .. } => Some(format!("submit request {} to {to}", id.number.0)),
        Message::Order(order) => Some(format!("order #{} = request {} to {to}", order.sequence, order.id.number.0)),
        Message::Accuse(charge) => Some(format!("accuse {} of #{} to {to}", charge.replica, charge.sequence)),
        Message::Suspect(charge) => {
            Some(format!("suspect {} of silence at #{} to {to}", charge.replica, charge.sequence))
        }
        Message::Void { sequence } => Some(format!("void #{sequence} to {to}")),
        Message::CheckpointVote { sequence, digest } => Some(format!("checkpoint #{sequence} is {}", digest.short())),
        Message::WantCheckpoint => Some(format!("want a checkpoint to {to}")),
        Message::FetchEnd { ordered, .. } => Some(format!("ask for the end of the log, to be #{ordered}, from {to}")),
        Message::LogEnd { sequence, .. } => Some(format!("the log ends at #{sequence}, to {to}")),
        Message::Resume { after, .. } => Some(format!("resume after #{after} to {to}")),
        Message::Resumed { .. } => Some(format!("resumed to {to}")),
        Message::FetchLog { after } => Some(format!("fetch the log after #{after} from {to}")),
        Message::Log { after, orders } => Some(format!("{} orders after #{after} to {to}", orders.len())),
        Message::FetchOffer => Some(format!("fetch any checkpoint from {to}")),
        Message::Offer(certificate) => Some(format!("offer checkpoint #{} to {to}", certificate.sequence)),
        Message::FetchState { sequence, offset } => {
            Some(format!("fetch checkpoint #{sequence} from byte {offset} from {to}"))
        }
        Message::State { sequence, bytes, len, .. } => {
            Some(format!("checkpoint #{sequence}, {} of {len} bytes to {to}", bytes.len()))
        }
        // Those that events tell of, and those that only keep the cluster going.
        Message::Sequenced { .. }
        | Message::Progress(_)
        | Message::Event { .. }
        | Message::CrashVote { .. }
        | Message::Join
        | Message::Joined { .. } => None,
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
