//! An NMEA log, cut into epochs by the UTC time of day its sentences carry.
//!
//! Lines are kept, not judged: a sentence that the serial line damaged is part of the drive. Only an
//! intact one may say what time it is.

use crate::redate::time_field;
use crate::sentence::{Sentence, TERMINATOR};
use crate::utc::{
    DAY_MS, format_time_of_day, midnight_unix_ms, short_date_unix_ms, time_of_day_ms,
};

use super::{Epoch, Trace};

/// A sentence may speak of a moment a little older than its epoch's (a slow GST, a GLL of the fix
/// before); it belongs to the epoch it was sent in. Beyond this the recording itself went back.
const STRAGGLER_MS_MAX: i64 = 5_000;

/// Why a file is no playable NMEA log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NmeaLogProblem {
    /// Not one intact sentence says what time it is.
    #[error(
        "it is neither GPX nor an NMEA log: no line is an intact RMC, GGA, GNS, GLL or ZDA sentence with a time"
    )]
    NoTime,
    /// The recording jumps to an earlier time of day.
    #[error("in line {line} time goes back from {from} to {to}; cut the log there")]
    TimeGoesBack {
        /// The line, counted from 1.
        line: usize,
        /// The time of day before, `hhmmss`.
        from: String,
        /// The time of day there, `hhmmss`.
        to: String,
    },
}

/// Reads a log. What stands before the first time has no place on the clock and is left out.
pub(super) fn parse(bytes: &[u8]) -> Result<Trace, NmeaLogProblem> {
    let mut cutter = Cutter::default();
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let text = line.trim_ascii();
        if !text.is_empty() && !text.starts_with(b"#") {
            cutter.take(index + 1, line)?;
        }
    }
    Trace::from_epochs(cutter.finish()).ok_or(NmeaLogProblem::NoTime)
}

/// The log so far. Moments are milliseconds since midnight of the first epoch's day.
#[derive(Default)]
struct Cutter {
    epochs: Vec<Epoch>,
    /// Midnight of the first epoch's day, from the first date in the log.
    midnight_unix_ms: Option<i64>,
}

impl Cutter {
    fn take(&mut self, number: usize, line: &[u8]) -> Result<(), NmeaLogProblem> {
        let sentence = Sentence::parse(line);
        if let Some(sentence) = &sentence {
            if let Some(of_day_ms) = epoch_time_ms(sentence) {
                self.advance(number, of_day_ms)?;
            }
            self.note_date(sentence);
        }
        if let Some(epoch) = self.epochs.last_mut() {
            // A log kept with bare line feeds lost the carriage returns that were on the wire. What is
            // no sentence may be a binary frame, in which a line feed is data: it stays as it is.
            let terminated = sentence.is_none() && line.ends_with(b"\n");
            epoch.lines.push(if terminated {
                line.to_vec()
            } else {
                [line.trim_ascii_end(), TERMINATOR].concat()
            });
        }
        Ok(())
    }

    /// Begins a new epoch if time went on. Past midnight the time of day falls, so the step is taken
    /// modulo a day; a step of more than half a day is one back.
    fn advance(&mut self, number: usize, of_day_ms: i64) -> Result<(), NmeaLogProblem> {
        let Some(current) = self.epochs.last() else {
            self.epochs.push(Epoch { unix_ms: of_day_ms, lines: vec![] });
            return Ok(());
        };
        let step_ms = (of_day_ms - current.unix_ms).rem_euclid(DAY_MS);
        if step_ms == 0 || DAY_MS - step_ms <= STRAGGLER_MS_MAX {
            return Ok(());
        }
        if step_ms >= DAY_MS / 2 {
            return Err(NmeaLogProblem::TimeGoesBack {
                line: number,
                from: format_time_of_day(current.unix_ms, 0),
                to: format_time_of_day(of_day_ms, 0),
            });
        }
        self.epochs.push(Epoch { unix_ms: current.unix_ms + step_ms, lines: vec![] });
        Ok(())
    }

    fn note_date(&mut self, sentence: &Sentence) {
        let (None, Some(epoch)) = (self.midnight_unix_ms, self.epochs.last()) else { return };
        let days_gone_ms = epoch.unix_ms - epoch.unix_ms.rem_euclid(DAY_MS);
        self.midnight_unix_ms = date_unix_ms(sentence).map(|date| date - days_gone_ms);
    }

