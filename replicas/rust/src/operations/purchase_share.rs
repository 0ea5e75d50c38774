use crate::limits;
use crate::market::Market;
use crate::types::{Outcome, PurchaseShare, Purchased, Refusal};

/// Buys as many units as are asked for, or as many as there are.
pub fn purchase_share(market: &mut Market, asked: PurchaseShare) -> Result<Outcome, Refusal> {
    let PurchaseShare { buyer, share, count } = asked;
    let available = market.listing(share).ok_or(Refusal::NotFound)?.available;
    limits::check(market, buyer, share, None)?;
    if available == 0 {
        return Err(Refusal::SoldOut);
    }
    let bought = count.min(available);
    let available = market.give(buyer, share, bought);
    Ok(Outcome::Purchased(Purchased { requested: count, bought, available }))
}
