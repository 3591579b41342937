//! How much of the Beckn door is open to whom: rates by address and by subscriber, and requests at once.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::HeaderMap;
use ipnet::IpNet;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::peer;
use super::repeats::Repeats;
use crate::beckn::{Fault, FaultKind};
use crate::listen::{Accounts, Origin, Rate};

/// Seconds' worth of a rate that may come at once.
const BURST_S: u32 = 2;

/// Requests of one address of which it does not show who sent them. Honest peers have a few while a key or
/// a clock of theirs is wrong. Beyond that nothing is looked at: a signature costs its verification, and a
/// name that was never met a question to the registry.
const FAILURES_PER_ADDRESS: Rate = Rate { per_s: 5, burst: 50 };

/// Requests of one address whose signature came before. A BAP that missed its answers repeats what was
/// under way then.
const REPEATS_PER_ADDRESS: Rate = Rate { per_s: 20, burst: 200 };

/// Requests at once whose sender is known, from there to their answer. More than the intake lets wait, which
/// refuses by itself: this bounds what is in memory beside it.
const REQUESTS_MAX: usize = 512;

/// Who may send how much, and what is believed of proxies.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Networks of the reverse proxies whose `X-Forwarded-For` is believed.
    pub proxies: Vec<IpNet>,
    /// Requests a second from one address, on average.
    pub per_address_per_s: u32,
    /// Requests a second from one subscriber, on average.
    pub per_subscriber_per_s: u32,
    /// Whether a request is refused whose `ttl` has passed.
    pub refuse_stale: bool,
}

/// The gate's books.
#[derive(Debug)]
pub struct Gate {
    pub(super) rules: Rules,
    addresses: Mutex<Accounts<Origin>>,
    failures: Mutex<Accounts<Origin>>,
    repeaters: Mutex<Accounts<Origin>>,
    subscribers: Mutex<Accounts<String>>,
    repeats: Mutex<Repeats>,
    requests: Semaphore,
}

impl Gate {
    /// A gate that nobody came to yet.
    pub fn new(rules: Rules) -> Self {
        let rate = |per_s: u32| Rate { per_s, burst: per_s.saturating_mul(BURST_S) };
        let now = Instant::now();
        Self {
            addresses: Mutex::new(Accounts::new(rate(rules.per_address_per_s), now)),
            failures: Mutex::new(Accounts::new(FAILURES_PER_ADDRESS, now)),
            repeaters: Mutex::new(Accounts::new(REPEATS_PER_ADDRESS, now)),
            subscribers: Mutex::new(Accounts::new(rate(rules.per_subscriber_per_s), now)),
            repeats: Mutex::default(),
            requests: Semaphore::new(REQUESTS_MAX),
            rules,
        }
    }

    /// Counts a request of whoever is at the other end, and says where that is.
    pub(super) fn count_address(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Origin, Fault> {
        let origin = Origin::from(peer::address(peer, headers, &self.rules.proxies));
        take(&self.addresses, origin, "requests come from this address")?;
        Ok(origin)
    }

    /// Whether an address may once more send what does not show who sent it.
    pub(super) fn check_failures(&self, origin: Origin) -> Result<(), Fault> {
        if locked(&self.failures).has_left(&origin, Instant::now()) {
            return Ok(());
        }
        Err(too_often("requests come from this address that do not show who sent them"))
    }

    /// Counts one that does not.
    pub(super) fn count_failure(&self, origin: Origin) {
        // Over it or not: the next is refused then.
        let _ = locked(&self.failures).take(origin, Instant::now());
    }

    /// Counts a request of a subscriber that signed it; one that came before is whoever's sends it again.
    pub(super) fn count_sender(
        &self,
        subscriber_id: &str,
        origin: Origin,
        signature: &[u8; 64],
    ) -> Result<(), Fault> {
        // Held meanwhile, so that of two that come at once one is the first.
        let mut repeats = locked(&self.repeats);
        if repeats.knows(signature) {
            return take(&self.repeaters, origin, "requests are repeated from this address");
        }
        let subscriber = subscriber_id.to_owned();
        take(&self.subscribers, subscriber, "requests come from this subscriber")?;
        repeats.remember(signature);
        Ok(())
    }

    /// A place for one request, until it is dropped.
    pub(super) fn enter(&self) -> Result<SemaphorePermit<'_>, Fault> {
        let busy = "there are more requests at this moment than can be worked on; try again";
        self.requests.try_acquire().map_err(|_| Fault::new(FaultKind::Overload, busy))
    }
}

fn locked<T>(books: &Mutex<T>) -> MutexGuard<'_, T> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take<K: Hash + Eq>(accounts: &Mutex<Accounts<K>>, key: K, what: &str) -> Result<(), Fault> {
    if locked(accounts).take(key, Instant::now()) { Ok(()) } else { Err(too_often(what)) }
}

fn too_often(what: &str) -> Fault {
    let message = format!("more {what} than are taken; send fewer a second");
    Fault::new(FaultKind::TooOften, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(per_subscriber_per_s: u32) -> Gate {
        let proxies = Vec::new();
        Gate::new(Rules { proxies, per_address_per_s: 1, per_subscriber_per_s, refuse_stale: true })
    }

    fn origin(address: &str) -> Origin {
        Origin::from(address.parse::<IpAddr>().expect("an address"))
    }

    #[test]
    fn so_many_requests_are_worked_on_and_no_more() {
        let gate = gate(1);
        let mut places: Vec<_> = (0..REQUESTS_MAX).map(|_| gate.enter().expect("room")).collect();
        assert_eq!(gate.enter().expect_err("full").kind, FaultKind::Overload);
        places.pop();
        assert!(gate.enter().is_ok());
    }

    #[test]
    fn a_repeated_signature_is_whoevers_sends_it_and_not_the_signers() {
        let gate = gate(1);
        let (captor, bap) = (origin("198.51.100.1"), origin("192.0.2.1"));
        assert_eq!(gate.count_sender("bap", captor, &[1; 64]), Ok(()));
        let sent_again = (0..10_000).map(|_| gate.count_sender("bap", captor, &[1; 64]));
        assert!(sent_again.filter(Result::is_err).count() > 0, "that is bounded too");
        // Of the burst of two one is left.
        assert_eq!(gate.count_sender("bap", bap, &[2; 64]), Ok(()));
        assert_eq!(gate.count_sender("bap", bap, &[2; 64]), Ok(()), "a BAP may repeat");
    }

    #[test]
    fn what_a_subscribers_rate_refused_is_not_taken_for_seen() {
        let gate = gate(1);
        let bap = origin("192.0.2.1");
        let taken = (0..20_u8).filter(|n| gate.count_sender("bap", bap, &[*n; 64]).is_ok());
        assert!(taken.count() < 10);
        assert!(gate.count_sender("bap", bap, &[19; 64]).is_err(), "it would go round the rate");
    }
}
