// Weeks, from nothing but a date.
#ifndef CALENDAR_H
#define CALENDAR_H

#include "contract.h"

// The number of the date's week, counted from the one that holds 1 January 2000, which is 0. Dates have the same number
// exactly if they have the same ISO 8601 week and week-year: such a week is a run of seven days from a Monday on, and
// no year cuts it in two.
unsigned week_of(date_t date);

#endif
