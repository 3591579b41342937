//! An order with everything that hangs on it: the quote, the rider, the offers, the trip, the fare.

use serde::{Deserialize, Serialize};
use tripline_protocol::assignment::{AssignmentState, Place};
use tripline_protocol::fare::{Fare, Settlement};
use tripline_protocol::fix::FixStamp;
use tripline_protocol::id::{AssignmentId, DeviceId, DriverId, OrderId, TripId};
use tripline_protocol::machine::{Machine as _, Refused};
use tripline_protocol::meter::Meter;
use tripline_protocol::order::{OrderEvent, OrderState};
use tripline_protocol::terms::Terms;
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::{Paise, Timestamp};

use super::effect::Phase;

/// How long a quote holds, in ms.
pub const QUOTE_MS: i64 = 10 * 60_000;

/// How soon a driver is looked for again when nobody was free, in ms.
pub const LOOK_AGAIN_MS: i64 = 2_000;

/// From where to where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where the rider waits.
    pub pickup: Place,
    /// Where the rider goes; a search may leave it open.
    pub drop: Option<Place>,
}

/// Who rides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rider {
    /// Name as given by the BAP.
    pub name: String,
    /// Phone as given by the BAP.
    pub phone: String,
}

/// Who drives, in what: the fleet's record at the time of the offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vehicle {
    /// The device it carries.
    pub device: DeviceId,
    /// Registration plate.
    pub registration: String,
    /// Category, in the operator's words.
    pub category: String,
    /// Who made it.
    #[serde(default)]
    pub make: Option<String>,
    /// The model.
    #[serde(default)]
    pub model: Option<String>,
    /// The colour.
    #[serde(default)]
    pub color: Option<String>,
    /// Who drives: whoever is signed in on the device, else the vehicle's standing driver.
    #[serde(default)]
    pub driver: Option<DriverId>,
    /// The driver's name; empty if nobody drives.
    pub driver_name: String,
    /// The driver's phone; empty if nobody drives.
    pub driver_phone: String,
}

/// Where to answer and push: written and read by the dialect the order came in, opaque to the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Conversation(pub String);

/// One offer of the order to one vehicle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The assignment.
    pub id: AssignmentId,
    /// The trip it becomes.
    pub trip: TripId,
    /// To whom.
    pub vehicle: Vehicle,
    /// Where it stands.
    pub state: AssignmentState,
    /// When it ends unless answered.
    pub expires_at: Timestamp,
}

/// What the vehicle did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// Its id.
    pub id: TripId,
    /// Who drives.
    pub vehicle: Vehicle,
    /// Where it stands.
    pub state: TripState,
    /// The phase the rider's platform was last told.
    pub phase: Phase,
    /// When that phase began, by the device's clock. Never goes back.
    pub phase_at: Timestamp,
    /// The meter over the events received.
    pub meter: Meter,
    /// The fix at the start.
    pub start_fix: Option<FixStamp>,
    /// The fix at the stop.
    pub stop_fix: Option<FixStamp>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

/// A contradiction that a person has to look at. What the rider's platform was told stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// When it was found.
    pub at: Timestamp,
    /// What.
    pub what: String,
}

/// Most cases kept with an order; a device that misbehaves does not make an order grow without bound.
pub const CASES_MAX: usize = 20;

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its id, told to the BAP at `init`.
    pub id: OrderId,
    /// The fulfillment's id, told at `select`.
    pub fulfillment_id: String,
    /// Who booked: the BAP's subscriber id.
    pub subscriber_id: String,
    /// Where it stands.
    pub state: OrderState,
    /// The item.
    pub item_id: String,
    /// From where to where; the drop is always set.
    pub route: Route,
    /// Tariff, estimate and all that the fare depends on beside the ride, fixed with the quote.
    pub terms: Terms,
    /// The quoted fare.
    pub quote: Fare,
    /// Until when the quote holds.
    pub quote_expires_at: Timestamp,
    /// Who rides, from `init` on.
    pub rider: Option<Rider>,
    /// The OTP the rider tells the driver, from `confirm` on.
    pub otp: Option<String>,
    /// Until when a driver is looked for, from `confirm` on.
    pub search_until: Option<Timestamp>,
    /// Every offer made, the last one last.
    pub offers: Vec<Offer>,
    /// What the vehicle did, once a driver accepted.
    pub trip: Option<Trip>,
    /// What the rider is charged, once the trip ended.
    pub settlement: Option<Settlement>,
    /// What the driver collected.
    pub collected: Option<Paise>,
    /// Why it was called off.
    pub cancel_reason: Option<String>,
    /// Contradictions for the operator.
    pub cases: Vec<Case>,
    /// Where to answer.
    pub conversation: Conversation,
    /// The capability under which the rider's link shows the vehicle.
    pub track_token: String,
    /// How many callbacks were written for this order.
    pub callbacks: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed. Never goes back.
    pub updated_at: Timestamp,
}

