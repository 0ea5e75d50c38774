//! The reference market as a [`Module`] without a sandbox: the same rules, at the speed of a function call.
//!
//! It is what sandboxed modules are compared with, in results and in speed. It is trusted, as a replica's module never is:
//! a value from it that no market has is a bug of ours, not a fault, and it has no budget. No cluster runs it.

use dsms_reference::ReferenceMarket;
use dsms_reference::types as plain;

use crate::market::{
    AdminId, BuyerId, Caller, Context, Date, GuestFault, HoldingState, MarketCode, MarketState, Module, Operation,
    Outcome, Refusal, Request, Share, ShareId, ShareState, ShareType, Slot,
};

/// The reference market, called natively.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeMarket {
    market: ReferenceMarket,
}

impl NativeMarket {
    /// A market with no shares.
    pub fn new() -> NativeMarket {
        NativeMarket::default()
    }
}

/// None of these ever answers a fault.
impl Module for NativeMarket {
    fn execute(&mut self, _context: Context, request: &Request) -> Result<Outcome, GuestFault> {
        Ok(from_outcome(self.market.execute(&to_request(request))).into_canonical())
    }

    fn export_state(&mut self) -> Result<MarketState, GuestFault> {
        Ok(from_state(&self.market.export_state()).into_canonical())
    }

    fn import_state(&mut self, state: &MarketState) -> Result<Result<(), String>, GuestFault> {
        Ok(self.market.import_state(&to_state(state)))
    }
}

fn to_request(request: &Request) -> plain::Request {
    let caller = match request.caller {
        Caller::Admin(AdminId { market, number }) => {
            plain::Caller::Admin(plain::AdminId { market: to_market(market), number: number.value() })
        }
        Caller::Buyer(buyer) => plain::Caller::Buyer(to_buyer(buyer)),
    };
    let operation = match request.operation {
        Operation::AddShare { share, capacity } => {
            plain::Operation::AddShare(plain::AddShare { share: to_share(share), capacity: capacity.value() })
        }
        Operation::RemoveShare { share } => plain::Operation::RemoveShare(to_share(share)),
        Operation::ListShareAvailability { share_type } => plain::Operation::ListShareAvailability(to_type(share_type)),
        Operation::PurchaseShare { buyer, share, count } => plain::Operation::PurchaseShare(plain::PurchaseShare {
            buyer: to_buyer(buyer),
            share: to_share(share),
            count: count.value(),
        }),
        Operation::GetShares { buyer } => plain::Operation::GetShares(to_buyer(buyer)),
        Operation::SellShare { buyer, id, count } => plain::Operation::SellShare(plain::SellShare {
            buyer: to_buyer(buyer),
            id: to_id(id),
            count: count.value(),
        }),
        Operation::SwapShares { buyer, old, new } => plain::Operation::SwapShares(plain::SwapShares {
            buyer: to_buyer(buyer),
            old: to_share(old),
            new: to_share(new),
        }),
    };
    plain::Request { caller, operation }
}

fn from_outcome(outcome: plain::Outcome) -> Outcome {
    match outcome {
        plain::Outcome::Added(plain::Added { capacity }) => Outcome::Added { capacity },
        plain::Outcome::Removed(plain::Removed { available, holders, units }) => {
            Outcome::Removed { available, holders, units }
        }
        plain::Outcome::Availability(plain::Availability { share_type, shares }) => {
            let shares = shares.iter().map(|share| (from_id(share.id), share.available)).collect();
            Outcome::Availability { share_type: from_type(share_type), shares }
        }
        plain::Outcome::Purchased(plain::Purchased { requested, bought, available }) => {
            Outcome::Purchased { requested, bought, available }
        }
        plain::Outcome::Holdings(holdings) => Outcome::Holdings {
            holdings: holdings.iter().map(|owned| (from_share(owned.share), owned.units)).collect(),
        },
        plain::Outcome::Sold(plain::Sold { share_type, sold, remaining, available }) => {
            Outcome::Sold { share_type: from_type(share_type), sold, remaining, available }
        }
        plain::Outcome::Swapped(plain::Swapped { units }) => Outcome::Swapped { units },
        plain::Outcome::Refused(refusal) => Outcome::Refused(from_refusal(refusal)),
    }
}

