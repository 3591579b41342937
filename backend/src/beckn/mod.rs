//! Beckn: what the BAP asks and what it is told, in terms of the domain; the dialects translate.
//!
//! One folder a version, each a pure translation between JSON and the types here. Nothing outside a
//! dialect's folder knows a Beckn field name.

pub mod json;

mod action;
mod fault;
mod reply;
mod request;

pub mod v0_9;

use tripline_protocol::unit::Timestamp;

use crate::domain::catalog::Offered;
use crate::domain::order::Conversation;

// The one dialect there is: whoever is around knows it by these names alone.
pub use v0_9::codes::{callback, callback_label, callbacks, is_of_booking};
pub use v0_9::{
    Answer, FormProblem, Mismatch, Refusal, ack, check_parties, form_refused, form_taken, located,
    nack, parse, parse_answer, schema,
};

pub use action::Action;
pub use fault::{Failure, FailureKind, Fault, FaultKind};
pub use reply::{Change, Reply};
pub use request::{
    CancelReason, Choice, Details, Rate, Received, Request, Search, Selection, Target, Update,
};

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
    /// Whether pauses of a ride and their ends are told, as states of our own.
    pub tell_pauses: bool,
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

/// How many answers the request of a conversation may have. What is pushed is none of them.
pub fn answers_max(conversation: &Conversation) -> Result<u32, String> {
    v0_9::answers_max(conversation)
}

/// Whether what is offered is listed with all of these properties, by name and value.
pub fn is_listed_with(offered: &Offered, properties: &[(String, String)]) -> bool {
    v0_9::is_listed_with(offered, properties)
}
