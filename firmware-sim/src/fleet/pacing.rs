//! The fleet's clock and its ramp: when things happen, for all vehicles alike.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use tripline_protocol::unit::{Timestamp, Uptime};

/// The uptime of all agents, and the time it began.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    started: Instant,
    began: Timestamp,
}

impl Watch {
    /// Starts at zero.
    pub fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Self { started: Instant::now(), began: Timestamp::from_unix_ms(unix_ms) }
    }

    /// The uptime.
    pub fn now(&self) -> Uptime {
        Uptime::from_ms(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// The instant at which the uptime is `at`.
    pub fn instant(&self, at: Uptime) -> Instant {
        self.started + Duration::from_millis(at.ms)
    }

    /// The time when the uptime was zero.
    pub const fn began(&self) -> Timestamp {
        self.began
    }
}

/// Hands out turns to connect, so many a second, to first attempts and to later ones alike.
#[derive(Debug)]
pub struct Ramp {
    between: Duration,
    next: Mutex<Instant>,
}

impl Ramp {
    /// So many turns a second, at least one.
    pub fn new(turns_per_s: u32) -> Self {
        let between = Duration::from_secs(1) / turns_per_s.max(1);
        Self { between, next: Mutex::new(Instant::now()) }
    }

    /// Waits for a turn, in the order of asking.
    pub async fn turn(&self) {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(Instant::now());
            *next = turn + self.between;
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}
