//! One platform at a time serves from an SQLite store, and changes its schema.

use std::fs::{File, TryLockError};

use crate::config::Config;
use crate::error::BppError;
use crate::store::Store;

/// Held while a platform serves. It is the folder's, so that it can be taken before the store is opened; a
/// store that several may serve from needs none.
#[derive(Debug)]
pub(super) struct Lock {
    _file: Option<File>,
}

impl Lock {
    /// Takes it; an error if another process has it.
    pub(super) fn take(config: &Config) -> Result<Self, BppError> {
        Self::take_if_free(config)?.ok_or_else(|| Self::taken(config))
    }

    /// Takes it; `None` if another process has it.
    pub(super) fn take_if_free(config: &Config) -> Result<Option<Self>, BppError> {
        if !Store::is_for_one_backend(&config.store_url()) {
            return Ok(Some(Self { _file: None }));
        }
        Self::of_folder(config)
    }

    /// Takes the folder's, whatever store the configuration names; an error if another process has it.
    pub(super) fn take_folder(config: &Config) -> Result<Self, BppError> {
        Self::of_folder(config)?.ok_or_else(|| Self::taken(config))
    }

    fn taken(config: &Config) -> BppError {
        BppError::File {
            path: config.data_dir.join("lock"),
            reason: "another tripline-bpp serves from this folder: stop it first".into(),
        }
    }

    fn of_folder(config: &Config) -> Result<Option<Self>, BppError> {
        let path = config.data_dir.join("lock");
        let failed = |reason: String| BppError::File { path: path.clone(), reason };
        let file = File::create(&path).map_err(|error| failed(error.to_string()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error.to_string())),
        }
    }
}
