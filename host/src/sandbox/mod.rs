//! Runs replica modules: WebAssembly components, written by anybody, trusted by nobody.
//!
//! This directory is the only place that knows wasmtime. What leaves it are an [`Engine`], a [`LoadedModule`] that met the
//! contract, and an [`Instance`], which is a [`Module`](crate::market::Module): every way in which the guest can fail is a
//! [`GuestFault`](crate::market::GuestFault) value, never a panic and never an error of the host.
//!
//! A guest is deterministic because nothing else reaches it: metered by fuel, capped in memory, with the order's time for
//! a clock and a seed for its random bytes. There is deliberately no wall-clock limit here, since two hosts would disagree
//! over it, and no asynchronous call: an instance is called from an ordinary thread, and never waits.

mod bindings;
mod cache;
mod contract;
mod convert;
mod embedded;
mod engine;
mod error;
mod fault;
mod foreign;
mod host_state;
mod instance;
mod last_words;
mod limits;
mod loaded;
mod log;
mod random;
mod signature;
mod streams;
#[cfg(test)]
mod tests;
mod wasi;

pub use cache::CacheStatus;
pub use contract::{ContractReport, Import, Violation, check_contract};
pub use embedded::reference_module;
pub use engine::Engine;
pub use error::{LoadError, SandboxError};
pub use instance::Instance;
pub use limits::SandboxLimits;
pub use loaded::{LoadedModule, Origin};
pub use log::{LogLevel, LogLine, LogOrigin, LogSink};
pub use random::Seeds;
