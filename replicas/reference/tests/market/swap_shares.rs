//! `swap-shares`: `same-share`, `not-owned`, `new-not-found`, `already-owned`, `daily-limit`, `weekly-limit`,
//! `insufficient-new`, `swapped`.
//!
//! 8 September 2025 was a Monday: 080925 to 140925 are one week.

use crate::notation::{check, check_on};

#[test]
fn all_units_are_exchanged_and_the_old_ones_are_available_again() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM110925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 swap-shares NYKM100925 Equity NYKM110925 Equity      -> swapped 4
         NYKB1234 get-shares                                           -> holdings: NYKM110925 Equity 4
         NYKA1001 list-share-availability Equity                       -> Equity: NYKM100925 10, NYKM110925 6",
    );
}

#[test]
fn shares_are_exchanged_between_any_two_markets() {
    check(
        "NYKA1001 add-share NYKM080925 Equity 10
         LONA1001 add-share LONM090925 Equity 10
         TOKA1001 add-share TOKM100925 Equity 10
         NYKA1001 add-share NYKM110925 Equity 10
         NYKB1234 purchase-share NYKM080925 Equity 4
         NYKB1234 swap-shares NYKM080925 Equity LONM090925 Equity      -> swapped 4
         NYKB1234 swap-shares LONM090925 Equity TOKM100925 Equity      -> swapped 4
         NYKB1234 swap-shares TOKM100925 Equity NYKM110925 Equity      -> swapped 4
         NYKB1234 get-shares                                           -> holdings: NYKM110925 Equity 4",
    );
}

#[test]
fn the_types_may_differ_and_so_may_types_of_one_id() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM100925 Bonus 10
         LONA1001 add-share LONA120925 Dividend 10
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 swap-shares NYKM100925 Equity NYKM100925 Bonus       -> swapped 4
         NYKB1234 swap-shares NYKM100925 Bonus LONA120925 Dividend     -> swapped 4
         NYKB1234 get-shares                                           -> holdings: LONA120925 Dividend 4",
    );
}

#[test]
fn exactly_enough_is_enough() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM110925 Equity 4
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 swap-shares NYKM100925 Equity NYKM110925 Equity      -> swapped 4
         NYKA1001 list-share-availability Equity                       -> Equity: NYKM100925 10, NYKM110925 0",
    );
}

#[test]
fn one_unit_too_few_exchanges_nothing() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM110925 Equity 3
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 swap-shares NYKM100925 Equity NYKM110925 Equity      -> insufficient-new: 3 of 4
         NYKB1234 get-shares                                           -> holdings: NYKM100925 Equity 4
         NYKA1001 list-share-availability Equity                       -> Equity: NYKM100925 6, NYKM110925 3",
    );
}

#[test]
fn a_sold_out_share_is_insufficient_with_none() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM110925 Equity 3
         NYKB5678 purchase-share NYKM110925 Equity 3
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 swap-shares NYKM100925 Equity NYKM110925 Equity      -> insufficient-new: 0 of 4",
    );
}

#[test]
fn a_share_is_not_exchanged_for_itself_held_or_not() {
    check(
        "NYKB1234 swap-shares NYKM100925 Equity NYKM100925 Equity      -> same-share
         NYKA1001 add-share NYKM100925 Equity 10
         NYKB1234 swap-shares NYKM100925 Equity NYKM100925 Equity      -> same-share
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 swap-shares NYKM100925 Equity NYKM100925 Equity      -> same-share",
    );
}

#[test]
fn what_is_not_held_is_not_exchanged() {
    check(
        "NYKB1234 swap-shares NYKM100925 Equity NYKM110925 Equity      -> not-owned
         NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM110925 Equity 10
         NYKA1001 add-share NYKM100925 Bonus 10
         NYKB1234 swap-shares NYKM100925 Equity NYKM110925 Equity      -> not-owned
         NYKB1234 purchase-share NYKM100925 Bonus 1
         NYKB5678 purchase-share NYKM100925 Equity 1
         NYKB1234 swap-shares NYKM100925 Equity NYKM110925 Equity      -> not-owned",
    );
}

