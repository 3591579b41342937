//! The time by which certificates are judged: boards without a clock chip boot in 1970.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tripline_protocol::unit::Timestamp;

/// The latest of the system clock and every moment that is known to have passed. Clones are one clock.
#[derive(Debug, Clone)]
pub struct Clock {
    floor: Timestamp,
    known_ms: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that is never before `floor`, a moment that has certainly passed.
    pub fn new(floor: Timestamp) -> Self {
        Self { floor, known_ms: Arc::new(AtomicI64::new(floor.unix_ms)) }
    }

    /// Tells it a moment that has passed.
    pub fn advance(&self, at: Timestamp) {
        self.known_ms.fetch_max(at.unix_ms, Ordering::Relaxed);
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        system().max(Timestamp::from_unix_ms(self.known_ms.load(Ordering::Relaxed)))
    }

    /// The system clock's word, unless it is known to be wrong. What the clock was told may be years
    /// ahead of it: a receiver whose weeks rolled over, or that believes a false sky.
    pub(crate) fn system(&self) -> Option<UnixTime> {
        Some(system()).filter(|system| *system >= self.floor).and_then(unix_time)
    }
}

fn system() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// As TLS has it; `None` before 1970.
pub(crate) fn unix_time(at: Timestamp) -> Option<UnixTime> {
    let ms = u64::try_from(at.unix_ms).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_millis(ms)))
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        unix_time(self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_3000: Timestamp = Timestamp::from_unix_ms(32_503_680_000_000);

    #[test]
    fn it_shows_the_system_clock_until_a_later_moment_is_known_and_then_that_one() {
        let clock = Clock::new(Timestamp::from_unix_ms(0));
        assert!(clock.now() < YEAR_3000);
        clock.clone().advance(YEAR_3000);
        clock.advance(Timestamp::from_unix_ms(5));
        assert_eq!(clock.now(), YEAR_3000);
    }

    #[test]
    fn the_system_clock_has_a_word_of_its_own_unless_it_is_before_the_floor() {
        let clock = Clock::new(Timestamp::from_unix_ms(0));
        clock.advance(YEAR_3000);
        assert!(clock.system() < unix_time(YEAR_3000));
        assert!(clock.system().is_some());
        assert_eq!(Clock::new(YEAR_3000).system(), None);
    }
}
