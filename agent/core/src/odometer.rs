//! The gate and the odometer: which fixes count, and how far the vehicle went.

use serde::{Deserialize, Serialize};
use tripline_protocol::fix::{Fix, FixStamp, FixType, Refusal};
use tripline_protocol::unit::Odometer;

use crate::geodesy::distance_mm;
use crate::timebase::Verdict;

/// HDOP times 100 above which a fix does not count.
pub const HDOP_C_MAX: u16 = 1_000;

/// Speed between two fixes above which the later one is a jump, in mm/s (252 km/h).
pub const SPEED_MMPS_MAX: u64 = 70_000;

/// Doppler speed below which the vehicle stands, in mm/s.
pub const STANDING_SPEED_MMPS_MAX: u32 = 500;

/// While the vehicle stands by its Doppler speed, wandering up to this far from where it stopped is
/// the receiver's noise, in mm.
pub const STANDING_RADIUS_MM: u64 = 25_000;

/// The same for receivers that report no speed, where position is all there is, in mm.
pub const STANDING_RADIUS_WITHOUT_SPEED_MM: u64 = 10_000;

/// The gate and odometer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OdometerGate {
    total: Odometer,
    /// The last fix that counted: what the next is checked against.
    last: Option<FixStamp>,
    /// Where the distance was last counted to; it stays put while the vehicle stands.
    anchor: Option<FixStamp>,
}

impl OdometerGate {
    /// The odometer.
    pub const fn total(&self) -> Odometer {
        self.total
    }

    /// The last fix that counted.
    pub const fn last(&self) -> Option<FixStamp> {
        self.last
    }

    /// Judges a fix: marks it if it is refused, and says what the odometer shows after it.
    ///
    /// Changes nothing: the outcome is journalled first and comes back through [`Self::apply`].
    pub fn judge(&self, mut fix: Fix, time: Verdict) -> (Fix, Odometer) {
        fix.refused = match time {
            Verdict::Alone => Some(Refusal::TimeJump),
            Verdict::Trusted | Verdict::Rebased => self.refusal(&fix, time),
        };
        let step_mm = match (fix.refused, self.anchor) {
            // Times before and after cannot be compared, so no speed vouches for the way between.
            (None, Some(anchor)) if fix.at <= anchor.at => 0,
            (None, Some(anchor)) => {
                let mm = distance_mm(anchor.position, fix.position);
                if is_standing(&fix, mm) { 0 } else { mm }
            }
            _ => 0,
        };
        (fix, Odometer { mm: self.total.mm.saturating_add(step_mm) })
    }

    /// Takes over a judged fix and the odometer after it, new or read back from the journal.
    pub fn apply(&mut self, fix: &Fix, total: Odometer) {
        if fix.refused.is_some() {
            return;
        }
        let time_went_back = self.last.is_some_and(|last| fix.at <= last.at);
        if total > self.total || self.anchor.is_none() || time_went_back {
            self.anchor = Some(fix.into());
        }
        self.total = self.total.max(total);
        self.last = Some(fix.into());
    }

    /// Takes over what an event says of the odometer and its last fix. It says more than the fixes do
    /// where those before it were lost.
    pub fn raise(&mut self, total: Odometer, fix: Option<FixStamp>) {
        if total > self.total {
            self.total = total;
            self.anchor = fix.or(self.anchor);
            self.last = fix.or(self.last);
        }
    }

    fn refusal(&self, fix: &Fix, time: Verdict) -> Option<Refusal> {
        if fix.fix_type == FixType::Estimated {
            return Some(Refusal::Estimated);
        }
        if fix.hdop_c.is_some_and(|hdop_c| hdop_c > HDOP_C_MAX) {
            return Some(Refusal::PoorGeometry);
        }
        let last = self.last?;
        let elapsed_ms = fix.at.since_ms(last.at);
        let Some(elapsed_ms) = u64::try_from(elapsed_ms).ok().filter(|ms| *ms > 0) else {
            // A time base that was confirmed anew may lie before the old one.
            return (time == Verdict::Trusted).then_some(Refusal::OutOfOrder);
        };
        // Written as a product, since the quotient would round a short step's speed to nothing.
        let reach_mm = SPEED_MMPS_MAX.saturating_mul(elapsed_ms) / 1000;
        (distance_mm(last.position, fix.position) > reach_mm).then_some(Refusal::Jump)
    }
}

