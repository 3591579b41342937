//! Who sent a request: its signature over the bytes as received, and the signer's entry.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use tripline_protocol::signing::{SignatureHeader, verify};
use tripline_protocol::unit::Timestamp;

use super::directory::{Directory, DirectoryError, Look};
use super::subscriber::{Role, Subscriber, signers};

/// Why it is not known who sent a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// The signature, or its signer.
    #[error("{0}")]
    Signature(String),
    /// Nobody can say who the signer is.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// The BAP whose signature the request bears.
pub async fn bap(
    directory: &Directory,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Subscriber, Unauthenticated> {
    let refused = |reason: &str| Unauthenticated::Signature(reason.into());
    let header = headers.get(AUTHORIZATION);
    let header = header.ok_or_else(|| refused("the Authorization header is missing"))?;
    let text = header.to_str().map_err(|_| refused("the Authorization header is not ASCII"))?;
    let header = SignatureHeader::parse(text).map_err(|error| refused(&error.to_string()))?;
    let id = &header.key_id.subscriber_id;
    let entries = directory.find(id, Role::Bap, Look::Cached, now).await?;
    let candidates = signers(&entries, &header.key_id, now).map_err(|e| refused(&e.to_string()))?;
    let now_s = now.unix_ms.div_euclid(1000);
    let mut found = Err(refused("the signer has no key"));
    for subscriber in candidates {
        match verify(&header, body, &subscriber.key, now_s) {
            Ok(()) => return Ok(subscriber.clone()),
            Err(error) => found = Err(refused(&error.to_string())),
        }
    }
    found
}
