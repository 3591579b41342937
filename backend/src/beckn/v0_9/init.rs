//! `init`: on which terms?

use serde_json::Value;

use super::booking::{details, selection};
use crate::beckn::{Fault, Request};

pub(super) fn parse(body: &Value) -> Result<Request, Fault> {
    Ok(Request::Init { selection: selection(body)?, details: details(body)? })
}
