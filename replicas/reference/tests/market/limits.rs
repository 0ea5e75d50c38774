//! `daily-limit` and `weekly-limit`, by themselves.
//!
//! 8 September 2025 was a Monday: 080925 to 140925 are one week.

use crate::notation::{check, check_on};

#[test]
fn one_share_of_a_type_and_a_date_is_held_in_whatever_market_and_slot() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKE100925 Equity 10
         LONA1001 add-share LONM100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 1
         NYKB1234 purchase-share NYKE100925 Equity 1      -> daily-limit
         NYKB1234 purchase-share LONM100925 Equity 1      -> daily-limit",
    );
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         LONA1001 add-share LONM100925 Equity 10
         NYKB1234 purchase-share LONM100925 Equity 1
         NYKB1234 purchase-share NYKM100925 Equity 1      -> daily-limit",
    );
}

#[test]
fn another_type_or_another_date_is_another_matter() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKA100925 Bonus 10
         NYKA1001 add-share NYKM110925 Equity 10
         NYKA1001 add-share NYKM090925 Equity 10
         NYKA1001 add-share NYKM101025 Equity 10
         NYKA1001 add-share NYKM100926 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 1
         NYKB1234 purchase-share NYKA100925 Bonus 1       -> purchased 1 of 1, 9 available
         NYKB1234 purchase-share NYKM110925 Equity 1      -> purchased 1 of 1, 9 available
         NYKB1234 purchase-share NYKM090925 Equity 1      -> purchased 1 of 1, 9 available
         NYKB1234 purchase-share NYKM101025 Equity 1      -> purchased 1 of 1, 9 available
         NYKB1234 purchase-share NYKM100926 Equity 1      -> purchased 1 of 1, 9 available",
    );
}

#[test]
fn one_buyer_does_not_limit_another() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKA100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 1
         NYKB5678 purchase-share NYKA100925 Equity 1      -> purchased 1 of 1, 9 available
         LONB1234 purchase-share NYKA100925 Equity 1      -> purchased 1 of 1, 8 available",
    );
}

#[test]
fn selling_all_of_it_frees_the_daily_limit_and_selling_some_does_not() {
    check(
        "NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKA100925 Equity 10
         NYKB1234 purchase-share NYKM100925 Equity 3
         NYKB1234 sell-share NYKM100925 2
         NYKB1234 purchase-share NYKA100925 Equity 1      -> daily-limit
         NYKB1234 sell-share NYKM100925 1
         NYKB1234 purchase-share NYKA100925 Equity 1      -> purchased 1 of 1, 9 available",
    );
}

/// Three foreign shares, of two markets, in the week of 080925 to 140925; both ends of that week among them.
const THREE_FOREIGN_SHARES: &str = "
    LONA1001 add-share LONM080925 Equity 10
    LONA1001 add-share LONM100925 Equity 10
    TOKA1001 add-share TOKM140925 Equity 10
    NYKB1234 purchase-share LONM080925 Equity 1
    NYKB1234 purchase-share LONM100925 Equity 2
    NYKB1234 purchase-share TOKM140925 Equity 3";

#[test]
fn a_fourth_foreign_share_of_a_week_is_refused_in_either_foreign_market() {
    check_on(
        &mut check(THREE_FOREIGN_SHARES),
        "LONA1001 add-share LONM110925 Equity 10
         TOKA1001 add-share TOKM110925 Bonus 10
         NYKB1234 purchase-share LONM110925 Equity 1      -> weekly-limit
         NYKB1234 purchase-share TOKM110925 Bonus 1       -> weekly-limit",
    );
}

#[test]
fn the_same_id_under_another_type_is_one_more_foreign_share() {
    check_on(
        &mut check(THREE_FOREIGN_SHARES),
        "LONA1001 add-share LONM080925 Bonus 10
         NYKB1234 purchase-share LONM080925 Bonus 1       -> weekly-limit",
    );
}

#[test]
fn the_weeks_before_and_after_do_not_count() {
    check_on(
        &mut check(THREE_FOREIGN_SHARES),
        "LONA1001 add-share LONM070925 Equity 10
         LONA1001 add-share LONM150925 Equity 10
         NYKB1234 purchase-share LONM070925 Equity 1      -> purchased 1 of 1, 9 available
         NYKB1234 purchase-share LONM150925 Equity 1      -> purchased 1 of 1, 9 available",
    );
}

#[test]
fn the_home_market_is_unlimited_and_counts_for_nothing() {
    check_on(
        &mut check(THREE_FOREIGN_SHARES),
        "NYKA1001 add-share NYKM110925 Equity 10
         NYKB1234 purchase-share NYKM110925 Equity 1      -> purchased 1 of 1, 9 available",
    );
    check(
        "NYKA1001 add-share NYKM080925 Equity 10
         NYKA1001 add-share NYKM090925 Equity 10
         NYKA1001 add-share NYKM100925 Equity 10
         NYKA1001 add-share NYKM110925 Equity 10
         LONA1001 add-share LONM120925 Equity 10
         NYKB1234 purchase-share NYKM080925 Equity 1
         NYKB1234 purchase-share NYKM090925 Equity 1
         NYKB1234 purchase-share NYKM100925 Equity 1
         NYKB1234 purchase-share NYKM110925 Equity 1      -> purchased 1 of 1, 9 available
         NYKB1234 purchase-share LONM120925 Equity 1      -> purchased 1 of 1, 9 available",
    );
}

