//! The component: the contract's generated types, converted to the market's own and back, and its exports.
//!
//! The market does not use the generated types, so that it can be compiled without wasm. The context of a request is left unread:
//! no rule of the market needs the time or the order.
//!
//! With the feature `component`, the exports are forwarded to one [`ReferenceMarket`](crate::ReferenceMarket). A crate that
//! exports the contract itself, with another behaviour around the same market, leaves the feature out.

use crate::types as plain;

/// The contract, as generated from `wit/replica.wit`.
#[allow(missing_docs)]
pub mod contract {
    wit_bindgen::generate!({ path: "../../wit", world: "replica", pub_export_macro: true });
}

pub use contract::dsms::replica::types as wit;

#[cfg(feature = "component")]
mod exports {
    use std::cell::RefCell;

    use super::contract::exports::dsms::replica::market::Guest;
    use super::{contract, wit};
    use crate::ReferenceMarket;

    thread_local! {
        /// An instance has one thread and one market, which begins empty.
        static MARKET: RefCell<ReferenceMarket> = const { RefCell::new(ReferenceMarket::new()) };
    }

    struct Component;

    contract::export!(Component with_types_in contract);

    impl Guest for Component {
        fn execute(_context: wit::Context, request: wit::Request) -> wit::Outcome {
            MARKET.with_borrow_mut(|market| market.execute(&request.into())).into()
        }

        fn export_state() -> wit::MarketState {
            MARKET.with_borrow(ReferenceMarket::export_state).into()
        }

        fn import_state(state: wit::MarketState) -> Result<(), String> {
            MARKET.with_borrow_mut(|market| market.import_state(&state.into()))
        }
    }
}

/// Conversions, both ways, between enums whose cases have the same names.
macro_rules! convert_enum {
    ($name:ident { $($case:ident),+ }) => {
        impl From<wit::$name> for plain::$name {
            fn from(value: wit::$name) -> Self {
                match value { $(wit::$name::$case => plain::$name::$case,)+ }
            }
        }

        impl From<plain::$name> for wit::$name {
            fn from(value: plain::$name) -> Self {
                match value { $(plain::$name::$case => wit::$name::$case,)+ }
            }
        }
    };
}

/// A conversion from one record to another whose fields have the same names.
macro_rules! convert_record {
    ($from:ident -> $to:ident: $name:ident { $($field:ident),+ }) => {
        impl From<$from::$name> for $to::$name {
            fn from(value: $from::$name) -> Self {
                $to::$name { $($field: value.$field.into()),+ }
            }
        }
    };
}

/// A conversion from one variant, all of whose cases carry a value, to another whose cases have the same names.
macro_rules! convert_variant {
    ($from:ident -> $to:ident: $name:ident { $($case:ident),+ }) => {
        impl From<$from::$name> for $to::$name {
            fn from(value: $from::$name) -> Self {
                match value { $($from::$name::$case(value) => $to::$name::$case(value.into()),)+ }
            }
        }
    };
}

convert_enum!(Market { Nyk, Lon, Tok });
convert_enum!(Slot { Morning, Afternoon, Evening });
convert_enum!(ShareType { Equity, Bonus, Dividend });

// What goes both ways: identifiers, and state.
convert_record!(wit -> plain: Date { year, month, day });
convert_record!(plain -> wit: Date { year, month, day });
convert_record!(wit -> plain: ShareId { market, slot, date });
convert_record!(plain -> wit: ShareId { market, slot, date });
convert_record!(wit -> plain: Share { share_type, id });
convert_record!(plain -> wit: Share { share_type, id });
convert_record!(wit -> plain: BuyerId { market, number });
convert_record!(plain -> wit: BuyerId { market, number });
convert_record!(wit -> plain: ShareState { share, capacity, available });
convert_record!(plain -> wit: ShareState { share, capacity, available });
convert_record!(wit -> plain: HoldingState { buyer, share, units });
convert_record!(plain -> wit: HoldingState { buyer, share, units });

