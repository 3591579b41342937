//! The keys by which we are known on the network: one signs, and another may hold beside it while peers
//! learn of the change.
//!
//! The file is written whole, with mode 0600. A command and a running platform may both change it, so that
//! whoever does locks the folder that it is in, reads it again and writes it, all in [`KeyRing::change`]. It
//! is the folder that is locked because it is there: a lock file that root had made would be none for the
//! platform's own user.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tripline_protocol::signing::{KeyId, SecretKey};
use tripline_protocol::unit::Timestamp;

use super::encryption::EncryptionKey;
use crate::callback::BOOKING_TRIED_MS;
use crate::chance;
use crate::error::BppError;
use crate::file;

/// How long a key is kept after another signs in its place, in ms: the longest that a callback is tried.
pub const PREVIOUS_MS: i64 = BOOKING_TRIED_MS;

/// The same in hours, for those who read it.
pub const PREVIOUS_H: i64 = PREVIOUS_MS / 3_600_000;

/// Keys at once: the one that signs, and the next or the previous one.
pub const KEYS_MAX: usize = 2;

/// Longest id of a key, in bytes.
pub const UNIQUE_KEY_ID_LEN_MAX: usize = 128;

/// What a key is for at this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It signs what we send.
    Signing,
    /// Made, and to sign once peers can know it.
    Next,
    /// It signed before, and still signs for peers that do not know the one that follows it.
    Previous,
}

impl KeyState {
    /// As the file and `key show --json` write it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Next => "next",
            Self::Previous => "previous",
        }
    }
}

/// A pair of keys under one id.
#[derive(Debug, Clone)]
pub struct NetworkKey {
    /// Its id, as registered.
    pub unique_key_id: String,
    /// Signs.
    pub signing: SecretKey,
    /// Reads challenges.
    pub encryption: EncryptionKey,
    /// What it is for.
    pub state: KeyState,
    /// Since when it is for that.
    pub since: Timestamp,
    /// When it was made.
    pub made_at: Timestamp,
}

/// A key as the file has it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    unique_key_id: String,
    signing_key: String,
    encryption_key: String,
    state: KeyState,
    since_unix_ms: i64,
    made_at_unix_ms: i64,
}

/// Why a ring is not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// Not an id that a signature's header can name.
    #[error(
        "the id {0:?} is none for a key: 1 to {UNIQUE_KEY_ID_LEN_MAX} visible ASCII characters, \
         without | \" and \\"
    )]
    BadId(String),
    /// Another key has it.
    #[error("there is a key {0} already; `tripline-bpp key show` shows them")]
    IdTaken(String),
    /// No key has it.
    #[error("there is no key {0}; `tripline-bpp key show` shows them")]
    UnknownId(String),
    /// A next key waits.
    #[error(
        "key {0} is made already and waits to sign. Signing switches to it by itself when the registry, \
         or the file of subscribers, shows it; `tripline-bpp key rotate --switch` does it at once"
    )]
    NextWaits(String),
    /// The previous key holds.
    #[error(
        "key {0} signed before and still holds for peers that do not know the new one. \
         `tripline-bpp key rotate --retire` drops it; else it goes {hours} h after the switch",
        hours = PREVIOUS_H
    )]
    PreviousHolds(String),
    /// There is nothing to switch to.
    #[error("no next key waits; `tripline-bpp key rotate` makes one")]
    NoNext,
    /// There is nothing to drop.
    #[error("there is no previous key to drop")]
    NoPrevious,
    /// It is not clear which key is meant.
    #[error("there are two keys, {0} and {1}: say which with --from")]
    Which(String, String),
}

impl From<RingError> for BppError {
    fn from(error: RingError) -> Self {
        Self::Refused { message: error.to_string() }
    }
}

/// Every key of ours that holds; one of them signs.
#[derive(Debug, Clone)]
pub struct KeyRing {
    keys: Vec<NetworkKey>,
}

impl NetworkKey {
    /// A fresh pair.
    pub fn make(unique_key_id: &str, state: KeyState, at: Timestamp) -> Result<Self, BppError> {
        check_id(unique_key_id)?;
        let failed = |error: chance::NoChance| BppError::Internal(error.to_string());
        Ok(Self {
            unique_key_id: unique_key_id.into(),
            signing: SecretKey::from_seed(&chance::bytes().map_err(failed)?),
            encryption: EncryptionKey::from_bytes(chance::bytes().map_err(failed)?),
            state,
            since: at,
            made_at: at,
        })
    }

    /// How a signature names it.
    pub fn key_id(&self, subscriber_id: &str) -> KeyId {
        KeyId {
            subscriber_id: subscriber_id.into(),
            unique_key_id: Some(self.unique_key_id.clone()),
        }
    }

