//! Why a fare was charged: every line with its formula, every figure with the event it comes from; the meter
//! and the fare computed once more from the events alone, and compared with what was charged; the odometer
//! audited by the trail.

mod compare;
pub mod facts;
mod line;
mod source;
mod text;

use std::borrow::Cow;

use jiff::tz::TimeZone;
use serde::Serialize;
use tripline_protocol::fare::{Fare, FareReason, Usage};
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::up::{Event, EventBody};
use tripline_protocol::machine::Machine as _;
use tripline_protocol::meter::{Meter, Moment, Reading};
use tripline_protocol::trip::{TripEvent, TripState, TripStep};
use tripline_protocol::unit::{Paise, Timestamp};

use super::course::{Audit, Heard, Stretch, Verdict};
use super::night;
use super::order::Order;
use super::passage::Passage;
use super::trip::{By, Step, Trip, TripFact};
use super::words::{grouped, local};

pub use compare::Mismatch;
pub use line::LineAccount;
pub use source::Input;

/// An event of a trip, as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The journal.
    pub epoch: JournalEpoch,
    /// Its sequence there.
    pub sequence: Sequence,
    /// When it happened, as the platform took it.
    pub at: Timestamp,
    /// When it was received.
    pub received_at: Timestamp,
    /// Why it had no effect, where it had none: as it was stored, and of a trip's step once
    /// [`put_in_order`] has judged it.
    pub refused: Option<String>,
    /// The event.
    pub event: Event,
    /// What it was for the trip.
    pub step: Option<TripStep>,
    /// The step that a dispatcher had asked for, which it reports as taken.
    pub commanded: Option<TripEvent>,
}

impl Recorded {
    /// What a meter is to know of it.
    fn moment(&self) -> Moment {
        Moment { at: Some(self.at), ..self.event.moment(self.received_at) }
    }

    fn has_effect(&self) -> bool {
        self.refused.is_none()
    }

    /// What it says happened to the trip.
    fn moves(&self) -> Option<TripEvent> {
        self.step.as_ref().and_then(TripStep::event).or(self.commanded)
    }

    /// What happened to the trip, if it had an effect.
    fn happened(&self) -> Option<TripEvent> {
        self.moves().filter(|_| self.has_effect())
    }

    /// Whether the meter was told of it.
    fn is_metered(&self) -> bool {
        let is_told = self.moves().is_some() || matches!(self.step, Some(TripStep::Extra(_)));
        is_told && self.has_effect()
    }

    /// The step of a trip that a command asks for, and that its report stands for.
    pub const fn step_asked_for(command: &CommandBody) -> Option<TripEvent> {
        match command {
            CommandBody::Drive { verb, .. } => Some(verb.event()),
            CommandBody::CancelTrip { .. } => Some(TripEvent::Cancel),
            CommandBody::Offer(_)
            | CommandBody::Withdraw { .. }
            | CommandBody::Rider(_)
            | CommandBody::Configure(_)
            | CommandBody::UnlockOtp { .. }
            | CommandBody::OnDuty(_)
            | CommandBody::Change(_) => None,
        }
    }

    /// The step that a trip's own record has for a command's report, where the command is gone: somebody other
    /// than the driver took it when the counters showed the same.
    pub fn step_on_record(trip: &Trip, report: &Event) -> Option<TripEvent> {
        trip.facts.iter().find_map(|fact| {
            let is_it = fact.measured.is_some_and(|it| it.reading == report.reading);
            match fact.step {
                Step::Moved(event) if is_it && fact.by != By::Device => Some(event),
                Step::Moved(_)
                | Step::Accepted
                | Step::Extra(_)
                | Step::Collected(_)
                | Step::OtpTried
                | Step::OtpUnlocked
                | Step::Sos
                | Step::Asked(_)
                | Step::Vouched
                | Step::Changed
                | Step::ChangeTaken
                | Step::Cancelled
                | Step::Closed => None,
            }
        })
    }

