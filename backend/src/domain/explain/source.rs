//! Where the figures of a fare come from: which event, which counter, which rule.

use jiff::tz::TimeZone;
use serde::Serialize;
use tripline_protocol::fare::{
    DROP_M_MAX, Fare, FareReason, GAP_M_MIN, GAP_PERCENT_MAX, REFUSED_PERCENT_MAX,
};
use tripline_protocol::trip::{TripEvent, TripStep};

use super::{Recorded, facts};
use crate::domain::course::Heard;
use crate::domain::order::Order;
use crate::domain::trip::Step;
use crate::domain::words::{duration, grouped, local, metres, rupees};

/// A figure with its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Input {
    /// Which.
    pub name: &'static str,
    /// The figure.
    pub value: String,
    /// Where it comes from.
    pub source: String,
}

/// `event 14 of journal 93ab...`.
pub(super) fn name(record: &Recorded) -> String {
    format!("event {} of journal {}", record.sequence, record.epoch)
}

/// What an event was for the trip, in words.
pub(super) fn what(record: &Recorded) -> Option<String> {
    let commanded = || Some(format!("{}, asked for by a dispatcher", record.commanded?));
    record.step.as_ref().map(told).or_else(commanded)
}

fn told(step: &TripStep) -> String {
    match step {
        TripStep::Depart => "sets off".into(),
        TripStep::Arrive => "at the pickup".into(),
        TripStep::ArriveOutside { distance_m } => {
            format!("says it is at the pickup, {} away", metres(u64::from(*distance_m)))
        }
        TripStep::Start { .. } => "start".into(),
        TripStep::Pause => "pause".into(),
        TripStep::Resume => "resume".into(),
        TripStep::Stop { fare } => format!("stop; its fare {}", rupees(fare.total())),
        TripStep::Cancel { .. } => "called off by the driver".into(),
        TripStep::NoShow => "the rider did not come".into(),
        TripStep::Collected { amount } => format!("collected {}", rupees(*amount)),
        TripStep::Extra(extra) => {
            format!("{} {} {}", extra.kind, rupees(extra.amount), extra.note).trim_end().into()
        }
    }
}

/// Where the inputs come from, and which rule was applied.
pub(super) fn why(order: &Order, fare: &Fare) -> String {
    let gaps = || {
        let usage = &fare.usage;
        if usage.bridged_m > GAP_M_MIN
            && usage.bridged_m * 100 > usage.distance_m.saturating_mul(GAP_PERCENT_MAX)
        {
            let (bridged, measured) = (metres(usage.bridged_m), metres(usage.distance_m));
            format!(
                "{bridged} of {measured} were bridged over gaps, more than {GAP_PERCENT_MAX} % and {}",
                metres(GAP_M_MIN)
            )
        } else {
            let (refused, fixes) = (grouped(usage.refused), grouped(usage.fixes));
            format!("{refused} of {fixes} fixes were refused, more than {REFUSED_PERCENT_MAX} %")
        }
    };
    let why = match fare.reason {
        FareReason::Estimate => "estimated before the ride".into(),
        FareReason::Metered => "measured by the vehicle's odometer and steady clock".into(),
        FareReason::GapsEstimated => format!(
            "the measured distance cannot be trusted ({}); the ride ended within {} of where it was \
             booked to, so that the estimate's distance is charged",
            gaps(),
            metres(DROP_M_MAX)
        ),
        FareReason::GapsMetered => format!(
            "the measured distance cannot be trusted ({}); the ride did not end within {} of where it \
             was booked to, so that the estimate does not fit and the measured distance stands",
            gaps(),
            metres(DROP_M_MAX)
        ),
        FareReason::Silent => format!(
            "closed without the vehicle, which was not heard any more: measured as far as it was, and at \
             most the estimate's {}",
            metres(order.terms.estimate.distance_m.into())
        ),
        FareReason::Cancelled => match facts::cancel_reason(order) {
            Some(reason) => format!("called off: {reason}"),
            None => "called off".into(),
        },
        FareReason::NoShow => "the rider did not come".into(),
    };
    why + if facts::former(order).is_some() { FORMER } else { "" }
}

/// Of a fare that is by other terms than the order's.
const FORMER: &str = "; the vehicle did not take the rider's change, and its fare, by the terms of before, was \
                      the lower";

