//! What happened, for people and for the log. Events have no effect on the protocol.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::market::{Digest, GuestFault};

use super::fault::{Fault, FaultId};
use super::id::{Incarnation, NodeId, ReplicaId, SequenceNumber};
use super::message::Charge;

mod cause;
mod words;

pub use cause::{Cause, Rung};

/// Something that people may want to know about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Every node of the cluster has been heard of, and every replica votes.
    Ready,
    /// A replica's outcome differs from the released one.
    Diverged {
        /// Whose, and where.
        charge: Charge,
        /// How many places in a row it has been wrong, this one included.
        run_len: u64,
    },
    /// No outcome is shared by enough replicas.
    NoAgreement {
        /// Where.
        sequence: SequenceNumber,
        /// What each replica said, in words.
        standing: String,
    },
    /// So many modules failed at a request that no replica executes it.
    Voided {
        /// Where.
        sequence: SequenceNumber,
    },
    /// A replica did not reply in time.
    Suspected {
        /// Who, and where.
        charge: Charge,
        /// How long it was waited.
        deadline: Duration,
    },
    /// A replica manager has voted on whether a suspected replica has crashed.
    Voted {
        /// What was suspected.
        charge: Charge,
        /// What it voted.
        agree: bool,
        /// Its evidence, in words.
        evidence: String,
    },
    /// A majority of all replica managers take a replica for crashed.
    CrashAgreed {
        /// What was suspected.
        charge: Charge,
        /// Who agreed.
        voters: Vec<ReplicaId>,
        /// The process that hosts it, as it was last heard of.
        process: u32,
        /// Nothing is heard of its manager either, so that somebody else has to end the process.
        is_silent: bool,
    },
    /// A replica's module has failed; every later call to the same instance would as well.
    ModuleFailed {
        /// Whose.
        replica: ReplicaId,
        /// Which life.
        incarnation: Incarnation,
        /// At which order.
        sequence: SequenceNumber,
        /// How.
        fault: GuestFault,
    },
    /// A replica begins a new life.
    RecoveryStarted {
        /// Which replica.
        replica: ReplicaId,
        /// Its new life.
        incarnation: Incarnation,
        /// Why.
        cause: Cause,
        /// What is tried.
        rung: Rung,
        /// The module of the new life.
        module: Digest,
    },
    /// A replica could not be started anew.
    RecoveryFailed {
        /// Which replica.
        replica: ReplicaId,
        /// The life that did not begin.
        incarnation: Incarnation,
        /// Why, in words.
        reason: String,
    },
    /// A replica votes again.
    Recovered {
        /// Which replica.
        replica: ReplicaId,
        /// Its life.
        incarnation: Incarnation,
        /// The checkpoint it began with; 0 for the beginning of the order.
        checkpoint: SequenceNumber,
        /// How many orders it executed again.
        replayed_len: u64,
        /// From the decision to the first moment at which its module could be called: instantiation and import.
        instantiated_after: Duration,
        /// From the decision to voting.
        took: Duration,
    },
    /// The first checkpoint after a recovery was certified, and the recovered replica's equals it.
    Verified {
        /// Which replica.
        replica: ReplicaId,
        /// Its life.
        incarnation: Incarnation,
        /// Where.
        sequence: SequenceNumber,
        /// What all have.
        digest: Digest,
    },
    /// A replica stands before a request at which its module fails every time; it waits until the others have decided.
    Blocked {
        /// Which replica.
        replica: ReplicaId,
        /// Where.
        sequence: SequenceNumber,
    },
    /// A replica is out of the vote until somebody gives it another module.
    Quarantined {
        /// Which replica.
        replica: ReplicaId,
        /// Its last life.
        incarnation: Incarnation,
        /// What ended it.
        cause: Cause,
    },
    /// Enough replicas have the same checkpoint.
    Certified {
        /// Where.
        sequence: SequenceNumber,
        /// Of what.
        digest: Digest,
        /// Who has it.
        voters: Vec<ReplicaId>,
    },
    /// A replica that answered rightly has another state than the certified one.
    Corrupt {
        /// Which replica.
        replica: ReplicaId,
        /// Which life.
        incarnation: Incarnation,
        /// Where.
        sequence: SequenceNumber,
        /// What it has.
        own: Digest,
        /// What was certified.
        certified: Digest,
    },
    /// Where a corrupt state first differs from the certified one.
    FirstDifference {
        /// Which replica.
        replica: ReplicaId,
        /// Where.
        sequence: SequenceNumber,
        /// The record in the corrupt state; nothing if it is missing there.
        own: Option<String>,
        /// The record in the certified state; nothing if there is none.
        certified: Option<String>,
    },
    /// A replica manager has fetched a checkpoint from another one.
    StateFetched {
        /// Which replica it is for.
        replica: ReplicaId,
        /// Where it came from.
        from: ReplicaId,
        /// Its place.
        sequence: SequenceNumber,
        /// Its size.
        len_bytes: u64,
    },
    /// A fetched checkpoint is not the certified one; the next source is asked.
    StateRefused {
        /// Which replica it was for.
        replica: ReplicaId,
        /// Where it came from.
        from: ReplicaId,
        /// Its place.
        sequence: SequenceNumber,
        /// Why, in words.
        reason: String,
    },
    /// Replicas have different states at one place of the order, and no digest is shared by enough.
    StatesDiffer {
        /// Where.
        sequence: SequenceNumber,
        /// Each replica's digest.
        digests: Vec<(ReplicaId, Digest)>,
    },
    /// Somebody asked for a fault.
    FaultAdded {
        /// Its number.
        id: FaultId,
        /// Where it strikes.
        node: NodeId,
        /// What.
        fault: Fault,
    },
    /// A fault has struck for the first time.
    FaultFired {
        /// Its number.
        id: FaultId,
        /// Where.
        node: NodeId,
    },
    /// A fault strikes no more.
    FaultOver {
        /// Its number.
        id: FaultId,
        /// Where it has struck.
        node: NodeId,
        /// How often.
        fired: u64,
        /// Why it could not.
        refused: Option<String>,
    },
    /// A shadow follows the order.
    ShadowStarted {
        /// Whose.
        replica: ReplicaId,
        /// Its module.
        module: Digest,
        /// The checkpoint that it began with; 0 for the beginning of the order.
        checkpoint: SequenceNumber,
    },
    /// A replica has another module, which has shown itself right as a shadow.
    Swapped {
        /// Which replica.
        replica: ReplicaId,
        /// The life that began with it.
        incarnation: Incarnation,
        /// After which order.
        sequence: SequenceNumber,
        /// The module that it has now.
        module: Digest,
        /// The module that it had, which is its first spare now.
        previous: Digest,
    },
    /// A module that was to take over does not.
    SwapFailed {
        /// Whose it would have been.
        replica: ReplicaId,
        /// Why, in words.
        reason: String,
    },
    /// Some of what a replica's manager had kept for its next process cannot be read. The other managers have it.
    KeptDamaged {
        /// Whose manager.
        replica: ReplicaId,
        /// What is wrong where, in words.
        what: String,
    },
    /// A replica's manager cannot keep anything, so the replica does not vote.
    KeepingFailed {
        /// Whose manager.
        replica: ReplicaId,
        /// Why, in words.
        reason: String,
    },
    /// A client's request waited too long.
    TimedOut {
        /// Its place, if it was ordered.
        sequence: Option<SequenceNumber>,
    },
    /// A message that has no effect: late, repeated, or from the wrong node.
    Ignored {
        /// Whose.
        from: NodeId,
        /// Which.
        message: String,
        /// Why.
        reason: String,
    },
    /// A node drops datagrams that no node of its cluster has sealed for it, or has sealed with keys that it does not hold. How many in all.
    StrangeDatagrams {
        /// Not sealed by the node that they name, or none of ours.
        forged: u64,
        /// Cut off.
        truncated: u64,
        /// Sent by the node itself.
        reflected: u64,
        /// Of another cluster.
        other_cluster: u64,
        /// Under a generation of keys that it does not hold.
        unknown_key: u64,
        /// Of another version of dsms.
        unknown_version: u64,
    },
    /// A node has read its keys again, and holds this generation and perhaps the one before.
    KeysRead {
        /// The newest.
        newest: u16,
    },
    /// A node was to read its keys again, and goes on with those that it had.
    KeysRefused {
        /// Why, in words.
        reason: String,
    },
    /// Something about the files of the front end's ledger.
    Ledger(super::ledger::LedgerNews),
}

