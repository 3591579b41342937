//! What riders can book.

use tripline_protocol::tariff::Tariff;

use super::id::{FormId, ItemId, ProviderId};

/// Most pictures of an item.
pub const IMAGES_MAX: usize = 8;

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

impl ItemKind {
    /// What of this tariff such a ride cannot have, or lacks: a field's name, and whether it is needed.
    pub fn misfit(self, tariff: &Tariff) -> Option<(&'static str, bool)> {
        let has =
            [("package", tariff.package.is_some()), ("outstation", tariff.outstation.is_some())];
        let needed = match self {
            Self::Spot => None,
            Self::Rental => Some("package"),
            Self::Outstation => Some("outstation"),
        };
        let misfit =
            has.into_iter().find(|(field, is_there)| *is_there != (needed == Some(*field)));
        misfit.map(|(field, is_there)| (field, !is_there))
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
    /// What it is, in a line or two, as riders see it.
    pub short_desc: Option<String>,
    /// Where pictures of it are: https URLs, the best first, at most [`IMAGES_MAX`].
    pub images: Vec<String>,
    /// Category of the vehicle that comes.
    pub vehicle_category: String,
    /// What it costs where no zone says otherwise: the newest version of the tariff with this code.
    pub tariff_code: String,
    /// How it is sold.
    pub kind: ItemKind,
    /// Whether it is offered.
    pub active: bool,
    /// The form that riders fill in before they book it.
    pub form: Option<FormId>,
}
