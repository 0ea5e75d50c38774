//! Why a directory cannot be used, in words.

use std::io;

/// A directory was not opened. Nothing in it was changed, except by [`OpenError::Io`] and [`OpenError::NoRoom`], which may come after
/// damage was set aside.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "{directory} is in use by process {holder}, and belongs to one process at a time; stop that one, or keep this cluster's data \
         elsewhere with --data DIR"
    )]
    Held {
        /// Which directory.
        directory: String,
        /// The number of the process that holds it, or `unknown`.
        holder: String,
    },
    /// A later version of this program has written it.
    #[error(
        "{file} was written by a later version of dsms (format {version}, this one knows {known}) and is left as it is; start that \
         version, or keep this cluster's data elsewhere with --data DIR"
    )]
    Newer {
        /// Which file.
        file: String,
        /// The version of its format.
        version: u64,
        /// The version of this program.
        known: u64,
    },
    /// It belongs to somebody else.
    #[error(
        "{file}: {words}, and is left as it is; move it to where it belongs, or keep this cluster's data elsewhere with --data DIR"
    )]
    Foreign {
        /// Which file.
        file: String,
        /// Whose it is.
        words: String,
    },
    /// It belongs to a cluster of another kind.
    #[error(
        "{file}: this data is of {written}, and what is to be started is {wanted}; start it as that one, keep this one's data elsewhere with \
         --data DIR, or begin anew by deleting that directory, and all that was ordered with it"
    )]
    OtherCluster {
        /// Which file says so.
        file: String,
        /// What wrote it.
        written: String,
        /// What is being started.
        wanted: String,
    },
    /// Its disk is full.
    #[error("no room in {directory}: {needed} bytes are needed to begin with, {available} are available ({error})")]
    NoRoom {
        /// Which directory.
        directory: String,
        /// How many bytes are needed.
        needed: u64,
        /// How many there are for this user.
        available: u64,
        /// What the system said.
        error: io::Error,
    },
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        error: io::Error,
    },
}

impl OpenError {
    /// Whether it may be over by itself soon: another process is about to end.
    pub fn is_held(&self) -> bool {
        matches!(self, OpenError::Held { .. })
    }
}

pub(in crate::storage) fn io_error(path: &std::path::Path) -> impl Fn(io::Error) -> OpenError {
    let path = path.display().to_string();
    move |error| OpenError::Io { path: path.clone(), error }
}
