//! Reading a segment's file into memory, also where the disk gives some of it no longer.

use std::io;

use tripline_agent_core::segment::BLOCK_LEN;

use super::disk::DiskFile;

/// A segment is never longer, in bytes; a longer file is not ours.
const IMAGE_LEN_MAX: u64 = 64 * 1024 * 1024;

/// All of a file. Blocks that cannot be read are zeros: their records are lost, the others are not.
pub(super) fn read(file: &dyn DiskFile) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.length()?.min(IMAGE_LEN_MAX)).unwrap_or_default();
    let mut image = vec![0; len];
    let filled = read_at(file, &mut image, 0)?;
    image.truncate(filled);
    Ok(image)
}

/// The same, and an error if any of it cannot be read.
pub(super) fn read_whole(file: &dyn DiskFile) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.length()?.min(IMAGE_LEN_MAX)).unwrap_or_default();
    let mut image = vec![0; len];
    let filled = file.read_at(&mut image, 0)?;
    image.truncate(filled);
    Ok(image)
}

/// Fills `buffer` from `offset` on as far as the file goes.
pub(super) fn read_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    if let Ok(len) = file.read_at(buffer, offset) {
        return Ok(len);
    }
    let there = usize::try_from(file.length()?.saturating_sub(offset)).unwrap_or(usize::MAX);
    let len = there.min(buffer.len());
    let mut at = offset;
    for block in buffer.get_mut(..len).unwrap_or_default().chunks_mut(BLOCK_LEN) {
        block.fill(0);
        if file.read_at(block, at).is_err() {
            block.fill(0);
        }
        at += block.len() as u64;
    }
    Ok(len)
}
