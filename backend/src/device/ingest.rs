//! The ingest task: commits batches of many devices together, and answers each once it is committed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::{error, warn};
use tripline_protocol::id::DeviceId;

use crate::service::{Applied, Platform, ServiceError, Submission};

/// Batches waiting to be committed; beyond it the connections wait, and with them their devices.
pub const BATCHES_WAITING_MAX: usize = 1024;

/// Batches committed in one transaction. What waits while the one before it is synced goes together, so
/// groups grow with the load; this bounds how long one takes, and what is tried again when one fails.
pub const GROUP_MAX: usize = 512;

/// How long a group of fewer than [`GATHER_BELOW`] waits for more, in ms. A transaction costs many times
/// what a batch in it does, and on a machine that is busy with TLS this is processor time gained. Nobody
/// notices the wait: a driver has the answer before the event is sent.
const GATHER_MS: u64 = 10;

/// A group of so many is large enough.
const GATHER_BELOW: usize = 64;

/// Groups that PostgreSQL syncs side by side. More of them would only be smaller.
const WORKERS: usize = 4;

/// A batch and where its outcome goes. Dropped without an answer: it was not committed.
#[derive(Debug)]
pub struct Submitted {
    /// The batch.
    pub submission: Submission,
    /// Where the outcome goes.
    pub applied: oneshot::Sender<Applied>,
}

/// Commits until every sender is gone.
pub async fn run(platform: Arc<Platform>, submitted: mpsc::Receiver<Submitted>) {
    // SQLite has one writer, and so one worker.
    if platform.store.has_one_backend() {
        work(platform, submitted).await;
    } else {
        share_out(&platform, submitted).await;
    }
}

/// Has several workers commit, each for devices of its own: what one device sends stays in order.
async fn share_out(platform: &Arc<Platform>, mut submitted: mpsc::Receiver<Submitted>) {
    let mut workers = JoinSet::new();
    let senders: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (sender, receiver) = mpsc::channel(BATCHES_WAITING_MAX / WORKERS);
            workers.spawn(work(Arc::clone(platform), receiver));
            sender
        })
        .collect();
    while let Some(one) = submitted.recv().await {
        let worker = worker_of(&one.submission.device);
        // It has ended, and so does this: the platform does not go on without it.
        if senders[worker].send(one).await.is_err() {
            return;
        }
    }
    drop(senders);
    while workers.join_next().await.is_some() {}
}

fn worker_of(device: &DeviceId) -> usize {
    let mut hasher = DefaultHasher::new();
    device.hash(&mut hasher);
    usize::try_from(hasher.finish() % WORKERS as u64).unwrap_or_default()
}

async fn work(platform: Arc<Platform>, mut submitted: mpsc::Receiver<Submitted>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while submitted.recv_many(&mut group, GROUP_MAX).await > 0 {
        gather(&mut group, &mut submitted).await;
        let (submissions, senders): (Vec<_>, Vec<_>) =
            group.drain(..).map(|one| (one.submission, one.applied)).unzip();
        commit(&platform, &submissions, senders).await;
    }
}

/// Lets a small group grow.
async fn gather(group: &mut Vec<Submitted>, submitted: &mut mpsc::Receiver<Submitted>) {
    if group.len() < GATHER_BELOW {
        tokio::time::sleep(Duration::from_millis(GATHER_MS)).await;
    }
    while group.len() < GROUP_MAX
        && let Ok(one) = submitted.try_recv()
    {
        group.push(one);
    }
}

/// Commits a group. If the database chokes on it, its halves, and so on: the batch at fault is found
/// with few transactions, and the others do not suffer for it.
async fn commit(
    platform: &Platform,
    submissions: &[Submission],
    mut senders: Vec<oneshot::Sender<Applied>>,
) {
    let mut left = submissions;
    // Sizes of the groups to come, the next one last.
    let mut sizes = vec![submissions.len()];
    while let Some(size) = sizes.pop() {
        let (group, rest) = left.split_at(size);
        match platform.ingest(group).await {
            Err(error) if size > 1 && !error.is_of_the_store() => {
                warn!(%error, batches = size, "group not committed; by halves");
                sizes.extend([size - size / 2, size / 2]);
            }
            Err(error) => {
                left = rest;
                // Dropped, they tell their connections.
                senders.drain(..size);
                tell_not_committed(group, &error);
            }
            Ok(applied) => {
                left = rest;
                answer(senders.drain(..size), applied);
            }
        }
    }
}

fn answer(senders: impl Iterator<Item = oneshot::Sender<Applied>>, applied: Vec<Applied>) {
    for (sender, applied) in senders.zip(applied) {
        // A connection that ended meanwhile has its device send the batch again.
        let _ = sender.send(applied);
    }
}

fn tell_not_committed(group: &[Submission], error: &ServiceError) {
    match group {
        [batch] => error!(device = %batch.device, %error, "batch not committed"),
        group => error!(batches = group.len(), %error, "batches not committed"),
    }
}