    /// The trip's step that an event reports by itself.
    pub fn step_of(event: &Event) -> Option<TripStep> {
        match &event.body {
            EventBody::Trip { step, .. } => Some(step.clone()),
            EventBody::Booted { .. }
            | EventBody::Answered { .. }
            | EventBody::CommandDone { .. }
            | EventBody::Lost
            | EventBody::Motion { .. }
            | EventBody::Overspeed { .. }
            | EventBody::Near { .. }
            | EventBody::Sos { .. }
            | EventBody::Trouble { .. }
            | EventBody::Running { .. }
            | EventBody::OtpTried { .. }
            | EventBody::SignedIn { .. }
            | EventBody::Duty { .. } => None,
        }
    }
}

/// Puts a trip's events in the order in which they happened, by the device's steady clock, and reads the trip's
/// machine from them once more: one that it has no place for has no effect.
pub fn put_in_order(records: &mut [Recorded]) {
    records.sort_by_key(|record| {
        (record.event.reading.steady, record.received_at, record.epoch, record.sequence)
    });
    let mut state = TripState::INITIAL;
    for record in records {
        let judged = match (record.moves(), &record.step) {
            (Some(event), _) => {
                state.next(event).map(|next| state = next).map_err(|it| it.to_string())
            }
            (None, Some(TripStep::Extra(_))) if state.is_terminal() => {
                Err("the trip was over".into())
            }
            (None, _) => continue,
        };
        record.refused = judged.err();
    }
}

/// What is not in the store any more when a fare is explained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gone {
    /// Exact places: the rider was taken out of the order.
    pub places: bool,
    /// Events received before then: they were kept long enough.
    pub events_before: Option<Timestamp>,
}

impl Gone {
    /// Whether events of an order's trip are among it: a fact on record has none, or there are none at all.
    fn has_events_of(&self, order: &Order, records: &[Recorded]) -> bool {
        let Some((trip, before)) = order.trip.as_ref().zip(self.events_before) else {
            return false;
        };
        let is_there = |fact: &TripFact| {
            fact.measured
                .is_none_or(|known| records.iter().any(|it| it.event.reading == known.reading))
        };
        let mut old = trip.facts.iter().filter(|fact| fact.received_at < before);
        old.any(|fact| !is_there(fact)) || (records.is_empty() && trip.accepted_at < before)
    }
}

/// Why a fare is not computed once more.
pub const EVENTS_DELETED: &str =
    "not computed any more: its events were deleted after [retention] events_days";

/// An order has no final fare to be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ride has no final fare yet")]
pub struct NoFare;

/// Why a fare was charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The order.
    pub order: String,
    /// The trip.
    pub trip: Option<String>,
    /// Code and version of the tariff, fixed with the quote.
    pub tariff: (String, u32),
    /// Where the fare's inputs come from.
    pub reason: &'static str,
    /// The same in words; a rule that was applied, and why.
    pub why: String,
    /// The lines.
    pub lines: Vec<LineAccount>,
    /// What is charged.
    pub total_paise: Paise,
    /// What the lines were computed from.
    pub inputs: Vec<Input>,
    /// What happened.
    pub events: Vec<EventAccount>,
    /// Whether meter and fare, computed once more, are what was charged.
    pub equal: bool,
    /// Why they are not computed once more, where they cannot be: then nothing is equal, and nothing is not.
    pub not_computed: Option<&'static str>,
    /// Where not.
    pub mismatches: Vec<Mismatch>,
    /// The odometer, by the trail; none for a ride that was not driven.
    pub audit: Option<Audit>,
}

/// An event, as an explanation lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventAccount {
    /// When, in the city's time.
    pub at: String,
    /// What.
    pub what: String,
    /// The journal and the sequence in it.
    pub event: String,
    /// The device's steady clock in ms.
    pub steady_ms: u64,
    /// The device's odometer in mm.
    pub odometer_mm: u64,
    /// Why it had no effect.
    pub refused: Option<String>,
}

