//! Files of our private keys: the one that signs Beckn messages, and the one that seals commands to devices.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tripline_protocol::signing::SecretKey;

use crate::chance;
use crate::error::BppError;
use crate::file;

/// Makes a key in a new file of mode 0600; an existing file is an error.
pub fn create(path: &Path) -> Result<SecretKey, BppError> {
    let failed = |reason: String| BppError::File { path: path.into(), reason };
    if path.exists() {
        return Err(failed("the signing key cannot be written: it exists".into()));
    }
    let seed = chance::bytes().map_err(|error| failed(error.to_string()))?;
    let key = SecretKey::from_seed(&seed);
    file::write(path, 0o600, &format!("{}\n", key.seed_base64()))?;
    Ok(key)
}

/// Reads a key; a file that others can read is an error.
pub fn load(path: &Path) -> Result<SecretKey, BppError> {
    let failed = |reason: String| BppError::File { path: path.into(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| {
        failed(format!("the signing key cannot be read: {error}; `tripline-bpp init` makes one"))
    })?;
    let mode = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.permissions();
    if mode.mode() & 0o077 != 0 {
        return Err(failed("the signing key can be read by others; chmod 600 it".into()));
    }
    text.parse().map_err(|error| failed(format!("{error}")))
}
