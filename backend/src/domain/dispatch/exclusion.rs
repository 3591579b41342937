//! Why a vehicle is not asked.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::fleet::Why;

/// Why a vehicle that is around is not asked, by a stable code. The first that holds, in this order, is
/// the one that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exclusion {
    /// Its last position is too old to go by.
    Stale,
    /// It is farther from the pickup than is looked for.
    TooFar,
    /// The fleet's records do not have it.
    Unregistered,
    /// It is another provider's than the one that was booked.
    WrongProvider,
    /// It is not of the category that was booked.
    WrongCategory,
    /// It is not the vehicle that the rider wants.
    NotAsWished,
    /// It is not in use any more.
    Retired,
    /// Nobody drives it.
    NoDriver,
    /// Nobody is signed in, and somebody has to be.
    OffDuty,
    /// Its driver takes a break.
    OnBreak,
    /// Its driver may not drive.
    DriverInactive,
    /// A paper that is required is not on record.
    DocumentMissing,
    /// A paper that is required has expired.
    DocumentExpired,
    /// It was asked before for this order, or gave it up.
    AskedBefore,
    /// It is on another order, or asked for one.
    Held,
}

impl Exclusion {
    /// Why the roster blocks a vehicle.
    pub const fn of(why: &Why) -> Self {
        match why {
            Why::Retired => Self::Retired,
            Why::NoDriver => Self::NoDriver,
            Why::NotSignedIn => Self::OffDuty,
            Why::Break => Self::OnBreak,
            Why::DriverInactive => Self::DriverInactive,
            Why::DocumentMissing(_) => Self::DocumentMissing,
            Why::DocumentExpired(_) => Self::DocumentExpired,
        }
    }

    /// Its stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::TooFar => "too-far",
            Self::Unregistered => "unregistered",
            Self::WrongProvider => "wrong-provider",
            Self::WrongCategory => "wrong-category",
            Self::NotAsWished => "not-as-wished",
            Self::Retired => "retired",
            Self::NoDriver => "no-driver",
            Self::OffDuty => "off-duty",
            Self::OnBreak => "on-break",
            Self::DriverInactive => "driver-inactive",
            Self::DocumentMissing => "document-missing",
            Self::DocumentExpired => "document-expired",
            Self::AskedBefore => "asked-before",
            Self::Held => "held",
        }
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
