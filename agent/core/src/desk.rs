//! The driver's desk: the offer on the screen and the trip in hand.
//!
//! What the driver and the backend say is checked here; what it changes is applied from the journal.

use alloc::string::String;

use serde::{Deserialize, Serialize};
use tripline_protocol::assignment::{Assignment, AssignmentEvent, AssignmentState, RiderContact};
use tripline_protocol::fare::Fare;
use tripline_protocol::id::{AssignmentId, CommandNumber, TripId};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::up::{Answer, CommandOutcome, Event, EventBody};
use tripline_protocol::machine::{Machine, Refused};
use tripline_protocol::meter::{Meter, Moment, Reading};
use tripline_protocol::otp::TypedOtp;
use tripline_protocol::tariff::AMOUNT_MAX;
use tripline_protocol::trip::{TripEvent, TripState, TripStep};
use tripline_protocol::unit::{Paise, Timestamp};

/// Longest reason a driver may give, in bytes.
pub const REASON_LEN_MAX: usize = 200;

/// Longest OTP taken, in bytes.
pub const OTP_LEN_MAX: usize = 16;

/// What a driver can do on the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriverAction {
    /// Take the offer.
    Accept,
    /// Decline the offer.
    Reject {
        /// Why, possibly empty.
        reason: String,
    },
    /// Set off for the pickup.
    Depart,
    /// At the pickup.
    Arrive,
    /// The rider is aboard.
    Start {
        /// The rider's OTP, where the ride needs one.
        otp: Option<String>,
    },
    /// A stop on the way.
    Pause,
    /// On again.
    Resume,
    /// The rider is dropped.
    Stop,
    /// Call it off.
    Cancel {
        /// Why.
        reason: String,
    },
    /// The rider did not come.
    NoShow,
    /// The rider paid.
    Collected {
        /// How much; the whole fare if not said.
        amount: Option<Paise>,
    },
    /// The driver calls for help.
    Sos,
}

/// Why a driver's action is not possible. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    /// Nothing to answer.
    #[error("there is no offer to answer; wait for one")]
    NoOffer,
    /// Answered too late.
    #[error("the offer has expired; wait for the next one")]
    OfferExpired,
    /// No trip in hand.
    #[error("there is no trip; accept an offer first")]
    NoTrip,
    /// Not at this point.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The OTP is missing.
    #[error("this ride needs the rider's OTP: ask the rider and give it with --otp")]
    OtpNeeded,
    /// The OTP is wrong.
    #[error("the OTP is wrong; ask the rider again")]
    OtpWrong,
    /// Arrived already, inside the fence.
    #[error("the arrival is recorded already and waiting time runs; start, or report a no-show")]
    ArrivedAlready,
    /// Nothing owed.
    #[error("there is nothing to collect before the trip has ended")]
    NothingOwed,
    /// Paid already.
    #[error("the fare has been collected already")]
    CollectedAlready,
    /// Not an amount.
    #[error("the collected amount must be between 0.00 and 1000000.00")]
    Amount,
    /// Too long.
    #[error("the reason is longer than {REASON_LEN_MAX} bytes; shorten it")]
    ReasonTooLong,
}

/// The offer on the driver's screen, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The offer.
    pub assignment: Assignment,
    /// Where it stands.
    pub state: AssignmentState,
}

/// The trip in hand, or the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// What was accepted.
    pub assignment: Assignment,
    /// Where it stands.
    pub state: TripState,
    /// Its meter.
    pub meter: Meter,
    /// Who the rider is, once told.
    pub rider: Option<RiderContact>,
    /// The fare at the stop.
    pub fare: Option<Fare>,
    /// What was collected.
    pub collected: Option<Paise>,
    /// Why it was cancelled, where somebody said so.
    pub cancel_reason: Option<String>,
}

impl Trip {
    /// The fare up to `reading`: running, or final once stopped.
    pub fn fare_at(&self, reading: Reading) -> Fare {
        self.fare
            .clone()
            .unwrap_or_else(|| self.assignment.terms.metered(self.meter.usage(reading)))
    }

    /// The fare of a stop at `moment`.
    fn fare_of_stop(&self, moment: &Moment) -> Fare {
        let stopped = self.meter.clone().after(TripEvent::Stop, moment);
        self.assignment.terms.metered(stopped.usage(moment.reading))
    }
}

