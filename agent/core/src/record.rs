//! The journal's records and how they stand in a segment.
//!
//! ```text
//! frame := 0xA7  kind:u8  len:u16le  crc:u32le  payload[len]
//! ```
//!
//! The CRC-32C covers kind, length and payload. The payload is postcard. Damage costs the frames it
//! touched and no more, because a scan looks for the next valid frame. Sequences stand in the records,
//! so a lost one leaves a hole that is seen; the epoch they belong to stands in the segment's header.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crc::{CRC_32_ISCSI, Crc, Table};
use serde::{Deserialize, Serialize};
use tripline_protocol::fix::Fix;
use tripline_protocol::id::Sequence;
use tripline_protocol::link::down::Command;
use tripline_protocol::link::trail::GapReason;
use tripline_protocol::link::up::{Event, Stream};
use tripline_protocol::meter::Reading;

use crate::memory::{Anchor, Memory};
use crate::segment::{Cursors, Header};

/// CRC-32C, the Castagnoli polynomial.
const CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);

/// First byte of every frame.
const MAGIC: u8 = 0xA7;

/// Kind bytes: what a frame holds, in which version of its layout.
const KIND_RECORD_V1: u8 = 1;
const KIND_HEADER_V1: u8 = 2;
const KIND_SNAPSHOT_V1: u8 = 3;
const KIND_CURSORS_V1: u8 = 4;

/// Bytes before a frame's payload.
const FRAME_HEADER_LEN: usize = 8;

/// Longest payload of a record, in bytes. An offer with the fullest terms and two long addresses has less
/// than half of it.
pub const PAYLOAD_LEN_MAX: usize = 8 * 1024;

/// Longest command that is taken in, in bytes as it is kept: a record has its report beside it. A longer one
/// would be brought again and again.
pub const COMMAND_LEN_MAX: usize = PAYLOAD_LEN_MAX - 256;

/// Longest payload of a snapshot, in bytes: an offer, a trip and its rider, each as long as a command
/// may be, its extras and its fare, and a little.
pub const SNAPSHOT_LEN_MAX: usize = 32 * 1024;

/// One journal record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A fix, counted or refused.
    Fix {
        /// Its sequence in the trail.
        sequence: Sequence,
        /// The fix.
        fix: Fix,
        /// Steady clock and odometer after it.
        reading: Reading,
    },
    /// Fixes that stood here and are gone.
    Gap {
        /// The last of their sequences.
        through: Sequence,
        /// How many, at least 1.
        fixes: u64,
        /// Why.
        reason: GapReason,
    },
    /// An event.
    Event {
        /// Its sequence in the events.
        sequence: Sequence,
        /// The last fix before it, so that both streams can be read in the order they were written.
        trail: Sequence,
        /// The event. A provisional time is dated anew by the anchor when it is sent.
        event: Event,
        /// The command it reports on, in the same record so that neither is there without the other.
        command: Option<Box<Command>>,
    },
    /// What the time was when GNSS time was first known in this epoch.
    Anchor(Anchor),
}

impl Record {
    /// The stream and sequence of a record that is sent to the backend; of a gap, its last.
    pub const fn position(&self) -> Option<(Stream, Sequence)> {
        match self {
            Self::Fix { sequence, .. } => Some((Stream::Trail, *sequence)),
            Self::Gap { through, .. } => Some((Stream::Trail, *through)),
            Self::Event { sequence, .. } => Some((Stream::Event, *sequence)),
            Self::Anchor(_) => None,
        }
    }

    /// The stream in whose segments it is kept.
    pub const fn stream(&self) -> Stream {
        match self {
            Self::Fix { .. } | Self::Gap { .. } => Stream::Trail,
            Self::Event { .. } | Self::Anchor(_) => Stream::Event,
        }
    }
}

/// Whether a record of this command fits into a frame.
pub fn fits(command: &Command) -> bool {
    postcard::experimental::serialized_size(command).is_ok_and(|len| len <= COMMAND_LEN_MAX)
}

/// What a frame holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and nearly always a record")]
pub enum Item {
    /// A record.
    Record(Record),
    /// The header of a segment.
    Header(Header),
    /// What the journal remembered when the segment was begun.
    Snapshot(Box<Memory>),
    /// How far the backend has committed.
    Cursors(Cursors),
}

/// Something larger than a frame may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a journal record of {len} bytes is larger than the {max} a frame may hold")]
pub struct TooLarge {
    /// Its length in bytes.
    pub len: usize,
    /// The most that is allowed, in bytes.
    pub max: usize,
}

/// Appends the frame of `record` to `out`.
pub fn write_frame(record: &Record, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    write(KIND_RECORD_V1, record, out)
}

