//! `sell-share`: `not-owned`, `insufficient-owned`, `sold`.

use crate::notation::{check, check_on};

#[test]
fn sold_units_are_available_again() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 6
         NYKB1234 sell-share NYKM100925 2                 -> sold 2 Equity, 4 remaining, 6 available
         NYKB1234 get-shares                              -> holdings: NYKM100925 Equity 4
         NYKA1001 list-share-availability Equity          -> Equity: NYKM100925 6",
    );
}

#[test]
fn a_holding_sold_completely_disappears() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 6
         NYKB1234 sell-share NYKM100925 6                 -> sold 6 Equity, 0 remaining, 10 available
         NYKB1234 get-shares                              -> holdings: none
         NYKB1234 sell-share NYKM100925 1                 -> not-owned",
    );
}

#[test]
fn what_is_not_held_is_not_sold() {
    check(
        "NYKB1234 sell-share NYKM100925 1                 -> not-owned
         NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKA110925 Equity 10
         NYKB1234 sell-share NYKM100925 1                 -> not-owned
         NYKB5678 purchase-share NYKM100925 Equity 6
         NYKB1234 purchase-share NYKA110925 Equity 6
         NYKB1234 sell-share NYKM100925 1                 -> not-owned",
    );
}

#[test]
fn one_unit_too_many_sells_none() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 6
         NYKB1234 sell-share NYKM100925 7                 -> insufficient-owned: 6
         NYKB1234 sell-share NYKM100925 6                 -> sold 6 Equity, 0 remaining, 10 available",
    );
}

#[test]
fn any_type_is_sold() {
    check(
        "NYKA1001 add-share NYKM100925 Dividend 10
         NYKB1234 purchase-share NYKM100925 Dividend 6
         NYKB1234 sell-share NYKM100925 6                 -> sold 6 Dividend, 0 remaining, 10 available",
    );
}

/// 2 equity, 5 bonus and 3 dividend under one share id.
const ALL_THREE_TYPES: &str = "
    NYKA1001 add-share NYKM100925 Equity 10
    NYKA1001 add-share NYKM100925 Bonus 10
    NYKA1001 add-share NYKM100925 Dividend 10
    NYKB1234 purchase-share NYKM100925 Dividend 3
    NYKB1234 purchase-share NYKM100925 Bonus 5
    NYKB1234 purchase-share NYKM100925 Equity 2";

#[test]
fn the_first_type_with_enough_units_is_sold_from() {
    for (count, sold) in [
        (1, "sold 1 Equity, 1 remaining, 9 available"),
        (2, "sold 2 Equity, 0 remaining, 10 available"),
        (3, "sold 3 Bonus, 2 remaining, 8 available"),
        (5, "sold 5 Bonus, 0 remaining, 10 available"),
    ] {
        check_on(&mut check(ALL_THREE_TYPES), &format!("NYKB1234 sell-share NYKM100925 {count} -> {sold}"));
    }
}

#[test]
fn the_types_are_never_added_up() {
    check_on(
        &mut check(ALL_THREE_TYPES),
        "NYKB1234 sell-share NYKM100925 6                 -> insufficient-owned: 5
         NYKB1234 sell-share NYKM100925 10                -> insufficient-owned: 5",
    );
}

#[test]
fn one_sale_after_another_goes_through_the_types() {
    check_on(
        &mut check(ALL_THREE_TYPES),
        "NYKB1234 sell-share NYKM100925 2                 -> sold 2 Equity, 0 remaining, 10 available
         NYKB1234 sell-share NYKM100925 2                 -> sold 2 Bonus, 3 remaining, 7 available
         NYKB1234 sell-share NYKM100925 3                 -> sold 3 Bonus, 0 remaining, 10 available
         NYKB1234 sell-share NYKM100925 4                 -> insufficient-owned: 3
         NYKB1234 sell-share NYKM100925 3                 -> sold 3 Dividend, 0 remaining, 10 available
         NYKB1234 sell-share NYKM100925 1                 -> not-owned",
    );
}

#[test]
fn a_foreign_share_is_sold_like_one_of_the_home_market() {
    check(
        "LONA1001 add-share LONM100925 Equity 10
         NYKB1234 purchase-share LONM100925 Equity 6
         NYKB1234 sell-share LONM100925 1                 -> sold 1 Equity, 5 remaining, 5 available",
    );
}
