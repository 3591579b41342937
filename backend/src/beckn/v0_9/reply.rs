//! Answers and callbacks: the domain's terms to JSON.

use serde_json::{Value, json};
use tripline_protocol::unit::Timestamp;

use super::catalog::catalog;
use super::codes::{
    ACK, NACK, ON_CANCEL, ON_UPDATE, callback, failure, fault as fault_code, is_of_booking,
};
use super::context::Context;
use super::fields::time;
use super::order::{Extent, order};
use crate::beckn::{Action, Failure, Fault, Identity, Rendered, Reply};
use crate::domain::effect::Phase;
use crate::domain::live::LivePosition;
use crate::domain::order::Conversation;
use crate::network::subscriber::normalized_url;

/// The answer to a request that was stored.
pub fn ack() -> Value {
    json!({ "message": { "ack": { "status": ACK } } })
}

/// The answer to a request that was refused, with the reason.
pub fn nack(fault: &Fault) -> Value {
    let (kind, code) = fault_code(fault.kind);
    let mut error = json!({ "type": kind, "code": code, "message": fault.message });
    if let Some(path) = &fault.path {
        error["path"] = json!(path);
    }
    json!({ "message": { "ack": { "status": NACK } }, "error": error })
}

/// Renders a callback.
pub fn render(
    identity: &Identity,
    conversation: &Conversation,
    reply: Reply<'_>,
    message_id: Option<&str>,
    at: Timestamp,
) -> Result<Rendered, String> {
    let context = Context::from_conversation(conversation)?;
    let (action, content) = content(identity, reply, at);
    let message_id = message_id.unwrap_or(&context.message_id);
    let mut body = json!({ "context": context.callback(identity, action, message_id, at) });
    match content {
        Content::Message(message) => body["message"] = message,
        Content::Error(error) => body["error"] = error,
    }
    Ok(Rendered {
        action,
        url: format!("{}/{action}", normalized_url(&context.bap_uri)),
        body: body.to_string().into_bytes(),
        of_booking: is_of_booking(action),
    })
}

enum Content {
    Message(Value),
    Error(Value),
}

fn content(identity: &Identity, reply: Reply<'_>, at: Timestamp) -> (&'static str, Content) {
    let order = |of, extent| Content::Message(json!({ "order": order(identity, of, extent, at) }));
    match reply {
        Reply::Catalog(serviceable) => (
            callback(Action::Search),
            Content::Message(json!({ "catalog": catalog(identity, serviceable) })),
        ),
        Reply::Quoted(of) => (callback(Action::Select), order(of, Extent::Quote)),
        Reply::Initialized(of) => (callback(Action::Init), order(of, Extent::Terms)),
        Reply::Confirmed(of) => {
            (callback(Action::Confirm), order(of, Extent::Ride(Some(Phase::Assigned))))
        }
        Reply::Status(of, phase) => (callback(Action::Status), order(of, Extent::Ride(phase))),
        Reply::Updated(of) => (ON_UPDATE, order(of, Extent::Ride(None))),
        Reply::Cancelled(of) => (ON_CANCEL, order(of, Extent::Ride(Some(Phase::Cancelled)))),
        Reply::Tracking { url, position, active } => {
            (callback(Action::Track), Content::Message(tracking(url, position, active)))
        }
        Reply::Failed(action, failed) => (callback(action), Content::Error(error(failed))),
    }
}

fn error(failed: &Failure) -> Value {
    let (kind, code) = failure(failed.kind);
    json!({ "type": kind, "code": code, "message": failed.message })
}

/// `location` is an extension of ours: core 0.9.4 has only the link and its status.
fn tracking(url: &str, position: Option<&LivePosition>, active: bool) -> Value {
    let mut tracking = json!({
        "url": url,
        "status": if active { "active" } else { "inactive" },
        "content_type": "application/json",
    });
    if let Some(seen) = position.filter(|_| active) {
        tracking["location"] = json!({
            "gps": seen.live.position.to_string(),
            "time": { "timestamp": time(seen.live.at) },
        });
    }
    json!({ "tracking": tracking })
}
