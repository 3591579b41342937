//! What a rider's platform asks, in terms of the domain.

use tripline_protocol::assignment::Place;
use tripline_protocol::id::OrderId;
use tripline_protocol::unit::{Paise, Timestamp};

use super::Action;
use crate::domain::catalog::{Filter, VehicleWish};
use crate::domain::language::Language;
use crate::domain::order::{Conversation, RiderDetails, Route};
use crate::domain::payment::PaymentTerms;
use crate::domain::rating::{Answer, RatingCategory, RatingValue};

/// A request, as far as its dialect could make sense of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Who says who is asking, as [`normalized_id`](crate::network::subscriber::normalized_id) makes it; must
    /// be the signer.
    pub bap_id: String,
    /// Where it wants its answer, as it is written; must be the signer's registered address.
    pub bap_uri: String,
    /// Whom it addresses, where it says so, normalised like `bap_id`.
    pub bpp_id: Option<String>,
    /// At which address, where it says so, as it is written.
    pub bpp_uri: Option<String>,
    /// In which network domain.
    pub domain: String,
    /// The message's id.
    pub message_id: String,
    /// The transaction's id. Published conversations change it midway: it says little.
    pub transaction_id: String,
    /// Digest of what is asked, whatever the frame around it, the order of its fields and its blanks.
    pub digest: Vec<u8>,
    /// When it was sent, by the sender's clock.
    pub sent_at: Timestamp,
    /// How long after that somebody waits for the answer, in ms; `None` if that is not said.
    pub ttl_ms: Option<i64>,
    /// How many answers it may have. What is pushed later is none of them.
    pub answers_max: u32,
    /// Where and how to answer.
    pub conversation: Conversation,
    /// What is asked.
    pub request: Request,
}

/// What a BAP asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// What do you offer on this route?
    Search(Search),
    /// What would this item cost?
    Select(Choice),
    /// On which terms?
    Init {
        /// What was selected.
        selection: Selection,
        /// Who rides, and how it is paid.
        details: Details,
    },
    /// Book it.
    Confirm {
        /// What was initialized.
        selection: Selection,
        /// Who rides, if it was not said before, and how it is paid.
        details: Details,
        /// The price that it is booked at, if it is said.
        price: Option<Paise>,
    },
    /// Where does it stand?
    Status {
        /// The order.
        order_id: OrderId,
    },
    /// Where is the vehicle?
    Track {
        /// The order.
        order_id: OrderId,
        /// Where positions are wanted, if that is said.
        callback_url: Option<String>,
    },
    /// Call it off.
    Cancel {
        /// The order.
        order_id: OrderId,
        /// Why.
        reason: CancelReason,
    },
    /// Change it.
    Update(Update),
    /// The rider's opinion.
    Rate(Rate),
    /// Whom can the rider ask for help?
    Support {
        /// The order, by its id or its fulfillment's.
        of: String,
    },
    /// Why can a ride be called off?
    CancellationReasons,
    /// What can be rated?
    RatingCategories,
    /// What is asked beside a rating?
    FeedbackForm {
        /// Of what; `None` if nobody rates that here.
        category: Option<RatingCategory>,
        /// The rating; `None` if it is none that can be given.
        value: Option<RatingValue>,
    },
}

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// From where, to where if that is said, and when.
    pub route: Route,
    /// What is looked for there.
    pub filter: Filter,
    /// The language that the rider reads, if it is said.
    pub language: Option<Language>,
}

/// An item on a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The item.
    pub item_id: String,
    /// Whose it is, if that is said.
    pub provider_id: Option<String>,
    /// How many, if that is said.
    pub count: Option<u64>,
    /// The route, with its drop.
    pub route: Route,
    /// What vehicle the rider wants, beside the category.
    pub vehicle: VehicleWish,
    /// Promotions that the rider takes up.
    pub promotions: Vec<String>,
    /// The filled-in form, if one is named, as it is written.
    pub submission: Option<String>,
    /// The language that the rider reads, if it is said.
    pub language: Option<Language>,
}

/// How a request names the order it goes on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// By the order's id.
    Order(OrderId),
    /// By the fulfillment's id.
    Fulfillment(String),
    /// Not at all: item and route are said again.
    Anew(Box<Choice>),
}

