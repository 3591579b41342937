//! What riders can book.

use super::id::{ItemId, ProviderId};

coded! {
    /// How a ride is sold.
    ItemKind {
        /// From here to there, now or later.
        Spot => "spot",
        /// A vehicle with its driver for hours and kilometres.
        Rental => "rental",
        /// Out of town, by the day.
        Outstation => "outstation",
    }
}

/// Something that can be booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its stable id.
    pub id: ItemId,
    /// Who offers it.
    pub provider: ProviderId,
    /// Its name, as riders see it.
    pub name: String,
    /// Category of the vehicle that comes.
    pub vehicle_category: String,
    /// What it costs where no zone says otherwise: the newest version of the tariff with this code.
    pub tariff_code: String,
    /// How it is sold.
    pub kind: ItemKind,
    /// Whether it is offered.
    pub active: bool,
}
