//! dsms hosts the Distributed Share Market System as an actively replicated service whose replicas are WebAssembly modules.
//!
//! ARCHITECTURE.md is the map. Dependencies point one way:
//! `cli -> runtime -> { protocol, sandbox, seal, config } -> market`.

pub mod cli;
pub mod config;
pub mod market;
pub mod native;
pub mod protocol;
pub mod runtime;
pub mod sandbox;
pub mod seal;
pub mod workload;
