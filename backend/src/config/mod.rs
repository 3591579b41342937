//! `bpp.toml`: commented TOML, every key overridable from the environment, unknown keys refused.

mod check;
mod tables;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format as _, Toml};
use serde::Deserialize;

use crate::beckn::Identity;
use crate::callback::worker::RetryRules;
use crate::domain::dispatch::{DispatchRules, Weights};
use crate::domain::estimate::RoadModel;
use crate::domain::fleet::RosterRules;
use crate::domain::ride::RideRules;
use crate::error::BppError;
use crate::http::Rules;
use crate::http::admin::AdminRules;
use crate::keys::encryption::{EncryptionKeyError, RegistryPublicKey};
use crate::network::subscriber::{normalized_id, normalized_url};
use crate::service::{NetworkRules, Settings};

pub use tables::{
    Admin, Beckn, Callback, Device, Dispatch, DispatchWeights, Enrol, Estimate, Fleet, Gateway,
    Registry, Retention, Ride, Store, Support,
};

/// The configuration that `tripline-bpp init` writes.
pub const SAMPLE: &str = include_str!("../../bpp.sample.toml");

/// The first fleet that `tripline-bpp init` writes and takes in.
pub const SAMPLE_FLEET: &str = include_str!("../../fleet.sample.toml");

/// Prefix of the environment variables; `__` stands between table and key.
pub const ENV_PREFIX: &str = "TRIPLINE_BPP_";

/// The platform's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where keys and the SQLite store live; relative to the file.
    pub data_dir: PathBuf,
    /// The Beckn side.
    pub beckn: Beckn,
    /// Where riders find help.
    #[serde(default)]
    pub support: Support,
    /// Who says who is on the network.
    #[serde(default)]
    pub registry: Registry,
    /// Gateways at which we register, by the name that commands give them.
    #[serde(default)]
    pub gateways: BTreeMap<String, Gateway>,
    /// The device endpoint.
    #[serde(default)]
    pub device: Device,
    /// Where devices enrol.
    #[serde(default)]
    pub enrol: Enrol,
    /// What operators and their tools read.
    #[serde(default)]
    pub admin: Admin,
    /// The store.
    #[serde(default)]
    pub store: Store,
    /// What a vehicle needs before it is offered a ride.
    #[serde(default)]
    pub fleet: Fleet,
    /// Estimates.
    #[serde(default)]
    pub estimate: Estimate,
    /// Dispatch.
    #[serde(default)]
    pub dispatch: Dispatch,
    /// The ride.
    #[serde(default)]
    pub ride: Ride,
    /// Callbacks.
    #[serde(default)]
    pub callback: Callback,
    /// How long things are kept.
    #[serde(default)]
    pub retention: Retention,
}

/// Tables of earlier versions whose place is the store.
const MOVED: [&str; 3] = ["provider", "item", "tariff"];

/// What is offered stood here once.
fn check_moved(figment: &Figment, path: &Path) -> Result<(), String> {
    match MOVED.iter().find(|table| figment.contains(table)) {
        None => Ok(()),
        Some(table) => Err(format!(
            "{}: the table [{table}] is no configuration: what is offered is in the store. Write it into a \
             file of its own as [[{table}]], and take that in with `tripline-bpp import FILE`",
            path.display()
        )),
    }
}

