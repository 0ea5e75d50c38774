//! dsms hosts the Distributed Share Market System as an actively replicated service whose replicas are WebAssembly modules.
//!
//! ARCHITECTURE.md is the map. Dependencies point one way:
//! `cli -> { runtime -> { sandbox, config }, grading -> conformance -> { sandbox, simulation, native } } -> protocol -> market`.
//!
//! The library is what the binary is made of; tests and benchmarks use it too. The smallest piece that does something:
//!
//! ```
//! use dsms::market::{Context, Module, parse_request};
//! use dsms::sandbox::{Engine, SandboxLimits, reference_module};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::new(SandboxLimits::default())?;
//! let mut replica = engine.load(reference_module())?.instantiate().map_err(|fault| fault.to_string())?;
//! let request = parse_request(&["NYKA1001", "add-share", "NYKM100925", "Equity", "100"])?;
//! let context = Context { sequence_number: 1, time_ms: 0 };
//! let outcome = replica.execute(context, &request).map_err(|fault| fault.to_string())?;
//! assert_eq!(outcome.to_json().to_string(), r#"{"result":"added","capacity":100}"#);
//! # Ok(())
//! # }
//! ```

pub mod access;
pub mod cli;
pub mod config;
pub mod conformance;
pub mod grading;
pub mod market;
pub mod native;
pub mod protocol;
pub mod runtime;
pub mod sandbox;
pub mod simulation;
pub mod storage;
pub mod whole_file;
pub mod workload;
