//! Thinning a stretch of the trail: some fixes stay, the others become gaps that say so.

use tripline_protocol::id::Sequence;
use tripline_protocol::link::trail::GapReason;

use crate::record::Record;

/// Of so many fixes one is kept; the first and the last always are.
pub const KEPT_ONE_OF: u64 = 8;

/// Thins the trail records it is given in order.
#[derive(Debug)]
pub struct Thinner {
    reached: Sequence,
    seen: u64,
    held: Option<Record>,
}

impl Thinner {
    /// A thinner for what follows `after`.
    pub const fn new(after: Sequence) -> Self {
        Self { reached: after, seen: 0, held: None }
    }

    /// Takes in the next record; hands what is kept to `keep`.
    pub fn push(&mut self, record: Record, keep: &mut impl FnMut(Record)) {
        if !matches!(record, Record::Fix { .. }) {
            return; // A gap shows as a hole, as what is dropped here does.
        }
        if self.seen.is_multiple_of(KEPT_ONE_OF) {
            self.keep(record, keep);
            self.held = None;
        } else {
            self.held = Some(record);
        }
        self.seen += 1;
    }

    /// Ends the stretch at `through`, which is covered by a fix or a gap.
    pub fn finish(mut self, through: Sequence, keep: &mut impl FnMut(Record)) {
        if let Some(last) = self.held.take() {
            self.keep(last, keep);
        }
        self.gap(through, keep);
    }

    fn keep(&mut self, record: Record, keep: &mut impl FnMut(Record)) {
        let Some((_, sequence)) = record.position().filter(|(_, at)| *at > self.reached) else {
            return;
        };
        self.gap(Sequence(sequence.0 - 1), keep);
        self.reached = sequence;
        keep(record);
    }

    fn gap(&mut self, through: Sequence, keep: &mut impl FnMut(Record)) {
        let fixes = through.since(self.reached);
        if fixes > 0 {
            self.reached = through;
            keep(Record::Gap { through, fixes, reason: GapReason::Thinned });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use tripline_protocol::fix::{Fix, FixType};
    use tripline_protocol::meter::Reading;
    use tripline_protocol::unit::{Position, Timestamp};

    fn fix(sequence: u64) -> Record {
        let fix = Fix {
            at: Timestamp::from_unix_ms(0),
            position: Position::new(0, 0).expect("on the globe"),
            speed_mmps: None,
            course_cdeg: None,
            altitude_mm: None,
            satellites: None,
            hdop_c: None,
            accuracy_mm: None,
            fix_type: FixType::ThreeD,
            refused: None,
        };
        Record::Fix { sequence: Sequence(sequence), fix, reading: Reading::default() }
    }

    fn thinned(after: u64, records: &[Record], through: u64) -> Vec<(u64, Option<u64>)> {
        let mut kept = Vec::new();
        let mut keep = |record: Record| {
            let fixes = if let Record::Gap { fixes, .. } = record { Some(fixes) } else { None };
            kept.push((record.position().expect("of the trail").1.0, fixes));
        };
        let mut thinner = Thinner::new(Sequence(after));
        for record in records {
            thinner.push(record.clone(), &mut keep);
        }
        thinner.finish(Sequence(through), &mut keep);
        kept
    }

    #[test]
    fn one_fix_of_eight_and_the_last_stay_and_gaps_cover_the_rest() {
        let records: Vec<Record> = (11..=30).map(fix).collect();
        let expected = [
            (11, None),
            (18, Some(7)),
            (19, None),
            (26, Some(7)),
            (27, None),
            (29, Some(2)),
            (30, None),
            (32, Some(2)),
        ];
        assert_eq!(thinned(10, &records, 32), expected);
        assert_eq!(thinned(10, &[], 12), [(12, Some(2))]);
    }

    #[test]
    fn what_was_thinned_before_is_thinned_on() {
        let gap = Record::Gap { through: Sequence(9), fixes: 8, reason: GapReason::Thinned };
        let records = [fix(1), gap, fix(10), fix(11)];
        assert_eq!(thinned(0, &records, 11), [(1, None), (10, Some(9)), (11, None)]);
    }
}
