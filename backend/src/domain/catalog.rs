//! What the operator offers: one provider, one item, one tariff.

use tripline_protocol::fare::Fare;
use tripline_protocol::tariff::Tariff;

use super::order::Route;

/// The operator as a provider on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its stable id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// What can be booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its stable id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Category of the vehicle that comes.
    pub vehicle_category: String,
    /// What it costs.
    pub tariff: Tariff,
}

/// The answer to a search: what a ride on this route would cost, and how far the vehicle is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serviceable {
    /// The provider.
    pub provider: Provider,
    /// The item.
    pub item: Item,
    /// The route searched for.
    pub route: Route,
    /// Estimated fare; `None` if the search named no drop.
    pub estimate: Option<Fare>,
    /// Distance of the nearest free vehicle to the pickup, in metres.
    pub nearest_m: u32,
    /// Estimated seconds until it is there.
    pub pickup_s: u64,
}
