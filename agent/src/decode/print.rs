//! How fixes and figures are told, to people and to machines.

use std::io::{self, Write};

use jiff::Timestamp as Instant;
use serde::Serialize;
use tripline_protocol::fix::Refusal;
use tripline_protocol::unit::Timestamp;

use super::recording::Seen;
use super::stats::Stats;

/// A fix as one JSON object. What is unknown is null.
#[derive(Debug, Serialize)]
struct Line {
    t_ms: Option<i64>,
    lat_e7: i32,
    lon_e7: i32,
    alt_mm: Option<i32>,
    speed_mmps: Option<u32>,
    course_cdeg: Option<u16>,
    fix_type: &'static str,
    satellites: Option<u8>,
    hdop_c: Option<u16>,
    refused: Option<&'static str>,
}

impl From<&Seen> for Line {
    fn from(Seen { fix, dated }: &Seen) -> Self {
        Self {
            t_ms: dated.then_some(fix.at.unix_ms),
            lat_e7: fix.position.lat_e7(),
            lon_e7: fix.position.lon_e7(),
            alt_mm: fix.altitude_mm,
            speed_mmps: fix.speed_mmps,
            course_cdeg: fix.course_cdeg,
            fix_type: fix.fix_type.code(),
            satellites: fix.satellites,
            hdop_c: fix.hdop_c,
            refused: fix.refused.map(Refusal::code),
        }
    }
}

/// Writes fixes and figures.
#[derive(Debug)]
pub(super) struct Printer {
    json: bool,
    headed: bool,
}

impl Printer {
    pub(super) const fn new(json: bool) -> Self {
        Self { json, headed: false }
    }

    pub(super) fn fix(&mut self, seen: &Seen, out: &mut dyn Write) -> io::Result<()> {
        if self.json {
            serde_json::to_writer(&mut *out, &Line::from(seen))?;
            return out.write_all(b"\n");
        }
        if !self.headed {
            self.headed = true;
            writeln!(
                out,
                "{:<24} {:>11} {:>12} {:>8} {:>7} {:>6}  {:<12} {:>4} {:>5}  refused",
                "time", "lat", "lon", "alt m", "km/h", "course", "type", "sats", "hdop"
            )?;
        }
        text(seen, out)
    }

    pub(super) fn stats(&self, stats: &Stats, out: &mut dyn Write) -> io::Result<()> {
        if self.json {
            serde_json::to_writer(&mut *out, &stats.summary())?;
            return out.write_all(b"\n");
        }
        out.write_all(stats.text().as_bytes())
    }
}

fn text(Seen { fix, dated }: &Seen, out: &mut dyn Write) -> io::Result<()> {
    let time = if *dated { iso(fix.at) } else { "-".into() };
    let position = fix.position.to_string();
    let (lat, lon) = position.split_once(',').unwrap_or((&position, ""));
    let altitude = scaled(fix.altitude_mm.map(i64::from), 1000, 1);
    // 1 mm/s is 0.0036 km/h.
    let speed = scaled(fix.speed_mmps.map(|mmps| i64::from(mmps) * 36), 10_000, 1);
    let course = scaled(fix.course_cdeg.map(i64::from), 100, 1);
    let hdop = scaled(fix.hdop_c.map(i64::from), 100, 2);
    let satellites = fix.satellites.map_or("-".into(), |used| used.to_string());
    let refused = fix.refused.map_or("", Refusal::code);
    let line = format!(
        "{time:<24} {lat:>11} {lon:>12} {altitude:>8} {speed:>7} {course:>6}  {:<12} {satellites:>4} {hdop:>5}  {refused}",
        fix.fix_type.code()
    );
    writeln!(out, "{}", line.trim_end())
}

/// UTC with milliseconds; a dash beyond the years people write.
fn iso(at: Timestamp) -> String {
    Instant::from_millisecond(at.unix_ms).map_or("-".into(), |at| format!("{at:.3}"))
}

/// `value` in units of 1/`one`, with so many decimals; a dash where it is unknown.
fn scaled(value: Option<i64>, one: i64, decimals: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    value.map_or("-".into(), |value| format!("{:.decimals$}", value as f64 / one as f64))
}
