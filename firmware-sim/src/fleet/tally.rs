//! What a fleet has done so far, counted by its vehicles as they go.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::histogram::Histogram;

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more.
    pub fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Why a connection was not made, or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No TCP connection.
    Tcp,
    /// No TLS on it.
    Tls,
    /// The CONNECT was refused with a code.
    Refused,
    /// Not connected in time.
    Timeout,
    /// A subscription to an own topic was refused.
    Subscription,
    /// The peer closed.
    Closed,
    /// The connection broke.
    Broken,
    /// What came is no MQTT, or no packet that a client gets.
    Protocol,
    /// The peer takes no bytes.
    Slow,
    /// The peer did not answer a ping.
    Silent,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Tcp,
        Self::Tls,
        Self::Refused,
        Self::Timeout,
        Self::Subscription,
        Self::Closed,
        Self::Broken,
        Self::Protocol,
        Self::Slow,
        Self::Silent,
    ];

    /// Its name in a summary.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Subscription => "subscription",
            Self::Closed => "closed",
            Self::Broken => "broken",
            Self::Protocol => "protocol",
            Self::Slow => "slow",
            Self::Silent => "silent",
        }
    }
}

/// Everything a fleet counts.
#[derive(Debug, Default)]
pub struct Tally {
    /// Vehicles that got an identity in this run.
    pub enrolled: Count,
    /// Vehicles that have been connected at least once.
    pub reached: Count,
    /// Connections made, and those of them that ended.
    pub connections: Count,
    /// See `connections`.
    pub disconnections: Count,
    /// Vehicles whose shift is over and whose records are all committed.
    pub drained: Count,
    /// Fixes that vehicles made.
    pub fixes_generated: Count,
    /// Fixes in trail batches, each time they were published.
    pub fixes_published: Count,
    /// Fixes that are known to be committed.
    pub fixes_acknowledged: Count,
    /// Trail batches published, repeats among them.
    pub trail_batches_published: Count,
    /// Trail batches that got their PubAck on the connection they were published on.
    pub trail_batches_acknowledged: Count,
    /// Event batches published, repeats among them.
    pub event_batches_published: Count,
    /// Live positions published.
    pub live_published: Count,
    /// CommitAcks that came, of either stream.
    pub commit_acks: Count,
    /// Commands that came with a good seal.
    pub commands: Count,
    /// Messages from above that could not be read, or had no good seal.
    pub messages_ignored: Count,
    /// From the turn to connect to the ConnAck.
    pub connect: Histogram,
    /// From writing a trail batch to its PubAck.
    pub puback: Histogram,
    /// From when a batch could have been sent to the CommitAck that covers it.
    pub commit: Histogram,
    failures: [Count; Failure::ALL.len()],
    last_failure: Mutex<Option<String>>,
}

impl Tally {
    /// Counts a failure, and keeps its words until the next.
    pub fn fail(&self, failure: Failure, words: String) {
        if let Some(count) = self.failures.get(failure as usize) {
            count.one();
        }
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
    }

    /// Failures by kind, those that occurred.
    pub fn failures(&self) -> impl Iterator<Item = (Failure, u64)> {
        let counts = Failure::ALL.into_iter().zip(&self.failures);
        counts.map(|(failure, count)| (failure, count.get())).filter(|(_, count)| *count > 0)
    }

    /// The words of the last failure.
    pub fn last_failure(&self) -> Option<String> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connections that stand.
    pub fn connected(&self) -> u64 {
        // In this order, or one that is made and ends meanwhile would make it negative.
        let ended = self.disconnections.get();
        self.connections.get().saturating_sub(ended)
    }

    /// Connections made after the first of each vehicle.
    pub fn reconnects(&self) -> u64 {
        self.connections.get().saturating_sub(self.reached.get())
    }
}
