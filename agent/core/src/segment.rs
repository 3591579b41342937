//! How a segment file begins, and the other small things the journal keeps beside its records.
//!
//! ```text
//! 0      header                 header, again            each in a block of its own, so that neither
//! 8192   snapshot               snapshot, again          one flip nor one torn block takes both
//! ...    records, then the zeros the file was preallocated with
//! ```
//!
//! A snapshot lets the segments before it go: what they made of the memory is in it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::up::Stream;

use crate::memory::Memory;
use crate::record::{
    Frame, Item, TooLarge, next_candidate, read_frame, write_header, write_snapshot,
};

/// A block: what a disk tears at worst, in bytes. The two headers and snapshots stand in different ones.
pub const BLOCK_LEN: usize = 4096;

/// Where the second header stands, in bytes.
pub const SECOND_HEADER_AT: usize = BLOCK_LEN;

/// Where the headers end, in bytes.
pub const HEADERS_LEN: usize = 2 * BLOCK_LEN;

/// The layout of segments; a segment of another is not read.
pub const FORMAT: u8 = 1;

/// What a segment is: the first thing in its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u8,
    /// Whose it is.
    pub device: DeviceId,
    /// The epoch of its records.
    pub epoch: JournalEpoch,
    /// Counts the agent's starts, so that epochs, which are random, have an order.
    pub start: u64,
    /// The stream of its records.
    pub stream: Stream,
    /// Its number within the stream.
    pub number: u64,
    /// The sequence its first record follows.
    pub after: Sequence,
    /// What became of its records.
    pub fate: Fate,
}

/// What became of a segment's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// They are there.
    Whole,
    /// Some of the fixes are there, and gaps for the others.
    Thinned,
    /// They are gone, up to this sequence.
    Dropped {
        /// The last of them.
        through: Sequence,
    },
}

/// How far the backend has committed each lane. Advisory: without it records are sent again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursors {
    /// Counts up, so that the later of two slots is known.
    pub serial: u64,
    /// The lanes.
    pub committed: Vec<(JournalEpoch, Stream, Sequence)>,
}

/// The first bytes of a segment, up to where its records go.
pub fn head(header: &Header, snapshot: Option<&Memory>) -> Result<Vec<u8>, TooLarge> {
    let mut bytes = header_block(header)?;
    bytes.extend_from_within(..);
    if let Some(memory) = snapshot {
        let mut copy = Vec::new();
        write_snapshot(memory, &mut copy)?;
        copy.resize(copy.len().next_multiple_of(BLOCK_LEN), 0);
        bytes.extend_from_slice(&copy);
        bytes.extend(copy);
    }
    Ok(bytes)
}

/// One of the two headers, filled up to a block.
pub fn header_block(header: &Header) -> Result<Vec<u8>, TooLarge> {
    let mut bytes = Vec::with_capacity(HEADERS_LEN);
    write_header(header, &mut bytes)?;
    bytes.resize(BLOCK_LEN, 0);
    Ok(bytes)
}

/// The header of a segment, from either of its copies. A dropped segment's records are gone from when
/// the first copy says so.
pub fn read_header(image: &[u8]) -> Option<Header> {
    [0, SECOND_HEADER_AT].into_iter().find_map(|at| match read_frame(image.get(at..)?) {
        Frame::Valid { item: Item::Header(header), .. } if header.format == FORMAT => Some(header),
        Frame::Valid { .. } | Frame::Damaged | Frame::Incomplete => None,
    })
}

/// Everything that stands in an image, in order.
#[derive(Debug, Clone)]
pub struct Items<'a> {
    image: &'a [u8],
}

impl<'a> Items<'a> {
    /// The items of `image`.
    pub const fn new(image: &'a [u8]) -> Self {
        Self { image }
    }
}

impl Iterator for Items<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        while !self.image.is_empty() {
            let (item, step) = match read_frame(self.image) {
                Frame::Valid { item, len } => (Some(item), len),
                Frame::Damaged | Frame::Incomplete => (None, next_candidate(self.image)),
            };
            self.image = self.image.get(step..).unwrap_or_default();
            if item.is_some() {
                return item;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_copy_of_header_and_snapshot_is_enough() {
        let header = Header {
            format: FORMAT,
            device: "ka-01-1".parse().expect("valid"),
            epoch: JournalEpoch(7),
            start: 3,
            stream: Stream::Event,
            number: 12,
            after: Sequence(40),
            fate: Fate::Whole,
        };
        let memory = Memory::default();
        let whole = head(&header, Some(&memory)).expect("fits");
        assert_eq!(whole.len(), 4 * BLOCK_LEN);
        for lost in 0..4 {
            let mut bytes = whole.clone();
            bytes[lost * BLOCK_LEN..][..BLOCK_LEN].fill(0x5A);
            assert_eq!(read_header(&bytes), Some(header.clone()), "without block {lost}");
            let snapshots = Items::new(&bytes).filter(|item| matches!(item, Item::Snapshot(_)));
            assert!(snapshots.count() >= 1, "without block {lost}");
        }
        assert_eq!(read_header(&[]), None);
    }
}
