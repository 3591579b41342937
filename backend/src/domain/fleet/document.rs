//! Papers of drivers and vehicles: licence, permit, insurance.

use std::fmt;
use std::str::FromStr;

use tripline_protocol::id::{DeviceId, DriverId, IdError};
use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

/// Whose paper it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// A driver's.
    Driver(DriverId),
    /// A vehicle's, by its device.
    Vehicle(DeviceId),
}

impl Owner {
    /// `driver` or `vehicle`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Driver(_) => "driver",
            Self::Vehicle(_) => "vehicle",
        }
    }

    /// The driver's id, or the device's.
    pub fn id(&self) -> &str {
        match self {
            Self::Driver(id) => id.as_str(),
            Self::Vehicle(id) => id.as_str(),
        }
    }

    /// The owner of this kind with this id.
    pub fn of(kind: &str, id: &str) -> Result<Self, OwnerError> {
        match kind {
            "driver" => Ok(Self::Driver(id.parse()?)),
            "vehicle" => Ok(Self::Vehicle(id.parse()?)),
            _ => Err(OwnerError::Kind),
        }
    }
}

/// A text that names no owner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    /// Neither a driver nor a vehicle.
    #[error("must be driver:ID or vehicle:DEVICE")]
    Kind,
    /// Not an id.
    #[error(transparent)]
    Id(#[from] IdError),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.id())
    }
}

impl FromStr for Owner {
    type Err = OwnerError;

    fn from_str(text: &str) -> Result<Self, OwnerError> {
        let (kind, id) = text.split_once(':').ok_or(OwnerError::Kind)?;
        Self::of(kind, id)
    }
}

/// A paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its stable id.
    pub id: Uuid,
    /// Whose it is.
    pub owner: Owner,
    /// What it is, in the operator's words: `licence`, `permit`.
    pub kind: String,
    /// Its number.
    pub number: String,
    /// When it ends; `None` if it does not.
    pub expires_at: Option<Timestamp>,
}

impl Document {
    /// Whether it still counts.
    pub fn counts(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|until| now < until)
    }

    /// Whether it counts for longer than another.
    pub fn outlasts(&self, other: &Self) -> bool {
        let end = |document: &Self| document.expires_at.map_or(i64::MAX, |at| at.unix_ms);
        end(self) > end(other)
    }
}
