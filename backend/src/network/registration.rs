//! Asking a 0.9.x registry to take up a key of ours: `POST {registry}/subscribe`.
//!
//! The registry answers with how far it is, and sends its challenge to `{our address}/on_subscribe`, perhaps
//! before it answers. So that the challenge is known there, the registration is stored before it is asked
//! for.

use jiff::Timestamp as Instant;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Response};
use serde::{Deserialize, Serialize};
use tripline_protocol::signing::{encode_base64, sign};
use tripline_protocol::unit::Timestamp;

use super::http::{builder, read, shortened, without_url};
use super::subscriber::{Role, normalized_url};
use crate::beckn::Identity;
use crate::chance;
use crate::config::Registry;
use crate::keys::ring::{KeyRing, NetworkKey};
use crate::store::{Store, StoreError};

/// How long the registry is told that a key holds, from when it is asked, in ms: a year.
pub const KEY_LIFE_MS: i64 = 365 * 86_400_000;

/// How long before it was made the registry is told that a key holds, in ms: peers whose clocks are behind
/// ours take what it signs from the first.
const BACKDATED_MS: i64 = 60_000;

/// How long the signature of the request holds, in s.
const SIGNATURE_S: i64 = 60;

/// Longest answer read, in bytes; a well-formed one has some fifty.
const ANSWER_LEN_MAX: usize = 16 * 1024;

/// How far the registry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionStatus {
    /// It was asked.
    Initiated,
    /// It, or somebody behind it, looks at us.
    UnderSubscription,
    /// It has taken the key up.
    Subscribed,
    /// It does not like our certificate.
    InvalidSsl,
    /// It has put us out.
    Unsubscribed,
}

impl SubscriptionStatus {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Initiated,
        Self::UnderSubscription,
        Self::Subscribed,
        Self::InvalidSsl,
        Self::Unsubscribed,
    ];

    /// As registries write it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Initiated => "INITIATED",
            Self::UnderSubscription => "UNDER_SUBSCRIPTION",
            Self::Subscribed => "SUBSCRIBED",
            Self::InvalidSsl => "INVALID_SSL",
            Self::Unsubscribed => "UNSUBSCRIBED",
        }
    }

    fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code().eq_ignore_ascii_case(code))
    }
}

/// Why nothing can be registered at all.
#[derive(Debug, thiserror::Error)]
pub enum RegistrarError {
    /// There is no registry.
    #[error(
        "[registry] url is not set: on a closed network nobody registers keys; give each peer what \
         `tripline-bpp key show` prints"
    )]
    NoRegistry,
    /// The configuration lacks what a registry wants to know.
    #[error("[registry] {0} is not set: without it no key can be registered")]
    Lacks(&'static str),
    /// No client can be made.
    #[error("the HTTP client cannot be made: {0}")]
    Client(String),
}

/// Why a key is not being taken up.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// The registration could not be stored, and the registry was not asked.
    #[error("the registration cannot be stored: {0}")]
    Store(#[from] StoreError),
    /// Nothing random, or no clock.
    #[error("{0}")]
    Internal(String),
    /// The registry could not be asked, or its answer not read.
    #[error("the registry cannot be asked: {0}")]
    Unreachable(String),
    /// The registry answered something else than a status.
    #[error("the registry answered {status} {words:?}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said, shortened.
        words: String,
    },
}

/// The body of `/subscribe`.
#[derive(Debug, Serialize)]
struct Subscribe<'a> {
    subscriber_id: &'a str,
    subscriber_url: &'a str,
    #[serde(rename = "type")]
    role: &'static str,
    domain: &'a str,
    country: &'a str,
    city: &'a str,
    unique_key_id: &'a str,
    signing_public_key: String,
    encr_public_key: String,
    valid_from: String,
    valid_until: String,
    nonce: String,
}

/// The answer: other fields are passed over.
#[derive(Debug, Deserialize)]
struct Answer {
    status: String,
}

/// Registers keys.
#[derive(Debug)]
pub struct Registrar {
    client: Client,
    url: String,
    domain: String,
    country: String,
    city: String,
    identity: Identity,
}

