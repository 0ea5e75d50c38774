//! Between the market's own types and those of the contract.
//!
//! Towards the guest nothing can go wrong. From the guest everything can: the contract's records hold more than there is
//! (a month 0, a buyer number 60000), so each value is checked here, once, and nobody checks again.

use super::bindings::dsms::replica::types as wit;
use crate::market::{
    AdminId, BuyerId, Caller, Context, Date, HoldingState, MarketCode, MarketState, Operation, Outcome, Refusal,
    Request, Share, ShareId, ShareState, ShareType, Slot,
};

/// A value from a guest that no market has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConvertError {
    #[error("a date that is not in the calendar: day {day}, month {month}, year {year} (2000 to 2099)")]
    Date { day: u8, month: u8, year: u16 },
    #[error("a buyer with the number {number} (0 to 9999)")]
    Buyer { number: u16 },
}

pub(super) fn context_to_guest(context: Context) -> wit::Context {
    wit::Context { sequence_number: context.sequence_number, time_ms: context.time_ms }
}

pub(super) fn request_to_guest(request: &Request) -> wit::Request {
    let operation = match request.operation {
        Operation::AddShare { share, capacity } => {
            wit::Operation::AddShare(wit::AddShare { share: share_to_guest(share), capacity: capacity.value() })
        }
        Operation::RemoveShare { share } => wit::Operation::RemoveShare(share_to_guest(share)),
        Operation::ListShareAvailability { share_type } => {
            wit::Operation::ListShareAvailability(share_type_to_guest(share_type))
        }
        Operation::PurchaseShare { buyer, share, count } => wit::Operation::PurchaseShare(wit::PurchaseShare {
            buyer: buyer_to_guest(buyer),
            share: share_to_guest(share),
            count: count.value(),
        }),
        Operation::GetShares { buyer } => wit::Operation::GetShares(buyer_to_guest(buyer)),
        Operation::SellShare { buyer, id, count } => wit::Operation::SellShare(wit::SellShare {
            buyer: buyer_to_guest(buyer),
            id: share_id_to_guest(id),
            count: count.value(),
        }),
        Operation::SwapShares { buyer, old, new } => wit::Operation::SwapShares(wit::SwapShares {
            buyer: buyer_to_guest(buyer),
            old: share_to_guest(old),
            new: share_to_guest(new),
        }),
    };
    wit::Request { caller: caller_to_guest(request.caller), operation }
}

pub(super) fn state_to_guest(state: &MarketState) -> wit::MarketState {
    let share = |state: &ShareState| wit::ShareState {
        share: share_to_guest(state.share),
        capacity: state.capacity,
        available: state.available,
    };
    let holding = |state: &HoldingState| wit::HoldingState {
        buyer: buyer_to_guest(state.buyer),
        share: share_to_guest(state.share),
        units: state.units,
    };
    wit::MarketState {
        shares: state.shares.iter().map(share).collect(),
        holdings: state.holdings.iter().map(holding).collect(),
    }
}

pub(super) fn outcome_from_guest(outcome: wit::Outcome) -> Result<Outcome, ConvertError> {
    Ok(match outcome {
        wit::Outcome::Added(wit::Added { capacity }) => Outcome::Added { capacity },
        wit::Outcome::Removed(wit::Removed { available, holders, units }) => {
            Outcome::Removed { available, holders, units }
        }
        wit::Outcome::Availability(wit::Availability { share_type, shares }) => {
            let share = |share: &wit::AvailableShare| Ok((share_id_from_guest(share.id)?, share.available));
            let shares = shares.iter().map(share).collect::<Result<_, ConvertError>>()?;
            Outcome::Availability { share_type: share_type_from_guest(share_type), shares }
        }
        wit::Outcome::Purchased(wit::Purchased { requested, bought, available }) => {
            Outcome::Purchased { requested, bought, available }
        }
        wit::Outcome::Holdings(holdings) => {
            let holding = |owned: &wit::Owned| Ok((share_from_guest(owned.share)?, owned.units));
            Outcome::Holdings { holdings: holdings.iter().map(holding).collect::<Result<_, ConvertError>>()? }
        }
        wit::Outcome::Sold(wit::Sold { share_type, sold, remaining, available }) => {
            Outcome::Sold { share_type: share_type_from_guest(share_type), sold, remaining, available }
        }
        wit::Outcome::Swapped(wit::Swapped { units }) => Outcome::Swapped { units },
        wit::Outcome::Refused(refusal) => Outcome::Refused(refusal_from_guest(refusal)),
    })
}

pub(super) fn state_from_guest(state: &wit::MarketState) -> Result<MarketState, ConvertError> {
    let share = |state: &wit::ShareState| {
        Ok(ShareState { share: share_from_guest(state.share)?, capacity: state.capacity, available: state.available })
    };
    let holding = |state: &wit::HoldingState| {
        let (buyer, share) = (buyer_from_guest(state.buyer)?, share_from_guest(state.share)?);
        Ok(HoldingState { buyer, share, units: state.units })
    };
    Ok(MarketState {
        shares: state.shares.iter().map(share).collect::<Result<_, ConvertError>>()?,
        holdings: state.holdings.iter().map(holding).collect::<Result<_, ConvertError>>()?,
    })
}