impl Explanation {
    /// Explains the final fare of an order, out of the events of its trip and the trail around it.
    pub fn of(
        order: &Order,
        records: &[Recorded],
        trail: &[Passage],
        gone: Gone,
    ) -> Result<Self, NoFare> {
        let charged = facts::charged(order).ok_or(NoFare)?;
        let zone = &zone_of(order);
        let counting = &counting(order, records);
        let again = recomputed(order, charged, counting, gone);
        let stretches = stretches(order, records);
        let mut mismatches = compare::all(order, charged, &again, records);
        let cannot = !mismatches.is_empty() && gone.has_events_of(order, records);
        if cannot {
            mismatches.clear();
        }
        let audits = !cannot && !stretches.is_empty();
        let audit = audits.then(|| Audit::of(&stretches, trail));
        Ok(Self {
            order: order.id.to_string(),
            trip: order.trip.as_ref().map(|trip| trip.id.to_string()),
            tariff: (charged.tariff_code.clone(), charged.tariff_version),
            reason: charged.reason.code(),
            why: source::why(order, charged),
            lines: line::accounts(facts::terms(order), charged, zone),
            total_paise: charged.total(),
            inputs: source::inputs(order, charged, counting, zone),
            events: records.iter().filter_map(|record| account(record, zone)).collect(),
            equal: !cannot && mismatches.is_empty(),
            not_computed: cannot.then_some(EVENTS_DELETED),
            mismatches,
            audit,
        })
    }

    /// Whether there is nothing for a person to look at: equal, and the trail does not say otherwise; or not
    /// computed any more.
    pub fn holds(&self) -> bool {
        let contradicted = self.audit.as_ref().is_some_and(|it| it.verdict == Verdict::Differs);
        (self.equal || self.not_computed.is_some()) && !contradicted
    }

    /// The first thing that does not hold, in a sentence.
    pub fn difference(&self) -> Option<String> {
        let audit = || {
            let audit = self.audit.as_ref().filter(|audit| audit.verdict == Verdict::Differs)?;
            Some(format!(
                "the odometer counted {} m and the trail tells of {} m",
                grouped(audit.odometer_m),
                grouped(audit.trail_m)
            ))
        };
        self.mismatches.first().map(ToString::to_string).or_else(audit)
    }
}

/// Where a tariff names no time zone, times are told in this one: every amount is in rupees.
const ZONE: &str = "Asia/Kolkata";

/// The time zone of an order's times.
pub fn zone_of(order: &Order) -> TimeZone {
    let named = order.terms.tariff.night.as_ref().map(|night| night.time_zone.as_str());
    let known = named.and_then(|name| night::zone(name).ok()).or_else(|| night::zone(ZONE).ok());
    known.unwrap_or(TimeZone::UTC)
}

/// The lines of an order's final fare, each with its formula.
pub fn lines(order: &Order, fare: &Fare) -> Vec<LineAccount> {
    line::accounts(facts::terms(order), fare, &zone_of(order))
}

/// Where the inputs of an order's fare come from, in words.
pub fn why(order: &Order, fare: &Fare) -> String {
    source::why(order, fare)
}

/// The events that a final fare goes by. Of a ride that was closed without its vehicle these are those that were
/// received by then: what a vehicle tells that comes back later changes nothing of it.
fn counting<'r>(order: &Order, records: &'r [Recorded]) -> Cow<'r, [Recorded]> {
    let is_silent = facts::charged(order).is_some_and(|fare| fare.reason == FareReason::Silent);
    let Some(closed_at) = facts::closed_at(order).filter(|_| is_silent) else {
        return Cow::Borrowed(records);
    };
    let by_then = records.iter().filter(|record| record.received_at < closed_at);
    let mut by_then: Vec<_> = by_then.cloned().collect();
    put_in_order(&mut by_then);
    Cow::Owned(by_then)
}

