//! The ride: how an order moves from terms to a final fare, by the words of the BAP, the driver, the operator
//! and the clock.
//!
//! Authority: the backend decides until the start of a trip, the device from start to stop. What the
//! BAP was told is never undone; what contradicts it becomes a case for the operator.

mod book;
mod change;
mod dispatcher;
mod end;
mod offer;
mod silence;
mod step;
mod told;

use tripline_protocol::id::{AssignmentId, DeviceId, TripId};
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::up::Event;
use tripline_protocol::machine::Refused;
use tripline_protocol::order::OrderState;
use tripline_protocol::otp::OTP_KEY_LEN;
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::{Paise, Timestamp};

use super::effect::Effect;
use super::order::{Detail, Vehicle};
use super::trip::By;

pub use silence::Look;

/// A vehicle to offer the order to, held for it, with fresh identifiers for the offer.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The vehicle.
    pub vehicle: Vehicle,
    /// Fresh.
    pub assignment: AssignmentId,
    /// Fresh.
    pub trip: TripId,
    /// Fresh, for the OTP's verifier.
    pub otp_key: [u8; OTP_KEY_LEN],
}

/// How rides go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RideRules {
    /// How long another driver is looked for when one called a ride off, in ms.
    pub search_ms: i64,
    /// How often another driver is looked for when one called a ride off.
    pub reassign_max: u32,
    /// After so long a trip whose device is not heard is shown as silent, in ms.
    pub silent_ms: i64,
    /// After so long it is closed without its device, in ms.
    pub close_silent_ms: i64,
}

/// Why a request of a BAP or an operator cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RideError {
    /// The order is not where the request needs it to be.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The quote ran out.
    #[error("the quote has expired; select again")]
    QuoteExpired,
    /// A detail is missing.
    #[error("the order lacks {what}")]
    Missing {
        /// Which.
        what: Detail,
    },
    /// The rider is aboard: a ride that began is ended and paid for, not cancelled.
    #[error("the ride has started; it can be stopped, and not cancelled")]
    UnderWay,
    /// The ride is beyond this change.
    #[error("the {what} cannot be changed: {why}")]
    NotChangeable {
        /// What of it.
        what: &'static str,
        /// Why.
        why: &'static str,
    },
    /// Nothing was proposed that could be accepted.
    #[error("no change of the ride was proposed; ask for one first")]
    NoProposal,
    /// Another price than the one that was told.
    #[error("the price is {quoted}, not {said}")]
    OtherPrice {
        /// What was told.
        quoted: Paise,
        /// What was said back.
        said: Paise,
    },
    /// The order has no trip.
    #[error("no driver has accepted the order, which is {state}")]
    NoTrip {
        /// Where it stands.
        state: OrderState,
    },
    /// The trip is over.
    #[error("the trip is over: it is {state}")]
    Over {
        /// Where it stands.
        state: TripState,
    },
}

/// What a device reports of a trip.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Who did it: the driver, or a dispatcher through the device.
    pub by: By,
    /// The event, with the device's counters.
    pub event: &'a Event,
    /// When we learn of it.
    pub at: Timestamp,
    /// Whether it was made with no network.
    pub offline: bool,
}

impl Report<'_> {
    /// When it happened.
    pub fn happened(&self) -> Timestamp {
        self.event.fact_at(self.at)
    }
}

/// What a report set in motion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handled {
    /// What is to be done.
    pub effects: Vec<Effect>,
    /// Why it had no effect, where it had none.
    pub refused: Option<String>,
}

impl From<Vec<Effect>> for Handled {
    fn from(effects: Vec<Effect>) -> Self {
        Self { effects, refused: None }
    }
}

impl Handled {
    fn refused(reason: impl Into<String>) -> Self {
        Self { effects: Vec::new(), refused: Some(reason.into()) }
    }
}

fn withdraw(device: DeviceId, assignment: AssignmentId, reason: &str) -> Effect {
    let body = Box::new(CommandBody::Withdraw { assignment, reason: reason.into() });
    Effect::Command { device, body, expires_at: None }
}
