//! `remove-share`: `not-found`, `removed`.

use crate::notation::check;

#[test]
fn a_share_that_nobody_holds_is_removed_with_all_its_units() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 100
         NYKA1001 remove-share NYKM100925 Equity          -> removed: 100 available, 0 held by 0
         NYKA1001 list-share-availability Equity          -> Equity: none",
    );
}

#[test]
fn a_share_that_is_not_there_is_not_found() {
    check(
        "NYKA1001 remove-share NYKM100925 Equity          -> not-found
         NYKA1001 add-share NYKM100925 Bonus 100
         NYKA1001 remove-share NYKM100925 Equity          -> not-found
         NYKA1001 remove-share NYKM100925 Bonus           -> removed: 100 available, 0 held by 0
         NYKA1001 remove-share NYKM100925 Bonus           -> not-found",
    );
}

#[test]
fn the_holdings_of_local_and_foreign_buyers_go_with_the_share() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 100
         NYKB1234 purchase-share NYKM100925 Equity 10
         LONB1234 purchase-share NYKM100925 Equity 20
         TOKB1234 purchase-share NYKM100925 Equity 5
         NYKA1001 remove-share NYKM100925 Equity          -> removed: 65 available, 35 held by 3
         NYKB1234 get-shares                              -> holdings: none
         LONB1234 get-shares                              -> holdings: none
         TOKB1234 get-shares                              -> holdings: none",
    );
}

#[test]
fn a_sold_out_share_is_removed_with_none_available() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 10
         NYKA1001 remove-share NYKM100925 Equity          -> removed: 0 available, 10 held by 1",
    );
}

#[test]
fn those_who_have_sold_out_are_no_holders() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 4
         LONB1234 purchase-share NYKM100925 Equity 3
         NYKB1234 sell-share NYKM100925 4
         LONB1234 sell-share NYKM100925 1
         NYKA1001 remove-share NYKM100925 Equity          -> removed: 8 available, 2 held by 1",
    );
}

#[test]
fn other_holdings_of_a_holder_stay() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM100925 Bonus 10
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 purchase-share NYKM100925 Bonus 3
         NYKA1001 remove-share NYKM100925 Equity
         NYKB1234 get-shares                              -> holdings: NYKM100925 Bonus 3",
    );
}

#[test]
fn a_removed_share_counts_for_no_limit() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKA100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 purchase-share NYKA100925 Equity 4      -> daily-limit
         NYKA1001 remove-share NYKM100925 Equity
         NYKB1234 purchase-share NYKA100925 Equity 4      -> purchased 4 of 4, 6 available",
    );
}
