//! Where a recorded drive truly was: a reference receiver's log, and distances along it.
//!
//! Only the GGA sentences are read: they carry time and position, and the RMC sentences of the log we
//! use have checksums that do not match. GGA has no date, so the caller says whose midnight it counts
//! from.

use std::path::Path;

use anyhow::{Context as _, ensure};
use geo::{Distance as _, Geodesic, Point};

/// Longest step between two positions, in ms. A reference at 1 Hz cuts no corner worth a thought; one
/// with a hole would, unnoticed.
const STEP_MS_MAX: i64 = 1_000;

/// The positions of a drive, in ascending time.
#[derive(Debug, Clone)]
pub struct Truth {
    samples: Vec<Sample>,
}

/// A position in degrees (x is the longitude) and its time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sample {
    unix_ms: i64,
    position: Point<f64>,
}

impl Truth {
    /// Reads a log. Everything but GGA is passed over; a damaged GGA, a time that does not go on, and a
    /// gap are errors, since a truth with holes is none.
    pub fn load(path: &Path, midnight_unix_ms: i64) -> anyhow::Result<Self> {
        let log = std::fs::read_to_string(path);
        let log = log.with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&log, midnight_unix_ms).with_context(|| path.display().to_string())
    }

    fn parse(log: &str, midnight_unix_ms: i64) -> anyhow::Result<Self> {
        let mut truth = Self { samples: Vec::new() };
        for (index, line) in log.lines().enumerate().filter(|(_, line)| is_gga(line)) {
            let sample = gga(line, midnight_unix_ms).and_then(|sample| truth.push(sample));
            sample.with_context(|| format!("line {}: {line}", index + 1))?;
        }
        ensure!(!truth.samples.is_empty(), "there is no GGA sentence");
        Ok(truth)
    }

    fn push(&mut self, sample: Sample) -> anyhow::Result<()> {
        if let Some(last) = self.samples.last() {
            let step_ms = sample.unix_ms - last.unix_ms;
            ensure!(
                (1..=STEP_MS_MAX).contains(&step_ms),
                "{step_ms} ms after the one before; it must be 1 to {STEP_MS_MAX} ms"
            );
        }
        self.samples.push(sample);
        Ok(())
    }

    /// Distance driven between two times in metres: geodesics on WGS 84 from sample to sample, with
    /// the ends interpolated.
    pub fn distance_m(&self, from_unix_ms: i64, to_unix_ms: i64) -> anyhow::Result<f64> {
        ensure!(from_unix_ms <= to_unix_ms, "{from_unix_ms} is after {to_unix_ms}");
        let between = |sample: &&Sample| (from_unix_ms..to_unix_ms).contains(&sample.unix_ms);
        let mut last = self.position_at(from_unix_ms)?;
        let end = self.position_at(to_unix_ms)?;
        let mut distance_m = 0.0;
        for next in self.samples.iter().filter(between).map(|sample| sample.position).chain([end]) {
            distance_m += Geodesic.distance(last, next);
            last = next;
        }
        Ok(distance_m)
    }

    fn position_at(&self, unix_ms: i64) -> anyhow::Result<Point<f64>> {
        let after = self.samples.partition_point(|sample| sample.unix_ms < unix_ms);
        let next = self.samples.get(after).with_context(|| self.outside(unix_ms))?;
        if next.unix_ms == unix_ms {
            return Ok(next.position);
        }
        let last = after.checked_sub(1).and_then(|before| self.samples.get(before));
        let last = last.with_context(|| self.outside(unix_ms))?;
        let gone_ms = f64::from(i32::try_from(unix_ms - last.unix_ms)?);
        let step_ms = f64::from(i32::try_from(next.unix_ms - last.unix_ms)?);
        Ok(last.position + (next.position - last.position) * (gone_ms / step_ms))
    }

    fn outside(&self, unix_ms: i64) -> String {
        let time = |sample: Option<&Sample>| sample.map_or(0, |sample| sample.unix_ms);
        let (first, last) = (time(self.samples.first()), time(self.samples.last()));
        format!("{unix_ms} is outside the recording, which goes from {first} to {last} (Unix ms)")
    }
}

