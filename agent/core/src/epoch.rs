//! Epoch assembly: the sentences of one instant become one fix.
//!
//! A fix leaves as soon as RMC and GGA of one time have come, in either order, or, where one of them
//! is missing, when the next instant begins. RMC is needed for its date.

use crate::nmea::{Gga, Rmc, Sentence, TimeOfDay};
use crate::observation::Observation;

/// The assembler.
#[derive(Debug, Default)]
pub struct Assembler {
    pending: Option<Pending>,
    emitted: Option<TimeOfDay>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    time: TimeOfDay,
    rmc: Option<Rmc>,
    gga: Option<Gga>,
}

impl Assembler {
    /// Takes in a sentence; gives the fix it completes, if any.
    pub fn push(&mut self, sentence: Sentence) -> Option<Observation> {
        let time = match &sentence {
            Sentence::Rmc(rmc) => rmc.time,
            Sentence::Gga(gga) => gga.time,
        };
        let overdue = match self.pending {
            Some(pending) if pending.time != time => self.flush(),
            _ => None,
        };
        if self.emitted == Some(time) {
            return overdue; // a repetition of what has left already
        }
        let pending = self.pending.get_or_insert(Pending { time, rmc: None, gga: None });
        match sentence {
            Sentence::Rmc(rmc) => pending.rmc = Some(rmc),
            Sentence::Gga(gga) => pending.gga = Some(gga),
        }
        let complete = pending.rmc.is_some() && pending.gga.is_some();
        overdue.or_else(|| if complete { self.flush() } else { None })
    }

    /// Ends the pending epoch; gives its fix if it has a date and a position.
    fn flush(&mut self) -> Option<Observation> {
        let pending = self.pending.take()?;
        self.emitted = Some(pending.time);
        let rmc = pending.rmc?;
        let date = rmc.date?;
        let (position, fix_type) = match pending.gga {
            // Both must vouch for the position: a receiver that lost its fix says so in either first.
            Some(gga) => rmc.position.and(gga.fix)?,
            None => (rmc.position?, rmc.fix_type),
        };
        Some(Observation {
            at: Some(date.at(pending.time)),
            time_of_day: Some(pending.time),
            position,
            speed_mmps: rmc.speed_mmps,
            course_cdeg: rmc.course_cdeg,
            altitude_mm: pending.gga.and_then(|gga| gga.altitude_mm),
            satellites: pending.gga.and_then(|gga| gga.satellites),
            hdop_c: pending.gga.and_then(|gga| gga.hdop_c),
            accuracy_mm: None,
            fix_type,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    fn rmc(second: u32) -> String {
        format!("GPRMC,0000{second:02}.00,A,3725.58362,N,12205.61915,W,10.0,65.13,070220,,,A")
    }

    fn gga(second: u32) -> String {
        format!("GPGGA,0000{second:02}.00,3725.58362,N,12205.61915,W,1,12,0.76,4.4,M,-30.0,M,,")
    }

    fn seconds(sentences: &[String]) -> Vec<(i64, bool)> {
        let mut assembler = Assembler::default();
        sentences
            .iter()
            .filter_map(|text| assembler.push(Sentence::parse(text)?))
            .map(|fix| (fix.at.map_or(-1, |at| at.unix_ms / 1000 % 60), fix.altitude_mm.is_some()))
            .collect()
    }

    #[test]
    fn either_order_and_repetitions_make_one_fix() {
        let sentences = [rmc(1), gga(1), gga(2), rmc(2), rmc(2), gga(2), rmc(3), rmc(3), gga(3)];
        assert_eq!(seconds(&sentences), [(1, true), (2, true), (3, true)]);
    }

    #[test]
    fn a_missing_gga_delays_the_fix_and_a_missing_rmc_loses_it() {
        let sentences = [rmc(1), rmc(2), gga(2), gga(3), rmc(4), gga(4)];
        assert_eq!(seconds(&sentences), [(1, false), (2, true), (4, true)]);
    }

    #[test]
    fn no_fix_comes_out_while_either_sentence_warns() {
        let warned = rmc(1).replace(",A,3725", ",V,3725");
        assert_eq!(seconds(&[warned, gga(1)]), []);
        let without = gga(1).replace(",W,1,", ",W,0,");
        assert_eq!(seconds(&[rmc(1), without]), []);
    }
}
