//! Who may wait for a lookup: a registry that is silent keeps everybody who does until it is given up, and
//! anybody can sign as anybody, so that there are places and no more.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Look;

/// Requests that wait for lookups of strangers: more than the strangers of a burst, each with one request.
pub(super) const STRANGERS_WAITING_MAX: usize = 64;

/// Those of them that wait for the same one: what somebody new sends before the first answer, or a flood in
/// one name, which so leaves places for others.
pub(super) const OF_A_STRANGER_MAX: usize = 8;

/// Requests that wait for lookups of subscribers that are known.
const KNOWN_WAITING_MAX: usize = 256;

/// Those of them that wait for the same one: what one sends in a second whose answer has become old.
pub(super) const OF_ONE_KNOWN_MAX: usize = 64;

/// Those that wait because what is cached did not fit: some requests under a new key, or forged ones, which
/// get what is cached at once.
pub(super) const ANEW_MAX: usize = 8;

/// The places of a directory.
#[derive(Debug)]
pub(super) struct Rooms {
    strangers: Arc<Semaphore>,
    known: Arc<Semaphore>,
}

/// The places of one lookup.
#[derive(Debug)]
pub(super) struct Room {
    all: Arc<Semaphore>,
    cached: Arc<Semaphore>,
    anew: Arc<Semaphore>,
}

/// A place of somebody who waits, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _of_one: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Rooms {
    pub(super) fn new() -> Self {
        let of = |places| Arc::new(Semaphore::new(places));
        Self { strangers: of(STRANGERS_WAITING_MAX), known: of(KNOWN_WAITING_MAX) }
    }

    /// The places of a lookup that begins.
    pub(super) fn open(&self, is_known: bool) -> Room {
        let (all, cached, anew) = if is_known {
            (&self.known, OF_ONE_KNOWN_MAX, ANEW_MAX)
        } else {
            (&self.strangers, OF_A_STRANGER_MAX, OF_A_STRANGER_MAX)
        };
        let of = |places| Arc::new(Semaphore::new(places));
        Room { all: Arc::clone(all), cached: of(cached), anew: of(anew) }
    }
}

impl Room {
    /// A place, if there is one left.
    pub(super) fn enter(&self, look: Look) -> Option<Place> {
        let of_one = match look {
            Look::Cached => &self.cached,
            Look::Anew => &self.anew,
        };
        let take = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
        Some(Place { _of_one: take(of_one)?, _of_all: take(&self.all)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(room: &Room, look: Look) -> Vec<Place> {
        std::iter::from_fn(|| room.enter(look)).take(1_000).collect()
    }

    #[test]
    fn so_many_wait_for_one_and_for_all_and_a_place_left_is_a_place() {
        let rooms = Rooms::new();
        let lookups: Vec<_> = (0..20).map(|_| rooms.open(false)).collect();
        let mut strangers: Vec<_> =
            lookups.iter().map(|room| entered(room, Look::Cached)).collect();
        let counts: Vec<_> = strangers.iter().map(Vec::len).collect();
        assert_eq!((counts[0], counts.iter().sum()), (OF_A_STRANGER_MAX, STRANGERS_WAITING_MAX));
        strangers[0].pop();
        assert!(lookups[19].enter(Look::Anew).is_some());

        let known = rooms.open(true);
        let anew = entered(&known, Look::Anew);
        assert_eq!(anew.len(), ANEW_MAX, "strangers take no place of those known");
        assert_eq!(entered(&known, Look::Cached).len(), OF_ONE_KNOWN_MAX);
    }
}
