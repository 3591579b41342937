//! The intake: requests wait here for a moment and are committed together. An ACK is sent when the commit
//! is done, and what queued up meanwhile is the next group: nobody waits for a group to fill.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, sleep, timeout};
use tracing::{error, warn};
use tripline_protocol::unit::Timestamp;

use super::Platform;
use super::request::{Asked, RequestError, Taken};
use crate::beckn::{Fault, FaultKind, Request};
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

/// Longest wait for a commit, in ms. A BAP has long given up by then; the request may be stored all the same,
/// and its repetition is told so.
const ANSWER_MS_MAX: u64 = 30_000;

/// How long a request is remembered, in ms: 30 days. No signature holds for nearly as long.
pub const INBOX_KEPT_MS: i64 = 30 * 86_400_000;

/// How often requests are forgotten, in ms.
const FORGET_EVERY_MS: u64 = 60_000;

/// Requests forgotten in one transaction: others want to write, too.
const FORGOTTEN_AT_ONCE: u32 = 500;

/// Such transactions in a row. More are forgotten in a minute than come in.
const FORGET_STEPS_MAX: u32 = 400;

/// The pause between two of them, in ms: others write in between.
const FORGET_STEP_MS: u64 = 100;

/// What became of a request.
type Outcome = Result<Taken, Fault>;

/// A request and where its outcome goes.
#[derive(Debug)]
pub struct Waiting {
    asked: Asked,
    outcome: oneshot::Sender<Outcome>,
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
    ///
    /// It is waited for 30 s: beyond that it is refused as overload, though it may be stored later.
    pub async fn take_in(&self, asked: Asked) -> Result<Taken, RequestError> {
        let (outcome, told) = oneshot::channel();
        self.queue.try_send(Waiting { asked, outcome }).map_err(|_| overload())?;
        Ok(told_within(Duration::from_millis(ANSWER_MS_MAX), told).await?)
    }
}

async fn told_within(limit: Duration, told: oneshot::Receiver<Outcome>) -> Outcome {
    match timeout(limit, told).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) | Err(_) => Err(overload()),
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

/// Has several workers commit. What names one order goes to the same, and so do repetitions of one
/// request: none waits there for another's transaction. Where a worker's queue is full, only what is for it
/// is refused.
async fn share_out(platform: &Arc<Platform>, mut waiting: mpsc::Receiver<Waiting>) {
    let mut workers = JoinSet::new();
    let queues: Vec<_> = (0..POSTGRES_WORKERS)
        .map(|_| {
            let (queue, share) = mpsc::channel(REQUESTS_WAITING_MAX / POSTGRES_WORKERS);
            workers.spawn(work_beside_others(Arc::clone(platform), share));
            queue
        })
        .collect();
    while let Some(one) = waiting.recv().await {
        // A worker that has ended ends this: the platform does not go on without it.
        if hand_over(&queues[worker_of(&one.asked)], one).is_break() {
            return;
        }
    }
    drop(queues);
    while workers.join_next().await.is_some() {}
}

/// Puts a request into a worker's queue, or refuses it if that is full. Breaks if the worker has ended.
fn hand_over(queue: &mpsc::Sender<Waiting>, one: Waiting) -> ControlFlow<()> {
    match queue.try_send(one) {
        Ok(()) => ControlFlow::Continue(()),
        Err(TrySendError::Full(one)) => {
            // Whoever hung up asks again.
            let _ = one.outcome.send(Err(overload()));
            ControlFlow::Continue(())
        }
        Err(TrySendError::Closed(_)) => ControlFlow::Break(()),
    }
}

fn worker_of(asked: &Asked) -> usize {
    let mut hasher = DefaultHasher::new();
    match asked.received.request.order() {
        Some(name) => name.hash(&mut hasher),
        None => (&asked.subscriber_id, &asked.received.message_id).hash(&mut hasher),
    }
    usize::try_from(hasher.finish() % POSTGRES_WORKERS as u64).unwrap_or_default()
}

/// Commits what waits, in groups, where nobody else does.
async fn work(platform: Arc<Platform>, mut waiting: mpsc::Receiver<Waiting>, group_max: usize) {
    let mut group = Vec::with_capacity(group_max);
    while waiting.recv_many(&mut group, group_max).await > 0 {
        commit(&platform, group.drain(..)).await;
    }
}

/// Commits what waits, in groups that meet those of others, here and in other processes. Two groups that
/// lock the same rows lock them in the same order, and a booking is committed alone: the vehicle that it
/// takes is what all the others want.
async fn work_beside_others(platform: Arc<Platform>, mut waiting: mpsc::Receiver<Waiting>) {
    let mut group = Vec::with_capacity(POSTGRES_GROUP_MAX);
    while waiting.recv_many(&mut group, POSTGRES_GROUP_MAX).await > 0 {
        for part in arranged(&mut group) {
            commit(&platform, part).await;
        }
    }
}

/// What is committed together, part after part: in the order of the locks, and the bookings each alone.
fn arranged(group: &mut Vec<Waiting>) -> Vec<Vec<Waiting>> {
    let (bookings, mut together): (Vec<_>, Vec<_>) = group.drain(..).partition(is_booking);
    together.sort_by_cached_key(place);
    let together = (!together.is_empty()).then_some(together);
    together.into_iter().chain(bookings.into_iter().map(|booking| vec![booking])).collect()
}

fn is_booking(one: &Waiting) -> bool {
    matches!(one.asked.received.request, Request::Confirm { .. } | Request::Update(_))
}

