//! The outbox worker: looks whose turn it is, has each delivered in a task of its own, notes what came of it.
//!
//! One transaction a look holds everything: what came of attempts, whose time is over, who goes next. A
//! commit each would be two syncs a callback.

mod look;
mod outcome;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{debug, error, info, warn};
use tripline_protocol::unit::Timestamp;

use self::outcome::{EXPIRED, Outcome, conclude};
use super::bulkhead::Bulkhead;
use super::post::{Attempt, Health, Poster};
use super::{backlog, prune};
use crate::beckn::callback_label;
use crate::chance;
use crate::metrics::ActionOutcome;
use crate::network::standing::Standing;
use crate::service::Platform;
use crate::store::StoreError;
use crate::store::callback::{DueCallback, Expired, Note, Noted};
use crate::store::retry::retry;
use crate::time;

/// Deliveries at once. Each has a connection, and those are not to take the file descriptors of others
/// ([`crate::listen::descriptors`] keeps some for them).
const DELIVERIES_MAX: usize = 256;

/// The outbox is looked at at least this often, in ms, whatever rings or does not.
const LOOK_MS_MAX: i64 = 1_000;

/// Pause between two looks, in ms. What gathers meanwhile shares a transaction.
const LOOK_MS_MIN: u64 = 10;

/// First bound of the wait between attempts, in ms. It doubles.
const RETRY_MS_MIN: u64 = 500;

/// What a lease has beyond three times the time-out, in ms: an attempt takes two at most.
const LEASE_GRACE_MS: u64 = 10_000;

/// Subscribers of whom it is remembered how they fare. Of more, those who fare well are forgotten.
const BULKHEADS_MAX: usize = 1_024;

/// How callbacks are retried.
#[derive(Debug, Clone, Copy)]
pub struct RetryRules {
    /// Longest wait between attempts, in ms.
    pub retry_ms_max: u64,
    /// Longest an attempt waits for its answer, in ms.
    pub timeout_ms: u64,
}

impl RetryRules {
    /// Well beyond the time an attempt and its note may take, in ms: another backend takes over only what
    /// nobody finishes.
    fn lease_ms(self) -> i64 {
        let lease_ms = self.timeout_ms.saturating_mul(3).saturating_add(LEASE_GRACE_MS);
        i64::try_from(lease_ms).unwrap_or(i64::MAX)
    }
}

/// Delivers, says for whom too much waits, and forgets what is over for long, until the task is dropped.
pub async fn run(platform: Arc<Platform>, poster: Poster, rules: RetryRules) {
    if let Err(error) = platform.store.forget_claims(time::now()).await {
        error!(%error, "callbacks that were under way wait for their leases to run out");
    }
    let worker = Worker::new(Arc::clone(&platform), poster, rules);
    tokio::join!(worker.run(), prune::run(&platform.store), backlog::run(&platform));
}

/// An attempt that is over, and how long it took.
type Ended = (Attempt, Duration);

struct Worker {
    platform: Arc<Platform>,
    poster: Poster,
    rules: RetryRules,
    standing: watch::Receiver<Standing>,
    bulkheads: HashMap<String, Bulkhead>,
    running: JoinSet<Ended>,
    in_flight: HashMap<Id, DueCallback>,
    /// What the store is still to be told. As long as it cannot be told, no attempt begins, so that there
    /// are no more of these than there were attempts.
    notes: Vec<Note>,
    /// Which subscriber comes first; another one each look.
    first: usize,
}

impl Worker {
    fn new(platform: Arc<Platform>, poster: Poster, rules: RetryRules) -> Self {
        Self {
            standing: platform.standing.subscribe(),
            platform,
            poster,
            rules,
            bulkheads: HashMap::new(),
            running: JoinSet::new(),
            in_flight: HashMap::new(),
            notes: Vec::new(),
            first: 0,
        }
    }

    async fn run(mut self) {
        loop {
            match self.look().await {
                Ok(next) => self.rest(next).await,
                Err(error) => {
                    error!(%error, "outbox cannot be looked after");
                    tokio::time::sleep(Duration::from_millis(RETRY_MS_MIN)).await;
                }
            }
        }
    }

    /// One look at the outbox; gives when there is something to be done next, as far as it is known.
    async fn look(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let now = time::now();
        let outlook = self.outlook(now).await?;
        if self.notes.is_empty() && outlook.next.is_none_or(|next| next > now) {
            return Ok(outlook.next);
        }
        let done = retry(|| self.write(now)).await?;
        self.first = self.first.wrapping_add(1);
        self.notes.clear();
        self.tell_expired(&done.expired);
        for due in done.claimed {
            self.start(due);
        }
        self.forget_bulkheads();
        Ok(self.outlook(now).await?.next)
    }

