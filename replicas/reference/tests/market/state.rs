//! Export and import of the whole market, and every state that import refuses.

use dsms_reference::ReferenceMarket;
use dsms_reference::types::{HoldingState, MarketState, ShareState, Units};

use crate::notation::{buyer, check, check_on, share};

fn listed(id: &str, share_type: &str, capacity: Units, available: Units) -> ShareState {
    ShareState { share: share(id, share_type), capacity, available }
}

fn held(by: &str, id: &str, share_type: &str, units: Units) -> HoldingState {
    HoldingState { buyer: buyer(by), share: share(id, share_type), units }
}

/// Two shares; one is held by two buyers.
fn sound_state() -> MarketState {
    MarketState {
        shares: vec![listed("NYKM100925", "Equity", 10, 3), listed("LONA290224", "Bonus", 5, 5)],
        holdings: vec![held("NYKB1234", "NYKM100925", "Equity", 4), held("LONB0000", "NYKM100925", "Equity", 3)],
    }
}

fn check_refused(change: impl FnOnce(&mut MarketState), expected: &str) {
    let mut state = sound_state();
    change(&mut state);
    let mut market = check("TOKA1001 add-share TOKM100925 Equity 7");
    let before = market.clone();
    assert_eq!(market.import_state(&state), Err(expected.to_owned()));
    assert_eq!(market, before, "a refused import changed something");
}

#[test]
fn an_empty_market_exports_an_empty_state_and_imports_it() {
    assert_eq!(ReferenceMarket::new().export_state(), MarketState::default());
    let mut market = check("TOKA1001 add-share TOKM100925 Equity 7");
    assert_eq!(market.import_state(&MarketState::default()), Ok(()));
    assert_eq!(market, ReferenceMarket::new());
}

#[test]
fn the_exported_state_lists_every_share_and_every_holding() {
    let market = check(
        "NYKA1001 add-share NYKM100925 Equity 10
         LONA1001 add-share LONA290224 Bonus 5
         NYKB1234 purchase-share NYKM100925 Equity 4
         LONB0000 purchase-share NYKM100925 Equity 3",
    );
    let (mut exported, mut expected) = (market.export_state(), sound_state());
    for state in [&mut exported, &mut expected] {
        state.shares.sort();
        state.holdings.sort();
    }
    assert_eq!(exported, expected);
}

#[test]
fn an_imported_state_replaces_the_market_and_is_gone_on_from() {
    let mut market = check("TOKA1001 add-share TOKM100925 Equity 7");
    assert_eq!(market.import_state(&sound_state()), Ok(()));
    check_on(
        &mut market,
        "NYKA1001 list-share-availability Equity          -> Equity: NYKM100925 3
         NYKB1234 purchase-share NYKM100925 Equity 1      -> already-owned
         LONB0000 sell-share NYKM100925 2                 -> sold 2 Equity, 1 remaining, 5 available
         NYKA1001 remove-share NYKM100925 Equity          -> removed: 5 available, 5 held by 2
         NYKB1234 get-shares                              -> holdings: none",
    );
}

#[test]
fn holdings_beyond_the_limits_are_imported_since_no_law_forbids_them() {
    let state = MarketState {
        shares: vec![listed("NYKM100925", "Equity", 2, 1), listed("NYKA100925", "Equity", 2, 1)],
        holdings: vec![held("NYKB1234", "NYKM100925", "Equity", 1), held("NYKB1234", "NYKA100925", "Equity", 1)],
    };
    let mut market = ReferenceMarket::new();
    assert_eq!(market.import_state(&state), Ok(()));
    assert_eq!(market.check_invariants(), Ok(()));
}

#[test]
fn the_largest_capacity_is_imported() {
    let state = MarketState { shares: vec![listed("NYKM100925", "Equity", 1_000_000, 1_000_000)], holdings: vec![] };
    assert_eq!(ReferenceMarket::new().import_state(&state), Ok(()));
}

#[test]
fn units_that_do_not_add_up_are_refused() {
    check_refused(
        |state| state.shares[0].available = 4,
        "NYKM100925 Equity has capacity 10, but 4 available and 7 held",
    );
    check_refused(|state| state.holdings[0].units = 3, "NYKM100925 Equity has capacity 10, but 3 available and 6 held");
    check_refused(|state| state.holdings.clear(), "NYKM100925 Equity has capacity 10, but 3 available and 0 held");
    check_refused(|state| state.shares[1].available = 6, "LONA290224 Bonus has capacity 5, but 6 available and 0 held");
}

#[test]
fn sums_that_would_wrap_around_to_the_capacity_are_refused() {
    check_refused(
        |state| {
            state.holdings[0].units = Units::MAX;
            state.holdings[1].units = 8;
        },
        "NYKM100925 Equity has capacity 10, but 3 available and 4294967303 held",
    );
}

#[test]
fn a_holding_of_nothing_is_refused() {
    check_refused(
        |state| state.holdings.push(held("TOKB0001", "LONA290224", "Bonus", 0)),
        "TOKB0001 holds 0 units of LONA290224 Bonus",
    );
}

#[test]
fn a_holding_of_an_unlisted_share_is_refused() {
    check_refused(
        |state| state.holdings.push(held("TOKB0001", "LONA290224", "Equity", 1)),
        "TOKB0001 holds LONA290224 Equity, which is not listed",
    );
}

#[test]
fn what_is_given_twice_is_refused() {
    check_refused(|state| state.shares.push(state.shares[1]), "LONA290224 Bonus is listed twice");
    check_refused(|state| state.holdings.push(state.holdings[0]), "NYKB1234 holds NYKM100925 Equity twice");
    check_refused(
        |state| {
            // Two halves that would add up.
            state.holdings[0].units = 2;
            state.holdings.push(state.holdings[0]);
        },
        "NYKB1234 holds NYKM100925 Equity twice",
    );
}

#[test]
fn a_capacity_out_of_bounds_is_refused() {
    check_refused(
        |state| state.shares.push(listed("TOKM100925", "Equity", 0, 0)),
        "TOKM100925 Equity has capacity 0, which is not 1 to 1000000",
    );
    check_refused(
        |state| state.shares.push(listed("TOKM100925", "Equity", 1_000_001, 1_000_001)),
        "TOKM100925 Equity has capacity 1000001, which is not 1 to 1000000",
    );
}

#[test]
fn a_date_that_does_not_exist_is_refused() {
    for id in ["NYKM310225", "NYKM290225", "TOKE122225", "NYKM000125", "NYKM010025"] {
        check_refused(
            |state| state.shares.push(listed(id, "Equity", 1, 1)),
            &format!("{id} Equity has no date of the years 2000 to 2099"),
        );
    }
    for year in [0, 1999, 2100, u16::MAX] {
        check_refused(
            |state| state.shares[1].share.id.date = dsms_reference::types::Date { year, month: 1, day: 1 },
            &format!("LONA0101{year} Bonus has no date of the years 2000 to 2099"),
        );
    }
}

#[test]
fn a_buyer_with_five_digits_is_refused() {
    check_refused(|state| state.holdings[0].buyer.number = 10_000, "NYKB10000 has a number of more than four digits");
}
