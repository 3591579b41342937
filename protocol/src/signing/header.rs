//! The signature header: liberal in order and separators when read, strict when written.

use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::KeyId;

const ALGORITHM: &str = "ed25519";
const SIGNED_HEADERS: &str = "(created) (expires) digest";

/// Longest header value taken, in bytes; a well-formed one has about 350.
const HEADER_LEN_MAX: usize = 2048;

/// Why a header value is not a Beckn signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Too long to be one.
    #[error("the signature header is longer than {HEADER_LEN_MAX} bytes")]
    TooLong,
    /// Another scheme.
    #[error("the header must begin with the scheme `Signature`")]
    Scheme,
    /// A control character, or one beyond ASCII.
    #[error("the signature header has a character that is neither printable ASCII nor a blank")]
    Character,
    /// Not `name="value"`.
    #[error("the signature header has a part that is not name=\"value\"")]
    Syntax,
    /// A parameter the specification does not know.
    #[error("the signature header has an unknown parameter")]
    Unknown,
    /// A parameter twice.
    #[error("the signature header has {parameter} twice")]
    Twice {
        /// Which.
        parameter: &'static str,
    },
    /// A parameter absent.
    #[error("the signature header lacks {parameter}")]
    Missing {
        /// Which.
        parameter: &'static str,
    },
    /// A parameter with a value it cannot have.
    #[error("the signature header's {parameter} {must}")]
    Value {
        /// Which.
        parameter: &'static str,
        /// What the value must be.
        must: &'static str,
    },
}

/// A parsed signature header (BECKN-006).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureHeader {
    /// Who signed, with which key.
    pub key_id: KeyId,
    /// When it was signed, in Unix seconds.
    pub created_s: i64,
    /// When it stops being valid, in Unix seconds.
    pub expires_s: i64,
    /// The Ed25519 signature.
    pub signature: [u8; 64],
}

const PARAMETERS: [&str; 6] = ["keyId", "algorithm", "created", "expires", "headers", "signature"];

impl SignatureHeader {
    /// Parses a header value: parameters in any order, separated by a comma, blanks or both, each
    /// exactly once and quoted; a number may do without quotes.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        if text.len() > HEADER_LEN_MAX {
            return Err(HeaderError::TooLong);
        }
        let [key_id, algorithm, created, expires, headers, signature] = parameters(text)?;
        if algorithm != ALGORITHM {
            return Err(HeaderError::Value { parameter: "algorithm", must: "must be ed25519" });
        }
        // Some peers leave out the blanks; the signing string is the same.
        if !are_signed_headers(headers) {
            return Err(HeaderError::Value {
                parameter: "headers",
                must: "must be \"(created) (expires) digest\"",
            });
        }
        let bytes = BASE64.decode(signature).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(Self {
            key_id: parse_key_id(key_id)?,
            created_s: seconds("created", created)?,
            expires_s: seconds("expires", expires)?,
            signature: bytes.ok_or(HeaderError::Value {
                parameter: "signature",
                must: "must be the Base64 of 64 bytes",
            })?,
        })
    }

    /// The header value in the form of the specification's example.
    pub(super) fn emit(&self) -> String {
        let mut key_id = self.key_id.subscriber_id.clone();
        if let Some(unique_key_id) = &self.key_id.unique_key_id {
            let _ = write!(key_id, "|{unique_key_id}");
        }
        format!(
            "Signature keyId=\"{key_id}|{ALGORITHM}\",algorithm=\"{ALGORITHM}\",created=\"{}\",\
             expires=\"{}\",headers=\"{SIGNED_HEADERS}\",signature=\"{}\"",
            self.created_s,
            self.expires_s,
            BASE64.encode(self.signature),
        )
    }
}

/// Whether these are the three that are signed, in their order, with or without blanks between them.
fn are_signed_headers(text: &str) -> bool {
    let rest = text.strip_prefix("(created)").map(str::trim_start);
    let rest = rest.and_then(|rest| rest.strip_prefix("(expires)")).map(str::trim_start);
    rest == Some("digest")
}

/// The values of [`PARAMETERS`], in that order.
fn parameters(text: &str) -> Result<[&str; 6], HeaderError> {
    const SCHEME: &str = "Signature";
    if !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(HeaderError::Character);
    }
    let (scheme, rest) = text.trim().split_once(' ').ok_or(HeaderError::Scheme)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(HeaderError::Scheme);
    }
    let mut values = [None; PARAMETERS.len()];
    let mut rest = rest.trim_start();
    while !rest.is_empty() {
        let (name, value, after) = parameter(rest)?;
        let index = PARAMETERS.iter().position(|p| *p == name).ok_or(HeaderError::Unknown)?;
        if values[index].replace(value).is_some() {
            return Err(HeaderError::Twice { parameter: PARAMETERS[index] });
        }
        rest = after_separator(after)?;
    }
    let mut found = [""; PARAMETERS.len()];
    for ((slot, value), parameter) in found.iter_mut().zip(values).zip(PARAMETERS) {
        *slot = value.ok_or(HeaderError::Missing { parameter })?;
        if slot.is_empty() {
            return Err(HeaderError::Value { parameter, must: "must not be empty" });
        }
    }
    Ok(found)
}

/// The name and the value that a text begins with, and what follows. Only a number may do without quotes,
/// and nothing is escaped: no value needs it.
fn parameter(text: &str) -> Result<(&str, &str, &str), HeaderError> {
    let (name, after) = text.split_once('=').ok_or(HeaderError::Syntax)?;
    let (value, after) = match after.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or(HeaderError::Syntax)?,
        None => match after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len()) {
            0 => return Err(HeaderError::Syntax),
            end => after.split_at(end),
        },
    };
    if value.contains('\\') {
        return Err(HeaderError::Syntax);
    }
    Ok((name, value, after))
}

/// What follows a comma, blanks or both. Nothing ends in a comma, and nothing follows without a separator.
fn after_separator(text: &str) -> Result<&str, HeaderError> {
    let blank = text.trim_start();
    let next = blank.strip_prefix(',').map_or(blank, str::trim_start);
    let separated = next.len() < text.len() && !next.is_empty();
    if text.is_empty() || separated { Ok(next) } else { Err(HeaderError::Syntax) }
}

fn seconds(parameter: &'static str, text: &str) -> Result<i64, HeaderError> {
    let error = HeaderError::Value { parameter, must: "must be a whole number of Unix seconds" };
    // It is signed as it is written, and so has one form.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || (text.len() > 1 && text.starts_with('0')) {
        return Err(error);
    }
    text.parse().map_err(|_| error)
}

/// `subscriber|key|ed25519`, and the shorter forms of networks with one key a subscriber.
fn parse_key_id(text: &str) -> Result<KeyId, HeaderError> {
    let error = HeaderError::Value {
        parameter: "keyId",
        must: "must be subscriber_id|unique_key_id|ed25519",
    };
    let mut parts = text.split('|');
    let subscriber_id = parts.next().filter(|id| !id.is_empty()).ok_or(error.clone())?;
    let (unique_key_id, algorithm) = match (parts.next(), parts.next(), parts.next()) {
        (None, _, _) => (None, ALGORITHM),
        (Some(algorithm), None, _) => (None, algorithm),
        (Some(key), Some(algorithm), None) => (Some(key), algorithm),
        (Some(_), Some(_), Some(_)) => return Err(error),
    };
    if algorithm != ALGORITHM || unique_key_id == Some("") || text.contains(' ') {
        return Err(error);
    }
    Ok(KeyId { subscriber_id: subscriber_id.into(), unique_key_id: unique_key_id.map(Into::into) })
}
