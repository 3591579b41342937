//! Providers and drivers.

use tripline_protocol::id::DriverId;

use super::id::ProviderId;

/// Who offers rides on the network: the operator itself, or one of its agencies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its stable id.
    pub id: ProviderId,
    /// Its name, as riders see it.
    pub name: String,
    /// What it is, in a line or two, as riders see it.
    pub short_desc: Option<String>,
    /// Where its logo is: an https URL.
    pub logo_url: Option<String>,
    /// Whether its items are offered.
    pub active: bool,
}

/// Who drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// Their stable id, which they also type on the device.
    pub id: DriverId,
    /// For whom they drive; for every provider if for none in particular.
    pub provider: Option<ProviderId>,
    /// Their name, as riders see it.
    pub name: String,
    /// Their phone, as riders see it.
    pub phone: String,
    /// Whether they may drive.
    pub active: bool,
    /// What riders think of them.
    pub rating: Rating,
}

/// Least stars of a rating.
pub const STARS_MIN: u8 = 1;

/// Most stars of a rating.
pub const STARS_MAX: u8 = 5;

/// Ratings of a driver, taken together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rating {
    /// Their stars, added up.
    pub sum: u64,
    /// How many there are.
    pub count: u64,
}

impl Rating {
    /// The mean in hundredths of a star, rounded down; `None` if nobody rated.
    pub fn mean_centistars(self) -> Option<u16> {
        let mean = self.sum.saturating_mul(100).checked_div(self.count)?;
        u16::try_from(mean).ok()
    }
}
