//! The device endpoint's tasks: lets devices in, writes down who is there, and hears what changed.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing::{error, warn};

use super::connection::{self, Endpoint};
use super::ingest::Submitted;
use super::{presence, report, watch};
use crate::config;
use crate::identity::live::TlsSource;
use crate::listen::{self, Door, Limits, Rate, Refusal, descriptors};
use crate::service::Platform;
use crate::time;

/// Connections that have not got through their CONNECT: some seconds of handshakes on two cores.
const PENDING_MAX: usize = 4_096;

/// Such connections from one address. Generous, since behind a carrier's NAT thousands of vehicles
/// share one and come back together; see `docs/decisions/0024`.
const PENDING_PER_ADDRESS_MAX: usize = 1_024;

/// Seconds' worth of an address's rate that may come at once.
const BURST_S: u32 = 5;

/// What the device endpoint admits under this configuration, and with the file descriptors there are.
pub fn limits(config: &config::Device) -> Limits {
    let per_s = config.connects_per_address_per_s;
    let (wanted, possible) = (config.connections_max, descriptors::for_connections());
    if possible < wanted {
        warn!(wanted, possible, "too few open files are allowed for [device] connections_max");
    }
    Limits {
        connections_max: wanted.min(possible),
        pending_max: PENDING_MAX,
        pending_per_address_max: PENDING_PER_ADDRESS_MAX,
        rate_per_address: Some(Rate { per_s, burst: per_s.saturating_mul(BURST_S) }),
    }
}

/// Accepts until the task is dropped.
pub async fn run(
    listener: TcpListener,
    limits: Limits,
    tls: TlsSource,
    platform: Arc<Platform>,
    ingest: mpsc::Sender<Submitted>,
) {
    if let Err(error) = presence::begin(&platform, time::now()).await {
        error!(%error, "presence of before the start could not be ended");
    }
    let endpoint = Arc::new(Endpoint { tls, platform: Arc::clone(&platform), ingest });
    let serve =
        |stream, peer, entrance| connection::serve(Arc::clone(&endpoint), stream, peer, entrance);
    let turned_away = |peer, refusal: Refusal| report::turned_away(&platform, peer, refusal);
    // None of them ends by itself.
    tokio::select! {
        () = listen::run(listener, Door::new(limits), serve, turned_away) => {}
        () = presence::run(Arc::clone(&platform)) => {}
        () = watch::run(Arc::clone(&platform)) => {}
    }
}
