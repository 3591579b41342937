//! The intake: requests wait here for a moment and are committed together. An ACK is sent when the commit
//! is done, and what queued up meanwhile is the next group: nobody waits for a group to fill.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tracing::{error, warn};
use tripline_protocol::unit::Timestamp;

use super::Platform;
use super::request::{Asked, RequestError};
use crate::beckn::{Fault, FaultKind, Request, Selection};
use crate::store::StoreError;
use crate::store::retry::retry;
use crate::time;

/// Requests that wait to be committed. At a thousand a second it is a quarter of a second's worth: a longer
/// queue would only have everybody wait longer than a BAP does.
pub const REQUESTS_WAITING_MAX: usize = 256;

/// Requests committed in one transaction on SQLite, where a sync costs as much as many of them.
const GROUP_MAX: usize = 64;

/// The same on PostgreSQL: the rows that a group has locked are locked to its end.
const POSTGRES_GROUP_MAX: usize = 16;

/// Groups that PostgreSQL commits side by side.
const POSTGRES_WORKERS: usize = 4;

/// How long a request is remembered, in ms: 30 days. No signature holds for nearly as long.
pub const INBOX_KEPT_MS: i64 = 30 * 86_400_000;

/// How often requests are forgotten, in ms.
const FORGET_EVERY_MS: u64 = 60_000;

/// Requests forgotten in one transaction: others want to write, too.
const FORGOTTEN_AT_ONCE: u32 = 500;

/// Such transactions in a row. More are forgotten in a minute than come in.
const FORGET_STEPS_MAX: u32 = 400;

/// A request and where its outcome goes.
#[derive(Debug)]
pub struct Waiting {
    asked: Asked,
    outcome: oneshot::Sender<Result<(), Fault>>,
}

/// Where requests are handed in.
#[derive(Debug, Clone)]
pub struct Intake {
    queue: mpsc::Sender<Waiting>,
}

impl Intake {
    /// An intake, and what it feeds [`run`] with.
    pub fn new() -> (Self, mpsc::Receiver<Waiting>) {
        let (queue, waiting) = mpsc::channel(REQUESTS_WAITING_MAX);
        (Self { queue }, waiting)
    }

    /// Takes in a request. When this returns `Ok`, it is stored, and its answer with it. If nobody waits for
    /// that any more, it is carried out all the same.
    pub async fn take_in(&self, asked: Asked) -> Result<(), RequestError> {
        let (outcome, told) = oneshot::channel();
        self.queue.try_send(Waiting { asked, outcome }).map_err(|_| overload())?;
        told.await.map_err(|_| overload())?.map_err(RequestError::Fault)
    }
}

fn overload() -> Fault {
    Fault::new(FaultKind::Overload, "the request could not be stored; try again")
}

/// Commits until every [`Intake`] is gone.
pub async fn run(platform: Arc<Platform>, waiting: mpsc::Receiver<Waiting>) {
    // SQLite has one writer, and so one worker.
    if platform.store.has_one_backend() {
        work(platform, waiting, GROUP_MAX).await;
    } else {
        share_out(&platform, waiting).await;
    }
}

/// Has several workers commit. What concerns one order goes to the same, and so do repetitions of one
/// request: none waits there for another's transaction.
async fn share_out(platform: &Arc<Platform>, mut waiting: mpsc::Receiver<Waiting>) {
    let mut workers = JoinSet::new();
    let queues: Vec<_> = (0..POSTGRES_WORKERS)
        .map(|_| {
            let (queue, share) = mpsc::channel(REQUESTS_WAITING_MAX / POSTGRES_WORKERS);
            workers.spawn(work(Arc::clone(platform), share, POSTGRES_GROUP_MAX));
            queue
        })
        .collect();
    while let Some(one) = waiting.recv().await {
        // A worker that has ended ends this: the platform does not go on without it.
        if queues[worker_of(&one.asked)].send(one).await.is_err() {
            return;
        }
    }
    drop(queues);
    while workers.join_next().await.is_some() {}
}

