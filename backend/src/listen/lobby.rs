//! Who is in and who waits to come in, and for whom there is no room. Pure: time is an argument.
//!
//! A connection is pending until its peer has shown who it is. An honest one is through in
//! milliseconds, a silent one stands in the way for as long as it is let: so where the pending reach
//! a limit, the oldest makes room, not the newest.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::rate::{Account, Rate};

/// Addresses remembered at once. One that has nobody pending and its whole burst left is forgotten.
const ADDRESSES_MAX: usize = 65_536;

/// Shortest time between two looks for addresses to forget, in ms: a look goes over all of them.
const FORGET_EVERY_MS: u64 = 100;

/// Bits of an IPv6 address that tell one subscriber from another.
const V6_PREFIX_BITS: u32 = 64;

/// What a listener admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, pending ones with them.
    pub connections_max: usize,
    /// Connections whose peer has not shown who it is.
    pub pending_max: usize,
    /// Such connections from one address.
    pub pending_per_address_max: usize,
    /// New connections from one address; any number if not set.
    pub rate_per_address: Option<Rate>,
}

/// Why a connection was closed as soon as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its address comes too often.
    Rate,
    /// Every connection there is room for is taken by a peer that showed who it is.
    Full,
    /// There are more addresses than can be told apart.
    Addresses,
}

impl Refusal {
    /// Its stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Rate => "address-rate",
            Self::Full => "full",
            Self::Addresses => "addresses",
        }
    }
}

/// What one subscriber of a network comes from: an IPv4 address, or 64 bits of an IPv6 one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => {
                let bits = v6.to_bits() >> (128 - V6_PREFIX_BITS) << (128 - V6_PREFIX_BITS);
                IpAddr::V6(Ipv6Addr::from_bits(bits))
            }
        })
    }
}

/// A connection's place in the order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// What one origin has here.
#[derive(Debug)]
struct Guest {
    account: Account,
    pending: BTreeMap<Ticket, Arc<Notify>>,
}

/// How soon an origin makes room: that with most pending goes first, and of equals the one whose oldest
/// has waited longest, so that nobody's address decides.
type Rank = (usize, Reverse<Ticket>, Origin);

impl Guest {
    /// Its rank; `None` if it has nothing pending.
    fn rank(&self, origin: Origin) -> Option<Rank> {
        let (oldest, _) = self.pending.first_key_value()?;
        Some((self.pending.len(), Reverse(*oldest), origin))
    }
}

/// The books of one listener.
#[derive(Debug)]
pub(super) struct Lobby {
    limits: Limits,
    admitted: usize,
    pending: usize,
    guests: HashMap<Origin, Guest>,
    /// Origins that have something pending; the last makes room first.
    by_pending: BTreeSet<Rank>,
    next: u64,
    forget_at: Instant,
}