/// Whether a line is a GGA sentence of any talker.
fn is_gga(line: &str) -> bool {
    line.starts_with('$') && line.get(3..7) == Some("GGA,")
}

fn gga(line: &str, midnight_unix_ms: i64) -> anyhow::Result<Sample> {
    let fields: Vec<&str> = checked(line)?.split(',').collect();
    let field = |index: usize| fields.get(index).copied().context("fields are missing");
    ensure!(field(6)? != "0", "there is no fix");
    let lat = degrees(field(2)?, 90.0).context("latitude")?;
    let lon = degrees(field(4)?, 180.0).context("longitude")?;
    let lat = lat * sign(field(3)?, "N", "S").context("hemisphere of the latitude")?;
    let lon = lon * sign(field(5)?, "E", "W").context("hemisphere of the longitude")?;
    let unix_ms = midnight_unix_ms + time_of_day_ms(field(1)?).context("time")?;
    Ok(Sample { unix_ms, position: Point::new(lon, lat) })
}

/// What stands between `$` and `*`, if the checksum after it is right.
fn checked(line: &str) -> anyhow::Result<&str> {
    let (content, checksum) =
        line.trim_end().trim_start_matches('$').split_once('*').context("there is no checksum")?;
    let sum = content.bytes().fold(0, |sum, byte| sum ^ byte);
    ensure!(u8::from_str_radix(checksum, 16) == Ok(sum), "the checksum must be {sum:02X}");
    Ok(content)
}

/// `ddmm.mmm` or `dddmm.mmm`, in degrees.
fn degrees(text: &str, max: f64) -> anyhow::Result<f64> {
    let split = text.find('.').and_then(|point| point.checked_sub(2));
    let (whole, minutes) = split.and_then(|at| text.split_at_checked(at)).context("no minutes")?;
    let (whole, minutes) = (whole.parse::<u8>()?, minutes.parse::<f64>()?);
    let degrees = f64::from(whole) + minutes / 60.0;
    ensure!((0.0..60.0).contains(&minutes) && degrees <= max, "out of range");
    Ok(degrees)
}

fn sign(text: &str, positive: &str, negative: &str) -> anyhow::Result<f64> {
    ensure!([positive, negative].contains(&text), "{text:?} is neither {positive} nor {negative}");
    Ok(if text == positive { 1.0 } else { -1.0 })
}

