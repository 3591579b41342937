//! The renewal task: a new certificate in good time, and the identity of a device that was enrolled anew
//! while the agent runs.
//!
//! The connection that stands goes on; its next one is made with the new certificate.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::block_in_place;
use tracing::{error, info, warn};
use tripline_agent_link::enrol::{EnrolError, renew};
use tripline_agent_link::identity::IDENTITY_FILE;
use tripline_agent_link::{Clock, FolderLock, Identity};
use tripline_protocol::enrol::EnrolRefusal;
use tripline_protocol::unit::Uptime;

use crate::chance::jittered_ms;
use crate::credentials::Credentials;
use crate::time::{Stopwatch, date};

/// Between two looks at the file and the clock, in ms.
const LOOK_MS: u64 = 5_000;

/// Shortest bound of the wait after a renewal that failed, in ms. It doubles.
const RETRY_MS_MIN: u64 = 5_000;

/// Longest of these waits, in ms: a third of a certificate's life is weeks.
const RETRY_MS_MAX: u64 = 3_600_000;

/// The wait after a refusal that only the operator can lift, in ms.
const REFUSED_MS: u64 = 6 * 3_600_000;

/// Least time between two renewals, in ms, should a backend date its certificates so that they are due at
/// once.
const RENEWED_MS: u64 = 30_000;

/// What the renewal needs from the rest of the agent.
#[derive(Debug)]
pub struct Renewal {
    dir: PathBuf,
    agent_version: &'static str,
    clock: Clock,
    stopwatch: Stopwatch,
    credentials: watch::Sender<Arc<Credentials>>,
    /// The file as it was last read or written.
    seen: Option<Stamp>,
    /// Whether the identity in use is not on the disk.
    unsaved: bool,
    failures: u32,
    not_before: Uptime,
}

/// Tells one file in this place from the next: each is a new one, renamed to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    changed: (i64, i64),
}

impl Renewal {
    /// A renewal of the identity in the folder `dir`, which `credentials` were loaded from.
    pub fn new(
        dir: PathBuf,
        agent_version: &'static str,
        clock: Clock,
        stopwatch: Stopwatch,
        credentials: watch::Sender<Arc<Credentials>>,
    ) -> Self {
        let mut renewal = Self {
            dir,
            agent_version,
            clock,
            stopwatch,
            credentials,
            seen: None,
            unsaved: false,
            failures: 0,
            not_before: Uptime::default(),
        };
        renewal.seen = renewal.stamp();
        renewal
    }

    /// Looks and renews, until the agent ends.
    pub async fn run(mut self) {
        loop {
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            block_in_place(|| self.take_in_file());
            if self.is_due() {
                self.renew().await;
            }
        }
    }

    fn identity(&self) -> Identity {
        self.credentials.borrow().identity.clone()
    }

    fn stamp(&self) -> Option<Stamp> {
        let data = fs::metadata(self.dir.join(IDENTITY_FILE)).ok()?;
        Some(Stamp { inode: data.ino(), changed: (data.ctime(), data.ctime_nsec()) })
    }

    /// Goes by another identity once it was put in place, and keeps one that could not be kept before.
    fn take_in_file(&mut self) {
        let stamp = self.stamp();
        if stamp == self.seen {
            if self.unsaved {
                self.save_at_last();
            }
            return;
        }
        self.seen = stamp;
        match Identity::load(&self.dir) {
            Ok(Some(identity)) if identity.device == self.identity().device => {
                if identity != self.identity() {
                    info!(expires = date(identity.expires_at), "enrolled anew");
                    self.unsaved = false;
                    self.go_by(identity);
                }
            }
            Ok(Some(identity)) => error!(
                device = %identity.device,
                "enrolled as another device; the agent goes on as the former one until it is started again"
            ),
            Ok(None) => {
                warn!("the identity's file is gone; the agent goes on with what it has read");
            }
            Err(error) => {
                error!(%error, "the identity cannot be read; going on with the former one");
            }
        }
    }

    fn save_at_last(&mut self) {
        let Ok(Some(_lock)) = FolderLock::try_take(&self.dir) else { return };
        if self.stamp() == self.seen && self.identity().save(&self.dir).is_ok() {
            self.saved();
            info!("the certificate is on the disk");
        }
    }

    fn go_by(&mut self, identity: Identity) {
        match Credentials::new(identity, &self.clock) {
            Ok(credentials) => {
                self.credentials.send_replace(Arc::new(credentials));
                self.failures = 0;
                self.not_before = self.stopwatch.now().plus_ms(RENEWED_MS);
            }
            Err(error) => error!(%error, "the new identity cannot be used"),
        }
    }

    fn is_due(&self) -> bool {
        self.stopwatch.now() >= self.not_before
            && self.clock.now() >= self.credentials.borrow().identity.renew_at
    }

    async fn renew(&mut self) {
        let identity = self.identity();
        match renew(&identity, self.agent_version, &self.clock).await {
            Ok(next) => {
                // Also while it cannot be had for another reason: the save tells that.
                let _lock = FolderLock::take(&self.dir).await;
                block_in_place(|| self.take_over(next));
            }
            Err(error) => self.put_off(&error, &identity),
        }
    }

    /// Under the folder's lock: nobody enrols between the look and the save.
    fn take_over(&mut self, next: Identity) {
        if self.stamp() != self.seen {
            return; // enrolled anew in the meantime: that counts
        }
        info!(expires = date(next.expires_at), "certificate renewed");
        match next.save(&self.dir) {
            Ok(()) => self.saved(),
            Err(error) => {
                self.unsaved = true;
                error!(%error, "the new certificate is not on the disk; it serves until the agent ends");
            }
        }
        self.go_by(next);
    }

    fn saved(&mut self) {
        self.unsaved = false;
        self.seen = self.stamp();
    }

    fn put_off(&mut self, error: &EnrolError, identity: &Identity) {
        let expired = identity.is_expired(self.clock.now());
        let expires = date(identity.expires_at);
        let wait_ms = if is_final(error) {
            error!(%error, expires, expired, "the certificate is not renewed");
            // At least half of it: a fleet that was revoked does not come all at once.
            REFUSED_MS / 2 + jittered_ms(0, REFUSED_MS / 2, REFUSED_MS / 2)
        } else {
            warn!(%error, expires, expired, "the certificate could not be renewed; trying again");
            jittered_ms(self.failures, RETRY_MS_MIN, RETRY_MS_MAX)
        };
        self.failures += 1;
        self.not_before = self.stopwatch.now().plus_ms(wait_ms);
    }
}

/// Whether only the operator can help.
fn is_final(error: &EnrolError) -> bool {
    let EnrolError::Refused { refusal, .. } = error else { return false };
    match refusal {
        EnrolRefusal::Revoked
        | EnrolRefusal::NoCertificate
        | EnrolRefusal::OtherKey
        | EnrolRefusal::Malformed => true,
        EnrolRefusal::UnknownCode
        | EnrolRefusal::ExpiredCode
        | EnrolRefusal::UsedCode
        | EnrolRefusal::Busy
        | EnrolRefusal::Unavailable => false,
    }
}
