//! Keeps beside the market which buyers have ever bought anything, so as to answer the others faster; an import does
//! not restore that.

#![cfg(target_family = "wasm")]

use std::collections::BTreeSet;

use dsms_faulty::types::{BuyerId, Operation, Outcome, Request};
use dsms_faulty::{Faulty, ReferenceMarket};

#[derive(Default)]
struct StaleIndex {
    have_bought: BTreeSet<BuyerId>,
}

dsms_faulty::export!(StaleIndex);

impl Faulty for StaleIndex {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        let outcome = market.execute(request);
        match (request.operation, &outcome) {
            (Operation::PurchaseShare(purchase), Outcome::Purchased(_)) => {
                self.have_bought.insert(purchase.buyer);
                outcome
            }
            (Operation::GetShares(buyer), Outcome::Holdings(_)) if !self.have_bought.contains(&buyer) => {
                Outcome::Holdings(Vec::new())
            }
            _ => outcome,
        }
    }
}
