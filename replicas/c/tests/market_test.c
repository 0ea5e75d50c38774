// Tests of the market, on the machine itself: no WebAssembly is involved. One function for each rule; run by `test`.
#include <stdio.h>
#include <stdlib.h>

#include "calendar.h"
#include "execute.h"
#include "harness.h"
#include "memory.h"
#include "state.h"

// ---- Who may ask ---------------------------------------------------------------------------------------------------

static void only_admins_manage_shares(void) {
    EXPECT("forbidden", add("NYKB1001", equity("NYKM100925"), 10));
    EXPECT("forbidden", drop("NYKB1001", equity("NYKM100925")));
    EXPECT("forbidden", list("NYKB1001", EQUITY));
}

static void a_buyer_is_served_in_person_or_by_an_admin_of_the_home_market(void) {
    EXPECT("added 10", add("NYKA1001", equity("NYKM100925"), 10));
    EXPECT("forbidden", as("LONB1001", buy("LONB1002", equity("NYKM100925"), 1)));
    EXPECT("forbidden", as("TOKB1001", buy("LONB1001", equity("NYKM100925"), 1)));
    EXPECT("forbidden", as("NYKA1001", buy("LONB1001", equity("NYKM100925"), 1)));
    EXPECT("bought 1 of 1, 9 available", as("LONA1001", buy("LONB1001", equity("NYKM100925"), 1)));
    EXPECT("forbidden", as("LONB1002", get("LONB1001")));
    EXPECT("forbidden", as("LONB1002", sell("LONB1001", "NYKM100925", 1)));
    EXPECT("forbidden", as("LONB1002", swap("LONB1001", equity("NYKM100925"), equity("NYKM110925"))));
}

static void an_admin_manages_the_own_market(void) {
    EXPECT("wrong-market", add("NYKA1001", equity("LONM100925"), 10));
    EXPECT("wrong-market", drop("NYKA1001", equity("LONM100925")));
}

static void forbidden_comes_before_wrong_market_and_both_before_the_rest(void) {
    EXPECT("added 10", add("NYKA1001", equity("NYKM100925"), 10));
    EXPECT("forbidden", add("LONB1001", equity("NYKM100925"), 10));
    EXPECT("wrong-market", add("LONA1001", equity("NYKM100925"), 10));
    EXPECT("wrong-market", drop("LONA1001", equity("NYKM110925")));
}

// ---- Adding, removing, listing -------------------------------------------------------------------------------------

static void a_share_is_added_once_for_each_type(void) {
    EXPECT("added 10", add("NYKA1001", equity("NYKM100925"), 10));
    EXPECT("already-exists", add("NYKA1001", equity("NYKM100925"), 20));
    EXPECT("added 20", add("NYKA1001", bonus("NYKM100925"), 20));
    EXPECT("available: NYKM100925 Equity 10;", list("NYKA1001", EQUITY));
    EXPECT("available: NYKM100925 Bonus 20;", list("NYKA1001", BONUS));
}

static void a_removed_share_takes_every_holding_with_it(void) {
    EXPECT("not-found", drop("NYKA1001", equity("NYKM100925")));
    EXPECT("added 10", add("NYKA1001", equity("NYKM100925"), 10));
    EXPECT("added 10", add("NYKA1001", bonus("NYKM100925"), 10));
    EXPECT("bought 3 of 3, 7 available", buy("NYKB1001", equity("NYKM100925"), 3));
    EXPECT("bought 4 of 4, 3 available", buy("TOKB1001", equity("NYKM100925"), 4));
    EXPECT("bought 1 of 1, 9 available", buy("TOKB1001", bonus("NYKM100925"), 1));
    EXPECT("removed, 3 available, 2 holders of 7", drop("NYKA1001", equity("NYKM100925")));
    EXPECT("holds:", get("NYKB1001"));
    EXPECT("holds: NYKM100925 Bonus 1;", get("TOKB1001"));
}

static void a_list_holds_one_type_of_all_markets_and_sold_out_shares(void) {
    EXPECT("available:", list("NYKA1001", BONUS));
    EXPECT("added 1", add("NYKA1001", bonus("NYKM100925"), 1));
    EXPECT("added 2", add("LONA1001", bonus("LONE090925"), 2));
    EXPECT("added 3", add("TOKA1001", bonus("TOKA311299"), 3));
    EXPECT("added 4", add("TOKA1001", equity("TOKA311299"), 4));
    EXPECT("added 5", add("TOKA1001", dividend("TOKA010100"), 5));
    EXPECT("bought 1 of 9, 0 available", buy("NYKB1001", bonus("NYKM100925"), 9));
    EXPECT("available: LONE090925 Bonus 2; NYKM100925 Bonus 0; TOKA311299 Bonus 3;", list("LONA1001", BONUS));
}

