//! Beckn: what the BAP asks and what it is told, in terms of the domain; the dialects translate.
//!
//! One folder a version, each a pure translation between JSON and the types here. Nothing outside a
//! dialect's folder knows a Beckn field name.

pub mod json;

pub mod v0_9;

use tripline_protocol::id::OrderId;
use tripline_protocol::unit::Timestamp;

use crate::domain::catalog::Serviceable;
use crate::domain::effect::Phase;
use crate::domain::live::LivePosition;
use crate::domain::order::{Conversation, Order, Rider, Route};
use crate::domain::payment::PaymentTerms;

/// A request, as far as its dialect could make sense of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Who says it is asking, as [`normalized_id`](crate::network::subscriber::normalized_id) makes it; must
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
    /// Digest of what is asked, whatever the frame around it, the order of its fields and its blanks.
    pub digest: Vec<u8>,
    /// When it was sent, by the sender's clock.
    pub sent_at: Timestamp,
    /// How long after that somebody waits for the answer, in ms; `None` if that is not said.
    pub ttl_ms: Option<i64>,
    /// Where and how to answer.
    pub conversation: Conversation,
    /// What is asked.
    pub request: Request,
}

/// What a BAP asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// What do you offer on this route?
    Search {
        /// The route.
        route: Route,
    },
    /// What would this item cost?
    Select {
        /// The item.
        item_id: String,
        /// The route, with its drop.
        route: Route,
    },
    /// On which terms?
    Init {
        /// What was selected.
        selection: Selection,
        /// Who rides.
        rider: Option<Rider>,
        /// How it is paid, if that is said.
        payment: Option<PaymentTerms>,
    },
    /// Book it.
    Confirm {
        /// What was initialized.
        selection: Selection,
        /// Who rides, if it was not said before.
        rider: Option<Rider>,
        /// How it is paid, if that is said.
        payment: Option<PaymentTerms>,
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
    },
}

impl Request {
    /// What is asked for.
    pub const fn action(&self) -> Action {
        match self {
            Self::Search { .. } => Action::Search,
            Self::Select { .. } => Action::Select,
            Self::Init { .. } => Action::Init,
            Self::Confirm { .. } => Action::Confirm,
            Self::Status { .. } => Action::Status,
            Self::Track { .. } => Action::Track,
        }
    }
}

/// How a request names the order it goes on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// By the order's id.
    Order(OrderId),
    /// By the fulfillment's id.
    Fulfillment(String),
    /// Not at all: item and route are said again.
    Anew {
        /// The item.
        item_id: String,
        /// The route, with its drop.
        route: Route,
    },
}

/// What a BAP is told, as a callback.
#[derive(Debug, Clone, Copy)]
pub enum Reply<'a> {
    /// The answer to a search.
    Catalog(&'a Serviceable),
    /// The answer to a selection.
    Quoted(&'a Order),
    /// The answer to an initialization.
    Initialized(&'a Order),
    /// The answer to a confirmation.
    Confirmed(&'a Order),
    /// Where an order stands: asked for, or pushed.
    Status(&'a Order, Option<Phase>),
    /// Fare or payment changed.
    Updated(&'a Order),
    /// The ride was called off.
    Cancelled(&'a Order),
    /// Where the vehicle is.
    Tracking {
        /// The link for the rider.
        url: &'a str,
        /// The newest position; `None` outside a ride, or while none is known.
        position: Option<&'a LivePosition>,
        /// Whether a ride is under way.
        active: bool,
    },
    /// A request cannot be carried out.
    Failed(Action, &'a Failure),
}

/// What may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Search.
    Search,
    /// Select.
    Select,
    /// Init.
    Init,
    /// Confirm.
    Confirm,
    /// Status.
    Status,
    /// Track.
    Track,
}

impl Action {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Search, Self::Select, Self::Init, Self::Confirm, Self::Status, Self::Track];

    /// Its name, the same in every version of Beckn.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Select => "select",
            Self::Init => "init",
            Self::Confirm => "confirm",
            Self::Status => "status",
            Self::Track => "track",
        }
    }

    /// The action of this name, if it is served.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.code() == code)
    }

    /// Whether it changes nothing: it may be asked again under the same message id.
    pub const fn is_read(self) -> bool {
        match self {
            Self::Search | Self::Status | Self::Track => true,
            Self::Select | Self::Init | Self::Confirm => false,
        }
    }

    /// Whether its answer tells of a booking.
    pub const fn is_of_booking(self) -> bool {
        match self {
            Self::Confirm | Self::Status => true,
            Self::Search | Self::Select | Self::Init | Self::Track => false,
        }
    }
}

/// Why a well-formed request cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// In words.
    pub message: String,
}

/// Kinds of failure; each dialect has its codes for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The quote does not hold any more.
    QuoteGone,
    /// No driver is free.
    NoDriver,
    /// Not possible where the order stands, or something is missing.
    Impossible,
}