/// The desk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desk {
    offer: Option<Offer>,
    trip: Option<Trip>,
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

    /// What event an action makes at `moment`, or why it is not possible. Changes nothing.
    ///
    /// `outside_pickup_m` is how far the pickup is where the receiver says that the vehicle is not
    /// there; `None` where it is there or nobody knows.
    pub fn decide(
        &self,
        action: DriverAction,
        at: Timestamp,
        moment: &Moment,
        outside_pickup_m: Option<u32>,
    ) -> Result<EventBody, DriverError> {
        let step = match action {
            DriverAction::Accept => return self.answer(Answer::Accept, at),
            DriverAction::Reject { reason } => {
                return self.answer(Answer::Reject { reason: bounded(reason)? }, at);
            }
            DriverAction::Collected { amount } => return self.collect(amount),
            DriverAction::Sos => return Ok(EventBody::Sos { trip: self.trip_under_way() }),
            DriverAction::Depart => TripStep::Depart,
            DriverAction::Arrive => self.arrival(outside_pickup_m)?,
            DriverAction::Start { otp } => TripStep::Start { otp: otp.map(TypedOtp) },
            DriverAction::Pause => TripStep::Pause,
            DriverAction::Resume => TripStep::Resume,
            DriverAction::Stop => {
                let trip = self.trip.as_ref().ok_or(DriverError::NoTrip)?;
                TripStep::Stop { fare: trip.fare_of_stop(moment) }
            }
            DriverAction::Cancel { reason } => TripStep::Cancel { reason: bounded(reason)? },
            DriverAction::NoShow => TripStep::NoShow,
        };
        let trip = self.trip.as_ref().ok_or(DriverError::NoTrip)?;
        if let Some(event) = step.event() {
            trip.state.next(event)?;
        }
        if let TripStep::Start { otp } = &step {
            check_otp(&trip.assignment, otp.as_ref())?;
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

    fn collect(&self, amount: Option<Paise>) -> Result<EventBody, DriverError> {
        let trip = self.trip.as_ref().ok_or(DriverError::NoTrip)?;
        let fare = trip.fare.as_ref().ok_or(DriverError::NothingOwed)?;
        if trip.collected.is_some() {
            return Err(DriverError::CollectedAlready);
        }
        let amount = amount.unwrap_or_else(|| fare.total());
        if amount < Paise::ZERO || amount > AMOUNT_MAX {
            return Err(DriverError::Amount);
        }
        Ok(EventBody::Trip { trip: trip.assignment.trip, step: TripStep::Collected { amount } })
    }

    /// What becomes of a command; `None` if its number was taken in before. Changes nothing.
    pub fn judge(&self, command: &Command, at: Timestamp) -> Option<CommandOutcome> {
        if command.number <= self.high_water {
            return None;
        }
        if command.expires_at.is_some_and(|expires_at| expires_at <= at) {
            return Some(CommandOutcome::Expired);
        }
        let possible = match &command.body {
            CommandBody::Offer(_) => {
                let pending = self.offer.as_ref().is_some_and(|offer| {
                    offer.state == AssignmentState::Offered && offer.assignment.expires_at > at
                });
                !self.is_busy() && !pending
            }
            CommandBody::Withdraw { assignment, .. } => self.can_withdraw(*assignment),
            CommandBody::Rider(contact) => self.trip_of(contact.trip).is_some(),
            CommandBody::CancelTrip { trip, .. } => {
                self.trip_of(*trip).is_some_and(|trip| trip.state.next(TripEvent::Cancel).is_ok())
            }
            CommandBody::Configure(settings) => settings.check().is_ok(),
            CommandBody::Drive { .. } | CommandBody::UnlockOtp { .. } | CommandBody::OnDuty(_) => {
                false
            }
        };
        Some(if possible { CommandOutcome::Applied } else { CommandOutcome::Refused })
    }

    fn can_withdraw(&self, assignment: AssignmentId) -> bool {
        let offer = self.offer.as_ref().filter(|offer| offer.assignment.id == assignment);
        let trip = self.trip.as_ref().filter(|trip| trip.assignment.id == assignment);
        // From start to stop the device decides: nobody withdraws a ride that is under way.
        trip.is_none_or(|trip| trip.state.next(TripEvent::Cancel).is_ok())
            && offer.is_some_and(|offer| offer.state.next(AssignmentEvent::Withdraw).is_ok())
    }

    fn trip_of(&self, id: TripId) -> Option<&Trip> {
        self.trip.as_ref().filter(|trip| trip.assignment.trip == id)
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
            | EventBody::Running { .. }
            | EventBody::OtpTried { .. }
            | EventBody::SignedIn { .. }
            | EventBody::Duty { .. } => {}
            EventBody::Answered { assignment, answer } => self.apply_answer(*assignment, answer),
            EventBody::Trip { trip, step } => self.apply_step(*trip, step, &moment_of(event)),
            EventBody::CommandDone { number, outcome } => {
                self.high_water = self.high_water.max(*number);
                if let (CommandOutcome::Applied, Some(command)) = (outcome, command) {
                    self.apply_command(&command.body, &moment_of(event));
                }
            }
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
            self.trip = Some(Trip {
                assignment: offer.assignment.clone(),
                state: TripState::INITIAL,
                meter: Meter::default(),
                rider: None,
                fare: None,
                collected: None,
                cancel_reason: None,
            });
        }
    }

    fn apply_step(&mut self, id: TripId, step: &TripStep, moment: &Moment) {
        let Some(trip) = self.trip.as_mut().filter(|trip| trip.assignment.trip == id) else {
            return;
        };
        if let Some(event) = step.event() {
            let Ok(state) = trip.state.next(event) else { return };
            trip.state = state;
            trip.meter = core::mem::take(&mut trip.meter).after(event, moment);
        }
        match step {
            TripStep::Stop { fare } => trip.fare = Some(fare.clone()),
            TripStep::Collected { amount } => trip.collected = Some(*amount),
            TripStep::Cancel { reason } => trip.cancel_reason = Some(reason.clone()),
            TripStep::Extra(extra) => drop(trip.meter.add_extra(extra.clone())),
            TripStep::Depart
            | TripStep::Arrive
            | TripStep::ArriveOutside { .. }
            | TripStep::Start { .. }
            | TripStep::Pause
            | TripStep::Resume
            | TripStep::NoShow => {}
        }
    }

    fn apply_command(&mut self, body: &CommandBody, moment: &Moment) {
        match body {
            CommandBody::Offer(assignment) => {
                self.offer =
                    Some(Offer { assignment: assignment.clone(), state: AssignmentState::INITIAL });
            }
            CommandBody::Withdraw { assignment, reason } => {
                if let Some(offer) = self.offer.as_mut().filter(|o| o.assignment.id == *assignment)
                {
                    offer.state = AssignmentState::Withdrawn;
                }
                let trip = self.trip.as_ref().filter(|trip| trip.assignment.id == *assignment);
                if let Some(trip) = trip.map(|trip| trip.assignment.trip) {
                    self.apply_step(trip, &TripStep::Cancel { reason: reason.clone() }, moment);
                }
            }
            CommandBody::Rider(contact) => {
                if let Some(trip) = &mut self.trip {
                    trip.rider = Some(contact.clone());
                }
            }
            CommandBody::CancelTrip { trip, reason } => {
                self.apply_step(*trip, &TripStep::Cancel { reason: reason.clone() }, moment);
            }
            // Settings are the memory's.
            CommandBody::Configure(_) => {}
            CommandBody::Drive { .. } | CommandBody::UnlockOtp { .. } | CommandBody::OnDuty(_) => {}
        }
    }
}

/// What a meter is to know of an event.
fn moment_of(event: &Event) -> Moment {
    event.moment(event.at)
}

const fn answer_event(answer: &Answer) -> AssignmentEvent {
    match answer {
        Answer::Accept => AssignmentEvent::Accept,
        Answer::Reject { .. } => AssignmentEvent::Reject,
    }
}

fn bounded(reason: String) -> Result<String, DriverError> {
    if reason.len() > REASON_LEN_MAX { Err(DriverError::ReasonTooLong) } else { Ok(reason) }
}

fn check_otp(assignment: &Assignment, typed: Option<&TypedOtp>) -> Result<(), DriverError> {
    let Some(verifier) = &assignment.otp else { return Ok(()) };
    let TypedOtp(typed) = typed.ok_or(DriverError::OtpNeeded)?;
    let right = typed.len() <= OTP_LEN_MAX && verifier.verify(assignment.order, typed);
    if right { Ok(()) } else { Err(DriverError::OtpWrong) }
}
