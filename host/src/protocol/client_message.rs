//! What clients and a front end tell each other, over a reliable stream.
//!
//! Every message carries a number that the client chose, and the front end's answer carries the same one, so many requests can
//! be under way at once and be answered in any order.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::market::{Answer, Digest};

use super::event_log::EventRecord;
use super::fault::{Fault, FaultId};
use super::id::{ClientId, NodeId, ReplicaId, RequestId, RequestNumber, SequenceNumber};
use super::ledger::Record;
use super::message::{Command, Progress, Response};
use super::swap::{SwapAsk, SwapStatus};

/// Client to front end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMessage {
    /// The first message of a connection: who the client is. A client that reconnects to retry says the same again.
    Hello {
        /// Drawn at random by the client.
        client: ClientId,
    },
    /// One request, in the words of a command line: caller, operation, arguments.
    Request {
        /// The client's own count.
        number: RequestNumber,
        /// The words.
        words: Vec<String>,
    },
    /// Have every replica digest its state at one place of the order.
    Digest {
        /// The client's own count.
        number: RequestNumber,
    },
    /// How are the nodes?
    Status {
        /// The client's own count.
        number: RequestNumber,
    },
    /// What happened at one place of the order?
    Why {
        /// The client's own count.
        number: RequestNumber,
        /// The place.
        sequence: u64,
    },
    /// What happened in the cluster lately?
    Events {
        /// The client's number for this message.
        number: RequestNumber,
        /// Only what came after the event with this index; 0 for all that is kept.
        after: u64,
    },
    /// Have faults strike, or none any more.
    Faults {
        /// The client's own count.
        number: RequestNumber,
        /// What to do.
        ask: FaultAsk,
    },
    /// Change the module of a replica, or tell how far that is.
    Swap {
        /// The client's own count.
        number: RequestNumber,
        /// What to do.
        ask: SwapAsk,
    },
    /// What was asked at the places after this one?
    History {
        /// The client's own count.
        number: RequestNumber,
        /// The place; 0 for all that is kept.
        after: u64,
    },
    /// For whom this connection may speak. Not answered; a token that is not good ends the connection.
    Tokens {
        /// One for each id.
        tokens: Vec<TokenText>,
    },
}

/// The text of a token. Whoever has it may speak for its id, so it is never printed by accident.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenText(pub String);

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(…)")
    }
}

/// What a client may ask about faults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultAsk {
    /// Have this fault strike.
    Add {
        /// Where.
        node: NodeId,
        /// What, and how often.
        fault: Fault,
    },
    /// Tell of all faults.
    List,
    /// Let this fault strike no more; all of them if none is named.
    Remove(Option<FaultId>),
}

/// A fault that was asked for, and what has become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultStatus {
    /// Its number.
    pub id: FaultId,
    /// Where it strikes.
    pub node: NodeId,
    /// What was asked for.
    pub fault: Fault,
    /// How often it has struck.
    pub fired: u64,
    /// Whether it can strike.
    pub state: FaultState,
}

/// Whether a fault can strike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultState {
    /// It can.
    Active,
    /// It has struck as often or as long as was asked for, or was removed.
    Over,
    /// It cannot, for this reason.
    Refused(String),
}

impl ClientMessage {
    /// The client's number for this message, which its answer carries; `None` for one that is not answered.
    pub fn number(&self) -> Option<RequestNumber> {
        match self {
            ClientMessage::Hello { .. } | ClientMessage::Tokens { .. } => None,
            ClientMessage::Request { number, .. }
            | ClientMessage::Digest { number }
            | ClientMessage::Status { number }
            | ClientMessage::Why { number, .. }
            | ClientMessage::Events { number, .. }
            | ClientMessage::Faults { number, .. }
            | ClientMessage::Swap { number, .. }
            | ClientMessage::History { number, .. } => Some(*number),
        }
    }
}

/// Front end to client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerMessage {
    /// The number that the client gave its message.
    pub number: RequestNumber,
    /// The answer.
    pub body: ServerBody,
}

/// The answer of a front end, by what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerBody {
    /// To a request.
    Answer(Answer),
    /// To a digest: what each replica said at this place of the order, `None` for those that said nothing in time.
    Digests {
        /// The barrier's place.
        sequence: u64,
        /// One entry a replica.
        responses: Vec<(ReplicaId, Option<Response>)>,
    },
    /// To a status.
    Status(ClusterStatus),
    /// To a why.
    Why(WhyAnswer),
    /// What happened, the earliest first.
    Events(Vec<EventRecord>),
    /// The faults that were asked about: the one that was added, those that were removed, or all.
    Faults(Vec<FaultStatus>),
    /// The swap that was asked about; nothing if the replica has that module already.
    Swap(Option<SwapStatus>),
    /// There is no such swap, or it cannot begin; the sentence says why.
    SwapRefused(String),
    /// The fault cannot be had, or there is none of this number; the sentence says why.
    FaultRefused(String),
    /// The connection is refused and will be closed, and so would be another one; the sentence says why.
    Refused(String),
    /// What was asked at the first places of those that were asked about, as many as go into one answer; none where nothing is recorded
    /// after the place.
    History(Vec<PastOrder>),
    /// The connection will be closed, for want of room or of anything to do; another one may be opened. The sentence says why.
    Closed(String),
}

/// What the ledger knows of one place, without the replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastOrder {
    /// The place. Those of one answer have no gap between them.
    pub sequence: SequenceNumber,
    /// Whose request it was and what was asked; `None` if the front end does not know, since an earlier process submitted it.
    pub asked: Option<(RequestId, Command)>,
    /// No replica has executed it, since too many modules failed at it.
    pub is_void: bool,
}

/// How the nodes are, as the front end knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// How many replicas may be wrong.
    pub wrong: usize,
    /// How many may have crashed.
    pub crashed: usize,
    /// One entry a node.
    pub nodes: Vec<NodeStatus>,
}

/// How one node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Which node.
    pub node: NodeId,
    /// Whether it answers.
    pub state: NodeState,
    /// Its last heartbeat.
    pub progress: Option<Progress>,
    /// How long ago the front end heard anything from it; zero for the front end itself.
    pub last_seen: Option<Duration>,
    /// At how many places in a row the replica was wrong last; 0 for other nodes.
    pub wrong_len: u64,
    /// How many lives of the replica have begun since it has voted first in the front end's time; 0 for other nodes.
    pub restarts_len: u32,
    /// Whether the replica owes a reply for longer than its deadline.
    pub is_suspected: bool,
}

/// Whether a node answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeState {
    /// It sends heartbeats.
    Up,
    /// It has never been heard of.
    Unknown,
    /// It has been silent for longer than its heartbeats allow.
    Silent,
}

/// What the ledger says about one place of the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhyAnswer {
    /// All that was recorded, with the state of the whole order for comparison.
    Recorded {
        /// The record.
        record: Box<Record>,
        /// What happened in the cluster at this place, as far as it is still known.
        events: Vec<EventRecord>,
    },
    /// Nothing, since the ledger holds only these places, first and last; both 0 while it is empty.
    NotRecorded {
        /// The oldest place held.
        first: u64,
        /// The newest place held.
        last: u64,
    },
}

/// The states of all replicas are equal at this place, or they are not.
pub fn shared_digest(responses: &[(ReplicaId, Option<Response>)]) -> Option<Digest> {
    let mut digests = responses.iter().map(|(_, response)| match response {
        Some(Response::StateDigest(digest)) => Some(*digest),
        _ => None,
    });
    let first = digests.next()??;
    digests.all(|digest| digest == Some(first)).then_some(first)
}
