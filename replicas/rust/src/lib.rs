//! What the host calls, and the one market of the instance.
//!
//! `generate!` turns the contract, `wit/replica.wit`, into the types below [`types`] and the trait [`Guest`].

use std::cell::RefCell;

use exports::dsms::replica::market::Guest;
use market::Market;
use types::{Context, MarketState, Outcome, Request};

mod calendar;
mod execute;
mod limits;
mod market;
mod operations;
mod permission;
mod state;
#[cfg(test)]
mod tests;

wit_bindgen::generate!({
    path: "wit",
    world: "replica",
    // What a key of a sorted map needs.
    additional_derives: [PartialEq, Eq, PartialOrd, Ord],
});

/// Identifiers, requests, outcomes and state, as the contract names them.
use dsms::replica::types;

thread_local! {
    /// An instance has one thread and one market, which is empty at first.
    static MARKET: RefCell<Market> = RefCell::default();
}

struct Module;

impl Guest for Module {
    fn execute(_context: Context, request: Request) -> Outcome {
        MARKET.with_borrow_mut(|market| execute::execute(market, request))
    }

    fn export_state() -> MarketState {
        MARKET.with_borrow(state::export)
    }

    fn import_state(state: MarketState) -> Result<(), String> {
        // The old market stays until the new one is complete.
        let imported = state::import(state)?;
        MARKET.set(imported);
        Ok(())
    }
}

export!(Module);
