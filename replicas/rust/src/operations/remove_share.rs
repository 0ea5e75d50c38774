use crate::market::Market;
use crate::types::{Outcome, Refusal, Removed, Share};

/// Takes a share off the market, with every holding of it.
pub fn remove_share(market: &mut Market, share: Share) -> Result<Outcome, Refusal> {
    let listing = market.unlist(share).ok_or(Refusal::NotFound)?;
    Ok(Outcome::Removed(Removed {
        available: listing.available,
        holders: listing.holders.len() as u32,
        units: listing.holders.values().sum(),
    }))
}
