//! Latencies counted in fixed buckets, each at most five percent wide.
//!
//! Ten thousand vehicles give millions of them: each costs one addition, and a quantile is at most five
//! percent too high, never too low.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

/// Buckets: what is shorter than 20 µs is counted by the microsecond, and the last bound is beyond ten
/// minutes.
const BUCKETS: usize = 400;

/// The longest of each bucket, in µs.
const BOUNDS_US: [u64; BUCKETS] = bounds();

const fn bounds() -> [u64; BUCKETS] {
    let mut bounds = [0; BUCKETS];
    let (mut at, mut bound) = (0, 0_u64);
    while at < BUCKETS {
        let wider = bound / 20;
        bound += if wider == 0 { 1 } else { wider };
        bounds[at] = bound;
        at += 1;
    }
    bounds
}

/// How often each latency was seen.
#[derive(Debug)]
pub struct Histogram {
    counts: [AtomicU64; BUCKETS],
    max_us: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: std::array::from_fn(|_| AtomicU64::new(0)), max_us: AtomicU64::new(0) }
    }
}

/// What a histogram says, in ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many were counted.
    pub count: u64,
    /// Half are no longer.
    pub p50_ms: f64,
    /// Nine in ten are no longer.
    pub p90_ms: f64,
    /// Ninety-nine in a hundred are no longer.
    pub p99_ms: f64,
    /// The longest, exactly.
    pub max_ms: f64,
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, p50_ms, p90_ms, p99_ms, max_ms } = self;
        write!(f, "p50 {p50_ms:.1} ms, p90 {p90_ms:.1} ms, p99 {p99_ms:.1} ms, ")?;
        write!(f, "at most {max_ms:.1} ms ({count})")
    }
}

impl Histogram {
    /// Counts one, in µs; what is beyond the last bucket is counted there.
    pub fn count(&self, us: u64) {
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us).min(BUCKETS - 1);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
        self.max_us.fetch_max(us, Relaxed);
    }

    /// What it says so far.
    pub fn quantiles(&self) -> Quantiles {
        let counts = self.counts.each_ref().map(|count| count.load(Relaxed));
        let max_us = self.max_us.load(Relaxed);
        let total = counts.iter().sum();
        let quantile = |percent: u64| ms(quantile_us(&counts, total, percent).min(max_us));
        Quantiles {
            count: total,
            p50_ms: quantile(50),
            p90_ms: quantile(90),
            p99_ms: quantile(99),
            max_ms: ms(max_us),
        }
    }
}

/// The bound that so many percent do not exceed.
fn quantile_us(counts: &[u64], total: u64, percent: u64) -> u64 {
    let wanted = (total * percent).div_ceil(100);
    let mut seen = 0;
    let reached = counts.iter().zip(BOUNDS_US).find(|(count, _)| {
        seen += **count;
        seen >= wanted
    });
    reached.map_or(u64::MAX, |(_, bound)| bound)
}

#[expect(clippy::cast_precision_loss, reason = "latencies are far below 2^52 µs")]
fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bucket_is_wider_than_five_percent_and_together_they_reach_beyond_ten_minutes() {
        for (bound, next) in BOUNDS_US.iter().zip(BOUNDS_US.iter().skip(1)) {
            assert!(next - bound == 1 || (next - bound) * 20 <= *bound, "{bound} to {next}");
        }
        assert!(BOUNDS_US.last().is_some_and(|last| *last > 600_000_000), "{BOUNDS_US:?}");
    }

    #[test]
    fn quantiles_are_never_too_low_and_at_most_five_percent_too_high() {
        let histogram = Histogram::default();
        (1..=10_000).for_each(|n| histogram.count(n * 100));
        let Quantiles { count, p50_ms, p90_ms, p99_ms, max_ms } = histogram.quantiles();
        assert_eq!((count, max_ms), (10_000, 1_000.0));
        for (found, exact) in [(p50_ms, 500.0), (p90_ms, 900.0), (p99_ms, 990.0)] {
            assert!((exact..=exact * 1.05).contains(&found), "{found} for {exact}");
        }
    }

    #[test]
    fn what_is_beyond_every_bucket_is_not_lost_and_nothing_gives_zeros() {
        assert_eq!(Histogram::default().quantiles(), Quantiles::default());
        let histogram = Histogram::default();
        histogram.count(u64::MAX / 2);
        assert_eq!(histogram.quantiles().count, 1);
    }
}
