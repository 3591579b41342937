//! The fleet's identities in a file, so that a second run need not enrol again.
//!
//! One JSON object a line, added as vehicles enrol. A line torn by a kill is cut off: that vehicle has
//! used up its code, and another takes its place.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tripline_agent_link::Identity;

/// The file, in the folder for state.
const FILE: &str = "fleet.jsonl";

/// A vehicle with its identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Enlisted {
    /// Its plate.
    pub registration: String,
    /// Its identity.
    pub identity: Identity,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is damaged that is not the last.
    #[error("{} is damaged in line {line}; remove it, and enrol the fleet anew", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
    },
}

/// The identities there are, and the file to add more to.
#[derive(Debug)]
pub struct Roster {
    path: PathBuf,
    file: File,
    enlisted: Vec<Enlisted>,
}

impl Roster {
    /// Opens the file in `dir`, which is made if it is not there. Keys are in it: mode 0600.
    pub fn open(dir: &Path) -> Result<Self, RosterError> {
        let path = dir.join(FILE);
        let failed = |source| RosterError::Io { path: path.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let (enlisted, whole_len) = read(&mut file, &path)?;
        file.set_len(whole_len).map_err(failed)?;
        Ok(Self { path, file, enlisted })
    }

    /// Those enlisted, in the order they enrolled.
    pub fn enlisted(&self) -> &[Enlisted] {
        &self.enlisted
    }

    /// Adds one.
    pub fn enlist(&mut self, enlisted: Enlisted) -> Result<(), RosterError> {
        let failed = |source| RosterError::Io { path: self.path.clone(), source };
        let mut line = serde_json::to_vec(&enlisted).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(failed)?;
        self.enlisted.push(enlisted);
        Ok(())
    }
}

/// What the file holds, and the length of its whole lines.
fn read(file: &mut File, path: &Path) -> Result<(Vec<Enlisted>, u64), RosterError> {
    let failed = |source| RosterError::Io { path: path.into(), source };
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let (mut enlisted, mut whole_len, mut text) = (Vec::new(), 0, Vec::new());
    let mut reader = BufReader::new(file);
    loop {
        text.clear();
        let len = reader.read_until(b'\n', &mut text).map_err(failed)?;
        if text.last() != Some(&b'\n') {
            return Ok((enlisted, whole_len));
        }
        let line = enlisted.len() + 1;
        let damaged = |_| RosterError::Damaged { path: path.into(), line };
        enlisted.push(serde_json::from_slice(&text).map_err(damaged)?);
        whole_len += len as u64;
    }
}
