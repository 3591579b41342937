//! UTC as NMEA writes it, to and from milliseconds since 1970-01-01.
//!
//! Receivers know no leap second here: the 61st second of a minute is read as no time at all.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

/// Milliseconds in a day.
pub const DAY_MS: i64 = 86_400_000;

/// Milliseconds since midnight from `hhmmss` with any number of decimals; `None` for anything else.
pub fn time_of_day_ms(field: &str) -> Option<i64> {
    let (clock, fraction) = field.split_once('.').unwrap_or((field, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if clock.len() != 6 || !all_digits(clock) || !all_digits(fraction) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| clock[range].parse::<i64>().ok();
    let (hours, minutes, seconds) = (number(0..2)?, number(2..4)?, number(4..6)?);
    let millis: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let possible = hours < 24 && minutes < 60 && seconds < 60;
    possible.then_some(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis)
}

/// The time of day of a moment as `hhmmss`, cut to the given number of decimals.
pub fn format_time_of_day(unix_ms: i64, decimals: usize) -> String {
    let of_day_ms = unix_ms.rem_euclid(DAY_MS);
    let (seconds, millis) = (of_day_ms / 1000, of_day_ms % 1000);
    let clock = format!("{:02}{:02}{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if decimals == 0 {
        return clock;
    }
    let fraction = format!("{millis:03}");
    format!("{clock}.{:0<decimals$}", &fraction[..decimals.min(3)])
}

/// Midnight of an RMC date, `ddmmyy`. Years 80 to 99 are of the last century, as GPS began in 1980.
pub fn short_date_unix_ms(field: &str) -> Option<i64> {
    if field.len() != 6 || !field.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let year: i16 = field[4..6].parse().ok()?;
    let century = if year < 80 { 2000 } else { 1900 };
    midnight_unix_ms(century + year, field[2..4].parse().ok()?, field[0..2].parse().ok()?)
}

/// Midnight of a calendar date; `None` if there is no such day.
pub fn midnight_unix_ms(year: i16, month: i8, day: i8) -> Option<i64> {
    let date = Date::new(year, month, day).ok()?;
    utc_unix_ms(date.to_datetime(Time::midnight()))
}

/// A date and time of day that are meant as UTC.
pub fn utc_unix_ms(at: DateTime) -> Option<i64> {
    Some(Offset::UTC.to_timestamp(at).ok()?.as_millisecond())
}

/// The calendar date and time of a moment. Moments outside the years jiff knows (before -9999, after
/// 9999) come out as 1970.
pub fn civil(unix_ms: i64) -> DateTime {
    Offset::UTC.to_datetime(Timestamp::from_millisecond(unix_ms).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_keeps_its_decimals() {
        for (field, decimals) in
            [("235959", 0), ("235959.9", 1), ("000000.25", 2), ("021417.123", 3)]
        {
            let of_day_ms = time_of_day_ms(field).expect(field);
            assert_eq!(format_time_of_day(of_day_ms, decimals), field);
        }
        assert_eq!(format_time_of_day(1_500, 5), "000001.50000");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for field in
            ["", "240000", "236000", "235960.00", "36000.0000", "-10000", "0214170", "021417.-1"]
        {
            assert_eq!(time_of_day_ms(field), None, "{field}");
        }
    }

    #[test]
    fn short_dates_span_two_centuries() {
        assert_eq!(short_date_unix_ms("010170"), midnight_unix_ms(2070, 1, 1));
        assert_eq!(short_date_unix_ms("060180"), midnight_unix_ms(1980, 1, 6));
        assert_eq!(short_date_unix_ms("070220"), Some(1_581_033_600_000));
        assert_eq!(short_date_unix_ms("300220"), None);
        assert_eq!(short_date_unix_ms("2208-1"), None);
    }
}
