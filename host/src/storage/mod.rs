//! Where a replica manager's records outlive its process.
//!
//! A manager's core says what must not be forgotten ([`Record`]); a driver appends that, and commits once in every turn, before anything
//! leaves that the core has said since: so one wait for the disk serves all that arose in a turn. What was committed is there when
//! the storage is opened again, with whatever of the rest got that far. Storage takes records for bytes and knows nothing of when they
//! arise; how bytes are framed, so that damage shows, is in [`frame`].

pub mod frame;

use crate::protocol::record::{Record, Recovered};

/// What a driver writes records to.
pub trait Storage {
    /// Appends a record. It may be lost until it is committed.
    fn append(&mut self, record: &Record);

    /// Returns once all that was appended outlives this process. After an error nobody knows what does, and the process has to end.
    fn commit(&mut self) -> Result<(), CommitError>;
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
