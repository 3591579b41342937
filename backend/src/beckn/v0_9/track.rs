//! `track`: where is the vehicle?

use serde_json::{Value, json};
use tripline_protocol::unit::Timestamp;

use super::codes::{TRACKING_ACTIVE, TRACKING_INACTIVE};
use super::fields::{text, time};
use super::status::order_id;
use crate::beckn::{Fault, Request};
use crate::domain::live::LivePosition;

pub(super) fn parse(body: &Value) -> Result<Request, Fault> {
    Ok(Request::Track {
        order_id: order_id(body, "/message/order_id")?,
        callback_url: text(body, "/message/callback_url")?.map(str::to_owned),
    })
}

/// `location` is an extension of ours: core 0.9.4 has only the link and its status.
pub(super) fn answer(
    url: &str,
    position: Option<&LivePosition>,
    active: bool,
    at: Timestamp,
) -> Value {
    let mut tracking = json!({
        "url": url,
        "status": if active { TRACKING_ACTIVE } else { TRACKING_INACTIVE },
        "content_type": "application/json",
    });
    if let Some(seen) = position.filter(|_| active) {
        tracking["location"] = json!({
            "gps": seen.live.position.to_string(),
            "time": { "timestamp": time(seen.live.at) },
            "age_ms": seen.age_ms(at),
        });
    }
    json!({ "tracking": tracking })
}
