//! What was charged beside what comes out when it is computed once more.

use std::fmt;

use serde::Serialize;
use tripline_protocol::fare::{Fare, FareLine, FareReason};
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::Paise;

use super::{Recorded, facts};
use crate::domain::order::Order;
use crate::domain::words::{grouped, rupees};

/// One thing that is not as it was charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// What: a reading, a line.
    pub what: String,
    /// As it was charged.
    pub charged: String,
    /// As it comes out of the events.
    pub recomputed: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, charged, recomputed } = self;
        write!(f, "{what}: charged {charged}, recomputed {recomputed}")
    }
}

/// Everything that is not as it was charged; empty if it is equal.
pub(super) fn all(
    order: &Order,
    charged: &Fare,
    again: &Fare,
    records: &[Recorded],
) -> Vec<Mismatch> {
    let mut found = Vec::new();
    let tariff = |fare: &Fare| format!("{} version {}", fare.tariff_code, fare.tariff_version);
    note(&mut found, "tariff", &tariff(charged), &tariff(again));
    note(&mut found, "reason", &charged.reason.to_string(), &again.reason.to_string());
    usage(&mut found, charged, again);
    lines(&mut found, &charged.lines, &again.lines);
    vehicle(&mut found, order, (charged, again), records);
    found
}

fn note(found: &mut Vec<Mismatch>, what: &str, charged: &str, recomputed: &str) {
    if charged != recomputed {
        found.push(Mismatch {
            what: what.into(),
            charged: charged.into(),
            recomputed: recomputed.into(),
        });
    }
}

fn usage(found: &mut Vec<Mismatch>, charged: &Fare, again: &Fare) {
    let (one, other) = (&charged.usage, &again.usage);
    for (what, unit, charged, recomputed) in [
        ("distance measured", "m", one.distance_m, other.distance_m),
        ("distance bridged over gaps", "m", one.bridged_m, other.bridged_m),
        ("distance billed", "m", charged.billed_m, again.billed_m),
        ("riding time", "s", one.riding_s, other.riding_s),
        ("waiting at the pickup", "s", one.waiting_s, other.waiting_s),
        ("time in pauses", "s", one.paused_s, other.paused_s),
        ("fixes", "", one.fixes, other.fixes),
        ("refused fixes", "", one.refused, other.refused),
    ] {
        let told = |figure| format!("{} {unit}", grouped(figure)).trim_end().to_owned();
        note(found, what, &told(charged), &told(recomputed));
    }
    let at =
        |fare: &Fare| fare.usage.started_at.map_or_else(|| "-".into(), |at| at.unix_ms.to_string());
    note(found, "time of the start, Unix ms", &at(charged), &at(again));
    let stop = |fare: &Fare| fare.usage.stopped_at.map_or_else(|| "-".into(), |at| at.to_string());
    note(found, "place of the stop", &stop(charged), &stop(again));
    let extras = |fare: &Fare| {
        let told = fare.usage.extras.iter();
        let told: Vec<_> =
            told.map(|it| format!("{} {} {}", it.kind, rupees(it.amount), it.note)).collect();
        told.join("; ")
    };
    note(found, "extras", &extras(charged), &extras(again));
}

fn lines(found: &mut Vec<Mismatch>, charged: &[FareLine], again: &[FareLine]) {
    for place in 0..charged.len().max(again.len()) {
        let (one, other) = (charged.get(place), again.get(place));
        if one == other {
            continue;
        }
        let what = one.or(other).map_or_else(String::new, |line| format!("line {}", title(line)));
        note(found, &what, &told(one), &told(other));
    }
}

fn title(line: &FareLine) -> String {
    format!("{} {}", line.kind, line.name).trim_end().to_owned()
}

fn told(line: Option<&FareLine>) -> String {
    line.map_or_else(
        || "nothing".into(),
        |line| {
            let (quantity, rate) = (grouped(line.quantity), rupees(line.rate));
            format!("{} {} ({quantity} at {rate})", line.kind, rupees(line.amount))
        },
    )
}

/// Vehicle and platform each computed the fare; if they differed, the lower was charged.
fn vehicle(
    found: &mut Vec<Mismatch>,
    order: &Order,
    (charged, again): (&Fare, &Fare),
    records: &[Recorded],
) {
    if facts::difference(order) == Paise::ZERO || charged.reason == FareReason::Silent {
        return;
    }
    // A vehicle that did not take the rider's change is right by the terms of before. If that fare is the one
    // that is charged, it was computed by them already.
    if let (Some(terms), Some(trip)) = (facts::behind(order), &order.trip) {
        let vehicle = trip.vehicle_fare.as_ref().map(Fare::total);
        let is_right = || vehicle == Some(terms.metered(again.usage.clone()).total());
        if facts::former(order).is_some() || is_right() {
            return;
        }
    }
    let device = records.iter().find_map(|record| match &record.step {
        Some(TripStep::Stop { fare }) => Some(fare.total()),
        Some(_) | None => None,
    });
    let device = device.map_or_else(|| "nothing".into(), rupees);
    found.push(Mismatch {
        what: "the vehicle's own fare".into(),
        charged: format!("{}, the lower of the two", rupees(charged.total())),
        recomputed: format!("the vehicle said {device}"),
    });
}