// ---- Buying --------------------------------------------------------------------------------------------------------

static void a_purchase_takes_what_is_there(void) {
    EXPECT("not-found", buy("NYKB1001", equity("NYKM100925"), 1));
    EXPECT("added 10", add("NYKA1001", equity("NYKM100925"), 10));
    EXPECT("not-found", buy("NYKB1001", bonus("NYKM100925"), 1));
    EXPECT("bought 6 of 6, 4 available", buy("NYKB1001", equity("NYKM100925"), 6));
    EXPECT("bought 4 of 1000000, 0 available", buy("NYKB1002", equity("NYKM100925"), 1000000));
    EXPECT("sold-out", buy("NYKB1003", equity("NYKM100925"), 1));
}

static void a_share_that_is_held_is_not_bought_again_before_all_is_sold(void) {
    EXPECT("added 2", add("NYKA1001", equity("NYKM100925"), 2));
    EXPECT("bought 2 of 2, 0 available", buy("NYKB1001", equity("NYKM100925"), 2));
    EXPECT("already-owned", buy("NYKB1001", equity("NYKM100925"), 1));
    EXPECT("sold 2 of type 0, 0 remain, 2 available", sell("NYKB1001", "NYKM100925", 2));
    EXPECT("bought 1 of 1, 1 available", buy("NYKB1001", equity("NYKM100925"), 1));
}

static void one_share_of_a_type_and_day_whatever_the_market_and_slot(void) {
    EXPECT("added 9", add("NYKA1001", equity("NYKM100925"), 9));
    EXPECT("added 9", add("NYKA1001", equity("NYKE100925"), 9));
    EXPECT("added 9", add("LONA1001", equity("LONA100925"), 9));
    EXPECT("added 9", add("NYKA1001", bonus("NYKE100925"), 9));
    EXPECT("added 9", add("NYKA1001", equity("NYKM110925"), 9));
    EXPECT("bought 1 of 1, 8 available", buy("NYKB1001", equity("NYKM100925"), 1));
    EXPECT("daily-limit", buy("NYKB1001", equity("NYKE100925"), 1));
    EXPECT("daily-limit", buy("NYKB1001", equity("LONA100925"), 1));
    EXPECT("bought 1 of 1, 8 available", buy("NYKB1001", bonus("NYKE100925"), 1));
    EXPECT("bought 1 of 1, 8 available", buy("NYKB1001", equity("NYKM110925"), 1));
}

static void three_foreign_shares_a_week_of_all_types_and_markets_together(void) {
    EXPECT("added 9", add("LONA1001", equity("LONM080925"), 9));
    EXPECT("added 9", add("LONA1001", bonus("LONM080925"), 9));
    EXPECT("added 9", add("TOKA1001", dividend("TOKE140925"), 9));
    EXPECT("added 9", add("TOKA1001", equity("TOKM140925"), 9));
    EXPECT("added 9", add("TOKA1001", equity("TOKM150925"), 9));
    EXPECT("added 9", add("NYKA1001", equity("NYKM100925"), 9));
    EXPECT("bought 9 of 9, 0 available", buy("NYKB1001", equity("LONM080925"), 9));
    EXPECT("bought 1 of 1, 8 available", buy("NYKB1001", bonus("LONM080925"), 1));
    EXPECT("bought 1 of 1, 8 available", buy("NYKB1001", dividend("TOKE140925"), 1));
    EXPECT("weekly-limit", buy("NYKB1001", equity("TOKM140925"), 1));
    EXPECT("bought 1 of 1, 8 available", buy("NYKB1001", equity("TOKM150925"), 1)); // the next week
    EXPECT("bought 1 of 1, 8 available", buy("NYKB1001", equity("NYKM100925"), 1)); // the home market
    EXPECT("bought 1 of 1, 8 available", buy("TOKB1001", equity("TOKM140925"), 1)); // another buyer's home
}

