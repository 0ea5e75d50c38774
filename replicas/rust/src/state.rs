//! Export and import of the whole market, and what makes a state broken.

use crate::market::Market;
use crate::types::{HoldingState, MarketState, ShareState};

const CAPACITY_MAX: u32 = 1_000_000;

/// The market in the contract's terms. The host sorts the lists.
pub fn export(market: &Market) -> MarketState {
    let mut state = MarketState { shares: Vec::new(), holdings: Vec::new() };
    for (share, listing) in market.listings() {
        state.shares.push(ShareState { share, capacity: listing.capacity, available: listing.available });
        state.holdings.extend(listing.holders.iter().map(|(&buyer, &units)| HoldingState { buyer, share, units }));
    }
    state
}

/// The market that a state describes, or in words what is wrong with the state.
pub fn import(state: MarketState) -> Result<Market, String> {
    let mut market = Market::default();
    for ShareState { share, capacity, .. } in &state.shares {
        if !(1..=CAPACITY_MAX).contains(capacity) {
            return Err(format!("the capacity of {share:?} is {capacity}, not 1 to {CAPACITY_MAX}"));
        }
        if market.listing(*share).is_some() {
            return Err(format!("{share:?} is listed twice"));
        }
        market.list(*share, *capacity);
    }
    for HoldingState { buyer, share, units } in state.holdings {
        let Some(listing) = market.listing(share) else {
            return Err(format!("{buyer:?} holds units of {share:?}, which is not listed"));
        };
        if units == 0 {
            return Err(format!("{buyer:?} holds 0 units of {share:?}"));
        }
        if listing.holders.contains_key(&buyer) {
            return Err(format!("{buyer:?} has two holdings of {share:?}"));
        }
        if units > listing.available {
            return Err(format!("more units of {share:?} are held than its capacity, {}", listing.capacity));
        }
        market.give(buyer, share, units);
    }
    for ShareState { share, available, .. } in state.shares {
        let left = market.listing(share).map_or(0, |listing| listing.available);
        if left != available {
            return Err(format!(
                "{available} units of {share:?} are said to be available, but its holders leave {left}"
            ));
        }
    }
    Ok(market)
}
