use crate::market::Market;
use crate::types::{InsufficientOwned, Outcome, Refusal, SellShare, Share, ShareType, Sold};

/// The types are tried in this order.
const TYPES: [ShareType; 3] = [ShareType::Equity, ShareType::Bonus, ShareType::Dividend];

/// Sells from the first type of which enough units are held under the id; nothing in part.
pub fn sell_share(market: &mut Market, asked: SellShare) -> Result<Outcome, Refusal> {
    let SellShare { buyer, id, count } = asked;
    let held = TYPES.map(|share_type| {
        let share = Share { share_type, id };
        (share, market.units_of(buyer, share))
    });
    if let Some(&(share, units)) = held.iter().find(|(_, units)| *units >= count) {
        let available = market.take(buyer, share, count);
        return Ok(Outcome::Sold(Sold {
            share_type: share.share_type,
            sold: count,
            remaining: units - count,
            available,
        }));
    }
    match held.iter().map(|(_, units)| *units).max() {
        None | Some(0) => Err(Refusal::NotOwned),
        Some(owned) => Err(Refusal::InsufficientOwned(InsufficientOwned { owned })),
    }
}