fn from_refusal(refusal: plain::Refusal) -> Refusal {
    match refusal {
        plain::Refusal::Forbidden => Refusal::Forbidden,
        plain::Refusal::WrongMarket => Refusal::WrongMarket,
        plain::Refusal::AlreadyExists => Refusal::AlreadyExists,
        plain::Refusal::NotFound => Refusal::NotFound,
        plain::Refusal::AlreadyOwned => Refusal::AlreadyOwned,
        plain::Refusal::DailyLimit => Refusal::DailyLimit,
        plain::Refusal::WeeklyLimit => Refusal::WeeklyLimit,
        plain::Refusal::SoldOut => Refusal::SoldOut,
        plain::Refusal::NotOwned => Refusal::NotOwned,
        plain::Refusal::InsufficientOwned(plain::InsufficientOwned { owned }) => Refusal::InsufficientOwned { owned },
        plain::Refusal::SameShare => Refusal::SameShare,
        plain::Refusal::NewNotFound => Refusal::NewNotFound,
        plain::Refusal::InsufficientNew(plain::InsufficientNew { available, needed }) => {
            Refusal::InsufficientNew { available, needed }
        }
    }
}

fn to_state(state: &MarketState) -> plain::MarketState {
    let share = |state: &ShareState| plain::ShareState {
        share: to_share(state.share),
        capacity: state.capacity,
        available: state.available,
    };
    let holding = |state: &HoldingState| plain::HoldingState {
        buyer: to_buyer(state.buyer),
        share: to_share(state.share),
        units: state.units,
    };
    plain::MarketState {
        shares: state.shares.iter().map(share).collect(),
        holdings: state.holdings.iter().map(holding).collect(),
    }
}

fn from_state(state: &plain::MarketState) -> MarketState {
    let share = |state: &plain::ShareState| ShareState {
        share: from_share(state.share),
        capacity: state.capacity,
        available: state.available,
    };
    let holding = |state: &plain::HoldingState| HoldingState {
        buyer: from_buyer(state.buyer),
        share: from_share(state.share),
        units: state.units,
    };
    MarketState {
        shares: state.shares.iter().map(share).collect(),
        holdings: state.holdings.iter().map(holding).collect(),
    }
}

fn to_share(Share { id, share_type }: Share) -> plain::Share {
    plain::Share { share_type: to_type(share_type), id: to_id(id) }
}

fn from_share(plain::Share { share_type, id }: plain::Share) -> Share {
    Share { id: from_id(id), share_type: from_type(share_type) }
}

fn to_id(ShareId { market, slot, date }: ShareId) -> plain::ShareId {
    let slot = match slot {
        Slot::Morning => plain::Slot::Morning,
        Slot::Afternoon => plain::Slot::Afternoon,
        Slot::Evening => plain::Slot::Evening,
    };
    let date = plain::Date { year: date.year(), month: date.month(), day: date.day() };
    plain::ShareId { market: to_market(market), slot, date }
}

fn from_id(plain::ShareId { market, slot, date }: plain::ShareId) -> ShareId {
    let slot = match slot {
        plain::Slot::Morning => Slot::Morning,
        plain::Slot::Afternoon => Slot::Afternoon,
        plain::Slot::Evening => Slot::Evening,
    };
    let plain::Date { year, month, day } = date;
    let year = year.checked_sub(plain::YEAR_MIN).and_then(|year| u8::try_from(year).ok());
    let real = year.and_then(|year| Date::new(day, month, year));
    ShareId { market: from_market(market), slot, date: real.unwrap_or_else(|| panic!("{date:?} is not a date")) }
}

fn to_buyer(BuyerId { market, number }: BuyerId) -> plain::BuyerId {
    plain::BuyerId { market: to_market(market), number: number.value() }
}

fn from_buyer(plain::BuyerId { market, number }: plain::BuyerId) -> BuyerId {
    BuyerId {
        market: from_market(market),
        number: number.try_into().expect("the market knows only buyers it was told of"),
    }
}

fn to_market(market: MarketCode) -> plain::Market {
    match market {
        MarketCode::NewYork => plain::Market::Nyk,
        MarketCode::London => plain::Market::Lon,
        MarketCode::Tokyo => plain::Market::Tok,
    }
}

