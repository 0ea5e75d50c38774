//! Why a replica is brought back, and by what.

use serde::{Deserialize, Serialize};

use crate::market::GuestFault;
use crate::protocol::id::SequenceNumber;

/// Why a replica is brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// It was wrong three consecutive times, the last time here.
    Wrong(SequenceNumber),
    /// A majority agreed that it has crashed.
    Crashed(SequenceNumber),
    /// Its module failed here.
    ModuleFailed(SequenceNumber, GuestFault),
    /// Its state at this checkpoint is not the certified one.
    Corrupt(SequenceNumber),
    /// The checkpoint could not be imported.
    ImportFailed(String),
    /// It has executed a request that became void.
    Voided(SequenceNumber),
    /// Its manager has missed too much.
    Behind(SequenceNumber),
    /// While it was being brought back, a call of its module has not come back here.
    Hung(SequenceNumber),
    /// Its manager's process is new, and has kept the order up to here. Nothing need have gone wrong.
    NewProcess(SequenceNumber),
}

/// What is tried to bring a replica back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rung {
    /// The same module, instantiated anew.
    Reinstantiate,
    /// The next of its spares.
    Spare,
}

impl Cause {
    /// The place of the order at which it showed.
    pub fn sequence(&self) -> Option<SequenceNumber> {
        match self {
            Cause::Wrong(sequence)
            | Cause::Crashed(sequence)
            | Cause::ModuleFailed(sequence, _)
            | Cause::Corrupt(sequence)
            | Cause::Voided(sequence)
            | Cause::Behind(sequence)
            | Cause::Hung(sequence) => Some(*sequence),
            Cause::ImportFailed(_) | Cause::NewProcess(_) => None,
        }
    }
}