impl Event {
    /// Whether somebody may want to look into it.
    pub fn is_warning(&self) -> bool {
        !matches!(
            self,
            Event::Ready
                | Event::RecoveryStarted { cause: Cause::NewProcess(_), .. }
                | Event::Recovered { .. }
                | Event::Verified { .. }
                | Event::Certified { .. }
                | Event::StateFetched { .. }
                | Event::FaultAdded { .. }
                | Event::FaultFired { .. }
                | Event::ShadowStarted { .. }
                | Event::Swapped { .. }
                | Event::KeysRead { .. }
                | Event::Ledger(super::ledger::LedgerNews::Resumed { .. })
                | Event::FaultOver { refused: None, .. }
        )
    }

    /// The event's name, for programs that read the log.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Ready => "ready",
            Event::Diverged { .. } => "diverged",
            Event::NoAgreement { .. } => "no-agreement",
            Event::Voided { .. } => "voided",
            Event::Suspected { .. } => "suspected",
            Event::Voted { .. } => "voted",
            Event::CrashAgreed { .. } => "crash-agreed",
            Event::ModuleFailed { .. } => "module-failed",
            Event::RecoveryStarted { .. } => "recovery-started",
            Event::RecoveryFailed { .. } => "recovery-failed",
            Event::Recovered { .. } => "recovered",
            Event::Verified { .. } => "verified",
            Event::Blocked { .. } => "blocked",
            Event::Quarantined { .. } => "quarantined",
            Event::Certified { .. } => "certified",
            Event::Corrupt { .. } => "corrupt",
            Event::FirstDifference { .. } => "first-difference",
            Event::StateFetched { .. } => "state-fetched",
            Event::StateRefused { .. } => "state-refused",
            Event::StatesDiffer { .. } => "states-differ",
            Event::FaultAdded { .. } => "fault-added",
            Event::FaultFired { .. } => "fault-fired",
            Event::FaultOver { .. } => "fault-over",
            Event::ShadowStarted { .. } => "shadow-started",
            Event::Swapped { .. } => "swapped",
            Event::SwapFailed { .. } => "swap-failed",
            Event::KeptDamaged { .. } => "kept-damaged",
            Event::KeepingFailed { .. } => "keeping-failed",
            Event::TimedOut { .. } => "timed-out",
            Event::Ignored { .. } => "ignored",
            Event::StrangeDatagrams { .. } => "strange-datagrams",
            Event::KeysRead { .. } => "keys-read",
            Event::KeysRefused { .. } => "keys-refused",
            Event::Ledger(news) => news.kind(),
        }
    }

    /// The replica that this is about, if it is about one.
    pub fn replica(&self) -> Option<ReplicaId> {
        match self {
            Event::Diverged { charge, .. }
            | Event::Suspected { charge, .. }
            | Event::Voted { charge, .. }
            | Event::CrashAgreed { charge, .. } => Some(charge.replica),
            Event::ModuleFailed { replica, .. }
            | Event::RecoveryStarted { replica, .. }
            | Event::RecoveryFailed { replica, .. }
            | Event::Recovered { replica, .. }
            | Event::Verified { replica, .. }
            | Event::Blocked { replica, .. }
            | Event::Quarantined { replica, .. }
            | Event::Corrupt { replica, .. }
            | Event::FirstDifference { replica, .. }
            | Event::StateFetched { replica, .. }
            | Event::StateRefused { replica, .. }
            | Event::ShadowStarted { replica, .. }
            | Event::Swapped { replica, .. }
            | Event::SwapFailed { replica, .. }
            | Event::KeptDamaged { replica, .. }
            | Event::KeepingFailed { replica, .. } => Some(*replica),
            Event::FaultAdded { node, .. } | Event::FaultFired { node, .. } | Event::FaultOver { node, .. } => {
                node.replica()
            }
            Event::Ready
            | Event::NoAgreement { .. }
            | Event::Voided { .. }
            | Event::Certified { .. }
            | Event::StatesDiffer { .. }
            | Event::TimedOut { .. }
            | Event::Ignored { .. }
            | Event::StrangeDatagrams { .. }
            | Event::KeysRead { .. }
            | Event::KeysRefused { .. }
            | Event::Ledger(_) => None,
        }
    }

    /// The place of the order that this is about, if it is about one.
    pub fn sequence(&self) -> Option<SequenceNumber> {
        match self {
            Event::Diverged { charge, .. }
            | Event::Suspected { charge, .. }
            | Event::Voted { charge, .. }
            | Event::CrashAgreed { charge, .. } => Some(charge.sequence),
            Event::NoAgreement { sequence, .. }
            | Event::Voided { sequence }
            | Event::ModuleFailed { sequence, .. }
            | Event::Verified { sequence, .. }
            | Event::Blocked { sequence, .. }
            | Event::Certified { sequence, .. }
            | Event::Corrupt { sequence, .. }
            | Event::FirstDifference { sequence, .. }
            | Event::StateFetched { sequence, .. }
            | Event::StateRefused { sequence, .. }
            | Event::StatesDiffer { sequence, .. }
            | Event::Swapped { sequence, .. } => Some(*sequence),
            Event::RecoveryStarted { cause, .. } | Event::Quarantined { cause, .. } => cause.sequence(),
            Event::TimedOut { sequence } => *sequence,
            Event::Ready
            | Event::RecoveryFailed { .. }
            | Event::Recovered { .. }
            | Event::ShadowStarted { .. }
            | Event::SwapFailed { .. }
            | Event::KeptDamaged { .. }
            | Event::KeepingFailed { .. }
            | Event::FaultAdded { .. }
            | Event::FaultFired { .. }
            | Event::FaultOver { .. }
            | Event::Ignored { .. }
            | Event::StrangeDatagrams { .. }
            | Event::KeysRead { .. }
            | Event::KeysRefused { .. }
            | Event::Ledger(_) => None,
        }
    }
}
