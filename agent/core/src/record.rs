//! The journal's records and how they stand in the file.
//!
//! ```text
//! frame := 0xA7  kind:u8  len:u16le  crc:u32le  payload[len]
//! ```
//!
//! The CRC-32C covers kind, length and payload. The payload is postcard. A torn tail is cut; damage in
//! the middle costs the records it touched and no more, because the scan looks for the next valid
//! frame. Sequences stand in the records, so a lost one leaves a hole that is seen.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crc::{CRC_32_ISCSI, Crc, Table};
use serde::{Deserialize, Serialize};
use tripline_protocol::fix::Fix;
use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::down::Command;
use tripline_protocol::link::up::{Event, Stream};
use tripline_protocol::meter::Reading;
use tripline_protocol::unit::Timestamp;

/// CRC-32C, the Castagnoli polynomial.
const CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);

const MAGIC: u8 = 0xA7;

/// Version of the record layout; the frame's kind byte.
const KIND_RECORD_V1: u8 = 1;

/// Bytes before a frame's payload.
const HEADER_LEN: usize = 8;

/// Longest payload of a frame, in bytes. An offer with two long addresses has about a thousand.
pub const PAYLOAD_LEN_MAX: usize = 8 * 1024;

/// One journal record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The first record of a journal.
    Opened {
        /// The device the journal belongs to.
        device: DeviceId,
        /// The random number that names this journal for ever.
        epoch: JournalEpoch,
        /// When it was made.
        at: Timestamp,
    },
    /// A fix, counted or refused.
    Fix {
        /// Its sequence in the trail.
        sequence: Sequence,
        /// The fix.
        fix: Fix,
        /// Steady clock and odometer after it.
        reading: Reading,
    },
    /// An event.
    Event {
        /// Its sequence in the events.
        sequence: Sequence,
        /// The event.
        event: Event,
        /// The command it reports on, in the same record so that neither is there without the other.
        command: Option<Box<Command>>,
    },
    /// How far the backend has committed. Advisory: losing it costs a rewind.
    Committed {
        /// The stream.
        stream: Stream,
        /// The last committed sequence.
        through: Sequence,
    },
}

impl Record {
    /// The stream and sequence of a record that is sent to the backend.
    pub const fn position(&self) -> Option<(Stream, Sequence)> {
        match self {
            Self::Fix { sequence, .. } => Some((Stream::Trail, *sequence)),
            Self::Event { sequence, .. } => Some((Stream::Event, *sequence)),
            Self::Opened { .. } | Self::Committed { .. } => None,
        }
    }

    /// Whether the record must be synced before anybody is told of it. Fixes are synced in groups.
    pub const fn is_urgent(&self) -> bool {
        matches!(self, Self::Event { .. } | Self::Opened { .. })
    }
}

/// A record larger than a frame may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a journal record of {len} bytes is larger than the {PAYLOAD_LEN_MAX} a frame may hold")]
pub struct TooLarge {
    /// Its length in bytes.
    pub len: usize,
}

/// Appends the frame of `record` to `out`.
///
/// # Panics
/// Never: every record is made of types postcard can write.
pub fn write_frame(record: &Record, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    let payload = postcard::to_allocvec(record).expect("records are serializable");
    let len = u16::try_from(payload.len()).ok().filter(|len| usize::from(*len) <= PAYLOAD_LEN_MAX);
    let len = len.ok_or(TooLarge { len: payload.len() })?;
    out.extend([MAGIC, KIND_RECORD_V1]);
    out.extend(len.to_le_bytes());
    out.extend(frame_crc(KIND_RECORD_V1, len, &payload).to_le_bytes());
    out.extend(payload);
    Ok(())
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
pub enum Frame {
    /// A record.
    Record {
        /// The record.
        record: Record,
        /// Length of its frame in bytes.
        len: usize,
    },
    /// No valid frame begins here.
    Damaged,
    /// A frame may begin here, but its end lies beyond these bytes.
    Incomplete,
}

/// Reads the frame at the beginning of `bytes`; total over any input.
pub fn read_frame(bytes: &[u8]) -> Frame {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Frame::Incomplete;
    };
    let [magic, kind, len @ .., c0, c1, c2, c3] = *header;
    let len = u16::from_le_bytes(len);
    let payload_len = usize::from(len);
    if magic != MAGIC || kind != KIND_RECORD_V1 || payload_len > PAYLOAD_LEN_MAX {
        return Frame::Damaged;
    }
    let Some(payload) = rest.get(..payload_len) else {
        return Frame::Incomplete;
    };
    if frame_crc(kind, len, payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Frame::Damaged;
    }
    match postcard::take_from_bytes(payload) {
        Ok((record, [])) => Frame::Record { record, len: HEADER_LEN + payload_len },
        Ok(_) | Err(_) => Frame::Damaged,
    }
}

