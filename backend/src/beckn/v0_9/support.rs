//! `support`: whom to ask for help.

use serde_json::{Value, json};

use super::fields::required;
use crate::beckn::{Fault, Request};
use crate::domain::support::Support;

pub(super) fn parse(body: &Value) -> Result<Request, Fault> {
    Ok(Request::Support { of: required(body, "/message/ref_id")?.into() })
}

/// The page stands in `uri`, as the schema has it, and in `url`, as published examples have it.
pub(super) fn answer(support: &Support) -> Value {
    let mut message = json!({});
    let fields = [
        ("phone", &support.phone),
        ("email", &support.email),
        ("uri", &support.url),
        ("url", &support.url),
    ];
    for (field, text) in fields {
        if let Some(text) = text {
            message[field] = json!(text);
        }
    }
    message
}
