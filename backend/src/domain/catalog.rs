//! The answer to a search: what a ride on this route would cost, and how far a vehicle is.

use serde::{Deserialize, Serialize};
use tripline_protocol::fare::Fare;
use tripline_protocol::tariff::Tariff;
use tripline_protocol::unit::Paise;

use super::fleet::{Item, Provider, ProviderId};
use super::order::Route;

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

/// An item that serves a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The item's id.
    pub item_id: String,
    /// The item and its provider.
    pub listing: Listing,
    /// What it costs there.
    pub tariff: Tariff,
    /// Estimated fare; `None` if the search named no drop.
    pub estimate: Option<Fare>,
    /// The most that is expected, where the tariff tells a range.
    pub estimate_max: Option<Paise>,
    /// Distance of the nearest free vehicle to the pickup, in metres.
    pub nearest_m: u32,
    /// Estimated seconds until it is there.
    pub pickup_s: u64,
}

/// The answer to a search: at least one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serviceable {
    /// The route searched for.
    pub route: Route,
    /// Items that serve it, by id.
    pub offered: Vec<Offered>,
}
