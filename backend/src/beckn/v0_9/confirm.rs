//! `confirm`: book it.

use serde_json::Value;

use super::booking::{details, price, selection};
use crate::beckn::{Fault, Request};

pub(super) fn parse(body: &Value) -> Result<Request, Fault> {
    let (selection, details) = (selection(body)?, details(body)?);
    Ok(Request::Confirm { selection, details, price: price(body)? })
}
