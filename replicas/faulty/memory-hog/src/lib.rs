//! Keeps four mebibytes more with every request.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::{Outcome, Request};
use dsms_faulty::{Faulty, ReferenceMarket};

#[derive(Default)]
struct MemoryHog {
    kept: Vec<Vec<u8>>,
}

dsms_faulty::export!(MemoryHog);

impl Faulty for MemoryHog {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        self.kept.push(vec![1; 4 << 20]);
        market.execute(request)
    }
}
