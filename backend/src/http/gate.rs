//! How much of the Beckn door is open to whom: rates by address and by subscriber, and requests at once.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use axum::http::HeaderMap;
use ipnet::IpNet;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::peer;
use crate::beckn::{Fault, FaultKind};
use crate::listen::{Accounts, Origin, Rate};

/// Seconds' worth of a rate that may come at once.
const BURST_S: u32 = 2;

/// Requests worked on at once, from their last byte to their answer; a body that is still on its way holds no
/// place. More than the intake lets wait, since signatures are verified and registries asked beside it.
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
    subscribers: Mutex<Accounts<String>>,
    requests: Semaphore,
}

impl Gate {
    /// A gate that nobody came to yet.
    pub fn new(rules: Rules) -> Self {
        let accounts = |per_s: u32| Rate { per_s, burst: per_s.saturating_mul(BURST_S) };
        let now = Instant::now();
        Self {
            addresses: Mutex::new(Accounts::new(accounts(rules.per_address_per_s), now)),
            subscribers: Mutex::new(Accounts::new(accounts(rules.per_subscriber_per_s), now)),
            requests: Semaphore::new(REQUESTS_MAX),
            rules,
        }
    }

    /// Counts a request of whoever is at the other end.
    pub(super) fn count_address(&self, peer: IpAddr, headers: &HeaderMap) -> Result<(), Fault> {
        let address = peer::address(peer, headers, &self.rules.proxies);
        take(&self.addresses, Origin::from(address), "this address")
    }

    /// Counts a request of a subscriber that signed it.
    pub(super) fn count_subscriber(&self, id: &str) -> Result<(), Fault> {
        take(&self.subscribers, id.to_owned(), "this subscriber")
    }

    /// A place for one request, until it is dropped.
    pub(super) fn enter(&self) -> Result<SemaphorePermit<'_>, Fault> {
        let busy = "there are more requests at this moment than can be worked on; try again";
        self.requests.try_acquire().map_err(|_| Fault::new(FaultKind::Overload, busy))
    }
}

fn take<K: Hash + Eq>(accounts: &Mutex<Accounts<K>>, key: K, whose: &str) -> Result<(), Fault> {
    let mut accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
    if accounts.take(key, Instant::now()) {
        return Ok(());
    }
    let message = format!("more requests come from {whose} than are taken; send fewer a second");
    Err(Fault::new(FaultKind::TooOften, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_requests_are_worked_on_and_no_more() {
        let rules = Rules {
            proxies: Vec::new(),
            per_address_per_s: 1,
            per_subscriber_per_s: 1,
            refuse_stale: true,
        };
        let gate = Gate::new(rules);
        let mut places: Vec<_> = (0..REQUESTS_MAX).map(|_| gate.enter().expect("room")).collect();
        assert_eq!(gate.enter().expect_err("full").kind, FaultKind::Overload);
        places.pop();
        assert!(gate.enter().is_ok());
    }
}
