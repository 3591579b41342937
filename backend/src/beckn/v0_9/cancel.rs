//! `cancel`: call it off; and why that may be.

use serde_json::{Value, json};

use super::fields::{text, words};
use super::status::order_id;
use crate::beckn::{CancelReason, Fault, Request};
use crate::domain::reason::CancellationReason;

/// A published example has the order's id within `order`.
pub(super) fn parse(body: &Value) -> Result<Request, Fault> {
    let within =
        body.pointer("/message/order_id").is_none() && body.pointer("/message/order/id").is_some();
    let pointer = if within { "/message/order/id" } else { "/message/order_id" };
    let id = match body.pointer("/message/cancellation_reason_id") {
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => text(body, "/message/cancellation_reason_id")?.map(str::to_owned),
    };
    let words = match words(body, "/message/descriptor/short_desc")? {
        Some(words) => Some(words),
        None => words(body, "/message/descriptor/name")?,
    };
    let reason = CancelReason { id, words };
    Ok(Request::Cancel { order_id: order_id(body, pointer)?, reason })
}

pub(super) fn reasons(reasons: &[CancellationReason]) -> Value {
    let reasons: Vec<_> = reasons
        .iter()
        .map(|reason| json!({ "id": reason.id, "descriptor": { "name": reason.words } }))
        .collect();
    json!({ "cancellation_reasons": reasons })
}
