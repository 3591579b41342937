//! What a device reports of a trip. It enters the trip's record where it happened; what the order makes of it
//! is in `told.rs`.

use tripline_protocol::fare::{Extra, Fare};
use tripline_protocol::id::{DeviceId, DriverId, TripId};
use tripline_protocol::otp::TypedOtp;
use tripline_protocol::tariff::is_amount;
use tripline_protocol::trip::{TripEvent, TripStep};
use tripline_protocol::unit::{Paise, Timestamp};

use super::{Handled, Report, RideRules};
use crate::domain::case::CaseKind;
use crate::domain::effect::{Effect, Notice};
use crate::domain::order::{Order, PAST_TRIPS_MAX};
use crate::domain::payment::Collected;
use crate::domain::trip::{By, Measured, OTP_TRIES_MAX, OtpCheck, Outcome, Step, Trip, TripFact};

/// What a step of the machine carries beside itself.
#[derive(Default)]
pub(super) struct Detail<'a> {
    /// Of a start: the OTP as typed.
    pub(super) otp: Option<&'a TypedOtp>,
    /// Of a stop: what the vehicle's meter says.
    pub(super) fare: Option<&'a Fare>,
    /// Why.
    pub(super) reason: &'a str,
}

impl Order {
    /// A step of a trip, as its device reports it.
    pub fn handle_step(
        &mut self,
        id: TripId,
        step: &TripStep,
        report: &Report<'_>,
        rules: &RideRules,
    ) -> Handled {
        if !self.has_trip(id, report.at) {
            return Handled::refused("more vehicles drove in this order's name than are kept");
        }
        match step {
            TripStep::Collected { amount } => self.handle_collected(id, *amount, report),
            TripStep::Extra(extra) => {
                let fact = fact(report, Step::Extra(extra.clone()));
                self.handle_fact(id, fact, report.at, rules)
            }
            TripStep::Start { otp } => {
                let detail = Detail { otp: otp.as_ref(), ..Detail::default() };
                self.handle_move(id, TripEvent::Start, &detail, report, rules)
            }
            TripStep::Stop { fare } => {
                let detail = Detail { fare: Some(fare), ..Detail::default() };
                self.handle_move(id, TripEvent::Stop, &detail, report, rules)
            }
            TripStep::Cancel { reason } => {
                let detail = Detail { reason, ..Detail::default() };
                self.handle_move(id, TripEvent::Cancel, &detail, report, rules)
            }
            TripStep::Depart
            | TripStep::Arrive
            | TripStep::ArriveOutside { .. }
            | TripStep::Pause
            | TripStep::Resume
            | TripStep::NoShow => step.event().map_or_else(Handled::default, |event| {
                self.handle_move(id, event, &Detail::default(), report, rules)
            }),
        }
    }

    /// A step of the machine.
    pub(super) fn handle_move(
        &mut self,
        id: TripId,
        event: TripEvent,
        detail: &Detail<'_>,
        report: &Report<'_>,
        rules: &RideRules,
    ) -> Handled {
        let mut fact = fact(report, Step::Moved(event));
        detail.reason.clone_into(&mut fact.reason);
        let starts = event == TripEvent::Start;
        fact.otp = starts.then(|| check(self.otp.as_deref(), detail.otp, &report.by));
        if let Some(trip) = self.trip_mut(id) {
            if starts {
                trip.start_fix = report.event.fix;
                trip.otp.offline_start = report.offline;
            } else if event == TripEvent::Stop {
                trip.stop_fix = report.event.fix;
                trip.vehicle_fare = detail.fare.cloned();
            }
        }
        self.handle_fact(id, fact, report.at, rules)
    }

    /// Enters a fact, and lets the order follow as far as it does.
    pub(super) fn handle_fact(
        &mut self,
        id: TripId,
        fact: TripFact,
        at: Timestamp,
        rules: &RideRules,
    ) -> Handled {
        let step = fact.step.clone();
        let Some(trip) = self.trip_mut(id) else { return Handled::default() };
        let refused = trip.enter(fact);
        trip.heard_at = trip.heard_at.max(at);
        trip.look_at = trip.look_at.max(Some(at.plus_ms(rules.close_silent_ms)));
        self.touch(at);
        let mut effects = self.follow(id, at, rules);
        effects.extend(self.release_if_over(id));
        self.note_crossing(id, at);
        if let Some(reason) = &refused {
            self.note_refused(id, &step, reason, at);
        }
        Handled { effects, refused }
    }

    fn note_refused(&mut self, id: TripId, step: &Step, reason: &str, at: Timestamp) {
        match step {
            Step::Extra(Extra { amount, .. }) => {
                let what = format!("an extra of {amount} is not in the fare: {reason}");
                self.open_case(CaseKind::Extra, Some(id), what, at);
            }
            Step::Accepted
            | Step::Moved(_)
            | Step::Collected(_)
            | Step::OtpTried
            | Step::OtpUnlocked
            | Step::Sos
            | Step::Asked(_)
            | Step::Vouched
            | Step::Changed
            | Step::ChangeTaken
            | Step::Cancelled
            | Step::Closed => {
                let what = format!("an event of the trip was refused: {reason}");
                self.open_case(CaseKind::OutOfTurn, Some(id), what, at);
            }
        }
    }

