//! The trail as it is read: runs of entries with their sequences, whatever they were stored as; and what
//! a day's batches are folded into.

use tripline_protocol::fix::Refusal;
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::trail::{TRAIL_ENTRIES_MAX, TrailBatch, TrailEntry, TrailFix};
use tripline_protocol::unit::Timestamp;

/// Longest time between the first and the last fix of a folded run, in ms: a day. Whoever looks for a
/// moment need not look at runs that end later than so long after it.
pub const RUN_MS_MAX: i64 = 86_400_000;

/// A run of a device's trail without undeclared holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The journal.
    pub epoch: JournalEpoch,
    /// The sequence before the first entry.
    pub after: Sequence,
    /// The entries, in sequence.
    pub entries: Vec<TrailEntry>,
}

impl Passage {
    /// What a stored batch adds: its first `skip` sequences were there before it.
    pub fn of(batch: TrailBatch, skip: u64) -> Self {
        let after = batch.after.plus(skip);
        let entries = match skip {
            0 => batch.entries,
            _ => batch.following(after).unwrap_or_default(),
        };
        Self { epoch: batch.epoch, after, entries }
    }

    /// The sequence it reaches to.
    pub fn last(&self) -> Sequence {
        self.after.plus(self.entries.iter().map(TrailEntry::len).fold(0, u64::saturating_add))
    }

    /// How many sequences it stands for.
    pub fn records(&self) -> u64 {
        self.last().since(self.after)
    }

    /// The batch of its bytes.
    pub fn batch(&self) -> TrailBatch {
        TrailBatch { epoch: self.epoch, after: self.after, entries: self.entries.clone() }
    }

    fn begins(&self, next: &Self) -> bool {
        self.epoch == next.epoch && self.last() == next.after
    }
}

/// Whether a fix's time may be believed: not if the gate refused it for its time.
pub(super) const fn tells_time(fix: &TrailFix) -> bool {
    !matches!(fix.refused, Some(Refusal::TimeJump | Refusal::OutOfOrder))
}

/// Between which times the fixes lie whose time may be believed.
pub fn times(entries: &[TrailEntry]) -> Option<(Timestamp, Timestamp)> {
    let at = || {
        entries.iter().filter_map(TrailEntry::fix).filter(|fix| tells_time(fix)).map(|fix| fix.at)
    };
    at().min().zip(at().max())
}

/// Joins what follows on each other, in order.
pub fn joined(passages: impl IntoIterator<Item = Passage>) -> Vec<Passage> {
    let mut whole: Vec<Passage> = Vec::new();
    for passage in passages {
        match whole.last_mut() {
            Some(last) if last.begins(&passage) => last.entries.extend(passage.entries),
            Some(_) | None => whole.push(passage),
        }
    }
    whole
}

/// The same entries in runs as long as a batch may be.
pub fn folded(passages: impl IntoIterator<Item = Passage>) -> Vec<Passage> {
    joined(passages).into_iter().flat_map(cut).collect()
}

fn cut(passage: Passage) -> Vec<Passage> {
    let mut runs: Vec<Passage> = Vec::new();
    let (mut after, mut from) = (passage.after, None);
    for entry in passage.entries {
        let at = entry.fix().filter(|fix| tells_time(fix)).map(|fix| fix.at);
        let is_long = at.zip(from).is_some_and(|(at, from): (Timestamp, Timestamp)| {
            at.since_ms(from).saturating_abs() > RUN_MS_MAX
        });
        let len = entry.len();
        match runs.last_mut() {
            Some(run) if !is_long && run.entries.len() < TRAIL_ENTRIES_MAX => {
                run.entries.push(entry);
                from = from.or(at);
            }
            Some(_) | None => {
                runs.push(Passage { epoch: passage.epoch, after, entries: vec![entry] });
                from = at;
            }
        }
        after = after.plus(len);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tripline_protocol::fix::FixType;
    use tripline_protocol::link::trail::GapReason;
    use tripline_protocol::unit::Position;

    fn fix(s: i64, refused: Option<Refusal>) -> TrailEntry {
        TrailEntry::Fix(TrailFix {
            at: Timestamp::from_unix_ms(s * 1_000),
            position: Position::new(1, 2).expect("on the globe"),
            speed_cmps: None,
            course_ddeg: None,
            altitude_mm: None,
            fix_type: FixType::ThreeD,
            refused,
        })
    }

    const GAP: TrailEntry = TrailEntry::Gap { fixes: 7, reason: GapReason::Thinned };

    #[test]
    fn a_time_that_was_refused_says_nothing_of_when() {
        let entries = [fix(5, None), fix(-900, Some(Refusal::TimeJump)), GAP, fix(9, None)];
        let at = |s: i64| Timestamp::from_unix_ms(s * 1_000);
        assert_eq!(times(&entries), Some((at(5), at(9))));
        assert_eq!(times(&[GAP]), None);
    }

    #[test]
    fn no_run_is_longer_than_a_day() {
        let entries = (0..100).map(|hour| fix(hour * 3_600, None)).collect();
        let passage = Passage { epoch: JournalEpoch(1), after: Sequence(0), entries };
        let lengths: Vec<_> = folded([passage]).iter().map(Passage::records).collect();
        assert_eq!(lengths, [25, 25, 25, 25]);
    }

    proptest! {
        #[test]
        fn folding_loses_and_invents_nothing(
            lengths in proptest::collection::vec((1_usize..200, 0_u64..3), 1..30),
        ) {
            let (mut after, mut second, mut passages) = (Sequence(3), 0, Vec::new());
            for (length, hole) in lengths {
                after = after.plus(hole);
                let entry = |n: usize| {
                    let is_gap = n % 41 == 40;
                    if is_gap { GAP } else { fix(second + i64::try_from(n).expect("few"), None) }
                };
                let entries: Vec<_> = (0..length).map(entry).collect();
                second += 1_000;
                let passage = Passage { epoch: JournalEpoch(1), after, entries };
                after = passage.last();
                passages.push(passage);
            }
            let runs = folded(passages.clone());
            prop_assert!(runs.iter().all(|run| run.entries.len() <= TRAIL_ENTRIES_MAX));
            prop_assert_eq!(joined(runs), joined(passages));
        }
    }
}
