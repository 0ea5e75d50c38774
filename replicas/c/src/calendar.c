#include "calendar.h"

#include "check.h"

// 1 January 2000 was a Saturday, five days after a Monday.
enum { DAYS_FROM_MONDAY_TO_EPOCH = 5 };

static const unsigned DAYS_BEFORE_MONTH[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};

// Days from 1 January 2000 to the date. From 2000 to 2099 every fourth year is a leap year.
static unsigned days_since_2000(date_t date) {
    market_check(date.year >= 2000 && date.year <= 2099 && date.month >= 1 && date.month <= 12,
                 "not a date of the contract: %u-%u-%u", date.year, date.month, date.day);
    unsigned year = date.year - 2000u;
    unsigned leap_days_of_past_years = (year + 3) / 4;
    unsigned leap_day_of_this_year = year % 4 == 0 && date.month > 2 ? 1 : 0;
    return 365 * year + leap_days_of_past_years + leap_day_of_this_year + DAYS_BEFORE_MONTH[date.month - 1] +
           date.day - 1u;
}

unsigned week_of(date_t date) {
    return (days_since_2000(date) + DAYS_FROM_MONDAY_TO_EPOCH) / 7;
}
