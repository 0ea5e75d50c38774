//! What a client may ask, already parsed and validated.

use serde::{Deserialize, Serialize};

use super::{BuyerId, Caller, Share, ShareId, ShareType, Units};

/// One request: who asks for what. Every value of this type is well formed; whether it is allowed is for the modules to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// What is asked for.
    pub operation: Operation,
}

/// The seven operations of the market specification, section 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// Put a new share on the market.
    AddShare {
        /// The new share.
        share: Share,
        /// Its capacity in units.
        capacity: Units,
    },
    /// Take a share off the market, with every holding of it.
    RemoveShare {
        /// The share to remove.
        share: Share,
    },
    /// List the shares of one type with their available units.
    ListShareAvailability {
        /// The type to list.
        share_type: ShareType,
    },
    /// Buy units of a share.
    PurchaseShare {
        /// Who buys.
        buyer: BuyerId,
        /// What.
        share: Share,
        /// How many units at most.
        count: Units,
    },
    /// List a buyer's holdings.
    GetShares {
        /// Whose.
        buyer: BuyerId,
    },
    /// Sell units held under a share id.
    SellShare {
        /// Who sells.
        buyer: BuyerId,
        /// Under which id; the type follows from the holdings.
        id: ShareId,
        /// How many units.
        count: Units,
    },
    /// Exchange a whole holding for units of another share.
    SwapShares {
        /// Whose holding.
        buyer: BuyerId,
        /// The share given up.
        old: Share,
        /// The share taken instead.
        new: Share,
    },
}

impl Operation {
    /// The operation's name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::AddShare { .. } => "add-share",
            Operation::RemoveShare { .. } => "remove-share",
            Operation::ListShareAvailability { .. } => "list-share-availability",
            Operation::PurchaseShare { .. } => "purchase-share",
            Operation::GetShares { .. } => "get-shares",
            Operation::SellShare { .. } => "sell-share",
            Operation::SwapShares { .. } => "swap-shares",
        }
    }
}
