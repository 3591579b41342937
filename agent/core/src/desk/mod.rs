//! The driver's desk: the offer on the screen and the trip in hand.
//!
//! What the driver and the backend say is checked here; what it changes is applied from the journal.

mod action;
mod command;
mod otp;
mod sign_in;
mod trip;

use serde::{Deserialize, Serialize};
use tripline_protocol::assignment::{AssignmentEvent, AssignmentState};
use tripline_protocol::duty::{Duty, TypedPin};
use tripline_protocol::fare::{EXTRAS_MAX, Extra};
use tripline_protocol::id::{AssignmentId, CommandNumber, DriverId, TripId};
use tripline_protocol::link::down::Command;
use tripline_protocol::link::up::{Answer, CommandOutcome, Event, EventBody};
use tripline_protocol::machine::Machine as _;
use tripline_protocol::meter::Moment;
use tripline_protocol::trip::{TripState, TripStep};
use tripline_protocol::unit::{Paise, Timestamp};

pub use action::{DriverAction, DriverError, OTP_DIGITS_MAX, OTP_TRIES_MAX, REASON_LEN_MAX};
use action::{check_collected, check_extra, check_pin, check_reason};
pub use otp::OtpTry;
pub use sign_in::SignIn;
pub use trip::{Changed, Driven, Offer, Trip};

use crate::memory::Anchor;

/// What an action calls for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This event; when it is in the journal, it is done.
    Done(EventBody),
    /// This event, which counts a try at the OTP; when it is in the journal, the OTP may be compared.
    Count(EventBody, OtpTry),
}

/// The desk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desk {
    offer: Option<Offer>,
    trip: Option<Trip>,
    sign_in: SignIn,
    high_water: CommandNumber,
}

impl Desk {
    /// The offer, if one came since the last trip began.
    pub const fn offer(&self) -> Option<&Offer> {
        self.offer.as_ref()
    }

    /// The trip in hand, or the last one.
    pub const fn trip(&self) -> Option<&Trip> {
        self.trip.as_ref()
    }

    /// Who drives.
    pub const fn sign_in(&self) -> &SignIn {
        &self.sign_in
    }

    /// The highest command number taken in.
    pub const fn high_water(&self) -> CommandNumber {
        self.high_water
    }

    /// Whether a trip is under way.
    pub fn is_busy(&self) -> bool {
        self.trip.as_ref().is_some_and(|trip| !trip.state.is_terminal())
    }

    /// The trip under way.
    pub fn trip_under_way(&self) -> Option<TripId> {
        self.trip.as_ref().filter(|_| self.is_busy()).map(|trip| trip.assignment.trip)
    }

    /// What an action calls for at `moment`, or why it is not possible. Changes nothing.
    ///
    /// `outside_pickup_m` is how far the pickup is where the receiver says that the vehicle is not
    /// there; `None` where it is there or nobody knows.
    pub fn decide(
        &self,
        action: DriverAction,
        at: Timestamp,
        moment: &Moment,
        outside_pickup_m: Option<u32>,
    ) -> Result<Decision, DriverError> {
        let body = match action {
            DriverAction::Accept => self.answer(Answer::Accept, at)?,
            DriverAction::Reject { reason } => {
                self.answer(Answer::Reject { reason: check_reason(reason)? }, at)?
            }
            DriverAction::Depart => self.step(TripStep::Depart)?,
            DriverAction::Arrive => self.step(self.arrival(outside_pickup_m)?)?,
            DriverAction::Start { otp } => return self.start(otp),
            DriverAction::Pause => self.step(TripStep::Pause)?,
            DriverAction::Resume => self.step(TripStep::Resume)?,
            DriverAction::Stop => {
                let fare = self.in_hand()?.fare_of_stop(moment);
                self.step(TripStep::Stop { fare })?
            }
            DriverAction::Cancel { reason } => {
                self.step(TripStep::Cancel { reason: check_reason(reason)? })?
            }
            DriverAction::NoShow => self.step(TripStep::NoShow)?,
            DriverAction::Extra(extra) => self.extra(extra)?,
            DriverAction::Collected { amount } => self.collect(amount)?,
            DriverAction::Sos => EventBody::Sos { trip: self.trip_under_way() },
            DriverAction::SignIn { driver, pin } => self.ask_sign_in(driver, pin)?,
            DriverAction::Duty(duty) => self.ask_duty(duty)?,
        };
        Ok(Decision::Done(body))
    }

    fn in_hand(&self) -> Result<&Trip, DriverError> {
        self.trip.as_ref().ok_or(DriverError::NoTrip)
    }

    /// A step of the trip in hand, if its table has it.
    fn step(&self, step: TripStep) -> Result<EventBody, DriverError> {
        let trip = self.in_hand()?;
        if let Some(event) = step.event() {
            trip.state.next(event)?;
        }
        Ok(EventBody::Trip { trip: trip.assignment.trip, step })
    }

    /// An arrival; outside the fence it is recorded, and waiting is not charged until one inside.
    fn arrival(&self, outside_pickup_m: Option<u32>) -> Result<TripStep, DriverError> {
        let waits = self
            .trip
            .as_ref()
            .is_some_and(|trip| trip.state == TripState::AtPickup && trip.meter.is_waiting());
        match outside_pickup_m {
            _ if waits => Err(DriverError::ArrivedAlready),
            Some(distance_m) => Ok(TripStep::ArriveOutside { distance_m }),
            None => Ok(TripStep::Arrive),
        }
    }

