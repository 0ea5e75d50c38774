use crate::market::Market;
use crate::types::{BuyerId, Outcome, Owned};

/// Every holding of a buyer.
pub fn get_shares(market: &Market, buyer: BuyerId) -> Outcome {
    let owned = |share| Owned { share, units: market.units_of(buyer, share) };
    Outcome::Holdings(market.shares_of(buyer).map(owned).collect())
}
