//! What is listed newest last: how much of it, from when on, and how it is printed.

use clap::Args;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;
use tripline_protocol::unit::Timestamp;

use crate::time;

#[derive(Debug, Args)]
pub(super) struct Newest {
    /// Written from then on: 90s, 5m, 1h or 7d ago, a date, or a time such as 2026-11-21T10:00:00Z
    #[arg(long, value_parser = since)]
    pub(super) since: Option<Timestamp>,
    /// The last so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) limit: u32,
    /// Print as JSON, one object a line
    #[arg(long)]
    json: bool,
}

impl Newest {
    /// Prints a line a row.
    pub(super) fn print<T>(
        &self,
        rows: &[T],
        as_json: impl Fn(&T) -> Value,
        as_text: impl Fn(&T) -> String,
    ) {
        for row in rows {
            if self.json {
                println!("{}", as_json(row));
            } else {
                println!("{}", as_text(row));
            }
        }
    }
}

fn since(text: &str) -> Result<Timestamp, String> {
    parse_since(text, time::now())
        .ok_or_else(|| "such as 90s, 5m, 1h or 7d, 2026-11-21, or 2026-11-21T10:00:00Z".to_owned())
}

fn parse_since(text: &str, now: Timestamp) -> Option<Timestamp> {
    let units_ms = [("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    for (unit, unit_ms) in units_ms {
        if let Some(number) = text.strip_suffix(unit).and_then(|text| text.parse::<u32>().ok()) {
            return Some(now.plus_ms(-i64::from(number).saturating_mul(unit_ms)));
        }
    }
    let time = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let date: Date = text.parse().ok()?;
        Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })?;
    Some(Timestamp::from_unix_ms(time.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_as_an_age_a_date_or_an_instant() {
        let now = Timestamp::from_unix_ms(1_800_000_000_000);
        assert_eq!(parse_since("1h", now), Some(now.plus_ms(-3_600_000)));
        assert_eq!(parse_since("90s", now), Some(now.plus_ms(-90_000)));
        let day = Some(Timestamp::from_unix_ms(1_795_219_200_000));
        assert_eq!(parse_since("2026-11-21", now), day);
        assert_eq!(parse_since("2026-11-21T00:00:00Z", now), day);
        for text in ["", "h", "-1h", "yesterday", "2026-13-01"] {
            assert_eq!(parse_since(text, now), None, "{text:?}");
        }
    }
}
