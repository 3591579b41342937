//! The file `cursor`: how far the backend has committed, in two slots written in turn and never synced.
//!
//! A power cut may take either or both. That costs a rewind: what is sent again is trimmed there.

use std::io;

use tripline_agent_core::record::{Frame, Item, read_frame, write_cursors};
use tripline_agent_core::segment::{BLOCK_LEN, Cursors};

use super::disk::{Disk, DiskFile};

const FILE: &str = "cursor";

#[derive(Debug, Default)]
pub(super) struct CursorFile {
    file: Option<Box<dyn DiskFile>>,
    serial: u64,
}

impl CursorFile {
    /// Reads the later slot.
    pub(super) fn open(disk: &dyn Disk) -> (Self, Cursors) {
        let Ok(file) = disk.open(FILE) else { return (Self::default(), Cursors::default()) };
        let mut image = vec![0; 2 * BLOCK_LEN];
        let _ = file.read_at(&mut image, 0);
        let slots = image.chunks(BLOCK_LEN).filter_map(|slot| match read_frame(slot) {
            Frame::Valid { item: Item::Cursors(cursors), .. } => Some(cursors),
            Frame::Valid { .. } | Frame::Damaged | Frame::Incomplete => None,
        });
        let cursors = slots.max_by_key(|cursors| cursors.serial).unwrap_or_default();
        (Self { file: Some(file), serial: cursors.serial }, cursors)
    }

    /// The serial of the next write.
    pub(super) const fn next_serial(&self) -> u64 {
        self.serial + 1
    }

    /// Writes the slot that is not the latest.
    pub(super) fn write(&mut self, disk: &dyn Disk, cursors: &Cursors) -> io::Result<()> {
        let mut slot = Vec::with_capacity(BLOCK_LEN);
        write_cursors(cursors, &mut slot).map_err(io::Error::other)?;
        if slot.len() > BLOCK_LEN {
            return Ok(()); // More epochs than a slot holds: they are done with soon.
        }
        slot.resize(BLOCK_LEN, 0);
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(disk.create(FILE, 2 * BLOCK_LEN as u64)?),
        };
        self.serial = cursors.serial;
        file.write_at(&slot, cursors.serial % 2 * BLOCK_LEN as u64)
    }
}
