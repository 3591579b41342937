//! The disk under the journal, as little of it as the journal needs.

use std::fmt;
use std::io;

/// A folder of files.
///
/// There is one disk in production, and house rule wants two for a trait. The other one is in the tests:
/// it loses what was not synced in every way a power cut can, and fails on demand. No real file system
/// can be made to do that, and the journal's promises are about nothing else.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Makes the folder and takes its lock, unless that is done. An error of the kind
    /// [`io::ErrorKind::ResourceBusy`] says that another process has the lock.
    fn make_ready(&self) -> io::Result<()>;

    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes a file that is not there yet, of `len` zeros, with the space for them reserved.
    fn create(&self, name: &str, len: u64) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file, for writing too where that is possible.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, in place of what has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes what was created, renamed and removed durable.
    fn sync_folder(&self) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Reads as much as there is from `offset` on, up to the buffer's length.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes it as short as `len`.
    fn cut(&self, len: u64) -> io::Result<()>;

    /// Makes what was written durable. After an error nothing is known of it.
    fn sync(&self) -> io::Result<()>;
}

/// What is wrong with a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// EROFS.
    ReadOnly,
    /// ENOSPC, EDQUOT, EFBIG.
    Full,
    /// EACCES, EPERM, and places where no file can be made.
    Denied,
    /// EIO and everything else.
    Broken,
}

impl Fault {
    /// What an error says of the disk.
    pub fn of(error: &io::Error) -> Self {
        use io::ErrorKind;
        let is = |kinds: &[ErrorKind]| kinds.contains(&error.kind());
        if is(&[ErrorKind::ReadOnlyFilesystem]) {
            Self::ReadOnly
        } else if is(&[ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge]) {
            Self::Full
        } else if is(&[ErrorKind::PermissionDenied, ErrorKind::NotFound, ErrorKind::Unsupported]) {
            Self::Denied
        } else {
            Self::Broken
        }
    }

    /// What is wrong and what to do.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::ReadOnly => "the data folder's disk is read-only; check it and mount it writable",
            Self::Full => "the data folder's disk is full; free some space",
            Self::Denied => "the data folder may not be written; check its owner and permissions",
            Self::Broken => "the data folder's disk fails; check it and replace it",
        }
    }
}

/// How the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// What is confirmed is on the disk, and events have space reserved.
    Sound,
    /// What is confirmed is on the disk; there is no space reserved for many more events.
    NoReserve(Fault),
    /// What comes is in memory only: a power cut takes what the backend does not have.
    InMemory(Fault),
}

impl Health {
    /// Its code, for people and programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::NoReserve(_) => "no-reserve",
            Self::InMemory(_) => "in-memory",
        }
    }

    /// What is wrong, if anything is.
    pub const fn fault(self) -> Option<Fault> {
        match self {
            Self::Sound => None,
            Self::NoReserve(fault) | Self::InMemory(fault) => Some(fault),
        }
    }
}