/// What a booking says beside what is booked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// Who rides, as far as it is said.
    pub rider: RiderDetails,
    /// How it is paid, if it is said.
    pub payment: Option<PaymentTerms>,
    /// Whether it is said to be paid.
    pub is_paid: bool,
    /// The pickup, if it is said.
    pub pickup: Option<Place>,
    /// The drop, if it is said.
    pub drop: Option<Place>,
    /// The filled-in form, if one is named, as it is written.
    pub submission: Option<String>,
    /// The language that the rider reads, if it is said.
    pub language: Option<Language>,
}

/// Why a rider calls a ride off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CancelReason {
    /// The reason's id in our list, if one is named.
    pub id: Option<String>,
    /// In words, if there are any.
    pub words: Option<String>,
}

/// What is to be changed about an order, and what the order is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The order.
    pub order_id: OrderId,
    /// What is to be changed.
    pub targets: Vec<Target>,
    /// The pickup, if it is said.
    pub pickup: Option<Place>,
    /// The drop, if it is said.
    pub drop: Option<Place>,
    /// How it is paid, if it is said.
    pub payment: Option<PaymentTerms>,
    /// Whether it is said to be paid.
    pub is_paid: bool,
    /// The price, if it is said.
    pub price: Option<Paise>,
    /// When the rider wants to be picked up, if it is said.
    pub pickup_at: Option<Timestamp>,
    /// The fulfillment, if it is said.
    pub fulfillment_id: Option<String>,
    /// The vehicle's category, if it is said.
    pub vehicle_category: Option<String>,
    /// Promotions, if there are any.
    pub promotions: Vec<String>,
    /// How many of the item, if it is said.
    pub count: Option<u64>,
    /// Who rides, as far as it is said.
    pub rider: RiderDetails,
    /// The item, if it is said.
    pub item_id: Option<String>,
    /// The provider, if it is said.
    pub provider_id: Option<String>,
}

/// What of an order is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Where the ride begins.
    Pickup,
    /// Where it ends.
    Drop,
    /// Pickup and drop.
    Route,
    /// How it is paid.
    Payment,
    /// The price: whoever says back a price that was told takes it.
    Price,
    /// Something that cannot be changed, as it is written.
    Other(String),
}

/// A rating.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// The ride, by its order's id or its fulfillment's.
    pub of: String,
    /// What of it is rated; `None` if nobody rates that here.
    pub category: Option<RatingCategory>,
    /// The rating; `None` if it is none that can be given.
    pub value: Option<RatingValue>,
    /// Answers to questions.
    pub answers: Vec<Answer>,
}

impl Request {
    /// What is asked for.
    pub const fn action(&self) -> Action {
        match self {
            Self::Search(_) => Action::Search,
            Self::Select(_) => Action::Select,
            Self::Init { .. } => Action::Init,
            Self::Confirm { .. } => Action::Confirm,
            Self::Status { .. } => Action::Status,
            Self::Track { .. } => Action::Track,
            Self::Cancel { .. } => Action::Cancel,
            Self::Update(_) => Action::Update,
            Self::Rate(_) => Action::Rating,
            Self::Support { .. } => Action::Support,
            Self::CancellationReasons => Action::CancellationReasons,
            Self::RatingCategories => Action::RatingCategories,
            Self::FeedbackForm { .. } => Action::FeedbackForm,
        }
    }

    /// The order that it goes on with, by its own id or its fulfillment's, as it is written.
    pub fn order(&self) -> Option<String> {
        match self {
            Self::Init { selection, .. } | Self::Confirm { selection, .. } => match selection {
                Selection::Order(id) => Some(id.to_string()),
                Selection::Fulfillment(id) => Some(id.clone()),
                Selection::Anew(_) => None,
            },
            Self::Status { order_id }
            | Self::Track { order_id, .. }
            | Self::Cancel { order_id, .. }
            | Self::Update(Update { order_id, .. }) => Some(order_id.to_string()),
            Self::Rate(Rate { of, .. }) | Self::Support { of } => Some(of.clone()),
            Self::Search(_)
            | Self::Select(_)
            | Self::CancellationReasons
            | Self::RatingCategories
            | Self::FeedbackForm { .. } => None,
        }
    }
}
