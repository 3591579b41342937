//! We look ourselves up, at the start and each hour: whoever is registered under another address than ours
//! gets requests that were meant for somebody else, and peers refuse what it sends.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp as Instant;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::watch;
use tracing::{error, info, warn};
use tripline_protocol::unit::Timestamp;

use super::directory::{Directory, Look};
use super::standing::Standing;
use super::subscriber::{Role, Subscriber};
use crate::error::BppError;
use crate::keys::live::LiveKeys;
use crate::keys::ring::NetworkKey;
use crate::seldom::Seldom;
use crate::time;

/// Time between two checks while all is well, in ms.
const CHECK_MS: u64 = 3_600_000;

/// Time between two checks while it is not, or while the registry cannot be asked, in ms.
const TROUBLED_CHECK_MS: u64 = 60_000;

/// How long before our entry ends it is said how to go on, in ms: 30 days.
const ENDING_MS: i64 = 30 * 86_400_000;

/// Time between two words about it, in ms.
const ENDING_WORD_MS: i64 = 86_400_000;

/// How long a running check waits before it looks again.
#[derive(Debug, Clone, Copy)]
pub struct Pauses {
    /// While all is well.
    pub well: Duration,
    /// While it is not, or while the registry cannot be asked.
    pub troubled: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            well: Duration::from_millis(CHECK_MS),
            troubled: Duration::from_millis(TROUBLED_CHECK_MS),
        }
    }
}

/// The check.
#[derive(Debug)]
pub struct SelfCheck {
    directory: Arc<Directory>,
    keys: Arc<LiveKeys>,
    uri: String,
    standing: watch::Sender<Standing>,
    served: Gauge,
    ending_told: Seldom,
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
        served.set(i64::from(*standing.borrow() == Standing::Good));
        Self { directory, keys, uri, standing, served, ending_told: Seldom::default() }
    }

    /// The check before anything is served.
    ///
    /// An entry with another address is an error: somebody else, or an old place of ours, is meant. One
    /// that is missing is none, since the registry's challenge to a first registration comes to a
    /// platform that serves; nor is a registry that is down.
    /// `true` if all is well.
    pub async fn start(&self, now: Timestamp) -> Result<bool, BppError> {
        let well = self.check(now).await;
        if !well {
            self.go_by_what_is_kept(now).await;
        }
        let standing = self.standing.borrow().clone();
        match standing {
            Standing::Good | Standing::Unregistered => Ok(well),
            Standing::Moved { registered } => {
                // For the next start, should the registry be down then.
                if let Err(error) = self.directory.flush().await {
                    error!(%error, "what the registry said of us cannot be kept");
                }
                Err(BppError::Moved { registered, ours: self.uri.clone() })
            }
        }
    }

    /// What the registry said of us before this start holds while it cannot be asked: a restart in its
    /// outage forgives nothing.
    async fn go_by_what_is_kept(&self, now: Timestamp) {
        let own_id = self.keys.subscriber_id();
        let Ok(entries) = self.directory.find(own_id, Role::Bpp, Look::Cached, now).await else {
            return;
        };
        if self.judge(&entries, now) != *self.standing.borrow() {
            self.conclude(&entries, now);
        }
    }

    /// Checks again and again, until the task is dropped. `checked_well` is what [`SelfCheck::start`]
    /// said.
    pub async fn run(self, checked_well: bool, pauses: Pauses) {
        let mut well = checked_well;
        loop {
            tokio::time::sleep(if well { pauses.well } else { pauses.troubled }).await;
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
        let standing = self.conclude(&entries, now);
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
        self.tell_ending(&entries, now);
        standing == Standing::Good && key_known
    }

    fn judge(&self, entries: &[Subscriber], now: Timestamp) -> Standing {
        judge(entries, &self.uri, self.directory.has_registry(), now)
    }

    /// Says what our entries come to, and goes by it.
    fn conclude(&self, entries: &[Subscriber], now: Timestamp) -> Standing {
        let standing = self.judge(entries, now);
        self.tell(&standing);
        self.set(standing.clone());
        standing
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

    /// A registration holds for a year, and nobody is there who remembers it.
    fn tell_ending(&self, entries: &[Subscriber], now: Timestamp) {
        if self.directory.has_registry()
            && let Some(until) = ending(entries, &self.uri, now)
            && self.ending_told.is_due(now, ENDING_WORD_MS)
        {
            warn!(
                %until,
                "our entry in the registry ends soon, and nobody is served after it: renew it \
                 (`tripline-bpp key register`)"
            );
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

/// What our own entries come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Whether they mean us.
    pub standing: Standing,
    /// Whether they have another public key under the id of the one that signs.
    pub other_key: bool,
    /// When the last of them ends, if that is soon; never where a file stands in for the registry.
    pub ends_soon: Option<Instant>,
}

/// Looks at our own entries, for whoever does not serve.
pub fn examine(
    entries: &[Subscriber],
    uri: &str,
    has_registry: bool,
    signing: &NetworkKey,
    now: Timestamp,
) -> Examined {
    Examined {
        standing: judge(entries, uri, has_registry, now),
        other_key: wrong_key(entries, signing, now).is_some(),
        ends_soon: ending(entries, uri, now).filter(|_| has_registry),
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

/// When the last of our entries at `uri` ends, if that is soon.
fn ending(entries: &[Subscriber], uri: &str, now: Timestamp) -> Option<Instant> {
    let ours = entries.iter().filter(|entry| entry.is_active(now) && entry.url == uri);
    let ends: Option<Vec<_>> = ours.map(|entry| entry.valid_until).collect();
    let last = ends?.into_iter().max()?;
    (last.as_millisecond() < now.plus_ms(ENDING_MS).unix_ms).then_some(last)
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
            (vec![], Standing::Unregistered),
            (vec![left.clone()], Standing::Unregistered),
            (vec![old.clone()], moved.clone()),
            (vec![left, old.clone()], moved),
            (vec![old, good], Standing::Good),
        ] {
            assert_eq!(judge(&entries, URI, true, NOW), standing, "{entries:?}");
            if !entries.is_empty() {
                assert_eq!(judge(&entries, URI, false, NOW), standing, "a file that names us");
            }
        }
        assert_eq!(judge(&[], URI, false, NOW), Standing::Good, "a file need not name us");
    }

    #[test]
    fn an_entry_that_ends_within_thirty_days_is_told_if_none_of_ours_lasts_longer() {
        let until = |ms: i64| {
            let at = Instant::from_millisecond(NOW.plus_ms(ms).unix_ms).expect("a time");
            Subscriber { valid_until: Some(at), ..entry(URI, "SUBSCRIBED") }
        };
        let (soon, later) = (until(ENDING_MS - 1), until(ENDING_MS));
        let endless = entry(URI, "SUBSCRIBED");
        let elsewhere = entry("https://old.example", "SUBSCRIBED");
        let over = until(-1);
        assert_eq!(ending(std::slice::from_ref(&soon), URI, NOW), soon.valid_until);
        assert_eq!(ending(&[over.clone(), soon.clone(), elsewhere], URI, NOW), soon.valid_until);
        for well in [vec![later.clone()], vec![soon.clone(), later], vec![soon, endless], vec![]] {
            assert_eq!(ending(&well, URI, NOW), None, "{well:?}");
        }
        assert_eq!(ending(&[over], URI, NOW), None, "it has ended, which is told otherwise");
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
