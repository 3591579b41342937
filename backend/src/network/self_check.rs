//! We look ourselves up, at the start and each hour: whoever is registered under another address than ours
//! gets requests that were meant for somebody else, and peers refuse what it sends.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::watch;
use tracing::{error, info, warn};
use tripline_protocol::unit::Timestamp;

use super::directory::Directory;
use super::standing::Standing;
use super::subscriber::{Role, Subscriber};
use crate::error::BppError;
use crate::keys::live::LiveKeys;
use crate::keys::ring::NetworkKey;
use crate::time;

/// Time between two checks while all is well, in ms.
const CHECK_MS: u64 = 3_600_000;

/// Time between two checks while it is not, or while the registry cannot be asked, in ms.
const TROUBLED_CHECK_MS: u64 = 60_000;

/// The check.
#[derive(Debug)]
pub struct SelfCheck {
    directory: Arc<Directory>,
    keys: Arc<LiveKeys>,
    uri: String,
    standing: watch::Sender<Standing>,
    served: Gauge,
}

impl SelfCheck {
    /// A check of the one with `keys` at `uri`, as our own settings have it. It sets the standing, and
    /// `served` with it.
    pub fn new(
        directory: Arc<Directory>,
        keys: Arc<LiveKeys>,
        uri: String,
        standing: watch::Sender<Standing>,
        served: Gauge,
    ) -> Self {
        let check = Self { directory, keys, uri, standing, served };
        check.set(check.standing.borrow().clone());
        check
    }

    /// The check before anything is served.
    ///
    /// An entry with another address is an error: somebody else, or an old place of ours, is meant. One
    /// that is missing is none, since the registry's challenge to a first registration comes to a
    /// platform that serves; nor is a registry that is down.
    /// `true` if all is well.
    pub async fn start(&self, now: Timestamp) -> Result<bool, BppError> {
        let well = self.check(now).await;
        let standing = self.standing.borrow().clone();
        match standing {
            Standing::Good | Standing::Unregistered => Ok(well),
            Standing::Moved { registered } => {
                Err(BppError::Moved { registered, ours: self.uri.clone() })
            }
        }
    }

    /// Checks again and again, until the task is dropped. `checked_well` is what [`SelfCheck::start`]
    /// said.
    pub async fn run(self, checked_well: bool) {
        let mut well = checked_well;
        loop {
            let pause_ms = if well { CHECK_MS } else { TROUBLED_CHECK_MS };
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            well = self.check(time::now()).await;
        }
    }

    /// Looks us up and sets the standing; `true` if all is well. A registry that cannot be asked leaves
    /// the standing as it is.
    pub async fn check(&self, now: Timestamp) -> bool {
        let own_id = self.keys.subscriber_id();
        let entries = match self.directory.refresh(own_id, Role::Bpp, now).await {
            Ok(entries) => entries,
            Err(reason) => {
                warn!(%reason, "it is not known whether we are registered");
                return false;
            }
        };
        let standing = judge(&entries, &self.uri, self.directory.has_registry(), now);
        self.tell(&standing);
        self.set(standing.clone());
        let ring = self.keys.current();
        let key_known = match wrong_key(&entries, ring.signing(), now) {
            Some(unique_key_id) => {
                error!(
                    unique_key_id,
                    "the registry has another public key of ours than the one that signs: peers refuse \
                     what we send; register ours (`tripline-bpp key show`)"
                );
                false
            }
            None => true,
        };
        standing == Standing::Good && key_known
    }

    fn tell(&self, standing: &Standing) {
        let before = self.standing.borrow().clone();
        match standing {
            Standing::Good if before != Standing::Good => info!("the registry knows us as we are"),
            Standing::Good => {}
            Standing::Unregistered => warn!(
                subscriber_id = self.keys.subscriber_id(),
                "we have no entry in the registry that holds: Beckn requests are not served until \
                 we are registered"
            ),
            Standing::Moved { registered } => error!(
                registered,
                ours = self.uri,
                "the registry has another address for us: Beckn requests are not served; register \
                 our address, or set [beckn] uri to the registered one and start again"
            ),
        }
    }