impl Config {
    /// Reads the file and the environment over it. Relative paths become relative to the file.
    pub fn load(path: &Path) -> Result<Self, BppError> {
        let config = |reason| BppError::Config { reason };
        if !path.is_file() {
            return Err(config(format!(
                "there is no file {}; `tripline-bpp init` makes one, with its data folder",
                path.display()
            )));
        }
        let figment =
            Figment::from(Toml::file_exact(path)).merge(Env::prefixed(ENV_PREFIX).split("__"));
        check_moved(&figment, path).map_err(config)?;
        let mut loaded: Self = figment.extract().map_err(|error| config(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        loaded.data_dir = folder.join(&loaded.data_dir);
        loaded.check().map_err(config)?;
        Ok(loaded)
    }

    /// The store's URL.
    pub fn store_url(&self) -> String {
        self.store.url.clone().unwrap_or_else(|| self.sqlite_url())
    }

    /// The URL of the SQLite store in the data folder.
    pub fn sqlite_url(&self) -> String {
        format!("sqlite:{}", self.data_dir.join("tripline.db").display())
    }

    /// The file of the keys by which the network knows us.
    pub fn keys_file(&self) -> PathBuf {
        self.data_dir.join(&self.beckn.keys_file)
    }

    /// The registry's public encryption key, if it is set.
    pub fn registry_key(&self) -> Result<Option<RegistryPublicKey>, EncryptionKeyError> {
        self.registry.encryption_public_key.as_deref().map(str::parse).transpose()
    }

    /// The file of the key that seals commands to devices.
    pub fn command_key_file(&self) -> PathBuf {
        self.data_dir.join("command.key")
    }

    /// The file of the key under which drivers' PINs are kept.
    pub fn pin_key_file(&self) -> PathBuf {
        self.data_dir.join("pin.key")
    }

    /// The file of the first token for the admin API; it may have been removed since.
    pub fn admin_token_file(&self) -> PathBuf {
        self.data_dir.join("admin.token")
    }

    /// Where the admin API is met.
    pub fn admin_rules(&self) -> AdminRules {
        AdminRules {
            proxies: self.beckn.proxies.clone(),
            open_metrics: self.admin.listen.ip().is_loopback(),
            enrol_url: self.enrol_url(),
        }
    }

    /// The folder of what gateways gave us: ids of registrations and tokens.
    pub fn gateways_dir(&self) -> PathBuf {
        self.data_dir.join("gateways")
    }

    /// The folder of the device CA.
    pub fn ca_dir(&self) -> PathBuf {
        self.data_dir.join("ca")
    }

    /// Where devices are told to connect.
    pub fn device_endpoint(&self) -> (String, u16) {
        let host = self.device.hosts.first().cloned().unwrap_or_default();
        (host, self.device.port.unwrap_or(self.device.listen.port()))
    }

    /// The URL that is printed with enrolment codes, without a slash at its end.
    pub fn enrol_url(&self) -> String {
        self.enrol.url.clone().unwrap_or_else(|| {
            let (host, _) = self.device_endpoint();
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            format!("https://{host}:{}", self.enrol.listen.port())
        })
    }

    /// The file of subscribers, if there is no registry.
    pub fn subscribers_file(&self) -> Option<PathBuf> {
        self.beckn.subscribers_file.as_ref().map(|file| self.data_dir.join(file))
    }

    /// Path of our registered address, where requests come to.
    pub fn base_path(&self) -> String {
        let path = url::Url::parse(&self.beckn.uri).map(|uri| uri.path().to_owned());
        path.unwrap_or_default().trim_end_matches('/').to_owned()
    }

    /// What the platform needs to know.
    pub fn settings(&self) -> Settings {
        let origin = url::Url::parse(&self.beckn.uri)
            .map(|uri| uri.origin().ascii_serialization())
            .unwrap_or_default();
        Settings {
            identity: Identity {
                subscriber_id: normalized_id(&self.beckn.subscriber_id),
                uri: normalized_url(&self.beckn.uri),
                receipts: format!("{origin}/receipt"),
                domains: self.beckn.domains.clone(),
                tell_pauses: self.beckn.tell_pauses,
            },
            network: NetworkRules { silent_when_not_served: self.beckn.silent_when_not_served },
            support: self.support(),
            dispatch: self.dispatch_rules(),
            named_ms: self.named_ms(),
            otp: self.ride.otp,
            ride: self.ride_rules(),
            road: self.road(),
            roster: self.roster_rules(),
            track_url: format!("{origin}/track"),
            form_url: format!("{origin}/form"),
            first_settings: self.device.settings.0,
        }
    }

    /// Where riders find help.
    pub fn support(&self) -> crate::domain::support::Support {
        let Support { phone, email, url } = self.support.clone();
        crate::domain::support::Support { phone, email, url }
    }

    /// For how long a driver whom a quote names is held for it, in ms; `None`: quotes name nobody.
    fn named_ms(&self) -> Option<i64> {
        let Dispatch { name_drivers, named_s, .. } = &self.dispatch;
        name_drivers.then_some(i64::from(*named_s) * 1000)
    }

    /// What a vehicle needs before it is offered a ride.
    pub fn roster_rules(&self) -> RosterRules {
        let Fleet { sign_in_required, driver_documents, vehicle_documents } = self.fleet.clone();
        RosterRules { sign_in_required, driver_documents, vehicle_documents }
    }

    /// How orders are offered.
    fn dispatch_rules(&self) -> DispatchRules {
        let Dispatch { weights, .. } = &self.dispatch;
        let ms = |s: u32| i64::from(s) * 1000;
        DispatchRules {
            radius_m: self.dispatch.radius_m,
            weights: Weights {
                pickup: weights.pickup,
                idle: weights.idle,
                acceptance: weights.acceptance,
                rating: weights.rating,
            },
            batch: self.dispatch.batch,
            offer_ms: ms(self.dispatch.offer_s),
            search_ms: ms(self.dispatch.search_s),
            lead_ms: ms(self.dispatch.lead_s),
            auto_accept: self.dispatch.auto_accept,
            reassign_max: self.dispatch.reassign_max,
            road: self.road(),
        }
    }

    const fn road(&self) -> RoadModel {
        RoadModel {
            road_factor_percent: self.estimate.road_factor_percent,
            speed_kmph: self.estimate.speed_kmph,
        }
    }

    /// How rides go on.
    pub fn ride_rules(&self) -> RideRules {
        let ms = |s: u32| i64::from(s) * 1000;
        RideRules {
            search_ms: ms(self.dispatch.search_s),
            reassign_max: self.dispatch.reassign_max,
            silent_ms: ms(self.ride.silent_after_s),
            close_silent_ms: ms(self.ride.close_silent_after_s),
        }
    }

    /// Who may send how many requests.
    pub fn request_rules(&self) -> Rules {
        Rules {
            proxies: self.beckn.proxies.clone(),
            per_address_per_s: self.beckn.requests_per_address_per_s,
            per_subscriber_per_s: self.beckn.requests_per_subscriber_per_s,
            refuse_stale: self.beckn.refuse_stale,
        }
    }

    /// How callbacks are retried.
    pub const fn retry_rules(&self) -> RetryRules {
        RetryRules {
            retry_ms_max: self.callback.retry_ms_max,
            timeout_ms: self.callback.timeout_ms,
        }
    }
}
