//! Whether the golden requests hold a module to the order of the checks: wherever a request can break two rules at
//! once, a case shows which of them is named.
//!
//! Each rule is judged here by itself, from the state alone, apart from the reference market.

use std::collections::BTreeSet;

use super::golden;
use super::subject::{expected, reference_after};
use crate::market::{
    BuyerId, Caller, Date, HoldingState, MarketState, Module, Operation, Outcome, Request, Share, ShareState,
};

/// A refusal that is checked first, and those that it hides.
type Before = (&'static str, &'static [&'static str]);

/// Refusals that one request can earn at the same time, the one that is checked first before the other. What is not
/// here cannot be, as a holding of a share that is not listed, or two holdings of one type and day.
const PAIRS: [(&str, &[Before]); 5] = [
    ("add-share", &[("forbidden", &["already-exists"]), ("wrong-market", &["already-exists"])]),
    ("remove-share", &[("forbidden", &["not-found"]), ("wrong-market", &["not-found"])]),
    (
        "purchase-share",
        &[
            ("forbidden", &["not-found", "already-owned", "daily-limit", "weekly-limit", "sold-out"]),
            ("not-found", &["daily-limit", "weekly-limit"]),
            ("already-owned", &["weekly-limit", "sold-out"]),
            ("daily-limit", &["weekly-limit", "sold-out"]),
            ("weekly-limit", &["sold-out"]),
        ],
    ),
    ("sell-share", &[("forbidden", &["not-owned", "insufficient-owned"])]),
    (
        "swap-shares",
        &[
            (
                "forbidden",
                &[
                    "same-share",
                    "not-owned",
                    "new-not-found",
                    "already-owned",
                    "daily-limit",
                    "weekly-limit",
                    "insufficient-new",
                ],
            ),
            ("same-share", &["not-owned", "new-not-found", "daily-limit", "weekly-limit", "insufficient-new"]),
            ("not-owned", &["new-not-found", "already-owned", "daily-limit", "weekly-limit"]),
            ("new-not-found", &["daily-limit", "weekly-limit"]),
            ("already-owned", &["weekly-limit", "insufficient-new"]),
            ("daily-limit", &["weekly-limit", "insufficient-new"]),
            ("weekly-limit", &["insufficient-new"]),
        ],
    ),
];

#[test]
fn wherever_two_rules_can_be_broken_at_once_a_case_shows_which_is_named() {
    let mut shown = BTreeSet::new();
    for history in golden::histories() {
        let mut market = reference_after(&[]);
        for past in history.requests() {
            let state = market.export_state().unwrap();
            let Outcome::Refused(refusal) = expected(&mut market, &past) else { continue };
            let broken = broken_by(&state, &past.request);
            assert!(broken.contains(&refusal.name()), "{}: {} is not among {broken:?}", past.request, refusal.name());
            let operation = past.request.operation.name();
            let others = broken.into_iter().filter(|other| *other != refusal.name());
            shown.extend(others.map(|other| (operation, refusal.name(), other)));
        }
    }
    let pair = |operation, first, seconds: &[&'static str]| {
        seconds.iter().map(move |second| (operation, first, *second)).collect::<Vec<_>>()
    };
    let needed: BTreeSet<(&str, &str, &str)> = PAIRS
        .iter()
        .flat_map(|(operation, pairs)| pairs.iter().flat_map(move |(first, seconds)| pair(*operation, *first, seconds)))
        .collect();
    let missing: Vec<_> = needed.difference(&shown).collect();
    assert!(missing.is_empty(), "no case shows that the first comes before the second: {missing:#?}");
    let unknown: Vec<_> = shown.difference(&needed).collect();
    assert!(unknown.is_empty(), "these can be broken at once as well: {unknown:#?}");
}

/// Every refusal that the request would earn if no other were checked.
fn broken_by(state: &MarketState, request: &Request) -> Vec<&'static str> {
    let mut broken = Vec::new();
    let mut check = |is_broken: bool, name| broken.extend(is_broken.then_some(name));
    let listed = |share: Share| state.shares.iter().find(|listed| listed.share == share);
    match request.operation {
        Operation::AddShare { share, .. } => {
            check(!is_admin(request), "forbidden");
            check(is_of_another_market(request, share), "wrong-market");
            check(listed(share).is_some(), "already-exists");
        }
        Operation::RemoveShare { share } => {
            check(!is_admin(request), "forbidden");
            check(is_of_another_market(request, share), "wrong-market");
            check(listed(share).is_none(), "not-found");
        }
        Operation::ListShareAvailability { .. } => check(!is_admin(request), "forbidden"),
        Operation::GetShares { buyer } => check(!may_speak_for(request, buyer), "forbidden"),
        Operation::PurchaseShare { buyer, share, .. } => {
            check(!may_speak_for(request, buyer), "forbidden");
            check(listed(share).is_none(), "not-found");
            limits(&held(state, buyer), buyer, share, &mut check);
            check(listed(share).is_some_and(|share| share.available == 0), "sold-out");
        }
        Operation::SellShare { buyer, id, count } => {
            check(!may_speak_for(request, buyer), "forbidden");
            let most = held(state, buyer).iter().filter(|held| held.share.id == id).map(|held| held.units).max();
            check(most.is_none(), "not-owned");
            check(most.is_some_and(|most| most < count.value()), "insufficient-owned");
        }
        Operation::SwapShares { buyer, old, new } => {
            check(!may_speak_for(request, buyer), "forbidden");
            check(old == new, "same-share");
            let all = held(state, buyer);
            let units = all.iter().find(|held| held.share == old).map(|held| held.units);
            check(units.is_none(), "not-owned");
            check(listed(new).is_none(), "new-not-found");
            let others: Vec<HoldingState> = all.into_iter().filter(|held| held.share != old).collect();
            limits(&others, buyer, new, &mut check);
            let has_too_few = |listed: &ShareState| units.is_some_and(|units| listed.available < units);
            check(listed(new).is_some_and(has_too_few), "insufficient-new");
        }
    }
    broken
}

fn is_admin(request: &Request) -> bool {
    matches!(request.caller, Caller::Admin(_))
}

fn is_of_another_market(request: &Request, share: Share) -> bool {
    matches!(request.caller, Caller::Admin(admin) if admin.market != share.id.market)
}

fn may_speak_for(request: &Request, buyer: BuyerId) -> bool {
    match request.caller {
        Caller::Admin(admin) => admin.market == buyer.market,
        Caller::Buyer(caller) => caller == buyer,
    }
}

fn held(state: &MarketState, buyer: BuyerId) -> Vec<HoldingState> {
    state.holdings.iter().filter(|held| held.buyer == buyer).copied().collect()
}

fn limits(held: &[HoldingState], buyer: BuyerId, share: Share, check: &mut impl FnMut(bool, &'static str)) {
    check(held.iter().any(|held| held.share == share), "already-owned");
    let is_same_day =
        |other: Share| other != share && other.share_type == share.share_type && other.id.date == share.id.date;
    check(held.iter().any(|held| is_same_day(held.share)), "daily-limit");
    let is_foreign = |share: Share| share.id.market != buyer.market;
    let is_counted = |other: Share| is_foreign(other) && monday_of(other.id.date) == monday_of(share.id.date);
    let counted = held.iter().filter(|held| is_counted(held.share)).count();
    check(is_foreign(share) && counted >= 3, "weekly-limit");
}

/// The Monday on or before a date, as days since 1 January 2000, which was a Saturday. Two dates lie in one week if
/// they have the same.
fn monday_of(date: Date) -> i64 {
    const DAYS: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let years = i64::from(date.year()) - 2000;
    let is_after_leap_day = date.month() > 2 && years % 4 == 0;
    let day = years * 365
        + (years + 3) / 4
        + DAYS[usize::from(date.month()) - 1]
        + i64::from(is_after_leap_day)
        + i64::from(date.day())
        - 1;
    day - (day + 5).rem_euclid(7)
}