/// `hhmmss`, with any decimals; read to the millisecond.
fn time_of_day_ms(text: &str) -> anyhow::Result<i64> {
    let (clock, decimals) = text.split_once('.').unwrap_or((text, ""));
    let part = |from: usize| clock.get(from..from + 2).context("too short");
    let (h, min, s) = (part(0)?.parse::<u8>()?, part(2)?.parse::<u8>()?, part(4)?.parse::<u8>()?);
    ensure!(clock.len() == 6 && h < 24 && min < 60 && s < 60, "not hhmmss");
    let ms: i64 = format!("{decimals:0<3.3}").parse()?;
    Ok(((i64::from(h) * 60 + i64::from(min)) * 60 + i64::from(s)) * 1_000 + ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2020-02-07, 00:00 UTC.
    const MIDNIGHT_UNIX_MS: i64 = 1_581_033_600_000;

    fn sentence(content: &str) -> String {
        let sum = content.bytes().fold(0, |sum, byte| sum ^ byte);
        format!("${content}*{sum:02X}\r\n")
    }

    fn at(time: &str, lat_minutes: &str) -> String {
        sentence(&format!("GPGGA,{time},00{lat_minutes},N,01000.0,E,1,15,1.0,6.8,M,-32.6,M,,"))
    }

    /// North along a meridian from the equator, 0.01' of latitude in the first second, 0.03' in the
    /// second.
    fn log() -> String {
        let rmc = "$GPRMC,000001.00,A,0000.010,N,01000.000,E,0.0,62.8,070220,,,A*FF\r\n";
        at("000000.00", "00.00") + &at("000001.00", "00.01") + rmc + &at("000002.000", "00.04")
    }

    /// Length of a minute of latitude at the equator, in metres: on WGS 84, a(1 - e²) times its angle.
    const MINUTE_M: f64 = 1_842.904_6;

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-3
    }

    #[test]
    fn a_distance_runs_from_sample_to_sample_with_interpolated_ends() {
        let truth = Truth::parse(&log(), 86_400_000).expect("a log");
        for (from, to, minutes) in
            [(0, 2_000, 0.04), (0, 1_000, 0.01), (500, 1_500, 0.02), (1_250, 1_750, 0.015)]
        {
            let distance_m = truth.distance_m(86_400_000 + from, 86_400_000 + to).expect("inside");
            assert!(near(distance_m, minutes * MINUTE_M), "{from} to {to}: {distance_m}");
        }
        assert!(truth.distance_m(86_401_000, 86_401_000).expect("inside").abs() < f64::EPSILON);
    }

    #[test]
    fn times_outside_the_recording_are_refused() {
        let truth = Truth::parse(&log(), 0).expect("a log");
        for (from, to) in [(-1, 1_000), (0, 2_001), (5_000, 6_000)] {
            let error = truth.distance_m(from, to).expect_err("outside").to_string();
            assert!(error.ends_with("which goes from 0 to 2000 (Unix ms)"), "{error}");
        }
        assert!(truth.distance_m(1_000, 0).is_err());
    }

    #[test]
    fn hemispheres_and_decimals_are_read() {
        let line = sentence("GNGGA,235959.5,3725.5838626,S,12205.6186063,W,4,15,1.0,,M,,M,,");
        let sample = gga(&line, 1_000).expect("a position");
        assert_eq!(sample.unix_ms, 86_400_500);
        assert!(near(sample.position.y() * 1e6, -37_426_397.710), "{}", sample.position.y());
        assert!(near(sample.position.x() * 1e6, -122_093_643.438_333), "{}", sample.position.x());
    }

    #[test]
    fn a_log_that_cannot_be_the_truth_is_refused_with_its_line() {
        for (log, why) in [
            (log().replace("00.04", "00.05"), "line 4: $GPGGA,000002.000"),
            (at("000000.00", "00.00") + &at("000001.50", "00.01"), "line 2"),
            (at("000001.00", "00.00") + &at("000001.00", "00.01"), "line 2"),
            (at("000060.00", "00.00"), "line 1"),
            (at("0000.00", "00.00"), "line 1"),
            (at("000000.00", "60.00"), "line 1"),
            (at("000000.00", ""), "line 1"),
            (sentence("GPGGA,000000.00,0000.0,N,01000.0,E,0,15"), "line 1"),
            (sentence("GPGGA,000000.00,0000.0,E,01000.0,E,1,15"), "line 1"),
            (sentence("GPGGA,000000.00"), "line 1"),
            (String::new(), "there is no GGA sentence"),
        ] {
            let error = Truth::parse(&log, 0).expect_err("refused").to_string();
            assert!(error.starts_with(why), "{error}");
        }
    }

    /// The reference was computed with Vincenty's formulae, apart from this code.
    #[test]
    fn the_recorded_drive_has_the_length_computed_elsewhere() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mtv-local1/truth.gga");
        let truth = Truth::load(&path, MIDNIGHT_UNIX_MS).expect("the recorded drive");
        let start_unix_ms = MIDNIGHT_UNIX_MS + ((2 * 60 + 14) * 60 + 17) * 1_000;
        let distance_m = truth.distance_m(start_unix_ms + 780_000, start_unix_ms + 900_000);
        assert!(near(distance_m.expect("inside"), 1_134.273_7));
    }
}
