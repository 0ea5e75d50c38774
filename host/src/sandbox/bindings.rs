//! The contract `wit/replica.wit` as Rust types and typed calls, generated when the host is compiled.
//!
//! Nothing outside the sandbox sees these types: `convert` translates them from and to those of `market`.

wasmtime::component::bindgen!({ path: "../wit", world: "replica" });

/// The version of the contract that this host speaks.
pub(super) const CONTRACT_VERSION: &str = "1.0.0";
/// What a module has to export.
pub(super) const MARKET_INTERFACE: &str = "dsms:replica/market@1.0.0";
/// What a module may call.
pub(super) const LOG_INTERFACE: &str = "dsms:replica/log@1.0.0";
/// Names types only; importing it asks for nothing.
pub(super) const TYPES_INTERFACE: &str = "dsms:replica/types@1.0.0";
