//! Nights: a tariff's hours in the city's time zone, as spans of time that a vehicle can tell without knowing
//! zones.
//!
//! The zones are those that were built in: no file of this machine decides a fare.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span as Days, Timestamp as Instant};
use tripline_protocol::tariff::Night;
use tripline_protocol::terms::Span;
use tripline_protocol::unit::Timestamp;

/// Nights that the terms of a ride hold: the one that began the day before, and eight more. A ride that starts
/// later than that was booked anew.
pub const NIGHTS: i64 = 9;

/// No time zone has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone {name:?}; it is named as in Asia/Kolkata")]
pub struct UnknownZone {
    /// What was asked for.
    pub name: String,
}

/// The time zone of this IANA name.
pub fn zone(name: &str) -> Result<TimeZone, UnknownZone> {
    TimeZone::get(name).map_err(|_| UnknownZone { name: name.into() })
}

/// The nights around `about` and after it.
///
/// An hour that clocks leave out at a change begins when they go on; one that they repeat is its first. A
/// night is as long as it is: seven hours by the clock may be six or eight.
pub fn nights(night: &Night, about: Timestamp) -> Result<Vec<Span>, UnknownZone> {
    let zone = zone(&night.time_zone)?;
    let today = zone.to_datetime(instant(about)).date();
    let overnight = i64::from(night.until_minute <= night.from_minute);
    let spans = (-1..NIGHTS - 1).filter_map(|day| {
        let from = moment(&zone, day_after(today, day)?, night.from_minute)?;
        let until = moment(&zone, day_after(today, day + overnight)?, night.until_minute)?;
        (from < until).then_some(Span { from, until })
    });
    Ok(spans.collect())
}

fn day_after(date: Date, days: i64) -> Option<Date> {
    date.checked_add(Days::new().try_days(days).ok()?).ok()
}

fn moment(zone: &TimeZone, date: Date, minute: u16) -> Option<Timestamp> {
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    let civil = date.to_datetime(Time::new(hour, minute, 0, 0).ok()?);
    let instant = zone.to_ambiguous_timestamp(civil).compatible().ok()?;
    Some(Timestamp::from_unix_ms(instant.as_millisecond()))
}

fn instant(at: Timestamp) -> Instant {
    Instant::from_millisecond(at.unix_ms).unwrap_or(Instant::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tripline_protocol::tariff::Surcharge;

    fn night(from_minute: u16, until_minute: u16, zone: &str) -> Night {
        let surcharge = Surcharge::FactorPercent(150);
        Night { from_minute, until_minute, time_zone: zone.into(), surcharge }
    }

    fn at(text: &str) -> Timestamp {
        let instant: Instant = text.parse().expect("a time");
        Timestamp::from_unix_ms(instant.as_millisecond())
    }

    fn is_night(night: &Night, booked: &str, text: &str) -> bool {
        let spans = nights(night, at(booked)).expect("a zone");
        spans.iter().any(|span| span.holds(at(text)))
    }

    #[test]
    fn ten_to_five_in_kolkata_is_half_past_four_in_the_afternoon_to_half_past_eleven_utc() {
        let night = night(22 * 60, 5 * 60, "Asia/Kolkata");
        let booked = "2026-03-10T16:00:00Z";
        for (text, expected) in [
            ("2026-03-10T16:29:59.999Z", false),
            ("2026-03-10T16:30:00Z", true),
            ("2026-03-10T18:29:59Z", true), // midnight there
            ("2026-03-10T18:30:00Z", true),
            ("2026-03-10T23:29:59.999Z", true),
            ("2026-03-10T23:30:00Z", false),
            ("2026-03-09T20:00:00Z", true), // the night before the booking
            ("2026-03-17T20:00:00Z", true), // a week later
        ] {
            assert_eq!(is_night(&night, booked, text), expected, "{text}");
        }
    }

    #[test]
    fn a_booking_after_midnight_is_in_the_night_that_began_the_day_before() {
        let night = night(22 * 60, 5 * 60, "Asia/Kolkata");
        assert!(is_night(&night, "2026-03-10T20:00:00Z", "2026-03-10T20:05:00Z"));
    }

    #[test]
    fn where_clocks_change_a_night_is_as_long_as_it_is() {
        let night = night(22 * 60, 5 * 60, "Europe/Berlin");
        let hours = |booked| {
            let spans = nights(&night, at(booked)).expect("a zone");
            let tonight = spans.iter().find(|span| span.until > at(booked)).expect("one");
            tonight.until.since_ms(tonight.from) / 3_600_000
        };
        assert_eq!(hours("2026-03-27T20:00:00Z"), 7);
        assert_eq!(hours("2026-03-28T20:00:00Z"), 6, "clocks go ahead");
        assert_eq!(hours("2026-10-24T19:00:00Z"), 8, "clocks go back");
    }

    #[test]
    fn hours_that_clocks_leave_out_are_no_night_and_those_they_repeat_are_one_night() {
        let skipped = night(2 * 60, 2 * 60 + 30, "Europe/Berlin");
        let spans = nights(&skipped, at("2026-03-28T12:00:00Z")).expect("a zone");
        // 02:00 and 02:30 do not exist on the 29th: both are moved on, and half an hour stays.
        let moved = spans.iter().find(|span| span.holds(at("2026-03-29T01:10:00Z")));
        assert_eq!(moved.map(|span| span.until.since_ms(span.from)), Some(1_800_000));
        let repeated = night(2 * 60, 3 * 60, "Europe/Berlin");
        let spans = nights(&repeated, at("2026-10-24T12:00:00Z")).expect("a zone");
        let long = spans.iter().find(|span| span.holds(at("2026-10-25T00:30:00Z")));
        assert_eq!(long.map(|span| span.until.since_ms(span.from)), Some(7_200_000));
    }

    #[test]
    fn hours_of_one_day_are_within_it_and_an_unknown_zone_is_named() {
        let noon = night(12 * 60, 14 * 60, "UTC");
        assert!(is_night(&noon, "2026-03-10T10:00:00Z", "2026-03-10T13:00:00Z"));
        assert!(!is_night(&noon, "2026-03-10T10:00:00Z", "2026-03-10T14:00:00Z"));
        let error = nights(&night(0, 1, "Asia/Atlantis"), at("2026-03-10T10:00:00Z"));
        assert!(error.expect_err("unknown").to_string().contains("Asia/Atlantis"));
    }
}