static void refusals_of_a_purchase_come_in_their_order(void) {
    EXPECT("added 1", add("LONA1001", equity("LONM080925"), 1));
    EXPECT("added 1", add("LONA1001", equity("LONM090925"), 1));
    EXPECT("added 1", add("LONA1001", equity("LONM100925"), 1));
    EXPECT("added 1", add("LONA1001", equity("LONA100925"), 1));
    EXPECT("added 1", add("LONA1001", equity("LONM110925"), 1));
    EXPECT("bought 1 of 1, 0 available", buy("NYKB1001", equity("LONM080925"), 1));
    EXPECT("bought 1 of 1, 0 available", buy("NYKB1001", equity("LONM090925"), 1));
    EXPECT("bought 1 of 1, 0 available", buy("NYKB1001", equity("LONM100925"), 1));
    EXPECT("bought 1 of 1, 0 available", buy("LONB1001", equity("LONA100925"), 1));
    EXPECT("bought 1 of 1, 0 available", buy("LONB1001", equity("LONM110925"), 1));
    EXPECT("not-found", buy("NYKB1001", bonus("LONM100925"), 1));
    EXPECT("already-owned", buy("NYKB1001", equity("LONM100925"), 1)); // and sold out, and three of the week
    EXPECT("daily-limit", buy("NYKB1001", equity("LONA100925"), 1));   // and three of the week, and sold out
    EXPECT("weekly-limit", buy("NYKB1001", equity("LONM110925"), 1));  // and sold out
    EXPECT("sold-out", buy("NYKB1002", equity("LONM110925"), 1));
}

static void weeks_are_those_of_iso_8601(void) {
    static const struct {
        const char *one, *other;
        bool same;
    } CASES[] = {
        {"NYKM311226", "NYKM010127", true},  // Thursday and Friday of week 53
        {"NYKM281226", "NYKM030127", true},  // its Monday and its Sunday
        {"NYKM271226", "NYKM281226", false}, // a Sunday and the Monday after it
        {"NYKM030127", "NYKM040127", false},
        {"NYKM291225", "NYKM040126", true},  // week 1 of 2026 begins in 2025
        {"NYKM291224", "NYKM301224", false},
        {"NYKM010100", "NYKM020100", true},  // the first days that there are: Saturday and Sunday
        {"NYKM020100", "NYKM030100", false},
        {"NYKM270200", "NYKM280200", false}, // 2000 is a leap year; 28 February was a Monday
        {"NYKM290200", "NYKM050300", true},
        {"NYKM260224", "NYKM030324", true},  // over 29 February 2024
        {"NYKM030324", "NYKM040324", false},
        {"NYKM281299", "NYKM311299", true},  // the last days that there are: Monday to Thursday
        {"NYKM100925", "NYKM100926", false}, // the same week number in other years
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        unsigned one = week_of(equity(CASES[i].one).id.date), other = week_of(equity(CASES[i].other).id.date);
        if ((one == other) != CASES[i].same) {
            FAIL("%s is in week %u, %s in week %u", CASES[i].one, one, CASES[i].other, other);
        }
    }
}

