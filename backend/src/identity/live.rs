//! The authorities and TLS of a running platform, which follow the `ca` folder.
//!
//! `tripline-bpp ca` changes that folder from another process, so it is looked at every few seconds. On a
//! change, and before the certificate that this backend shows grows old, both TLS configurations are made
//! anew: connections that come after it meet the new ones, those that are open go on. Tickets of the old
//! ones are worth nothing then, so that nobody resumes a session whose authority is gone.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use tracing::{info, warn};
use tripline_protocol::unit::Timestamp;

use super::authority::{Authorities, Fingerprint};
use super::tls::{self, SERVER_LIFE_MS, ServerIdentity, TlsError};
use crate::error::BppError;
use crate::time;

/// How often the folder is looked at, in ms.
const LOOK_MS: u64 = 2_000;

/// Age at which the shown certificate is made anew, in ms: two thirds of its life.
const SERVER_AGE_MS_MAX: i64 = SERVER_LIFE_MS / 3 * 2;

/// TLS as the next connection is to meet it. Clones share it.
#[derive(Debug, Clone)]
pub struct TlsSource {
    current: Arc<RwLock<Arc<ServerConfig>>>,
}

impl TlsSource {
    /// A source that begins with this configuration.
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self { current: Arc::new(RwLock::new(config)) }
    }

    /// The configuration of a connection that begins at this moment.
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, config: Arc<ServerConfig>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
    }
}

/// What is made of the folder.
struct Made {
    authorities: Arc<Authorities>,
    device: Arc<ServerConfig>,
    enrol: Arc<ServerConfig>,
}

/// The authorities and TLS of a running platform.
#[derive(Debug)]
pub struct Identity {
    dir: PathBuf,
    hosts: Vec<String>,
    /// The authorities, and when the certificate that is shown was made.
    current: RwLock<(Arc<Authorities>, Timestamp)>,
    device: TlsSource,
    enrol: TlsSource,
}

impl Identity {
    /// Reads the folder and makes TLS under these names and addresses.
    pub fn load(dir: PathBuf, hosts: Vec<String>, now: Timestamp) -> Result<Self, BppError> {
        let Made { authorities, device, enrol } = make(Authorities::load(&dir)?, &hosts, now)?;
        Ok(Self {
            dir,
            hosts,
            current: RwLock::new((authorities, now)),
            device: TlsSource::new(device),
            enrol: TlsSource::new(enrol),
        })
    }

    /// The authorities that are active.
    pub fn authorities(&self) -> Arc<Authorities> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// TLS of the device endpoint.
    pub fn device_tls(&self) -> TlsSource {
        self.device.clone()
    }

    /// TLS of the enrolment listener.
    pub fn enrol_tls(&self) -> TlsSource {
        self.enrol.clone()
    }

    /// Reads the folder again, and makes anew what follows from it if that is due. Says whether it was.
    ///
    /// A folder that cannot be used, for instance in the middle of a change, changes nothing.
    pub fn refresh(&self, now: Timestamp) -> Result<bool, BppError> {
        let authorities = Authorities::load(&self.dir)?;
        let (current, made_at) = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            (Arc::clone(&current.0), current.1)
        };
        // A clock that was set back makes it old as well: it would not be valid yet.
        let fresh = (0..SERVER_AGE_MS_MAX).contains(&now.since_ms(made_at));
        if fresh && fingerprints(&authorities) == fingerprints(&current) {
            return Ok(false);
        }
        let Made { authorities, device, enrol } = make(authorities, &self.hosts, now)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (authorities, now);
        self.device.replace(device);
        self.enrol.replace(enrol);
        Ok(true)
    }
}

/// Follows the folder until the task is dropped.
pub async fn run(identity: Arc<Identity>) {
    let mut tick = tokio::time::interval(Duration::from_millis(LOOK_MS));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failures = 0_u32;
    loop {
        tick.tick().await;
        let looking = Arc::clone(&identity);
        // Files and key generation: not on a thread that serves connections.
        let looked = tokio::task::spawn_blocking(move || looking.refresh(time::now())).await;
        match looked {
            Ok(Ok(changed)) => {
                failures = 0;
                if changed {
                    let authorities = identity.authorities();
                    let (serving, issuing) =
                        (authorities.serving().generation, authorities.issuing().generation);
                    info!(serving, issuing, "device CA and TLS made anew");
                }
            }
            Ok(Err(error)) => {
                failures = failures.saturating_add(1);
                // The first may have fallen into the middle of a change, and once is told once.
                if failures == 2 {
                    warn!(%error, "the device CA stays as it was");
                }
            }
            Err(error) => warn!(%error, "the device CA was not looked at"),
        }
    }
}

fn make(authorities: Authorities, hosts: &[String], now: Timestamp) -> Result<Made, BppError> {
    let internal = |error: TlsError| BppError::Internal(error.to_string());
    let identity = Arc::new(ServerIdentity::new(&authorities, hosts, now).map_err(internal)?);
    let device = tls::device_tls(&authorities, Arc::clone(&identity)).map_err(internal)?;
    let enrol = tls::enrol_tls(&authorities, identity).map_err(internal)?;
    Ok(Made { authorities: Arc::new(authorities), device, enrol })
}

fn fingerprints(authorities: &Authorities) -> Vec<Fingerprint> {
    authorities.all().iter().map(super::authority::Authority::fingerprint).collect()
}
