//! Lists the holdings of a buyer without the last one. All other operations are right.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::{Outcome, Request};
use dsms_faulty::{Faulty, ReferenceMarket};

#[derive(Default)]
struct WrongOneOperation;

dsms_faulty::export!(WrongOneOperation);

impl Faulty for WrongOneOperation {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        match market.execute(request) {
            Outcome::Holdings(mut holdings) => {
                holdings.pop();
                Outcome::Holdings(holdings)
            }
            right => right,
        }
    }
}
