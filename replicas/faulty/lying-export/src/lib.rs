//! Answers rightly, and exports one unit too many of the first share.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::MarketState;
use dsms_faulty::{Faulty, ReferenceMarket};

#[derive(Default)]
struct LyingExport;

dsms_faulty::export!(LyingExport);

impl Faulty for LyingExport {
    fn export_state(&mut self, market: &ReferenceMarket) -> MarketState {
        let mut state = market.export_state();
        if let Some(share) = state.shares.first_mut() {
            share.capacity += 1;
            share.available += 1;
        }
        state
    }
}
