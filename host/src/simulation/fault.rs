//! What can go wrong in a simulated run, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::next_module::NextModule;
use crate::protocol::id::NodeId;

/// A kind of fault. Times are in milliseconds of virtual time unless they say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fault")]
pub enum FaultKind {
    /// So many of a thousand datagrams that the node sends are lost.
    Loss {
        /// Of a thousand.
        per_mille: u64,
    },
    /// Every datagram that the node sends is late by this much, and up to the second more, so that they overtake each other.
    Delay {
        /// At least, in microseconds.
        by_us: u64,
        /// And up to so much more, in microseconds.
        jitter_us: u64,
    },
    /// So many of a thousand datagrams that the node sends arrive twice.
    Duplicate {
        /// Of a thousand.
        per_mille: u64,
    },
    /// So many of a thousand datagrams that the node sends are overtaken by those after them.
    Reorder {
        /// Of a thousand.
        per_mille: u64,
    },
    /// In so many of a thousand datagrams that the node sends a bit is flipped.
    Garble {
        /// Of a thousand.
        per_mille: u64,
    },
    /// The node's link carries one datagram in so many microseconds, and the others queue for it.
    SlowLink {
        /// In microseconds.
        each_us: u64,
    },
    /// Nothing that the node sends arrives; what is sent to it does. With a peer named, only on that link.
    Cut,
    /// The node's process ends; a new one starts when the fault is over. A replica manager's disk is kept, or lost or damaged as well.
    Kill {
        /// Whether it is kept.
        #[serde(default)]
        keeps_disk: bool,
    },
    /// The next time that the manager writes, its process ends in the middle of it; a new one starts when the fault is over.
    TornWrite,
    /// The processes of all nodes end at once, or those of all replica managers; new ones start one by one with their disks, the one at
    /// the fault's place last.
    Outage {
        /// Whether front end and sequencer go on.
        managers_only: bool,
    },
    /// The node's process stands still.
    Pause,
    /// So many of the module's next outcomes are not what it means to say.
    Wrong {
        /// How many.
        outcomes: u64,
        /// With which probability each of them is, of a thousand.
        per_mille: u64,
    },
    /// The module traps at its next request, once.
    Trap,
    /// The module traps at its next request, and at the same one again in every later life.
    TrapAlways,
    /// The next call of the module does not come back.
    Mute,
    /// Every call of the module takes so much longer.
    SlowModule {
        /// In milliseconds.
        by_ms: u64,
    },
    /// A share of the module's state gets one unit more.
    CorruptState,
    /// The next state that the module exports is not the one that it has.
    LieExport,
    /// The module refuses the next state that it is to begin with.
    RefuseImport,
    /// The next piece of a checkpoint that the manager serves to another one is garbled.
    WrongSnapshot,
    /// The modules of all replicas trap at the next request, and at the same one again in every later life.
    Poison,
    /// No fault: an operator has this module take over while the cluster runs, and gives that up when the time is over.
    Swap {
        /// The module.
        to: NextModule,
        /// How many of its outcomes have to be right before.
        shadow: u64,
    },
    /// A client is gone, with all that it waits for, and never comes back.
    Vanish,
    /// A client sends a request again that it was answered already.
    Repeat,
    /// A client sends what is no request.
    Nonsense,
}

/// A kind of fault with its name on the command line, and an example of it.
pub const KINDS: [FaultKind; 25] = [
    FaultKind::Loss { per_mille: 100 },
    FaultKind::Delay { by_us: 10_000, jitter_us: 10_000 },
    FaultKind::Duplicate { per_mille: 100 },
    FaultKind::Reorder { per_mille: 100 },
    FaultKind::Garble { per_mille: 100 },
    FaultKind::SlowLink { each_us: 1000 },
    FaultKind::Cut,
    FaultKind::Kill { keeps_disk: true },
    FaultKind::TornWrite,
    FaultKind::Outage { managers_only: false },
    FaultKind::Pause,
    FaultKind::Wrong { outcomes: 3, per_mille: 1000 },
    FaultKind::Trap,
    FaultKind::TrapAlways,
    FaultKind::Mute,
    FaultKind::SlowModule { by_ms: 10 },
    FaultKind::CorruptState,
    FaultKind::LieExport,
    FaultKind::RefuseImport,
    FaultKind::WrongSnapshot,
    FaultKind::Poison,
    FaultKind::Swap { to: NextModule::Right, shadow: 10 },
    FaultKind::Vanish,
    FaultKind::Repeat,
    FaultKind::Nonsense,
];

/// What a fault is a fault of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realm {
    /// The link from a node to another, or to all others.
    Link,
    /// A node's process.
    Process,
    /// A replica's module, or its manager's copy of the state.
    Module,
    /// The module that a replica has.
    Swap,
    /// A client.
    Client,
}