impl Lobby {
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            admitted: 0,
            pending: 0,
            guests: HashMap::new(),
            by_pending: BTreeSet::new(),
            next: 0,
            forget_at: now,
        }
    }

    /// A connection has come: it is pending, and its bell rings if it must go.
    pub(super) fn handle_arrival(
        &mut self,
        origin: Origin,
        now: Instant,
    ) -> Result<(Ticket, Arc<Notify>), Refusal> {
        self.count_arrival(origin, now)?;
        let own = self.guests.get(&origin).map_or(0, |guest| guest.pending.len());
        if own >= self.limits.pending_per_address_max {
            self.evict_from(origin);
        } else if self.pending >= self.limits.pending_max {
            self.evict();
        }
        if self.admitted + self.pending >= self.limits.connections_max && !self.evict() {
            return Err(Refusal::Full);
        }
        let (ticket, bell) = (Ticket(self.next), Arc::new(Notify::new()));
        self.next += 1;
        self.change(origin, |pending| {
            pending.insert(ticket, Arc::clone(&bell));
        });
        Ok((ticket, bell))
    }

    /// A peer has shown who it is; `false` if its connection had to make room already.
    pub(super) fn admit(&mut self, origin: Origin, ticket: Ticket) -> bool {
        let mut found = false;
        self.change(origin, |pending| found = pending.remove(&ticket).is_some());
        self.admitted += usize::from(found);
        found
    }

    /// A connection has ended.
    pub(super) fn leave(&mut self, origin: Origin, ticket: Ticket, admitted: bool) {
        if admitted {
            self.admitted -= 1;
        } else {
            self.change(origin, |pending| {
                pending.remove(&ticket);
            });
        }
    }

    /// Has the oldest pending connection of the origin with most of them make room, of equals the oldest
    /// of all; `false` if none is pending.
    pub(super) fn evict(&mut self) -> bool {
        let most = self.by_pending.last().map(|(_, _, origin)| *origin);
        most.is_some_and(|origin| self.evict_from(origin))
    }

    fn evict_from(&mut self, origin: Origin) -> bool {
        let mut oldest = None;
        self.change(origin, |pending| oldest = pending.pop_first());
        if let Some((_, bell)) = &oldest {
            bell.notify_one();
        }
        oldest.is_some()
    }

    fn count_arrival(&mut self, origin: Origin, now: Instant) -> Result<(), Refusal> {
        let Some(rate) = self.limits.rate_per_address else { return self.remember(origin, now) };
        self.remember(origin, now)?;
        let within = self.guests.get_mut(&origin).is_some_and(|g| g.account.take(rate, now));
        if within { Ok(()) } else { Err(Refusal::Rate) }
    }

    fn remember(&mut self, origin: Origin, now: Instant) -> Result<(), Refusal> {
        if self.guests.len() >= ADDRESSES_MAX && now >= self.forget_at {
            self.forget(now);
        }
        let full = self.guests.len() >= ADDRESSES_MAX;
        match self.guests.entry(origin) {
            Entry::Occupied(_) => Ok(()),
            Entry::Vacant(_) if full => Err(Refusal::Addresses),
            Entry::Vacant(place) => {
                place.insert(Guest { account: Account::new(now), pending: BTreeMap::new() });
                Ok(())
            }
        }
    }

    /// Forgets the origins of which nothing needs to be known.
    fn forget(&mut self, now: Instant) {
        self.guests.retain(|_, guest| !guest.pending.is_empty() || !guest.account.is_full(now));
        self.forget_at = now + Duration::from_millis(FORGET_EVERY_MS);
    }

    /// Changes what an origin has pending, and the sums with it.
    fn change(&mut self, origin: Origin, change: impl FnOnce(&mut BTreeMap<Ticket, Arc<Notify>>)) {
        let Some(guest) = self.guests.get_mut(&origin) else { return };
        let (before, before_len) = (guest.rank(origin), guest.pending.len());
        change(&mut guest.pending);
        let after = guest.rank(origin);
        self.pending = self.pending + guest.pending.len() - before_len;
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.by_pending.remove(&before);
        }
        self.by_pending.extend(after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        connections_max: 10,
        pending_max: 6,
        pending_per_address_max: 4,
        rate_per_address: None,
    };

    fn origin(last: u8) -> Origin {
        IpAddr::from([192, 0, 2, last]).into()
    }

    fn lobby(limits: Limits) -> (Lobby, Instant) {
        let now = Instant::now();
        (Lobby::new(limits, now), now)
    }

    #[test]
    fn an_address_at_its_limit_loses_its_oldest_and_no_other_does() {
        let (mut lobby, now) = lobby(LIMITS);
        let (other, _) = lobby.handle_arrival(origin(9), now).expect("room");
        let silent: Vec<_> =
            (0..7).map(|_| lobby.handle_arrival(origin(1), now).expect("room").0).collect();
        let in_time = silent.iter().map(|t| lobby.admit(origin(1), *t)).collect::<Vec<_>>();
        assert_eq!(in_time, [false, false, false, true, true, true, true]);
        assert!(lobby.admit(origin(9), other));
    }

    #[test]
    fn where_all_is_taken_the_address_with_most_makes_room() {
        let (mut lobby, now) = lobby(LIMITS);
        let many: Vec<_> =
            (0..4).map(|_| lobby.handle_arrival(origin(1), now).expect("room").0).collect();
        let few: Vec<_> =
            (2..5).map(|n| (n, lobby.handle_arrival(origin(n), now).expect("room").0)).collect();
        assert!(!lobby.admit(origin(1), many[0]), "the oldest of the most went");
        for (n, ticket) in few {
            assert!(lobby.admit(origin(n), ticket));
        }
    }

    #[test]
    fn among_many_addresses_with_one_each_the_oldest_makes_room_and_not_the_highest() {
        let (mut lobby, now) = lobby(LIMITS);
        let silent: Vec<_> =
            (0..20).map(|n| (n, lobby.handle_arrival(origin(n), now).expect("room").0)).collect();
        let (newcomer, _) = lobby.handle_arrival(origin(255), now).expect("room");
        // As many more as there is room for beside it.
        for n in 100..105 {
            lobby.handle_arrival(origin(n), now).expect("room");
        }
        assert!(lobby.admit(origin(255), newcomer), "the highest address was put out");
        for (n, ticket) in silent {
            assert!(!lobby.admit(origin(n), ticket), "{n} is older than what is left");
        }
    }

    #[test]
    fn a_full_house_turns_away_until_somebody_leaves() {
        let (mut lobby, now) = lobby(LIMITS);
        let arrive = |lobby: &mut Lobby, n| {
            let (ticket, _) = lobby.handle_arrival(origin(n), now)?;
            assert!(lobby.admit(origin(n), ticket));
            Ok(ticket)
        };
        let tickets: Vec<_> = (0..10).map(|n| arrive(&mut lobby, n).expect("room")).collect();
        assert_eq!(arrive(&mut lobby, 11), Err(Refusal::Full));
        lobby.leave(origin(3), tickets[3], true);
        assert!(arrive(&mut lobby, 11).is_ok());
    }

    #[test]
    fn what_left_is_counted_no_more_and_evicted_ones_are_not_counted_twice() {
        let (mut lobby, now) = lobby(LIMITS);
        for round in 0..100_u8 {
            let (ticket, _) = lobby.handle_arrival(origin(round % 3), now).expect("room");
            lobby.evict();
            lobby.leave(origin(round % 3), ticket, false);
        }
        assert_eq!((lobby.pending, lobby.admitted, lobby.by_pending.len()), (0, 0, 0));
    }

    #[test]
    fn an_address_beyond_its_rate_is_refused_and_takes_nobodys_place() {
        let rate_per_address = Some(Rate { per_s: 1, burst: 2 });
        let (mut lobby, now) = lobby(Limits { rate_per_address, ..LIMITS });
        let (first, _) = lobby.handle_arrival(origin(1), now).expect("room");
        lobby.handle_arrival(origin(1), now).expect("room");
        for _ in 0..100 {
            assert_eq!(lobby.handle_arrival(origin(1), now).err(), Some(Refusal::Rate));
        }
        assert!(lobby.handle_arrival(origin(2), now).is_ok());
        assert!(lobby.admit(origin(1), first));
    }

    #[test]
    fn a_subscriber_of_ipv6_is_one_origin_and_a_mapped_address_is_ipv4() {
        let origin = |text: &str| Origin::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(origin("2001:db8:1:2:3::4"), origin("2001:db8:1:2:ffff::"));
        assert_ne!(origin("2001:db8:1:2::"), origin("2001:db8:1:3::"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
    }

    #[test]
    fn addresses_beyond_the_limit_are_refused_until_others_are_forgotten() {
        let rate_per_address = Some(Rate { per_s: 1, burst: 2 });
        let (mut lobby, now) = lobby(Limits { rate_per_address, ..LIMITS });
        let address =
            |n: usize| Origin(IpAddr::from(u32::try_from(n).expect("fits").to_be_bytes()));
        for n in 0..ADDRESSES_MAX {
            let (ticket, _) = lobby.handle_arrival(address(n), now).expect("room");
            lobby.leave(address(n), ticket, false);
        }
        let newcomer = address(ADDRESSES_MAX);
        assert_eq!(lobby.handle_arrival(newcomer, now).err(), Some(Refusal::Addresses));
        let later = now + Duration::from_secs(2);
        assert!(lobby.handle_arrival(newcomer, later).is_ok());
        assert_eq!(lobby.guests.len(), 1);
    }
}