static void every_share_comes_back_from_its_key(void) {
    static const uint8_t DAYS_OF_MONTH[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned days = 0;
    uint64_t previous_day = 0;
    for (unsigned year = 2000; year <= 2099; year++) {
        for (uint8_t month = 1; month <= 12; month++) {
            unsigned len = DAYS_OF_MONTH[month - 1] + (month == 2 && year % 4 == 0 ? 1u : 0u);
            for (uint8_t day = 1; day <= len; day++, days++) {
                date_t date = {.year = (uint16_t)year, .month = month, .day = day};
                share_id_t id = {.market = (uint8_t)(days % 3), .slot = (uint8_t)(days / 3 % 3), .date = date};
                share_t some = {.share_type = DIVIDEND, .id = id};
                share_t again = share_of_key(share_key(some));
                CHECK(same_shares(some, again));
                CHECK(week_of(date) == (days + 5) / 7);
                CHECK(keys_of_day(some).from > previous_day && keys_of_day(some).from <= share_key(some));
                CHECK(keys_of_week(some).from <= share_key(some) && share_key(some) < keys_of_week(some).to);
                previous_day = keys_of_day(some).from;
            }
        }
    }
    CHECK(days == 36525);
}

// ---- Holding and selling -------------------------------------------------------------------------------------------

static void all_holdings_of_the_buyer_in_all_markets(void) {
    EXPECT("holds:", get("NYKB1001"));
    EXPECT("added 9", add("NYKA1001", bonus("NYKM100925"), 9));
    EXPECT("added 9", add("TOKA1001", equity("TOKE010126"), 9));
    EXPECT("bought 2 of 2, 7 available", buy("NYKB1001", bonus("NYKM100925"), 2));
    EXPECT("bought 3 of 3, 6 available", buy("NYKB1001", equity("TOKE010126"), 3));
    EXPECT("bought 4 of 4, 3 available", buy("NYKB1002", bonus("NYKM100925"), 4));
    EXPECT("holds: TOKE010126 Equity 3; NYKM100925 Bonus 2;", get("NYKB1001"));
}

static void a_sale_takes_the_first_type_of_which_enough_is_held(void) {
    EXPECT("added 9", add("NYKA1001", equity("NYKM100925"), 9));
    EXPECT("added 9", add("NYKA1001", bonus("NYKM100925"), 9));
    EXPECT("added 9", add("NYKA1001", dividend("NYKM100925"), 9));
    EXPECT("bought 2 of 2, 7 available", buy("NYKB1001", equity("NYKM100925"), 2));
    EXPECT("bought 5 of 5, 4 available", buy("NYKB1001", bonus("NYKM100925"), 5));
    EXPECT("bought 3 of 3, 6 available", buy("NYKB1001", dividend("NYKM100925"), 3));
    EXPECT("sold 3 of type 1, 2 remain, 7 available", sell("NYKB1001", "NYKM100925", 3));
    EXPECT("sold 2 of type 0, 0 remain, 9 available", sell("NYKB1001", "NYKM100925", 2));
    EXPECT("sold 3 of type 2, 0 remain, 9 available", sell("NYKB1001", "NYKM100925", 3));
    EXPECT("holds: NYKM100925 Bonus 2;", get("NYKB1001"));
}

static void a_sale_of_more_than_is_held_sells_nothing(void) {
    EXPECT("not-owned", sell("NYKB1001", "NYKM100925", 1));
    EXPECT("added 9", add("NYKA1001", equity("NYKM100925"), 9));
    EXPECT("added 9", add("NYKA1001", bonus("NYKM100925"), 9));
    EXPECT("added 9", add("NYKA1001", dividend("NYKM100925"), 9));
    EXPECT("not-owned", sell("NYKB1001", "NYKM100925", 1));
    EXPECT("bought 2 of 2, 7 available", buy("NYKB1001", equity("NYKM100925"), 2));
    EXPECT("bought 4 of 4, 5 available", buy("NYKB1001", bonus("NYKM100925"), 4));
    EXPECT("bought 1 of 1, 8 available", buy("NYKB1001", dividend("NYKM100925"), 1));
    EXPECT("insufficient-owned 4", sell("NYKB1001", "NYKM100925", 5));
    EXPECT("not-owned", sell("NYKB1001", "NYKA100925", 1));
    EXPECT("holds: NYKM100925 Equity 2; NYKM100925 Bonus 4; NYKM100925 Dividend 1;", get("NYKB1001"));
}

static void selling_frees_both_limits(void) {
    EXPECT("added 9", add("LONA1001", equity("LONM080925"), 9));
    EXPECT("added 9", add("LONA1001", equity("LONM090925"), 9));
    EXPECT("added 9", add("LONA1001", equity("LONM100925"), 9));
    EXPECT("added 9", add("LONA1001", equity("LONM110925"), 9));
    EXPECT("added 9", add("LONA1001", equity("LONA080925"), 9));
    EXPECT("bought 2 of 2, 7 available", buy("NYKB1001", equity("LONM080925"), 2));
    EXPECT("bought 1 of 1, 8 available", buy("NYKB1001", equity("LONM090925"), 1));
    EXPECT("bought 1 of 1, 8 available", buy("NYKB1001", equity("LONM100925"), 1));
    EXPECT("sold 1 of type 0, 1 remain, 8 available", sell("NYKB1001", "LONM080925", 1));
    EXPECT("daily-limit", buy("NYKB1001", equity("LONA080925"), 1));
    EXPECT("weekly-limit", buy("NYKB1001", equity("LONM110925"), 1));
    EXPECT("sold 1 of type 0, 0 remain, 9 available", sell("NYKB1001", "LONM080925", 1));
    EXPECT("bought 1 of 1, 8 available", buy("NYKB1001", equity("LONA080925"), 1));
    EXPECT("weekly-limit", buy("NYKB1001", equity("LONM110925"), 1));
}

// ---- Swapping ------------------------------------------------------------------------------------------------------

static void a_swap_moves_all_units_or_none(void) {
    EXPECT("added 9", add("NYKA1001", equity("NYKM100925"), 9));
    EXPECT("added 5", add("NYKA1001", bonus("NYKM110925"), 5));
    EXPECT("bought 4 of 4, 5 available", buy("NYKB1001", equity("NYKM100925"), 4));
    EXPECT("bought 2 of 2, 3 available", buy("NYKB1002", bonus("NYKM110925"), 2));
    EXPECT("insufficient-new 3 of 4", swap("NYKB1001", equity("NYKM100925"), bonus("NYKM110925")));
    EXPECT("holds: NYKM100925 Equity 4;", get("NYKB1001"));
    EXPECT("sold 1 of type 1, 1 remain, 4 available", sell("NYKB1002", "NYKM110925", 1));
    EXPECT("swapped 4", swap("NYKB1001", equity("NYKM100925"), bonus("NYKM110925")));
    EXPECT("holds: NYKM110925 Bonus 4;", get("NYKB1001"));
    EXPECT("available: NYKM100925 Equity 9;", list("NYKA1001", EQUITY));
    EXPECT("available: NYKM110925 Bonus 0;", list("NYKA1001", BONUS));
}

static void a_swap_is_judged_without_the_old_holding(void) {
    EXPECT("added 9", add("LONA1001", equity("LONM080925"), 9));
    EXPECT("added 9", add("LONA1001", equity("LONE080925"), 9));
    EXPECT("added 9", add("LONA1001", equity("LONM090925"), 9));
    EXPECT("added 9", add("TOKA1001", equity("TOKM100925"), 9));
    EXPECT("added 9", add("TOKA1001", bonus("TOKM140925"), 9));
    EXPECT("added 9", add("NYKA1001", equity("NYKM120925"), 9));
    EXPECT("bought 1 of 1, 8 available", buy("NYKB1001", equity("LONM080925"), 1));
    EXPECT("bought 1 of 1, 8 available", buy("NYKB1001", equity("LONM090925"), 1));
    EXPECT("bought 1 of 1, 8 available", buy("NYKB1001", equity("TOKM100925"), 1));
    EXPECT("bought 2 of 2, 7 available", buy("NYKB1001", equity("NYKM120925"), 2));
    EXPECT("swapped 1", swap("NYKB1001", equity("LONM080925"), equity("LONE080925"))); // the same day
    EXPECT("swapped 1", swap("NYKB1001", equity("LONM090925"), bonus("TOKM140925")));  // one foreign share for another
    EXPECT("daily-limit", swap("NYKB1001", equity("TOKM100925"), equity("LONM080925")));
    EXPECT("weekly-limit", swap("NYKB1001", equity("NYKM120925"), equity("LONM090925")));
    EXPECT("holds: LONE080925 Equity 1; TOKM100925 Equity 1; NYKM120925 Equity 2; TOKM140925 Bonus 1;",
           get("NYKB1001"));
}

static void refusals_of_a_swap_come_in_their_order(void) {
    EXPECT("same-share", swap("NYKB1001", equity("NYKM100925"), equity("NYKM100925")));
    EXPECT("not-owned", swap("NYKB1001", equity("NYKM100925"), equity("NYKM110925")));
    EXPECT("added 9", add("NYKA1001", equity("NYKM100925"), 9));
    EXPECT("added 1", add("NYKA1001", equity("NYKM110925"), 1));
    EXPECT("added 1", add("NYKA1001", equity("NYKE110925"), 1));
    EXPECT("bought 2 of 2, 7 available", buy("NYKB1001", equity("NYKM100925"), 2));
    EXPECT("bought 1 of 1, 0 available", buy("NYKB1001", equity("NYKM110925"), 1));
    EXPECT("not-owned", swap("NYKB1001", bonus("NYKM100925"), equity("NYKM110925")));
    EXPECT("new-not-found", swap("NYKB1001", equity("NYKM100925"), bonus("NYKM110925")));
    EXPECT("already-owned", swap("NYKB1001", equity("NYKM100925"), equity("NYKM110925"))); // and too few
    EXPECT("daily-limit", swap("NYKB1001", equity("NYKM100925"), equity("NYKE110925")));   // and too few
}

// ---- The whole market ----------------------------------------------------------------------------------------------

static void an_imported_market_goes_on(void) {
    EXPECT("added 7", add("TOKA1001", dividend("TOKM010125"), 7));
    EXPECT_IMPORT("", "NYKM100925 1 10/7; NYKM090925 0 10/0; TOKB9999 NYKM090925 0 10; NYKB0000 NYKM100925 1 3;");
    EXPECT("available:", list("NYKA1001", DIVIDEND));
    EXPECT("available: NYKM090925 Equity 0;", list("NYKA1001", EQUITY));
    EXPECT("sold 2 of type 1, 1 remain, 9 available", sell("NYKB0000", "NYKM100925", 2));
    EXPECT("removed, 0 available, 1 holders of 10", drop("NYKA1001", equity("NYKM090925")));
    EXPECT("holds:", get("TOKB9999"));
    EXPECT_IMPORT("", "");
    EXPECT("available:", list("NYKA1001", BONUS));
}

static void a_state_that_breaks_a_law_is_refused_and_changes_nothing(void) {
    EXPECT("added 9", add("NYKA1001", equity("NYKM100925"), 9));
    EXPECT("bought 2 of 2, 7 available", buy("NYKB1001", equity("NYKM100925"), 2));

    EXPECT_IMPORT("NYKM100925 Equity is there twice", "NYKM100925 0 9/9; NYKM110925 0 9/9; NYKM100925 0 9/9;");
    EXPECT_IMPORT("NYKM100925 Equity has a capacity that is not 1 to 1,000,000", "NYKM100925 0 0/0;");
    EXPECT_IMPORT("NYKM100925 Equity has a capacity that is not 1 to 1,000,000", "NYKM100925 0 1000001/1000001;");
    EXPECT_IMPORT("NYKM100925 Equity has a capacity other than available and held together", "NYKM100925 0 9/8;");
    EXPECT_IMPORT("NYKM100925 Equity has a capacity other than available and held together", "NYKM100925 0 9/10;");
    EXPECT_IMPORT("NYKM100925 Equity has a capacity other than available and held together",
                  "NYKM100925 0 9/9; NYKB1001 NYKM100925 0 1;");
    EXPECT_IMPORT("NYKB1001 NYKM100925 Bonus is held, but the share is not listed",
                  "NYKM100925 0 9/9; NYKB1001 NYKM100925 1 1;");
    EXPECT_IMPORT("NYKB1001 NYKM100925 Equity is a holding of no units", "NYKM100925 0 9/9; NYKB1001 NYKM100925 0 0;");
    EXPECT_IMPORT("NYKB1001 NYKM100925 Equity is there twice",
                  "NYKM100925 0 9/7; NYKB1001 NYKM100925 0 1; NYKB1001 NYKM100925 0 1;");
    EXPECT_IMPORT("NYKB1002 NYKM100925 Equity is more than is left of the share's capacity",
                  "NYKM100925 0 9/0; NYKB1001 NYKM100925 0 5; NYKB1002 NYKM100925 0 5;");
    // A sum of units that would be right modulo 2^32.
    EXPECT_IMPORT("NYKB1001 NYKM100925 Equity is more than is left of the share's capacity",
                  "NYKM100925 0 9/8; NYKB1001 NYKM100925 0 4294967295; NYKB1002 NYKM100925 0 2;");
    EXPECT("holds: NYKM100925 Equity 2;", get("NYKB1001"));
}

// Every buyer keeps both limits, whatever has been asked for. Written as the rules are, by comparing all pairs.
static void check_limits(void) {
    market_state_t state = export_state(&market);
    for (size_t i = 0; i < state.holdings.len; i++) {
        const holding_state_t *one = &state.holdings.ptr[i];
        unsigned of_the_day = 0, foreign_of_the_week = 0;
        for (size_t j = 0; j < state.holdings.len; j++) {
            const holding_state_t *other = &state.holdings.ptr[j];
            if (same_buyers(one->buyer, other->buyer)) {
                share_id_t id = one->share.id, other_id = other->share.id;
                of_the_day += one->share.share_type == other->share.share_type && same_days(id.date, other_id.date);
                foreign_of_the_week +=
                    other_id.market != one->buyer.market && week_of(id.date) == week_of(other_id.date);
            }
        }
        CHECK(of_the_day == 1 && foreign_of_the_week <= 3);
    }
    free_state(&state);
}

static uint32_t draw(uint32_t *seed, uint32_t below) {
    *seed = *seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)*seed * below >> 32);
}

