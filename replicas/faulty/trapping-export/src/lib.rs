//! Panics when it is to export its state.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::MarketState;
use dsms_faulty::{Faulty, ReferenceMarket};

#[derive(Default)]
struct TrappingExport;

dsms_faulty::export!(TrappingExport);

impl Faulty for TrappingExport {
    fn export_state(&mut self, _market: &ReferenceMarket) -> MarketState {
        panic!("my state is mine")
    }
}
