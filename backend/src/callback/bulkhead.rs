//! How many callbacks may be under way to one subscriber, so that none takes the room of the others.

use tripline_protocol::unit::Timestamp;

use super::breaker::{Admission, Breaker};
use super::post::Health;
use crate::chance;

/// Callbacks under way to one subscriber: enough for one that takes 200 ms for each to be told 150 a second,
/// and an eighth of what may be under way to all.
pub(super) const PER_SUBSCRIBER_MAX: usize = 32;

/// The same to a subscriber of which nothing is known. One that takes nothing holds no more for the time of
/// an attempt.
const AT_FIRST: usize = 4;

/// What is under way to a subscriber, and how it fares.
#[derive(Debug)]
pub(super) struct Bulkhead {
    breaker: Breaker,
    allowance: usize,
    in_flight: usize,
}

impl Default for Bulkhead {
    fn default() -> Self {
        Self { breaker: Breaker::default(), allowance: AT_FIRST, in_flight: 0 }
    }
}

impl Bulkhead {
    /// How many callbacks may begin now.
    pub(super) fn room(&self, now: Timestamp) -> usize {
        let room = self.allowance.saturating_sub(self.in_flight);
        match self.breaker.admits(now) {
            Admission::All => room,
            Admission::Probe => room.min(1),
            Admission::Nothing => 0,
        }
    }

    /// When there may be room, if it is not the end of an attempt that makes some.
    pub(super) fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.breaker.opens_at().filter(|at| *at > now)
    }

    /// Whether nothing but a probe is sent.
    pub(super) const fn is_open(&self) -> bool {
        self.breaker.is_open()
    }

    /// Whether nothing would be lost if it were made anew.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.breaker.is_fresh()
    }

    /// An attempt begins.
    pub(super) fn begun(&mut self) {
        self.in_flight += 1;
        self.breaker.begun();
    }

    /// An attempt is over. What was taken makes room for one more, so that the room doubles with each time
    /// it is used; what was not leaves room for one.
    pub(super) fn ended(&mut self, now: Timestamp, health: Health, retry_ms_max: u64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match health {
            Health::Well => {
                self.allowance = (self.allowance + 1).min(PER_SUBSCRIBER_MAX);
                self.breaker.answered();
            }
            Health::Strained => {
                self.allowance = 1;
                self.breaker.answered();
            }
            Health::Silent => {
                self.allowance = 1;
                self.breaker.failed(now, retry_ms_max, chance::below);
            }
            Health::Unknown => self.breaker.undecided(now, chance::below),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::breaker::FAILURES_MAX;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    #[test]
    fn room_grows_with_what_is_taken_and_falls_to_one_with_what_is_not() {
        let mut bulkhead = Bulkhead::default();
        for _ in 0..100 {
            assert!(bulkhead.room(NOW) > 0);
            bulkhead.begun();
            bulkhead.ended(NOW, Health::Well, 1_000);
        }
        assert_eq!(bulkhead.room(NOW), PER_SUBSCRIBER_MAX);
        bulkhead.begun();
        assert_eq!(bulkhead.room(NOW), PER_SUBSCRIBER_MAX - 1);
        bulkhead.ended(NOW, Health::Strained, 1_000);
        assert_eq!(bulkhead.room(NOW), 1);
    }

    #[test]
    fn a_probe_goes_only_once_nothing_else_is_under_way() {
        let mut bulkhead = Bulkhead::default();
        for _ in 0..AT_FIRST {
            bulkhead.begun();
        }
        assert_eq!(bulkhead.room(NOW), 0);
        for _ in 0..AT_FIRST - 1 {
            bulkhead.ended(NOW, Health::Silent, 1_000);
        }
        assert_eq!(bulkhead.room(NOW), 0, "one is allowed, and one is under way");
        bulkhead.ended(NOW, Health::Silent, 1_000);
        for _ in AT_FIRST..FAILURES_MAX as usize {
            assert_eq!(bulkhead.room(NOW), 1);
            bulkhead.begun();
            bulkhead.ended(NOW, Health::Silent, 1_000);
        }
        assert!(bulkhead.is_open() && !bulkhead.is_idle());
        let later = NOW.plus_ms(10_000);
        assert_eq!((bulkhead.room(later), bulkhead.opens_at(later)), (1, None));
        bulkhead.begun();
        assert_eq!(bulkhead.room(later), 0);
        bulkhead.ended(later, Health::Well, 1_000);
        assert_eq!(bulkhead.room(later), 2);
    }
}
