//! What happened, for people and for the log. Events have no effect on the protocol.

use std::fmt;

use crate::market::{Digest, GuestFault};

use super::id::{NodeId, ReplicaId, SequenceNumber};

/// Something worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The front end has heard from every node; the cluster answers.
    Ready,
    /// A replica's outcome differs from the one released. In mode `crash` it means that the mode's assumption is broken.
    Diverged {
        /// Which replica.
        replica: ReplicaId,
        /// At which order.
        sequence: SequenceNumber,
    },
    /// No outcome is shared by enough replicas.
    NoAgreement {
        /// At which order.
        sequence: SequenceNumber,
    },
    /// A replica's module failed.
    ModuleFailed {
        /// Which replica.
        replica: ReplicaId,
        /// At which order.
        sequence: SequenceNumber,
        /// How.
        fault: GuestFault,
    },
    /// A replica has lost an order for good: its backlog at the sequencer was full.
    FellBehind {
        /// Which replica.
        replica: ReplicaId,
        /// The last order it has delivered.
        delivered: SequenceNumber,
    },
    /// Replicas have different states at one place of the order.
    StatesDiffer {
        /// At which barrier.
        sequence: SequenceNumber,
        /// Each replica's digest.
        digests: Vec<(ReplicaId, Digest)>,
    },
    /// A request was not answered in time.
    TimedOut {
        /// Its place in the order, if it got one.
        sequence: Option<SequenceNumber>,
    },
    /// A message was ignored.
    Ignored {
        /// Who sent it.
        from: NodeId,
        /// Which message.
        message: &'static str,
        /// Why.
        reason: &'static str,
    },
}

impl Event {
    /// Whether something is wrong.
    pub fn is_warning(&self) -> bool {
        !matches!(self, Event::Ready)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Ready => write!(f, "ready"),
            Event::Diverged { replica, sequence } => {
                write!(f, "outcome differs from the released one replica={replica} seq={sequence}")
            }
            Event::NoAgreement { sequence } => write!(f, "no agreement seq={sequence}"),
            Event::ModuleFailed { replica, sequence, fault } => {
                write!(f, "module failed replica={replica} seq={sequence} fault={fault:?}", fault = fault.to_string())
            }
            Event::FellBehind { replica, delivered } => {
                write!(
                    f,
                    "fell behind for good, and is out until the cluster is started anew replica={replica} seq={delivered}"
                )
            }
            Event::StatesDiffer { sequence, digests } => {
                write!(f, "states differ seq={sequence}")?;
                digests.iter().try_for_each(|(replica, digest)| write!(f, " {replica}={}", digest.short()))
            }
            Event::TimedOut { sequence: Some(sequence) } => write!(f, "timed out seq={sequence}"),
            Event::TimedOut { sequence: None } => write!(f, "timed out before it was ordered"),
            Event::Ignored { from, message, reason } => write!(f, "ignored {message} from={from} reason={reason:?}"),
        }
    }
}
