//! The real disk: a folder, with the lock beside it in the data folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FallocateFlags, fallocate};
use tracing::error;

use super::disk::{Disk, DiskFile};

const LOCK_FILE: &str = "lock";
const FOLDER: &str = "journal";

/// Where a journal goes that is one file, as builds before the first release kept it.
const ONE_FILE_ASIDE: &str = "journal.one-file";

/// The folder `journal` in a data folder.
#[derive(Debug)]
pub struct Folder {
    data_dir: PathBuf,
    path: PathBuf,
    lock: Mutex<Option<File>>,
}

impl Folder {
    /// The journal's folder in `data_dir`. Nothing is touched yet.
    pub fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.into(), path: data_dir.join(FOLDER), lock: Mutex::new(None) }
    }
}

impl Disk for Folder {
    fn make_ready(&self) -> io::Result<()> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_none() {
            *lock = Some(take_lock(&self.data_dir)?);
        }
        if self.path.is_file() {
            let aside = self.data_dir.join(ONE_FILE_ASIDE);
            fs::rename(&self.path, &aside)?;
            error!(path = %aside.display(), "a one-file journal of a development build is not read; moved aside");
        }
        if !self.path.is_dir() {
            fs::DirBuilder::new().mode(0o700).create(&self.path)?;
            File::open(&self.data_dir)?.sync_all()?;
        }
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?.map(|entry| entry.map(|entry| entry.file_name()));
        names.filter_map(|name| name.map(|name| name.into_string().ok()).transpose()).collect()
    }

    fn create(&self, name: &str, len: u64) -> io::Result<Box<dyn DiskFile>> {
        let path = self.path.join(name);
        let file =
            OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(&path)?;
        match reserve(&file, len) {
            Ok(()) => Ok(Box::new(file)),
            Err(error) => {
                let _ = fs::remove_file(&path);
                Err(error)
            }
        }
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let path = self.path.join(name);
        let file = OpenOptions::new().read(true).write(true).open(&path);
        Ok(Box::new(match file {
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(&path)?,
            other => other?,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// Some file systems reserve nothing: there the file is as long and has holes.
fn reserve(file: &File, len: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, len).map_err(io::Error::from) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => file.set_len(len),
        other => other,
    }
}

fn take_lock(data_dir: &Path) -> io::Result<File> {
    fs::create_dir_all(data_dir)?;
    let path = data_dir.join(LOCK_FILE);
    // On a read-only disk the file of an earlier start serves as well.
    let file = File::create(&path).or_else(|error| File::open(&path).map_err(|_| error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::ErrorKind::ResourceBusy.into()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match FileExt::read_at(self, rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(len) => filled += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
