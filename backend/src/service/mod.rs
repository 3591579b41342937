//! The platform: loads what a decision needs, lets the domain decide, and stores the decision with
//! everything it calls for (callbacks, commands, freed vehicles) in one transaction.

mod choice;
mod command;
mod device;
mod dispatch;
mod effects;

pub mod duty;
pub mod fleet;
pub mod form;

mod ingest;
mod offers;
mod request;
mod rules;
mod silence;

pub mod fold;
pub mod intake;
pub mod rating;

mod receipt;
pub mod settings;
pub mod track;

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{Mutex, Notify, watch};
use tripline_protocol::id::DeviceId;
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::link::up::Live;
use tripline_protocol::unit::Timestamp;

use tripline_protocol::signing::SecretKey;

use crate::audit::{Audit, Entry};
use crate::beckn::Identity;
use crate::chance::NoChance;
use crate::device::sessions::Sessions;
use crate::domain::dispatch::DispatchRules;
use crate::domain::estimate::RoadModel;
use crate::domain::fleet::RosterRules;
use crate::domain::live::LiveFleet;
use crate::domain::ride::RideRules;
use crate::keys::pin::PinKey;
use crate::metrics::Metrics;
use crate::network::standing::Standing;
use crate::store::retry::Contended;
use crate::store::{Store, StoreError};
use crate::time;

pub use device::Refusal;
pub(crate) use effects::send_command;
pub use ingest::{Applied, EPOCHS_NEW_MAX, EPOCHS_NEW_MS, Lane, Submission};
pub use request::{Asked, RequestError, Taken};
pub use rules::NetworkRules;
pub(crate) use silence::trail_behind;
pub use track::Tracked;

/// Why a decision could not be stored. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No randomness.
    #[error(transparent)]
    NoChance(#[from] NoChance),
    /// A callback could not be rendered.
    #[error("{0}")]
    Render(String),
}

impl ServiceError {
    /// Whether the store itself could not be used, whatever was asked of it.
    pub fn is_of_the_store(&self) -> bool {
        match self {
            Self::Store(error) => error.is_of_the_store(),
            Self::NoChance(_) | Self::Render(_) => false,
        }
    }
}

impl Contended for ServiceError {
    fn is_contended(&self) -> bool {
        match self {
            Self::Store(error) => error.is_contended(),
            Self::NoChance(_) | Self::Render(_) => false,
        }
    }
}

/// How the platform works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who we are on the network.
    pub identity: Identity,
    /// What BAPs are told.
    pub network: NetworkRules,
    /// Where riders find help.
    pub support: crate::domain::support::Support,
    /// How orders are offered.
    pub dispatch: DispatchRules,
    /// For how long a driver whom a quote names is held for it, in ms; `None`: quotes name nobody.
    pub named_ms: Option<i64>,
    /// Whether a ride starts only with the rider's OTP.
    pub otp: bool,
    /// How rides go on.
    pub ride: RideRules,
    /// How straight lines become roads.
    pub road: RoadModel,
    /// Address under which tracking links are served, without a slash at the end.
    pub track_url: String,
    /// Address under which forms are served, without a slash at the end.
    pub form_url: String,
    /// What a vehicle needs before it is offered a ride.
    pub roster: RosterRules,
    /// What every device of the fleet is to run, beside what is wanted of it alone.
    pub first_settings: DeviceSettings,
}

/// The platform.
#[derive(Debug)]
pub struct Platform {
    /// The store.
    pub store: Store,
    /// The settings.
    pub settings: Settings,
    /// The connected devices.
    pub sessions: Sessions,
    /// Rung when callbacks were written.
    pub outbox: Notify,
    /// Whether the network is served, as far as the registry has a say in it.
    pub standing: watch::Sender<Standing>,
    /// What is counted.
    pub metrics: Metrics,
    /// Seals commands to devices.
    pub command_key: SecretKey,
    /// The key of drivers' PINs; without it nobody signs in.
    pin_key: Option<PinKey>,
    /// Since when it listens to devices.
    pub since: Timestamp,
    audit: Audit,
    fleet: RwLock<LiveFleet>,
    known: RwLock<fleet::Known>,
    refreshing: Mutex<()>,
    watches: track::Watches,
    outboxes_full: RwLock<HashSet<String>>,
}

impl Platform {
    /// A platform over a store that has not looked at its fleet yet ([`Platform::refresh_fleet`]), which seals commands with `command_key`.
    pub fn new(store: Store, settings: Settings, command_key: SecretKey, audit: Audit) -> Self {
        Self {
            store,
            settings,
            sessions: Sessions::default(),
            outbox: Notify::new(),
            standing: watch::Sender::new(Standing::Good),
            metrics: Metrics::default(),
            command_key,
            pin_key: None,
            since: time::now(),
            audit,
            fleet: RwLock::default(),
            known: RwLock::default(),
            refreshing: Mutex::default(),
            watches: track::Watches::default(),
            outboxes_full: RwLock::default(),
        }
    }

    /// The same, with the key of drivers' PINs.
    #[must_use]
    pub fn with_pin_key(self, key: PinKey) -> Self {
        Self { pin_key: Some(key), ..self }
    }

    /// The key of drivers' PINs, if there is one.
    pub const fn pin_key(&self) -> Option<&PinKey> {
        self.pin_key.as_ref()
    }

    /// Has something written down that a peer caused; nothing waits for it.
    pub fn tell_audit(&self, entry: Entry) {
        if !self.audit.tell(entry) {
            self.metrics.audit_dropped.inc();
        }
    }

    /// The live fleet, to look at.
    pub fn fleet(&self) -> RwLockReadGuard<'_, LiveFleet> {
        self.fleet.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn fleet_mut(&self) -> RwLockWriteGuard<'_, LiveFleet> {
        self.fleet.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether so many callbacks wait for a subscriber that it is to take them before it asks for more.
    pub fn outbox_is_full(&self, subscriber_id: &str) -> bool {
        let full = self.outboxes_full.read().unwrap_or_else(PoisonError::into_inner);
        full.contains(subscriber_id)
    }

    /// Says for whom that is so; for nobody else.
    pub fn set_outboxes_full(&self, full: HashSet<String>) {
        *self.outboxes_full.write().unwrap_or_else(PoisonError::into_inner) = full;
    }

    /// Forgets where a device is: nobody is offered a ride with it before it is heard again.
    pub fn forget_live(&self, device: &DeviceId) {
        self.fleet_mut().forget(device);
    }

    /// Takes in a live position.
    pub fn handle_live(&self, device: &DeviceId, live: Live) {
        self.fleet_mut().update(device, live, time::now());
    }
}
