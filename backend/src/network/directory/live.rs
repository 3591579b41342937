//! A registry behind a cache: one lookup of a subscriber at a time, so many at once, and what it says
//! written down for the next start and for the other replicas.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tracing::{debug, error, warn};
use tripline_protocol::unit::Timestamp;

use super::cache::{Cache, Fetched, Next, Rules};
use super::entry::Answer;
use super::kept::Kept;
use super::registry::{LookupError, RegistryClient};
use super::waiting::{Place, Room, Rooms};
use super::{Counts, DirectoryError, Entries, Key, Look};
use crate::config::Registry;
use crate::network::http::shortened;
use crate::seldom::Seldom;
use crate::store::{Store, StoreError};
use crate::time;

/// Lookups at once of subscribers that are known: as many as one connection pool to a registry carries.
const LOOKUPS_MAX: usize = 16;

/// Lookups at once of strangers, beside them: a registry that is slow for these is not for those.
const STRANGERS_MAX: usize = 8;

/// How often what was looked up is written down, and what others wrote down is taken up, in ms.
const LOOK_MS: u64 = 2_000;

/// Time between two words about the same trouble, in ms.
const WORD_MS: i64 = 60_000;

/// Looks between two prunings: an hour's.
const LOOKS_PER_PRUNING: u32 = 1_800;

#[derive(Debug)]
struct State {
    cache: Cache,
    /// The lookups under way.
    flights: HashMap<Key, UnderWay>,
}

/// A lookup under way, as those who wait for it see it.
#[derive(Debug)]
struct UnderWay {
    /// Its sender is dropped when it ends.
    over: watch::Receiver<()>,
    room: Room,
}

/// A registry with what it said.
#[derive(Debug)]
pub(super) struct Live {
    state: Mutex<State>,
    registry: RegistryClient,
    timeout: Duration,
    known_places: Semaphore,
    stranger_places: Semaphore,
    rooms: Rooms,
    kept: Kept,
    counts: Counts,
    failure_told: Seldom,
    lie_told: Seldom,
    flood_told: Seldom,
    store_told: Seldom,
}

/// What there is to say of a subscriber.
enum Said {
    Now(Result<Entries, DirectoryError>),
    /// When this lookup has ended.
    After(watch::Receiver<()>, Place),
}

/// A lookup under way. Dropped without an end, it failed.
struct Flight {
    live: Arc<Live>,
    key: Key,
    asked_at: Timestamp,
    begun: Instant,
    over: bool,
    /// Dropped last: then those who wait look at what is held.
    _over: watch::Sender<()>,
}