fn refusal_from_guest(refusal: wit::Refusal) -> Refusal {
    match refusal {
        wit::Refusal::Forbidden => Refusal::Forbidden,
        wit::Refusal::WrongMarket => Refusal::WrongMarket,
        wit::Refusal::AlreadyExists => Refusal::AlreadyExists,
        wit::Refusal::NotFound => Refusal::NotFound,
        wit::Refusal::AlreadyOwned => Refusal::AlreadyOwned,
        wit::Refusal::DailyLimit => Refusal::DailyLimit,
        wit::Refusal::WeeklyLimit => Refusal::WeeklyLimit,
        wit::Refusal::SoldOut => Refusal::SoldOut,
        wit::Refusal::NotOwned => Refusal::NotOwned,
        wit::Refusal::InsufficientOwned(wit::InsufficientOwned { owned }) => Refusal::InsufficientOwned { owned },
        wit::Refusal::SameShare => Refusal::SameShare,
        wit::Refusal::NewNotFound => Refusal::NewNotFound,
        wit::Refusal::InsufficientNew(wit::InsufficientNew { available, needed }) => {
            Refusal::InsufficientNew { available, needed }
        }
    }
}

fn caller_to_guest(caller: Caller) -> wit::Caller {
    match caller {
        Caller::Admin(AdminId { market, number }) => {
            wit::Caller::Admin(wit::AdminId { market: market_to_guest(market), number: number.value() })
        }
        Caller::Buyer(buyer) => wit::Caller::Buyer(buyer_to_guest(buyer)),
    }
}

fn buyer_to_guest(BuyerId { market, number }: BuyerId) -> wit::BuyerId {
    wit::BuyerId { market: market_to_guest(market), number: number.value() }
}

fn buyer_from_guest(wit::BuyerId { market, number }: wit::BuyerId) -> Result<BuyerId, ConvertError> {
    let checked = number.try_into().map_err(|_| ConvertError::Buyer { number })?;
    Ok(BuyerId { market: market_from_guest(market), number: checked })
}

fn share_to_guest(Share { id, share_type }: Share) -> wit::Share {
    wit::Share { share_type: share_type_to_guest(share_type), id: share_id_to_guest(id) }
}

fn share_from_guest(share: wit::Share) -> Result<Share, ConvertError> {
    Ok(Share { id: share_id_from_guest(share.id)?, share_type: share_type_from_guest(share.share_type) })
}

fn share_id_to_guest(ShareId { market, slot, date }: ShareId) -> wit::ShareId {
    let slot = match slot {
        Slot::Morning => wit::Slot::Morning,
        Slot::Afternoon => wit::Slot::Afternoon,
        Slot::Evening => wit::Slot::Evening,
    };
    let date = wit::Date { year: date.year(), month: date.month(), day: date.day() };
    wit::ShareId { market: market_to_guest(market), slot, date }
}

fn share_id_from_guest(id: wit::ShareId) -> Result<ShareId, ConvertError> {
    let slot = match id.slot {
        wit::Slot::Morning => Slot::Morning,
        wit::Slot::Afternoon => Slot::Afternoon,
        wit::Slot::Evening => Slot::Evening,
    };
    Ok(ShareId { market: market_from_guest(id.market), slot, date: date_from_guest(id.date)? })
}

fn date_from_guest(wit::Date { year, month, day }: wit::Date) -> Result<Date, ConvertError> {
    let two_digits = year.checked_sub(2000).and_then(|years| u8::try_from(years).ok());
    two_digits.and_then(|year| Date::new(day, month, year)).ok_or(ConvertError::Date { day, month, year })
}

fn market_to_guest(market: MarketCode) -> wit::Market {
    match market {
        MarketCode::NewYork => wit::Market::Nyk,
        MarketCode::London => wit::Market::Lon,
        MarketCode::Tokyo => wit::Market::Tok,
    }
}

fn market_from_guest(market: wit::Market) -> MarketCode {
    match market {
        wit::Market::Nyk => MarketCode::NewYork,
        wit::Market::Lon => MarketCode::London,
        wit::Market::Tok => MarketCode::Tokyo,
    }
}

fn share_type_to_guest(share_type: ShareType) -> wit::ShareType {
    match share_type {
        ShareType::Equity => wit::ShareType::Equity,
        ShareType::Bonus => wit::ShareType::Bonus,
        ShareType::Dividend => wit::ShareType::Dividend,
    }
}

fn share_type_from_guest(share_type: wit::ShareType) -> ShareType {
    match share_type {
        wit::ShareType::Equity => ShareType::Equity,
        wit::ShareType::Bonus => ShareType::Bonus,
        wit::ShareType::Dividend => ShareType::Dividend,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_the_way_to_the_guest_and_back() {
        let share = |id: &str, share_type| Share { id: id.parse().unwrap(), share_type };
        let state = MarketState {
            shares: vec![
                ShareState { share: share("LONA290224", ShareType::Dividend), capacity: 7, available: 0 },
                ShareState { share: share("TOKE311299", ShareType::Bonus), capacity: 1_000_000, available: 5 },
                ShareState { share: share("NYKM010100", ShareType::Equity), capacity: 1, available: 1 },
            ],
            holdings: vec![HoldingState {
                buyer: "TOKB9999".parse().unwrap(),
                share: share("LONA290224", ShareType::Dividend),
                units: 7,
            }],
        };
        assert_eq!(state_from_guest(&state_to_guest(&state)), Ok(state));
    }

    #[test]
    fn what_no_market_has_is_refused() {
        #[track_caller]
        fn check(day: u8, month: u8, year: u16) {
            let date = wit::Date { year, month, day };
            assert_eq!(date_from_guest(date), Err(ConvertError::Date { day, month, year }));
        }
        check(1, 0, 2025);
        check(1, 13, 2025);
        check(0, 1, 2025);
        check(31, 2, 2025);
        check(1, 1, 1999);
        check(1, 1, 2100);
        check(1, 1, 65535);
        check(255, 255, 2025);
        let buyer = wit::BuyerId { market: wit::Market::Nyk, number: 10_000 };
        assert_eq!(buyer_from_guest(buyer), Err(ConvertError::Buyer { number: 10_000 }));
    }
}
