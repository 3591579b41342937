//! What a device sends that cannot be used: counted, told in the log now and then, and in the end too
//! much. Pure: time is an argument.

use std::time::{Duration, Instant};

/// So many messages that cannot be read, or filters that are refused, and a connection ends. An honest
/// device has none; one of another version must not flood the log either.
pub(super) const OFFENCES_MAX: u32 = 256;

/// Shortest time between two lines of the log about one connection.
const LINE_EVERY: Duration = Duration::from_mins(1);

/// The offences of one connection.
#[derive(Debug, Default)]
pub(super) struct Offences {
    count: u32,
    untold: u32,
    told_at: Option<Instant>,
}

impl Offences {
    /// One more. If a line of the log is due, gives how many it has to tell of.
    pub(super) fn note(&mut self, now: Instant) -> Option<u32> {
        self.count = self.count.saturating_add(1);
        self.untold += 1;
        if self.told_at.is_some_and(|at| now.duration_since(at) < LINE_EVERY) {
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.untold))
    }

    /// Whether the connection has to end.
    pub(super) const fn are_too_many(&self) -> bool {
        self.count >= OFFENCES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_told_once_a_minute_with_their_count_and_are_too_many_in_the_end() {
        let (mut offences, start) = (Offences::default(), Instant::now());
        assert_eq!(offences.note(start), Some(1));
        let in_a_minute = (1..=99).filter_map(|n| {
            assert!(!offences.are_too_many());
            offences.note(start + Duration::from_millis(600 * n))
        });
        assert_eq!(in_a_minute.count(), 0);
        assert_eq!(offences.note(start + LINE_EVERY), Some(100));
        while !offences.are_too_many() {
            offences.note(start + LINE_EVERY);
        }
        assert_eq!(offences.count, OFFENCES_MAX);
    }
}
