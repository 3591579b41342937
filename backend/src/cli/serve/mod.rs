//! `tripline-bpp serve`: everything, until told to stop.

mod doors;
mod shared;

use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tracing::{info, warn};

use self::doors::Doors;
use self::shared::Shared;
use super::lock::Lock;
use super::{ConfigPath, migrate_store, start_log, without_password};
use crate::audit::{Entry, writer};
use crate::config::Config;
use crate::error::BppError;
use crate::keys::ring::KeyRing;
use crate::store::Store;
use crate::time;

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
    // Before the store: nobody may change its schema under a platform that serves.
    let lock = Lock::take(&config)?;
    let store = migrate_store(&config, &lock).await?;
    let doors = Doors::open(&config).await?;
    if !config.admin.listen.ip().is_loopback() {
        warn!(
            listen = %config.admin.listen,
            "[admin] listen is no loopback address: tokens would pass the network in clear; \
             let a reverse proxy with TLS stand before it"
        );
    }
    if config.support().is_none() {
        warn!("[support] is empty: riders who ask for help are told of none");
    }
    let addresses = doors.addresses()?;

    let (shared, entries) = Shared::make(&config, store.clone(), ring).await?;
    let self_check = shared.self_check();
    let checked_well = self_check.start(time::now()).await?;
    info!(store = %without_password(&config.store_url()), "open");

    let mut auditor = Auditor::start(store.clone(), entries, config.retention.audit_days);
    let mut tasks = JoinSet::new();
    shared.follow_network(&config, self_check, checked_well, &mut tasks);
    let router = shared.take_requests(&config, &mut tasks)?;
    shared.deliver(&config, &mut tasks)?;
    shared.watch_gateways(&config, &mut tasks)?;
    shared.serve(&config, doors, router, &mut tasks);
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
        _ = &mut auditor.task => Err(ended()),
    };
    info!("stopping");
    // What devices wait for comes again from them.
    tasks.shutdown().await;
    auditor.finish().await;
    store.close().await;
    stopped
}

/// Whoever writes down what is to be known later.
struct Auditor {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Auditor {
    fn start(store: Store, entries: mpsc::Receiver<Entry>, kept_days: u32) -> Self {
        let (stop, stops) = oneshot::channel();
        Self { task: tokio::spawn(writer::run(store, entries, stops, kept_days)), stop }
    }

    /// Waits for what is still to be written down, which does not come again.
    async fn finish(self) {
        let _ = self.stop.send(());
        if !self.task.is_finished() {
            let _ = tokio::time::timeout(Duration::from_millis(GOODBYE_MS_MAX), self.task).await;
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
