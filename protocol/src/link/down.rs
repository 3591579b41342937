//! What the backend publishes to a device: CommitAcks and commands.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::envelope::Postcard;
use super::settings::DeviceSettings;
use super::up::Stream;
use crate::assignment::{Assignment, Change, RiderContact};
use crate::coded::coded_enum;
use crate::duty::OnDuty;
use crate::id::{AssignmentId, CommandNumber, JournalEpoch, Sequence, TripId};
use crate::trip::TripEvent;
use crate::unit::Timestamp;

/// Lane `ack`: everything of the stream up to `through` is committed in the backend.
///
/// Cumulative for (epoch, stream). Only after it may the journal forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitAck {
    /// The journal.
    pub epoch: JournalEpoch,
    /// The stream.
    pub stream: Stream,
    /// The last committed sequence.
    pub through: Sequence,
}

/// Lane `command`: takes effect at most once. It travels sealed, see [`super::seal`].
///
/// Numbers grow strictly for one device. The device keeps the highest number it has taken in and
/// ignores anything up to it, so the backend may send a command again until it hears of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Its number.
    pub number: CommandNumber,
    /// After this it has no effect; `None` for a command that stays true.
    pub expires_at: Option<Timestamp>,
    /// What to do.
    pub body: CommandBody,
}

/// What a command does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommandBody {
    /// Offers an order to the driver.
    Offer(Assignment),
    /// Takes an offer back, accepted or not.
    Withdraw {
        /// The offer.
        assignment: AssignmentId,
        /// Why, for the driver.
        reason: String,
    },
    /// Tells an accepted trip's driver who the rider is.
    Rider(RiderContact),
    /// Cancels a trip that has not started.
    CancelTrip {
        /// The trip.
        trip: TripId,
        /// Why, for the driver.
        reason: String,
    },
    /// Sets what the operator may set from afar, in place of all that an earlier one set.
    Configure(DeviceSettings),
    /// Takes a step of a trip on its driver's behalf. Carried out by the device, so that its meter is read;
    /// the report that it was applied is the step.
    Drive {
        /// The trip.
        trip: TripId,
        /// Which step.
        verb: DriveVerb,
        /// Why, for the driver.
        reason: String,
    },
    /// Lets the OTP of a trip be tried again.
    UnlockOtp {
        /// The trip.
        trip: TripId,
    },
    /// Who is signed in, and why somebody is not.
    OnDuty(OnDuty),
    /// The rider changed an accepted trip: all of what can be changed, as it is from here on.
    Change(Change),
}

impl CommandBody {
    /// The trip it is about.
    pub const fn trip(&self) -> Option<TripId> {
        match self {
            Self::Offer(assignment) => Some(assignment.trip),
            Self::CancelTrip { trip, .. } | Self::Drive { trip, .. } | Self::UnlockOtp { trip } => {
                Some(*trip)
            }
            Self::Rider(contact) => Some(contact.trip),
            Self::Change(change) => Some(change.trip),
            Self::Withdraw { .. } | Self::Configure(_) | Self::OnDuty(_) => None,
        }
    }
}

coded_enum! {
    /// What a dispatcher may do on a driver's behalf while a trip is in hand.
    DriveVerb {
        /// The rider is aboard; the dispatcher answers for the OTP.
        Start => "start",
        /// A stop on the way.
        Pause => "pause",
        /// On again.
        Resume => "resume",
        /// The rider is dropped.
        Stop => "stop",
    }
}

impl DriveVerb {
    /// The machine's event.
    pub const fn event(self) -> TripEvent {
        match self {
            Self::Start => TripEvent::Start,
            Self::Pause => TripEvent::Pause,
            Self::Resume => TripEvent::Resume,
            Self::Stop => TripEvent::Stop,
        }
    }
}

impl Postcard for CommitAck {}
impl Postcard for Command {}
