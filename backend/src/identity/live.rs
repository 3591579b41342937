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

/// Looks that fail between two words about it: an hour's.
const FAILURES_PER_WORD: u32 = 1_800;

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
        let Made { authorities, device, enrol } =
            make(Arc::new(Authorities::load(&dir)?), &hosts, now)?;
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
    /// A folder that cannot be used, for instance in the middle of a change, changes nothing: the
    /// authorities last read stay, and from them the certificate that is shown is made anew in time.
    pub fn refresh(&self, now: Timestamp) -> Result<bool, BppError> {
        let (current, made_at) = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            (Arc::clone(&current.0), current.1)
        };
        // A clock that was set back makes it old as well: it would not be valid yet.
        let fresh = (0..SERVER_AGE_MS_MAX).contains(&now.since_ms(made_at));
        match Authorities::load(&self.dir) {
            Ok(read) if fresh && fingerprints(&read) == fingerprints(&current) => Ok(false),
            Ok(read) => self.make_anew(Arc::new(read), now).map(|()| true),
            Err(error) if fresh => Err(error),
            Err(error) => {
                self.make_anew(current, now)?;
                Err(error)
            }
        }
    }

    fn make_anew(&self, authorities: Arc<Authorities>, now: Timestamp) -> Result<(), BppError> {
        let Made { authorities, device, enrol } = make(authorities, &self.hosts, now)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (authorities, now);
        self.device.replace(device);
        self.enrol.replace(enrol);
        Ok(())
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
                if is_told(failures) {
                    warn!(%error, "the device CA stays as it was");
                }
            }
            Err(error) => warn!(%error, "the device CA was not looked at"),
        }
    }
}

/// Whether this failure in a row is told: the first may have fallen into the middle of a change, the next
/// is told at once, and what lasts is told each hour.
fn is_told(failures: u32) -> bool {
    failures % FAILURES_PER_WORD == 2
}

fn make(authorities: Arc<Authorities>, hosts: &[String], now: Timestamp) -> Result<Made, BppError> {
    let internal = |error: TlsError| BppError::Internal(error.to_string());
    let identity = Arc::new(ServerIdentity::new(&authorities, hosts, now).map_err(internal)?);
    let device = tls::device_tls(&authorities, Arc::clone(&identity)).map_err(internal)?;
    let enrol = tls::enrol_tls(&authorities, identity).map_err(internal)?;
    Ok(Made { authorities, device, enrol })
}

fn fingerprints(authorities: &Authorities) -> Vec<Fingerprint> {
    authorities.all().iter().map(super::authority::Authority::fingerprint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_lasts_is_told_at_the_second_look_and_each_hour_after() {
        let told: Vec<u32> = (1..=7_200).filter(|failures| is_told(*failures)).collect();
        assert_eq!(told, [2, 1_802, 3_602, 5_402]);
        assert_eq!(u64::from(FAILURES_PER_WORD) * LOOK_MS, 3_600_000);
    }

    #[test]
    fn while_the_folder_cannot_be_read_the_shown_certificate_is_made_anew_from_what_was() {
        let dir = tempfile::tempdir().expect("a folder");
        let (ca, away) = (dir.path().join("ca"), dir.path().join("away"));
        let now = Timestamp::from_unix_ms(1_800_000_000_000);
        let first = Authorities::create(&ca, now).expect("made").serving().fingerprint();
        let identity = Identity::load(ca.clone(), vec!["localhost".into()], now).expect("read");
        std::fs::rename(&ca, away).expect("gone");
        let before = identity.device_tls().current();
        assert!(identity.refresh(now.plus_ms(SERVER_AGE_MS_MAX - 1)).is_err());
        assert!(Arc::ptr_eq(&before, &identity.device_tls().current()), "it is not old yet");
        assert!(identity.refresh(now.plus_ms(SERVER_AGE_MS_MAX)).is_err(), "and that is told");
        assert!(!Arc::ptr_eq(&before, &identity.device_tls().current()), "made anew in time");
        assert_eq!(identity.authorities().serving().fingerprint(), first);
    }
}
