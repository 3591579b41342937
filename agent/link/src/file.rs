//! Small secret files that are there whole or not at all, whenever the power goes.
//!
//! Root may write them into a folder that belongs to the agent's user, who could put a link in any place
//! at any moment. So everything goes by descriptors, and nothing that is made is found by its path again.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest file that is read, in bytes; an answer of the backend with a key beside it is shorter.
const FILE_LEN_MAX: u64 = 64 * 1024;

/// Mode of the folder: its files are nobody else's business.
const DIR_MODE: Mode = Mode::RWXU;

/// Mode of a file with a key in it.
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Why a file is not there, or not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("{} cannot be {act}: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What was tried.
        act: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Others than its owner may read or change it.
    #[error(
        "{} holds a key that others can read; if nobody else had access to this device, \
         `chmod 600` it, and otherwise enrol anew", path.display()
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// Its content is not what was written.
    #[error("{} is damaged ({reason}); enrol anew to replace it", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

fn failed(path: &Path, act: &'static str) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_path_buf();
    move |source| FileError::Io { path, act, source }
}

/// Reads a file; `None` if there is none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed(path, "read"))?,
    };
    let mode = file.metadata().map_err(failed(path, "read"))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(FileError::Exposed { path: path.into() });
    }
    let mut bytes = Vec::new();
    file.take(FILE_LEN_MAX).read_to_end(&mut bytes).map_err(failed(path, "read"))?;
    let value = serde_json::from_slice(&bytes).map_err(|error| FileError::Damaged {
        path: path.into(),
        // Where, and not what: the text of the error may quote the file.
        reason: format!("line {}, column {}", error.line(), error.column()),
    })?;
    Ok(Some(value))
}

/// Writes a file of mode 0600, in place of the one that may be there. When it returns, a power cut
/// finds the new one; before that the old one, whole.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), FileError> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| failed(path, "written")(io::Error::other(error)))?;
    let folder = open_folder(parent(path))?;
    let new = path.with_extension("json.new");
    write_new(&folder, name(&new), &text).map_err(failed(&new, "written"))?;
    renameat(&folder, name(&new), &folder, name(path))
        .map_err(|error| failed(path, "replaced")(error.into()))?;
    folder.sync_all().map_err(failed(parent(path), "synced"))
}

/// Removes a file, if there is one, for good.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Ok(()) => sync_dir(parent(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(path, "removed")(error)),
    }
}

fn write_new(folder: &File, name: &OsStr, bytes: &[u8]) -> io::Result<()> {
    // One that was left half written is no use, and might be of another mode.
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(folder, name, flags, FILE_MODE)?);
    give_to_owner_of(folder, &file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Opens a folder. It and those above it are made if they are missing.
pub(crate) fn open_folder(dir: &Path) -> Result<File, FileError> {
    match File::open(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let above = open_folder(parent(dir))?;
            make_folder(&above, name(dir)).map_err(failed(dir, "made"))
        }
        opened => opened.map_err(failed(dir, "opened")),
    }
}

fn make_folder(above: &File, name: &OsStr) -> io::Result<File> {
    let is_ours = match mkdirat(above, name, DIR_MODE) {
        Ok(()) => true,
        // Another one was faster.
        Err(Errno::EXIST) => false,
        Err(error) => return Err(error.into()),
    };
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = File::from(openat(above, name, flags, Mode::empty())?);
    if is_ours {
        give_to_owner_of(above, &made)?;
        above.sync_all()?;
    }
    Ok(made)
}

/// An installer enrols as root, and the agent runs as a user of its own: what is made belongs to whom
/// the folder belongs that it is made in.
fn give_to_owner_of(folder: &File, made: &File) -> io::Result<()> {
    let (wanted, found) = (folder.metadata()?, made.metadata()?);
    if (wanted.uid(), wanted.gid()) == (found.uid(), found.gid()) || !rooted(&found) {
        return Ok(());
    }
    fchown(made, Some(wanted.uid()), Some(wanted.gid()))
}

/// Whether this process made it as root.
fn rooted(made: &fs::Metadata) -> bool {
    made.uid() == 0
}

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

fn sync_dir(dir: &Path) -> Result<(), FileError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed(dir, "synced"))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("data/identity/a.json");
        assert_eq!(read::<String>(&path).expect("nothing there"), None);
        for text in ["one", "two"] {
            write(&path, &text).expect("written");
            assert_eq!(read::<String>(&path).expect("read").as_deref(), Some(text));
        }
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(parent(&path))), (0o600, 0o700));
        remove(&path).expect("removed");
        remove(&path).expect("gone already");
        assert_eq!(read::<String>(&path).expect("nothing there"), None);
    }

    #[test]
    fn one_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.json");
        write(&path, &"secret").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changed");
        let error = read::<String>(&path).expect_err("refused");
        assert!(matches!(error, FileError::Exposed { .. }), "{error}");
    }

    #[test]
    fn one_half_written_at_a_power_cut_changes_nothing_and_is_replaced() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.json");
        write(&path, &"old").expect("written");
        fs::write(dir.path().join("a.json.new"), "\"ne").expect("half written");
        assert_eq!(read::<String>(&path).expect("read").as_deref(), Some("old"));
        write(&path, &"new").expect("written");
        assert_eq!(read::<String>(&path).expect("read").as_deref(), Some("new"));
    }

    #[test]
    fn damage_is_told_without_the_content() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.json");
        write(&path, &"secret").expect("written");
        let error = read::<u32>(&path).expect_err("not a number").to_string();
        assert!(error.contains("damaged") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn what_root_makes_belongs_to_the_owner_of_the_folder_above_and_no_link_is_followed() {
        use std::os::unix::fs::{chown, symlink};
        let (dir, elsewhere) = (tempfile::tempdir(), tempfile::tempdir());
        let (dir, elsewhere) = (dir.expect("a folder"), elsewhere.expect("a folder"));
        if fs::metadata(dir.path()).expect("there").uid() != 0 {
            return; // only root can give a file away
        }
        chown(dir.path(), Some(1234), Some(1235)).expect("given away");
        let path = dir.path().join("identity/a.json");
        write(&path, &"one").expect("written");
        let target = elsewhere.path().join("shadow");
        fs::write(&target, "root's").expect("written");
        symlink(&target, dir.path().join("identity/a.json.new")).expect("a link");
        write(&path, &"two").expect("written");
        let owner = |path: &Path| {
            let data = fs::symlink_metadata(path).expect("there");
            (data.uid(), data.gid())
        };
        for made in [parent(&path), &path] {
            assert_eq!(owner(made), (1234, 1235), "{}", made.display());
        }
        assert_eq!((owner(&target).0, fs::read(&target).expect("read")), (0, b"root's".to_vec()));
        // A folder to be made that has become a link in the meantime.
        let above = File::open(dir.path()).expect("opened");
        symlink(elsewhere.path(), dir.path().join("made")).expect("a link");
        make_folder(&above, OsStr::new("made")).expect_err("a link is no folder");
        assert_eq!(owner(elsewhere.path()).0, 0);
    }
}