#[test]
fn the_home_market_is_that_of_the_buyer_and_not_of_the_admin_or_the_share() {
    check_on(
        &mut check(THREE_FOREIGN_SHARES),
        "LONA1001 add-share LONM110925 Equity 10
         NYKA1001 purchase-share LONM110925 Equity 1 --buyer NYKB1234   -> weekly-limit
         LONB1234 purchase-share LONM110925 Equity 1                    -> purchased 1 of 1, 9 available",
    );
}

#[test]
fn selling_all_of_one_share_frees_the_weekly_limit_and_selling_some_does_not() {
    check_on(
        &mut check(THREE_FOREIGN_SHARES),
        "LONA1001 add-share LONM110925 Equity 10
         NYKB1234 sell-share LONM100925 1
         NYKB1234 purchase-share LONM110925 Equity 1      -> weekly-limit
         NYKB1234 sell-share LONM100925 1
         NYKB1234 purchase-share LONM110925 Equity 1      -> purchased 1 of 1, 9 available",
    );
}

#[test]
fn the_daily_limit_comes_before_the_weekly_limit() {
    check_on(
        &mut check(THREE_FOREIGN_SHARES),
        "LONA1001 add-share LONA100925 Equity 10
         NYKB1234 purchase-share LONA100925 Equity 1      -> daily-limit",
    );
}

#[test]
fn a_week_goes_on_over_new_year() {
    // 28 December 2026 was a Monday, 3 January 2027 a Sunday.
    check(
        "LONA1001 add-share LONM281226 Equity 10
         LONA1001 add-share LONM311226 Equity 10
         LONA1001 add-share LONM010127 Equity 10
         LONA1001 add-share LONM030127 Equity 10
         LONA1001 add-share LONM271226 Equity 10
         LONA1001 add-share LONM040127 Equity 10
         NYKB1234 purchase-share LONM281226 Equity 1
         NYKB1234 purchase-share LONM311226 Equity 1
         NYKB1234 purchase-share LONM010127 Equity 1
         NYKB1234 purchase-share LONM030127 Equity 1      -> weekly-limit
         NYKB1234 purchase-share LONM271226 Equity 1      -> purchased 1 of 1, 9 available
         NYKB1234 purchase-share LONM040127 Equity 1      -> purchased 1 of 1, 9 available",
    );
}

#[test]
fn weeks_of_equal_number_in_two_years_are_two_weeks() {
    // All of these lie in a week 1; so does 30 December 2025, whose week-year is 2026.
    check(
        "LONA1001 add-share LONM301225 Equity 10
         LONA1001 add-share LONM010126 Equity 10
         LONA1001 add-share LONM020126 Equity 10
         LONA1001 add-share LONM010125 Equity 10
         LONA1001 add-share LONM030126 Equity 10
         NYKB1234 purchase-share LONM301225 Equity 1
         NYKB1234 purchase-share LONM010126 Equity 1
         NYKB1234 purchase-share LONM020126 Equity 1
         NYKB1234 purchase-share LONM010125 Equity 1      -> purchased 1 of 1, 9 available
         NYKB1234 purchase-share LONM030126 Equity 1      -> weekly-limit",
    );
}

#[test]
fn a_leap_day_lies_in_the_week_of_its_neighbours() {
    // 26 February 2024 was a Monday.
    check(
        "LONA1001 add-share LONM280224 Equity 10
         LONA1001 add-share LONM290224 Equity 10
         LONA1001 add-share LONM010324 Equity 10
         LONA1001 add-share LONM030324 Equity 10
         LONA1001 add-share LONM040324 Equity 10
         NYKB1234 purchase-share LONM280224 Equity 1
         NYKB1234 purchase-share LONM290224 Equity 1
         NYKB1234 purchase-share LONM010324 Equity 1
         NYKB1234 purchase-share LONM030324 Equity 1      -> weekly-limit
         NYKB1234 purchase-share LONM040324 Equity 1      -> purchased 1 of 1, 9 available",
    );
}

#[test]
fn the_first_and_the_last_week_of_the_century_are_weeks() {
    // They reach into 1999 and 2100: 1 January 2000 was a Saturday, 31 December 2099 will be a Thursday.
    check(
        "LONA1001 add-share LONM010100 Equity 10
         LONA1001 add-share LONM030100 Equity 10
         LONA1001 add-share LONM311299 Equity 10
         NYKB1234 purchase-share LONM010100 Equity 1      -> purchased 1 of 1, 9 available
         NYKB1234 purchase-share LONM030100 Equity 1      -> purchased 1 of 1, 9 available
         NYKB1234 purchase-share LONM311299 Equity 1      -> purchased 1 of 1, 9 available",
    );
}
