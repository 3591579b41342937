//! An enrolment that has begun: the key is on the disk before the backend hears of it.
//!
//! A code counts once, with one key. A power cut after the backend has used it up, and before the
//! certificate is on the disk, would strand the device if the key were gone; with it, the same command
//! gets the same certificate again.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tripline_protocol::enrol::EnrolCode;

use crate::file::{self, FileError};
use crate::key::{Key, KeyError};

/// The file of an enrolment that has begun, in the folder of the identity.
pub const PENDING_FILE: &str = "enrolling.json";

/// Which code was tried, and with which key. The code itself is not kept.
#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    code_hash: [u8; 32],
    key_pem: Key,
}

/// Why an enrolment cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum PendingError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The key to enrol with: the one that was tried with this code before, or a new one, which is on the
/// disk when this returns. A file that is damaged, or that others could read, counts as none: its key is
/// not to be used either way.
pub fn begin(dir: &Path, code: &EnrolCode) -> Result<Key, PendingError> {
    let path = dir.join(PENDING_FILE);
    let begun = match file::read::<Pending>(&path) {
        Err(FileError::Damaged { .. } | FileError::Exposed { .. }) => None,
        begun => begun?,
    };
    if let Some(begun) = begun.filter(|begun| begun.code_hash == code.hash()) {
        return Ok(begun.key_pem);
    }
    let key = Key::generate()?;
    file::write(&path, &Pending { code_hash: code.hash(), key_pem: key.clone() })?;
    Ok(key)
}

/// Forgets it; the identity is on the disk.
pub fn finish(dir: &Path) -> Result<(), FileError> {
    file::remove(&dir.join(PENDING_FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(secret: u8) -> EnrolCode {
        EnrolCode { secret: [secret; 16], ca_fingerprint: [7; 16] }
    }

    #[test]
    fn the_same_code_finds_its_key_again_and_another_code_gets_another() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = begin(dir.path(), &code(1)).expect("a key");
        assert_eq!(begin(dir.path(), &code(1)).expect("a key"), first);
        let other = begin(dir.path(), &code(2)).expect("a key");
        assert_ne!(other, first);
        finish(dir.path()).expect("removed");
        assert_ne!(begin(dir.path(), &code(2)).expect("a key"), other);
    }

    #[test]
    fn the_code_is_not_on_the_disk() {
        let dir = tempfile::tempdir().expect("a folder");
        begin(dir.path(), &code(1)).expect("a key");
        let text = std::fs::read_to_string(dir.path().join(PENDING_FILE)).expect("written");
        let secret = serde_json::to_string(&code(1).secret).expect("bytes");
        assert!(
            !text.contains(&code(1).to_string()) && !text.contains(secret.trim_matches(['[', ']']))
        );
    }

    #[test]
    fn a_damaged_one_begins_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        file::write(&dir.path().join(PENDING_FILE), &"no").expect("written");
        begin(dir.path(), &code(1)).expect("a key");
    }
}