    fn finish(mut self) -> Vec<Epoch> {
        let midnight_unix_ms = self.midnight_unix_ms.unwrap_or(0);
        for epoch in &mut self.epochs {
            epoch.unix_ms += midnight_unix_ms;
        }
        self.epochs
    }
}

/// The time that cuts epochs. GST and GBS carry one too, but come late with some receivers.
fn epoch_time_ms(sentence: &Sentence) -> Option<i64> {
    let kind = sentence.kind();
    let cuts = matches!(kind, "RMC" | "GGA" | "GNS" | "GLL" | "ZDA");
    let field = time_field(kind).filter(|_| cuts)?;
    time_of_day_ms(sentence.field(field))
}

fn date_unix_ms(sentence: &Sentence) -> Option<i64> {
    match sentence.kind() {
        "RMC" => short_date_unix_ms(sentence.field(9)),
        "ZDA" => midnight_unix_ms(
            sentence.field(4).parse().ok()?,
            sentence.field(3).parse().ok()?,
            sentence.field(2).parse().ok()?,
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(sentences: &[&str]) -> Vec<u8> {
        sentences.iter().flat_map(|s| Sentence::new(s.split(',')).to_line()).collect()
    }

    #[test]
    fn epochs_are_cut_where_the_time_changes() {
        let trace = parse(&log(&[
            "GPGSA,A,3",
            "GPGGA,120000.00",
            "GPGSV,1",
            "GPRMC,120000.00,A,,,,,,,070220",
            "GPGLL,,,,,120000.10",
            "GPGGA,120040.00",
        ]))
        .expect("a log");
        let epochs: Vec<_> = (0..3).filter_map(|i| trace.epoch(i)).collect();
        assert_eq!(epochs.iter().map(|e| e.lines.len()).collect::<Vec<_>>(), [3, 1, 1]);
        let first_unix_ms = 1_581_033_600_000 + DAY_MS / 2;
        let offsets: Vec<_> = epochs.iter().map(|e| e.unix_ms - first_unix_ms).collect();
        assert_eq!(offsets, [0, 100, 40_000]);
    }

    #[test]
    fn time_goes_on_over_midnight_and_the_date_counts_back_to_the_first_day() {
        let trace =
            parse(&log(&["GPGGA,235959.00", "GPRMC,000000.00,A,,,,,,,010120"])).expect("a log");
        assert_eq!(trace.last_unix_ms() - trace.first_unix_ms(), 1_000);
        assert_eq!(Some(trace.last_unix_ms()), midnight_unix_ms(2020, 1, 1));
    }

    #[test]
    fn damage_comments_and_line_feeds() {
        let good = "$GPTXT,f*05";
        let trace = parse(
            format!(
                "# log\n{}{good}\n\n$GPGGA,12000*00\nnoise\n{good}\ncut o",
                String::from_utf8(log(&["GPGGA,120000.00"])).expect("ascii")
            )
            .as_bytes(),
        )
        .expect("a log");
        let lines = &trace.epoch(0).expect("an epoch").lines;
        assert_eq!(
            lines[1..],
            [
                b"$GPTXT,f*05\r\n".to_vec(),
                b"$GPGGA,12000*00\n".to_vec(),
                b"noise\n".to_vec(),
                b"$GPTXT,f*05\r\n".to_vec(),
                b"cut o\r\n".to_vec(),
            ]
        );
    }

    #[test]
    fn a_straggler_stays_in_its_epoch_and_a_jump_back_is_named() {
        let straggler = ["GPGGA,120003.00", "GPGLL,,,,,120002.00", "GPGGA,120004.00"];
        assert_eq!(parse(&log(&straggler)).expect("a log").epoch_count(), 2);
        let jump = parse(&log(&["GPGGA,120003.00", "GPGGA,110003.00"])).expect_err("back");
        assert_eq!(
            jump.to_string(),
            "in line 2 time goes back from 120003 to 110003; cut the log there"
        );
    }

    #[test]
    fn a_log_without_any_time_is_refused() {
        assert_eq!(parse(&log(&["GPGSV,1", "GPRMC,,V"])), Err(NmeaLogProblem::NoTime));
        assert_eq!(parse(b""), Err(NmeaLogProblem::NoTime));
    }
}
