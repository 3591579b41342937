//! What the tasks of a platform share, and the tasks.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::error;

use super::doors::Doors;
use crate::audit::{Audit, Entry};
use crate::callback::{Poster, worker};
use crate::cli::gateway::bpp_error;
use crate::cli::open_directory;
use crate::config::Config;
use crate::device::{ingest, listener};
use crate::enrol::{self, office::Office};
use crate::error::BppError;
use crate::http::admin::{self, AdminApp};
use crate::http::on_subscribe::{self, ChallengeDesk};
use crate::http::{self, App};
use crate::identity::live::{self, Identity};
use crate::keys::live::LiveKeys;
use crate::keys::pin::PinKey;
use crate::keys::ring::KeyRing;
use crate::keys::rotation::{self, Rotation};
use crate::keys::{self, file as key_file};
use crate::network::directory::{Counts, Directory};
use crate::network::gateway::desk::Desk;
use crate::network::gateway::watch::{self, Watch};
use crate::network::guard::Guard;
use crate::network::self_check::{Pauses, SelfCheck};
use crate::retention;
use crate::service::Platform;
use crate::service::fleet;
use crate::service::fold;
use crate::service::intake::{self, Intake};
use crate::service::track;
use crate::store::Store;
use crate::time;

/// How often orders that wait for a driver are looked at, in ms.
const DISPATCH_TICK_MS: u64 = 250;

/// How often trips whose devices are not heard are counted, in ms.
const SILENT_TICK_MS: u64 = 15_000;

/// What more than one task needs.
pub(super) struct Shared {
    platform: Arc<Platform>,
    keys: Arc<LiveKeys>,
    directory: Arc<Directory>,
    identity: Arc<Identity>,
    guard: Guard,
}

impl Shared {
    /// All of it, and the audit entries that are to be written.
    pub(super) async fn make(
        config: &Config,
        store: Store,
        ring: KeyRing,
    ) -> Result<(Self, mpsc::Receiver<Entry>), BppError> {
        let command_key = key_file::load(&config.command_key_file())?;
        let identity = Identity::load(config.ca_dir(), config.device.hosts.clone(), time::now())?;
        let (audit, entries) = Audit::new();
        let pin_key = PinKey::load_or_make(&config.pin_key_file())?;
        let platform =
            Platform::new(store, config.settings(), command_key, audit).with_pin_key(pin_key);
        platform
            .refresh_fleet(time::now())
            .await
            .map_err(|error| BppError::Internal(error.to_string()))?;
        let counts = Counts::of(&platform.metrics);
        let directory = open_directory(config, &platform.store, counts).await?;
        let keys = LiveKeys::new(platform.settings.identity.subscriber_id.clone(), ring);
        let shared = Self {
            platform: Arc::new(platform),
            keys: Arc::new(keys),
            directory: Arc::new(directory),
            identity: Arc::new(identity),
            guard: Guard::new(config.callback.private_networks.clone()),
        };
        Ok((shared, entries))
    }

    pub(super) fn self_check(&self) -> SelfCheck {
        SelfCheck::new(
            Arc::clone(&self.directory),
            Arc::clone(&self.keys),
            self.platform.settings.identity.uri.clone(),
            self.platform.standing.clone(),
            self.platform.metrics.network_served.clone(),
        )
    }

    /// Who is on the network, and what it knows of us.
    pub(super) fn follow_network(
        &self,
        config: &Config,
        self_check: SelfCheck,
        checked_well: bool,
        tasks: &mut JoinSet<()>,
    ) {
        let rotation = Rotation {
            keys: Arc::clone(&self.keys),
            path: config.keys_file(),
            directory: Arc::clone(&self.directory),
            url: self.platform.settings.identity.uri.clone(),
        };
        tasks.spawn(Arc::clone(&self.directory).run());
        tasks.spawn(self_check.run(checked_well, Pauses::default()));
        tasks.spawn(keys::live::run(Arc::clone(&self.keys), config.keys_file()));
        tasks.spawn(rotation.run(Duration::from_millis(rotation::LOOK_MS)));
    }

