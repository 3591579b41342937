//! `select`: what would this cost?

use serde_json::Value;

use super::booking::choice;
use crate::beckn::{Fault, Request};

pub(super) fn parse(body: &Value) -> Result<Request, Fault> {
    Ok(Request::Select(choice(body)?))
}
