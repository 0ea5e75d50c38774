//! `add-share`: `already-exists`, `added`.

use crate::notation::check;

#[test]
fn an_added_share_is_available_in_full() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 100         -> added 100
         NYKA1001 list-share-availability Equity          -> Equity: NYKM100925 100",
    );
}

#[test]
fn the_smallest_and_the_largest_capacity_are_accepted() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 1           -> added 1
         NYKA1001 add-share NYKA100925 Equity 1000000     -> added 1000000",
    );
}

#[test]
fn a_share_is_added_once_whatever_the_capacity() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 100
         NYKA1001 add-share NYKM100925 Equity 100         -> already-exists
         NYKA1002 add-share NYKM100925 Equity 7           -> already-exists
         NYKA1001 list-share-availability Equity          -> Equity: NYKM100925 100",
    );
}

#[test]
fn the_same_id_under_another_type_is_another_share() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 1           -> added 1
         NYKA1001 add-share NYKM100925 Bonus 2            -> added 2
         NYKA1001 add-share NYKM100925 Dividend 3         -> added 3",
    );
}

#[test]
fn market_slot_and_date_each_make_another_share() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 1           -> added 1
         NYKA1001 add-share NYKA100925 Equity 1           -> added 1
         NYKA1001 add-share NYKE100925 Equity 1           -> added 1
         NYKA1001 add-share NYKM110925 Equity 1           -> added 1
         NYKA1001 add-share NYKM101025 Equity 1           -> added 1
         NYKA1001 add-share NYKM100926 Equity 1           -> added 1
         LONA1001 add-share LONM100925 Equity 1           -> added 1",
    );
}

#[test]
fn a_leap_day_is_a_date_like_any_other() {
    check(
        "NYKA1001 add-share NYKM290224 Equity 5           -> added 5
         NYKB1234 purchase-share NYKM290224 Equity 5      -> purchased 5 of 5, 0 available",
    );
}

#[test]
fn a_removed_share_may_be_added_again_and_begins_anew() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 100
         NYKB1234 purchase-share NYKM100925 Equity 10
         NYKA1001 remove-share NYKM100925 Equity
         NYKA1001 add-share NYKM100925 Equity 5           -> added 5
         NYKB1234 get-shares                              -> holdings: none
         NYKA1001 list-share-availability Equity          -> Equity: NYKM100925 5",
    );
}