impl FaultKind {
    /// The kind's name on the command line and in tables.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Loss { .. } => "loss",
            FaultKind::Delay { .. } => "delay",
            FaultKind::Duplicate { .. } => "duplicate",
            FaultKind::Reorder { .. } => "reorder",
            FaultKind::Garble { .. } => "garble",
            FaultKind::SlowLink { .. } => "slow-link",
            FaultKind::Cut => "cut",
            FaultKind::Kill { .. } => "kill",
            FaultKind::TornWrite => "torn-write",
            FaultKind::Outage { .. } => "outage",
            FaultKind::Pause => "pause",
            FaultKind::Wrong { .. } => "wrong",
            FaultKind::Trap => "trap",
            FaultKind::TrapAlways => "trap-always",
            FaultKind::Mute => "mute",
            FaultKind::SlowModule { .. } => "slow-module",
            FaultKind::CorruptState => "corrupt-state",
            FaultKind::LieExport => "lie-export",
            FaultKind::RefuseImport => "refuse-import",
            FaultKind::WrongSnapshot => "wrong-snapshot",
            FaultKind::Poison => "poison",
            FaultKind::Swap { .. } => "swap",
            FaultKind::Vanish => "vanish",
            FaultKind::Repeat => "repeat",
            FaultKind::Nonsense => "nonsense",
        }
    }

    /// What it is a fault of.
    pub fn realm(self) -> Realm {
        match self {
            FaultKind::Loss { .. }
            | FaultKind::Delay { .. }
            | FaultKind::Duplicate { .. }
            | FaultKind::Reorder { .. }
            | FaultKind::Garble { .. }
            | FaultKind::SlowLink { .. }
            | FaultKind::Cut => Realm::Link,
            FaultKind::Kill { .. } | FaultKind::TornWrite | FaultKind::Outage { .. } | FaultKind::Pause => {
                Realm::Process
            }
            FaultKind::Swap { .. } => Realm::Swap,
            FaultKind::Vanish | FaultKind::Repeat | FaultKind::Nonsense => Realm::Client,
            _ => Realm::Module,
        }
    }

    /// Whether it makes a replica's answers or state differ from those of the others: only as many replicas may have such a fault
    /// as the mode takes for wrong.
    pub fn makes_wrong(self) -> bool {
        matches!(self, FaultKind::Wrong { .. } | FaultKind::CorruptState | FaultKind::LieExport)
    }
}

/// Where a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// At this node.
    Node(NodeId),
    /// At the client with this number, from 1.
    Client(usize),
}

impl Place {
    /// The node, if it is one.
    pub fn node(self) -> Option<NodeId> {
        match self {
            Place::Node(node) => Some(node),
            Place::Client(_) => None,
        }
    }

    /// The role, as coverage counts it.
    pub fn role(self) -> &'static str {
        match self {
            Place::Node(node) => node.role(),
            Place::Client(_) => "client",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Node(node) => node.fmt(f),
            Place::Client(number) => write!(f, "client-{number}"),
        }
    }
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Place, String> {
        if let Some(number) = text.strip_prefix("client-").and_then(|number| number.parse().ok())
            && number > 0
        {
            return Ok(Place::Client(number));
        }
        text.parse().map(Place::Node).map_err(|error| format!("{text:?} is no place: {error}, or client-1 and on"))
    }
}

impl Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Place, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A fault in the plan of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// From when on it can strike, in milliseconds after the start.
    pub at_ms: u64,
    /// How long it can strike, in milliseconds. A module's fault that has not struck by then is over.
    pub lasts_ms: u64,
    /// Where.
    pub place: Place,
    /// For faults of links: only on the link to this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Place>,
    /// What.
    #[serde(flatten)]
    pub kind: FaultKind,
}

impl PlannedFault {
    /// When it is over, in milliseconds after the start.
    pub fn ends_ms(&self) -> u64 {
        self.at_ms.saturating_add(self.lasts_ms)
    }
}

impl fmt::Display for PlannedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.kind.name(), self.place)?;
        if let Some(peer) = self.peer {
            write!(f, " towards {peer}")?;
        }
        match self.kind {
            FaultKind::Loss { per_mille }
            | FaultKind::Duplicate { per_mille }
            | FaultKind::Reorder { per_mille }
            | FaultKind::Garble { per_mille } => write!(f, ", {per_mille} of 1000"),
            FaultKind::Delay { by_us, jitter_us } => write!(f, ", {by_us} to {} us", by_us.saturating_add(jitter_us)),
            FaultKind::SlowLink { each_us } => write!(f, ", {each_us} us each"),
            FaultKind::Wrong { outcomes, per_mille } => write!(f, ", {outcomes} times, {per_mille} of 1000"),
            FaultKind::Kill { keeps_disk: true } => write!(f, ", its disk is kept"),
            FaultKind::Outage { managers_only: true } => write!(f, ", of managers only"),
            FaultKind::SlowModule { by_ms } => write!(f, ", by {by_ms} ms"),
            FaultKind::Swap { to, shadow } => write!(f, " to module {:?} after {shadow} outcomes", to.name()),
            _ => Ok(()),
        }?;
        write!(f, ", from {} ms for {} ms", self.at_ms, self.lasts_ms)
    }
}
