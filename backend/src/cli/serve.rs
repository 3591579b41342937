//! `tripline-bpp serve`: everything, until told to stop.

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::{error, info};

use super::{ConfigPath, open_directory, open_store, start_log};
use crate::audit::{Audit, writer};
use crate::callback::{Poster, worker};
use crate::config::Config;
use crate::device::{ingest, listener};
use crate::enrol::{self, office::Office};
use crate::error::BppError;
use crate::http::on_subscribe::{self, ChallengeDesk};
use crate::http::{self, App};
use crate::identity::live::{self, Identity};
use crate::keys::live::LiveKeys;
use crate::keys::ring::KeyRing;
use crate::keys::rotation::{self, Rotation};
use crate::keys::{self, file as key_file};
use crate::network::directory::Counts;
use crate::network::guard::Guard;
use crate::network::self_check::SelfCheck;
use crate::service::Platform;
use crate::service::intake::{self, Intake};
use crate::time;

/// How often orders that wait for a driver are looked at, in ms.
const DISPATCH_TICK_MS: u64 = 250;

/// Longest wait for the last audit entries to be written, in ms.
const GOODBYE_MS_MAX: u64 = 5_000;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// What to log on standard error: error, warn, info, debug or trace, also per module
    #[arg(long, env = "TRIPLINE_LOG", default_value = "info")]
    log: String,
    /// Print one JSON line on standard output once everything listens, with the addresses
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ServeArgs) -> Result<(), BppError> {
    start_log(&args.log)?;
    let config = Config::load(&args.config.config)?;
    let ring = KeyRing::load(&config.keys_file())?;
    let store = open_store(&config).await?;
    let doors = Doors::open(&config).await?;
    let addresses = doors.addresses()?;

    let _lock = if store.has_one_backend() { Some(lock(&config.data_dir)?) } else { None };
    let command_key = key_file::load(&config.command_key_file())?;
    let identity = Identity::load(config.ca_dir(), config.device.hosts.clone(), time::now())?;
    let identity = Arc::new(identity);
    let (audit, entries) = Audit::new();
    let platform = Arc::new(Platform::new(store, config.settings(), command_key, audit));
    let keys = LiveKeys::new(platform.settings.identity.subscriber_id.clone(), ring);
    let keys = Arc::new(keys);
    let counts = Counts::of(&platform.metrics);
    let directory = Arc::new(open_directory(&config, &platform.store, counts).await?);
    let self_check = SelfCheck::new(
        Arc::clone(&directory),
        Arc::clone(&keys),
        platform.settings.identity.uri.clone(),
        platform.standing.clone(),
        platform.metrics.network_served.clone(),
    );
    let checked_well = self_check.start(time::now()).await?;
    let guard = Guard::new(config.callback.private_networks.clone());
    let rotation = Rotation {
        keys: Arc::clone(&keys),
        path: config.keys_file(),
        directory: Arc::clone(&directory),
        url: platform.settings.identity.uri.clone(),
    };
    let desk = ChallengeDesk {
        platform: Arc::clone(&platform),
        keys: Arc::clone(&keys),
        registry: config.registry_key().map_err(|e| BppError::Internal(e.to_string()))?,
    };
    let timeout_ms = config.callback.timeout_ms;
    let poster = Poster::new(Arc::clone(&keys), Arc::clone(&directory), guard.clone(), timeout_ms)
        .map_err(BppError::Internal)?;
    info!(store = %super::without_password(&config.store_url()), "open");
    let (intake, waiting) = Intake::new();
    let rules = config.request_rules();
    let app = App::new(Arc::clone(&platform), Arc::clone(&directory), guard, intake, rules);
    let base = config.base_path();
    let router = http::router(Arc::new(app), &base).merge(on_subscribe::router(desk, &base));
    let office = Arc::new(Office {
        platform: Arc::clone(&platform),
        identity: Arc::clone(&identity),
        endpoint: config.device_endpoint(),
        life_ms: i64::try_from(config.device.certificate_s * 1000).unwrap_or(i64::MAX),
    });

    let (stop_audit, audit_stops) = oneshot::channel();
    let mut auditor = tokio::spawn(writer::run(platform.store.clone(), entries, audit_stops));
    let mut tasks = JoinSet::new();
    let (ingest_tx, ingest_rx) = mpsc::channel(ingest::BATCHES_WAITING_MAX);
    tasks.spawn(live::run(Arc::clone(&identity)));
    tasks.spawn(directory.run());
    tasks.spawn(self_check.run(checked_well));
    tasks.spawn(keys::live::run(keys, config.keys_file()));
    tasks.spawn(rotation.run(Duration::from_millis(rotation::LOOK_MS)));
    tasks.spawn(ingest::run(Arc::clone(&platform), ingest_rx));
    tasks.spawn(worker::run(Arc::clone(&platform), poster, config.retry_rules()));
    tasks.spawn(dispatch(Arc::clone(&platform)));
    tasks.spawn(intake::run(Arc::clone(&platform), waiting));
    tasks.spawn(intake::forget(Arc::clone(&platform)));
    let (limits, device_tls) = (listener::limits(&config.device), identity.device_tls());
    tasks.spawn(listener::run(doors.device, limits, device_tls, Arc::clone(&platform), ingest_tx));
    let enrol_limits = enrol::listener::limits(&config.device);
    tasks.spawn(enrol::listener::run(doors.enrol, enrol_limits, identity.enrol_tls(), office));
    tasks.spawn(http::listener::run(doors.admin, http::admin::router(Arc::clone(&platform))));
    tasks.spawn(http::listener::run(doors.beckn, router));
    // Before anybody is told that it is ready: a signal in between would kill it.
    let stopped = stopped()?;
    info!(%addresses, uri = %config.beckn.uri, "ready");
    if args.json {
        println!("{addresses}");
    }

    let ended = || BppError::Internal("a task of the platform ended; its log says why".into());
    let stopped = tokio::select! {
        () = stopped => Ok(()),
        // None of them ends by itself: a platform without one of them only looks alive.
        _ = tasks.join_next() => Err(ended()),
        _ = &mut auditor => Err(ended()),
    };
    info!("stopping");
    // What devices wait for comes again from them.
    tasks.shutdown().await;
    // What is still to be written down is not.
    let _ = stop_audit.send(());
    if !auditor.is_finished() {
        let _ = tokio::time::timeout(Duration::from_millis(GOODBYE_MS_MAX), auditor).await;
    }
    platform.store.close().await;
    stopped
}