/// Appends the frame of a segment's header to `out`.
pub fn write_header(header: &Header, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    write(KIND_HEADER_V1, header, out)
}

/// Appends the frame of a snapshot to `out`.
pub fn write_snapshot(memory: &Memory, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    write(KIND_SNAPSHOT_V1, memory, out)
}

/// Appends the frame of the cursors to `out`.
pub fn write_cursors(cursors: &Cursors, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    write(KIND_CURSORS_V1, cursors, out)
}

/// # Panics
/// Never: whatever is framed is made of types postcard can write.
fn write<T: Serialize>(kind: u8, content: &T, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    let payload = postcard::to_allocvec(content).expect("records are serializable");
    let max = payload_len_max(kind);
    let len = u16::try_from(payload.len()).ok().filter(|len| usize::from(*len) <= max);
    let len = len.ok_or(TooLarge { len: payload.len(), max })?;
    out.extend([MAGIC, kind]);
    out.extend(len.to_le_bytes());
    out.extend(frame_crc(kind, len, &payload).to_le_bytes());
    out.extend(payload);
    Ok(())
}

const fn payload_len_max(kind: u8) -> usize {
    if kind == KIND_SNAPSHOT_V1 { SNAPSHOT_LEN_MAX } else { PAYLOAD_LEN_MAX }
}

fn frame_crc(kind: u8, len: u16, payload: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(&[kind]);
    digest.update(&len.to_le_bytes());
    digest.update(payload);
    digest.finalize()
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and nearly always valid")]
pub enum Frame {
    /// A valid frame.
    Valid {
        /// What it holds.
        item: Item,
        /// Its length in bytes.
        len: usize,
    },
    /// No valid frame begins here.
    Damaged,
    /// A frame may begin here, but its end lies beyond these bytes.
    Incomplete,
}

/// Reads the frame at the beginning of `bytes`; total over any input.
pub fn read_frame(bytes: &[u8]) -> Frame {
    let Some((header, rest)) = bytes.split_first_chunk::<FRAME_HEADER_LEN>() else {
        return if bytes.first() == Some(&MAGIC) { Frame::Incomplete } else { Frame::Damaged };
    };
    let [magic, kind, len @ .., c0, c1, c2, c3] = *header;
    let len = u16::from_le_bytes(len);
    let payload_len = usize::from(len);
    if magic != MAGIC || payload_len > payload_len_max(kind) {
        return Frame::Damaged;
    }
    let Some(payload) = rest.get(..payload_len) else {
        return Frame::Incomplete;
    };
    if frame_crc(kind, len, payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Frame::Damaged;
    }
    let item = match kind {
        KIND_RECORD_V1 => whole(payload).map(Item::Record),
        KIND_HEADER_V1 => whole(payload).map(Item::Header),
        KIND_SNAPSHOT_V1 => whole(payload).map(|memory| Item::Snapshot(Box::new(memory))),
        KIND_CURSORS_V1 => whole(payload).map(Item::Cursors),
        _ => None,
    };
    item.map_or(Frame::Damaged, |item| Frame::Valid { item, len: FRAME_HEADER_LEN + payload_len })
}

fn whole<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Option<T> {
    match postcard::take_from_bytes(payload) {
        Ok((content, [])) => Some(content),
        Ok(_) | Err(_) => None,
    }
}

/// Where a frame may next begin after the start of `bytes`.
pub fn next_candidate(bytes: &[u8]) -> usize {
    let after = bytes.get(1..).unwrap_or_default();
    after.iter().position(|byte| *byte == MAGIC).map_or(bytes.len(), |at| at + 1)
}

/// What a scan found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scan {
    /// Length of the image up to the end of its last valid frame.
    pub valid_len: u64,
    /// Damaged stretches before that.
    pub damaged: u64,
    /// Bytes behind it that are not zero: a torn tail.
    pub torn_bytes: u64,
    /// Records found.
    pub records: u64,
}

