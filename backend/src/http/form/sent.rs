//! What was sent to a form's page: names and values, as a browser encodes them or as JSON.

use axum::http::HeaderMap;
use serde_json::Value;

use super::NONCE;
use super::body;
use crate::beckn::json;
use crate::beckn::{Fault, FaultKind};
use crate::domain::form::FIELDS_MAX;

/// Most names in a body. A form has fewer; what is more than that is nobody's answer.
const NAMES_MAX: usize = FIELDS_MAX + 24;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// What was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// The page's nonce, if it came.
    pub(super) nonce: Option<String>,
    /// Everything else, as it came.
    pub(super) fields: Vec<(String, String)>,
}

/// Reads a body of either kind.
pub(super) fn read(headers: &HeaderMap, bytes: &[u8]) -> Result<Sent, Fault> {
    let mut fields = match body::media_type(headers).as_deref() {
        Some(FORM) => encoded(bytes)?,
        Some(JSON) => object(bytes)?,
        Some(_) | None => {
            let message = format!("Content-Type must be {FORM} or {JSON}, in UTF-8");
            return Err(Fault::new(FaultKind::Encoding, message));
        }
    };
    let place = fields.iter().position(|(name, _)| name == NONCE);
    let nonce = place.map(|place| fields.remove(place).1);
    Ok(Sent { nonce, fields })
}

fn too_many() -> Fault {
    Fault::new(FaultKind::TooLarge, format!("there are more than {NAMES_MAX} fields"))
}

fn encoded(body: &[u8]) -> Result<Vec<(String, String)>, Fault> {
    let mut pairs = url::form_urlencoded::parse(body);
    let first = pairs.by_ref().take(NAMES_MAX);
    let fields = first.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    if pairs.next().is_some() { Err(too_many()) } else { Ok(fields) }
}

fn object(body: &[u8]) -> Result<Vec<(String, String)>, Fault> {
    let parsed = json::parse(body);
    let parsed = parsed.map_err(|error| Fault::new(FaultKind::Json, error.to_string()))?;
    let Value::Object(parsed) = parsed else {
        return Err(Fault::new(FaultKind::Json, "the body must be an object of fields"));
    };
    if parsed.len() > NAMES_MAX {
        return Err(too_many());
    }
    let mut fields = Vec::new();
    for (name, value) in parsed {
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Array(_) | Value::Object(_) => {
                let message = "a field must be a text, a number, true, false or null";
                return Err(Fault::new(FaultKind::Json, message));
            }
        };
        fields.push((name, value));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use axum::http::header::CONTENT_TYPE;

    use super::*;

    fn sent(media: &str, body: &str) -> Result<Sent, FaultKind> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, media.parse().expect("a value"));
        read(&headers, body.as_bytes()).map_err(|fault| fault.kind)
    }

    #[test]
    fn both_kinds_of_body_say_the_same() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected =
            Sent { nonce: Some("n".into()), fields: vec![pair("age", "7"), pair("name", "A & B")] };
        let form = "age=7&nonce=n&name=A+%26%20B";
        assert_eq!(
            sent("application/x-www-form-urlencoded; charset=UTF-8", form),
            Ok(expected.clone())
        );
        let json = r#"{"age": 7, "name": "A & B", "nonce": "n", "note": null}"#;
        assert_eq!(sent("Application/JSON", json), Ok(expected));
        // A second one is no nonce, and no field of any form.
        let twice = sent(FORM, "nonce=a&nonce=b").expect("read");
        assert_eq!((twice.nonce.as_deref(), twice.fields.len()), (Some("a"), 1));
    }

    #[test]
    fn other_bodies_are_refused_for_what_they_are() {
        let many = "a=b&".repeat(10_000);
        for (media, body, kind) in [
            ("text/plain", "a=b", FaultKind::Encoding),
            ("multipart/form-data; boundary=x", "--x", FaultKind::Encoding),
            ("application/x-www-form-urlencoded; charset=latin1", "a=b", FaultKind::Encoding),
            (FORM, many.as_str(), FaultKind::TooLarge),
            (JSON, "[1]", FaultKind::Json),
            (JSON, r#"{"a":1,"a":2}"#, FaultKind::Json),
            (JSON, r#"{"a":{"b":1}}"#, FaultKind::Json),
            (JSON, "", FaultKind::Json),
        ] {
            assert_eq!(sent(media, body), Err(kind), "{media}: {}", body.get(..9).unwrap_or(body));
        }
        assert_eq!(sent(FORM, ""), Ok(Sent::default()));
    }
}