#[test]
fn a_new_share_that_is_not_there_is_not_found() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM110925 Bonus 10
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 swap-shares NYKM100925 Equity NYKM110925 Equity      -> new-not-found",
    );
}

#[test]
fn a_new_share_that_is_held_already_is_refused() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM110925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 purchase-share NYKM110925 Equity 1
         NYKB1234 swap-shares NYKM100925 Equity NYKM110925 Equity      -> already-owned",
    );
}

#[test]
fn a_third_holding_of_the_same_type_and_date_is_the_daily_limit() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM110925 Equity 10
         LONA1001 add-share LONE110925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 purchase-share NYKM110925 Equity 1
         NYKB1234 swap-shares NYKM100925 Equity LONE110925 Equity      -> daily-limit",
    );
}

#[test]
fn a_daily_limit_that_only_the_old_holding_sets_is_none() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKE100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 purchase-share NYKE100925 Equity 4                   -> daily-limit
         NYKB1234 swap-shares NYKM100925 Equity NYKE100925 Equity      -> swapped 4",
    );
}

/// Three foreign shares of one week and one of the home market, and more on offer.
const AT_THE_WEEKLY_LIMIT: &str = "
    LONA1001 add-share LONM080925 Equity 10
    LONA1001 add-share LONM090925 Equity 10
    TOKA1001 add-share TOKM100925 Equity 10
    NYKA1001 add-share NYKM110925 Equity 10
    LONA1001 add-share LONM150925 Equity 10
    LONA1001 add-share LONM120925 Equity 10
    NYKA1001 add-share NYKM130925 Equity 10
    NYKB1234 purchase-share LONM080925 Equity 1
    NYKB1234 purchase-share LONM090925 Equity 1
    NYKB1234 purchase-share TOKM100925 Equity 1
    NYKB1234 purchase-share NYKM110925 Equity 1
    NYKB1234 purchase-share LONM150925 Equity 1";

#[test]
fn a_weekly_limit_that_the_old_holding_helps_to_reach_is_none() {
    check_on(
        &mut check(AT_THE_WEEKLY_LIMIT),
        "NYKB1234 purchase-share LONM120925 Equity 1                   -> weekly-limit
         NYKB1234 swap-shares TOKM100925 Equity LONM120925 Equity      -> swapped 1",
    );
}

#[test]
fn home_to_foreign_meets_the_weekly_limit() {
    check_on(
        &mut check(AT_THE_WEEKLY_LIMIT),
        "NYKB1234 swap-shares NYKM110925 Equity LONM120925 Equity      -> weekly-limit",
    );
}

#[test]
fn foreign_to_foreign_from_another_week_meets_the_weekly_limit() {
    check_on(
        &mut check(AT_THE_WEEKLY_LIMIT),
        "NYKB1234 swap-shares LONM150925 Equity LONM120925 Equity      -> weekly-limit",
    );
}

#[test]
fn foreign_to_home_frees_the_weekly_limit() {
    check_on(
        &mut check(AT_THE_WEEKLY_LIMIT),
        "NYKB1234 swap-shares LONM080925 Equity NYKM130925 Equity      -> swapped 1
         NYKB1234 purchase-share LONM120925 Equity 1                   -> purchased 1 of 1, 9 available",
    );
}

#[test]
fn same_share_comes_first_and_not_owned_before_new_not_found() {
    check(
        "NYKB1234 swap-shares NYKM100925 Equity NYKM100925 Equity      -> same-share
         NYKB1234 swap-shares NYKM100925 Equity NYKM110925 Equity      -> not-owned",
    );
}

