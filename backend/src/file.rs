//! Small files that are there whole or not at all, whenever the power goes.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::error::BppError;

/// Writes a file, in place of the one that may be there. When it returns, a power cut finds the new one;
/// before that the old one, whole.
pub(crate) fn write(path: &Path, mode: u32, text: &str) -> Result<(), BppError> {
    let failed = |error: io::Error| BppError::File {
        path: path.into(),
        reason: format!("cannot be written: {error}"),
    };
    let folder = File::open(parent(path)).map_err(failed)?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    write_new(&new, mode, text, &folder).map_err(failed)?;
    fs::rename(&new, path).and_then(|()| folder.sync_all()).map_err(failed)
}

/// Makes a folder and those above it that are missing. Says whether it was missing.
pub(crate) fn make_dir(dir: &Path, mode: u32) -> Result<bool, BppError> {
    if dir.is_dir() {
        return Ok(false);
    }
    let above = parent(dir);
    make_dir(above, mode)?;
    make_one(above, dir, mode).map_err(|error| BppError::File {
        path: dir.into(),
        reason: format!("the folder cannot be made: {error}"),
    })?;
    Ok(true)
}

fn make_one(above: &Path, dir: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().mode(mode).create(dir)?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = File::from(rustix::fs::open(dir, flags, Mode::empty())?);
    let above = File::open(above)?;
    give_to_owner_of(&above, &made)?;
    above.sync_all()
}

/// Makes what was removed in a folder, or made in it, last.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn write_new(path: &Path, mode: u32, text: &str, folder: &File) -> io::Result<()> {
    // One that was left half written is no use, and might be of another mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    give_to_owner_of(folder, &file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A command may run as root, and the platform as a user of its own: what is made belongs to whom the
/// folder belongs that it is made in. By descriptor, so that no link is followed.
fn give_to_owner_of(folder: &File, made: &File) -> io::Result<()> {
    let (wanted, found) = (folder.metadata()?, made.metadata()?);
    if (wanted.uid(), wanted.gid()) == (found.uid(), found.gid()) || found.uid() != 0 {
        return Ok(());
    }
    fchown(made, Some(wanted.uid()), Some(wanted.gid()))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_what_was_left_half_written_is_no_hindrance() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.pem");
        write(&path, 0o600, "old").expect("written");
        fs::write(dir.path().join("a.pem.new"), "ne").expect("half written");
        write(&path, 0o600, "new").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("read"), "new");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).expect("read").count(), 1, "nothing is left over");
    }

    #[test]
    fn what_root_writes_belongs_to_the_owner_of_the_folder_and_no_link_is_followed() {
        let dir = tempfile::tempdir().expect("a folder");
        if fs::metadata(dir.path()).expect("there").uid() != 0 {
            return; // only root can give a file away
        }
        let other = tempfile::NamedTempFile::new().expect("a file");
        chown(dir.path(), Some(1234), Some(1235)).expect("given away");
        symlink(other.path(), dir.path().join("a.pem.new")).expect("a link");
        let path = dir.path().join("a.pem");
        write(&path, 0o600, "secret").expect("written");
        let owner = |path: &Path| {
            let data = fs::symlink_metadata(path).expect("there");
            (data.is_file(), data.uid(), data.gid())
        };
        assert_eq!(owner(&path), (true, 1234, 1235));
        assert_eq!(owner(other.path()).1, 0);
        assert_eq!(fs::read_to_string(other.path()).expect("read"), "");
    }
}
