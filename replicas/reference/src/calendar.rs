//! The little of the Gregorian calendar that the market needs: whether a date is real, and which days share its week.
//!
//! An ISO 8601 week, taken with its week-year, is exactly a run of days from a Monday to the next Sunday. So a week is
//! that run here, and no week number is ever computed: New Year and years of 53 weeks need no case of their own.
//! There is no clock: every date comes from a share id.

use std::ops::RangeInclusive;

use crate::types::{Date, YEAR_MAX, YEAR_MIN};

const DAYS_PER_WEEK: u32 = 7;

/// Days before the first of each month, in a year that is not a leap year.
const DAYS_BEFORE_MONTH: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

impl Date {
    /// Whether the date exists and a share id can name it.
    pub fn is_real(&self) -> bool {
        (YEAR_MIN..=YEAR_MAX).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_in_month(self.year, self.month)).contains(&self.day)
    }
}

/// A day, counted from Monday 1 January of the year 1, which is day 0 of the calendar when it is extended backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(u32);

impl Day {
    /// The day of a real date.
    pub(crate) fn of(date: Date) -> Day {
        let years_before = u32::from(date.year) - 1;
        let leap_days_before = years_before / 4 - years_before / 100 + years_before / 400;
        let leap_day_this_year = u32::from(date.month > 2 && is_leap(date.year));
        Day(years_before * 365
            + leap_days_before
            + DAYS_BEFORE_MONTH[usize::from(date.month) - 1]
            + leap_day_this_year
            + u32::from(date.day)
            - 1)
    }

    /// The seven days, Monday to Sunday, of the ISO week in which this day lies.
    pub(crate) fn week(self) -> RangeInclusive<Day> {
        let monday = self.0 - self.0 % DAYS_PER_WEEK;
        Day(monday)..=Day(monday + DAYS_PER_WEEK - 1)
    }

    /// The day after this one.
    pub(crate) fn next(self) -> Day {
        Day(self.0 + 1)
    }
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(day: u8, month: u8, year: u16) -> Date {
        Date { year, month, day }
    }

    fn dates_of_the_century() -> impl Iterator<Item = Date> {
        let every_spelling = (YEAR_MIN..=YEAR_MAX)
            .flat_map(|year| (1..=12).flat_map(move |month| (1..=31).map(move |day| date(day, month, year))));
        every_spelling.filter(Date::is_real)
    }

    #[test]
    fn a_date_is_real_when_the_calendar_has_it() {
        for (date, real) in [
            (date(10, 9, 2025), true),
            (date(31, 12, 2099), true),
            (date(1, 1, 2000), true),
            (date(29, 2, 2000), true),
            (date(29, 2, 2024), true),
            (date(29, 2, 2025), false),
            (date(31, 2, 2025), false),
            (date(31, 4, 2025), false),
            (date(12, 22, 2025), false),
            (date(0, 1, 2025), false),
            (date(1, 0, 2025), false),
            (date(32, 1, 2025), false),
            (date(31, 12, 1999), false),
            (date(1, 1, 2100), false),
        ] {
            assert_eq!(date.is_real(), real, "{date:?}");
        }
    }

    #[test]
    fn the_century_is_counted_without_a_gap_or_a_repetition() {
        let days: Vec<Day> = dates_of_the_century().map(Day::of).collect();
        assert_eq!(days.len(), 36_525);
        assert!(days.windows(2).all(|pair| pair[0].next() == pair[1]));
    }

    #[test]
    fn a_week_runs_from_monday_to_sunday() {
        // 7 September 2025 was a Sunday.
        let week = Day::of(date(10, 9, 2025)).week();
        assert_eq!(week, Day::of(date(8, 9, 2025))..=Day::of(date(14, 9, 2025)));
        assert!(!week.contains(&Day::of(date(7, 9, 2025))));
    }

    #[test]
    fn days_around_new_year_lie_in_one_week_when_no_sunday_parts_them() {
        for (one, other, together) in [
            (date(31, 12, 2026), date(1, 1, 2027), true),
            (date(28, 12, 2026), date(3, 1, 2027), true),
            (date(27, 12, 2026), date(1, 1, 2027), false),
            (date(31, 12, 2026), date(4, 1, 2027), false),
            (date(29, 12, 2025), date(4, 1, 2026), true),
            (date(31, 12, 2023), date(1, 1, 2024), false),
            (date(28, 2, 2024), date(29, 2, 2024), true),
            (date(31, 12, 2026), date(31, 12, 2027), false),
        ] {
            let same = Day::of(one).week() == Day::of(other).week();
            assert_eq!(same, together, "{one:?} and {other:?}");
        }
    }
}
