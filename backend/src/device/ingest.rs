//! The ingest task: commits batches of many devices together, and answers each once it is committed.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tracing::error;

use crate::service::{Applied, Platform, Submission};

/// Batches waiting to be committed; beyond it the connections wait, and with them their devices.
pub const BATCHES_WAITING_MAX: usize = 1024;

/// Batches committed in one transaction.
const GROUP_MAX: usize = 128;

/// A batch and where its outcome goes. Dropped without an answer: it was not committed.
#[derive(Debug)]
pub struct Submitted {
    /// The batch.
    pub submission: Submission,
    /// Where the outcome goes.
    pub applied: oneshot::Sender<Applied>,
}

/// Commits until every sender is gone.
pub async fn run(platform: Arc<Platform>, mut submitted: mpsc::Receiver<Submitted>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while submitted.recv_many(&mut group, GROUP_MAX).await > 0 {
        let (submissions, senders): (Vec<_>, Vec<_>) =
            group.drain(..).map(|one| (one.submission, one.applied)).unzip();
        match platform.ingest(&submissions).await {
            Ok(applied) => answer(senders, applied),
            // One of them may be what the database chokes on: the others must not suffer for it.
            Err(error) => {
                error!(%error, batches = submissions.len(), "group not committed; one by one");
                commit_alone(&platform, submissions, senders).await;
            }
        }
    }
}

fn answer(senders: Vec<oneshot::Sender<Applied>>, applied: Vec<Applied>) {
    for (sender, applied) in senders.into_iter().zip(applied) {
        // A connection that ended meanwhile has its device send the batch again.
        let _ = sender.send(applied);
    }
}

async fn commit_alone(
    platform: &Platform,
    submissions: Vec<Submission>,
    senders: Vec<oneshot::Sender<Applied>>,
) {
    for (submission, sender) in submissions.into_iter().zip(senders) {
        let device = submission.device.clone();
        match platform.ingest(&[submission]).await {
            Ok(applied) => answer(vec![sender], applied),
            Err(error) => error!(%device, %error, "batch not committed"),
        }
    }
}
