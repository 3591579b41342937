//! Moves the times and dates inside a sentence, so that an old drive happens today.
//!
//! Every moment moves by the same amount; nothing else in the sentence changes. Proprietary
//! sentences keep the time they carry: their layout is their maker's.

use crate::sentence::Sentence;
use crate::utc::{DAY_MS, civil, format_time_of_day, time_of_day_ms};

/// Where a kind of sentence carries its UTC time of day; `None` for kinds without one.
pub fn time_field(kind: &str) -> Option<usize> {
    match kind {
        "RMC" | "GGA" | "GNS" | "ZDA" | "GST" | "GBS" => Some(1),
        "GLL" => Some(5),
        _ => None,
    }
}

/// One line of an epoch whose own time is `epoch_unix_ms`, moved by `shift_ms`. A field keeps its
/// number of decimals, an empty one stays empty: a receiver that did not know the time then does
/// not know it today. A line without a time, and a damaged one, comes back as it is.
pub fn redate(line: &[u8], epoch_unix_ms: i64, shift_ms: i64) -> Vec<u8> {
    let Some(mut sentence) = Sentence::parse(line) else { return line.to_vec() };
    let Some(field) = time_field(sentence.kind()) else { return line.to_vec() };

    let own_unix_ms = match time_of_day_ms(sentence.field(field)) {
        Some(of_day_ms) => nearest(epoch_unix_ms, of_day_ms),
        None => epoch_unix_ms,
    };
    let new_unix_ms = own_unix_ms + shift_ms;
    replace_time(&mut sentence, field, new_unix_ms);
    replace_date(&mut sentence, new_unix_ms);
    sentence.to_line()
}

fn replace_time(sentence: &mut Sentence, field: usize, unix_ms: i64) {
    let old = sentence.field(field);
    if time_of_day_ms(old).is_none() {
        return;
    }
    let decimals = old.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    sentence.set(field, format_time_of_day(unix_ms, decimals));
}

fn replace_date(sentence: &mut Sentence, unix_ms: i64) {
    let date = civil(unix_ms).date();
    let (day, month, year) = (date.day(), date.month(), date.year());
    let new_fields = match sentence.kind() {
        "RMC" => vec![(9, format!("{day:02}{month:02}{:02}", year.rem_euclid(100)))],
        "ZDA" => {
            vec![(2, format!("{day:02}")), (3, format!("{month:02}")), (4, format!("{year:04}"))]
        }
        _ => vec![],
    };
    for (field, value) in new_fields {
        if !sentence.field(field).is_empty() {
            sentence.set(field, value);
        }
    }
}

/// The moment with this time of day that lies nearest to the epoch: a sentence of 23:59:59 may
/// belong to the epoch of midnight.
fn nearest(epoch_unix_ms: i64, of_day_ms: i64) -> i64 {
    let ahead_ms = (of_day_ms - epoch_unix_ms).rem_euclid(DAY_MS);
    let behind = ahead_ms >= DAY_MS / 2;
    epoch_unix_ms + if behind { ahead_ms - DAY_MS } else { ahead_ms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::utc::midnight_unix_ms;

    fn redated(fields: &str, epoch_of_day_ms: i64, shift_ms: i64) -> String {
        let epoch_unix_ms = midnight_unix_ms(2020, 2, 7).expect("a date") + epoch_of_day_ms;
        let line = Sentence::new(fields.split(',')).to_line();
        let sentence = Sentence::parse(&redate(&line, epoch_unix_ms, shift_ms)).expect("intact");
        (0..fields.split(',').count()).map(|i| sentence.field(i)).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn every_kind_with_a_time_moves_and_keeps_its_decimals() {
        for (before, after) in [
            ("GNRMC,000001.00,A,,,,,,,070220,,,A", "GNRMC,000003.00,A,,,,,,,070220,,,A"),
            ("GPGGA,000001,,,,,0", "GPGGA,000003,,,,,0"),
            ("GNGLL,,,,,000001.5,A,D", "GNGLL,,,,,000003.5,A,D"),
            ("GNGNS,000001.000,,,,,NN", "GNGNS,000003.000,,,,,NN"),
            ("GPZDA,000001.00,07,02,2020,00,00", "GPZDA,000003.00,07,02,2020,00,00"),
            ("GPGST,000001.00,,,", "GPGST,000003.00,,,"),
            ("GPGBS,000001.00,,,", "GPGBS,000003.00,,,"),
        ] {
            assert_eq!(redated(before, 1_000, 2_000), after);
        }
    }

    #[test]
    fn dates_follow_a_shift_over_midnight_into_another_year() {
        let shift_ms = DAY_MS * (366 - 37) - 1_500;
        let rmc = "GNRMC,000001.00,A,,,,,,,070220,,,A";
        assert_eq!(redated(rmc, 1_000, shift_ms), "GNRMC,235959.50,A,,,,,,,311220,,,A");
        let zda = "GPZDA,000001.00,07,02,2020,00,00";
        assert_eq!(redated(zda, 1_000, shift_ms + 1_000), "GPZDA,000000.50,01,01,2021,00,00");
    }

    #[test]
    fn a_straggler_from_before_midnight_stays_behind_its_epoch() {
        let gst = "GPGST,235959.00,,";
        assert_eq!(redated(gst, 0, 10_000), "GPGST,000009.00,,");
        assert_eq!(
            redated("GNRMC,235959.00,V,,,,,,,070220,,,N", 0, 0).split(',').nth(9),
            Some("060220")
        );
    }

    #[test]
    fn empty_fields_stay_empty() {
        for unknown in ["GPRMC,,V,,,,,,,,,,N", "GPZDA,,,,,,", "GPGGA,,,,,,0"] {
            assert_eq!(redated(unknown, 0, 5_000), unknown);
        }
    }

    #[test]
    fn damaged_and_timeless_lines_keep_every_byte() {
        for line in [&b"$GNRMC,000001.00,A*00\n"[..], b"$GPTXT,f*05\r\n", b"\xb5\x62\x01\x07\n"] {
            assert_eq!(redate(line, 0, 5_000), line);
        }
    }
}
