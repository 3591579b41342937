//! How often somebody may come: so much a second on average, and some more at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Peers remembered at once. One that has its whole burst left is forgotten.
const PEERS_MAX: usize = 65_536;

/// Shortest time between two looks for peers to forget, in ms: a look goes over all of them.
const FORGET_EVERY_MS: u64 = 100;

/// A rate with a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How often a second on average; at least 1.
    pub per_s: u32,
    /// How often at once.
    pub burst: u32,
}

/// One peer's account of a [`Rate`]: a token bucket kept as the instant at which it is full again.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    full_at: Instant,
}

impl Account {
    /// An account with its whole burst left.
    pub const fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Whether once more is within the rate; then it is counted.
    pub(super) fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let interval = Duration::from_secs(1) / rate.per_s.max(1);
        let full_at = self.full_at.max(now) + interval;
        if full_at.duration_since(now) > interval * rate.burst.max(1) {
            return false;
        }
        self.full_at = full_at;
        true
    }

    /// Counts once more, within the rate or not, and says from when on another is within it.
    pub fn spend(&mut self, rate: Rate, now: Instant) -> Instant {
        let interval = Duration::from_secs(1) / rate.per_s.max(1);
        self.full_at = self.full_at.max(now) + interval;
        let ahead = self.full_at.duration_since(now) + interval;
        now + ahead.saturating_sub(interval * rate.burst.max(1))
    }

    /// Whether once more would be within the rate. Nothing is counted.
    fn has_left(&self, rate: Rate, now: Instant) -> bool {
        let mut once_more = *self;
        once_more.take(rate, now)
    }

    /// Whether it says nothing that a new one would not.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

/// Everybody's account of one rate. Who is not known has a new one.
#[derive(Debug)]
pub struct Accounts<K> {
    rate: Rate,
    of: HashMap<K, Account>,
    forget_at: Instant,
}

impl<K: Hash + Eq> Accounts<K> {
    /// Nobody's yet.
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, of: HashMap::new(), forget_at: now }
    }

    /// Whether once more is within this peer's rate; then it is counted. A new one is refused where there are
    /// more peers than can be told apart.
    pub fn take(&mut self, peer: K, now: Instant) -> bool {
        if self.of.len() >= PEERS_MAX && now >= self.forget_at {
            self.of.retain(|_, account| !account.is_full(now));
            self.forget_at = now + Duration::from_millis(FORGET_EVERY_MS);
        }
        if self.of.len() >= PEERS_MAX && !self.of.contains_key(&peer) {
            return false;
        }
        self.of.entry(peer).or_insert_with(|| Account::new(now)).take(self.rate, now)
    }

    /// Whether once more would be within this peer's rate. Nothing is counted, and nobody is remembered for
    /// it.
    pub fn has_left(&self, peer: &K, now: Instant) -> bool {
        self.of.get(peer).is_none_or(|account| account.has_left(self.rate, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_an_account_and_those_who_stay_away_are_forgotten() {
        let start = Instant::now();
        let mut accounts = Accounts::new(Rate { per_s: 1, burst: 2 }, start);
        let within = |accounts: &mut Accounts<usize>, peer, at| accounts.take(peer, at);
        let taken: Vec<_> = (0..3).map(|_| within(&mut accounts, 0, start)).collect();
        assert_eq!(taken, [true, true, false]);
        assert!((1..PEERS_MAX).all(|peer| within(&mut accounts, peer, start)));
        assert!(!within(&mut accounts, PEERS_MAX, start), "more than can be told apart");
        assert!(!within(&mut accounts, 0, start), "and nobody gains by it");
        assert!(within(&mut accounts, PEERS_MAX, start + Duration::from_secs(3)));
        assert_eq!(accounts.of.len(), 1);
    }

    #[test]
    fn looking_at_an_account_counts_nothing() {
        let start = Instant::now();
        let mut accounts = Accounts::new(Rate { per_s: 1, burst: 1 }, start);
        assert!((0..3).all(|_| accounts.has_left(&"a", start)));
        assert!(accounts.of.is_empty(), "nobody is remembered for it");
        assert!(accounts.take("a", start));
        assert!(!accounts.has_left(&"a", start) && accounts.has_left(&"b", start));
        assert!(accounts.has_left(&"a", start + Duration::from_secs(1)));
    }

    #[test]
    fn a_burst_passes_at_once_and_then_the_average() {
        let (rate, start) = (Rate { per_s: 10, burst: 5 }, Instant::now());
        let mut account = Account::new(start);
        let taken = (0..20).filter(|_| account.take(rate, start)).count();
        assert_eq!(taken, 5);
        let later = start + Duration::from_millis(200);
        assert_eq!((0..20).filter(|_| account.take(rate, later)).count(), 2);
        assert!(!account.is_full(later));
        assert!(account.is_full(start + Duration::from_secs(1)));
    }

    #[test]
    fn what_is_spent_at_once_is_waited_for_beyond_the_burst() {
        let (rate, start) = (Rate { per_s: 10, burst: 5 }, Instant::now());
        let mut account = Account::new(start);
        let waits: Vec<_> =
            (0..7).map(|_| account.spend(rate, start).duration_since(start).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 100, 200, 300]);
        let later = start + Duration::from_mins(1);
        assert_eq!(account.spend(rate, later), later);
    }
}