/// What is needed to make an order out of a `select`.
#[derive(Debug, Clone)]
pub struct NewOrder {
    /// Fresh.
    pub id: OrderId,
    /// Fresh.
    pub fulfillment_id: String,
    /// Fresh and unguessable.
    pub track_token: String,
    /// The BAP.
    pub subscriber_id: String,
    /// The item.
    pub item_id: String,
    /// The route, with its drop.
    pub route: Route,
    /// The terms.
    pub terms: Terms,
    /// Where to answer.
    pub conversation: Conversation,
}

impl Order {
    /// A quoted order.
    pub fn quote(new: NewOrder, at: Timestamp) -> Self {
        Self {
            id: new.id,
            fulfillment_id: new.fulfillment_id,
            subscriber_id: new.subscriber_id,
            state: OrderState::INITIAL,
            item_id: new.item_id,
            route: new.route,
            quote: new.terms.estimated(),
            terms: new.terms,
            quote_expires_at: at.plus_ms(QUOTE_MS),
            rider: None,
            otp: None,
            search_until: None,
            offers: Vec::new(),
            trip: None,
            settlement: None,
            collected: None,
            cancel_reason: None,
            cases: Vec::new(),
            conversation: new.conversation,
            track_token: new.track_token,
            callbacks: 0,
            created_at: at,
            updated_at: at,
        }
    }

    /// Moves the order on, or says why it cannot.
    pub(super) fn advance(&mut self, event: OrderEvent) -> Result<(), Refused> {
        self.state = self.state.next(event)?;
        Ok(())
    }

    /// Notes a change at `at`; the time of change never goes back.
    pub fn touch(&mut self, at: Timestamp) {
        self.updated_at = self.updated_at.max(at);
    }

    /// Notes a contradiction for the operator.
    pub(super) fn open_case(&mut self, what: String, at: Timestamp) {
        if self.cases.len() < CASES_MAX {
            self.cases.push(Case { at, what });
        }
    }

    /// The offer that waits for an answer.
    pub fn open_offer(&self) -> Option<&Offer> {
        self.offers.last().filter(|offer| offer.state == AssignmentState::Offered)
    }

    /// When something is to be done about the order if nothing happens.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.state {
            OrderState::Quoted | OrderState::Initialized => return Some(self.quote_expires_at),
            OrderState::Confirmed => {}
            OrderState::Active
            | OrderState::Completed
            | OrderState::Cancelled
            | OrderState::Unserved
            | OrderState::Expired => return None,
        }
        let offer = self.open_offer().map(|offer| offer.expires_at);
        match (offer, self.search_until) {
            (Some(offer), Some(search)) => Some(offer.min(search)),
            // Nobody could be asked: look again soon, until the search ends.
            (None, search) => search.map(|at| at.min(self.updated_at.plus_ms(LOOK_AGAIN_MS))),
            (offer, None) => offer,
        }
    }

    /// The fare as it stands: charged once settled, the quote before.
    pub fn fare(&self) -> &Fare {
        self.settlement.as_ref().map_or(&self.quote, |settlement| &settlement.charged)
    }

    /// Whether the rider may see the vehicle: from assignment to end.
    pub fn is_trackable(&self) -> bool {
        self.state == OrderState::Active
            && self.trip.as_ref().is_some_and(|trip| !trip.state.is_terminal())
    }
}
