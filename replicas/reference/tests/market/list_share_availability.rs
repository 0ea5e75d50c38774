//! `list-share-availability`: `availability`.

use crate::notation::check;

#[test]
fn an_empty_market_has_nothing_to_list() {
    check(
        "NYKA1001 list-share-availability Equity          -> Equity: none
         NYKA1001 list-share-availability Bonus           -> Bonus: none
         NYKA1001 list-share-availability Dividend        -> Dividend: none",
    );
}

#[test]
fn shares_of_all_three_markets_are_listed_to_every_admin() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 1
         LONA1001 add-share LONM100925 Equity 2
         TOKA1001 add-share TOKM100925 Equity 3
         NYKA1001 list-share-availability Equity          -> Equity: LONM100925 2, NYKM100925 1, TOKM100925 3
         TOKA1001 list-share-availability Equity          -> Equity: LONM100925 2, NYKM100925 1, TOKM100925 3",
    );
}

#[test]
fn only_the_type_asked_for_is_listed() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 1
         NYKA1001 add-share NYKM100925 Bonus 2
         NYKA1001 add-share NYKA110925 Bonus 3
         NYKA1001 add-share NYKM100925 Dividend 4
         NYKA1001 list-share-availability Equity          -> Equity: NYKM100925 1
         NYKA1001 list-share-availability Bonus           -> Bonus: NYKA110925 3, NYKM100925 2
         NYKA1001 list-share-availability Dividend        -> Dividend: NYKM100925 4",
    );
}

#[test]
fn a_sold_out_share_is_listed_with_none() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 5
         NYKB1234 purchase-share NYKM100925 Equity 5
         NYKA1001 list-share-availability Equity          -> Equity: NYKM100925 0",
    );
}

#[test]
fn a_share_of_the_first_day_of_the_century_is_listed() {
    check(
        "NYKA1001 add-share NYKM010100 Equity 5
         NYKA1001 list-share-availability Equity          -> Equity: NYKM010100 5",
    );
}
