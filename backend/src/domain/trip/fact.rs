//! What happened to a trip, fact by fact.

use std::fmt;

use serde::{Deserialize, Serialize};
use tripline_protocol::fare::Extra;
use tripline_protocol::link::down::DriveVerb;
use tripline_protocol::meter::{Moment, Reading};
use tripline_protocol::trip::TripEvent;
use tripline_protocol::unit::{Paise, Position, Timestamp};

use crate::domain::fleet::coded;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The driver accepted.
    Accepted,
    /// A step of the machine.
    Moved(TripEvent),
    /// The driver paid something for the rider.
    Extra(Extra),
    /// The driver was paid.
    Collected(Paise),
    /// An OTP was tried.
    OtpTried,
    /// OTPs may be tried again.
    OtpUnlocked,
    /// The driver called for help.
    Sos,
    /// A dispatcher asked the device for a step.
    Asked(DriveVerb),
    /// A dispatcher answers for a start whose OTP was not the rider's.
    Vouched,
    /// The rider changed the ride.
    Changed,
    /// The vehicle goes by the change.
    ChangeTaken,
    /// The order was cancelled.
    Cancelled,
    /// The trip was closed without its device.
    Closed,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Moved(event) => event.fmt(f),
            Self::Extra(extra) => write!(f, "{} {}", extra.kind, extra.amount),
            Self::Collected(amount) => write!(f, "collected {amount}"),
            Self::OtpTried => f.write_str("otp tried"),
            Self::OtpUnlocked => f.write_str("otp unlocked"),
            Self::Sos => f.write_str("sos"),
            Self::Asked(verb) => write!(f, "{verb} asked for"),
            Self::Vouched => f.write_str("start vouched for"),
            Self::Changed => f.write_str("ride changed"),
            Self::ChangeTaken => f.write_str("change taken"),
            Self::Cancelled => f.write_str("order cancelled"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The driver, on the device.
    Device,
    /// The rider, through their platform.
    Rider,
    /// An operator.
    Operator {
        /// Who.
        name: String,
    },
    /// A rule of ours.
    Rule,
}

impl By {
    /// An operator of this name.
    pub fn operator(name: &str) -> Self {
        Self::Operator { name: name.to_owned() }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device => f.write_str("device"),
            Self::Rider => f.write_str("rider"),
            Self::Operator { name } => write!(f, "operator {name}"),
            Self::Rule => f.write_str("rule"),
        }
    }
}

coded! {
    /// What the platform made of a start's OTP.
    OtpCheck {
        /// The ride needs none.
        NotNeeded => "not-needed",
        /// It is the rider's.
        Right => "right",
        /// It is not.
        Wrong => "wrong",
        /// A dispatcher answers for it.
        Vouched => "vouched",
    }
}

/// What the device showed as it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Its counters.
    pub reading: Reading,
    /// Where it was, as far as its receiver knew.
    pub position: Option<Position>,
}

/// What became of a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The order follows it.
    Applied,
    /// It happened, and the order stands otherwise.
    Crossed,
    /// The trip had no place for it.
    Refused(String),
}

impl Outcome {
    /// Why the trip had no place for it, if it had none.
    pub fn refused(&self) -> Option<String> {
        match self {
            Self::Refused(reason) => Some(reason.clone()),
            Self::Applied | Self::Crossed => None,
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TripFact {
    /// When.
    pub at: Timestamp,
    /// When we learnt of it.
    pub received_at: Timestamp,
    /// What.
    pub step: Step,
    /// Who did it.
    pub by: By,
    /// What the device showed, if it was the device that reported it.
    pub measured: Option<Measured>,
    /// Of a start: what we made of its OTP.
    pub otp: Option<OtpCheck>,
    /// Why, where somebody said so.
    pub reason: String,
    /// What became of it.
    pub outcome: Outcome,
}

impl TripFact {
    /// What a meter is to know of it.
    pub fn moment(&self) -> Moment {
        let measured = self.measured;
        Moment {
            reading: measured.map(|it| it.reading).unwrap_or_default(),
            at: Some(self.at),
            position: measured.and_then(|it| it.position),
        }
    }

    /// Whether the device's own record has it before `other`: its steady clock never goes back, whatever its
    /// time of day does. `None` if it is not the device's.
    pub(super) fn is_before(&self, other: &Measured) -> Option<bool> {
        self.measured.map(|measured| measured.reading.steady <= other.reading.steady)
    }
}
