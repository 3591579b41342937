//! Who watches which ride, and the one task that looks after all of them.
//!
//! Where a vehicle is comes from memory, once a second for each ride that is watched. The store is asked for
//! all of them together whether their orders changed, and only those that did are read. So a watcher costs a
//! place and its connection, and what the store is asked does not grow with them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tracing::error;
use tripline_protocol::id::OrderId;

use super::{Shown, Tracked};
use crate::domain::live::LivePosition;
use crate::seldom::Seldom;
use crate::service::{Platform, ServiceError};
use crate::time;

/// Watchers at once: half of the public listener's connections, so that requests find room beside them.
pub const WATCHERS_MAX: usize = 256;

/// Of those, watchers of one ride: the rider's screens and some friends.
pub const WATCHERS_PER_LINK_MAX: usize = 8;

/// How often positions are looked at, in ms: no watcher is told more often.
pub const LOOK_MS: u64 = 1_000;

/// How often the store is asked about all rides that are watched, in ms. A watcher knows by then, and one look
/// later at most, that a ride is over.
pub const ASK_MS: u64 = 2_000;

/// For so long watchers are shown a ride whose order the store cannot be asked about, in ms.
pub const UNSURE_MS_MAX: u64 = 10_000;

/// Time between two lines about a store that cannot be asked, in ms.
const LINE_MS: i64 = 60_000;

/// What a watcher sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The ride.
    Ride(Shown),
    /// It is with another vehicle, or another is looked for: the link is to be asked anew.
    Changed,
    /// It is over.
    Over,
}

/// Why nobody more may watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooManyWatch {
    /// This ride.
    #[error(
        "this ride has as many watchers as it may have; close one, or ask again in some seconds"
    )]
    ThisRide,
    /// All rides together.
    #[error("there are as many watchers as there may be; ask again in some seconds")]
    AllRides,
}

/// One watcher's view of a ride, and its place.
#[derive(Debug)]
pub struct Watch {
    newest: watch::Receiver<Seen>,
    _place: OwnedSemaphorePermit,
}

impl Watch {
    /// What there is to see, marked as seen.
    pub fn look(&mut self) -> Seen {
        self.newest.borrow_and_update().clone()
    }

    /// Comes back when there is something new to see; `false` if nobody knows any more whether the ride may be
    /// shown.
    pub async fn changed(&mut self) -> bool {
        self.newest.changed().await.is_ok()
    }
}

/// Who watches what.
#[derive(Debug)]
pub struct Watches {
    rides: Mutex<HashMap<OrderId, watch::Sender<Seen>>>,
    places: Arc<Semaphore>,
    came: Notify,
}

impl Default for Watches {
    fn default() -> Self {
        let places = Arc::new(Semaphore::new(WATCHERS_MAX));
        Self { rides: Mutex::default(), places, came: Notify::new() }
    }
}

impl Watches {
    fn rides(&self) -> MutexGuard<'_, HashMap<OrderId, watch::Sender<Seen>>> {
        self.rides.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place among those who watch a ride, which was just read.
    fn join(&self, shown: &Shown) -> Result<Watch, TooManyWatch> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| TooManyWatch::AllRides)?;
        let mut rides = self.rides();
        if rides.get(&shown.ride.order).is_some_and(|ride| is_another(ride, shown)) {
            let before = rides.remove(&shown.ride.order);
            before.into_iter().for_each(|ride| drop(ride.send_replace(Seen::Changed)));
        }
        let first = || watch::Sender::new(Seen::Ride(shown.clone()));
        let ride = rides.entry(shown.ride.order).or_insert_with(first);
        if ride.receiver_count() >= WATCHERS_PER_LINK_MAX {
            return Err(TooManyWatch::ThisRide);
        }
        let newest = ride.subscribe();
        drop(rides);
        self.came.notify_one();
        Ok(Watch { newest, _place: place })
    }

    /// The rides that somebody watches. Those that nobody does any more are forgotten.
    fn watched(&self) -> Vec<Shown> {
        let mut rides = self.rides();
        rides.retain(|_, ride| ride.receiver_count() > 0);
        let shown = |ride: &watch::Sender<Seen>| match &*ride.borrow() {
            Seen::Ride(shown) => Some(shown.clone()),
            Seen::Changed | Seen::Over => None,
        };
        rides.values().filter_map(shown).collect()
    }

    /// Shows something to whoever watches a ride. What is the last of it ends their watch.
    fn show(&self, order: OrderId, seen: Seen) {
        let mut rides = self.rides();
        let is_last = !matches!(seen, Seen::Ride(_));
        if let Some(ride) = rides.get(&order) {
            ride.send_if_modified(|before| {
                let is_new = *before != seen;
                *before = seen;
                is_new
            });
        }
        if is_last {
            rides.remove(&order);
        }
    }

    /// Ends every watch without a word: nobody knows whether the rides may be shown.
    fn end_all(&self) {
        self.rides().clear();
    }
}

