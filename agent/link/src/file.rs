//! Small secret files that are there whole or not at all, whenever the power goes.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown,
};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest file that is read, in bytes; an answer of the backend with a key beside it is shorter.
const FILE_LEN_MAX: u64 = 64 * 1024;

/// Mode of the folder: its files are nobody else's business.
const DIR_MODE: u32 = 0o700;

/// Mode of a file with a key in it.
const FILE_MODE: u32 = 0o600;

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
    let dir = parent(path);
    make_dir(dir)?;
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| failed(path, "written")(io::Error::other(error)))?;
    let new = path.with_extension("json.new");
    write_new(&new, &text).map_err(failed(&new, "written"))?;
    give_to_owner_of(dir, &new).map_err(failed(&new, "given to its folder's owner"))?;
    fs::rename(&new, path).map_err(failed(path, "replaced"))?;
    sync_dir(dir)
}

/// Removes a file, if there is one, for good.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Ok(()) => sync_dir(parent(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(path, "removed")(error)),
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // One that was left half written is no use, and might be of another mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a folder and those above it that are missing.
fn make_dir(dir: &Path) -> Result<(), FileError> {
    if dir.is_dir() {
        return Ok(());
    }
    let above = parent(dir);
    make_dir(above)?;
    DirBuilder::new().mode(DIR_MODE).create(dir).map_err(failed(dir, "made"))?;
    give_to_owner_of(above, dir).map_err(failed(dir, "given to its folder's owner"))?;
    sync_dir(above)
}

/// An installer enrols as root, and the agent runs as a user of its own: what is made belongs to whom
/// the folder belongs that it is made in.
fn give_to_owner_of(dir: &Path, path: &Path) -> io::Result<()> {
    let (wanted, found) = (fs::metadata(dir)?, fs::metadata(path)?);
    if (wanted.uid(), wanted.gid()) == (found.uid(), found.gid()) || !rooted(&found) {
        return Ok(());
    }
    chown(path, Some(wanted.uid()), Some(wanted.gid()))
}

/// Whether this process made it as root.
fn rooted(made: &fs::Metadata) -> bool {
    made.uid() == 0
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
}
