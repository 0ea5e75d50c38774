//! Random histories over so few identifiers that requests collide all the time.
//!
//! The invariants are checked after every request, and each outcome is compared with that of the naive model. A test of
//! the histories themselves proves that they meet every success and every refusal.

use std::collections::BTreeSet;

use dsms_reference::ReferenceMarket;
use dsms_reference::types::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::naive::NaiveMarket;
use crate::notation::words;

const MARKETS: [Market; 3] = [Market::Nyk, Market::Lon, Market::Tok];

/// Three days of the week that holds New Year 2027, and the Monday after it.
const DATES: [Date; 4] = [
    Date { year: 2026, month: 12, day: 31 },
    Date { year: 2027, month: 1, day: 1 },
    Date { year: 2027, month: 1, day: 3 },
    Date { year: 2027, month: 1, day: 4 },
];

/// Small enough for partial fills and sold-out shares to be everyday events.
fn units() -> impl Strategy<Value = Units> {
    1..=6_u32
}

fn share_id() -> impl Strategy<Value = ShareId> {
    let slot = prop_oneof![3 => Just(Slot::Morning), 1 => Just(Slot::Evening)];
    (select(&MARKETS[..]), slot, select(&DATES[..])).prop_map(|(market, slot, date)| ShareId { market, slot, date })
}

fn share() -> impl Strategy<Value = Share> {
    (select(&ShareType::ALL[..]), share_id()).prop_map(|(share_type, id)| Share { share_type, id })
}

fn buyer() -> impl Strategy<Value = BuyerId> {
    (select(&MARKETS[..]), 1..=2_u16).prop_map(|(market, number)| BuyerId { market, number })
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (share(), units()).prop_map(|(share, capacity)| Operation::AddShare(AddShare { share, capacity })),
        1 => share().prop_map(Operation::RemoveShare),
        1 => select(&ShareType::ALL[..]).prop_map(Operation::ListShareAvailability),
        8 => (buyer(), share(), units())
            .prop_map(|(buyer, share, count)| Operation::PurchaseShare(PurchaseShare { buyer, share, count })),
        1 => buyer().prop_map(Operation::GetShares),
        4 => (buyer(), share_id(), units())
            .prop_map(|(buyer, id, count)| Operation::SellShare(SellShare { buyer, id, count })),
        6 => (buyer(), share(), share())
            .prop_map(|(buyer, old, new)| Operation::SwapShares(SwapShares { buyer, old, new })),
    ]
}

fn any_caller() -> impl Strategy<Value = Caller> {
    prop_oneof![
        buyer().prop_map(Caller::Buyer),
        select(&MARKETS[..]).prop_map(|market| Caller::Admin(AdminId { market, number: 1 })),
    ]
}

/// Somebody who may ask for it.
fn rightful_caller(operation: &Operation, rather_an_admin: bool) -> Caller {
    let (market, buyer) = match *operation {
        Operation::AddShare(AddShare { share, .. }) | Operation::RemoveShare(share) => (share.id.market, None),
        Operation::ListShareAvailability(_) => (Market::Tok, None),
        Operation::PurchaseShare(PurchaseShare { buyer, .. })
        | Operation::GetShares(buyer)
        | Operation::SellShare(SellShare { buyer, .. })
        | Operation::SwapShares(SwapShares { buyer, .. }) => (buyer.market, Some(buyer)),
    };
    match buyer {
        Some(buyer) if !rather_an_admin => Caller::Buyer(buyer),
        _ => Caller::Admin(AdminId { market, number: 2 }),
    }
}

fn request() -> impl Strategy<Value = Request> {
    let caller = prop_oneof![9 => Just(None), 1 => any_caller().prop_map(Some)];
    (operation(), caller, any::<bool>()).prop_map(|(operation, caller, rather_an_admin)| {
        let caller = caller.unwrap_or_else(|| rightful_caller(&operation, rather_an_admin));
        Request { caller, operation }
    })
}

fn history() -> impl Strategy<Value = Vec<Request>> {
    vec(request(), 0..400)
}

fn market_after(history: &[Request]) -> ReferenceMarket {
    let mut market = ReferenceMarket::new();
    for request in history {
        market.execute(request);
    }
    market
}

/// The outcome with its lists in one order, which is how the host compares outcomes.
fn sorted(mut outcome: Outcome) -> Outcome {
    match &mut outcome {
        Outcome::Availability(availability) => availability.shares.sort(),
        Outcome::Holdings(holdings) => holdings.sort(),
        _ => {}
    }
    outcome
}

