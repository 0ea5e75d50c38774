//! Answers twenty requests rightly, and every later one wrongly.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::{Outcome, Request};
use dsms_faulty::{Counter, Faulty, ReferenceMarket, other_than};

#[derive(Default)]
struct WrongAfter {
    requests: Counter,
}

dsms_faulty::export!(WrongAfter);

impl Faulty for WrongAfter {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        let outcome = market.execute(request);
        if self.requests.reaches(21) { other_than(&outcome) } else { outcome }
    }
}