#[test]
fn new_not_found_comes_before_the_limits() {
    check_on(
        &mut check(AT_THE_WEEKLY_LIMIT),
        "NYKB1234 swap-shares NYKM110925 Equity LONA080925 Equity      -> new-not-found
         NYKB1234 swap-shares NYKM110925 Equity LONA130925 Equity      -> new-not-found",
    );
}

#[test]
fn already_owned_comes_before_the_weekly_limit_and_the_daily_before_the_weekly() {
    check_on(
        &mut check(AT_THE_WEEKLY_LIMIT),
        "LONA1001 add-share LONE080925 Equity 10
         NYKB1234 swap-shares NYKM110925 Equity LONM080925 Equity      -> already-owned
         NYKB1234 swap-shares NYKM110925 Equity LONE080925 Equity      -> daily-limit",
    );
}

#[test]
fn the_purchase_rules_come_before_insufficient_new() {
    check(
        "LONA1001 add-share LONM080925 Equity 1
         LONA1001 add-share LONA080925 Equity 1
         LONA1001 add-share LONM090925 Equity 1
         LONA1001 add-share LONM100925 Equity 1
         LONA1001 add-share LONM120925 Equity 1
         LONA1001 add-share LONM150925 Equity 1
         NYKA1001 add-share NYKM110925 Equity 10
         NYKB1234 purchase-share LONM080925 Equity 1
         NYKB1234 purchase-share LONM090925 Equity 1
         NYKB1234 purchase-share LONM100925 Equity 1
         NYKB1234 purchase-share NYKM110925 Equity 5
         NYKB1234 swap-shares NYKM110925 Equity LONM080925 Equity      -> already-owned
         NYKB1234 swap-shares NYKM110925 Equity LONA080925 Equity      -> daily-limit
         NYKB1234 swap-shares NYKM110925 Equity LONM120925 Equity      -> weekly-limit
         NYKB1234 swap-shares NYKM110925 Equity LONM150925 Equity      -> insufficient-new: 1 of 5",
    );
}

#[test]
fn two_crossing_swaps_succeed_one_after_the_other_where_there_is_room() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 5
         NYKA1001 add-share NYKM110925 Equity 8
         NYKB0001 purchase-share NYKM100925 Equity 4
         NYKB0002 purchase-share NYKM110925 Equity 4
         NYKB0002 swap-shares NYKM110925 Equity NYKM100925 Equity      -> insufficient-new: 1 of 4
         NYKB0001 swap-shares NYKM100925 Equity NYKM110925 Equity      -> swapped 4
         NYKB0002 swap-shares NYKM110925 Equity NYKM100925 Equity      -> swapped 4
         NYKA1001 list-share-availability Equity                       -> Equity: NYKM100925 1, NYKM110925 4",
    );
}

#[test]
fn two_crossing_swaps_of_sold_out_shares_are_both_refused() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 4
         NYKA1001 add-share NYKM110925 Equity 4
         NYKB0001 purchase-share NYKM100925 Equity 4
         NYKB0002 purchase-share NYKM110925 Equity 4
         NYKB0001 swap-shares NYKM100925 Equity NYKM110925 Equity      -> insufficient-new: 0 of 4
         NYKB0002 swap-shares NYKM110925 Equity NYKM100925 Equity      -> insufficient-new: 0 of 4",
    );
}

#[test]
fn other_holders_keep_their_units() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM110925 Equity 10
         NYKB0001 purchase-share NYKM100925 Equity 4
         NYKB0002 purchase-share NYKM100925 Equity 3
         NYKB0001 swap-shares NYKM100925 Equity NYKM110925 Equity      -> swapped 4
         NYKB0002 get-shares                                           -> holdings: NYKM100925 Equity 3
         NYKA1001 remove-share NYKM100925 Equity                       -> removed: 7 available, 3 held by 1
         NYKA1001 remove-share NYKM110925 Equity                       -> removed: 6 available, 4 held by 1",
    );
}
