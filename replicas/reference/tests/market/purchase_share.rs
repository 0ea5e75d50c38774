//! `purchase-share`: `not-found`, `already-owned`, `daily-limit`, `weekly-limit`, `sold-out`, `purchased`.
//!
//! The two limits by themselves are in `limits`.

use crate::notation::check;

#[test]
fn a_purchase_takes_what_was_asked_for() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 100
         NYKB1234 purchase-share NYKM100925 Equity 30     -> purchased 30 of 30, 70 available
         NYKB1234 get-shares                              -> holdings: NYKM100925 Equity 30",
    );
}

#[test]
fn a_purchase_of_more_than_there_is_takes_what_there_is() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 5
         NYKB1234 purchase-share NYKM100925 Equity 1000000 -> purchased 5 of 1000000, 0 available
         NYKB1234 get-shares                              -> holdings: NYKM100925 Equity 5",
    );
}

#[test]
fn a_purchase_of_exactly_what_there_is_leaves_nothing() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 5
         NYKB1234 purchase-share NYKM100925 Equity 5      -> purchased 5 of 5, 0 available",
    );
}

#[test]
fn a_share_that_is_not_there_is_not_found() {
    check(
        "NYKB1234 purchase-share NYKM100925 Equity 1      -> not-found
         NYKA1001 add-share NYKM100925 Bonus 5
         NYKB1234 purchase-share NYKM100925 Equity 1      -> not-found",
    );
}

#[test]
fn nothing_is_bought_of_a_sold_out_share() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 5
         NYKB1234 purchase-share NYKM100925 Equity 5
         NYKB5678 purchase-share NYKM100925 Equity 1      -> sold-out
         NYKB5678 get-shares                              -> holdings: none",
    );
}

#[test]
fn the_last_unit_goes_to_the_first_of_many_buyers() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 1
         LONB0001 purchase-share NYKM100925 Equity 1      -> purchased 1 of 1, 0 available
         NYKB0002 purchase-share NYKM100925 Equity 1      -> sold-out
         TOKB0003 purchase-share NYKM100925 Equity 1      -> sold-out
         LONB0001 sell-share NYKM100925 1
         TOKB0003 purchase-share NYKM100925 Equity 1      -> purchased 1 of 1, 0 available
         LONB0001 purchase-share NYKM100925 Equity 1      -> sold-out",
    );
}

#[test]
fn a_share_that_is_held_is_not_bought_again() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 purchase-share NYKM100925 Equity 4      -> already-owned
         NYKB1234 get-shares                              -> holdings: NYKM100925 Equity 4",
    );
}

#[test]
fn a_share_is_still_held_after_selling_some_and_not_after_selling_all() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 sell-share NYKM100925 3
         NYKB1234 purchase-share NYKM100925 Equity 4      -> already-owned
         NYKB1234 sell-share NYKM100925 1
         NYKB1234 purchase-share NYKM100925 Equity 4      -> purchased 4 of 4, 6 available",
    );
}

#[test]
fn the_same_id_under_another_type_is_neither_owned_nor_of_the_same_type_that_day() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM100925 Bonus 10
         NYKA1001 add-share NYKM100925 Dividend 10
         NYKB1234 purchase-share NYKM100925 Equity 1      -> purchased 1 of 1, 9 available
         NYKB1234 purchase-share NYKM100925 Bonus 1       -> purchased 1 of 1, 9 available
         NYKB1234 purchase-share NYKM100925 Dividend 1    -> purchased 1 of 1, 9 available",
    );
}

#[test]
fn already_owned_comes_before_sold_out() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 4
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 purchase-share NYKM100925 Equity 1      -> already-owned",
    );
}

#[test]
fn already_owned_comes_before_the_weekly_limit() {
    check(
        "LONA1001 add-share LONM080925 Equity 10
         LONA1001 add-share LONM090925 Equity 10
         LONA1001 add-share LONM100925 Equity 10
         NYKB1234 purchase-share LONM080925 Equity 1
         NYKB1234 purchase-share LONM090925 Equity 1
         NYKB1234 purchase-share LONM100925 Equity 1
         NYKB1234 purchase-share LONM100925 Equity 1      -> already-owned",
    );
}

#[test]
fn not_found_comes_before_the_limits() {
    check(
        "LONA1001 add-share LONM080925 Equity 10
         LONA1001 add-share LONM090925 Equity 10
         LONA1001 add-share LONM100925 Equity 10
         NYKB1234 purchase-share LONM080925 Equity 1
         NYKB1234 purchase-share LONM090925 Equity 1
         NYKB1234 purchase-share LONM100925 Equity 1
         NYKB1234 purchase-share LONA100925 Equity 1      -> not-found
         NYKB1234 purchase-share LONA110925 Equity 1      -> not-found",
    );
}

#[test]
fn the_limits_come_before_sold_out() {
    check(
        "LONA1001 add-share LONM080925 Equity 10
         LONA1001 add-share LONM090925 Equity 10
         LONA1001 add-share LONM100925 Equity 10
         LONA1001 add-share LONA100925 Equity 1
         LONA1001 add-share LONA110925 Equity 1
         LONB1111 purchase-share LONA100925 Equity 1
         LONB1111 purchase-share LONA110925 Equity 1
         NYKB1234 purchase-share LONM080925 Equity 1
         NYKB1234 purchase-share LONM090925 Equity 1
         NYKB1234 purchase-share LONM100925 Equity 1
         NYKB1234 purchase-share LONA100925 Equity 1      -> daily-limit
         NYKB1234 purchase-share LONA110925 Equity 1      -> weekly-limit
         NYKB1234 sell-share LONM100925 1
         NYKB1234 purchase-share LONA100925 Equity 1      -> sold-out",
    );
}

#[test]
fn a_request_that_arrives_twice_is_executed_twice() {
    // Recognising a retry is the host's affair: the module sees two requests.
    check(
        "NYKA1001 add-share NYKM100925 Equity 10          -> added 10
         NYKA1001 add-share NYKM100925 Equity 10          -> already-exists
         NYKB1234 purchase-share NYKM100925 Equity 4      -> purchased 4 of 4, 6 available
         NYKB1234 purchase-share NYKM100925 Equity 4      -> already-owned
         NYKB1234 sell-share NYKM100925 2                 -> sold 2 Equity, 2 remaining, 8 available
         NYKB1234 sell-share NYKM100925 2                 -> sold 2 Equity, 0 remaining, 10 available",
    );
}
