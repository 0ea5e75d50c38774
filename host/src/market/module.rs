//! What the host expects of a running replica module, and every way in which one can fail.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{MarketState, Outcome, Request};

/// What the order says about a request; all that a module knows of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The request's place in the total order, from 1.
    pub sequence_number: u64,
    /// The sequencer's time, in milliseconds since the Unix epoch.
    pub time_ms: u64,
}

/// One market, run as a deterministic state machine. After any [`GuestFault`] the module is finished: every later call
/// answers [`GuestFault::Finished`].
pub trait Module {
    /// Executes one ordered request. The outcome is in canonical form.
    fn execute(&mut self, context: Context, request: &Request) -> Result<Outcome, GuestFault>;

    /// The whole market, in canonical order.
    fn export_state(&mut self) -> Result<MarketState, GuestFault>;

    /// Replaces the whole market. The inner error is the module's own refusal, in its words.
    fn import_state(&mut self, state: &MarketState) -> Result<Result<(), String>, GuestFault>;
}

/// How a replica module failed. A fault is data, not an error of the host: it is what replicas are watched for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GuestFault {
    /// The guest trapped: a panic, an abort, `unreachable`, a division by zero. Carries the trap and, where the guest
    /// printed any, its last words.
    Trap(String),
    /// The call used up its budget of instructions: an endless loop, or a very slow one.
    BudgetExhausted {
        /// The budget, in units of fuel (about one for each WebAssembly instruction).
        fuel: u64,
    },
    /// The guest asked for more memory than it may have.
    MemoryExceeded {
        /// What it asked for, in bytes.
        asked_bytes: u64,
        /// The cap, in bytes.
        max_bytes: u64,
    },
    /// The guest called itself too deeply.
    StackOverflow,
    /// The component imports something a replica may not have. Carries each import with the reason.
    RefusedImport(String),
    /// The component does not export the contract, or exports it with other types.
    BadExport(String),
    /// The outcome, the exported state or a message is larger than the host accepts.
    Oversized {
        /// What was too large, in words.
        what: String,
    },
    /// The guest asked to end its process.
    Exited {
        /// The exit code it gave.
        code: i32,
    },
    /// An earlier fault ended this instance.
    Finished,
}

impl fmt::Display for GuestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GuestFault::Trap(words) => write!(f, "trap: {words}"),
            GuestFault::BudgetExhausted { fuel } => write!(f, "instruction budget of {fuel} exhausted"),
            GuestFault::MemoryExceeded { asked_bytes, max_bytes } => {
                write!(f, "asked for {asked_bytes} bytes of memory, the cap is {max_bytes}")
            }
            GuestFault::StackOverflow => write!(f, "stack overflow"),
            GuestFault::RefusedImport(words) => write!(f, "refused import: {words}"),
            GuestFault::BadExport(words) => write!(f, "bad export: {words}"),
            GuestFault::Oversized { what } => write!(f, "oversized: {what}"),
            GuestFault::Exited { code } => write!(f, "asked to exit with code {code}"),
            GuestFault::Finished => write!(f, "the instance was ended by an earlier fault"),
        }
    }
}
