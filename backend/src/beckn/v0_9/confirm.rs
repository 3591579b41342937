//! `confirm`: book it.

use serde_json::Value;

use super::booking::{details, named, no_order, price};
use crate::beckn::{Fault, Request};

pub(super) fn parse(body: &Value) -> Result<Request, Fault> {
    // A booking goes on with an order; it makes none.
    let Some(selection) = named(body)? else {
        return Err(no_order("message.order.id"));
    };
    let details = details(body)?;
    Ok(Request::Confirm { selection, details, price: price(body)? })
}