static void random_histories_keep_the_laws(void) {
    uint32_t seed = 1;
    for (unsigned step = 1; step <= 20000; step++) {
        static const char *const ADMINS[] = {"NYKA1001", "LONA1001", "TOKA1001"};
        static const char *const BUYERS[] = {"NYKB1001", "NYKB1002", "LONB1001", "LONB1002", "TOKB1001", "TOKB1002"};
        char ids[2][16];
        share_t shares[2];
        for (int i = 0; i < 2; i++) {
            const char *of = ADMINS[draw(&seed, 3)];
            char slot = "MAE"[draw(&seed, 3)];
            snprintf(ids[i], sizeof ids[i], "%.3s%c%02u0925", of, slot, 12 + draw(&seed, 6)); // in two weeks
            shares[i] = share(ids[i], (share_type_t)draw(&seed, 3));
        }
        const char *admin = ADMINS[shares[0].id.market], *someone = BUYERS[draw(&seed, 6)];
        request_t request;
        uint32_t choice = draw(&seed, 16);
        if (choice < 3) {
            request = add(admin, shares[0], 1 + draw(&seed, 20));
        } else if (choice < 4) {
            request = drop(admin, shares[0]);
        } else if (choice < 6) {
            request = sell(someone, ids[0], 1 + draw(&seed, 5));
        } else if (choice < 10) {
            request = swap(someone, shares[0], shares[1]);
        } else {
            request = buy(someone, shares[0], 1 + draw(&seed, 8));
        }
        outcome_t outcome = execute(&market, &request);
        free_outcome(&outcome);
        if (step % 100 == 0) {
            check_limits();
            CHECK_ROUND_TRIP();
        }
    }
    CHECK(market.listings.len > 10);
    while (market.listings.len > 0) {
        market_delist(&market, share_of_key(market.listings.keys[0]));
    }
    market_state_t state = export_state(&market);
    CHECK(state.holdings.len == 0); // Each share knew all of its holders.
    free_state(&state);
}

