//! Lane `trail`: every fix, in batches that name the sequence they follow.
//!
//! A batch is coded as a whole and on its own: predictions from the fixes before it in the batch, and an
//! adaptive range coder for how far they miss. PROTOCOL.md describes it; what the bytes are is decided
//! here and frozen by `protocol/tests/frozen.rs`.

mod codec;
mod grid;
mod guess;
mod motion;
mod number;
mod place;
mod range;
mod scalar;
mod symbol;
mod track;

pub use codec::TRAIL_ENTRIES_MAX;

use alloc::vec::Vec;

use crate::coded::coded_enum;
use crate::fix::{Fix, FixType, Refusal};
use crate::id::{JournalEpoch, Sequence};
use crate::unit::{Position, Timestamp};

/// A fix as the trail keeps it.
///
/// Time, position and altitude are the receiver's to the last digit. Speed and course are rounded to what
/// a receiver can know: finer digits of theirs are noise, and noise is most of what a trail costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrailFix {
    /// GNSS time of the fix.
    pub at: Timestamp,
    /// Where.
    pub position: Position,
    /// Speed over ground in cm/s.
    pub speed_cmps: Option<u32>,
    /// Course over ground in 0.1 degree clockwise from true north, 0 to 3599.
    pub course_ddeg: Option<u16>,
    /// Altitude above mean sea level in mm.
    pub altitude_mm: Option<i32>,
    /// How the receiver arrived at it.
    pub fix_type: FixType,
    /// Why the gate refused it; `None` for a fix that counts.
    pub refused: Option<Refusal>,
}

/// Rounds speed and course to the nearest, halves up.
impl From<&Fix> for TrailFix {
    fn from(fix: &Fix) -> Self {
        Self {
            at: fix.at,
            position: fix.position,
            speed_cmps: fix.speed_mmps.map(|mmps| mmps / 10 + u32::from(mmps % 10 >= 5)),
            course_ddeg: fix
                .course_cdeg
                .map(|cdeg| (cdeg / 10 + u16::from(cdeg % 10 >= 5)) % 3_600),
            altitude_mm: fix.altitude_mm,
            fix_type: fix.fix_type,
            refused: fix.refused,
        }
    }
}

coded_enum! {
    /// Why fixes are missing from the trail.
    GapReason {
        /// Their journal records were damaged.
        Damaged => "damaged",
        /// The journal was at its quota, and the trail was thinned.
        Thinned => "thinned",
    }
}

/// One entry of a batch: a fix, or a declared loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrailEntry {
    /// One sequence.
    Fix(TrailFix),
    /// So many sequences in a row that are lost.
    Gap {
        /// How many, at least 1.
        fixes: u64,
        /// Why.
        reason: GapReason,
    },
}

impl TrailEntry {
    /// How many sequences it stands for.
    pub const fn len(&self) -> u64 {
        match self {
            Self::Fix(_) => 1,
            Self::Gap { fixes, .. } => *fixes,
        }
    }

    /// The fix, if it is one.
    pub const fn fix(&self) -> Option<&TrailFix> {
        match self {
            Self::Fix(fix) => Some(fix),
            Self::Gap { .. } => None,
        }
    }

    /// Whether it stands for no sequence at all, which no well-formed entry does.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A run of the trail, without undeclared holes, of at most [`TRAIL_ENTRIES_MAX`] entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailBatch {
    /// The journal the fixes are in.
    pub epoch: JournalEpoch,
    /// The sequence before the first entry.
    pub after: Sequence,
    /// The entries, in sequence.
    pub entries: Vec<TrailEntry>,
}

impl TrailBatch {
    /// The sequence its last entry reaches to.
    pub fn last(&self) -> Sequence {
        self.after.plus(self.entries.iter().map(TrailEntry::len).fold(0, u64::saturating_add))
    }

    /// What follows `cursor`, or `None` if something between it and this batch is missing.
    ///
    /// What the cursor covers already is a replay and is left out; all of it may be. A gap that the
    /// cursor stands in is cut.
    pub fn following(&self, cursor: Sequence) -> Option<Vec<TrailEntry>> {
        if self.after > cursor {
            return None;
        }
        let mut covered = cursor.since(self.after);
        let mut rest = Vec::new();
        for entry in &self.entries {
            let skipped = covered.min(entry.len());
            covered -= skipped;
            match entry {
                _ if skipped == entry.len() => {}
                TrailEntry::Fix(_) => rest.push(*entry),
                TrailEntry::Gap { fixes, reason } => {
                    rest.push(TrailEntry::Gap { fixes: fixes - skipped, reason: *reason });
                }
            }
        }
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_trimmed_to_what_follows_the_cursor_also_within_a_gap() {
        let fix = TrailEntry::Fix(TrailFix {
            at: Timestamp::from_unix_ms(1),
            position: Position::new(1, 2).expect("on the globe"),
            speed_cmps: None,
            course_ddeg: None,
            altitude_mm: None,
            fix_type: FixType::TwoD,
            refused: None,
        });
        let gap = |fixes| TrailEntry::Gap { fixes, reason: GapReason::Thinned };
        let entries = Vec::from([fix, gap(5), fix]);
        let batch = TrailBatch { epoch: JournalEpoch(1), after: Sequence(10), entries };
        assert_eq!(batch.last(), Sequence(17));
        assert_eq!(batch.following(Sequence(9)), None, "10 is missing");
        for (cursor, rest) in [
            (10, Vec::from([fix, gap(5), fix])),
            (11, Vec::from([gap(5), fix])),
            (13, Vec::from([gap(3), fix])),
            (16, Vec::from([fix])),
            (17, Vec::new()),
            (u64::MAX, Vec::new()),
        ] {
            assert_eq!(batch.following(Sequence(cursor)), Some(rest), "{cursor}");
        }
    }
}