    fn becomes(&mut self, state: KeyState, at: Timestamp) {
        (self.state, self.since) = (state, at);
    }
}

impl KeyRing {
    /// A ring with one fresh key, which signs.
    pub fn make(unique_key_id: &str, at: Timestamp) -> Result<Self, BppError> {
        Ok(Self { keys: vec![NetworkKey::make(unique_key_id, KeyState::Signing, at)?] })
    }

    /// Reads a ring; a file that others can read is an error.
    pub fn load(path: &Path) -> Result<Self, BppError> {
        let failed = |reason: String| BppError::File { path: path.into(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| {
            failed(format!("our keys cannot be read: {error}; `tripline-bpp init` makes them"))
        })?;
        let mode = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
        if mode.permissions().mode() & 0o077 != 0 {
            return Err(failed("our keys can be read by others; chmod 600 the file".into()));
        }
        Self::parse(&text).map_err(failed)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let kept: Vec<Kept> = serde_json::from_str(text)
            .map_err(|error| format!("no ring of keys: {}", why(&error)))?;
        let numbered = kept.into_iter().zip(1..);
        let keys: Vec<_> = numbered
            .map(|(kept, n)| key(kept).map_err(|error| format!("key {n} of the file: {error}")))
            .collect::<Result<_, _>>()?;
        let signing = keys.iter().filter(|key| key.state == KeyState::Signing).count();
        if signing != 1 {
            return Err(format!("of the keys exactly one must be \"signing\"; {signing} are"));
        }
        if keys.len() > KEYS_MAX {
            return Err(format!(
                "there are {} keys; {KEYS_MAX} may be beside each other",
                keys.len()
            ));
        }
        if let [first, second] = keys.as_slice()
            && first.unique_key_id == second.unique_key_id
        {
            return Err("two keys have the same id".into());
        }
        Ok(Self { keys })
    }

    /// Writes the ring in place of the one that is there, with mode 0600.
    pub fn save(&self, path: &Path) -> Result<(), BppError> {
        let kept: Vec<_> = self.keys.iter().map(kept).collect();
        let text = serde_json::to_string_pretty(&kept)
            .map_err(|error| BppError::Internal(error.to_string()))?;
        file::write(path, 0o600, &format!("{text}\n"))
    }

    /// Reads the ring, changes it and writes it, while no other process does. An error of `change` leaves
    /// the file as it is. It waits for others, who are done within milliseconds: not for a thread that
    /// serves connections.
    pub fn change<T, E>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<(Self, T), BppError>
    where
        BppError: From<E>,
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let lock = File::open(folder).and_then(|folder| folder.lock().map(|()| folder));
        // Dropped, and with it the lock, when the new file is there.
        let _lock = lock.map_err(|error| BppError::File {
            path: folder.into(),
            reason: format!("the folder of our keys cannot be locked: {error}"),
        })?;
        let mut ring = Self::load(path)?;
        let told = change(&mut ring)?;
        ring.save(path)?;
        Ok((ring, told))
    }

    /// Every key, the one that signs first.
    pub fn keys(&self) -> impl Iterator<Item = &NetworkKey> {
        let is_signing = |key: &&NetworkKey| key.state == KeyState::Signing;
        let others = self.keys.iter().filter(move |key| !is_signing(key));
        self.keys.iter().filter(is_signing).chain(others)
    }

    /// The key that signs.
    ///
    /// # Panics
    /// Never: a ring has one.
    pub fn signing(&self) -> &NetworkKey {
        self.keys().next().expect("a ring has a key that signs")
    }

    /// The key that waits to sign.
    pub fn next(&self) -> Option<&NetworkKey> {
        self.in_state(KeyState::Next)
    }

    /// The key that signed before.
    pub fn previous(&self) -> Option<&NetworkKey> {
        self.in_state(KeyState::Previous)
    }

    /// The key, where there is one only.
    pub fn only(&self) -> Result<&NetworkKey, RingError> {
        match self.keys.as_slice() {
            [one, other, ..] => {
                Err(RingError::Which(one.unique_key_id.clone(), other.unique_key_id.clone()))
            }
            [_] | [] => Ok(self.signing()),
        }
    }

    /// The key with this id.
    pub fn key(&self, unique_key_id: &str) -> Result<&NetworkKey, RingError> {
        let found = self.keys.iter().find(|key| key.unique_key_id == unique_key_id);
        found.ok_or_else(|| RingError::UnknownId(unique_key_id.into()))
    }

