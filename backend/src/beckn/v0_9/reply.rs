//! Answers and callbacks: the domain's terms to JSON.

use serde_json::{Value, json};
use tripline_protocol::unit::Timestamp;

use super::catalog::catalog;
use super::codes::{
    ACK, NACK, callback, failure, failure_path, fault as fault_code, is_of_booking,
};
use super::context::Context;
use super::order::{Extent, order};
use super::{cancel, rating, support, track, update};
use crate::beckn::{Action, Change, Failure, Fault, Identity, Rendered, Reply};
use crate::domain::effect::Phase;
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

/// How many answers the request of a conversation may have.
pub fn answers_max(conversation: &Conversation) -> Result<u32, String> {
    Ok(Context::from_conversation(conversation)?.answers_max())
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
        // The schema has them beside the context, published examples in the message.
        Content::Categories(categories) => {
            body["message"] = json!({ "rating_categories": categories });
            body["rating_categories"] = categories;
        }
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
    Categories(Value),
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
        Reply::Updated(of, change) => {
            let extent =
                if change == Change::Proposed { Extent::Proposal } else { Extent::Ride(None) };
            let order = self::order(identity, of, extent, at);
            let message = json!({ "order": order, "update_target": update::targets(change) });
            (callback(Action::Update), Content::Message(message))
        }
        Reply::Cancelled(of) => {
            (callback(Action::Cancel), order(of, Extent::Ride(Some(Phase::Cancelled))))
        }
        Reply::Tracking { url, position, active } => {
            (callback(Action::Track), Content::Message(track::answer(url, position, active, at)))
        }
        Reply::Rated { with_answers } => {
            (callback(Action::Rating), Content::Message(rating::acknowledged(with_answers)))
        }
        Reply::Support(contact) => {
            (callback(Action::Support), Content::Message(support::answer(contact)))
        }
        Reply::RatingCategories(categories) => (
            callback(Action::RatingCategories),
            Content::Categories(rating::categories(categories)),
        ),
        Reply::FeedbackForm(questions) => {
            (callback(Action::FeedbackForm), Content::Message(rating::feedback_form(questions)))
        }
        Reply::CancellationReasons(reasons) => {
            (callback(Action::CancellationReasons), Content::Message(cancel::reasons(reasons)))
        }
        Reply::Failed(action, failed) => (callback(action), Content::Error(error(failed))),
    }
}

fn error(failed: &Failure) -> Value {
    let (kind, code) = failure(failed.kind);
    let mut error = json!({ "type": kind, "code": code, "message": failed.message });
    if let Some(path) = failure_path(failed.kind) {
        error["path"] = json!(path);
    }
    error
}
