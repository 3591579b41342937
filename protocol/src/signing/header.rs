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
    /// Parses a header value: parameters in any order, separated by commas, spaces or both, each
    /// exactly once.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        if text.len() > HEADER_LEN_MAX {
            return Err(HeaderError::TooLong);
        }
        let [key_id, algorithm, created, expires, headers, signature] = parameters(text)?;
        if algorithm != ALGORITHM {
            return Err(HeaderError::Value { parameter: "algorithm", must: "must be ed25519" });
        }
        // Some peers leave out the blanks; the signing string is the same.
        if headers.split_whitespace().collect::<String>() != "(created)(expires)digest" {
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

/// The values of [`PARAMETERS`], in that order.
fn parameters(text: &str) -> Result<[&str; 6], HeaderError> {
    const SCHEME: &str = "Signature";
    let separator = |c: char| c == ',' || c == ' ' || c == '\t';
    let (scheme, mut rest) =
        text.trim().split_at_checked(SCHEME.len()).ok_or(HeaderError::Scheme)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) || !rest.starts_with(separator) {
        return Err(HeaderError::Scheme);
    }
    let mut values = [None; PARAMETERS.len()];
    loop {
        rest = rest.trim_start_matches(separator);
        if rest.is_empty() {
            break;
        }
        let (name, after) = rest.split_once('=').ok_or(HeaderError::Syntax)?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or(HeaderError::Syntax)?,
            None => after.split_at(after.find(separator).unwrap_or(after.len())),
        };
        if !after.is_empty() && !after.starts_with(separator) {
            return Err(HeaderError::Syntax);
        }
        let index = PARAMETERS.iter().position(|p| *p == name).ok_or(HeaderError::Unknown)?;
        if values[index].replace(value).is_some() {
            return Err(HeaderError::Twice { parameter: PARAMETERS[index] });
        }
        rest = after;
    }
    let mut found = [""; PARAMETERS.len()];
    for ((slot, value), parameter) in found.iter_mut().zip(values).zip(PARAMETERS) {
        *slot = value.ok_or(HeaderError::Missing { parameter })?;
    }
    Ok(found)
}

fn seconds(parameter: &'static str, text: &str) -> Result<i64, HeaderError> {
    let error = HeaderError::Value { parameter, must: "must be a whole number of Unix seconds" };
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
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
    if algorithm != ALGORITHM || unique_key_id == Some("") {
        return Err(error);
    }
    Ok(KeyId { subscriber_id: subscriber_id.into(), unique_key_id: unique_key_id.map(Into::into) })
}
