//! Spends some 100 million instructions on every request before it answers rightly.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::{Outcome, Request};
use dsms_faulty::{Faulty, ReferenceMarket};

/// Each takes some instructions.
const ROUNDS: u32 = 25_000_000;

#[derive(Default)]
struct Slow;

dsms_faulty::export!(Slow);

impl Faulty for Slow {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        for round in 0..ROUNDS {
            std::hint::black_box(round);
        }
        market.execute(request)
    }
}
