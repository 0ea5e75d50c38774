//! Panics when it is to import a state.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::MarketState;
use dsms_faulty::{Faulty, ReferenceMarket};

#[derive(Default)]
struct TrappingImport;

dsms_faulty::export!(TrappingImport);

impl Faulty for TrappingImport {
    fn import_state(&mut self, _market: &mut ReferenceMarket, _state: &MarketState) -> Result<(), String> {
        panic!("a state is too much")
    }
}