/// A request that is refused at once, with a NACK, and has no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What is wrong with it.
    pub kind: FaultKind,
    /// Path of the offending field, where there is one.
    pub path: Option<String>,
    /// In words.
    pub message: String,
}

/// Kinds of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Not JSON, or not one that is read in one way only.
    Json,
    /// The frame around the request.
    Context,
    /// The request itself.
    Schema,
    /// An action not served here.
    UnknownAction,
    /// No such item.
    UnknownItem,
    /// No such fulfillment.
    UnknownFulfillment,
    /// No such order, or somebody else's.
    UnknownOrder,
    /// A search we do not serve.
    NotServed,
    /// A message id used again for something else.
    MessageIdReused,
    /// Nobody waits for the answer any more.
    Stale,
    /// It is not known who sent it.
    Unsigned,
    /// It is not known which gateway passed it on.
    GatewayUnsigned,
    /// More than the sender may send.
    TooOften,
    /// A body larger than any.
    TooLarge,
    /// A body that did not come in its time, or not whole.
    TooSlow,
    /// A body that is encoded, compressed for instance.
    Encoding,
    /// We cannot take it in now.
    Overload,
    /// We cannot take in any for some time.
    Unavailable,
}

impl FaultKind {
    /// Its stable code, for what is counted and logged.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Json => "bad-json",
            Self::Context => "bad-context",
            Self::Schema => "bad-message",
            Self::UnknownAction => "unknown-action",
            Self::UnknownItem => "unknown-item",
            Self::UnknownFulfillment => "unknown-fulfillment",
            Self::UnknownOrder => "unknown-order",
            Self::NotServed => "not-served",
            Self::MessageIdReused => "message-id-reused",
            Self::Stale => "stale",
            Self::Unsigned => "unsigned",
            Self::GatewayUnsigned => "gateway-unsigned",
            Self::TooOften => "too-often",
            Self::TooLarge => "too-large",
            Self::TooSlow => "too-slow",
            Self::Encoding => "encoding",
            Self::Overload => "overload",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Fault {
    /// A fault of no field in particular.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, path: None, message: message.into() }
    }

    /// A fault of the field at this path.
    pub fn at(kind: FaultKind, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, path: Some(path.into()), message: message.into() }
    }
}

/// What the operator is on the network, for what is written into every callback.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Our subscriber id.
    pub subscriber_id: String,
    /// Our registered address.
    pub uri: String,
    /// Address under which receipts are served, without a slash at the end.
    pub receipts: String,
    /// The network domains we serve; any if there are none.
    pub domains: Vec<String>,
}

/// A callback ready to be stored: its bytes never change any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Last part of the URL.
    pub action: &'static str,
    /// The whole URL.
    pub url: String,
    /// The body.
    pub body: Vec<u8>,
    /// Whether it tells of a booking or of its change: that is to be known however late.
    pub of_booking: bool,
}

/// Renders a reply in the dialect of its conversation. `message_id` is fresh for what the BAP did not
/// ask for, and `None` for answers, which carry the request's.
pub fn render(
    identity: &Identity,
    conversation: &Conversation,
    reply: Reply<'_>,
    message_id: Option<&str>,
    at: Timestamp,
) -> Result<Rendered, String> {
    v0_9::render(identity, conversation, reply, message_id, at)
}