/// The figures that lines were computed from.
pub(super) fn inputs(
    order: &Order,
    fare: &Fare,
    records: &[Recorded],
    zone: &TimeZone,
) -> Vec<Input> {
    let mut inputs = vec![Input {
        name: "tariff",
        value: format!("{} version {}", fare.tariff_code, fare.tariff_version),
        source: format!("fixed with the quote of {}", local(order.created_at, zone)),
    }];
    let facts = order.trip.iter().flat_map(|trip| &trip.facts);
    inputs.extend(facts.filter(|fact| fact.step == Step::Changed).map(|fact| Input {
        name: "changed",
        value: local(fact.at, zone),
        source: format!("by the {}: {}", fact.by, fact.reason),
    }));
    if matches!(fare.reason, FareReason::Cancelled | FareReason::NoShow) {
        return inputs;
    }
    let usage = &fare.usage;
    let heard = facts::heard(order).filter(|_| fare.reason == FareReason::Silent);
    let of_trail = |figure: fn(&Heard) -> String| {
        let heard = heard.as_ref()?;
        Some(format!("{} of the trail up to {}", figure(heard), local(heard.until, zone)))
    };
    let way = of_trail(|heard| metres(heard.distance_m));
    let time = of_trail(|heard| format!("{} s", grouped(heard.seconds())));
    let mut push = |name, value, source| inputs.push(Input { name, value, source });
    push("distance measured", metres(usage.distance_m), odometer(records, way));
    let bridged = format!(
        "counted {} over gaps; the rest between {} fixes, {} refused",
        if heard.is_some() { "by the odometer, and along the trail," } else { "by the odometer" },
        grouped(usage.fixes),
        grouped(usage.refused)
    );
    push("of it bridged", metres(usage.bridged_m), bridged);
    push("distance billed", metres(fare.billed_m), billed(order, fare));
    push("riding time", seconds(usage.riding_s), clock(records, is_running, time.clone()));
    if usage.waiting_s > 0 {
        push("waiting at pickup", seconds(usage.waiting_s), clock(records, is_arrived, None));
    }
    if usage.paused_s > 0 {
        push("in pauses", seconds(usage.paused_s), clock(records, is_paused, time));
    }
    if let Some(at) = usage.started_at {
        let source = find(records, |event| event == TripEvent::Start);
        push("started", local(at, zone), source.map_or_else(|| "-".into(), name));
    }
    for record in records {
        if let Some(TripStep::Extra(extra)) = &record.step
            && record.has_effect()
        {
            push("extra", rupees(extra.amount), format!("entered by the driver: {}", name(record)));
        }
    }
    inputs
}

fn billed(order: &Order, fare: &Fare) -> String {
    let estimate = metres(order.terms.estimate.distance_m.into());
    match fare.reason {
        FareReason::GapsEstimated | FareReason::Estimate => "the estimate's distance".into(),
        FareReason::Silent => format!("the measured one, at most the estimate's {estimate}"),
        FareReason::Metered
        | FareReason::GapsMetered
        | FareReason::Cancelled
        | FareReason::NoShow => "the measured one".into(),
    }
}

fn seconds(s: u64) -> String {
    format!("{} s ({})", grouped(s), duration(s))
}

fn find(records: &[Recorded], is: impl Fn(TripEvent) -> bool) -> Option<&Recorded> {
    records.iter().find(|record| record.happened().is_some_and(&is))
}

const fn is_running(event: TripEvent) -> bool {
    matches!(event, TripEvent::Start | TripEvent::Resume)
}

const fn is_arrived(event: TripEvent) -> bool {
    matches!(event, TripEvent::Arrive)
}

const fn is_paused(event: TripEvent) -> bool {
    matches!(event, TripEvent::Pause)
}

/// Each part of the distance with the odometer at both of its ends, and what comes after the last event.
fn odometer(records: &[Recorded], rest: Option<String>) -> String {
    let ends = |from: &Recorded, to: &Recorded| {
        let at = |record: &Recorded| km(record.event.reading.odometer.mm);
        format!("odometer {} to {} (events {} to {})", at(from), at(to), from.sequence, to.sequence)
    };
    spans(records, is_running, ends, rest)
}

/// Each part of a time with the steady clock at both of its ends, and what comes after the last event.
fn clock(records: &[Recorded], begins: fn(TripEvent) -> bool, rest: Option<String>) -> String {
    let ends = |from: &Recorded, to: &Recorded| {
        let at = |record: &Recorded| {
            let ms = record.event.reading.steady.ms;
            format!("{}.{:03}", grouped(ms / 1000), ms % 1000)
        };
        format!(
            "device clock {} to {} s (events {} to {})",
            at(from),
            at(to),
            from.sequence,
            to.sequence
        )
    };
    spans(records, begins, ends, rest)
}

/// From each event that begins something to the next one of the machine. What nothing ended goes on to the last
/// event that the meter was told of, and from there on to what is told of the rest.
fn spans(
    records: &[Recorded],
    begins: fn(TripEvent) -> bool,
    told: impl Fn(&Recorded, &Recorded) -> String,
    rest: Option<String>,
) -> String {
    let steps: Vec<_> = records.iter().filter(|record| record.happened().is_some()).collect();
    let pairs = steps.windows(2).filter(|pair| pair[0].happened().is_some_and(begins));
    let mut parts: Vec<_> = pairs.map(|pair| told(pair[0], pair[1])).collect();
    if let Some(open) = steps.last().filter(|step| step.happened().is_some_and(begins)) {
        let later = |record: &&Recorded| record.event.reading.steady > open.event.reading.steady;
        let last = records.iter().rev().find(|record| record.is_metered()).filter(later);
        parts.extend(last.map(|last| told(open, last)));
        parts.extend(rest);
    }
    if parts.is_empty() { "no events".into() } else { parts.join(" + ") }
}

/// `12.345678 km` of mm.
fn km(mm: u64) -> String {
    format!("{}.{:06} km", mm / 1_000_000, mm % 1_000_000)
}
