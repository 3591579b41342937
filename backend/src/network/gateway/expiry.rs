//! When a token runs out, in whatever form a gateway writes it.

use jiff::Timestamp as Instant;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tripline_protocol::unit::Timestamp;

/// How long before a token runs out it is told, in ms: a week.
pub const ENDING_MS: i64 = 7 * 86_400_000;

/// From this number on one counts milliseconds, not seconds: the year 5138 in seconds, 1973 in milliseconds.
const MS_FROM: i64 = 100_000_000_000;

/// The time that `exp` means: RFC 3339; the same without a zone, which is read as UTC; a date, through its
/// beginning; or Unix seconds or milliseconds. `None` for anything else.
pub fn parse(exp: &str) -> Option<Timestamp> {
    let text = exp.trim();
    if let Ok(number) = text.parse::<i64>() {
        let unix_ms = if number < MS_FROM { number.checked_mul(1000)? } else { number };
        return (number > 0).then_some(Timestamp::from_unix_ms(unix_ms));
    }
    // Elsewhere in the same family of documents a zone's name follows the offset: +05:30@UTC.
    let text = text.split_once('@').map_or(text, |(time, _)| time);
    let zoned = text.parse::<Instant>().ok();
    let local =
        || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    let at = zoned.or_else(local)?;
    Some(Timestamp::from_unix_ms(at.as_millisecond()))
}

/// How it stands with a token at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// The gateway did not say when it runs out, or not so that it can be read.
    Unknown,
    /// It has run out.
    Over,
    /// It runs out within [`ENDING_MS`].
    Soon,
    /// It holds.
    Later,
}

/// How it stands at `now` with a token that runs out `at`.
pub fn judge(at: Option<Timestamp>, now: Timestamp) -> Expiry {
    match at.map(|at| at.since_ms(now)) {
        None => Expiry::Unknown,
        Some(left_ms) if left_ms <= 0 => Expiry::Over,
        Some(left_ms) if left_ms < ENDING_MS => Expiry::Soon,
        Some(_) => Expiry::Later,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_names_a_moment_is_read_and_no_other() {
        let at = Some(Timestamp::from_unix_ms(1_568_385_114_000));
        for text in [
            "2019-09-13T14:31:54Z",
            "2019-09-13T14:31:54",
            "2019-09-13 14:31:54",
            " 2019-09-13T20:01:54+05:30 ",
            "2019-09-13T20:01:54+05:30@UTC",
            "1568385114",
            "1568385114000",
        ] {
            assert_eq!(parse(text), at, "{text}");
        }
        assert_eq!(parse("2019-09-13"), Some(Timestamp::from_unix_ms(1_568_332_800_000)));
        for text in ["", "string", "in a year", "-5", "2019-13-01", "99999999999999999999"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_token_is_told_a_week_before_it_runs_out() {
        let now = Timestamp::from_unix_ms(1_800_000_000_000);
        let left = |ms| judge(Some(now.plus_ms(ms)), now);
        assert_eq!(left(0), Expiry::Over);
        assert_eq!((left(1), left(ENDING_MS - 1)), (Expiry::Soon, Expiry::Soon));
        assert_eq!(left(ENDING_MS), Expiry::Later);
        assert_eq!(judge(None, now), Expiry::Unknown);
    }
}
