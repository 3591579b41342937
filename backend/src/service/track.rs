//! The rider's link: where the vehicle is, from assignment to end, to whoever has the link.

use super::{Platform, ServiceError};
use crate::chance::is_token;
use crate::domain::live::LivePosition;
use crate::domain::order::Order;

/// What a link shows.
#[derive(Debug, Clone)]
pub enum Tracked {
    /// No such link.
    Unknown,
    /// The ride has not been assigned, or is over: the link shows no position.
    Over,
    /// Where the vehicle is; `None` while that is not known.
    Active(Option<LivePosition>),
}

impl Platform {
    /// The rider's link to an order.
    pub(super) fn track_link(&self, order: &Order) -> String {
        format!("{}/{}", self.settings.track_url, order.track_token)
    }

    /// Where an order's vehicle is, while the rider may know.
    pub(super) fn position_of(&self, order: &Order) -> Option<LivePosition> {
        let trip = order.trip.as_ref().filter(|_| order.is_trackable())?;
        self.fleet().get(&trip.vehicle.device).copied()
    }

    /// What the link with this capability shows.
    pub async fn tracked(&self, token: &str) -> Result<Tracked, ServiceError> {
        // Anybody may ask: what cannot be a capability does not reach the store.
        if !is_token(token) {
            return Ok(Tracked::Unknown);
        }
        let mut tx = self.store.read().await?;
        let Some(stored) = tx.order_of_track_token(token).await? else {
            return Ok(Tracked::Unknown);
        };
        if !stored.order.is_trackable() {
            return Ok(Tracked::Over);
        }
        Ok(Tracked::Active(self.position_of(&stored.order)))
    }
}