fn is_standing(fix: &Fix, from_anchor_mm: u64) -> bool {
    match fix.speed_mmps {
        Some(speed_mmps) => {
            speed_mmps < STANDING_SPEED_MMPS_MAX && from_anchor_mm < STANDING_RADIUS_MM
        }
        None => from_anchor_mm < STANDING_RADIUS_WITHOUT_SPEED_MM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tripline_protocol::unit::{Position, Timestamp};

    fn fix(second: i64, north_m: i32, speed_mmps: Option<u32>) -> Fix {
        Fix {
            at: Timestamp::from_unix_ms(second * 1000),
            // At the equator a metre north is 90.4 units of 1e-7 degree.
            position: Position::new(north_m * 904 / 10, 0).expect("on the globe"),
            speed_mmps,
            course_cdeg: None,
            altitude_mm: None,
            satellites: None,
            hdop_c: Some(80),
            accuracy_mm: None,
            fix_type: FixType::ThreeD,
            refused: None,
        }
    }

    fn drive(fixes: &[Fix]) -> (OdometerGate, alloc::vec::Vec<Option<Refusal>>) {
        let mut gate = OdometerGate::default();
        let refusals = fixes
            .iter()
            .map(|fix| {
                let (judged, total) = gate.judge(*fix, Verdict::Trusted);
                gate.apply(&judged, total);
                judged.refused
            })
            .collect();
        (gate, refusals)
    }

    #[test]
    fn a_jump_and_the_way_back_count_nothing() {
        let fixes = [
            fix(0, 0, Some(10_000)),
            fix(1, 10, Some(10_000)),
            fix(2, 2_000, Some(10_000)),
            fix(3, 30, Some(10_000)),
        ];
        let (gate, refusals) = drive(&fixes);
        assert_eq!(refusals, [None, None, Some(Refusal::Jump), None]);
        assert!((29_900..30_100).contains(&gate.total().mm), "{:?}", gate.total());
    }

    #[test]
    fn a_time_that_stands_alone_is_refused_and_one_confirmed_before_the_last_begins_anew() {
        let (mut gate, _) = drive(&[fix(1_000, 0, Some(10_000)), fix(1_001, 10, Some(10_000))]);
        let before = gate.total();
        let (judged, total) = gate.judge(fix(90_000, 20, Some(10_000)), Verdict::Alone);
        gate.apply(&judged, total);
        assert_eq!((judged.refused, gate.total()), (Some(Refusal::TimeJump), before));
        for (second, metres, verdict) in [(5, 500, Verdict::Rebased), (6, 510, Verdict::Trusted)] {
            let (judged, total) = gate.judge(fix(second, metres, Some(10_000)), verdict);
            assert_eq!(judged.refused, None);
            gate.apply(&judged, total);
        }
        let counted_mm = gate.total().mm - before.mm;
        assert!(
            (9_900..10_100).contains(&counted_mm),
            "the way between is not counted: {counted_mm}"
        );
    }

    #[test]
    fn wandering_while_standing_counts_nothing_and_the_way_on_counts_whole() {
        let fixes = [
            fix(0, 0, Some(5_000)),
            fix(1, 3, Some(100)),
            fix(2, -4, Some(100)),
            fix(3, 5, Some(0)),
            fix(8, 100, Some(30_000)),
        ];
        let (gate, _) = drive(&fixes);
        assert!((99_500..100_500).contains(&gate.total().mm), "{:?}", gate.total());
        let without_speed = [fix(0, 0, None), fix(1, 4, None), fix(2, -4, None), fix(3, 20, None)];
        let (gate, _) = drive(&without_speed);
        assert!((19_900..20_100).contains(&gate.total().mm), "{:?}", gate.total());
    }

    #[test]
    fn estimated_poor_and_late_fixes_are_refused_by_name() {
        let estimated = Fix { fix_type: FixType::Estimated, ..fix(1, 0, None) };
        let poor = Fix { hdop_c: Some(1_001), ..fix(2, 0, None) };
        let (_, refusals) = drive(&[fix(0, 0, None), estimated, poor, fix(0, 50, None)]);
        let expected = [Refusal::Estimated, Refusal::PoorGeometry, Refusal::OutOfOrder];
        assert_eq!(refusals[1..], expected.map(Some));
    }
}
