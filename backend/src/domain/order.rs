//! An order with everything that hangs on it: the quote, the rider, the offers, the trip, the fare.

use serde::{Deserialize, Serialize};
use tripline_protocol::assignment::{AssignmentState, Place};
use tripline_protocol::fare::{Fare, Settlement};
use tripline_protocol::id::{AssignmentId, DeviceId, DriverId, OrderId, TripId};
use tripline_protocol::machine::{Machine as _, Refused};
use tripline_protocol::order::{OrderEvent, OrderState};
use tripline_protocol::terms::Terms;
use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use super::case::{Case, CaseKind, Cases};
use super::catalog::{Listing, VehicleWish};
use super::change::Proposal;
use super::fleet::coded;
use super::language::Language;
use super::payment::Payment;
use super::trip::Trip;

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
    /// When the rider wants to be picked up; at once if not said.
    #[serde(default)]
    pub pickup_at: Option<Timestamp>,
}

/// Who rides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rider {
    /// Name as given by the BAP; empty if it was not given yet.
    pub name: String,
    /// Phone as given by the BAP; empty if it was not given yet.
    pub phone: String,
}

/// What is known of who rides, as far as it was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RiderDetails {
    /// The name.
    pub name: Option<String>,
    /// The phone.
    pub phone: Option<String>,
}

/// A detail of the rider that a booking needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The name.
    RiderName,
    /// The phone.
    RiderPhone,
}

impl std::fmt::Display for Detail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RiderName => "the rider's name",
            Self::RiderPhone => "the rider's phone",
        })
    }
}

impl Rider {
    /// What is missing of this rider for a booking.
    pub fn missing(rider: Option<&Self>) -> Option<Detail> {
        let Some(Self { name, phone }) = rider else { return Some(Detail::RiderName) };
        if name.is_empty() {
            return Some(Detail::RiderName);
        }
        phone.is_empty().then_some(Detail::RiderPhone)
    }

    /// The rider with what is said now in place of what was said before; `None` if nothing ever was.
    pub fn with(before: Option<Self>, details: RiderDetails) -> Option<Self> {
        let RiderDetails { name, phone } = details;
        let (name_before, phone_before) =
            before.map(|before| (before.name, before.phone)).unwrap_or_default();
        let (name, phone) = (name.unwrap_or(name_before), phone.unwrap_or(phone_before));
        (!name.is_empty() || !phone.is_empty()).then_some(Self { name, phone })
    }
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
    /// The mean of the driver's ratings, in hundredths of a star; `None` if nobody rated them.
    #[serde(default)]
    pub driver_rating_centistars: Option<u16>,
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
    /// Whether it was taken back because the rider changed the ride: its vehicle may be asked again.
    #[serde(default)]
    pub outdated: bool,
}

/// Most trips kept of an order that their drivers called off, or that others drove in its name.
pub const PAST_TRIPS_MAX: usize = 8;

coded! {
    /// Who called an order off.
    CancelledBy {
        /// The rider.
        Rider => "rider",
        /// The driver.
        Driver => "driver",
        /// The operator.
        Operator => "operator",
        /// A rule of ours.
        Rule => "rule",
    }
}

