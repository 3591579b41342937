//! Durations: ISO 8601, and what peers take for it.

/// A minute, in ms.
const MINUTE_MS: i64 = 60_000;

/// A day, in ms.
const DAY_MS: i64 = 86_400_000;

/// Longest duration there is, in ms. What is longer counts as this: nobody waits longer for an answer, and
/// what was said for years was meant for ever.
pub(super) const DURATION_MS_MAX: i64 = DAY_MS;

/// A duration in ms, more than zero and at most [`DURATION_MS_MAX`]; `None` for what is none or zero.
///
/// `P120S` and `P2H` lack a `T` and are read with it. `P1M` is a month by the standard, and a minute in what
/// Beckn networks write.
pub(super) fn parse_ms(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_uppercase();
    let rest = text.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None if rest.contains(['Y', 'W', 'D']) => (rest, ""),
        None => ("", rest),
    };
    let dates = [('Y', 365 * DAY_MS), ('M', 30 * DAY_MS), ('W', 7 * DAY_MS), ('D', DAY_MS)];
    let times = [('H', 60 * MINUTE_MS), ('M', MINUTE_MS), ('S', 1_000)];
    let sum_ms = parts_ms(date, &dates)?.saturating_add(parts_ms(time, &times)?);
    (sum_ms > 0).then_some(sum_ms.min(DURATION_MS_MAX))
}

/// The sum of numbers with these units behind them, each at most once and in this order.
fn parts_ms(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut sum_ms = 0_i64;
    for (unit, unit_ms) in units {
        let Some((number, rest)) = text.split_once(*unit) else { continue };
        sum_ms = sum_ms.saturating_add(number_ms(number, *unit_ms)?);
        text = rest;
    }
    text.is_empty().then_some(sum_ms)
}

/// A number of units, with at most three decimals that count.
fn number_ms(text: &str, unit_ms: i64) -> Option<i64> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    let thousandths: i64 = thousandths.parse().ok()?;
    // Digits that do not fit are more than any bound.
    let whole: i64 = whole.parse().unwrap_or(i64::MAX);
    Some(whole.saturating_mul(unit_ms).saturating_add(thousandths * unit_ms / 1000))
}

/// A duration as this dialect writes it: whole seconds, at least none.
pub(super) fn seconds(seconds: i64) -> String {
    format!("PT{}S", seconds.max(0))
}

/// A duration in whole minutes.
pub(super) fn minutes(minutes: i64) -> String {
    format!("PT{}M", minutes.max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn durations_are_read_as_they_are_meant() {
        for (text, ms) in [
            ("PT30S", 30_000),
            ("PT2M", 120_000),
            ("PT1H30M", HOUR_MS + 30 * MINUTE_MS),
            ("PT1H0M5S", HOUR_MS + 5_000),
            ("PT0.5S", 500),
            ("PT1,25S", 1_250),
            ("PT0.0019S", 1),
            (" pt30s ", 30_000),
            ("P1DT0S", DAY_MS),
            ("P0DT12H", 12 * HOUR_MS),
            // Without the T.
            ("P120S", 120_000),
            ("P200S", 200_000),
            ("P2H", 2 * HOUR_MS),
            ("P1H30M", HOUR_MS + 30 * MINUTE_MS),
            ("P1M", MINUTE_MS),
            ("P14M", 14 * MINUTE_MS),
            // Beyond the bound.
            ("P1D", DAY_MS),
            ("P7D", DAY_MS),
            ("P2W", DAY_MS),
            ("P1Y", DAY_MS),
            ("P1M2D", DAY_MS),
            ("PT100000H", DAY_MS),
            ("PT99999999999999999999S", DAY_MS),
        ] {
            assert_eq!(parse_ms(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_or_none_at_all_is_absent() {
        for text in [
            "",
            "P",
            "PT",
            "P1DT",
            "T30S",
            "30",
            "30S",
            "PTS",
            "PT.5S",
            "PT5.S",
            "PT-30S",
            "-PT30S",
            "PT30S5M",
            "PT5S5S",
            "PT5X",
            "PT 30S",
            "P1D2W",
            "soon",
            "PT0S",
            "P0D",
            "PT0.0001S",
        ] {
            assert_eq!(parse_ms(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!((seconds(0), seconds(-5)), ("PT0S".into(), "PT0S".into()));
        assert_eq!(parse_ms(&seconds(600)), Some(600_000));
    }
}
