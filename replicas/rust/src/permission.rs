//! Who may ask for what: the first checks of every operation.

use crate::types::{BuyerId, Caller, Market, Operation, Refusal, Request};

/// `forbidden` first, then `wrong-market`.
pub fn check(request: &Request) -> Result<(), Refusal> {
    match &request.operation {
        Operation::AddShare(asked) => admin_of(request.caller, asked.share.id.market),
        Operation::RemoveShare(share) => admin_of(request.caller, share.id.market),
        Operation::ListShareAvailability(_) => match request.caller {
            Caller::Admin(_) => Ok(()),
            Caller::Buyer(_) => Err(Refusal::Forbidden),
        },
        Operation::PurchaseShare(asked) => in_the_name_of(request.caller, asked.buyer),
        Operation::GetShares(buyer) => in_the_name_of(request.caller, *buyer),
        Operation::SellShare(asked) => in_the_name_of(request.caller, asked.buyer),
        Operation::SwapShares(asked) => in_the_name_of(request.caller, asked.buyer),
    }
}

/// An admin, and of this market.
fn admin_of(caller: Caller, market: Market) -> Result<(), Refusal> {
    match caller {
        Caller::Buyer(_) => Err(Refusal::Forbidden),
        Caller::Admin(admin) if admin.market != market => Err(Refusal::WrongMarket),
        Caller::Admin(_) => Ok(()),
    }
}

/// The buyer, or an admin of the buyer's home market.
fn in_the_name_of(caller: Caller, buyer: BuyerId) -> Result<(), Refusal> {
    let allowed = match caller {
        Caller::Buyer(itself) => itself == buyer,
        Caller::Admin(admin) => admin.market == buyer.market,
    };
    if allowed { Ok(()) } else { Err(Refusal::Forbidden) }
}