    /// Has a callback delivered.
    fn start(&mut self, due: DueCallback) {
        self.bulkheads.entry(due.subscriber_id.clone()).or_default().begun();
        let (poster, posted) = (self.poster.clone(), due.clone());
        let task = self.running.spawn(async move {
            let begun = Instant::now();
            let attempt = poster.post(&posted).await;
            (attempt, begun.elapsed())
        });
        self.in_flight.insert(task.id(), due);
    }

    /// Waits until there may be something to do: a callback was written, an attempt is over, the network is
    /// served again, or it is time.
    async fn rest(&mut self, next: Option<Timestamp>) {
        tokio::time::sleep(Duration::from_millis(LOOK_MS_MIN)).await;
        let now = time::now();
        let wait_ms = next.map_or(LOOK_MS_MAX, |next| next.since_ms(now).clamp(0, LOOK_MS_MAX));
        let wait = Duration::from_millis(wait_ms.unsigned_abs());
        tokio::select! {
            () = self.platform.outbox.notified() => {}
            Some(ended) = self.running.join_next_with_id() => self.take_note(ended),
            Ok(()) = self.standing.changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
        while let Some(ended) = self.running.try_join_next_with_id() {
            self.take_note(ended);
        }
    }

    /// An attempt is over: it says how the subscriber fares, and what is to be noted.
    fn take_note(&mut self, ended: Result<(Id, Ended), JoinError>) {
        let (id, (attempt, took)) = ended.unwrap_or_else(|error| {
            error!(%error, "an attempt broke off");
            let attempt = Attempt::later("the attempt broke off", Health::Unknown);
            (error.id(), (attempt, Duration::ZERO))
        });
        let Some(due) = self.in_flight.remove(&id) else { return };
        let now = time::now();
        if let Some(bulkhead) = self.bulkheads.get_mut(&due.subscriber_id) {
            let was_open = bulkhead.is_open();
            bulkhead.ended(now, attempt.health(), self.rules.retry_ms_max);
            tell_breaker(&due.subscriber_id, was_open, bulkhead.is_open());
        }
        let outcome = conclude(due, &attempt, now, self.rules.retry_ms_max, chance::below);
        tell(&outcome, &attempt);
        self.count(&outcome.note.due.action, outcome.code);
        self.platform.metrics.callback_seconds.observe(took.as_secs_f64());
        self.count_breakers();
        self.notes.push(outcome.note);
    }

    fn count(&self, action: &str, outcome: &'static str) {
        let labels = ActionOutcome { action: callback_label(action), outcome };
        self.platform.metrics.callbacks.get_or_create(&labels).inc();
    }

    fn count_breakers(&self) {
        let open = self.bulkheads.values().filter(|bulkhead| bulkhead.is_open()).count();
        self.platform.metrics.breakers_open.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    fn tell_expired(&self, expired: &[Expired]) {
        for Expired { order_key, sequence, subscriber_id, action } in expired {
            error!(
                action,
                order_key, subscriber_id, sequence, "callback given up: its time is over"
            );
            self.count(action, EXPIRED);
        }
    }

    fn forget_bulkheads(&mut self) {
        if self.bulkheads.len() > BULKHEADS_MAX {
            self.bulkheads.retain(|_, bulkhead| !bulkhead.is_idle());
        }
    }
}

/// One line an attempt. A peer's own words are for the operator, who asks for them, not for the log.
fn tell(outcome: &Outcome, attempt: &Attempt) {
    let DueCallback { action, order_key, subscriber_id, sequence, attempts, .. } =
        &outcome.note.due;
    match (attempt, outcome.note.noted) {
        (Attempt::Taken, _) => {
            debug!(action, order_key, subscriber_id, sequence, attempts, "callback delivered");
        }
        (Attempt::Refused { logged: reason, .. } | Attempt::Forbidden { reason }, _)
        | (Attempt::Later { reason, .. }, Noted::Finished(..)) => {
            error!(
                action,
                order_key, subscriber_id, sequence, attempts, reason, "callback given up"
            );
        }
        (Attempt::Later { reason, .. }, Noted::PutOff(_)) => {
            warn!(action, order_key, subscriber_id, sequence, attempts, reason, "callback put off");
        }
    }
}

fn tell_breaker(subscriber_id: &str, was_open: bool, is_open: bool) {
    match (was_open, is_open) {
        (false, true) => {
            warn!(subscriber_id, "subscriber does not answer; it is only probed until it does");
        }
        (true, false) => info!(subscriber_id, "subscriber answers again"),
        (false, false) | (true, true) => {}
    }
}
