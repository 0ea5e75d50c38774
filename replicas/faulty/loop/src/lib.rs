//! Loops for ever at the tenth request of every instance.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::{Outcome, Request};
use dsms_faulty::{Counter, Faulty, ReferenceMarket};

#[derive(Default)]
struct Loop {
    requests: Counter,
}

dsms_faulty::export!(Loop);

impl Faulty for Loop {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        if self.requests.reaches(10) {
            loop {
                std::hint::spin_loop();
            }
        }
        market.execute(request)
    }
}
