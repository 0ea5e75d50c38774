//! The reference replica module: the share market as a deterministic state machine.
//!
//! [`ReferenceMarket`] is the market, and it is plain Rust: the host's tests, benchmarks and simulator use it natively.
//! For wasm targets the crate also holds a component over it, which is what a replica runs; there the contract in
//! `wit/replica.wit` applies. The rules are those of the market specification, and this crate is written to be read
//! beside it: modules in other languages are compared with this one.
//!
//! What is absent: clocks, randomness, files, threads, and any parsing. Identifiers arrive typed and valid. A request
//! that is sent twice is executed twice; recognising a retry is the host's affair.
//!
//! ```
//! use dsms_reference::ReferenceMarket;
//! use dsms_reference::types::*;
//!
//! let mut market = ReferenceMarket::new();
//! let id = ShareId { market: Market::Nyk, slot: Slot::Morning, date: Date { year: 2025, month: 9, day: 10 } };
//! let share = Share { share_type: ShareType::Equity, id };
//! let admin = Caller::Admin(AdminId { market: Market::Nyk, number: 1001 });
//! let add = Operation::AddShare(AddShare { share, capacity: 100 });
//! assert_eq!(market.execute(&Request { caller: admin, operation: add }), Outcome::Added(Added { capacity: 100 }));
//!
//! let again = Request { caller: admin, operation: add };
//! assert_eq!(market.execute(&again), Outcome::Refused(Refusal::AlreadyExists));
//! assert_eq!(market.export_state().shares.len(), 1);
//! ```

mod calendar;
#[cfg(target_family = "wasm")]
pub mod component;
mod display;
mod invariants;
mod limits;
mod market;
mod permission;
mod portfolio;
mod state;
pub mod types;

pub use market::ReferenceMarket;