/// What becomes of a state when one thing in it is spoiled. Not every change makes it unsound.
fn spoil(state: &mut MarketState, how: u8, at: usize, units: Units) {
    let (share, holding) = (at % state.shares.len().max(1), at % state.holdings.len().max(1));
    match (how % 8, state.shares.is_empty(), state.holdings.is_empty()) {
        (0, false, _) => state.shares.push(state.shares[share]),
        (1, false, _) => drop(state.shares.remove(share)),
        (2, false, _) => state.shares[share].capacity = units,
        (3, false, _) => state.shares[share].available = units,
        (4, _, false) => state.holdings.push(state.holdings[holding]),
        (5, _, false) => drop(state.holdings.remove(holding)),
        (6, _, false) => state.holdings[holding].units = units,
        (7, _, false) => state.holdings[holding].share = state.shares[share].share,
        _ => {}
    }
}

/// Whether the laws of the market hold of a state, straight from section 2 of the market specification.
fn is_sound(state: &MarketState) -> bool {
    let shares: BTreeSet<Share> = state.shares.iter().map(|listed| listed.share).collect();
    let holdings: BTreeSet<(BuyerId, Share)> = state.holdings.iter().map(|held| (held.buyer, held.share)).collect();
    let held_of =
        |share| state.holdings.iter().filter(|held| held.share == share).map(|held| held.units).sum::<Units>();
    shares.len() == state.shares.len()
        && holdings.len() == state.holdings.len()
        && state.shares.iter().all(|listed| listed.capacity == listed.available + held_of(listed.share))
        && state.shares.iter().all(|listed| listed.capacity > 0)
        && state.holdings.iter().all(|held| held.units > 0 && shares.contains(&held.share))
}

proptest! {
    #[test]
    fn every_request_keeps_the_laws_and_a_refused_one_changes_nothing(history in history()) {
        let mut market = ReferenceMarket::new();
        for request in &history {
            let before = market.clone();
            let outcome = market.execute(request);
            prop_assert_eq!(market.check_invariants(), Ok(()), "after {:?}", request);
            let questions = matches!(outcome, Outcome::Refused(_) | Outcome::Availability(_) | Outcome::Holdings(_));
            prop_assert_eq!(market == before, questions, "{:?}: {:?}", request, outcome);
        }
    }

    #[test]
    fn the_market_answers_like_the_naive_model(history in history()) {
        let (mut market, mut naive) = (ReferenceMarket::new(), NaiveMarket::default());
        for request in &history {
            let (outcome, expected) = (market.execute(request), naive.execute(request));
            prop_assert_eq!(sorted(outcome), sorted(expected), "{:?}", request);
        }
    }

    #[test]
    fn the_same_history_gives_the_same_outcomes_and_the_same_market(history in history()) {
        let (mut one, mut other) = (ReferenceMarket::new(), ReferenceMarket::new());
        for request in &history {
            prop_assert_eq!(one.execute(request), other.execute(request));
        }
        prop_assert_eq!(one, other);
    }

    #[test]
    fn a_market_imports_what_it_exported_in_any_order(history in history(), later in history()) {
        let mut market = market_after(&history);
        let mut state = market.export_state();
        state.shares.reverse();
        state.holdings.reverse();
        let mut imported = market_after(&later);
        prop_assert_eq!(imported.import_state(&state), Ok(()));
        prop_assert_eq!(&imported, &market);
        for request in &later {
            prop_assert_eq!(imported.execute(request), market.execute(request));
        }
    }

    #[test]
    fn a_state_is_imported_exactly_when_it_is_sound(
        history in history(), how in any::<u8>(), at in any::<usize>(), units in 0..=6_u32, later in history(),
    ) {
        let mut state = market_after(&history).export_state();
        spoil(&mut state, how, at, units);
        let mut market = market_after(&later);
        let before = market.clone();
        let imported = market.import_state(&state);
        prop_assert_eq!(imported.is_ok(), is_sound(&state), "{:?}", imported);
        prop_assert_eq!(market.check_invariants(), Ok(()));
        if imported.is_err() {
            prop_assert_eq!(market, before);
        }
    }
}

#[test]
fn the_histories_meet_every_success_and_every_refusal() {
    let mut runner = TestRunner::deterministic();
    let mut met = BTreeSet::new();
    for _ in 0..100 {
        let mut market = ReferenceMarket::new();
        for request in history().new_tree(&mut runner).unwrap().current() {
            let words = words(&market.execute(&request));
            met.insert(words.split([' ', ':']).next().unwrap().to_owned());
        }
    }
    for outcome in [
        "added",
        "removed",
        "Equity",
        "Bonus",
        "Dividend",
        "purchased",
        "holdings",
        "sold",
        "swapped",
        "forbidden",
        "wrong-market",
        "already-exists",
        "not-found",
        "already-owned",
        "daily-limit",
        "weekly-limit",
        "sold-out",
        "not-owned",
        "insufficient-owned",
        "same-share",
        "new-not-found",
        "insufficient-new",
    ] {
        assert!(met.contains(outcome), "no history meets {outcome}");
    }
}
