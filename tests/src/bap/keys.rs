//! The keys that a platform signs with and believes. Both sides change theirs in mid-traffic.

use std::sync::{PoisonError, RwLock};

use anyhow::Context as _;
use tripline_protocol::signing::{KeyId, PublicKey, SecretKey};

use super::BppAddress;

/// A key under its id.
#[derive(Debug, Clone)]
struct Named<K> {
    unique_key_id: String,
    key: K,
}

/// Ours, and the BPP's.
#[derive(Debug)]
pub(super) struct Keys {
    own: RwLock<Named<SecretKey>>,
    /// Of the BPP; while it changes from one to another, two.
    trusted: RwLock<Vec<Named<PublicKey>>>,
}

impl Keys {
    pub(super) fn new(unique_key_id: String, key: SecretKey, bpp: &BppAddress) -> Self {
        let trusted = Named { unique_key_id: bpp.unique_key_id.clone(), key: bpp.public_key };
        Self { own: RwLock::new(Named { unique_key_id, key }), trusted: RwLock::new(vec![trusted]) }
    }

    /// The key we sign with, and its id.
    pub(super) fn own(&self) -> (String, SecretKey) {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        (own.unique_key_id.clone(), own.key.clone())
    }

    pub(super) fn rotate(&self, unique_key_id: &str, key: SecretKey) {
        let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
        *own = Named { unique_key_id: unique_key_id.into(), key };
    }

    /// The BPP's key of this id, if it is believed and the signer says it is the BPP.
    pub(super) fn of_bpp(&self, bpp_id: &str, signer: &KeyId) -> anyhow::Result<PublicKey> {
        anyhow::ensure!(signer.subscriber_id == bpp_id, "the signer is not the BPP: {signer:?}");
        let trusted = self.trusted.read().unwrap_or_else(PoisonError::into_inner);
        let named = |key: &&Named<_>| signer.unique_key_id.as_ref() == Some(&key.unique_key_id);
        let found = trusted.iter().find(named);
        Ok(found.with_context(|| format!("the BPP has no such key here: {signer:?}"))?.key)
    }

    pub(super) fn trust(&self, unique_key_id: &str, key: PublicKey) {
        self.distrust(unique_key_id);
        let mut trusted = self.trusted.write().unwrap_or_else(PoisonError::into_inner);
        trusted.push(Named { unique_key_id: unique_key_id.into(), key });
    }

    pub(super) fn distrust(&self, unique_key_id: &str) {
        let mut trusted = self.trusted.write().unwrap_or_else(PoisonError::into_inner);
        trusted.retain(|key| key.unique_key_id != unique_key_id);
    }
}
