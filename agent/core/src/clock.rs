//! The agent's three times, and the rules that keep them apart.
//!
//! `Uptime` comes from the shell and never jumps. From it and from GNSS time this clock makes the
//! `Timestamp` of facts, and `Steady`, the durations' clock. The system clock is asked once, at start,
//! and only until the first fix: boards without a clock chip boot in 1970.

use tripline_protocol::unit::{Steady, Timestamp, Uptime};

/// Longest absence that is taken for one, in ms: six hours. Beyond it a clock is wrong or nobody rode,
/// and it counts as zero.
pub const ABSENCE_MS_MAX: u64 = 6 * 3_600_000;

/// The last moment the journal knows of, with both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastKnown {
    /// GNSS time of the last journalled fix, or the time of the last event where there was none.
    pub at: Timestamp,
    /// The steady clock at it.
    pub steady: Steady,
    /// Whether `at` is GNSS time.
    pub from_gnss: bool,
}

/// The clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    anchor_uptime: Uptime,
    anchor_at: Timestamp,
    gnss: bool,
    started: Uptime,
    steady_at_start: Steady,
    before: Option<LastKnown>,
}

impl Clock {
    /// A clock for a process that starts at `now`. Facts are dated from the latest of the system
    /// clock, `floor` (the build date) and the last known time until GNSS time comes.
    pub fn new(
        system: Timestamp,
        floor: Timestamp,
        before: Option<LastKnown>,
        now: Uptime,
    ) -> Self {
        let known = before.map_or(floor, |before| before.at.max(floor));
        Self {
            anchor_uptime: now,
            anchor_at: system.max(known),
            gnss: false,
            started: now,
            steady_at_start: before.map_or(Steady::default(), |before| before.steady),
            before,
        }
    }

    /// The time of a fact that happens now.
    pub fn at(&self, now: Uptime) -> Timestamp {
        let since_ms = now.since_ms(self.anchor_uptime);
        self.anchor_at.plus_ms(i64::try_from(since_ms).unwrap_or(i64::MAX))
    }

    /// The steady clock.
    pub fn steady(&self, now: Uptime) -> Steady {
        Steady { ms: self.steady_at_start.ms.saturating_add(now.since_ms(self.started)) }
    }

    /// Whether `at` is GNSS time.
    pub const fn has_gnss(&self) -> bool {
        self.gnss
    }

    /// Takes over GNSS time.
    ///
    /// The first one after a start also tells how long the agent was not running: from GNSS time to
    /// GNSS time, so that no wrong system clock enters a duration. Until then, and where there was
    /// no GNSS time before, that time counts as zero, in the rider's favour.
    pub fn discipline(&mut self, gnss: Timestamp, now: Uptime) {
        if let Some(before) = self.before.take().filter(|before| before.from_gnss) {
            let running = self.steady(now).since_ms(before.steady);
            let passed = u64::try_from(gnss.since_ms(before.at)).unwrap_or(0);
            let absent_ms = passed.saturating_sub(running);
            let absent_ms = if absent_ms > ABSENCE_MS_MAX { 0 } else { absent_ms };
            self.steady_at_start.ms = self.steady_at_start.ms.saturating_add(absent_ms);
        }
        self.anchor_uptime = now;
        self.anchor_at = gnss;
        self.gnss = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(s: i64) -> Timestamp {
        Timestamp::from_unix_ms(s * 1000)
    }

    const fn up(s: u64) -> Uptime {
        Uptime::from_ms(s * 1000)
    }

    fn before(at_s: i64, steady_s: u64, from_gnss: bool) -> LastKnown {
        LastKnown { at: at(at_s), steady: Steady { ms: steady_s * 1000 }, from_gnss }
    }

    #[test]
    fn a_board_that_boots_in_1970_dates_facts_from_what_it_knows() {
        let clock = Clock::new(at(5), at(1_000), Some(before(2_000, 50, true)), up(3));
        assert_eq!(clock.at(up(4)), at(2_001));
        assert!(!clock.has_gnss());
    }

    #[test]
    fn absence_is_measured_from_gnss_time_to_gnss_time() {
        // The system clock is a year off: it must not matter.
        let mut clock = Clock::new(at(31_000_000), at(0), Some(before(2_000, 50, true)), up(0));
        assert_eq!(clock.steady(up(7)), Steady { ms: 57_000 });
        clock.discipline(at(2_030), up(10));
        assert_eq!(clock.steady(up(10)), Steady { ms: 80_000 }, "20 s absent, 10 s running");
        clock.discipline(at(9_999), up(11));
        assert_eq!(clock.steady(up(11)), Steady { ms: 81_000 }, "a later jump moves nothing");
        assert_eq!(clock.at(up(12)), at(10_000));
    }

    #[test]
    fn without_gnss_time_before_or_with_one_that_goes_back_absence_counts_as_nothing() {
        let mut clock = Clock::new(at(9_000), at(0), Some(before(2_000, 50, false)), up(0));
        clock.discipline(at(9_000), up(1));
        assert_eq!(clock.steady(up(1)), Steady { ms: 51_000 });
        let mut clock = Clock::new(at(9_000), at(0), Some(before(2_000, 50, true)), up(0));
        clock.discipline(at(2_000 + 7 * 3_600), up(1));
        assert_eq!(clock.steady(up(1)), Steady { ms: 51_000 }, "more than six hours");
        let mut clock = Clock::new(at(9_000), at(0), Some(before(2_000, 50, true)), up(0));
        clock.discipline(at(1_000), up(1));
        assert_eq!(clock.steady(up(1)), Steady { ms: 51_000 });
    }
}
