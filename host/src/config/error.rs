//! What can be wrong with a configuration, in words, with the place and what was expected.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::Utf8Error;

use thiserror::Error;

use super::FILE_BYTES_MAX;
use crate::protocol::id::NodeId;
use crate::protocol::quorum::ImpossibleTolerance;

/// A configuration file could not be loaded.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file could not be read at all.
    #[error("cannot read the configuration file {path}; `dsms up` runs a cluster without one", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is larger than [`FILE_BYTES_MAX`].
    #[error("{path} is larger than the {FILE_BYTES_MAX} bytes that a configuration file may have", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file says something that is wrong: one line a problem, each `<file>:<line>:<column>: <what>`.
    #[error("{}", lines(path, problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, in the order of the file; at least one.
        problems: Vec<Problem>,
    },
}

fn lines(path: &Path, problems: &[Problem]) -> String {
    let path = path.display();
    problems.iter().map(|problem| format!("{path}:{problem}")).collect::<Vec<_>>().join("\n")
}

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, and what is expected instead.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
}

impl Place {
    /// The place of this byte of the text.
    pub(super) fn of(text: &str, offset: usize) -> Place {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The problem of a file that is not text.
pub(super) fn not_utf8(bytes: &[u8], error: Utf8Error) -> Problem {
    let text = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
    Problem { place: Place::of(&text, text.len()), what: "this byte is not UTF-8, expected text".to_owned() }
}

/// A mode, a number of replicas and a list of modules do not make a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ModeError {
    /// The replicas cannot carry the tolerances.
    #[error(transparent)]
    Impossible(#[from] ImpossibleTolerance),
    /// There are more modules than replicas to run them.
    #[error("there are {modules_len} modules for {replicas_len} replicas; name at most one module for each replica")]
    Modules {
        /// How many modules.
        modules_len: usize,
        /// For how many replicas.
        replicas_len: usize,
    },
    /// There is no file at the path of a module.
    #[error("there is no module file {path}", path = .0.display())]
    NoSuchModule(PathBuf),
}

/// Addresses whose port is still to be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPorts {
    /// The node, and the key of its address in the file; at least one.
    pub without: Vec<(NodeId, &'static str)>,
}

impl fmt::Display for MissingPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.without.iter().map(|(node, key)| format!("{node} ({key})")).collect();
        write!(
            f,
            "no port is given for {}: nodes that are started one by one need the ports of all in the configuration file; \
             `dsms up` chooses them itself",
            names.join(", ")
        )
    }
}

impl std::error::Error for MissingPorts {}

/// A path cannot be written into a configuration file, which is UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path} is not UTF-8, so no configuration file can hold it; move it to another path", path = .0.display())]
pub struct PathNotUtf8(pub PathBuf);