/// The fare, computed from the terms and the events that it goes by; of a ride that was closed without its
/// vehicle also from what is on record of its trail, of an order that was called off from who did it and when.
/// Where the places are gone it stopped where the fare that was charged says: near where it was booked to, or
/// not.
fn recomputed(order: &Order, charged: &Fare, records: &[Recorded], gone: Gone) -> Fare {
    let terms = facts::terms(order);
    let mut again = match charged.reason {
        FareReason::Metered | FareReason::GapsEstimated | FareReason::GapsMetered => {
            let mut usage = metered(records.iter(), None);
            if gone.places {
                let was_near = charged.reason == FareReason::GapsEstimated;
                usage.stopped_at = was_near.then_some(terms.estimate.drop);
            }
            terms.metered(usage)
        }
        FareReason::Silent => terms.silent(metered(records.iter(), facts::heard(order))),
        FareReason::Estimate => terms.estimated(),
        FareReason::NoShow => {
            // Only a driver who said so makes it one.
            let said = records.iter().any(|it| it.happened() == Some(TripEvent::NoShow));
            if said { terms.no_show() } else { terms.cancelled(0) }
        }
        FareReason::Cancelled => order.cancelled.as_ref().map_or_else(
            || terms.cancelled(0),
            |cancelled| order.cancellation_fare(cancelled.by, cancelled.at),
        ),
    };
    if gone.places {
        again.usage.stopped_at = charged.usage.stopped_at;
    }
    again
}

/// What the meter shows after these events: up to the stop, or to the last of them and from there on along the
/// trail.
fn metered<'r>(records: impl Iterator<Item = &'r Recorded>, heard: Option<Heard>) -> Usage {
    let (mut meter, mut reading) = (Meter::default(), Reading::default());
    for record in records.filter(|record| record.has_effect()) {
        let moment = record.moment();
        match (record.moves(), &record.step) {
            (Some(event), _) => meter = meter.after(event, &moment),
            (None, Some(TripStep::Extra(extra))) => {
                meter.add_extra(extra.clone());
            }
            (None, _) => continue,
        }
        reading = moment.reading;
    }
    meter.usage(heard.map_or(reading, |heard| heard.after(reading)))
}

/// The times over which the meter ran.
pub fn stretches(order: &Order, records: &[Recorded]) -> Vec<Stretch> {
    let records = &counting(order, records);
    let (mut stretches, mut since): (Vec<_>, Option<&Recorded>) = (Vec::new(), None);
    let seen_at = |record: &Recorded| record.event.fix.map_or(record.at, |fix| fix.at);
    for record in records.iter() {
        match record.happened() {
            Some(TripEvent::Start | TripEvent::Resume) => since = Some(record),
            Some(TripEvent::Pause | TripEvent::Stop) => {
                let Some(from) = since.take() else { continue };
                let (began, ended) = (from.event.reading, record.event.reading);
                stretches.push(Stretch {
                    from: seen_at(from),
                    until: seen_at(record),
                    odometer_mm: ended.odometer.since_mm(began.odometer),
                    bridged_mm: ended.bridged.since_mm(began.bridged),
                });
            }
            Some(
                TripEvent::Depart
                | TripEvent::Arrive
                | TripEvent::ArriveOutside
                | TripEvent::Cancel
                | TripEvent::NoShow,
            )
            | None => {}
        }
    }
    // It was closed as it ran: from the last event on the trail was charged.
    let last = records.iter().rev().find(|record| record.is_metered());
    if let (Some(from), Some(last), Some(heard)) = (since, last, facts::heard(order)) {
        let (began, ended) = (from.event.reading, heard.after(last.event.reading));
        stretches.push(Stretch {
            from: seen_at(from),
            until: heard.until,
            odometer_mm: ended.odometer.since_mm(began.odometer),
            bridged_mm: ended.bridged.since_mm(began.bridged),
        });
    }
    stretches
}

fn account(record: &Recorded, zone: &TimeZone) -> Option<EventAccount> {
    Some(EventAccount {
        at: local(record.at, zone),
        what: source::what(record)?,
        event: source::name(record),
        steady_ms: record.event.reading.steady.ms,
        odometer_mm: record.event.reading.odometer.mm,
        refused: record.refused.clone(),
    })
}

#[cfg(test)]
pub(crate) mod tests;