    /// What others ask for over HTTP, and who takes it in.
    pub(super) fn take_requests(
        &self,
        config: &Config,
        tasks: &mut JoinSet<()>,
    ) -> Result<Router, BppError> {
        let platform = || Arc::clone(&self.platform);
        let desk = ChallengeDesk {
            platform: platform(),
            keys: Arc::clone(&self.keys),
            registry: config.registry_key().map_err(|e| BppError::Internal(e.to_string()))?,
        };
        let (intake, waiting) = Intake::new();
        let (directory, rules) = (Arc::clone(&self.directory), config.request_rules());
        let app = App::new(platform(), directory, self.guard.clone(), intake, rules);
        tasks.spawn(intake::run(platform(), waiting));
        tasks.spawn(intake::forget(platform()));
        tasks.spawn(fold::run(platform()));
        tasks.spawn(track::run(platform()));
        let base = config.base_path();
        let challenges = on_subscribe::routes(desk, app.gate(), &base);
        Ok(http::whole(Arc::new(app), challenges, &base))
    }

    /// What is done and told without being asked.
    pub(super) fn deliver(&self, config: &Config, tasks: &mut JoinSet<()>) -> Result<(), BppError> {
        let (keys, directory) = (Arc::clone(&self.keys), Arc::clone(&self.directory));
        let poster = Poster::new(keys, directory, self.guard.clone(), config.callback.timeout_ms);
        let poster = poster.map_err(BppError::Internal)?;
        tasks.spawn(worker::run(Arc::clone(&self.platform), poster, config.retry_rules()));
        tasks.spawn(dispatch(Arc::clone(&self.platform)));
        tasks.spawn(fleet::run(Arc::clone(&self.platform)));
        tasks.spawn(count_silent(Arc::clone(&self.platform)));
        tasks.spawn(retention::run(self.platform.store.clone(), config.retention));
        Ok(())
    }

    /// Where gateways are with us.
    pub(super) fn watch_gateways(
        &self,
        config: &Config,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), BppError> {
        if config.gateways.is_empty() {
            return Ok(());
        }
        let desks = config.gateways.keys().map(|name| Desk::new(config, name));
        let desks = desks.collect::<Result<Vec<_>, _>>().map_err(bpp_error)?;
        let watch = Watch::new(desks, watch::Counts::of(&self.platform.metrics));
        tasks.spawn(watch.run(watch::Pauses::default()));
        Ok(())
    }

    /// Lets everybody in: devices, and whoever comes over HTTP.
    pub(super) fn serve(
        &self,
        config: &Config,
        doors: Doors,
        router: Router,
        tasks: &mut JoinSet<()>,
    ) {
        let platform = || Arc::clone(&self.platform);
        tasks.spawn(live::run(Arc::clone(&self.identity)));
        let (ingest_tx, ingest_rx) = mpsc::channel(ingest::BATCHES_WAITING_MAX);
        tasks.spawn(ingest::run(platform(), ingest_rx));
        let (limits, device_tls) = (listener::limits(&config.device), self.identity.device_tls());
        tasks.spawn(listener::run(doors.device, limits, device_tls, platform(), ingest_tx));
        let office = Arc::new(Office {
            platform: platform(),
            identity: Arc::clone(&self.identity),
            endpoint: config.device_endpoint(),
            life_ms: i64::try_from(config.device.certificate_s * 1000).unwrap_or(i64::MAX),
        });
        let (limits, enrol_tls) =
            (enrol::listener::limits(&config.device), self.identity.enrol_tls());
        tasks.spawn(enrol::listener::run(doors.enrol, limits, enrol_tls, office));
        let (directory, identity) = (Arc::clone(&self.directory), Arc::clone(&self.identity));
        let admin = AdminApp::new(platform(), directory, identity, config.admin_rules());
        tasks.spawn(http::listener::run(doors.admin, admin::router(admin)));
        tasks.spawn(admin::forget(platform()));
        tasks.spawn(http::listener::run(doors.beckn, router));
    }
}

/// Looks after orders that wait for a driver.
async fn dispatch(platform: Arc<Platform>) {
    let mut tick = tokio::time::interval(Duration::from_millis(DISPATCH_TICK_MS));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = platform.handle_due(time::now()).await {
            error!(%error, "orders that wait for a driver could not be looked after");
        }
    }
}

/// Counts trips whose devices are not heard.
async fn count_silent(platform: Arc<Platform>) {
    let mut tick = tokio::time::interval(Duration::from_millis(SILENT_TICK_MS));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = platform.count_silent(time::now()).await {
            error!(%error, "trips whose devices are not heard could not be counted");
        }
    }
}
