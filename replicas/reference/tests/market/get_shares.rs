//! `get-shares`: `holdings`.

use crate::notation::check;

#[test]
fn a_buyer_nobody_has_heard_of_holds_nothing() {
    check("NYKB9999 get-shares -> holdings: none");
}

#[test]
fn holdings_in_all_markets_and_of_all_types_are_listed() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         LONA1001 add-share LONA110925 Bonus 10
         TOKA1001 add-share TOKE120925 Dividend 10
         NYKA1001 add-share NYKM100925 Dividend 10
         NYKB1234 purchase-share NYKM100925 Dividend 4
         NYKB1234 purchase-share NYKM100925 Equity 1
         NYKB1234 purchase-share LONA110925 Bonus 2
         NYKB1234 purchase-share TOKE120925 Dividend 3
         NYKB1234 get-shares -> holdings: LONA110925 Bonus 2, NYKM100925 Equity 1, NYKM100925 Dividend 4, TOKE120925 Dividend 3",
    );
}

#[test]
fn a_buyer_sees_no_holding_of_another() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1235 purchase-share NYKM100925 Equity 3
         NYKB1235 get-shares                              -> holdings: NYKM100925 Equity 3",
    );
}

#[test]
fn buyers_with_equal_numbers_in_two_markets_are_two_buyers() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 4
         LONB1234 get-shares                              -> holdings: none",
    );
}

#[test]
fn a_holding_sold_completely_is_not_listed() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 4
         NYKB1234 sell-share NYKM100925 4
         NYKB1234 get-shares                              -> holdings: none",
    );
}
