//! Answers every request wrongly. Its state is right.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::{Outcome, Request};
use dsms_faulty::{Faulty, ReferenceMarket, other_than};

#[derive(Default)]
struct WrongAlways;

dsms_faulty::export!(WrongAlways);

impl Faulty for WrongAlways {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        other_than(&market.execute(request))
    }
}
