use crate::market::Market;
use crate::types::{AddShare, Added, Outcome, Refusal};

/// Puts a new share on the market, all of it available.
pub fn add_share(market: &mut Market, asked: AddShare) -> Result<Outcome, Refusal> {
    let AddShare { share, capacity } = asked;
    if market.listing(share).is_some() {
        return Err(Refusal::AlreadyExists);
    }
    market.list(share, capacity);
    Ok(Outcome::Added(Added { capacity }))
}
