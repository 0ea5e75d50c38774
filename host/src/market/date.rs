//! A calendar date inside a share id, written `ddmmyy`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A real date of the Gregorian calendar between 01-01-2000 and 31-12-2099.
///
/// Ordered as its text `ddmmyy` is ordered, day first, since the canonical order of shares is that of their ids as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "(u8, u8, u8)", try_from = "(u8, u8, u8)")]
pub struct Date {
    day: u8,
    month: u8,
    year: u8,
}

impl Date {
    /// The date of the given day (1 to 31), month (1 to 12) and year (0 to 99, for 2000 to 2099); `None` when the
    /// calendar has no such day.
    pub fn new(day: u8, month: u8, year: u8) -> Option<Date> {
        let real = year <= 99 && (1..=12).contains(&month) && (1..=days_in(month, year)).contains(&day);
        real.then_some(Date { day, month, year })
    }

    /// Day of the month, 1 to 31.
    pub fn day(self) -> u8 {
        self.day
    }

    /// Month, 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// Full year, 2000 to 2099.
    pub fn year(self) -> u16 {
        2000 + u16::from(self.year)
    }
}

/// Days in a month of 2000 to 2099, in which every fourth year is a leap year, 2000 included.
fn days_in(month: u8, year: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}{:02}{:02}", self.day, self.month, self.year)
    }
}

impl From<Date> for (u8, u8, u8) {
    fn from(date: Date) -> Self {
        (date.day, date.month, date.year)
    }
}

impl TryFrom<(u8, u8, u8)> for Date {
    type Error = &'static str;

    fn try_from((day, month, year): (u8, u8, u8)) -> Result<Date, Self::Error> {
        Date::new(day, month, year).ok_or("no such date in the calendar")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        #[track_caller]
        fn check(day: u8, month: u8, year: u8, expected: bool) {
            assert_eq!(Date::new(day, month, year).is_some(), expected, "{day:02}{month:02}{year:02}");
        }
        check(10, 9, 25, true);
        check(31, 2, 25, false);
        check(29, 2, 24, true);
        check(29, 2, 25, false);
        check(29, 2, 0, true);
        check(12, 22, 25, false);
        check(0, 1, 25, false);
        check(1, 0, 25, false);
        check(31, 4, 25, false);
        check(31, 12, 99, true);
        check(1, 1, 100, false);
    }

    #[test]
    fn dates_are_ordered_as_their_text() {
        let early = Date::new(2, 12, 26).unwrap();
        let late = Date::new(10, 1, 25).unwrap();
        assert!(early < late && early.to_string() < late.to_string());
    }
}
