//! Who may ask: `forbidden`, then `wrong-market`, then everything else.

use crate::notation::check;

#[test]
fn a_buyer_asks_for_no_admin_operation() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKB1234 add-share NYKA100925 Equity 10          -> forbidden
         NYKB1234 remove-share NYKM100925 Equity          -> forbidden
         NYKB1234 list-share-availability Equity          -> forbidden",
    );
}

#[test]
fn an_admin_adds_and_removes_only_in_the_own_market() {
    check(
        "LONA1001 add-share LONM100925 Equity 10
         NYKA1001 add-share LONA100925 Equity 10          -> wrong-market
         NYKA1001 add-share TOKA100925 Equity 10          -> wrong-market
         NYKA1001 remove-share LONM100925 Equity          -> wrong-market
         TOKA1001 remove-share LONM100925 Equity          -> wrong-market",
    );
}

#[test]
fn every_admin_of_a_market_is_as_good_as_another() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA0000 remove-share NYKM100925 Equity          -> removed: 10 available, 0 held by 0",
    );
}

#[test]
fn forbidden_comes_before_wrong_market() {
    check(
        "NYKB1234 add-share LONM100925 Equity 10          -> forbidden
         NYKB1234 remove-share LONM100925 Equity          -> forbidden",
    );
}

#[test]
fn wrong_market_comes_before_the_checks_of_the_operation() {
    check(
        "LONA1001 add-share LONM100925 Equity 10
         NYKA1001 add-share LONM100925 Equity 10          -> wrong-market
         NYKA1001 remove-share LONA100925 Equity          -> wrong-market",
    );
}

#[test]
fn forbidden_comes_before_the_checks_of_the_operation() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKB1234 add-share NYKM100925 Equity 10                                        -> forbidden
         NYKB1234 remove-share NYKA100925 Equity                                        -> forbidden
         NYKB1234 purchase-share NYKA100925 Equity 1 --buyer NYKB5678                   -> forbidden
         NYKB1234 sell-share NYKM100925 1 --buyer NYKB5678                              -> forbidden
         NYKB1234 swap-shares NYKM100925 Equity NYKM100925 Equity --buyer NYKB5678      -> forbidden",
    );
}

#[test]
fn a_buyer_asks_for_no_other_buyer_at_home_or_abroad() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM110925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 2
         NYKB5678 get-shares --buyer NYKB1234                                           -> forbidden
         LONB1234 get-shares --buyer NYKB1234                                           -> forbidden
         NYKB5678 purchase-share NYKM110925 Equity 1 --buyer NYKB1234                   -> forbidden
         LONB1234 purchase-share NYKM110925 Equity 1 --buyer NYKB1234                   -> forbidden
         NYKB5678 sell-share NYKM100925 1 --buyer NYKB1234                              -> forbidden
         LONB1234 sell-share NYKM100925 1 --buyer NYKB1234                              -> forbidden
         NYKB5678 swap-shares NYKM100925 Equity NYKM110925 Equity --buyer NYKB1234      -> forbidden
         LONB1234 swap-shares NYKM100925 Equity NYKM110925 Equity --buyer NYKB1234      -> forbidden",
    );
}

#[test]
fn an_admin_acts_for_the_buyers_of_the_own_market_in_every_market() {
    check(
        "LONA1001 add-share LONM100925 Equity 10
         TOKA1001 add-share TOKM100925 Equity 10
         NYKA1001 purchase-share LONM100925 Equity 2 --buyer NYKB1234                   -> purchased 2 of 2, 8 available
         NYKA1002 get-shares --buyer NYKB1234                                           -> holdings: LONM100925 Equity 2
         NYKA1003 swap-shares LONM100925 Equity TOKM100925 Equity --buyer NYKB1234      -> swapped 2
         NYKA1004 sell-share TOKM100925 2 --buyer NYKB1234                              -> sold 2 Equity, 0 remaining, 10 available",
    );
}

#[test]
fn an_admin_does_not_act_for_a_buyer_of_another_market() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM110925 Equity 10
         LONB1234 purchase-share NYKM100925 Equity 2
         NYKA1001 purchase-share NYKM110925 Equity 2 --buyer LONB1234                   -> forbidden
         NYKA1001 get-shares --buyer LONB1234                                           -> forbidden
         NYKA1001 sell-share NYKM100925 1 --buyer LONB1234                              -> forbidden
         NYKA1001 swap-shares NYKM100925 Equity NYKM110925 Equity --buyer LONB1234      -> forbidden",
    );
}