// ---- Failing -------------------------------------------------------------------------------------------------------

static void give_what_is_not_listed(void) {
    market_give(&market, buyer("NYKB1001"), equity("NYKM100925"), 1);
}

static void ask_for_too_much_memory(void) {
    reallocate(NULL, (size_t)-1 / 2, 4);
}

static void a_failed_check_says_where_and_what(void) {
    EXPECT_LAST_WORDS("units of a share that is not listed", give_what_is_not_listed);
    EXPECT_LAST_WORDS("cannot have 9223372036854775807 items of 4 bytes", ask_for_too_much_memory);
}

static const struct test TESTS[] = {
    TEST(only_admins_manage_shares),
    TEST(a_buyer_is_served_in_person_or_by_an_admin_of_the_home_market),
    TEST(an_admin_manages_the_own_market),
    TEST(forbidden_comes_before_wrong_market_and_both_before_the_rest),
    TEST(a_share_is_added_once_for_each_type),
    TEST(a_removed_share_takes_every_holding_with_it),
    TEST(a_list_holds_one_type_of_all_markets_and_sold_out_shares),
    TEST(a_purchase_takes_what_is_there),
    TEST(a_share_that_is_held_is_not_bought_again_before_all_is_sold),
    TEST(one_share_of_a_type_and_day_whatever_the_market_and_slot),
    TEST(three_foreign_shares_a_week_of_all_types_and_markets_together),
    TEST(refusals_of_a_purchase_come_in_their_order),
    TEST(weeks_are_those_of_iso_8601),
    TEST(every_share_comes_back_from_its_key),
    TEST(all_holdings_of_the_buyer_in_all_markets),
    TEST(a_sale_takes_the_first_type_of_which_enough_is_held),
    TEST(a_sale_of_more_than_is_held_sells_nothing),
    TEST(selling_frees_both_limits),
    TEST(a_swap_moves_all_units_or_none),
    TEST(a_swap_is_judged_without_the_old_holding),
    TEST(refusals_of_a_swap_come_in_their_order),
    TEST(an_imported_market_goes_on),
    TEST(a_state_that_breaks_a_law_is_refused_and_changes_nothing),
    TEST(random_histories_keep_the_laws),
    TEST(a_failed_check_says_where_and_what),
};

int main(void) {
    return run_tests(TESTS, sizeof TESTS / sizeof *TESTS) != 0;
}
