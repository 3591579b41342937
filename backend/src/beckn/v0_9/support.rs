//! `support`: whom to ask for help.

use serde_json::Value;

use super::fields::required;
use crate::beckn::{Fault, Request};

pub(super) fn parse(body: &Value) -> Result<Request, Fault> {
    Ok(Request::Support { of: required(body, "/message/ref_id")?.into() })
}
