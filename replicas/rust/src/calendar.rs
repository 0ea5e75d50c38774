//! The weeks of the contract's dates.

use crate::types::Date;

/// Days of a common year before each month.
const DAYS_BEFORE_MONTH: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// A number that two dates share if and only if they lie in the same ISO 8601 week, counted from the one of 1 January 2000.
///
/// An ISO week begins on a Monday, whatever month or year that is in, so no week-year is needed to tell weeks apart.
pub fn week(date: Date) -> u32 {
    // 1 January 2000 was a Saturday, the sixth day of its week.
    (days_since_2000(date) + 5) / 7
}

fn days_since_2000(date: Date) -> u32 {
    let (years, month) = (u32::from(date.year) - 2000, usize::from(date.month));
    // From 2000 to 2099, every fourth year is a leap year.
    let leap_days_before = years.div_ceil(4);
    let leap_day = u32::from(years.is_multiple_of(4) && month > 2);
    years * 365 + leap_days_before + DAYS_BEFORE_MONTH[month - 1] + leap_day + u32::from(date.day) - 1
}