    fn set(&self, standing: Standing) {
        self.served.set(i64::from(standing == Standing::Good));
        self.standing.send_if_modified(|current| {
            let changed = *current != standing;
            *current = standing;
            changed
        });
    }
}

/// What our own entries say of us at `uri`. One good entry is enough; where a file stands in for the
/// registry, we need none.
fn judge(entries: &[Subscriber], uri: &str, has_registry: bool, now: Timestamp) -> Standing {
    if entries.is_empty() && !has_registry {
        return Standing::Good;
    }
    let holding: Vec<_> = entries.iter().filter(|entry| entry.is_active(now)).collect();
    if holding.iter().any(|entry| entry.url == uri) {
        return Standing::Good;
    }
    match holding.first() {
        Some(entry) => Standing::Moved { registered: entry.url.clone() },
        None => Standing::Unregistered,
    }
}

/// The id of our signing key, if an entry that holds has another key under it, and none has ours.
fn wrong_key<'k>(entries: &[Subscriber], ours: &'k NetworkKey, now: Timestamp) -> Option<&'k str> {
    let public = ours.signing.public();
    let under_id = entries.iter().filter(|entry| {
        let id = entry.unique_key_id.as_deref();
        entry.is_active(now) && id.is_none_or(|id| id == ours.unique_key_id)
    });
    let keys: Vec<_> = under_id.map(|entry| entry.key).collect();
    (!keys.is_empty() && !keys.contains(&public)).then_some(ours.unique_key_id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::ring::KeyState;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
    const URI: &str = "https://bpp.example/beckn";

    fn key() -> NetworkKey {
        NetworkKey::make("k1", KeyState::Signing, NOW).expect("made")
    }

    fn entry(url: &str, status: &str) -> Subscriber {
        Subscriber {
            id: "bpp.example".into(),
            url: url.into(),
            role: Role::Bpp,
            domain: None,
            key: key().signing.public(),
            unique_key_id: Some("k1".into()),
            status: Some(status.into()),
            valid_from: None,
            valid_until: None,
        }
    }

    #[test]
    fn one_entry_of_ours_that_holds_and_has_our_address_is_enough() {
        let (good, old) = (entry(URI, "SUBSCRIBED"), entry("https://old.example", "SUBSCRIBED"));
        let moved = Standing::Moved { registered: "https://old.example".into() };
        let left = entry(URI, "UNSUBSCRIBED");
        for (entries, standing) in [
            (&[][..], Standing::Unregistered),
            (&[left.clone()], Standing::Unregistered),
            (&[old.clone()], moved.clone()),
            (&[left, old.clone()], moved),
            (&[old, good], Standing::Good),
        ] {
            assert_eq!(judge(entries, URI, true, NOW), standing, "{entries:?}");
            if !entries.is_empty() {
                assert_eq!(judge(entries, URI, false, NOW), standing, "a file that names us");
            }
        }
        assert_eq!(judge(&[], URI, false, NOW), Standing::Good, "a file need not name us");
    }

    #[test]
    fn another_key_under_our_keys_id_is_noticed_and_a_key_of_another_id_is_none_of_it() {
        let ours = key();
        let other = entry(URI, "SUBSCRIBED");
        assert_eq!(wrong_key(std::slice::from_ref(&other), &ours, NOW), Some("k1"));
        let right = Subscriber { key: ours.signing.public(), ..other.clone() };
        assert_eq!(wrong_key(&[other.clone(), right], &ours, NOW), None);
        let next = Subscriber { unique_key_id: Some("k2".into()), ..other };
        assert_eq!(wrong_key(&[next], &ours, NOW), None);
        assert_eq!(wrong_key(&[], &ours, NOW), None);
    }
}
