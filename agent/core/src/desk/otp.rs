//! The rider's OTP: a try is counted before it is compared.
//!
//! In two steps, because between them the try goes to the disk: were it compared first, whoever cuts the power
//! at a wrong answer could try all ten thousand. What is no OTP at all is not compared and no try.

use tripline_protocol::id::TripId;
use tripline_protocol::link::up::EventBody;
use tripline_protocol::machine::Machine as _;
use tripline_protocol::otp::TypedOtp;
use tripline_protocol::trip::{TripEvent, TripStep};

use super::action::{OTP_TRIES_MAX, check_otp};
use super::{Decision, Desk, DriverError};

/// An OTP that may be compared once its try is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtpTry {
    trip: TripId,
    typed: TypedOtp,
    /// How many tries there are with this one.
    number: u8,
}

impl Desk {
    /// A start: at once if the ride needs no OTP; if it does, the try at it comes first.
    pub(super) fn start(&self, otp: Option<TypedOtp>) -> Result<Decision, DriverError> {
        let trip = self.in_hand()?;
        trip.state.next(TripEvent::Start)?;
        if trip.assignment.otp.is_none() {
            return self.step(TripStep::Start { otp }).map(Decision::Done);
        }
        let typed = check_otp(otp.ok_or(DriverError::OtpNeeded)?)?;
        if trip.otp_tries >= OTP_TRIES_MAX {
            return Err(DriverError::OtpLocked);
        }
        let (trip, number) = (trip.assignment.trip, trip.otp_tries + 1);
        Ok(Decision::Count(EventBody::OtpTried { trip }, OtpTry { trip, typed, number }))
    }

    /// Compares an OTP: the start if it is right. Its try must be counted by now. Changes nothing.
    pub fn compare(&self, otp: OtpTry) -> Result<EventBody, DriverError> {
        let OtpTry { trip: id, typed, number } = otp;
        let trip = self.trip_of(id).ok_or(DriverError::NoTrip)?;
        if trip.otp_tries != number {
            return Err(DriverError::OtpUncounted);
        }
        let order = trip.assignment.order;
        let right = trip.assignment.otp.is_none_or(|verifier| verifier.verify(order, &typed.0));
        match OTP_TRIES_MAX.saturating_sub(number) {
            _ if right => self.step(TripStep::Start { otp: Some(typed) }),
            0 => Err(DriverError::OtpLocked),
            left => Err(DriverError::OtpWrong { left }),
        }
    }
}
