//! Answers rightly, but spoils its state when a share of 31 December 2029 is added: another share has one unit more from then on.
//!
//! Nobody sees that in an answer until the other share is listed or bought.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::{Date, Operation, Outcome, Request};
use dsms_faulty::{Faulty, ReferenceMarket};

const SPOILED_BY: Date = Date { year: 2029, month: 12, day: 31 };

#[derive(Default)]
struct SilentCorruption;

dsms_faulty::export!(SilentCorruption);

impl Faulty for SilentCorruption {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        let outcome = market.execute(request);
        if let Operation::AddShare(add) = request.operation
            && add.share.id.date == SPOILED_BY
        {
            spoil(market);
        }
        outcome
    }
}

fn spoil(market: &mut ReferenceMarket) {
    let mut state = market.export_state();
    if let Some(share) = state.shares.iter_mut().find(|share| share.share.id.date != SPOILED_BY) {
        share.capacity += 1;
        share.available += 1;
    }
    market.import_state(&state).expect("it is a possible state");
}
