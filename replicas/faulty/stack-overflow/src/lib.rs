//! Calls itself without end at the tenth request of every instance.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::{Outcome, Request};
use dsms_faulty::{Counter, Faulty, ReferenceMarket};

#[derive(Default)]
struct StackOverflow {
    requests: Counter,
}

dsms_faulty::export!(StackOverflow);

impl Faulty for StackOverflow {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        if self.requests.reaches(10) {
            std::hint::black_box(depth(u64::from(market.export_state().shares.len() as u32)));
        }
        market.execute(request)
    }
}

/// Never returns: the stack ends first.
#[allow(unconditional_recursion)]
fn depth(above: u64) -> u64 {
    std::hint::black_box(depth(std::hint::black_box(above + 1))) + 1
}
