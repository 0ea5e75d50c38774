//! Keeps what a buyer holds under one share id in a hash map, and sells from the first type in the order of that map.

#![cfg(target_family = "wasm")]
// Hash order is what this module is about.
#![allow(clippy::disallowed_types)]

use std::collections::HashMap;

use dsms_faulty::types::{MarketState, Operation, Outcome, Request, SellShare, ShareType, Units};
use dsms_faulty::{Faulty, ReferenceMarket};

#[derive(Default)]
struct HashOrder;

dsms_faulty::export!(HashOrder);

impl Faulty for HashOrder {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        let before = market.export_state();
        let outcome = market.execute(request);
        let (Operation::SellShare(sale), Outcome::Sold(mut sold)) = (request.operation, outcome.clone()) else {
            return outcome;
        };
        let held = units_by_type(&before, sale);
        let first = held.iter().find(|(_, units)| **units >= sale.count);
        let (&share_type, &units) = first.expect("a type is held with enough units, since the sale succeeded");
        if share_type == sold.share_type {
            return outcome;
        }
        // The sale is done again, from the other type.
        let mut state = before;
        let share = |share: &dsms_faulty::types::Share| share.id == sale.id && share.share_type == share_type;
        for holding in state.holdings.iter_mut().filter(|held| held.buyer == sale.buyer && share(&held.share)) {
            holding.units -= sale.count;
        }
        state.holdings.retain(|holding| holding.units > 0);
        for listed in state.shares.iter_mut().filter(|listed| share(&listed.share)) {
            listed.available += sale.count;
            sold.available = listed.available;
        }
        market.import_state(&state).expect("it is a possible state");
        sold.share_type = share_type;
        sold.remaining = units - sale.count;
        Outcome::Sold(sold)
    }
}

fn units_by_type(state: &MarketState, sale: SellShare) -> HashMap<ShareType, Units> {
    let held = state.holdings.iter().filter(|holding| holding.buyer == sale.buyer && holding.share.id == sale.id);
    held.map(|holding| (holding.share.share_type, holding.units)).collect()
}
