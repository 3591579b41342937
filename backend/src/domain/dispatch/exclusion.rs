//! Why a vehicle is not asked.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// The operator does not let it take orders.
    NotAccepting,
    /// A paper of the vehicle or of its driver has expired.
    DocumentsExpired,
    /// Nobody is signed in.
    NoDriver,
    /// The driver is off duty.
    OffDuty,
    /// The driver takes a break.
    OnBreak,
    /// It was asked before for this order, or gave it up.
    AskedBefore,
    /// It is on another order, or asked for one.
    Held,
}

impl Exclusion {
    /// Its stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::TooFar => "too-far",
            Self::Unregistered => "unregistered",
            Self::WrongProvider => "wrong-provider",
            Self::WrongCategory => "wrong-category",
            Self::NotAccepting => "not-accepting",
            Self::DocumentsExpired => "documents-expired",
            Self::NoDriver => "no-driver",
            Self::OffDuty => "off-duty",
            Self::OnBreak => "on-break",
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
