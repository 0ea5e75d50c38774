//! Panics whenever anybody asks for the holdings of a buyer with the number 9999.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::{Operation, Outcome, Request};
use dsms_faulty::{Faulty, ReferenceMarket};

#[derive(Default)]
struct TrapAtRequest;

dsms_faulty::export!(TrapAtRequest);

impl Faulty for TrapAtRequest {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        if let Operation::GetShares(buyer) = request.operation {
            assert_ne!(buyer.number, 9999, "not this one");
        }
        market.execute(request)
    }
}
