//! A level that counts once it has stood long enough.

use tripline_protocol::unit::Uptime;

/// Takes a level over when it has stood unchanged for some time; shorter changes are noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debounce {
    stands_ms: u64,
    settled: Option<bool>,
    level: bool,
    since: Uptime,
}

impl Debounce {
    /// Begins with `level`, which counts once it has stood for `stands_ms` like any other.
    pub const fn new(stands_ms: u64, level: bool, now: Uptime) -> Self {
        Self { stands_ms, settled: None, level, since: now }
    }

    /// The level that counts; `None` until a first one has stood long enough.
    pub const fn settled(&self) -> Option<bool> {
        self.settled
    }

    /// Takes in the level at `now`; gives the one that counts from now on if that is another.
    pub fn settle(&mut self, level: bool, now: Uptime) -> Option<bool> {
        if level != self.level {
            self.level = level;
            self.since = now;
        }
        let stood = now.since_ms(self.since) >= self.stands_ms;
        if stood && self.settled != Some(level) {
            self.settled = Some(level);
            return self.settled;
        }
        None
    }
}
