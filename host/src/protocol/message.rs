//! What nodes tell each other. ARCHITECTURE.md has the table of who sends what to whom.

use serde::{Deserialize, Serialize};

use crate::market::{Digest, GuestFault, Outcome, Request};

use super::id::{Incarnation, NodeId, RequestId, SequenceNumber};

/// What can be given a place in the total order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Execute a client's request.
    Request(Request),
    /// Change nothing; digest the state as it is at this place of the order.
    Barrier,
}

/// One place of the total order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The place.
    pub sequence: SequenceNumber,
    /// The sequencer's time, in milliseconds since the Unix epoch; the only time that modules see.
    pub time_ms: u64,
    /// The front end to reply to.
    pub origin: NodeId,
    /// Whose request it is, and as which.
    pub id: RequestId,
    /// What to do.
    pub command: Command,
}

/// What a replica answers to one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// The request was executed.
    Executed {
        /// Where in the order it was executed first: an earlier place for a request that was retried.
        first: SequenceNumber,
        /// The outcome of that execution.
        outcome: Outcome,
    },
    /// The state at a barrier.
    StateDigest(Digest),
    /// The request was executed so long ago that its outcome is forgotten. It was not executed again.
    Forgotten,
    /// The module failed.
    Fault(GuestFault),
}

/// A replica's answer, on its way to the front end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Which order it answers.
    pub sequence: SequenceNumber,
    /// Which life of the replica speaks.
    pub incarnation: Incarnation,
    /// The answer.
    pub response: Response,
}

/// A node's heartbeat: how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which life of the node speaks.
    pub incarnation: Incarnation,
    /// The highest number that the sequencer gave, or that the replica manager delivered with all before it.
    pub delivered: SequenceNumber,
    /// The highest number executed; for the sequencer the same as `delivered`.
    pub executed: SequenceNumber,
    /// The module's digest; `None` for the sequencer.
    pub module: Option<Digest>,
    /// Whether a fault has ended the module.
    pub failed: bool,
}

/// Everything that travels between nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Front end to sequencer: order this.
    Submit {
        /// Whose request it is, and as which.
        id: RequestId,
        /// What to order.
        command: Command,
    },
    /// Sequencer to every replica manager: a place of the order.
    Order(Order),
    /// Sequencer to front end: where a request stands.
    Sequenced {
        /// The request.
        id: RequestId,
        /// Its place.
        sequence: SequenceNumber,
    },
    /// Replica manager to front end: a replica's answer.
    Reply(Reply),
    /// Replica manager or sequencer to front end, replica manager to sequencer: a heartbeat.
    Progress(Progress),
}

impl Message {
    /// The message's name in logs.
    pub fn name(&self) -> &'static str {
        match self {
            Message::Submit { .. } => "submit",
            Message::Order(_) => "order",
            Message::Sequenced { .. } => "sequenced",
            Message::Reply(_) => "reply",
            Message::Progress(_) => "progress",
        }
    }
}