/// Whether a ride that is watched is an older one of the same order.
fn is_another(ride: &watch::Sender<Seen>, shown: &Shown) -> bool {
    match &*ride.borrow() {
        Seen::Ride(before) => before.ride.trip != shown.ride.trip && before.version < shown.version,
        Seen::Changed | Seen::Over => true,
    }
}

impl Platform {
    /// Lets somebody watch a ride that was just [read](Platform::tracked).
    pub fn watch(&self, shown: &Shown) -> Result<Watch, TooManyWatch> {
        self.watches.join(shown)
    }

    /// What became of these rides since their orders were read, of those that changed.
    async fn changes(&self, watched: &[Shown]) -> Result<Vec<(OrderId, Seen)>, ServiceError> {
        let orders: Vec<OrderId> = watched.iter().map(|shown| shown.ride.order).collect();
        let mut tx = self.store.read().await?;
        let versions = tx.versions_of_orders(&orders).await?;
        let mut changes = Vec::new();
        for shown in watched {
            let order = shown.ride.order;
            if versions.get(&order) == Some(&shown.version) {
                continue;
            }
            let stored = tx.order(order).await?;
            let tracked = stored.map_or(Tracked::Unknown, |stored| self.shown_of(&stored));
            changes.push((order, seen_since(shown, tracked)));
        }
        Ok(changes)
    }
}

/// What a watcher of a ride sees of what its link shows by now.
fn seen_since(before: &Shown, tracked: Tracked) -> Seen {
    match tracked {
        Tracked::Active(shown) if shown.ride.trip == before.ride.trip => Seen::Ride(shown),
        Tracked::Active(_) | Tracked::Waiting => Seen::Changed,
        Tracked::Over | Tracked::Unknown => Seen::Over,
    }
}

/// Looks after the rides that are watched until the task is dropped.
pub async fn run(platform: Arc<Platform>) {
    let mut tick = tokio::time::interval(Duration::from_millis(LOOK_MS));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut watchman = Watchman::new(&platform);
    loop {
        if !watchman.look().await {
            platform.watches.came.notified().await;
        }
        tick.tick().await;
    }
}

/// Whoever looks after them.
struct Watchman<'a> {
    platform: &'a Platform,
    /// When the store was last asked, whatever came of it.
    asked: Instant,
    /// When it last answered, or nobody watched.
    sure: Instant,
    told: Seldom,
}

impl<'a> Watchman<'a> {
    fn new(platform: &'a Platform) -> Self {
        let now = Instant::now();
        Self { platform, asked: now, sure: now, told: Seldom::default() }
    }

    /// Shows what is new; `false` if nobody watches.
    async fn look(&mut self) -> bool {
        let watches = &self.platform.watches;
        let watched = watches.watched();
        if watched.is_empty() {
            self.sure = Instant::now();
            return false;
        }
        if self.asked.elapsed() >= Duration::from_millis(ASK_MS) {
            self.ask(&watched).await;
        }
        for shown in watches.watched() {
            let position = self.position(&shown);
            if position != shown.position {
                watches.show(shown.ride.order, Seen::Ride(Shown { position, ..shown }));
            }
        }
        true
    }

    fn position(&self, shown: &Shown) -> Option<LivePosition> {
        self.platform.fleet().get(&shown.ride.device).copied()
    }

    async fn ask(&mut self, watched: &[Shown]) {
        self.asked = Instant::now();
        let watches = &self.platform.watches;
        match self.platform.changes(watched).await {
            Ok(changes) => {
                self.sure = Instant::now();
                changes.into_iter().for_each(|(order, seen)| watches.show(order, seen));
            }
            Err(error) => {
                if self.told.is_due(time::now(), LINE_MS) {
                    error!(%error, "rides that are watched could not be looked after");
                }
                if self.sure.elapsed() >= Duration::from_millis(UNSURE_MS_MAX) {
                    watches.end_all();
                }
            }
        }
    }
}
