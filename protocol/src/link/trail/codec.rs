//! The bytes of a batch: one walk over it, with a range coder that writes or one that reads.

use alloc::vec::Vec;

use super::grid::{CHOICE_BITS, Grids, choose};
use super::number::code_size_alone;
use super::range::{Chance, Coder, Reader, Writer};
use super::track::Track;
use super::{GapReason, TrailBatch, TrailEntry, TrailFix};
use crate::fix::FixType;
use crate::id::{JournalEpoch, Sequence};
use crate::link::envelope::{self, DecodeError, Message};
use crate::unit::{Position, Timestamp};

/// Most entries a batch may have; one that has more is refused when read.
pub const TRAIL_ENTRIES_MAX: usize = 512;

/// Length of a gap's reason, in bits: room for reasons to come.
const REASON_BITS: u32 = 3;

/// What a reader gives the walk in place of a fix.
const UNREAD: TrailFix = TrailFix {
    at: Timestamp::from_unix_ms(0),
    position: match Position::new(0, 0) {
        Ok(position) => position,
        Err(_) => unreachable!(),
    },
    speed_cmps: None,
    course_ddeg: None,
    altitude_mm: None,
    fix_type: FixType::Estimated,
    refused: None,
};

impl Message for TrailBatch {
    fn append(&self, bytes: Vec<u8>) -> Vec<u8> {
        let mut writer = Writer::new(bytes);
        // What a writer is given it codes, also where a reader would refuse it.
        let _ = walk(&mut writer, Some(self));
        writer.finish()
    }

    /// A batch has one form: bytes that it would not be written as are malformed.
    fn read(body: &[u8]) -> Result<Self, DecodeError> {
        let batch = walk(&mut Reader::new(body), None).ok_or(DecodeError::Malformed)?;
        let written = batch.append(Vec::new());
        match body.strip_prefix(written.as_slice()) {
            Some([]) => Ok(batch),
            Some(rest) => Err(DecodeError::Trailing { len: rest.len() }),
            None => Err(DecodeError::Malformed),
        }
    }
}

impl TrailBatch {
    /// A batch out of a store: `decode` took it once, or we wrote it, so that its form is not checked
    /// again. That is more than half of what reading costs.
    pub fn decode_kept(payload: &[u8]) -> Result<Self, DecodeError> {
        walk(&mut Reader::new(envelope::body(payload)?), None).ok_or(DecodeError::Malformed)
    }
}

/// Codes a batch, which a reader does not have.
fn walk(coder: &mut impl Coder, batch: Option<&TrailBatch>) -> Option<TrailBatch> {
    let entries = batch.map_or(&[][..], |batch| &batch.entries);
    let epoch = JournalEpoch(coder.bits(batch.map_or(0, |batch| batch.epoch.0), u64::BITS));
    let after = Sequence(code_size_alone(coder, batch.map_or(0, |batch| batch.after.0)));
    let count = usize::try_from(code_size_alone(coder, entries.len() as u64)).ok()?;
    if batch.is_none() && count > TRAIL_ENTRIES_MAX {
        return None;
    }
    let mut choice = choose(entries.iter().filter_map(TrailEntry::fix));
    for (which, bits) in choice.iter_mut().zip(CHOICE_BITS) {
        *which = usize::try_from(coder.bits(*which as u64, bits)).ok()?;
    }
    let mut track = Track::new(Grids::new(choice));
    let mut is_gap = Chance::expect(1, 500, 8, 32);
    let mut coded = Vec::with_capacity(count);
    let mut last = after.0;
    for index in 0..count {
        let entry = code_entry(coder, &mut is_gap, &mut track, entries.get(index))?;
        last = last.checked_add(entry.len())?;
        coded.push(entry);
    }
    Some(TrailBatch { epoch, after, entries: coded })
}

fn code_entry(
    coder: &mut impl Coder,
    is_gap: &mut Chance,
    track: &mut Track,
    entry: Option<&TrailEntry>,
) -> Option<TrailEntry> {
    let (fix, gap) = match entry {
        Some(TrailEntry::Fix(fix)) => (fix, None),
        Some(TrailEntry::Gap { fixes, reason }) => (&UNREAD, Some((*fixes, *reason))),
        None => (&UNREAD, None),
    };
    if !coder.bit(is_gap, gap.is_some()) {
        return track.code(coder, fix).map(TrailEntry::Fix);
    }
    let (fixes, reason) = gap.map_or((0, 0), |(fixes, reason)| (fixes, reason as u64));
    let fixes = code_size_alone(coder, fixes);
    let reason = usize::try_from(coder.bits(reason, REASON_BITS)).ok()?;
    Some(TrailEntry::Gap { fixes, reason: *GapReason::ALL.get(reason)? })
        .filter(|entry| !entry.is_empty())
}
