//! `status`: where does it stand?

use serde_json::Value;
use tripline_protocol::id::OrderId;

use super::booking::no_order;
use super::fields::{dotted, required};
use crate::beckn::{Fault, Request};

pub(super) fn parse(body: &Value) -> Result<Request, Fault> {
    Ok(Request::Status { order_id: order_id(body, "/message/order_id")? })
}

/// The order that a request names.
pub(super) fn order_id(body: &Value, pointer: &str) -> Result<OrderId, Fault> {
    required(body, pointer)?.parse().map_err(|_| no_order(&dotted(pointer)))
}
