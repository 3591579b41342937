//! When to read the serial line next: as seldom as the receiver's rhythm permits.
//!
//! A receiver speaks in bursts, one an epoch. Waking for every few bytes of a burst would cost more
//! than everything else the agent does, so the line is left to the kernel's buffer until a burst is
//! expected to be over. The rhythm is learned; while it is not known, the line is read at short
//! intervals.

use tripline_protocol::unit::Uptime;

/// Between two reads while the rhythm is not known, and while an expected burst is not over, in ms.
pub const SEEK_MS: u64 = 50;

/// A burst longer than this is not left to the kernel, whose buffer for a line holds 4096 bytes.
pub const BURST_LEN_MAX: usize = 2_500;

/// Two periods this close together are a rhythm, in ms.
const JITTER_MS_MAX: u64 = 2 * SEEK_MS + 10;

/// A rhythm is 10 Hz to one epoch in two seconds, in ms.
const PERIODS_MS: core::ops::RangeInclusive<u64> = 95..=2_100;

/// Each read that finds its burst over makes the next so much earlier, in ms: otherwise a burst that
/// moves forward would be read late for ever.
const CREEP_MS: u64 = 1;

/// The rhythm of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Listening {
    /// When the newest burst was over.
    over: Option<Uptime>,
    /// How long after the one before.
    period_ms: Option<u64>,
    /// The period, once two in a row agreed.
    rhythm_ms: Option<u64>,
    /// Bytes since the newest burst was over.
    len: usize,
}

impl Listening {
    /// Takes note of a read at `now` that gave `len` bytes, and says when to read next. `over` is
    /// whether it gave the end of an epoch: a position came out.
    pub fn handle_read(&mut self, len: usize, over: bool, now: Uptime) -> Uptime {
        self.len = self.len.saturating_add(len);
        if over {
            return self.handle_over(now);
        }
        let overdue = self
            .rhythm_ms
            .zip(self.over)
            .is_some_and(|(rhythm_ms, over)| now.since_ms(over) > rhythm_ms.saturating_mul(2));
        if overdue || self.len > BURST_LEN_MAX {
            *self = Self::default();
        }
        now.plus_ms(SEEK_MS)
    }

    fn handle_over(&mut self, now: Uptime) -> Uptime {
        let period_ms = self.over.map(|over| now.since_ms(over));
        let agreed = period_ms
            .zip(self.period_ms)
            .is_some_and(|(period_ms, before_ms)| period_ms.abs_diff(before_ms) <= JITTER_MS_MAX);
        // A rhythm that is known is kept at its first estimate's mean: reads follow it, and would
        // otherwise confirm themselves.
        self.rhythm_ms = match (agreed, self.rhythm_ms) {
            (true, known @ Some(_)) => known,
            (true, None) => period_ms.filter(|ms| PERIODS_MS.contains(ms)).map(round),
            (false, _) => None,
        };
        (self.over, self.period_ms) = (Some(now), period_ms);
        let short = core::mem::take(&mut self.len) <= BURST_LEN_MAX;
        match self.rhythm_ms.filter(|_| short) {
            Some(rhythm_ms) => now.plus_ms(rhythm_ms - CREEP_MS),
            None => now.plus_ms(SEEK_MS),
        }
    }
}

/// Receivers keep whole fractions of a second; what was measured carries the jitter of reading.
fn round(period_ms: u64) -> u64 {
    const STEP_MS: u64 = 100;
    ((period_ms + STEP_MS / 2) / STEP_MS * STEP_MS).max(STEP_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a receiver whose bursts of `len` bytes end at `ends(n)`; counts reads and the worst delay
    /// from a burst's end to the read that found it, after the rhythm had time to be learned.
    fn play(bursts: u64, len: usize, ends: impl Fn(u64) -> u64) -> (u64, u64) {
        let mut listening = Listening::default();
        let (mut now, mut reads, mut worst_ms, mut told) = (0, 0, 0, 0);
        while told < bursts {
            let ended = (0..bursts).take_while(|n| ends(*n) <= now).count() as u64;
            let over = ended > told;
            if over && told > 10 {
                worst_ms = worst_ms.max(now - ends(told));
            }
            reads += u64::from(told > 10);
            let bytes = if over { len } else { 0 };
            told = ended;
            now = listening.handle_read(bytes, over, Uptime::from_ms(now)).ms;
        }
        (reads, worst_ms)
    }

    #[test]
    fn a_steady_receiver_is_read_little_more_than_once_a_burst_and_without_delay() {
        let (reads, worst_ms) = play(1_010, 1_700, |n| 333 + n * 1_000);
        assert!(reads < 1_150, "{reads} reads for 1000 bursts");
        assert!(worst_ms <= SEEK_MS, "{worst_ms}");
        let (reads, worst_ms) = play(1_010, 400, |n| 33 + n * 100);
        assert!(reads < 1_150, "{reads} reads for 1000 bursts");
        assert!(worst_ms <= SEEK_MS, "{worst_ms}");
    }

    #[test]
    fn a_receiver_whose_bursts_wander_is_followed() {
        let (reads, worst_ms) = play(1_010, 1_700, |n| 333 + n * 1_000 + (n * 37) % 30);
        assert!(reads < 2_100, "{reads} reads for 1000 bursts");
        assert!(worst_ms <= 30 + SEEK_MS, "{worst_ms}");
        let earlier = |n: u64| 100_000 + n * 1_000 - n.min(900) * 100 / 90;
        let (_, worst_ms) = play(1_010, 1_700, earlier);
        assert!(worst_ms <= 4 * SEEK_MS, "{worst_ms}");
    }

    #[test]
    fn a_long_burst_or_silence_is_read_at_short_intervals() {
        let mut listening = Listening::default();
        for n in 0..20 {
            listening.handle_read(3_000, true, Uptime::from_ms(n * 1_000));
        }
        let next = listening.handle_read(3_000, true, Uptime::from_ms(20_000));
        assert_eq!(next.ms, 20_000 + SEEK_MS);
        let mut listening = Listening::default();
        for n in 0..20 {
            listening.handle_read(1_000, true, Uptime::from_ms(n * 1_000));
        }
        let next = listening.handle_read(0, false, Uptime::from_ms(25_000));
        assert_eq!(next.ms, 25_000 + SEEK_MS);
        assert_eq!(listening, Listening::default(), "the rhythm is learned anew");
    }
}
