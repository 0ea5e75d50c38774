use crate::market::Market;
use crate::types::{Availability, AvailableShare, Outcome, ShareType};

/// Every share of one type, those that are sold out as well.
pub fn list_share_availability(market: &Market, share_type: ShareType) -> Outcome {
    let shares = market
        .listings()
        .filter(|(share, _)| share.share_type == share_type)
        .map(|(share, listing)| AvailableShare { id: share.id, available: listing.available })
        .collect();
    Outcome::Availability(Availability { share_type, shares })
}
