//! Signing and verifying Beckn requests: BECKN-006, "Signing Beckn APIs in HTTP". Commands to devices are
//! sealed with keys of the same kind ([`crate::link::seal`]).
//!
//! The signature covers the bytes on the wire: never parse and write a body again before its digest.

mod header;
mod key;

use alloc::format;
use alloc::string::String;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use blake2::{Blake2b512, Digest as _};
use ed25519_dalek::Signer as _;

pub use header::{HeaderError, SignatureHeader};
pub use key::{KeyError, PublicKey, SecretKey, decode_base64, encode_base64};

/// How far in the future `created` may lie, in seconds: the clock skew advised for Beckn networks.
pub const CREATED_SKEW_S_MAX: i64 = 10;

/// Longest time from `created` to `expires`, in seconds. Peers give an hour; a signature that holds for long
/// can be sent again for as long, by whoever saw it.
pub const SIGNATURE_LIFE_S_MAX: i64 = 24 * 3600;

/// Why a signed request is not to be processed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// `created` lies in the future.
    #[error("the signature was created {ahead_s} s in the future; check both clocks")]
    NotYetValid {
        /// By how many seconds.
        ahead_s: i64,
    },
    /// `expires` lies in the past.
    #[error("the signature expired {ago_s} s ago")]
    Expired {
        /// How many seconds ago.
        ago_s: i64,
    },
    /// `expires` does not come after `created`.
    #[error("the signature never holds: expires must come after created")]
    Empty,
    /// `expires` comes too long after `created`.
    #[error("the signature holds for {life_s} s; the longest taken is {SIGNATURE_LIFE_S_MAX} s")]
    TooLong {
        /// For how many seconds.
        life_s: i64,
    },
    /// The signature is not one of this key over this body.
    #[error("the signature does not match the body and the signer's key")]
    Mismatch,
}

/// The `digest` value of a body: Base64 of its unkeyed BLAKE2b-512.
pub fn digest(body: &[u8]) -> String {
    BASE64.encode(Blake2b512::digest(body))
}

/// The three lines that are signed.
fn signing_string(created_s: i64, expires_s: i64, body: &[u8]) -> String {
    format!("(created): {created_s}\n(expires): {expires_s}\ndigest: BLAKE-512={}", digest(body))
}

/// Who signs, as `keyId` names it: `subscriber_id|unique_key_id|ed25519`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId {
    /// The subscriber.
    pub subscriber_id: String,
    /// Which of its keys; absent on networks that allow one key only.
    pub unique_key_id: Option<String>,
}

/// The `Authorization` header value for `body`, valid from `created_s` to `expires_s` (Unix seconds).
pub fn sign(
    body: &[u8],
    key: &SecretKey,
    key_id: &KeyId,
    created_s: i64,
    expires_s: i64,
) -> String {
    let signature = key.0.sign(signing_string(created_s, expires_s, body).as_bytes());
    SignatureHeader {
        key_id: key_id.clone(),
        created_s,
        expires_s,
        signature: signature.to_bytes(),
    }
    .emit()
}

/// What a header's signature covers: the body as received, and the header's times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<'h> {
    header: &'h SignatureHeader,
    text: String,
}

impl<'h> Signed<'h> {
    /// Of this header and the bytes that came with it.
    pub fn new(header: &'h SignatureHeader, body: &[u8]) -> Self {
        Self { header, text: signing_string(header.created_s, header.expires_s, body) }
    }

    /// Whether the signature is one of this key.
    pub fn verify(&self, key: &PublicKey) -> Result<(), SignatureError> {
        let signature = ed25519_dalek::Signature::from_bytes(&self.header.signature);
        // `verify_strict` also refuses keys and signatures of small order, which match many bodies.
        let verdict = key.0.verify_strict(self.text.as_bytes(), &signature);
        verdict.map_err(|_| SignatureError::Mismatch)
    }
}

/// Whether a header's times permit that it is looked at now (Unix seconds).
pub fn check_times(header: &SignatureHeader, now_s: i64) -> Result<(), SignatureError> {
    let life_s = header.expires_s.saturating_sub(header.created_s);
    if life_s <= 0 {
        return Err(SignatureError::Empty);
    }
    if life_s > SIGNATURE_LIFE_S_MAX {
        return Err(SignatureError::TooLong { life_s });
    }
    let ahead_s = header.created_s.saturating_sub(now_s);
    if ahead_s > CREATED_SKEW_S_MAX {
        return Err(SignatureError::NotYetValid { ahead_s });
    }
    let ago_s = now_s.saturating_sub(header.expires_s);
    if ago_s > 0 {
        return Err(SignatureError::Expired { ago_s });
    }
    Ok(())
}

/// Checks a parsed header against the body as received, the signer's key and the time.
pub fn verify(
    header: &SignatureHeader,
    body: &[u8],
    key: &PublicKey,
    now_s: i64,
) -> Result<(), SignatureError> {
    check_times(header, now_s)?;
    Signed::new(header, body).verify(key)
}

/// The challenge that answers an unauthenticated request, for `WWW-Authenticate` or
/// `Proxy-Authenticate`.
pub fn challenge(realm: &str) -> String {
    format!("Signature realm=\"{realm}\",headers=\"(created) (expires) digest\"")
}
