//! A store that a command works on, and what commands print alike.

use jiff::Timestamp as Instant;
use serde_json::Value;
use tripline_protocol::unit::Timestamp;

use super::{ConfigPath, open_store, without_password};
use crate::config::Config;
use crate::domain::order::Vehicle;
use crate::error::BppError;
use crate::identity::authority::Authorities;
use crate::service::ServiceError;
use crate::store::{Store, StoreError};

/// A store with the configuration that names it.
pub(super) struct Opened {
    pub(super) config: Config,
    pub(super) store: Store,
}

impl Opened {
    pub(super) async fn open(path: &ConfigPath) -> Result<Self, BppError> {
        let config = Config::load(&path.config)?;
        let store = open_store(&config).await?;
        Ok(Self { config, store })
    }

    /// What the store said, for people.
    pub(super) fn failed(&self, source: StoreError) -> BppError {
        BppError::Store { url: without_password(&self.config.store_url()), source }
    }

    /// The same for what a service said.
    pub(super) fn not_done(&self, error: ServiceError) -> BppError {
        match error {
            ServiceError::Store(source) => self.failed(source),
            error @ (ServiceError::NoChance(_) | ServiceError::Render(_)) => {
                BppError::Internal(error.to_string())
            }
        }
    }

    pub(super) fn authorities(&self) -> Result<Authorities, BppError> {
        Authorities::load(&self.config.ca_dir())
    }

    /// The vehicle with this device id or registration.
    pub(super) async fn vehicle(&self, name: &str) -> Result<Vehicle, BppError> {
        let found = async { self.store.read().await?.find_vehicle(name).await }.await;
        found.map_err(|source| self.failed(source))?.ok_or_else(|| BppError::Refused {
            message: format!(
                "there is no device or registration {name:?}; `tripline-bpp vehicle list` shows them"
            ),
        })
    }
}

/// A time for people: UTC, to the second.
pub(super) fn utc(at: Timestamp) -> String {
    let at = Instant::from_second(at.unix_ms.div_euclid(1000)).unwrap_or(Instant::UNIX_EPOCH);
    at.to_string()
}

/// A time for programs; `null` for none.
pub(super) fn unix_ms(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| at.unix_ms.into())
}

/// `1 device`, `2 devices`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