fn worker_of(asked: &Asked) -> usize {
    let mut hasher = DefaultHasher::new();
    match &asked.received.request {
        Request::Status { order_id: id }
        | Request::Track { order_id: id }
        | Request::Init { selection: Selection::Order(id), .. }
        | Request::Confirm { selection: Selection::Order(id), .. } => id.hash(&mut hasher),
        Request::Init { selection: Selection::Fulfillment(id), .. }
        | Request::Confirm { selection: Selection::Fulfillment(id), .. } => id.hash(&mut hasher),
        Request::Search { .. }
        | Request::Select { .. }
        | Request::Init { selection: Selection::Anew { .. }, .. }
        | Request::Confirm { selection: Selection::Anew { .. }, .. } => {
            (&asked.subscriber_id, &asked.received.message_id).hash(&mut hasher);
        }
    }
    usize::try_from(hasher.finish() % POSTGRES_WORKERS as u64).unwrap_or_default()
}

async fn work(platform: Arc<Platform>, mut waiting: mpsc::Receiver<Waiting>, group_max: usize) {
    let mut group = Vec::with_capacity(group_max);
    while waiting.recv_many(&mut group, group_max).await > 0 {
        let (asked, senders): (Vec<_>, Vec<_>) =
            group.drain(..).map(|one| (one.asked, one.outcome)).unzip();
        commit(&platform, &asked, senders).await;
    }
}

/// Commits a group. If anything is in doubt about it, nothing of it is there, and each is tried alone: one
/// that cannot be stored takes no other with it.
async fn commit(
    platform: &Platform,
    group: &[Asked],
    senders: Vec<oneshot::Sender<Result<(), Fault>>>,
) {
    let outcomes = match platform.take_in_requests(group).await {
        Ok(outcomes) => outcomes,
        Err(error) if error.is_of_the_store() => {
            error!(%error, requests = group.len(), "requests not stored");
            group.iter().map(|_| Err(overload())).collect()
        }
        Err(error) => {
            warn!(%error, requests = group.len(), "requests not stored together; one by one");
            one_by_one(platform, group).await
        }
    };
    for (sender, outcome) in senders.into_iter().zip(outcomes) {
        // Whoever hung up asks again, and is told then.
        let _ = sender.send(outcome);
    }
}

async fn one_by_one(platform: &Platform, group: &[Asked]) -> Vec<Result<(), Fault>> {
    let mut outcomes = Vec::with_capacity(group.len());
    for asked in group {
        let alone = retry(|| platform.take_in_requests(std::slice::from_ref(asked))).await;
        outcomes.push(match alone.map(|mut outcomes| outcomes.pop()) {
            Ok(outcome) => outcome.unwrap_or_else(|| Err(overload())),
            Err(error) => {
                let action = asked.received.request.action();
                error!(%error, ?action, subscriber = asked.subscriber_id, "request not stored");
                Err(overload())
            }
        });
    }
    outcomes
}

/// Forgets requests so old that nobody can repeat them, until the task is dropped.
pub async fn forget(platform: Arc<Platform>) {
    let mut tick = tokio::time::interval(Duration::from_millis(FORGET_EVERY_MS));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = platform.forget_requests(time::now()).await {
            error!(%error, "old requests cannot be forgotten");
        }
    }
}

impl Platform {
    /// Forgets requests older than [`INBOX_KEPT_MS`], a bounded number of them; says how many.
    pub async fn forget_requests(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        for _ in 0..FORGET_STEPS_MAX {
            let step = self.forget_some(now.plus_ms(-INBOX_KEPT_MS)).await?;
            forgotten += step;
            if step < u64::from(FORGOTTEN_AT_ONCE) {
                break;
            }
        }
        Ok(forgotten)
    }

    async fn forget_some(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.store.write().await?;
        let forgotten = tx.forget_requests(before, FORGOTTEN_AT_ONCE).await?;
        tx.commit().await?;
        Ok(forgotten)
    }
}
