//! Whether GNSS time can be trusted: it must go on as the uptime does.
//!
//! A sentence damaged so that its checksum still holds, or a receiver that starts with a wrong date,
//! would otherwise carry the clock away, and with it offers, fares and every later fix. A time is
//! trusted once [`CONFIRMATIONS`] fixes in a row agree with each other, at the start and after a jump.

use tripline_protocol::unit::{Timestamp, Uptime};

/// How far GNSS time and uptime may drift apart from one fix to the next, in ms: the jitter of a
/// receiver, its line and a busy board.
pub const DISAGREEMENT_MS_MAX: u64 = 5_000;

/// Fixes in a row that must agree before their time is trusted.
pub const CONFIRMATIONS: u32 = 3;

/// What to make of a fix's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on from the trusted ones.
    Trusted,
    /// It was confirmed just now: a new beginning.
    Rebased,
    /// It stands alone so far.
    Alone,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Timestamp,
    uptime: Uptime,
}

impl Seen {
    fn agrees(&self, at: Timestamp, now: Uptime) -> bool {
        let by_gnss = at.since_ms(self.at);
        let by_uptime = i64::try_from(now.since_ms(self.uptime)).unwrap_or(i64::MAX);
        by_gnss.saturating_sub(by_uptime).unsigned_abs() <= DISAGREEMENT_MS_MAX
    }
}

/// The time base of one process.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeBase {
    trusted: Option<Seen>,
    candidate: Option<(Seen, u32)>,
}

impl TimeBase {
    /// A time base that trusts the first time it sees: for recordings, whose times carry no clock away.
    pub const fn trusting(at: Timestamp, now: Uptime) -> Self {
        Self { trusted: Some(Seen { at, uptime: now }), candidate: None }
    }

    /// Judges the time of a fix that came at `now`.
    pub fn judge(&mut self, at: Timestamp, now: Uptime) -> Verdict {
        let seen = Seen { at, uptime: now };
        if self.trusted.is_some_and(|trusted| trusted.agrees(at, now)) {
            self.trusted = Some(seen);
            self.candidate = None;
            return Verdict::Trusted;
        }
        let confirmations = match self.candidate {
            Some((candidate, count)) if candidate.agrees(at, now) => count + 1,
            Some(_) | None => 1,
        };
        if confirmations < CONFIRMATIONS {
            self.candidate = Some((seen, confirmations));
            return Verdict::Alone;
        }
        self.trusted = Some(seen);
        self.candidate = None;
        Verdict::Rebased
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(base: &mut TimeBase, at_s: i64, now_s: u64) -> Verdict {
        base.judge(Timestamp::from_unix_ms(at_s * 1000), Uptime::from_ms(now_s * 1000))
    }

    #[test]
    fn a_time_is_trusted_once_three_fixes_agree_and_a_lone_jump_never_is() {
        use Verdict::{Alone, Rebased, Trusted};
        let mut base = TimeBase::default();
        assert_eq!(judge(&mut base, 100, 0), Alone);
        assert_eq!(judge(&mut base, 101, 1), Alone);
        assert_eq!(judge(&mut base, 102, 2), Rebased);
        assert_eq!(judge(&mut base, 70_000, 3), Alone, "nineteen hours ahead");
        assert_eq!(judge(&mut base, 104, 4), Trusted);
        assert_eq!(judge(&mut base, 164, 64), Trusted, "after a gap");
    }

    #[test]
    fn a_receiver_that_corrects_its_date_is_followed_after_three_fixes_also_back() {
        use Verdict::{Alone, Rebased, Trusted};
        let mut base = TimeBase::default();
        for second in 0..5 {
            judge(&mut base, 9_000_000 + second, second.cast_unsigned());
        }
        assert_eq!(judge(&mut base, 500, 5), Alone);
        assert_eq!(judge(&mut base, 501, 6), Alone);
        assert_eq!(judge(&mut base, 502, 7), Rebased);
        assert_eq!(judge(&mut base, 503, 8), Trusted);
    }
}
