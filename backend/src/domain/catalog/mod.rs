//! The answer to a search: what a ride on this route would cost, and how far a vehicle is.

use serde::{Deserialize, Serialize};
use tripline_protocol::fare::Fare;
use tripline_protocol::tariff::Tariff;
use tripline_protocol::unit::{Paise, Position, Timestamp};

use super::fleet::{Item, ItemKind, Provider, ProviderId};
use super::order::Route;

mod filter;

pub use filter::{Filter, Named, VehicleWish};

/// What was booked, as it was offered: an order keeps it, whatever becomes of the item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Who offered it.
    pub provider_id: ProviderId,
    /// The provider's name.
    pub provider_name: String,
    /// The item's name.
    pub item_name: String,
    /// Category of the vehicle that comes.
    pub vehicle_category: String,
}

impl Listing {
    /// An item of a provider.
    pub fn of(provider: &Provider, item: &Item) -> Self {
        Self {
            provider_id: provider.id.clone(),
            provider_name: provider.name.clone(),
            item_name: item.name.clone(),
            vehicle_category: item.vehicle_category.clone(),
        }
    }
}

/// What riders choose among first: how a ride is sold, at which tariff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// How it is sold.
    pub kind: ItemKind,
    /// The tariff's code.
    pub tariff_code: String,
}

impl Category {
    /// Its stable id, `rental-auto-4h` for instance.
    pub fn id(&self) -> String {
        format!("{}-{}", self.kind, self.tariff_code)
    }

    /// Its name, for riders.
    pub fn name(&self, tariff: &Tariff) -> String {
        match (self.kind, tariff.package) {
            (ItemKind::Spot, _) => "Rides in town".into(),
            (ItemKind::Rental, Some(package)) => format!(
                "Rental: {} h, {} km",
                package.included_s.div_ceil(3_600),
                package.included_m / 1_000
            ),
            (ItemKind::Rental, None) => "Rental".into(),
            (ItemKind::Outstation, _) => "Out of town".into(),
        }
    }
}

/// An item that serves a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The item's id.
    pub item_id: String,
    /// The item and its provider.
    pub listing: Listing,
    /// How it is shown.
    pub look: Look,
    /// Its category.
    pub category: Category,
    /// What it costs there.
    pub tariff: Tariff,
    /// Estimated fare; `None` if the search named no drop.
    pub estimate: Option<Fare>,
    /// The most that is expected, where the tariff tells a range.
    pub estimate_max: Option<Paise>,
    /// The nearest free vehicle; `None` of a ride later on, for which nobody is looked for yet.
    pub nearest: Option<Nearest>,
    /// Promotions that can be taken up with it.
    pub promotions: Vec<Promoted>,
    /// The form to be filled in, if there is one.
    pub form: Option<FormLink>,
}

/// A promotion as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promoted {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// In more words.
    pub description: Option<String>,
    /// Until when it can be taken up.
    pub until: Option<Timestamp>,
}

/// How an item and its provider are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// What the item is.
    pub item_short_desc: Option<String>,
    /// Where pictures of it are.
    pub item_images: Vec<String>,
    /// What the provider is.
    pub provider_short_desc: Option<String>,
    /// Where the provider's logo is.
    pub provider_logo_url: Option<String>,
}

impl Look {
    /// That of an item of a provider.
    pub fn of(provider: &Provider, item: &Item) -> Self {
        Self {
            item_short_desc: item.short_desc.clone(),
            item_images: item.images.clone(),
            provider_short_desc: provider.short_desc.clone(),
            provider_logo_url: provider.logo_url.clone(),
        }
    }
}

/// The nearest free vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nearest {
    /// Its distance to the pickup in a straight line, in metres.
    pub distance_m: u32,
    /// Estimated seconds until it is there.
    pub pickup_s: u64,
    /// About where it is.
    pub position: Option<Position>,
}

/// Where a form is to be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormLink {
    /// Its address.
    pub url: String,
    /// Whether nothing is booked without it.
    pub required: bool,
}

/// The answer to a search: at least one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serviceable {
    /// The route searched for.
    pub route: Route,
    /// Items that serve it, by id.
    pub offered: Vec<Offered>,
}
