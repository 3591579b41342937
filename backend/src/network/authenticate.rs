//! Who sent a request: its signature over the bytes as received, and the signer's entries. A gateway's
//! signature is looked at by the same code, and never stands in for the sender's.

use std::sync::Arc;

use axum::http::header::{AUTHORIZATION, HeaderName, PROXY_AUTHORIZATION};
use axum::http::{HeaderMap, HeaderValue};
use tripline_protocol::signing::{
    HeaderError, SignatureError, SignatureHeader, Signed, check_times,
};
use tripline_protocol::unit::Timestamp;

use super::directory::{Directory, DirectoryError, Look};
use super::subscriber::{Role, Subscriber, UnknownSubscriber, signers};

/// A gateway's signature; older ones send `Proxy-Authorization`.
const X_GATEWAY_AUTHORIZATION: HeaderName = HeaderName::from_static("x-gateway-authorization");

/// Both of them, for who is told that there are two.
const GATEWAYS: &str = "X-Gateway-Authorization or Proxy-Authorization";

/// Different keys that a signature is tried with. A subscriber has two while it changes from one to the next,
/// and as many again in other domains.
const KEYS_MAX: usize = 8;

/// Why a signature does not say who sent a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// None is there.
    #[error("the {0} header is missing")]
    Missing(&'static str),
    /// Several are there.
    #[error("there is more than one {0} header")]
    Several(&'static str),
    /// It is not text.
    #[error("the signature header is not ASCII")]
    NotText,
    /// It is no signature header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// It does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Its signer is not known.
    #[error(transparent)]
    Signer(#[from] UnknownSubscriber),
}

impl BadSignature {
    /// Its stable code, for what is counted.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "missing",
            Self::Several(_) => "several",
            Self::NotText | Self::Header(_) => "header",
            Self::Signature(SignatureError::NotYetValid { .. }) => "not-yet-valid",
            Self::Signature(SignatureError::Expired { .. }) => "expired",
            Self::Signature(SignatureError::Empty | SignatureError::TooLong { .. }) => "lifetime",
            Self::Signature(SignatureError::Mismatch) => "mismatch",
            Self::Signer(UnknownSubscriber::Stranger) => "stranger",
            Self::Signer(UnknownSubscriber::Key) => "unknown-key",
            Self::Signer(UnknownSubscriber::Inactive) => "inactive",
        }
    }
}

/// Why it is not known who sent a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// The sender's signature.
    #[error(transparent)]
    Sender(BadSignature),
    /// The signature of the gateway that passed it on.
    #[error("the gateway's signature: {0}")]
    Gateway(BadSignature),
    /// Nobody can say who the signer is.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// Who sent a request, as its signatures show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// The sender's entries under whose key its signature holds; at least one.
    pub sender: Vec<Subscriber>,
    /// The sender's signature.
    pub signature: [u8; 64],
    /// The same of the gateway that passed the request on; `None` if none did.
    pub gateway: Option<Vec<Subscriber>>,
}

/// Why one signature was not accepted.
enum Failed {
    Bad(BadSignature),
    Directory(DirectoryError),
}

impl<E: Into<BadSignature>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Bad(error.into())
    }
}

/// The BAP whose signature the request bears. If a gateway's signature is there, it must hold as well.
pub async fn bap(
    directory: &Directory,
    headers: &HeaderMap,
    body: &[u8],
    look: Look,
    now: Timestamp,
) -> Result<Authenticated, Unauthenticated> {
    let sender = one(headers, &[AUTHORIZATION], "Authorization")
        .and_then(|found| found.ok_or(BadSignature::Missing("Authorization")))
        .map_err(Unauthenticated::Sender)?;
    let gateway = one(headers, &[X_GATEWAY_AUTHORIZATION, PROXY_AUTHORIZATION], GATEWAYS)
        .map_err(Unauthenticated::Gateway)?;
    let signed = signed_by(directory, Role::Bap, sender, body, look, now).await;
    let (signature, sender) = signed.map_err(|failed| failed.of(Unauthenticated::Sender))?;
    let gateway = match gateway {
        Some(header) => {
            let signed = signed_by(directory, Role::Gateway, header, body, look, now).await;
            let (_, gateway) = signed.map_err(|failed| failed.of(Unauthenticated::Gateway))?;
            Some(gateway)
        }
        None => None,
    };
    Ok(Authenticated { sender, signature, gateway })
}

impl Failed {
    fn of(self, whose: fn(BadSignature) -> Unauthenticated) -> Unauthenticated {
        match self {
            Self::Bad(error) => whose(error),
            Self::Directory(error) => error.into(),
        }
    }
}

/// The one header of these names, if any is there: of two nobody could say which counts.
fn one<'h>(
    headers: &'h HeaderMap,
    names: &[HeaderName],
    called: &'static str,
) -> Result<Option<&'h HeaderValue>, BadSignature> {
    let mut found = names.iter().flat_map(|name| headers.get_all(name));
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(BadSignature::Several(called)),
        (found, None) => Ok(found),
    }
}

/// A signature, and the entries in this role under whose key it holds. If what is cached knows none, the registry is
/// asked anew: the signer may have a new key.
async fn signed_by(
    directory: &Directory,
    role: Role,
    header: &HeaderValue,
    body: &[u8],
    look: Look,
    now: Timestamp,
) -> Result<([u8; 64], Vec<Subscriber>), Failed> {
    let text = header.to_str().map_err(|_| BadSignature::NotText)?;
    let header = SignatureHeader::parse(text)?;
    // Nobody is asked about what cannot hold anyway.
    check_times(&header, now.unix_ms.div_euclid(1000))?;
    let signed = Signed::new(&header, body);
    let id = &header.key_id.subscriber_id;
    let entries = directory.find(id, role, look, now).await.map_err(Failed::Directory)?;
    let error = match holding(&entries, &header, &signed, now) {
        Ok(found) => return Ok((header.signature, found)),
        Err(error) => error,
    };
    if look == Look::Anew {
        return Err(error.into());
    }
    let anew = directory.find(id, role, Look::Anew, now).await.map_err(Failed::Directory)?;
    if Arc::ptr_eq(&anew, &entries) {
        return Err(error.into());
    }
    let found = holding(&anew, &header, &signed, now)?;
    Ok((header.signature, found))
}

/// Those of the signer's entries under whose key the signature holds.
fn holding(
    entries: &[Subscriber],
    header: &SignatureHeader,
    signed: &Signed<'_>,
    now: Timestamp,
) -> Result<Vec<Subscriber>, BadSignature> {
    let candidates = signers(entries, &header.key_id, now)?;
    let mut keys = Vec::new();
    for entry in &candidates {
        if !keys.contains(&entry.key) {
            keys.push(entry.key);
        }
    }
    let key = keys.iter().take(KEYS_MAX).find(|key| signed.verify(key).is_ok());
    let key = key.ok_or(SignatureError::Mismatch)?;
    Ok(candidates.into_iter().filter(|entry| entry.key == *key).cloned().collect())
}
