//! Spends some 100 million instructions on every request before it answers rightly.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::{Outcome, Request};
use dsms_faulty::{Faulty, ReferenceMarket};

/// Each takes some instructions.
const ROUNDS: u64 = 12_000_000;

#[derive(Default)]
struct Slow;

dsms_faulty::export!(Slow);

impl Faulty for Slow {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        let mut spent = 1_u64;
        for round in 0..ROUNDS {
            spent = std::hint::black_box(spent.wrapping_mul(spent).wrapping_add(round));
        }
        market.execute(request)
    }
}