    fn answer(&self, answer: Answer, at: Timestamp) -> Result<EventBody, DriverError> {
        let offer = self.offer.as_ref().ok_or(DriverError::NoOffer)?;
        offer.state.next(answer_event(&answer))?;
        if offer.assignment.expires_at <= at {
            return Err(DriverError::OfferExpired);
        }
        Ok(EventBody::Answered { assignment: offer.assignment.id, answer })
    }

    /// While the rider is aboard: at the stop the fare is final, and the rider is told it.
    fn extra(&self, extra: Extra) -> Result<EventBody, DriverError> {
        let trip = self.in_hand()?;
        if !matches!(trip.state, TripState::Started | TripState::Paused) {
            return Err(DriverError::NotRiding);
        }
        check_extra(&extra)?;
        if trip.meter.extras().len() >= EXTRAS_MAX {
            return Err(DriverError::ExtrasFull);
        }
        self.step(TripStep::Extra(extra))
    }

    fn collect(&self, amount: Option<Paise>) -> Result<EventBody, DriverError> {
        let trip = self.in_hand()?;
        if !trip.assignment.collect_cash {
            return Err(DriverError::NotToCollect);
        }
        let fare = trip.fare.as_ref().ok_or(DriverError::NothingOwed)?;
        if trip.collected.is_some() {
            return Err(DriverError::CollectedAlready);
        }
        let amount = amount.unwrap_or_else(|| fare.total());
        check_collected(amount)?;
        self.step(TripStep::Collected { amount })
    }

    fn ask_sign_in(&self, driver: DriverId, pin: TypedPin) -> Result<EventBody, DriverError> {
        check_pin(&pin)?;
        if self.is_busy() {
            return Err(DriverError::TripUnderWay);
        }
        Ok(EventBody::SignedIn { driver, pin })
    }

    /// A break in mid-trip means no ride after it; going home needs the trip's end.
    fn ask_duty(&self, duty: Duty) -> Result<EventBody, DriverError> {
        if !self.sign_in.has_somebody() {
            return Err(DriverError::NotSignedIn);
        }
        if duty == Duty::Off && self.is_busy() {
            return Err(DriverError::TripUnderWay);
        }
        Ok(EventBody::Duty { duty })
    }

    fn trip_of(&self, id: TripId) -> Option<&Trip> {
        self.trip.as_ref().filter(|trip| trip.assignment.trip == id)
    }

    fn trip_of_mut(&mut self, id: TripId) -> Option<&mut Trip> {
        self.trip.as_mut().filter(|trip| trip.assignment.trip == id)
    }

    /// Takes over an event, new or read back from the journal, with the command it reports on.
    pub fn apply(&mut self, event: &Event, command: Option<&Command>) {
        match &event.body {
            EventBody::Booted { .. }
            | EventBody::Lost
            | EventBody::Motion { .. }
            | EventBody::Overspeed { .. }
            | EventBody::Near { .. }
            | EventBody::Sos { .. }
            | EventBody::Trouble { .. }
            | EventBody::Running { .. } => {}
            EventBody::Answered { assignment, answer } => self.apply_answer(*assignment, answer),
            EventBody::Trip { trip, step } => {
                if let Some(trip) = self.trip_of_mut(*trip) {
                    trip.step(step, event);
                }
            }
            EventBody::OtpTried { trip } => {
                if let Some(trip) = self.trip_of_mut(*trip) {
                    trip.otp_tries = trip.otp_tries.saturating_add(1);
                }
            }
            EventBody::SignedIn { driver, .. } => self.sign_in.ask(driver.clone()),
            EventBody::Duty { duty } => self.sign_in.ask_duty(*duty),
            EventBody::CommandDone { number, outcome } => {
                self.high_water = self.high_water.max(*number);
                if let (CommandOutcome::Applied, Some(command)) = (outcome, command) {
                    self.apply_command(&command.body, event);
                }
            }
        }
    }

    /// The first GNSS time of the epoch.
    pub(crate) fn date(&mut self, anchor: Anchor) {
        if let Some(trip) = &mut self.trip {
            trip.date(anchor);
        }
    }

    /// A new epoch begins.
    pub(crate) fn begin_epoch(&mut self) {
        if let Some(trip) = &mut self.trip {
            trip.begin_epoch();
        }
    }

    fn apply_answer(&mut self, assignment: AssignmentId, answer: &Answer) {
        let Some(offer) = self.offer.as_mut().filter(|offer| offer.assignment.id == assignment)
        else {
            return;
        };
        let Ok(state) = offer.state.next(answer_event(answer)) else { return };
        offer.state = state;
        if state == AssignmentState::Accepted {
            self.trip = Some(Trip::of(offer.assignment.clone()));
        }
    }
}

const fn answer_event(answer: &Answer) -> AssignmentEvent {
    match answer {
        Answer::Accept => AssignmentEvent::Accept,
        Answer::Reject { .. } => AssignmentEvent::Reject,
    }
}