    /// Takes up a key that is to sign next. A previous one that was kept long enough makes room for it.
    pub fn add_next(&mut self, key: NetworkKey, now: Timestamp) -> Result<(), RingError> {
        if let Some(next) = self.next() {
            return Err(RingError::NextWaits(next.unique_key_id.clone()));
        }
        if self.key(&key.unique_key_id).is_ok() {
            return Err(RingError::IdTaken(key.unique_key_id));
        }
        self.retire_if_old(now);
        if let Some(previous) = self.previous() {
            return Err(RingError::PreviousHolds(previous.unique_key_id.clone()));
        }
        self.keys.push(NetworkKey { state: KeyState::Next, since: now, ..key });
        Ok(())
    }

    /// The next key signs, and the one that signed becomes the previous one.
    pub fn switch(&mut self, now: Timestamp) -> Result<(), RingError> {
        if self.next().is_none() {
            return Err(RingError::NoNext);
        }
        for key in &mut self.keys {
            match key.state {
                KeyState::Next => key.becomes(KeyState::Signing, now),
                KeyState::Signing => key.becomes(KeyState::Previous, now),
                KeyState::Previous => {}
            }
        }
        Ok(())
    }

    /// Drops the previous key; gives its id.
    pub fn retire(&mut self) -> Result<String, RingError> {
        let previous = self.previous().ok_or(RingError::NoPrevious)?.unique_key_id.clone();
        self.keys.retain(|key| key.state != KeyState::Previous);
        Ok(previous)
    }

    /// Drops the key that waits to sign; gives its id.
    pub fn abandon(&mut self) -> Result<String, RingError> {
        let next = self.next().ok_or(RingError::NoNext)?.unique_key_id.clone();
        self.keys.retain(|key| key.state != KeyState::Next);
        Ok(next)
    }

    /// Drops the previous key if it was kept for [`PREVIOUS_MS`]; gives its id.
    pub fn retire_if_old(&mut self, now: Timestamp) -> Option<String> {
        let is_old = self.previous().is_some_and(|key| now.since_ms(key.since) >= PREVIOUS_MS);
        if is_old { self.retire().ok() } else { None }
    }

    /// Gives a key the id that the registry gave it; the keys stay what they are.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), RingError> {
        check_id(to)?;
        if self.key(to).is_ok() {
            return Err(RingError::IdTaken(to.into()));
        }
        let key = self.keys.iter_mut().find(|key| key.unique_key_id == from);
        key.ok_or_else(|| RingError::UnknownId(from.into()))?.unique_key_id = to.into();
        Ok(())
    }

    /// Whether a file of this ring would be the same as one of the other.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.keys.iter().map(kept).eq(other.keys.iter().map(kept))
    }

    fn in_state(&self, state: KeyState) -> Option<&NetworkKey> {
        self.keys.iter().find(|key| key.state == state)
    }
}

/// An id stands between `|` in a quoted value of a header.
fn check_id(unique_key_id: &str) -> Result<(), RingError> {
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '|' | '"' | '\\');
    let len = unique_key_id.len();
    if (1..=UNIQUE_KEY_ID_LEN_MAX).contains(&len) && unique_key_id.chars().all(fits) {
        return Ok(());
    }
    let shown = unique_key_id.chars().take(UNIQUE_KEY_ID_LEN_MAX).collect();
    Err(RingError::BadId(shown))
}

/// Why a text is not what was kept in it. It says which field is missing or too many, and of a value only
/// where it stands: one that is out of place may be a private key, and what is said here goes into a log.
pub(crate) fn why(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let names_a_field =
        ["missing field", "unknown field", "duplicate field"].iter().any(|it| text.starts_with(it));
    if names_a_field || !error.is_data() {
        return text;
    }
    format!("a value of the wrong kind at line {} column {}", error.line(), error.column())
}

fn key(kept: Kept) -> Result<NetworkKey, String> {
    check_id(&kept.unique_key_id).map_err(|_| "unique_key_id is none for a key")?;
    Ok(NetworkKey {
        signing: kept.signing_key.parse().map_err(|error| format!("signing_key: {error}"))?,
        encryption: kept.encryption_key.parse().map_err(|e| format!("encryption_key: {e}"))?,
        state: kept.state,
        since: Timestamp::from_unix_ms(kept.since_unix_ms),
        made_at: Timestamp::from_unix_ms(kept.made_at_unix_ms),
        unique_key_id: kept.unique_key_id,
    })
}

fn kept(key: &NetworkKey) -> Kept {
    Kept {
        unique_key_id: key.unique_key_id.clone(),
        signing_key: key.signing.seed_base64(),
        encryption_key: key.encryption.secret_base64(),
        state: key.state,
        since_unix_ms: key.since.unix_ms,
        made_at_unix_ms: key.made_at.unix_ms,
    }
}
