//! What is known of a vehicle and its driver when an order is offered.

use std::collections::HashMap;

use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::{Exclusion, OfferRecord};
use crate::domain::fleet::{ProviderId, Roster, Rostered};

/// What the fleet's records say of a vehicle. What is not known neither helps nor harms it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    /// Its category, in the operator's words.
    pub category: &'a str,
    /// For whom it drives; for every provider if for none in particular.
    pub provider: Option<&'a str>,
    /// How many riders it carries.
    pub capacity: Option<u16>,
    /// What else is known of it: make, model, variant, colour, what moves it.
    pub traits: &'a [String],
    /// Why it is offered nothing, if that is so.
    pub blocked: Option<Exclusion>,
    /// Share of offers accepted, in thousandths.
    pub acceptance_permille: Option<u16>,
    /// What riders say of its driver, in hundredths of a star.
    pub rating_centi: Option<u16>,
    /// Since when its driver has been without a ride.
    pub idle_since: Option<Timestamp>,
}

/// What became of offers to a vehicle, and since when it has been without a ride.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Its offers.
    pub offers: OfferRecord,
    /// Since when no order has had it.
    pub idle_since: Option<Timestamp>,
}

/// What became of offers, by device.
pub type Histories = HashMap<DeviceId, History>;

impl<'a> Standing<'a> {
    /// Of a vehicle on the roster; `None` if it is not there.
    pub fn of(
        device: &DeviceId,
        roster: &'a Roster,
        histories: &Histories,
        now: Timestamp,
    ) -> Option<Self> {
        let rostered = roster.get(device)?;
        let history = histories.get(device);
        let Rostered { category, provider, capacity, traits, driver, .. } = rostered;
        let on_duty_since = driver.as_ref().and_then(|it| it.duty.map(|(_, since)| since));
        Some(Self {
            category,
            provider: provider.as_ref().map(ProviderId::as_str),
            capacity: *capacity,
            traits,
            blocked: rostered.blocked(roster.rules(), now).as_ref().map(Exclusion::of),
            acceptance_permille: history.map(|it| it.offers.acceptance_permille()),
            rating_centi: driver.as_ref().and_then(|it| it.rating.mean_centistars()),
            // A driver who just came has not waited.
            idle_since: history.and_then(|it| it.idle_since).max(on_duty_since),
        })
    }
}