    /// Whether there is such a trip. One of an offer that the driver had too late becomes a trip that is not
    /// ours once the vehicle drives it.
    fn has_trip(&mut self, id: TripId, at: Timestamp) -> bool {
        if self.trip_of(id).is_some() {
            return true;
        }
        let offer = self.offers.iter().find(|offer| offer.trip == id);
        let Some(vehicle) = offer.map(|offer| offer.vehicle.clone()) else { return false };
        if self.past_trips.len() >= PAST_TRIPS_MAX {
            return false;
        }
        self.past_trips.push(Trip::not_ours(id, vehicle, at));
        true
    }

    fn handle_collected(&mut self, id: TripId, amount: Paise, report: &Report<'_>) -> Handled {
        let (at, happened) = (report.at, report.happened());
        let Some(trip) = self.trip_mut(id) else { return Handled::default() };
        let (vehicle, by) = (trip.vehicle.clone(), report.by.clone());
        if !is_amount(amount) {
            let reason = format!("{amount} is nothing that can be collected");
            trip.note_refused(happened, at, Step::Collected(amount), by, reason.clone());
            self.touch(at);
            self.open_case(CaseKind::Paid, Some(id), reason.clone(), at);
            return Handled::refused(reason);
        }
        let collected = |fact: &TripFact| {
            matches!(fact.step, Step::Collected(_)) && fact.outcome.refused().is_none()
        };
        let before = trip.facts.iter().any(collected);
        trip.note(happened, at, Step::Collected(amount), by, String::new());
        self.touch(at);
        if before {
            let what = format!("{amount} was reported as collected, and something was before");
            self.open_case(CaseKind::Paid, Some(id), what, at);
            return Handled::default();
        }
        let driver = vehicle.driver.clone();
        let mut effects = cash(driver.clone(), &vehicle.device, amount, happened);
        if self.trip.as_ref().is_some_and(|trip| trip.id == id) && self.cancelled.is_none() {
            self.payment.collected = Some(Collected { amount, at: happened, driver });
            if !self.payment.terms.driver_collects() {
                let what =
                    format!("the driver took {amount} of a ride that is not paid to the driver");
                self.open_case(CaseKind::Paid, Some(id), what, at);
            }
            self.note_overpaid(at);
            // Before the end is told, nobody knows what it pays for.
            if self.settlement.is_some() && self.payment.is_collected() {
                effects.push(Effect::Tell(Notice::Paid));
            }
        } else {
            let what = format!("the driver took {amount} of a ride that the order does not count");
            self.open_case(CaseKind::Paid, Some(id), what, at);
        }
        effects.into()
    }

    /// More than is charged, which is known at the end of the ride, is for a person to pay back.
    pub(super) fn note_overpaid(&mut self, at: Timestamp) {
        let Some(amount) = self.payment.amount().filter(|_| self.payment.is_collected()) else {
            return;
        };
        let charged = self.settlement.as_ref().map(|settlement| settlement.charged.total());
        if let Some(charged) = charged.filter(|charged| amount > *charged) {
            let what = format!("the driver took {amount}, and {charged} is charged");
            let trip = self.trip.as_ref().map(|trip| trip.id);
            self.open_case(CaseKind::Paid, trip, what, at);
        }
    }

    /// An OTP is tried on the device.
    pub fn handle_otp_try(&mut self, id: TripId, happened: Timestamp, at: Timestamp) {
        let Some(trip) = self.trip_mut(id) else { return };
        trip.otp.tries = trip.otp.tries.saturating_add(1);
        trip.heard_at = trip.heard_at.max(at);
        trip.note(happened, at, Step::OtpTried, By::Device, String::new());
        let locked = trip.otp.is_locked() && !trip.was_driven();
        self.touch(at);
        if locked {
            let what = format!(
                "{OTP_TRIES_MAX} OTPs were tried: the device takes none until it is unlocked"
            );
            self.open_case(CaseKind::OtpLocked, Some(id), what, at);
        }
    }

    /// The driver called for help during the trip.
    pub fn handle_sos(&mut self, id: TripId, happened: Timestamp, at: Timestamp) {
        if let Some(trip) = self.trip_mut(id) {
            trip.note(happened, at, Step::Sos, By::Device, String::new());
        }
        self.touch(at);
        self.open_case(CaseKind::Sos, Some(id), "SOS: the driver called for help", at);
    }
}

pub(super) fn fact(report: &Report<'_>, step: Step) -> TripFact {
    let position = report.event.fix.map(|fix| fix.position);
    TripFact {
        at: report.happened(),
        received_at: report.at,
        step,
        by: report.by.clone(),
        measured: Some(Measured { reading: report.event.reading, position }),
        otp: None,
        reason: String::new(),
        outcome: Outcome::Crossed,
    }
}

fn cash(driver: Option<DriverId>, device: &DeviceId, amount: Paise, at: Timestamp) -> Vec<Effect> {
    let device = device.clone();
    let entry = driver.map(|driver| Effect::Cash { driver, device, amount, at });
    entry.into_iter().collect()
}

/// The rider's OTP against what was typed. A start without one passes only where none is asked, and where a
/// dispatcher answers for it.
fn check(otp: Option<&str>, typed: Option<&TypedOtp>, by: &By) -> OtpCheck {
    let Some(otp) = otp else { return OtpCheck::NotNeeded };
    let is_right = typed.is_some_and(|TypedOtp(typed)| otp == typed.trim());
    match by {
        By::Operator { .. } | By::Rule => OtpCheck::Vouched,
        By::Device | By::Rider if is_right => OtpCheck::Right,
        By::Device | By::Rider => OtpCheck::Wrong,
    }
}
