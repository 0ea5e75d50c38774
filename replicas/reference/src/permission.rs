//! Who may ask for what: section 3 of the market specification.
//!
//! These checks read the request alone, never the state, and come before all others.

use crate::types::{AddShare, Caller, Operation, PurchaseShare, Refusal, Request, SellShare, SwapShares};

/// Refuse a request that its caller may not make.
///
/// # Errors
///
/// [`Refusal::Forbidden`] first, then [`Refusal::WrongMarket`].
pub(crate) fn check(request: &Request) -> Result<(), Refusal> {
    match request.operation {
        Operation::AddShare(AddShare { share, .. }) | Operation::RemoveShare(share) => match request.caller {
            Caller::Buyer(_) => Err(Refusal::Forbidden),
            Caller::Admin(admin) if admin.market != share.id.market => Err(Refusal::WrongMarket),
            Caller::Admin(_) => Ok(()),
        },
        Operation::ListShareAvailability(_) => match request.caller {
            Caller::Buyer(_) => Err(Refusal::Forbidden),
            Caller::Admin(_) => Ok(()),
        },
        Operation::PurchaseShare(PurchaseShare { buyer, .. })
        | Operation::GetShares(buyer)
        | Operation::SellShare(SellShare { buyer, .. })
        | Operation::SwapShares(SwapShares { buyer, .. }) => {
            let may_ask = match request.caller {
                Caller::Buyer(caller) => caller == buyer,
                Caller::Admin(admin) => admin.market == buyer.market,
            };
            if may_ask { Ok(()) } else { Err(Refusal::Forbidden) }
        }
    }
}
