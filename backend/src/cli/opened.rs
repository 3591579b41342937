//! A store that a command works on, and what commands print alike.

use jiff::Timestamp as Instant;
use serde::Serialize;
use serde_json::Value;
use tripline_protocol::unit::Timestamp;

use super::{ConfigPath, open_store, without_password};
use crate::audit::Audit;
use crate::config::Config;
use crate::domain::order::Vehicle;
use crate::error::BppError;
use crate::identity::authority::Authorities;
use crate::keys::file as key_file;
use crate::operate::{Actor, OperateError};
use crate::service::{Platform, ServiceError};
use crate::store::retry::retry;
use crate::store::{Store, StoreError, Tx};
use crate::time;

pub(super) use crate::domain::words::counted;

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

    /// The same for what a verb said.
    pub(super) fn not_operated(&self, error: OperateError) -> BppError {
        match error {
            OperateError::Service(error) => self.not_done(error),
            error @ (OperateError::NotFound { .. }
            | OperateError::Invalid { .. }
            | OperateError::Unusable { .. }
            | OperateError::Conflict { .. }
            | OperateError::Stale { .. }
            | OperateError::Refused { .. }) => BppError::Refused { message: error.to_string() },
        }
    }

    /// Carries out a verb in a transaction, as whoever runs the command line.
    pub(super) async fn change<T>(
        &self,
        verb: impl AsyncFn(&mut Tx, &Actor, Timestamp) -> Result<T, OperateError>,
    ) -> Result<T, BppError> {
        let actor = Actor::cli();
        let done = retry(|| async {
            let mut tx = self.store.write().await?;
            let view = verb(&mut tx, &actor, time::now()).await?;
            tx.commit().await?;
            Ok::<_, OperateError>(view)
        });
        done.await.map_err(|error| self.not_operated(error))
    }

    /// Looks, in a transaction that only reads.
    pub(super) async fn look<T>(
        &self,
        verb: impl AsyncFnOnce(&mut Tx) -> Result<T, OperateError>,
    ) -> Result<T, BppError> {
        let looked = async {
            let mut tx = self.store.read().await?;
            verb(&mut tx).await
        };
        looked.await.map_err(|error| self.not_operated(error))
    }

    /// A platform over the store that serves nobody: for verbs that tell riders' platforms and devices.
    pub(super) fn platform(&self) -> Result<Platform, BppError> {
        let command_key = key_file::load(&self.config.command_key_file())?;
        let (audit, _) = Audit::new();
        Ok(Platform::new(self.store.clone(), self.config.settings(), command_key, audit))
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

/// Prints a view as the API answers it, on one line.
pub(super) fn print_json(view: &impl Serialize) -> Result<(), BppError> {
    let line =
        serde_json::to_string(view).map_err(|error| BppError::Internal(error.to_string()))?;
    println!("{line}");
    Ok(())
}
