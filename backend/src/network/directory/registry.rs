//! The client of a 0.9.x registry: `POST {url}/lookup` with a flat body, answered with a list of entries.
//!
//! Lookups are not signed: registry 0.9 asks for no signature, and what is asked for is public.

use std::time::Duration;

use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;
use tripline_protocol::unit::Timestamp;

use super::Key;
use super::entry::{Answer, parse_answer};
use crate::config::Registry;
use crate::network::http::{builder, read, without_url};
use crate::network::subscriber::normalized_url;

/// Longest lookup answer that is read, in bytes. A registry that passes over the question and lists a
/// network of a thousand subscribers stays below it.
pub(super) const LOOKUP_ANSWER_LEN_MAX: usize = 1024 * 1024;

/// How long a connection to a registry is kept for the next lookup: shorter than servers keep theirs, since
/// a question on a connection that is being closed is lost.
const IDLE_MAX: Duration = Duration::from_secs(4);

/// Why a registry could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LookupError {
    /// Nobody answered, or not in time.
    #[error("{0}")]
    Unreachable(String),
    /// It answered something else than a list of entries.
    #[error("it {0}")]
    Unusable(String),
}

impl LookupError {
    /// A short fixed word for the counters.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Unusable(_) => "unusable",
        }
    }
}

/// The question, with the names of registry 0.9.
#[derive(Debug, Serialize)]
struct Lookup<'a> {
    subscriber_id: &'a str,
    #[serde(rename = "type")]
    role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'a str>,
}

/// A registry.
#[derive(Debug)]
pub(super) struct RegistryClient {
    client: Client,
    url: String,
    domain: Option<String>,
    country: Option<String>,
    city: Option<String>,
}

impl RegistryClient {
    /// A client of the registry at `url`.
    pub(super) fn new(url: &str, config: &Registry) -> Result<Self, String> {
        let client = builder(config.timeout_ms)
            .pool_idle_timeout(IDLE_MAX)
            .build()
            .map_err(|error| format!("the HTTP client cannot be made: {error}"))?;
        Ok(Self {
            client,
            url: format!("{}/lookup", normalized_url(url)),
            domain: config.domain.clone(),
            country: config.country.clone(),
            city: config.city.clone(),
        })
    }

    /// Whose answers these are, and to which question: those to another are of no use.
    pub(super) fn name(&self) -> String {
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("{} {} {} {}", self.url, of(&self.domain), of(&self.country), of(&self.city))
    }

    /// What the registry says of a subscriber in a role at this moment.
    pub(super) async fn look_up(&self, key: &Key, now: Timestamp) -> Result<Answer, LookupError> {
        let unusable = |reason: String| LookupError::Unusable(reason);
        let lookup = Lookup {
            subscriber_id: &key.id,
            role: key.role.code().to_ascii_lowercase(),
            domain: self.domain.as_deref(),
            country: self.country.as_deref(),
            city: self.city.as_deref(),
        };
        let question = serde_json::to_vec(&lookup).map_err(|error| unusable(error.to_string()))?;
        let sent = self
            .client
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .body(question)
            .send()
            .await;
        let response = sent.map_err(|error| LookupError::Unreachable(without_url(error)))?;
        if !response.status().is_success() {
            return Err(unusable(format!("answered {}", response.status())));
        }
        let body = read(response, LOOKUP_ANSWER_LEN_MAX).await;
        let body = body.map_err(|error| LookupError::Unreachable(error.to_string()))?;
        parse_answer(&body, key, self.domain.as_deref(), now)
            .map_err(|error| unusable(format!("answered {error}")))
    }
}
