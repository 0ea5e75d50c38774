//! Why a client has no answer.

use std::fmt;
use std::time::Duration;

use super::front_end_name::FrontEndName;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No front end could be had in time, or none wants to be asked again: what became of each.
    #[error("{}", sentences(.0))]
    NoFrontEnd(Vec<Failure>),
    /// Connected, but no answer in time.
    #[error("the front end at {front_end} did not answer within {patience:?}")]
    TimedOut {
        /// Where.
        front_end: FrontEndName,
        /// How long it was waited.
        patience: Duration,
    },
    /// The connection was lost while something was asked that must not be asked twice.
    #[error(
        "the front end at {} was lost after it was asked ({}); whether it has done it is not known, so nobody is asked again",
        .0.front_end, .0.words
    )]
    Unsure(Failure),
}

impl ClientError {
    /// Why no front end could be had, if it is the same reason for all of them.
    pub fn shared_cause(&self) -> Option<Cause> {
        let ClientError::NoFrontEnd(failures) = self else { return None };
        let first = failures.first()?.cause;
        failures.iter().all(|failure| failure.cause == first).then_some(first)
    }
}

/// What became of one front end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub front_end: FrontEndName,
    /// In one word.
    pub cause: Cause,
    /// What the system or the front end said.
    pub words: String,
}

/// Why a front end cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nobody listens there, or the connection was lost, or nothing comes over it. It may be tried again.
    Unreachable,
    /// The connection cannot be secured, or not believed.
    NotSecured,
    /// The front end refuses this client.
    Refused,
}

impl Cause {
    /// Whether another attempt would end like this one.
    pub fn is_final(self) -> bool {
        match self {
            Cause::Unreachable => false,
            Cause::NotSecured | Cause::Refused => true,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { front_end, cause, words } = self;
        match cause {
            Cause::Unreachable => write!(f, "no front end answers at {front_end}: {words}"),
            Cause::NotSecured => write!(f, "the front end at {front_end} is not spoken to: {words}"),
            Cause::Refused => write!(f, "the front end at {front_end} refuses: {words}"),
        }
    }
}

/// What became of several front ends, one sentence each.
pub fn sentences(failures: &[Failure]) -> String {
    failures.iter().map(Failure::to_string).collect::<Vec<_>>().join("; ")
}