impl Registrar {
    /// Who registers us as `identity` at a registry; an error names the key of the configuration that is
    /// missing for it. Without the registry's encryption key its challenge could not be answered.
    pub fn new(registry: &Registry, identity: Identity) -> Result<Self, RegistrarError> {
        let set = |key, value: &Option<String>| match value {
            Some(text) if !text.trim().is_empty() => Ok(text.clone()),
            Some(_) | None => Err(RegistrarError::Lacks(key)),
        };
        let url = set("url", &registry.url).map_err(|_| RegistrarError::NoRegistry)?;
        set("encryption_public_key", &registry.encryption_public_key)?;
        let client = builder(registry.timeout_ms).build();
        Ok(Self {
            url: format!("{}/subscribe", normalized_url(&url)),
            domain: set("domain", &registry.domain)?,
            country: set("country", &registry.country)?,
            city: set("city", &registry.city)?,
            client: client.map_err(|error| RegistrarError::Client(without_url(error)))?,
            identity,
        })
    }

    /// Asks the registry to take up a key of the ring. The request bears the signature of the key that
    /// signs, which is the one the registry knows; at the first registration that is the same.
    pub async fn register(
        &self,
        store: &Store,
        ring: &KeyRing,
        key: &NetworkKey,
        now: Timestamp,
    ) -> Result<SubscriptionStatus, RegistrationError> {
        let body = self.body(key, now)?;
        let mut tx = store.write().await?;
        tx.note_registration(&key.unique_key_id, now).await?;
        tx.commit().await?;

        let created_s = now.unix_ms.div_euclid(1000);
        let signer = ring.signing();
        let key_id = signer.key_id(&self.identity.subscriber_id);
        let authorization =
            sign(&body, &signer.signing, &key_id, created_s, created_s + SIGNATURE_S);
        let sent = self
            .client
            .post(&self.url)
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await;
        judge(sent.map_err(|error| RegistrationError::Unreachable(without_url(error)))?).await
    }

    fn body(&self, key: &NetworkKey, now: Timestamp) -> Result<Vec<u8>, RegistrationError> {
        let internal =
            |error: &dyn std::fmt::Display| RegistrationError::Internal(error.to_string());
        let nonce: [u8; 16] = chance::bytes().map_err(|error| internal(&error))?;
        let body = Subscribe {
            subscriber_id: &self.identity.subscriber_id,
            subscriber_url: &self.identity.uri,
            role: Role::Bpp.code(),
            domain: &self.domain,
            country: &self.country,
            city: &self.city,
            unique_key_id: &key.unique_key_id,
            signing_public_key: key.signing.public().to_string(),
            encr_public_key: key.encryption.public_base64(),
            valid_from: date_time(key.made_at.plus_ms(-BACKDATED_MS))?,
            valid_until: date_time(now.plus_ms(KEY_LIFE_MS))?,
            nonce: encode_base64(&nonce),
        };
        serde_json::to_vec(&body).map_err(|error| internal(&error))
    }
}

/// A time as the registry's documents write it: RFC 3339 with milliseconds.
fn date_time(at: Timestamp) -> Result<String, RegistrationError> {
    let at = Instant::from_millisecond(at.unix_ms);
    let at = at.map_err(|error| RegistrationError::Internal(format!("our clock: {error}")))?;
    Ok(format!("{at:.3}"))
}

async fn judge(response: Response) -> Result<SubscriptionStatus, RegistrationError> {
    let status = response.status();
    let body = read(response, ANSWER_LEN_MAX).await;
    let body = body.map_err(|error| RegistrationError::Unreachable(error.to_string()))?;
    let answer = serde_json::from_slice::<Answer>(&body).ok();
    let known = answer.and_then(|answer| SubscriptionStatus::from_code(&answer.status));
    known.filter(|_| status.is_success()).ok_or_else(|| RegistrationError::Refused {
        status: status.as_u16(),
        words: shortened(&String::from_utf8_lossy(&body)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_registrys_documents_have_them() {
        let at = |ms| date_time(Timestamp::from_unix_ms(ms)).expect("a time");
        assert_eq!(at(1_619_687_988_072), "2021-04-29T09:19:48.072Z");
        assert_eq!(at(1_619_687_988_000), "2021-04-29T09:19:48.000Z");
        assert!(date_time(Timestamp::from_unix_ms(i64::MAX)).is_err());
    }

    #[test]
    fn a_status_has_a_code_of_its_own() {
        for status in SubscriptionStatus::ALL {
            assert_eq!(SubscriptionStatus::from_code(status.code()), Some(status));
        }
        assert_eq!(SubscriptionStatus::from_code("ACK"), None);
    }
}