fn from_market(market: plain::Market) -> MarketCode {
    match market {
        plain::Market::Nyk => MarketCode::NewYork,
        plain::Market::Lon => MarketCode::London,
        plain::Market::Tok => MarketCode::Tokyo,
    }
}

fn to_type(share_type: ShareType) -> plain::ShareType {
    match share_type {
        ShareType::Equity => plain::ShareType::Equity,
        ShareType::Bonus => plain::ShareType::Bonus,
        ShareType::Dividend => plain::ShareType::Dividend,
    }
}

fn from_type(share_type: plain::ShareType) -> ShareType {
    match share_type {
        plain::ShareType::Equity => ShareType::Equity,
        plain::ShareType::Bonus => ShareType::Bonus,
        plain::ShareType::Dividend => ShareType::Dividend,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sandbox::{Engine, SandboxLimits, reference_module};
    use crate::workload::{Mix, listings};

    fn shares() -> impl Strategy<Value = Share> {
        let date = (1..=31_u8, 1..=12_u8, 0..=99_u8)
            .prop_filter_map("a date", |(day, month, year)| Date::new(day, month, year));
        let id = (prop::sample::select(&MarketCode::ALL), prop::sample::select(&Slot::ALL), date);
        let share = |((market, slot, date), share_type)| Share { id: ShareId { market, slot, date }, share_type };
        (id, prop::sample::select(&ShareType::ALL)).prop_map(share)
    }

    fn buyers() -> impl Strategy<Value = BuyerId> {
        let buyer = |(market, number): (_, u16)| BuyerId { market, number: number.try_into().unwrap() };
        (prop::sample::select(&MarketCode::ALL), 0..=9999_u16).prop_map(buyer)
    }

    fn states() -> impl Strategy<Value = MarketState> {
        let share = (shares(), any::<u32>(), any::<u32>());
        let share = share.prop_map(|(share, capacity, available)| ShareState { share, capacity, available });
        let holding = (buyers(), shares(), any::<u32>());
        let holding = holding.prop_map(|(buyer, share, units)| HoldingState { buyer, share, units });
        let state = (prop::collection::vec(share, 0..8), prop::collection::vec(holding, 0..8));
        state.prop_map(|(shares, holdings)| MarketState { shares, holdings })
    }

    proptest! {
        #[test]
        fn a_state_survives_the_way_to_the_reference_market_and_back(state in states()) {
            prop_assert_eq!(from_state(&to_state(&state)), state);
        }
    }

    #[test]
    fn natively_and_in_the_sandbox_the_reference_market_is_one() {
        let engine = Engine::with_cache_dir(SandboxLimits::default(), None).unwrap();
        let mut sandboxed = engine.load(reference_module()).unwrap().instantiate().unwrap();
        let mut native = NativeMarket::new();
        for (request, sequence_number) in listings().chain(Mix::new(2, 0).take(5_000)).zip(1..) {
            let context = Context { sequence_number, time_ms: 0 };
            let (expected, found) = (native.execute(context, &request), sandboxed.execute(context, &request));
            assert_eq!(found, expected, "#{sequence_number} {request}");
            if sequence_number.is_multiple_of(500) {
                let digests = (native.export_state().unwrap().digest(), sandboxed.export_state().unwrap().digest());
                assert_eq!(digests.0, digests.1, "after #{sequence_number}");
            }
        }
    }

    #[test]
    fn a_state_of_one_is_accepted_by_the_other_and_refused_alike() {
        let engine = Engine::with_cache_dir(SandboxLimits::default(), None).unwrap();
        let mut sandboxed = engine.load(reference_module()).unwrap().instantiate().unwrap();
        let (mut native, context) = (NativeMarket::new(), Context { sequence_number: 1, time_ms: 0 });
        for request in listings().chain(Mix::new(3, 0).take(500)) {
            native.execute(context, &request).unwrap();
        }
        let state = native.export_state().unwrap();
        assert!(!state.holdings.is_empty());
        assert_eq!(sandboxed.import_state(&state), Ok(Ok(())));
        assert_eq!(sandboxed.export_state(), Ok(state.clone()));

        let mut broken = state;
        broken.shares[0].available += 1;
        let refused = sandboxed.import_state(&broken).unwrap();
        assert!(refused.is_err());
        assert_eq!(native.import_state(&broken), Ok(refused));
    }
}