// What comes in: requests.
convert_record!(wit -> plain: AdminId { market, number });
convert_variant!(wit -> plain: Caller { Admin, Buyer });
convert_record!(wit -> plain: Request { caller, operation });
convert_record!(wit -> plain: AddShare { share, capacity });
convert_record!(wit -> plain: PurchaseShare { buyer, share, count });
convert_record!(wit -> plain: SellShare { buyer, id, count });
convert_record!(wit -> plain: SwapShares { buyer, old, new });
convert_variant!(wit -> plain: Operation {
    AddShare, RemoveShare, ListShareAvailability, PurchaseShare, GetShares, SellShare, SwapShares
});

// What goes out: outcomes.
convert_record!(plain -> wit: Added { capacity });
convert_record!(plain -> wit: Removed { available, holders, units });
convert_record!(plain -> wit: AvailableShare { id, available });
convert_record!(plain -> wit: Purchased { requested, bought, available });
convert_record!(plain -> wit: Owned { share, units });
convert_record!(plain -> wit: Sold { share_type, sold, remaining, available });
convert_record!(plain -> wit: Swapped { units });
convert_record!(plain -> wit: InsufficientOwned { owned });
convert_record!(plain -> wit: InsufficientNew { available, needed });

impl From<plain::Availability> for wit::Availability {
    fn from(value: plain::Availability) -> Self {
        wit::Availability { share_type: value.share_type.into(), shares: converted(value.shares) }
    }
}

impl From<plain::Outcome> for wit::Outcome {
    fn from(value: plain::Outcome) -> Self {
        match value {
            plain::Outcome::Added(added) => wit::Outcome::Added(added.into()),
            plain::Outcome::Removed(removed) => wit::Outcome::Removed(removed.into()),
            plain::Outcome::Availability(availability) => wit::Outcome::Availability(availability.into()),
            plain::Outcome::Purchased(purchased) => wit::Outcome::Purchased(purchased.into()),
            plain::Outcome::Holdings(holdings) => wit::Outcome::Holdings(converted(holdings)),
            plain::Outcome::Sold(sold) => wit::Outcome::Sold(sold.into()),
            plain::Outcome::Swapped(swapped) => wit::Outcome::Swapped(swapped.into()),
            plain::Outcome::Refused(refusal) => wit::Outcome::Refused(refusal.into()),
        }
    }
}

impl From<plain::Refusal> for wit::Refusal {
    fn from(value: plain::Refusal) -> Self {
        match value {
            plain::Refusal::Forbidden => wit::Refusal::Forbidden,
            plain::Refusal::WrongMarket => wit::Refusal::WrongMarket,
            plain::Refusal::AlreadyExists => wit::Refusal::AlreadyExists,
            plain::Refusal::NotFound => wit::Refusal::NotFound,
            plain::Refusal::AlreadyOwned => wit::Refusal::AlreadyOwned,
            plain::Refusal::DailyLimit => wit::Refusal::DailyLimit,
            plain::Refusal::WeeklyLimit => wit::Refusal::WeeklyLimit,
            plain::Refusal::SoldOut => wit::Refusal::SoldOut,
            plain::Refusal::NotOwned => wit::Refusal::NotOwned,
            plain::Refusal::InsufficientOwned(why) => wit::Refusal::InsufficientOwned(why.into()),
            plain::Refusal::SameShare => wit::Refusal::SameShare,
            plain::Refusal::NewNotFound => wit::Refusal::NewNotFound,
            plain::Refusal::InsufficientNew(why) => wit::Refusal::InsufficientNew(why.into()),
        }
    }
}

impl From<wit::MarketState> for plain::MarketState {
    fn from(value: wit::MarketState) -> Self {
        plain::MarketState { shares: converted(value.shares), holdings: converted(value.holdings) }
    }
}

impl From<plain::MarketState> for wit::MarketState {
    fn from(value: plain::MarketState) -> Self {
        wit::MarketState { shares: converted(value.shares), holdings: converted(value.holdings) }
    }
}

fn converted<From, To: std::convert::From<From>>(values: Vec<From>) -> Vec<To> {
    values.into_iter().map(To::from).collect()
}
