//! Changing the module of a replica while the cluster runs: what is asked for, and how far it is.
//!
//! The new module follows the order as a *shadow* of the replica, from a certified checkpoint on. Its outcomes go to the front end, which
//! compares each with the one that was released, and has the manager promote the shadow once enough of them are equal. Until then the
//! replica votes with the module it has; a swap that fails has changed nothing.

use serde::{Deserialize, Serialize};

use crate::market::Digest;

use super::id::{Incarnation, ReplicaId, SequenceNumber};
use super::message::{Command, Response};

/// Names one swap; a later one has a greater number, whichever process of the front end gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SwapId(pub u64);

/// The module that is to take over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Candidate {
    /// A file on the machine of the replica manager, whose bytes have this digest.
    File {
        /// Where, as an absolute path.
        path: String,
        /// What it has to be.
        digest: Digest,
    },
    /// The module that the last swap of this replica has replaced.
    Previous,
}

/// How far a swap is, as the replica manager tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The module is read, checked and, if it has to be, compiled.
    Loading,
    /// An instance imports the state.
    Importing,
    /// The instance follows the order.
    Following {
        /// Every order up to this one is executed by the shadow.
        executed: SequenceNumber,
        /// Every order up to this one is executed by the replica.
        target: SequenceNumber,
    },
    /// The module is the replica's now.
    Promoted {
        /// The life that began with it.
        incarnation: Incarnation,
        /// After which order.
        sequence: SequenceNumber,
    },
    /// It is not, and will not be, for this reason. The replica has the module that it had.
    Failed(String),
}

impl Stage {
    /// Whether nothing more will come.
    pub fn is_over(&self) -> bool {
        matches!(self, Stage::Promoted { .. } | Stage::Failed(_))
    }
}

/// What a client may ask about swaps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SwapAsk {
    /// Begin one.
    Begin {
        /// Whose module is to change.
        replica: ReplicaId,
        /// The module that takes over.
        candidate: Candidate,
        /// How many of its outcomes have to equal the released ones first.
        shadow_len: u64,
    },
    /// How far is it?
    Look {
        /// Of which replica.
        replica: ReplicaId,
        /// Which one.
        swap: SwapId,
    },
    /// Give it up.
    End {
        /// Of which replica.
        replica: ReplicaId,
        /// Which one.
        swap: SwapId,
    },
}

/// A swap, as the front end knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapStatus {
    /// Which one.
    pub swap: SwapId,
    /// Whose module changes.
    pub replica: ReplicaId,
    /// How many outcomes have to be equal.
    pub shadow_len: u64,
    /// How many were.
    pub equal_len: u64,
    /// How far it is.
    pub stage: Stage,
    /// The outcome that was not.
    pub mismatch: Option<Mismatch>,
}

/// A shadow's outcome that is not the released one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// At which order.
    pub sequence: SequenceNumber,
    /// What was asked, if the front end knows.
    pub command: Option<Command>,
    /// What the shadow answers.
    pub shadow: Response,
    /// What was released.
    pub released: Response,
}
