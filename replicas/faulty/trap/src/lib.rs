//! Panics at the tenth request of every instance.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::{Outcome, Request};
use dsms_faulty::{Counter, Faulty, ReferenceMarket};

#[derive(Default)]
struct Trap {
    requests: Counter,
}

dsms_faulty::export!(Trap);

impl Faulty for Trap {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        if self.requests.reaches(10) {
            panic!("the tenth request is too much");
        }
        market.execute(request)
    }
}
