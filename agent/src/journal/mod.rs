//! The journal on disk: one append-only file of checked records, and a lock beside it.
//!
//! Nothing is told to anybody before the sync that covers it has returned. A sync that fails is never
//! tried again on the same file: what the kernel kept of it is unknown, so the agent stops and the
//! next start reads what is really there.

mod index;
mod reader;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tripline_agent_core::engine::Memory;
use tripline_agent_core::record::{Record, scan, write_frame};
use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::Timestamp;

use crate::error::AgentError;
use index::Index;
pub use reader::{Batches, Reader};

const JOURNAL_FILE: &str = "journal";
const LOCK_FILE: &str = "lock";

/// Why records were not appended. Nothing of them is in the journal.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk is full, or the file cannot be written.
    #[error("the journal cannot be written: {0}; free some space in the data folder")]
    Write(io::Error),
    /// A record no frame can hold.
    #[error(transparent)]
    TooLarge(#[from] tripline_agent_core::record::TooLarge),
}

/// The last synced record of each stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Synced {
    /// Events.
    pub event: Sequence,
    /// Fixes.
    pub trail: Sequence,
}

/// What opening found.
#[derive(Debug)]
pub struct Opened {
    /// The journal.
    pub journal: Journal,
    /// What it remembers.
    pub memory: Memory,
    /// Bytes of a torn tail that were cut off.
    pub torn_bytes: u64,
    /// Damaged stretches in the middle; their records are lost and declared so.
    pub damaged: u64,
}

/// The journal, open for appending by its one owner.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    file: File,
    len: u64,
    appended: Synced,
    synced_len: u64,
    index: Arc<Mutex<Index>>,
    epoch: JournalEpoch,
    _lock: File,
}

impl Journal {
    /// Opens the journal of `device` in `dir`, or begins one named by the random `new_epoch`.
    pub fn open(
        dir: &Path,
        device: &DeviceId,
        new_epoch: JournalEpoch,
        at: Timestamp,
    ) -> Result<Opened, AgentError> {
        let failed = |error: io::Error| AgentError::Storage {
            path: dir.into(),
            reason: format!("{error}; check the folder's permissions and free space"),
        };
        fs::create_dir_all(dir).map_err(failed)?;
        let lock = lock(dir, failed)?;
        let path = dir.join(JOURNAL_FILE);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;

        let image = fs::read(&path).map_err(failed)?;
        let mut memory = Memory::default();
        let mut index = Index::default();
        let found = scan(&image, |offset, record| {
            index.add(offset, &record);
            memory.apply(&record);
        });
        let torn_bytes = image.len() as u64 - found.valid_len;
        file.set_len(found.valid_len).map_err(failed)?;

        let epoch = match memory.identity() {
            Some((owner, epoch)) if owner == device => *epoch,
            Some((owner, _)) => {
                return Err(AgentError::Storage {
                    path: dir.into(),
                    reason: format!(
                        "it belongs to device {owner}, and the configuration says {device}; \
                         correct `device`, or give this device a data_dir of its own"
                    ),
                });
            }
            None if found.records > 0 => {
                return Err(AgentError::Storage {
                    path: dir.into(),
                    reason: "its first record, which says whose it is, is damaged; \
                             move the file aside to begin a new journal"
                        .into(),
                });
            }
            None => new_epoch,
        };
        let mut journal = Self {
            dir: dir.into(),
            file,
            len: found.valid_len,
            appended: Synced {
                event: memory.written(Stream::Event),
                trail: memory.written(Stream::Trail),
            },
            synced_len: 0,
            index: Arc::new(Mutex::new(index)),
            epoch,
            _lock: lock,
        };
        if memory.identity().is_none() {
            let record = Record::Opened { device: device.clone(), epoch, at };
            journal.append(&[&record]).map_err(|error| AgentError::Storage {
                path: dir.into(),
                reason: error.to_string(),
            })?;
            memory.apply(&record);
        }
        // What a killed process left in the page cache was never synced: sync before building on it.
        journal.sync()?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        Ok(Opened { journal, memory, torn_bytes, damaged: found.damaged })
    }

    /// The journal's epoch.
    pub const fn epoch(&self) -> JournalEpoch {
        self.epoch
    }

    /// Appends records: all of them, or none and an error.
    pub fn append(&mut self, records: &[&Record]) -> Result<(), AppendError> {
        let mut bytes = Vec::new();
        let mut offsets = Vec::with_capacity(records.len());
        for record in records {
            offsets.push(self.len + bytes.len() as u64);
            write_frame(record, &mut bytes)?;
        }
        if let Err(error) = self.file.write_all_at(&bytes, self.len) {
            // Part of it may be there. It is beyond `len`, is written over by the next append, and is
            // a torn tail if there is none.
            let _ = self.file.set_len(self.len);
            return Err(AppendError::Write(error));
        }
        self.len += bytes.len() as u64;
        let mut index = self.index.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (offset, record) in offsets.into_iter().zip(records) {
            index.add(offset, record);
            match record.position() {
                Some((Stream::Event, sequence)) => self.appended.event = sequence,
                Some((Stream::Trail, sequence)) => self.appended.trail = sequence,
                None => {}
            }
        }
        Ok(())
    }

    /// Whether something was appended since the last sync.
    pub const fn is_dirty(&self) -> bool {
        self.synced_len < self.len
    }

    /// Makes everything appended durable, and says how far each stream is. An error ends the agent.
    pub fn sync(&mut self) -> Result<Synced, AgentError> {
        if self.is_dirty() {
            self.file.flush().and_then(|()| self.file.sync_data()).map_err(|error| {
                AgentError::Storage {
                    path: self.dir.clone(),
                    reason: format!(
                        "a sync failed ({error}), so what is on the disk is unknown; \
                         check the disk, then start again: the journal tells what was kept"
                    ),
                }
            })?;
            self.synced_len = self.len;
        }
        Ok(self.appended)
    }

    /// A reader for another task.
    pub fn reader(&self) -> io::Result<Reader> {
        let file = File::open(self.dir.join(JOURNAL_FILE))?;
        Ok(Reader::new(file, self.epoch, Arc::clone(&self.index)))
    }
}

fn lock(dir: &Path, failed: impl Fn(io::Error) -> AgentError) -> Result<File, AgentError> {
    let file = File::create(dir.join(LOCK_FILE)).map_err(&failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AgentError::Busy { path: dir.into() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
