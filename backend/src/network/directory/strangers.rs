//! How often subscribers are looked up that were never met: anybody can sign as anybody, and each new name
//! is a question to the registry.

use tripline_protocol::unit::Timestamp;

/// Lookups of strangers a second, on average. A network has hundreds of subscribers, and each is a
/// stranger once.
const PER_S: i64 = 10;

/// Lookups of strangers at once: a gateway's search brings as many BAPs together.
const BURST: i64 = 50;

const INTERVAL_MS: i64 = 1_000 / PER_S;

/// A token bucket, kept as the time at which it is full again.
#[derive(Debug)]
pub(super) struct Allowance {
    full_at: Timestamp,
}

impl Allowance {
    /// A full one.
    pub(super) const fn new() -> Self {
        Self { full_at: Timestamp::from_unix_ms(0) }
    }

    /// Whether one more is within the rate; then it is counted.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        // Between full and empty, also after the clock was set.
        let missing_ms = self.full_at.since_ms(now).clamp(0, BURST * INTERVAL_MS);
        let granted = missing_ms + INTERVAL_MS <= BURST * INTERVAL_MS;
        let spent_ms = if granted { INTERVAL_MS } else { 0 };
        self.full_at = now.plus_ms(missing_ms + spent_ms);
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_then_the_average_and_a_clock_set_back_stops_nobody_for_long() {
        let mut allowance = Allowance::new();
        let now = Timestamp::from_unix_ms(1_800_000_000_000);
        let mut taken = |now: Timestamp| (0..1_000).filter(|_| allowance.take(now)).count();
        assert_eq!(taken(now), 50);
        assert_eq!(taken(now.plus_ms(1_000)), 10);
        let yesterday = now.plus_ms(-86_400_000);
        assert_eq!(taken(yesterday), 0);
        assert_eq!(taken(yesterday.plus_ms(1_000)), 10);
    }
}
