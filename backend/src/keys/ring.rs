//! The keys by which we are known on the network: one signs, and another may hold beside it while peers
//! learn of the change.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tripline_protocol::signing::{KeyId, SecretKey};
use tripline_protocol::unit::Timestamp;

use super::encryption::EncryptionKey;
use crate::chance;
use crate::error::BppError;
use crate::file;

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
    /// When it was made.
    pub made_at: Timestamp,
}

/// A key as the file has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    unique_key_id: String,
    signing_key: String,
    encryption_key: String,
    state: KeyState,
    made_at_unix_ms: i64,
}

/// Every key of ours that holds; one of them signs.
#[derive(Debug, Clone)]
pub struct KeyRing {
    keys: Vec<NetworkKey>,
}

impl NetworkKey {
    /// A fresh pair.
    pub fn make(unique_key_id: &str, state: KeyState, at: Timestamp) -> Result<Self, BppError> {
        let failed = |error: chance::NoChance| BppError::Internal(error.to_string());
        Ok(Self {
            unique_key_id: unique_key_id.into(),
            signing: SecretKey::from_seed(&chance::bytes().map_err(failed)?),
            encryption: EncryptionKey::from_bytes(chance::bytes().map_err(failed)?),
            state,
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
        let kept: Vec<Kept> =
            serde_json::from_str(text).map_err(|error| format!("no ring of keys: {error}"))?;
        let keys: Vec<_> = kept.into_iter().map(key).collect::<Result<_, _>>()?;
        let signing = keys.iter().filter(|key| key.state == KeyState::Signing).count();
        if signing != 1 {
            return Err(format!("of the keys exactly one must be \"signing\"; {signing} are"));
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
}

fn key(kept: Kept) -> Result<NetworkKey, String> {
    let id = &kept.unique_key_id;
    Ok(NetworkKey {
        signing: kept.signing_key.parse().map_err(|error| format!("key {id}: {error}"))?,
        encryption: kept.encryption_key.parse().map_err(|error| format!("key {id}: {error}"))?,
        state: kept.state,
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
        made_at_unix_ms: key.made_at.unix_ms,
    }
}
