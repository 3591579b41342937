//! One at a time: an enrolment from its code to its identity, or a renewal's look and save.
//!
//! They are processes of their own. Without the lock a renewal that had looked before could save over the
//! identity of a code typed in that moment.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use crate::file::{self, FileError};

/// Between two tries to get the lock, in ms.
const TRY_MS: u64 = 100;

/// Held by the one who changes an identity's folder. The system lets go of it when its process ends,
/// however that comes.
///
/// It is the folder that is locked: a lock file that root made would keep the agent's user out.
#[derive(Debug)]
pub struct FolderLock {
    _folder: File,
}

impl FolderLock {
    /// Locks the folder `dir`, which is made if it is missing; `None` while another one holds it.
    pub fn try_take(dir: &Path) -> Result<Option<Self>, FileError> {
        let folder = file::open_folder(dir)?;
        match folder.try_lock() {
            Ok(()) => Ok(Some(Self { _folder: folder })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => {
                Err(FileError::Io { path: dir.into(), act: "locked", source })
            }
        }
    }

    /// The same, after the one who holds it. An enrolment ends by its deadlines.
    pub async fn take(dir: &Path) -> Result<Self, FileError> {
        loop {
            if let Some(lock) = Self::try_take(dir)? {
                return Ok(lock);
            }
            tokio::time::sleep(Duration::from_millis(TRY_MS)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_waits_until_the_first_lets_go() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path().join("identity");
        let first = FolderLock::take(&dir).await.expect("free");
        assert!(FolderLock::try_take(&dir).expect("looked").is_none());
        let second = tokio::spawn(async move { FolderLock::take(&dir).await.map(|_| ()) });
        drop(first);
        second.await.expect("ends").expect("free again");
    }
}
