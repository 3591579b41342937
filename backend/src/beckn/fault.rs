//! Why a request is refused: at once, or in its answer.

use crate::domain::order::Detail;

/// Why a well-formed request cannot be carried out: told in its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// In words.
    pub message: String,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// Kinds of failure; each dialect has its codes for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The quote does not hold any more, or is not the one that was given.
    QuoteGone,
    /// No driver is free.
    NoDriver,
    /// Not possible where the order stands.
    Impossible,
    /// A detail is missing.
    Missing(Detail),
    /// There is no such promotion, or not for this ride.
    UnknownPromotion,
    /// More of an item than there is.
    Quantity,
    /// It cannot be called off any more.
    NotCancellable,
    /// There is no such reason to call a ride off.
    UnknownReason,
    /// It cannot be changed any more, or not so.
    NotChangeable,
    /// What is to be changed is nothing that can be.
    UnknownTarget,
    /// More is changed than is said.
    Inconsistent,
    /// There is nothing of that name to rate, or not yet.
    NothingToRate,
    /// It was rated before.
    RatedBefore,
    /// The rating is no value that can be given.
    BadRating,
    /// Nobody rates that here.
    UnknownRatingCategory,
    /// There is no help for that.
    NoSupport,
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
    /// No such provider, or not the item's.
    UnknownProvider,
    /// No such item.
    UnknownItem,
    /// No such fulfillment.
    UnknownFulfillment,
    /// No such order, or somebody else's.
    UnknownOrder,
    /// A search we do not serve.
    NotServed,
    /// No such promotion, or not for this ride.
    UnknownPromotion,
    /// The ride is to be later than rides are booked ahead.
    TooFarAhead,
    /// More of an item than one.
    Quantity,
    /// It is not said where the ride goes.
    DropMissing,
    /// Something is offered there, and not what a search asks for.
    NoMatch,
    /// A way to pay that is not taken.
    Payment,
    /// A form is required first.
    FormMissing,
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
            Self::UnknownProvider => "unknown-provider",
            Self::UnknownItem => "unknown-item",
            Self::UnknownFulfillment => "unknown-fulfillment",
            Self::UnknownOrder => "unknown-order",
            Self::NotServed => "not-served",
            Self::UnknownPromotion => "unknown-promotion",
            Self::TooFarAhead => "too-far-ahead",
            Self::Quantity => "quantity",
            Self::DropMissing => "drop-missing",
            Self::NoMatch => "no-match",
            Self::Payment => "payment",
            Self::FormMissing => "form-missing",
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
