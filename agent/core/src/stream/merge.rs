//! Where NMEA and NAV-PVT speak of one instant, one observation comes out: NAV-PVT's, which is finer,
//! with what only the sentences know.
//!
//! While NAV-PVT comes, an observation from sentences waits for its NAV-PVT and leaves alone only when
//! the next instant begins without one. A receiver that sends no NAV-PVT is never waited for.

use crate::calendar::{MS_PER_DAY, TimeOfDay};
use crate::observation::Observation;
use crate::ubx::Pvt;

/// How far the times of one instant may lie apart, in ms: sentences carry hundredths of a second.
const SAME_INSTANT_MS: i64 = 10;

/// Instants from sentences without a NAV-PVT before none is waited for any more.
const MISSED_MAX: u8 = 3;

/// The merger.
#[derive(Debug, Default)]
pub(super) struct Merge {
    /// The latest instant that NAV-PVT spoke of; `None` while it is not waited for.
    pvt: Option<TimeOfDay>,
    missed: u8,
    /// From sentences, waiting for its NAV-PVT.
    held: Option<Observation>,
    /// The last observation from sentences that left without a NAV-PVT.
    alone: Option<TimeOfDay>,
}

impl Merge {
    /// Takes in what the sentences of one instant said.
    pub(super) fn take_nmea(
        &mut self,
        observation: Observation,
        mut tell: impl FnMut(Observation),
    ) {
        let time = observation.time_of_day;
        let Some((pvt, time)) = self.pvt.zip(time) else {
            self.alone = time;
            return tell(observation);
        };
        let behind_ms = ms_between(time, pvt);
        if behind_ms.abs() <= SAME_INSTANT_MS {
            return; // told already
        }
        self.missed += 1;
        if self.missed > MISSED_MAX {
            self.pvt = None;
            self.flush(&mut tell);
            self.alone = Some(time);
            return tell(observation);
        }
        self.flush(&mut tell);
        // Sentences of an instant before the last NAV-PVT come late: their own was told.
        self.held = (behind_ms < 0).then_some(observation);
    }

    /// Takes in a NAV-PVT.
    pub(super) fn take_pvt(&mut self, pvt: &Pvt, mut tell: impl FnMut(Observation)) {
        let Some(time) = pvt.time_of_day else {
            pvt.observation.into_iter().for_each(tell);
            return;
        };
        let is_same = |other: TimeOfDay| ms_between(other, time).abs() <= SAME_INSTANT_MS;
        let repeated = [self.pvt, self.alone.take()].into_iter().flatten().any(is_same);
        self.pvt = Some(time);
        self.missed = 0;
        let same = self.held.take_if(|held| held.time_of_day.is_some_and(is_same));
        self.flush(&mut tell);
        if let Some(mut observation) = pvt.observation.filter(|_| !repeated) {
            observation.hdop_c = observation.hdop_c.or(same.and_then(|same| same.hdop_c));
            tell(observation);
        }
    }

    /// Nothing is waited for any longer.
    pub(super) fn flush(&mut self, mut tell: impl FnMut(Observation)) {
        if let Some(held) = self.held.take() {
            self.alone = held.time_of_day;
            tell(held);
        }
    }
}

/// From `earlier` to `later` on the shorter way around the clock, negative if they stand the other way.
fn ms_between(earlier: TimeOfDay, later: TimeOfDay) -> i64 {
    let ahead = (i64::from(later.ms) - i64::from(earlier.ms)).rem_euclid(MS_PER_DAY);
    if ahead > MS_PER_DAY / 2 { ahead - MS_PER_DAY } else { ahead }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use tripline_protocol::fix::FixType;
    use tripline_protocol::unit::Position;

    /// What one side says of a tenth of a second of the day; UBX alone knows the accuracy.
    fn observation(tenths: u32, from_ubx: bool) -> Observation {
        Observation {
            at: None,
            time_of_day: Some(TimeOfDay { ms: tenths * 100 }),
            position: Position::new(1, 2).expect("on the globe"),
            speed_mmps: None,
            course_cdeg: None,
            altitude_mm: None,
            satellites: None,
            hdop_c: (!from_ubx).then_some(90),
            accuracy_mm: from_ubx.then_some(500),
            fix_type: FixType::ThreeD,
        }
    }

    /// `n10` is the sentences of one second, `u10` its NAV-PVT, `x10` one without a position. What comes
    /// out is written likewise, `m` for NAV-PVT with the HDOP of the sentences.
    fn merged(inputs: &str) -> Vec<(char, u32)> {
        let mut merge = Merge::default();
        let mut out = Vec::new();
        let mut tell = |one: Observation| {
            let kind = match (one.accuracy_mm, one.hdop_c) {
                (Some(_), Some(_)) => 'm',
                (Some(_), None) => 'u',
                (None, _) => 'n',
            };
            out.push((kind, one.time_of_day.map_or(0, |time| time.ms / 100)));
        };
        for word in inputs.split(' ') {
            let (kind, tenths) = word.split_at(1);
            let tenths = tenths.parse().expect("tenths");
            if kind == "n" {
                merge.take_nmea(observation(tenths, false), &mut tell);
            } else {
                let said = observation(tenths, true);
                let observation = (kind == "u").then_some(said);
                let pvt = Pvt { itow_ms: 0, time_of_day: said.time_of_day, observation };
                merge.take_pvt(&pvt, &mut tell);
            }
        }
        merge.flush(&mut tell);
        out
    }

    #[test]
    fn of_one_instant_nav_pvt_is_told_with_the_hdop_of_the_sentences() {
        assert_eq!(merged("u10 n20 u20 n30 u30"), [('u', 10), ('m', 20), ('m', 30)]);
        assert_eq!(merged("u10 n10 u20 n20"), [('u', 10), ('u', 20)]);
        assert_eq!(merged("n10 u10 n20 u20"), [('n', 10), ('m', 20)]);
    }

    #[test]
    fn repetitions_are_told_once_and_late_sentences_not_again() {
        assert_eq!(merged("u10 u10 n10 n10 u20"), [('u', 10), ('u', 20)]);
        assert_eq!(merged("u10 u11 u12 n10 u13"), [('u', 10), ('u', 11), ('u', 12), ('u', 13)]);
    }

    #[test]
    fn sentences_stand_in_where_nav_pvt_is_missing_and_soon_without_waiting() {
        assert_eq!(merged("u10 n20 n30 u30"), [('u', 10), ('n', 20), ('m', 30)]);
        let mut merge = Merge::default();
        let mut told = 0;
        let said = observation(10, true);
        let pvt = Pvt { itow_ms: 0, time_of_day: said.time_of_day, observation: Some(said) };
        merge.take_pvt(&pvt, |_| told += 1);
        for second in 2..=9 {
            merge.take_nmea(observation(second * 10, false), |_| told += 1);
        }
        assert_eq!(told, 9, "the last one did not wait");
    }

    #[test]
    fn a_receiver_whose_nav_pvt_has_no_position_has_none() {
        assert_eq!(merged("u10 n20 x20 n30 u30"), [('u', 10), ('m', 30)]);
    }

    #[test]
    fn midnight_is_no_day_away() {
        assert_eq!(merged("u863999 n0 u0"), [('u', 863_999), ('m', 0)]);
    }
}
