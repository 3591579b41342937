//! Requests at a fixed rate, whether the ones before are answered or not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use tokio::task::JoinSet;

use super::baps::{Baps, HEALTHY, HOLE, Run};

/// Longest wait for an ACK.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Longest wait for the last callback after the last request.
const CALLBACKS_WITHIN: Duration = Duration::from_mins(2);

const LOOK_EVERY: Duration = Duration::from_millis(50);

static RUNS: AtomicU64 = AtomicU64::new(1);

/// How it went.
pub(super) struct Outcome {
    per_s: f64,
    offered: usize,
    acknowledged: usize,
    /// Callbacks that never came, of those that are answered.
    lost: usize,
    /// From the time a request was due to its ACK, shortest first.
    ack_waits: Vec<Duration>,
    /// From the ACK to the callback at the healthy ones, shortest first.
    pub(super) callback_waits: Vec<Duration>,
}

/// Offers requests of the healthy ones and of `fifth`, in turn.
pub(super) async fn offer(
    baps: &Baps,
    per_s: u64,
    lasts: Duration,
    fifth: usize,
) -> Result<Outcome> {
    let requests = usize::try_from(per_s * lasts.as_secs())?;
    let senders: Vec<_> = (0..HEALTHY).chain([fifth]).collect();
    let sender = |n: usize| senders[n % senders.len()];
    let http = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build()?;
    let begun = Instant::now() + Duration::from_millis(100);
    let run = Arc::new(Run::new(RUNS.fetch_add(1, Ordering::Relaxed), begun, requests));
    baps.begin(&run);
    let url = format!("{}/init", baps.bpp_uri);
    let mut sent = JoinSet::new();
    for n in 0..requests {
        let due = begun + Duration::from_micros(n as u64 * 1_000_000 / per_s);
        tokio::time::sleep_until(due.into()).await;
        let (body, authorization) = baps.request(sender(n), run.number, n);
        let request = http.post(&url).header(CONTENT_TYPE, "application/json");
        let request = request.header(AUTHORIZATION, authorization).body(body);
        let run = Arc::clone(&run);
        sent.spawn(async move {
            let Ok(answer) = request.send().await else { return None };
            let is_ack = answer.status().is_success()
                && answer.text().await.is_ok_and(|text| text.contains("\"ACK\""));
            is_ack.then(|| {
                run.note(&run.acknowledged_us, n);
                due.elapsed()
            })
        });
    }
    let mut ack_waits: Vec<_> = sent.join_all().await.into_iter().flatten().collect();
    let took = begun.elapsed();
    ack_waits.sort_unstable();
    let lost = wait_for_callbacks(&run, |n| sender(n) != HOLE).await;
    ensure!(!ack_waits.is_empty(), "nothing was acknowledged");
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    let per_s = ack_waits.len() as f64 / took.as_secs_f64();
    Ok(Outcome {
        per_s,
        offered: requests,
        acknowledged: ack_waits.len(),
        lost,
        ack_waits,
        callback_waits: callback_waits(&run, |n| sender(n) < HEALTHY),
    })
}

/// Waits until every acknowledged request that is meant has its callback; gives how many have none.
async fn wait_for_callbacks(run: &Run, is_meant: impl Fn(usize) -> bool) -> usize {
    let until = Instant::now() + CALLBACKS_WITHIN;
    loop {
        let missing =
            times(run).filter(|(n, acked, called)| is_meant(*n) && *acked > 0 && *called == 0);
        let missing = missing.count();
        if missing == 0 || Instant::now() >= until {
            return missing;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn callback_waits(run: &Run, is_meant: impl Fn(usize) -> bool) -> Vec<Duration> {
    let mut waits: Vec<_> = times(run)
        .filter(|(n, acked, called)| is_meant(*n) && *acked > 0 && *called > 0)
        // A callback may be here before its ACK is read.
        .map(|(_, acked, called)| Duration::from_micros(called.saturating_sub(acked)))
        .collect();
    waits.sort_unstable();
    waits
}

/// Number, ACK and callback of each request.
fn times(run: &Run) -> impl Iterator<Item = (usize, u64, u64)> {
    let load = |time: &AtomicU64| time.load(Ordering::Relaxed);
    let both = run.acknowledged_us.iter().zip(&run.called_us).enumerate();
    both.map(move |(n, (acked, called))| (n, load(acked), load(called)))
}

impl Outcome {
    /// Whether every request was acknowledged, and every callback came that was to come.
    pub(super) const fn is_all_taken(&self) -> bool {
        self.not_taken() == 0
    }

    /// Requests that were not acknowledged, or whose callback was to come and never did.
    pub(super) const fn not_taken(&self) -> usize {
        self.offered - self.acknowledged + self.lost
    }

    pub(super) fn ack_ms(&self, percent: usize) -> f64 {
        quantile_ms(&self.ack_waits, percent)
    }

    /// For people to read, with the platform's processor time.
    pub(super) fn told(&self, cpu: Duration) -> String {
        let requests = u32::try_from(self.acknowledged.max(1)).unwrap_or(u32::MAX);
        format!(
            "{:.0} ACKed a second, {} of {} refused, {} callbacks lost; ACK p50 {:.1} ms, p99 {:.1} \
             ms; ACK to callback p50 {:.1} ms, p99 {:.1} ms; {} us of the platform's processor time \
             each",
            self.per_s,
            self.offered - self.acknowledged,
            self.offered,
            self.lost,
            self.ack_ms(50),
            self.ack_ms(99),
            quantile_ms(&self.callback_waits, 50),
            quantile_ms(&self.callback_waits, 99),
            (cpu / requests).as_micros(),
        )
    }
}

/// A quantile of waits that are in order, in ms.
pub(super) fn quantile_ms(waits: &[Duration], percent: usize) -> f64 {
    let at = (waits.len() * percent / 100).max(1) - 1;
    waits.get(at).map_or(f64::NAN, |wait| wait.as_secs_f64() * 1e3)
}
