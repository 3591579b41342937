//! The two ambient clocks, read here and nowhere else.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tripline_protocol::unit::{Timestamp, Uptime};

/// A moment that has certainly passed: 2026-11-01T00:00:00Z. Boards without a clock chip boot in 1970.
pub const FLOOR: Timestamp = Timestamp::from_unix_ms(1_793_491_200_000);

/// Counts the process's uptime.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts at zero.
    #[expect(clippy::new_without_default, reason = "starting a watch is an act, not a default")]
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// The uptime.
    pub fn now(&self) -> Uptime {
        Uptime::from_ms(u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// The instant at which the uptime is `at`.
    pub fn instant(&self, at: Uptime) -> Instant {
        self.0 + Duration::from_millis(at.ms)
    }
}

/// The system clock.
pub fn system() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A day and time for people, in UTC.
pub fn date(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.unix_ms).map_or_else(
        |_| format!("{} ms after 1970", at.unix_ms),
        |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}
