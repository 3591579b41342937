//! The rider's link: where the vehicle is, from assignment to end, to whoever has the link.

mod ride;
mod watch;

use tripline_protocol::order::OrderState;

use super::{Platform, ServiceError};
use crate::chance::is_token;
use crate::domain::live::LivePosition;
use crate::domain::order::Order;
use crate::store::order::StoredOrder;

pub use ride::{Shown, TrackedRide};
pub use watch::{
    ASK_MS, LOOK_MS, Seen, TooManyWatch, UNSURE_MS_MAX, WATCHERS_MAX, WATCHERS_PER_LINK_MAX, Watch,
    Watches, run,
};

/// What a link shows.
#[derive(Debug, Clone)]
pub enum Tracked {
    /// No such link.
    Unknown,
    /// No driver has taken the ride, or the one who had gave it up: the link shows no position.
    Waiting,
    /// The ride is over: the link shows no position any more.
    Over,
    /// The ride, and where the vehicle is.
    Active(Shown),
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
        let stored = self.store.read().await?.order_of_track_token(token).await?;
        Ok(stored.map_or(Tracked::Unknown, |stored| self.shown_of(&stored)))
    }

    /// What the link to an order shows.
    fn shown_of(&self, stored: &StoredOrder) -> Tracked {
        let order = &stored.order;
        match TrackedRide::of(order) {
            Some(ride) => {
                let position = self.position_of(order);
                Tracked::Active(Shown { ride: ride.into(), version: stored.version(), position })
            }
            None if is_before_a_driver(order.state) => Tracked::Waiting,
            None => Tracked::Over,
        }
    }
}

/// Whether a driver may still take the order.
const fn is_before_a_driver(state: OrderState) -> bool {
    match state {
        OrderState::Quoted | OrderState::Initialized | OrderState::Confirmed => true,
        OrderState::Active
        | OrderState::Completed
        | OrderState::Cancelled
        | OrderState::Unserved
        | OrderState::Expired => false,
    }
}
