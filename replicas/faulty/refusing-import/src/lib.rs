//! Refuses every state that it is to import.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::MarketState;
use dsms_faulty::{Faulty, ReferenceMarket};

#[derive(Default)]
struct RefusingImport;

dsms_faulty::export!(RefusingImport);

impl Faulty for RefusingImport {
    fn import_state(&mut self, _market: &mut ReferenceMarket, _state: &MarketState) -> Result<(), String> {
        Err("I take over from nobody".to_owned())
    }
}
