//! When each epoch is sent, and with which date: the whole schedule of a drive, without a clock.
//!
//! Offsets are absolute from the first epoch sent, so nothing drifts; a gap in the trace is a gap in
//! the schedule.

use crate::redate::redate;
use crate::trace::{Epoch, Trace};

/// One epoch, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burst {
    /// When to begin, since the first epoch sent.
    pub after_ms: i64,
    /// Until the next epoch begins; `None` for the last one.
    pub until_next_ms: Option<i64>,
    /// How far into the recording this is.
    pub position_ms: i64,
    /// The lines, re-dated, each with its terminator.
    pub lines: Vec<Vec<u8>>,
}

/// The drive as an iterator of [`Burst`]s, endless if it loops.
#[derive(Debug, Clone)]
pub struct Playback {
    trace: Trace,
    /// What is added to the trace's times; `None` leaves every sentence as it was recorded.
    shift_ms: Option<i64>,
    /// How long one pass lasts until the next begins; `None` plays once.
    period_ms: Option<i64>,
    index: usize,
    /// How long the passes before this one lasted.
    passed_ms: i64,
}

impl Playback {
    /// Plays `trace` once, or over and over. A later pass goes on from the date of the one before it,
    /// one to two seconds after its last epoch and on the same part of a second.
    pub fn new(trace: Trace, shift_ms: Option<i64>, looped: bool) -> Self {
        let length_ms = trace.last_unix_ms() - trace.first_unix_ms();
        let period_ms = looped.then_some(length_ms - length_ms % 1000 + 1000);
        Self { trace, shift_ms, period_ms, index: 0, passed_ms: 0 }
    }

    /// What is played.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    fn after_ms(&self, epoch: &Epoch) -> i64 {
        epoch.unix_ms - self.trace.first_unix_ms()
    }

    fn redated(&self, epoch: &Epoch) -> Vec<Vec<u8>> {
        let Some(shift_ms) = self.shift_ms else { return epoch.lines.clone() };
        let shift_ms = shift_ms + self.passed_ms;
        epoch.lines.iter().map(|line| redate(line, epoch.unix_ms, shift_ms)).collect()
    }
}

impl Iterator for Playback {
    type Item = Burst;

    fn next(&mut self) -> Option<Burst> {
        if self.index == self.trace.epoch_count() {
            self.passed_ms += self.period_ms?;
            self.index = 0;
        }
        let epoch = self.trace.epoch(self.index)?;
        self.index += 1;
        let next_after_ms = match self.trace.epoch(self.index) {
            Some(next) => Some(self.after_ms(next)),
            None => self.period_ms,
        };
        let after_ms = self.after_ms(epoch);
        Some(Burst {
            after_ms: self.passed_ms + after_ms,
            until_next_ms: next_after_ms.map(|next_ms| next_ms - after_ms),
            position_ms: self.trace.position_ms(epoch.unix_ms),
            lines: self.redated(epoch),
        })
    }
}

/// The first whole second at or after a moment: when a drive that is to happen today begins.
pub fn next_whole_second_ms(now_unix_us: i64) -> i64 {
    -(-now_unix_us).div_euclid(1_000_000) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentence::Sentence;

    fn trace() -> Trace {
        let epoch = |time: &str| Sentence::new(["GPGGA", time]).to_line();
        let log = ["120000.50", "120001.50", "120040.70"].map(epoch).concat();
        Trace::parse(&log).expect("a log")
    }

    fn times(bursts: &[Burst]) -> Vec<String> {
        let time = |burst: &Burst| Sentence::parse(&burst.lines[0]).map(|s| s.field(1).to_owned());
        bursts.iter().filter_map(time).collect()
    }

    #[test]
    fn epochs_keep_their_distances_and_move_together() {
        let bursts: Vec<_> = Playback::new(trace(), Some(500), false).collect();
        assert_eq!(bursts.iter().map(|b| b.after_ms).collect::<Vec<_>>(), [0, 1_000, 40_200]);
        assert_eq!(
            bursts.iter().map(|b| b.until_next_ms).collect::<Vec<_>>(),
            [Some(1_000), Some(39_200), None]
        );
        assert_eq!(times(&bursts), ["120001.00", "120002.00", "120041.20"]);
    }

    #[test]
    fn a_loop_goes_on_in_time() {
        let bursts: Vec<_> = Playback::new(trace(), Some(0), true).take(5).collect();
        assert_eq!(bursts[2].until_next_ms, Some(800));
        assert_eq!(bursts[3].after_ms, 41_000);
        assert_eq!(bursts[3].position_ms, 0);
        assert_eq!(times(&bursts)[3..], ["120041.50", "120042.50"]);
    }

    #[test]
    fn original_time_keeps_every_byte_in_every_pass() {
        let recorded = trace();
        for (index, burst) in Playback::new(recorded.clone(), None, true).take(6).enumerate() {
            assert_eq!(Some(&burst.lines), recorded.epoch(index % 3).map(|epoch| &epoch.lines));
        }
    }

    #[test]
    fn a_drive_begins_on_a_whole_second() {
        assert_eq!(next_whole_second_ms(5_000_000), 5_000);
        assert_eq!(next_whole_second_ms(5_000_001), 6_000);
    }
}