impl Live {
    pub(super) fn new(
        registry: RegistryClient,
        config: &Registry,
        own_id: String,
        store: Store,
        counts: Counts,
    ) -> Self {
        let ms = |seconds: u64| i64::try_from(seconds * 1_000).unwrap_or(i64::MAX);
        let rules = Rules { cache_ms: ms(config.cache_s), outage_ms: ms(config.outage_s_max) };
        let kept = Kept::new(store, registry.name(), rules.outage_ms);
        Self {
            state: Mutex::new(State { cache: Cache::new(rules, own_id), flights: HashMap::new() }),
            registry,
            timeout: Duration::from_millis(config.timeout_ms),
            known_places: Semaphore::new(LOOKUPS_MAX),
            stranger_places: Semaphore::new(STRANGERS_MAX),
            rooms: Rooms::new(),
            kept,
            counts,
            failure_told: Seldom::default(),
            lie_told: Seldom::default(),
            flood_told: Seldom::default(),
            store_told: Seldom::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be said of a subscriber.
    pub(super) async fn find(
        self: &Arc<Self>,
        key: Key,
        look: Look,
        now: Timestamp,
    ) -> Result<Entries, DirectoryError> {
        let (mut over, _place) = match self.begin(&key, look, now) {
            Said::After(over, place) => (over, place),
            Said::Now(said) => return said,
        };
        // It never changes; it ends.
        let _ = over.changed().await;
        let state = self.state();
        let held = state.cache.held(&key, now);
        held.ok_or_else(|| {
            let reason = state.cache.outcome(&key).err();
            DirectoryError::Unavailable(reason.unwrap_or_else(|| "its answer is too old".into()))
        })
    }

    /// The lookup to wait for, or what can be said without one.
    fn begin(self: &Arc<Self>, key: &Key, look: Look, now: Timestamp) -> Said {
        let unavailable = |reason| Said::Now(Err(DirectoryError::Unavailable(reason)));
        let mut state = self.state();
        match state.cache.next(key, look, now) {
            Next::Use(entries) => Said::Now(Ok(entries)),
            Next::UseAndAsk(entries) => {
                self.take_off(&mut state, key, now);
                Said::Now(Ok(entries))
            }
            Next::Ask => {
                self.take_off(&mut state, key, now);
                self.wait(&state, key, look, now)
            }
            Next::Wait => self.wait(&state, key, look, now),
            Next::HeldBack => {
                self.held_back("subscribers are asked about that were never met", now)
            }
            Next::Failed(reason) => unavailable(reason),
        }
    }

    /// The lookup under way to wait for. If as many wait as may, what is cached, where that may be given
    /// without asking; the lookup goes on, so that its answer is there when they come again.
    fn wait(&self, state: &State, key: &Key, look: Look, now: Timestamp) -> Said {
        let Some(flight) = state.flights.get(key) else {
            let lost = DirectoryError::Unavailable("a lookup was lost".into());
            return Said::Now(Err(lost));
        };
        if let Some(place) = flight.room.enter(look) {
            return Said::After(flight.over.clone(), place);
        }
        match state.cache.usable(key, now) {
            Some(entries) => Said::Now(Ok(entries)),
            None => self.held_back("requests wait for its answers", now),
        }
    }

    /// Counts and tells that there are too many of these.
    fn held_back(&self, many: &str, now: Timestamp) -> Said {
        self.counts.looked_up("held-back");
        if self.flood_told.is_due(now, WORD_MS) {
            warn!("some senders are not looked up, or not waited for: too many {many}");
        }
        Said::Now(Err(DirectoryError::Unavailable(format!("too many {many}"))))
    }

    /// Asks the registry, whatever is cached, or waits for whoever does. An error if that fails.
    pub(super) async fn refresh(
        self: &Arc<Self>,
        key: Key,
        now: Timestamp,
    ) -> Result<Entries, DirectoryError> {
        let over = {
            let mut state = self.state();
            if state.cache.begin(&key) {
                self.take_off(&mut state, &key, now);
            }
            state.flights.get(&key).map(|flight| flight.over.clone())
        };
        if let Some(mut over) = over {
            let _ = over.changed().await;
        }
        self.state().cache.outcome(&key).map_err(DirectoryError::Unavailable)
    }

    /// Starts a lookup that the cache knows of.
    fn take_off(self: &Arc<Self>, state: &mut State, key: &Key, now: Timestamp) {
        let (sender, over) = watch::channel(());
        let is_known = state.cache.is_known(key);
        let room = self.rooms.open(is_known);
        state.flights.insert(key.clone(), UnderWay { over, room });
        let flight = Flight {
            live: Arc::clone(self),
            key: key.clone(),
            asked_at: now,
            begun: Instant::now(),
            over: false,
            _over: sender,
        };
        // In a task of its own: whoever waits may give up, and others wait for it too.
        tokio::spawn(flight.fly(is_known));
    }

    async fn ask(&self, key: &Key, is_known: bool, now: Timestamp) -> Result<Answer, LookupError> {
        let places = if is_known { &self.known_places } else { &self.stranger_places };
        let asked = async {
            let _place = places.acquire().await;
            self.registry.look_up(key, now).await
        };
        let late = |_| LookupError::Unreachable("it did not answer in time".into());
        tokio::time::timeout(self.timeout, asked).await.map_err(late)?
    }

    /// Counts and tells what came of a lookup.
    fn tell(&self, key: &Key, answer: &Result<Answer, LookupError>, now: Timestamp) {
        let (id, role) = (key.id.as_str(), key.role.code());
        match answer {
            Ok(answer) => {
                let known = !answer.entries.is_empty();
                self.counts.looked_up(if known { "found" } else { "unknown" });
                debug!(id, role, entries = answer.entries.len(), "looked up");
                self.tell_left_out(key, answer, now);
            }
            Err(reason) => {
                self.counts.looked_up(reason.code());
                if self.failure_told.is_due(now, WORD_MS) {
                    warn!(id, role, %reason, "the registry cannot be asked");
                }
            }
        }
    }

    fn tell_left_out(&self, key: &Key, answer: &Answer, now: Timestamp) {
        let Answer { foreign, unreadable, beyond, .. } = answer;
        self.counts.refused("foreign", *foreign);
        self.counts.refused("unreadable", unreadable.len() as u64);
        self.counts.refused("beyond-limit", *beyond);
        let Some(first) = unreadable.first().map(|reason| shortened(reason)).or_else(|| {
            (*foreign + *beyond > 0).then(|| "entries of others, or too many".to_owned())
        }) else {
            return;
        };
        if self.lie_told.is_due(now, WORD_MS) {
            let (id, role) = (key.id.as_str(), key.role.code());
            warn!(
                id,
                role,
                foreign,
                beyond,
                unreadable = unreadable.len(),
                first,
                "entries of the registry's answer were left out"
            );
        }
    }

    /// Takes up what was written down before, or by others.
    pub(super) async fn load(&self, now: Timestamp) -> Result<(), StoreError> {
        let is_news = |key: &Key, at| self.state().cache.is_news(key, at, now);
        for fetched in self.kept.load(now, is_news).await? {
            self.state().cache.take_up(fetched, now);
        }
        Ok(())
    }

    /// Everything that is written down.
    pub(super) async fn all(&self, now: Timestamp) -> Result<Vec<Fetched>, StoreError> {
        self.kept.all(now).await
    }

    /// Writes down what was looked up since the last time.
    pub(super) async fn flush(&self) -> Result<(), StoreError> {
        let fetched = self.state().cache.take_unwritten();
        if fetched.is_empty() {
            return Ok(());
        }
        let written = self.kept.write(&fetched).await;
        if written.is_err() {
            self.state().cache.not_written(fetched);
        }
        written
    }

    /// Writes down and takes up, until the task is dropped.
    pub(super) async fn run(&self) {
        let mut tick = tokio::time::interval(Duration::from_millis(LOOK_MS));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looks = 0_u32;
        loop {
            tick.tick().await;
            let now = time::now();
            let mut synced = async {
                self.flush().await?;
                self.load(now).await
            }
            .await;
            if looks.is_multiple_of(LOOKS_PER_PRUNING) && synced.is_ok() {
                synced = self.kept.prune(now).await;
            }
            looks = looks.wrapping_add(1);
            if let Err(error) = synced
                && self.store_told.is_due(now, WORD_MS)
            {
                error!(%error, "what the registry said cannot be written down or read");
            }
        }
    }
}

impl Flight {
    async fn fly(mut self, is_known: bool) {
        let live = Arc::clone(&self.live);
        let answer = live.ask(&self.key, is_known, self.asked_at).await;
        live.tell(&self.key, &answer, self.asked_at);
        self.over = true;
        let ended_at = self.ended_at();
        let mut state = live.state();
        match answer {
            Ok(answer) => {
                let entries = answer.entries.into();
                state.cache.answered(&self.key, entries, self.asked_at, ended_at);
            }
            Err(error) => state.cache.failed(&self.key, error.to_string(), ended_at),
        }
        state.flights.remove(&self.key);
    }

    fn ended_at(&self) -> Timestamp {
        let took_ms = i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.asked_at.plus_ms(took_ms)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.over {
            let mut state = self.live.state();
            state.cache.failed(&self.key, "the lookup was given up".into(), self.ended_at());
            state.flights.remove(&self.key);
        }
    }
}
