//! The reference replica module: the share market as a deterministic state machine.
//!
//! [`ReferenceMarket`] is the market, and it is plain Rust: the host's tests, benchmarks and simulator use it natively.
//! For wasm targets the crate also holds a component over it, which is what a replica runs; there the contract in
//! `wit/replica.wit` applies. The rules are those of the market specification, and this crate is written to be read
//! beside it: modules in other languages are compared with this one.
//!
//! What is absent: clocks, randomness, files, threads, and any parsing. Identifiers arrive typed and valid. A request
//! that is sent twice is executed twice; recognising a retry is the host's affair.

mod calendar;
#[cfg(target_family = "wasm")]
mod component;
mod display;
mod invariants;
mod limits;
mod market;
mod permission;
mod portfolio;
mod state;
pub mod types;

pub use market::ReferenceMarket;
