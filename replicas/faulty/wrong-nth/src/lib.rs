//! Answers wrongly at every second place of the order, so never three times in a row.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::{Outcome, Request};
use dsms_faulty::{Faulty, ReferenceMarket, other_than};

#[derive(Default)]
struct WrongNth;

dsms_faulty::export!(WrongNth);

impl Faulty for WrongNth {
    fn execute(&mut self, market: &mut ReferenceMarket, sequence_number: u64, request: &Request) -> Outcome {
        let outcome = market.execute(request);
        if sequence_number.is_multiple_of(2) { other_than(&outcome) } else { outcome }
    }
}
