//! Dates as receivers tell them, and the repair of their GPS week rollover.
//!
//! GPS counts weeks in ten bits. A receiver whose firmware has outlived its 1024 weeks tells dates that
//! lie a whole number of them in the past; a moment that has certainly passed, the floor, shows it.

use tripline_protocol::unit::Timestamp;

/// Milliseconds of a day without a leap second.
pub const MS_PER_DAY: i64 = 86_400_000;

/// 1024 weeks in ms, after which GPS time repeats.
pub const ROLLOVER_MS: i64 = 1024 * 7 * MS_PER_DAY;

/// The first of the two-digit years that belong to the 1900s: GPS time began in 1980.
const FIRST_YEAR_OF_1900S: u32 = 80;

/// A UTC time of day in milliseconds since midnight, 0 to 86,400,999 (a leap second included).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    /// Milliseconds since midnight.
    pub ms: u32,
}

/// A UTC date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Days since 1970-01-01.
    pub days: i64,
}

impl Date {
    /// The date of the Gregorian calendar; `None` where there is none such.
    pub fn new(year: u32, month: u32, day: u32) -> Option<Self> {
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        let in_month = (1..=days).contains(&day);
        in_month.then(|| Self { days: days_from_civil(i64::from(year), month, day) })
    }

    /// The moment at this time of the day. A leap second is the first second of the next day: Unix
    /// time does not count it.
    pub fn at(self, time: TimeOfDay) -> Timestamp {
        let midnight = self.days.saturating_mul(MS_PER_DAY);
        Timestamp::from_unix_ms(midnight.saturating_add(i64::from(time.ms)))
    }

    /// The date so many days later.
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        Self { days: self.days.saturating_add(days) }
    }
}

/// The year that a receiver means by two digits: 1980 to 2079.
pub const fn full_year(two_digits: u32) -> u32 {
    if two_digits >= FIRST_YEAR_OF_1900S { 1900 + two_digits } else { 2000 + two_digits }
}

/// `at`, moved forward by whole [`ROLLOVER_MS`] until it is not before `floor`.
#[must_use]
pub const fn not_before(at: Timestamp, floor: Timestamp) -> Timestamp {
    let behind_ms = floor.since_ms(at);
    if behind_ms <= 0 {
        return at;
    }
    let steps = (behind_ms - 1) / ROLLOVER_MS + 1;
    at.plus_ms(steps.saturating_mul(ROLLOVER_MS))
}

/// The moment nearest to `about` that has this time of the day.
pub const fn nearest(time: TimeOfDay, about: Timestamp) -> Timestamp {
    let midnight = about.unix_ms.div_euclid(MS_PER_DAY).saturating_mul(MS_PER_DAY);
    let same_day = Timestamp::from_unix_ms(midnight.saturating_add(time.ms as i64));
    let ahead_ms = same_day.since_ms(about);
    if ahead_ms > MS_PER_DAY / 2 {
        same_day.plus_ms(-MS_PER_DAY)
    } else if ahead_ms < -MS_PER_DAY / 2 {
        same_day.plus_ms(MS_PER_DAY)
    } else {
        same_day
    }
}

/// Days since 1970-01-01, years counted from March so that the leap day comes last.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    const DAYS_BEFORE_MONTH_FROM_MARCH: [i64; 12] =
        [306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275];
    const DAYS_FROM_0000_03_01_TO_1970_01_01: i64 = 719_468;
    let march_year = if month <= 2 { year - 1 } else { year };
    let leap_days =
        march_year.div_euclid(4) - march_year.div_euclid(100) + march_year.div_euclid(400);
    march_year * 365 + leap_days + DAYS_BEFORE_MONTH_FROM_MARCH[month as usize - 1] + i64::from(day)
        - 1
        - DAYS_FROM_0000_03_01_TO_1970_01_01
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_count_days_since_1970_through_leap_years() {
        for (date, days) in [
            ((1970, 1, 1), 0),
            ((1980, 1, 6), 3_657),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((2020, 2, 7), 18_299),
            ((2099, 12, 31), 10_957 + 36_524),
        ] {
            assert_eq!(Date::new(date.0, date.1, date.2), Some(Date { days }), "{date:?}");
        }
        for (year, month, day) in
            [(2019, 2, 29), (2100, 2, 29), (2020, 0, 1), (2020, 13, 1), (2020, 4, 31), (2020, 1, 0)]
        {
            assert_eq!(Date::new(year, month, day), None, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn two_digits_mean_a_year_since_gps_time_began() {
        assert_eq!([80, 99, 0, 79].map(full_year), [1980, 1999, 2000, 2079]);
    }

    #[test]
    fn a_leap_second_is_the_first_second_of_the_next_day() {
        let date = Date { days: 17_166 };
        let leap = TimeOfDay { ms: 86_400_250 };
        assert_eq!(date.at(leap), date.plus_days(1).at(TimeOfDay { ms: 250 }));
    }

    #[test]
    fn a_date_before_the_floor_moves_by_whole_rollovers_until_it_is_not() {
        let day =
            |year, month, day| Date::new(year, month, day).expect("a date").at(TimeOfDay { ms: 0 });
        let floor = day(2000, 1, 1);
        for (told, meant) in [
            (day(1999, 8, 22), day(2019, 4, 7)),
            (day(2000, 1, 1), day(2000, 1, 1)),
            (day(2026, 11, 21), day(2026, 11, 21)),
            (day(1980, 1, 6), day(2019, 4, 7)),
        ] {
            assert_eq!(not_before(told, floor), meant);
        }
        let exactly = floor.plus_ms(-ROLLOVER_MS);
        assert_eq!(not_before(exactly, floor), floor);
        assert_eq!(not_before(exactly.plus_ms(-1), floor), floor.plus_ms(ROLLOVER_MS - 1));
    }
}