/// Where others come in.
struct Doors {
    beckn: TcpListener,
    device: TcpListener,
    enrol: TcpListener,
    admin: TcpListener,
}

impl Doors {
    async fn open(config: &Config) -> Result<Self, BppError> {
        Ok(Self {
            beckn: listen(config.beckn.listen, "Beckn requests", "[beckn] listen").await?,
            device: listen(config.device.listen, "devices", "[device] listen").await?,
            enrol: listen(config.enrol.listen, "enrolments", "[enrol] listen").await?,
            admin: listen(config.admin.listen, "metrics", "[admin] listen").await?,
        })
    }

    fn addresses(&self) -> Result<Value, BppError> {
        Ok(json!({
            "beckn": local(&self.beckn)?,
            "device": local(&self.device)?,
            "enrol": local(&self.enrol)?,
            "admin": local(&self.admin)?,
        }))
    }
}

async fn listen(
    address: SocketAddr,
    what: &'static str,
    key: &'static str,
) -> Result<TcpListener, BppError> {
    TcpListener::bind(address).await.map_err(|source| BppError::Listen {
        address: address.to_string(),
        what,
        key,
        source,
    })
}

/// Held while a platform serves from an SQLite store, which is for one at a time.
fn lock(data_dir: &Path) -> Result<File, BppError> {
    let path = data_dir.join("lock");
    let failed = |reason: String| BppError::File { path: path.clone(), reason };
    let file = File::create(&path).map_err(|error| failed(error.to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(failed("another tripline-bpp serves from this folder: stop it first".into()))
        }
        Err(TryLockError::Error(error)) => Err(failed(error.to_string())),
    }
}

fn local(listener: &TcpListener) -> Result<SocketAddr, BppError> {
    listener.local_addr().map_err(|error| BppError::Internal(error.to_string()))
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

/// Catches the signals that end it from here on; done when one has come.
fn stopped() -> Result<impl Future<Output = ()>, BppError> {
    let internal = |error: std::io::Error| BppError::Internal(error.to_string());
    let mut terminate = signal(SignalKind::terminate()).map_err(internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(internal)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