/// Hands everything a journal image holds to `on_item`, with the offset of its frame.
///
/// Stretches of zeros are what a segment was preallocated with, not damage.
pub fn scan(image: &[u8], mut on_item: impl FnMut(u64, Item)) -> Scan {
    let mut found = Scan::default();
    let (mut offset, mut skipped) = (0, 0);
    while let Some(bytes) = image.get(offset..).filter(|bytes| !bytes.is_empty()) {
        match read_frame(bytes) {
            Frame::Valid { item, len } => {
                found.damaged += u64::from(skipped > 0);
                skipped = 0;
                found.records += u64::from(matches!(item, Item::Record(_)));
                on_item(offset as u64, item);
                offset += len;
                found.valid_len = offset as u64;
            }
            // A damaged length can make a frame seem to reach past the end, so look on in both cases.
            Frame::Damaged | Frame::Incomplete => {
                let step = next_candidate(bytes);
                let passed = bytes.get(..step).unwrap_or_default();
                skipped += passed.iter().filter(|byte| **byte != 0).count() as u64;
                offset += step;
            }
        }
    }
    found.torn_bytes = skipped;
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use tripline_protocol::fix::FixType;
    use tripline_protocol::unit::{Odometer, Position, Steady, Timestamp};

    fn records(count: u64) -> Vec<Record> {
        (1..=count)
            .map(|n| Record::Fix {
                sequence: Sequence(n),
                fix: Fix {
                    at: Timestamp::from_unix_ms(1_700_000_000_000 + n.cast_signed() * 1000),
                    position: Position::new(374_263_973, -1_220_936_434).expect("on the globe"),
                    speed_mmps: Some(13_890),
                    course_cdeg: None,
                    altitude_mm: Some(4_400),
                    satellites: Some(12),
                    hdop_c: Some(76),
                    accuracy_mm: None,
                    fix_type: FixType::ThreeD,
                    refused: None,
                },
                reading: Reading {
                    steady: Steady { ms: n * 1000 },
                    odometer: Odometer { mm: n * 13_890 },
                    ..Reading::default()
                },
            })
            .collect()
    }

    fn image(records: &[Record]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for record in records {
            write_frame(record, &mut bytes).expect("fits");
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn read(bytes: &[u8]) -> (Vec<Record>, Scan) {
        let mut found = Vec::new();
        let result = scan(bytes, |_, item| {
            if let Item::Record(record) = item {
                found.push(record);
            }
        });
        (found, result)
    }

    #[test]
    fn every_truncation_keeps_the_records_wholly_before_it() {
        let records = records(200);
        let (bytes, ends) = image(&records);
        for len in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= len).count();
            // What lies far before the cut has been seen to be kept by the cuts before this one.
            let (from, first) = match whole.checked_sub(3) {
                Some(first) if first > 0 => (ends[first - 1], first),
                Some(_) | None => (0, 0),
            };
            let (found, result) = read(&bytes[from..len]);
            assert_eq!(found, records[first..whole], "cut at {len}");
            assert_eq!((result.damaged, result.records), (0, (whole - first) as u64));
        }
        assert_eq!(read(&bytes).0, records);
    }

    #[test]
    fn every_flipped_bit_costs_at_most_the_record_it_is_in() {
        let records = records(200);
        let (bytes, ends) = image(&records);
        for bit in 0..bytes.len() * 8 {
            let hit = ends.iter().filter(|end| **end <= bit / 8).count();
            // The record that is hit with three on each side: a frame reaches no further.
            let (first, last) = (hit.saturating_sub(3), (hit + 3).min(records.len() - 1));
            let from = first.checked_sub(1).map_or(0, |before| ends[before]);
            let mut damaged = bytes[from..ends[last]].to_vec();
            damaged[bit / 8 - from] ^= 1 << (bit % 8);
            let mut expected = records[first..=last].to_vec();
            expected.remove(hit - first);
            assert_eq!(read(&damaged).0, expected, "bit {bit}");
        }
    }

    #[test]
    fn zeros_between_and_behind_records_are_no_damage() {
        let records = records(3);
        let (mut bytes, ends) = image(&records);
        bytes.splice(ends[0]..ends[0], [0; 5_000]);
        bytes.extend([0; 5_000]);
        let (found, result) = read(&bytes);
        assert_eq!(found, records);
        let valid_len = (ends[2] + 5_000) as u64;
        assert_eq!(result, Scan { valid_len, damaged: 0, torn_bytes: 0, records: 3 });
    }

    #[test]
    fn a_record_too_large_for_a_frame_is_refused_and_nothing_is_written() {
        let event = |agent_version| Record::Event {
            sequence: Sequence(1),
            trail: Sequence::ZERO,
            event: Event {
                gnss_time: true,
                at: Timestamp::from_unix_ms(0),
                reading: Reading::default(),
                fix: None,
                body: tripline_protocol::link::up::EventBody::Booted {
                    absent_since: None,
                    agent_version,
                },
            },
            command: None,
        };
        let mut bytes = Vec::new();
        write_frame(&event("1".into()), &mut bytes).expect("fits");
        assert!(matches!(read_frame(&bytes), Frame::Valid { len, .. } if len == bytes.len()));
        let mut out = Vec::new();
        assert!(write_frame(&event("x".repeat(PAYLOAD_LEN_MAX)), &mut out).is_err());
        assert!(out.is_empty());
    }
}