/// What a scan found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scan {
    /// Length of the image up to the end of its last valid frame; what follows is a torn tail.
    pub valid_len: u64,
    /// Damaged stretches before that.
    pub damaged: u64,
    /// Records found.
    pub records: u64,
}

/// Hands every record of a journal image to `on_record`, with the offset of its frame.
pub fn scan(image: &[u8], mut on_record: impl FnMut(u64, Record)) -> Scan {
    let mut found = Scan::default();
    let mut offset = 0;
    let mut skipping = false;
    while let Some(bytes) = image.get(offset..).filter(|bytes| !bytes.is_empty()) {
        match read_frame(bytes) {
            Frame::Record { record, len } => {
                found.damaged += u64::from(skipping);
                skipping = false;
                found.records += 1;
                on_record(offset as u64, record);
                offset += len;
                found.valid_len = offset as u64;
            }
            // A damaged length can make a frame seem to reach past the end, so look on in both cases.
            Frame::Damaged | Frame::Incomplete => {
                skipping = true;
                offset += 1;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use tripline_protocol::fix::FixType;
    use tripline_protocol::unit::{Odometer, Position, Steady};

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
                    bridged: Odometer::default(),
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
        let result = scan(bytes, |_, record| found.push(record));
        (found, result)
    }

    #[test]
    fn every_truncation_keeps_the_records_wholly_before_it() {
        let records = records(40);
        let (bytes, ends) = image(&records);
        for len in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= len).count();
            let (found, result) = read(&bytes[..len]);
            assert_eq!(found, records[..whole], "cut at {len}");
            let valid_len = whole.checked_sub(1).map_or(0, |last| ends[last]) as u64;
            assert_eq!(result, Scan { valid_len, damaged: 0, records: whole as u64 });
        }
    }

    #[test]
    fn every_flipped_bit_costs_at_most_the_record_it_is_in() {
        let records = records(40);
        let (bytes, ends) = image(&records);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let hit = ends.iter().filter(|end| **end <= bit / 8).count();
            let mut expected = records.clone();
            expected.remove(hit);
            assert_eq!(read(&damaged).0, expected, "bit {bit}");
        }
    }

    #[test]
    fn a_record_too_large_for_a_frame_is_refused_and_nothing_is_written() {
        let record = Record::Opened {
            device: "d".parse().expect("valid"),
            epoch: JournalEpoch(1),
            at: Timestamp::from_unix_ms(0),
        };
        let mut bytes = Vec::new();
        write_frame(&record, &mut bytes).expect("fits");
        assert!(matches!(read_frame(&bytes), Frame::Record { len, .. } if len == bytes.len()));
        let reason = "x".repeat(PAYLOAD_LEN_MAX);
        let event = Event {
            at: Timestamp::from_unix_ms(0),
            reading: Reading::default(),
            fix: None,
            body: tripline_protocol::link::up::EventBody::Booted {
                absent_since: None,
                agent_version: reason,
            },
        };
        let record = Record::Event { sequence: Sequence(1), event, command: None };
        let mut out = Vec::new();
        assert!(write_frame(&record, &mut out).is_err());
        assert!(out.is_empty());
    }
}
