//! From a request to its operation.

use crate::market::Market;
use crate::operations::*;
use crate::permission;
use crate::types::{Operation, Outcome, Refusal, Request};

/// Executes one request. A refusal changes nothing.
pub fn execute(market: &mut Market, request: Request) -> Outcome {
    try_execute(market, request).unwrap_or_else(Outcome::Refused)
}

fn try_execute(market: &mut Market, request: Request) -> Result<Outcome, Refusal> {
    permission::check(&request)?;
    match request.operation {
        Operation::AddShare(asked) => add_share(market, asked),
        Operation::RemoveShare(share) => remove_share(market, share),
        Operation::ListShareAvailability(share_type) => Ok(list_share_availability(market, share_type)),
        Operation::PurchaseShare(asked) => purchase_share(market, asked),
        Operation::GetShares(buyer) => Ok(get_shares(market, buyer)),
        Operation::SellShare(asked) => sell_share(market, asked),
        Operation::SwapShares(asked) => swap_shares(market, asked),
    }
}
