//! Where a replica manager's records outlive its process.
//!
//! A manager's core says what must not be forgotten ([`Record`]); a driver appends that, and commits once in every turn, before anything
//! leaves that the core has said since: so one wait for the disk serves all that arose in a turn. What was committed is there when
//! the storage is opened again, with whatever of the rest got that far. Storage takes records for bytes and knows nothing of when they
//! arise; how bytes are framed, so that damage shows, is in [`frame`]. [`files`] keeps them in a directory; the simulator has a disk of
//! its own.

pub mod backup;
pub mod files;
pub mod frame;
pub mod ledger;
pub mod lock;
mod numbered_file;

use crate::protocol::record::{Record, Recovered};

/// What a driver writes records to.
pub trait Storage: std::fmt::Debug {
    /// Appends a record. It may be lost until it is committed.
    fn append(&mut self, record: &Record);

    /// Returns once all that was appended outlives this process. After an error nobody knows what does, and the process has to end.
    fn commit(&mut self) -> Result<(), CommitError>;
}

/// What a commit outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The end of the system, and a power cut: it waits for the disk.
    Fsync,
    /// The end of any processes, all at once or one after the other: it leaves to the system when the disk is written.
    Os,
}

impl Durability {
    /// Every one, by its name in configurations and on command lines.
    pub const NAMED: [(&str, Durability); 2] = [("fsync", Durability::Fsync), ("os", Durability::Os)];

    /// Its name.
    pub fn name(self) -> &'static str {
        let named = Durability::NAMED.iter().find(|(_, durability)| *durability == self);
        named.expect("every one has a name").0
    }
}

/// What was appended could not be made to last.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {what}: {error}")]
pub struct CommitError {
    /// What was to be written.
    pub what: String,
    /// What the system said.
    pub error: std::io::Error,
}

/// What was found in a storage when it was opened.
#[derive(Debug, Default)]
pub struct Opened {
    /// What the intact records amount to, up to the first damage.
    pub recovered: Recovered,
    /// What was wrong, in words, one sentence each.
    pub damage: Vec<String>,
}