/// That an order was called off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Who did.
    pub by: CancelledBy,
    /// Which operator, where one did.
    #[serde(default)]
    pub name: Option<String>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// What it costs the rider; a fare of nothing where it costs nothing.
    pub fare: Option<Fare>,
}

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
    /// The item and its provider, as they were offered.
    pub listing: Listing,
    /// From where to where; the drop is always set.
    pub route: Route,
    /// Tariff, estimate and all that the fare depends on beside the ride, fixed with the quote, or with the
    /// change that the rider accepted last.
    pub terms: Terms,
    /// The quoted fare.
    pub quote: Fare,
    /// Until when the quote holds.
    pub quote_expires_at: Timestamp,
    /// Who rides, from `init` on.
    pub rider: Option<Rider>,
    /// What the rider answered to the item's form.
    #[serde(default)]
    pub submission: Option<Uuid>,
    /// How it is paid.
    pub payment: Payment,
    /// The language that the rider reads, if it was said.
    #[serde(default)]
    pub language: Option<Language>,
    /// What vehicle the rider wants, beside the category.
    #[serde(default)]
    pub wish: VehicleWish,
    /// The vehicle that the quote names and that is held for it, if it names one.
    #[serde(default)]
    pub named: Option<Vehicle>,
    /// A change of the ride that the rider may accept.
    #[serde(default)]
    pub proposal: Option<Box<Proposal>>,
    /// How often the rider changed the ride.
    #[serde(default)]
    pub changes: u32,
    /// When the rider is to be picked up, of a ride that was booked ahead.
    #[serde(default)]
    pub pickup_at: Option<Timestamp>,
    /// The OTP the rider tells the driver, from `confirm` on.
    pub otp: Option<String>,
    /// Whether a driver who gave the ride up knows that OTP: the next is offered the ride with another.
    #[serde(default)]
    pub otp_spent: bool,
    /// From when on a driver is looked for, of a ride that was booked so far ahead that it waits.
    #[serde(default)]
    pub search_from: Option<Timestamp>,
    /// Until when a driver is looked for, from `confirm` on.
    pub search_until: Option<Timestamp>,
    /// Every offer made, the last one last. Several may be open.
    pub offers: Vec<Offer>,
    /// What the vehicle did, once a driver accepted.
    pub trip: Option<Trip>,
    /// Trips that are over for the order: called off by their drivers before the start, or driven by a vehicle
    /// that the order was not given to.
    #[serde(default)]
    pub past_trips: Vec<Trip>,
    /// What the rider is charged, once the trip ended. Never changes.
    pub settlement: Option<Settlement>,
    /// That it was called off.
    pub cancelled: Option<Cancelled>,
    /// Contradictions for the operator.
    pub cases: Cases,
    /// Where to answer.
    pub conversation: Conversation,
    /// The capability under which the rider's link shows the vehicle.
    pub track_token: String,
    /// The capability under which its receipt is shown.
    #[serde(default)]
    pub receipt_token: Option<String>,
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
    /// Fresh, unguessable, and not the other one.
    pub receipt_token: String,
    /// The BAP.
    pub subscriber_id: String,
    /// The item.
    pub item_id: String,
    /// The item and its provider.
    pub listing: Listing,
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
        let pickup_at = new.route.pickup_at.filter(|pickup_at| *pickup_at > at);
        Self {
            id: new.id,
            fulfillment_id: new.fulfillment_id,
            subscriber_id: new.subscriber_id,
            state: OrderState::INITIAL,
            item_id: new.item_id,
            listing: new.listing,
            route: new.route,
            quote: new.terms.estimated(),
            terms: new.terms,
            quote_expires_at: at.plus_ms(QUOTE_MS),
            rider: None,
            submission: None,
            payment: Payment::default(),
            language: None,
            wish: VehicleWish::default(),
            named: None,
            proposal: None,
            changes: 0,
            pickup_at,
            otp: None,
            otp_spent: false,
            search_from: None,
            search_until: None,
            offers: Vec::new(),
            trip: None,
            past_trips: Vec::new(),
            settlement: None,
            cancelled: None,
            cases: Cases::default(),
            conversation: new.conversation,
            track_token: new.track_token,
            receipt_token: Some(new.receipt_token),
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

    /// Notes a contradiction for the operator; of one kind and trip there is one open at a time.
    pub(super) fn open_case(
        &mut self,
        kind: CaseKind,
        trip: Option<TripId>,
        what: impl Into<String>,
        at: Timestamp,
    ) {
        self.cases.find_or_open(kind, trip, at, || what.into());
    }

    /// Notes that the rider asked for support. Of an order there is one such case open at a time, which counts how
    /// often; `false` if there is no room for one.
    pub fn ask_support(&mut self, what: &str, at: Timestamp) -> bool {
        let was_open = self.cases.iter().any(Case::is_open_support);
        let case = self.cases.find_or_open(CaseKind::Support, None, at, || what.to_owned());
        let Some(case) = case else { return false };
        if was_open {
            case.times = case.times.saturating_add(1);
            what.clone_into(&mut case.what);
        }
        self.touch(at);
        true
    }

    /// The offers that wait for an answer.
    pub fn open_offers(&self) -> impl Iterator<Item = &Offer> {
        self.offers.iter().filter(|offer| offer.state == AssignmentState::Offered)
    }

    /// Whether an offer waits for an answer.
    pub fn has_open_offer(&self) -> bool {
        self.open_offers().next().is_some()
    }

    /// Devices that were asked for the ride as it is; they are not asked again.
    pub fn asked(&self) -> impl Iterator<Item = &DeviceId> {
        self.offers.iter().filter(|offer| !offer.outdated).map(|offer| &offer.vehicle.device)
    }

    /// A trip of the order, the one that counts or one that is past.
    pub fn trip_of(&self, id: TripId) -> Option<&Trip> {
        self.trips().find(|trip| trip.id == id)
    }

    /// Every trip of the order, the one that counts first.
    pub fn trips(&self) -> impl Iterator<Item = &Trip> {
        self.trip.iter().chain(&self.past_trips)
    }

    pub(super) fn trip_mut(&mut self, id: TripId) -> Option<&mut Trip> {
        self.trip.iter_mut().chain(&mut self.past_trips).find(|trip| trip.id == id)
    }

    /// Whether this trip is the one that counts, and the order stands by it.
    pub(super) fn follows(&self, id: TripId) -> bool {
        self.state == OrderState::Active && self.trip.as_ref().is_some_and(|trip| trip.id == id)
    }

    /// When something is to be done about the order if nothing happens.
    pub fn due_at(&self) -> Option<Timestamp> {
        let of_trips = self.trips().filter(|trip| trip.is_live() || trip.held);
        let of_trips = of_trips.filter_map(|trip| trip.look_at).min();
        [self.search_due_at(), of_trips].into_iter().flatten().min()
    }

    /// When a driver is looked for if none is asked.
    fn look_again_at(&self) -> Timestamp {
        let again = self.updated_at.plus_ms(LOOK_AGAIN_MS);
        self.search_from.map_or(again, |from| again.max(from))
    }

    /// Whether it was booked so far ahead that the booking was confirmed before there was a driver.
    pub const fn is_scheduled(&self) -> bool {
        self.search_from.is_some()
    }

    fn search_due_at(&self) -> Option<Timestamp> {
        match self.state {
            OrderState::Quoted | OrderState::Initialized => return Some(self.quote_expires_at),
            OrderState::Confirmed => {}
            OrderState::Active
            | OrderState::Completed
            | OrderState::Cancelled
            | OrderState::Unserved
            | OrderState::Expired => return None,
        }
        let offer = self.open_offers().map(|offer| offer.expires_at).min();
        match (offer, self.search_until) {
            (Some(offer), Some(search)) => Some(offer.min(search)),
            // Nobody could be asked: look again soon, until the search ends.
            (None, search) => search.map(|until| until.min(self.look_again_at())),
            (offer, None) => offer,
        }
    }

    /// When it was over: its ride ended or was called off.
    pub fn ended_at(&self) -> Option<Timestamp> {
        let of_trip = self.trip.as_ref().and_then(|trip| trip.ended_at);
        let ended = self.state == OrderState::Completed;
        self.cancelled.as_ref().map(|cancelled| cancelled.at).or(of_trip.filter(|_| ended))
    }

    /// What the rider is charged: known once the ride ended or was called off.
    pub fn charged(&self) -> Option<&Fare> {
        let settled = self.settlement.as_ref().map(|settlement| &settlement.charged);
        settled.or_else(|| self.cancelled.as_ref()?.fare.as_ref())
    }

    /// The fare as it stands: charged once that is known, the quote before.
    pub fn fare(&self) -> &Fare {
        self.charged().unwrap_or(&self.quote)
    }

    /// Whether the rider may see the vehicle: from assignment to end.
    pub fn is_trackable(&self) -> bool {
        self.state == OrderState::Active && self.trip.as_ref().is_some_and(Trip::is_live)
    }
}
