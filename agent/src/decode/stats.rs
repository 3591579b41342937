//! The figures of a recording.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Serialize, Serializer};
use tripline_agent_core::stream::Decoder;
use tripline_protocol::fix::{Fix, Refusal};

/// The figures. Distances are written in metres with three decimals.
#[derive(Debug, Clone, Serialize)]
pub struct Stats {
    /// Fixes, refused ones among them.
    pub fixes: u64,
    /// Sentences with a valid checksum.
    pub sentences: u64,
    /// UBX frames with a valid checksum.
    pub frames: u64,
    /// What was wrong on the line, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Fixes that do not count, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// The way, in mm.
    #[serde(serialize_with = "metres")]
    pub odometer_m: u64,
    /// What of it was counted across gaps, in mm.
    #[serde(serialize_with = "metres")]
    pub bridged_m: u64,
    /// Seconds moving.
    pub moving_s: u64,
    /// Seconds standing still or parked.
    pub standing_s: u64,
    /// What the trail of all fixes takes on the wire, in batches of 60.
    pub trail_bytes: u64,
    /// The error bound, in mm.
    #[serde(serialize_with = "metres")]
    pub error_bound_m: u64,
    /// Fixes that keep to it.
    pub points_kept: u64,
    /// Whether all of it is one trip.
    #[serde(skip)]
    pub trip: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn metres<S: Serializer>(mm: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(in_metres(*mm))
}

#[expect(clippy::cast_precision_loss, reason = "a way on Earth")]
fn in_metres(mm: u64) -> f64 {
    mm as f64 / 1000.0
}

/// The summary as it is printed.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'s> {
    #[serde(flatten)]
    stats: &'s Stats,
    trail_bytes_per_fix: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trip: Option<Trip>,
}

/// The whole recording as one trip.
#[derive(Debug, Serialize)]
struct Trip {
    distance_m: f64,
    duration_s: u64,
    bridged_percent: f64,
}

impl Stats {
    /// Fixes that do not count, by reason. Every reason is there, also where it is never given.
    pub fn refusals(fixes: &[Fix]) -> BTreeMap<&'static str, u64> {
        let mut refused: BTreeMap<_, _> =
            Refusal::ALL.iter().map(|reason| (reason.code(), 0)).collect();
        for reason in fixes.iter().filter_map(|fix| fix.refused) {
            *refused.entry(reason.code()).or_default() += 1;
        }
        refused
    }

    /// With what follows from it.
    pub(super) fn summary(&self) -> Summary<'_> {
        let share = |part: u64, whole: u64| {
            if whole == 0 { 0.0 } else { in_metres(part) / in_metres(whole) }
        };
        let rounded = |value: f64, places: f64| (value * places).round() / places;
        let trip = self.trip.then(|| Trip {
            distance_m: in_metres(self.odometer_m),
            duration_s: self.moving_s + self.standing_s,
            bridged_percent: rounded(share(self.bridged_m, self.odometer_m) * 100.0, 100.0),
        });
        let trail_bytes_per_fix = rounded(share(self.trail_bytes, self.fixes), 1000.0);
        Summary { stats: self, trail_bytes_per_fix, trip }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let Summary { trail_bytes_per_fix, trip, .. } = self.summary();
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name:<22}{value}");
        };
        line("fixes", self.fixes.to_string());
        line("sentences, frames", format!("{}, {}", self.sentences, self.frames));
        line("faults", counts(&self.faults));
        line("refused", counts(&self.refused));
        line("odometer", format!("{:.1} m", in_metres(self.odometer_m)));
        line("of it across gaps", format!("{:.1} m", in_metres(self.bridged_m)));
        line("moving", format!("{} s", self.moving_s));
        line("standing still", format!("{} s", self.standing_s));
        let trail = format!("{} bytes, {trail_bytes_per_fix:.2} a fix", self.trail_bytes);
        line("trail", trail);
        let bound = format!("kept within {} m", in_metres(self.error_bound_m));
        line(&bound, format!("{} points", self.points_kept));
        if let Some(Trip { distance_m, duration_s, bridged_percent }) = trip {
            let trip =
                format!("{distance_m:.1} m in {duration_s} s, {bridged_percent} % across gaps");
            line("trip", trip);
        }
        text
    }
}

/// Those that are not zero, or `none`.
fn counts(counts: &BTreeMap<&'static str, u64>) -> String {
    let told: Vec<_> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if told.is_empty() { "none".into() } else { told.join(", ") }
}

/// What was wrong on the line, by kind.
pub(super) fn faults(decoder: &Decoder) -> BTreeMap<&'static str, u64> {
    let (faults, tally) = (decoder.faults(), decoder.tally());
    BTreeMap::from([
        ("nmea_without_checksum", faults.nmea.without_checksum),
        ("nmea_bad_checksum", faults.nmea.bad_checksum),
        ("nmea_too_long", faults.nmea.too_long),
        ("nmea_cut_off", faults.nmea.cut_off),
        ("nmea_nonsense", tally.nonsense),
        ("nmea_nonsense_fields", tally.nonsense_fields),
        ("ubx_bad_checksum", faults.ubx.bad_checksum),
        ("ubx_too_long", faults.ubx.too_long),
        ("ubx_unreadable", faults.ubx.unreadable),
        ("ubx_cut_off", faults.ubx.cut_off),
        ("stray_bytes", faults.nmea.stray_bytes),
    ])
}
