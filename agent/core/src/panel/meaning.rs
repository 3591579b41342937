//! What a press means where the ride stands.

use alloc::string::String;

use tripline_protocol::trip::TripState;

use super::button::{ButtonName, Kind, Press};
use super::indication::{Indication, TripMoment};
use crate::desk::DriverAction;

/// What a declined offer gives as its reason.
const DECLINED: &str = "declined at the panel";

/// A press that means nothing where the ride stands. Each says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// No offer.
    #[error("there is no offer to answer")]
    NoOffer,
    /// No trip.
    #[error("there is no trip to go on with")]
    NoTrip,
    /// A long press of start/pause with the rider aboard.
    #[error("with the rider aboard start/pause is pressed shortly")]
    PressShortly,
    /// The start needs the OTP, which no button can type.
    #[error("this ride needs the rider's OTP, which buttons cannot give")]
    OtpNeeded,
    /// A ride ends with a long press only: a short one comes about by accident.
    #[error("a ride is stopped by holding the button")]
    HoldToStop,
    /// Nothing to stop and nothing to collect.
    #[error("there is no ride to stop and no fare to collect")]
    NothingToStop,
    /// A fare is collected with a short press.
    #[error("the ride is over; a fare is collected with a short press")]
    OverAlready,
    /// Help is called with a long press.
    #[error("help is called by holding the button")]
    HoldForHelp,
}

/// What a press means. Whether it is possible the desk decides.
pub fn meaning(press: Press, indication: &Indication) -> Result<DriverAction, Misuse> {
    let trip = indication.trip;
    match (press.button, press.kind) {
        (ButtonName::Sos, Kind::Long) => Ok(DriverAction::Sos),
        (ButtonName::Sos, Kind::Short) => Err(Misuse::HoldForHelp),
        (ButtonName::Accept, _) if !indication.offer_waits => Err(Misuse::NoOffer),
        (ButtonName::Accept, Kind::Short) => Ok(DriverAction::Accept),
        (ButtonName::Accept, Kind::Long) => {
            Ok(DriverAction::Reject { reason: String::from(DECLINED) })
        }
        (ButtonName::StartPause, kind) => on(trip.ok_or(Misuse::NoTrip)?, kind),
        (ButtonName::Stop, kind) => stop(trip.ok_or(Misuse::NothingToStop)?, kind),
    }
}

/// The next step forward. A long press says that the vehicle is at the pickup, from wherever the trip
/// stands before the start, also once more where it was said too early.
fn on(trip: TripMoment, kind: Kind) -> Result<DriverAction, Misuse> {
    match (trip.state, kind) {
        (TripState::Assigned, Kind::Short) => Ok(DriverAction::Depart),
        (TripState::EnRouteToPickup, Kind::Short)
        | (TripState::Assigned | TripState::EnRouteToPickup | TripState::AtPickup, Kind::Long) => {
            Ok(DriverAction::Arrive)
        }
        (TripState::AtPickup, Kind::Short) if trip.needs_otp => Err(Misuse::OtpNeeded),
        (TripState::AtPickup, Kind::Short) => Ok(DriverAction::Start { otp: None }),
        (TripState::Started, Kind::Short) => Ok(DriverAction::Pause),
        (TripState::Paused, Kind::Short) => Ok(DriverAction::Resume),
        (TripState::Started | TripState::Paused, Kind::Long) => Err(Misuse::PressShortly),
        (TripState::Ended | TripState::Cancelled | TripState::NoShow, _) => Err(Misuse::NoTrip),
    }
}

fn stop(trip: TripMoment, kind: Kind) -> Result<DriverAction, Misuse> {
    match (trip.state, kind) {
        (TripState::Started | TripState::Paused, Kind::Long) => Ok(DriverAction::Stop),
        (TripState::Started | TripState::Paused, Kind::Short) => Err(Misuse::HoldToStop),
        (TripState::Ended, Kind::Short) if trip.to_collect => {
            Ok(DriverAction::Collected { amount: None })
        }
        (TripState::Ended, Kind::Long) if trip.to_collect => Err(Misuse::OverAlready),
        (
            TripState::Assigned
            | TripState::EnRouteToPickup
            | TripState::AtPickup
            | TripState::Ended
            | TripState::Cancelled
            | TripState::NoShow,
            _,
        ) => Err(Misuse::NothingToStop),
    }
}