/// A request's place in a group: by the rows that it locks, the order's and its own in the inbox.
fn place(one: &Waiting) -> (Option<String>, String, &'static str, String) {
    let Asked { subscriber_id, received, .. } = &one.asked;
    let action = received.request.action().code();
    let order = received.request.order();
    (order, subscriber_id.clone(), action, received.message_id.clone())
}

/// Commits a group. If anything is in doubt about it, nothing of it is there, and each is tried alone: one
/// that cannot be stored takes no other with it.
async fn commit(platform: &Platform, group: impl IntoIterator<Item = Waiting>) {
    let (group, senders): (Vec<_>, Vec<_>) =
        group.into_iter().map(|one| (one.asked, one.outcome)).unzip();
    let outcomes = match platform.take_in_requests(&group).await {
        Ok(outcomes) => outcomes,
        Err(error) if error.is_of_the_store() => {
            error!(%error, requests = group.len(), "requests not stored");
            group.iter().map(|_| Err(overload())).collect()
        }
        Err(error) => {
            warn!(%error, requests = group.len(), "requests not stored together; one by one");
            one_by_one(platform, &group).await
        }
    };
    for (sender, outcome) in senders.into_iter().zip(outcomes) {
        // Whoever hung up asks again, and is told then.
        let _ = sender.send(outcome);
    }
}

async fn one_by_one(platform: &Platform, group: &[Asked]) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(group.len());
    for asked in group {
        let alone = retry(|| platform.take_in_requests(std::slice::from_ref(asked))).await;
        outcomes.push(match alone.map(|mut outcomes| outcomes.pop()) {
            Ok(outcome) => outcome.unwrap_or_else(|| Err(overload())),
            Err(error) => {
                let action = asked.received.request.action().code();
                error!(%error, action, subscriber = asked.subscriber_id, "request not stored");
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
            let step = retry(|| self.forget_some(now.plus_ms(-INBOX_KEPT_MS))).await?;
            forgotten += step;
            if step < u64::from(FORGOTTEN_AT_ONCE) {
                break;
            }
            sleep(Duration::from_millis(FORGET_STEP_MS)).await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beckn::parse;

    const ORDERS: [&str; 2] =
        ["6743e9e2-4fb5-487c-92b7-13ba8018f176", "5743e9e2-4fb5-487c-92b7-13ba8018f176"];

    type Told = oneshot::Receiver<Outcome>;

    fn waiting(action: &str, message_id: &str, message: &str) -> (Waiting, Told) {
        let context = format!(
            r#"{{"domain":"d","country":"IND","city":"std:080","action":"{action}","core_version":"0.9.4",
            "bap_id":"b","bap_uri":"http://b","transaction_id":"t","message_id":"{message_id}",
            "timestamp":"2026-01-01T00:00:00Z"}}"#
        );
        let body = format!(r#"{{"context":{context},"message":{message}}}"#);
        let received = parse(action, body.as_bytes()).expect("good");
        let (outcome, told) = oneshot::channel();
        (
            Waiting {
                asked: Asked { subscriber_id: "b".into(), received, too_late: None },
                outcome,
            },
            told,
        )
    }

    fn status(message_id: &str, order: usize) -> (Waiting, Told) {
        waiting("status", message_id, &format!(r#"{{"order_id":"{}"}}"#, ORDERS[order]))
    }

    fn confirm(message_id: &str, order: usize) -> (Waiting, Told) {
        waiting("confirm", message_id, &format!(r#"{{"order":{{"id":"{}"}}}}"#, ORDERS[order]))
    }

    #[tokio::test]
    async fn a_full_queue_refuses_what_is_for_it_at_once_and_an_ended_worker_ends_it() {
        let (queue, mut share) = mpsc::channel(1);
        let (first, mut first_told) = status("m-1", 0);
        let (second, second_told) = status("m-2", 0);
        assert!(hand_over(&queue, first).is_continue());
        assert!(hand_over(&queue, second).is_continue());
        let refused = second_told.await.expect("told").map_err(|fault| fault.kind);
        assert_eq!(refused, Err(FaultKind::Overload));
        assert!(first_told.try_recv().is_err(), "it waits");
        assert!(share.recv().await.is_some());
        drop(share);
        assert!(hand_over(&queue, status("m-3", 0).0).is_break());
    }

    #[test]
    fn a_group_locks_in_one_order_and_bookings_are_alone_and_last() {
        let all = [confirm("m-2", 0), status("m-5", 0), status("m-4", 1), confirm("m-1", 1)];
        let further = [status("m-3", 0), status("m-6", 1)];
        let mut group: Vec<_> = all.into_iter().chain(further).map(|(one, _)| one).collect();
        let parts = arranged(&mut group);
        let ids: Vec<Vec<_>> = parts
            .iter()
            .map(|part| part.iter().map(|one| &*one.asked.received.message_id).collect())
            .collect();
        assert_eq!(ids, [vec!["m-4", "m-6", "m-3", "m-5"], vec!["m-2"], vec!["m-1"]]);
        assert!(group.is_empty() && arranged(&mut group).is_empty());
    }

    #[tokio::test]
    async fn a_commit_that_does_not_come_is_not_waited_for_for_ever() {
        let (_outcome, told) = oneshot::channel();
        let outcome = told_within(Duration::from_millis(1), told).await;
        assert_eq!(outcome.map_err(|fault| fault.kind), Err(FaultKind::Overload));
        let (outcome, told) = oneshot::channel();
        outcome.send(Ok(Taken::New)).expect("waited for");
        assert_eq!(told_within(Duration::from_mins(1), told).await, Ok(Taken::New));
    }
}
