//! Requests: JSON to the domain's terms.

use serde_json::Value;
use tripline_protocol::signing;

use super::codes::fault_path;
use super::context::{Context, Wait};
use super::fields::fault;
use super::{cancel, confirm, init, rating, search, select, status, support, track, update};
use crate::beckn::json::{self, JsonFault};
use crate::beckn::{Action, Fault, FaultKind, Received, Request};
use crate::network::subscriber::normalized_id;

/// Reads the body of a request that came to `action`.
pub fn parse(action: &str, body: &[u8]) -> Result<Received, Fault> {
    let served = Action::from_code(action).ok_or_else(|| {
        let served = Action::ALL.map(Action::code).join(", ");
        let message = format!("this action is not served here; served are {served}");
        Fault::new(FaultKind::UnknownAction, message)
    })?;
    let body = json::parse(body).map_err(json_fault)?;
    let (context, Wait { sent_at, ttl_ms }) = Context::parse(&body, action)?;
    let (bpp_id, bpp_uri) = Context::addressee(&body)?;
    let message = body.get("message").filter(|message| message.is_object());
    if message.is_none() && !has_no_message(served) {
        return Err(fault("message", "must be an object"));
    }
    let digest = message.map(Value::to_string).unwrap_or_default();
    Ok(Received {
        bap_id: normalized_id(&context.bap_id),
        bap_uri: context.bap_uri.clone(),
        bpp_id: bpp_id.as_deref().map(normalized_id),
        bpp_uri,
        domain: context.domain.clone(),
        message_id: context.message_id.clone(),
        transaction_id: context.transaction_id.clone(),
        answers_max: context.answers_max(),
        // Written anew: keys in order, no blanks, numbers by their value (1.0 is 1.00, but not 1).
        digest: signing::digest(digest.as_bytes()).into_bytes(),
        sent_at,
        ttl_ms,
        conversation: context.to_conversation(),
        request: request(served, &body)?,
    })
}

fn json_fault(fault: JsonFault) -> Fault {
    let message = fault.to_string();
    match fault {
        JsonFault::Duplicate { path } => Fault::at(FaultKind::Json, path, message),
        JsonFault::ByteOrderMark
        | JsonFault::Empty
        | JsonFault::NotUtf8 { .. }
        | JsonFault::Syntax { .. }
        | JsonFault::Depth
        | JsonFault::Nodes => Fault::new(FaultKind::Json, message),
    }
}

/// The same fault with the field it is about, where its kind says which.
pub fn located(fault: Fault, action: Action) -> Fault {
    let path = fault.path.or_else(|| fault_path(fault.kind, action).map(str::to_owned));
    Fault { path, ..fault }
}

fn request(action: Action, body: &Value) -> Result<Request, Fault> {
    match action {
        Action::Search => search::parse(body),
        Action::Select => select::parse(body),
        Action::Init => init::parse(body),
        Action::Confirm => confirm::parse(body),
        Action::Status => status::parse(body),
        Action::Track => track::parse(body),
        Action::Cancel => cancel::parse(body),
        Action::Update => update::parse(body),
        Action::Rating => rating::parse(body),
        Action::Support => support::parse(body),
        Action::CancellationReasons => Ok(Request::CancellationReasons),
        Action::RatingCategories => Ok(Request::RatingCategories),
        Action::FeedbackForm => rating::parse_feedback_form(body),
    }
}

/// Whether a request is nothing but its context.
const fn has_no_message(action: Action) -> bool {
    matches!(action, Action::CancellationReasons | Action::RatingCategories)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(message: &str) -> Vec<u8> {
        let context = r#"{"domain":"d","country":"IND","city":"std:080","action":"track",
            "core_version":"0.9.4","bap_id":"b","bap_uri":"http://b","transaction_id":"t",
            "message_id":"m","timestamp":"2026-01-01T00:00:00Z"}"#;
        let body = format!("{{\"context\":{context},\"message\":{message}}}");
        parse("track", body.as_bytes()).expect("good").digest
    }

    #[test]
    fn a_digest_is_of_what_is_asked_and_not_of_how_it_is_written() {
        let of = |more: &str| {
            digest(&format!(r#"{{"order_id":"6743e9e2-4fb5-487c-92b7-13ba8018f176",{more}}}"#))
        };
        let one = of(r#""a":{"b":1.0,"c":["x","y"]}"#);
        for same in [
            r#""a":{"c":["x","y"],"b":1.0}"#,
            "\"a\" : {\r\n \"b\":1.00 , \"c\":[\"x\" ,\"\\u0079\"]}",
            r#""a":{"b":10e-1,"c":["x","y"]}"#,
        ] {
            assert_eq!(of(same), one, "{same}");
        }
        for other in [
            r#""a":{"b":1,"c":["x","y"]}"#,
            r#""a":{"b":1.0,"c":["y","x"]}"#,
            r#""a":{"b":1.0,"c":["x","y"],"d":null}"#,
        ] {
            assert_ne!(of(other), one, "{other}");
        }
    }
}
