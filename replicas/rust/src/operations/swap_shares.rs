use crate::limits;
use crate::market::Market;
use crate::types::{InsufficientNew, Outcome, Refusal, SwapShares, Swapped};

/// Exchanges all units of the old share for as many of the new one, or does nothing.
pub fn swap_shares(market: &mut Market, asked: SwapShares) -> Result<Outcome, Refusal> {
    let SwapShares { buyer, old, new } = asked;
    if old == new {
        return Err(Refusal::SameShare);
    }
    let units = market.units_of(buyer, old);
    if units == 0 {
        return Err(Refusal::NotOwned);
    }
    let available = market.listing(new).ok_or(Refusal::NewNotFound)?.available;
    limits::check(market, buyer, new, Some(old))?;
    if available < units {
        return Err(Refusal::InsufficientNew(InsufficientNew { available, needed: units }));
    }
    // Nothing can be refused from here on.
    market.take(buyer, old, units);
    market.give(buyer, new, units);
    Ok(Outcome::Swapped(Swapped { units }))
}
