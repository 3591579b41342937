//! What the platform commits: trail batches of 5 fixes from 10,000 devices, straight into the ingest
//! task, over SQLite and PostgreSQL. Nothing but the store is measured: no TLS, no MQTT.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tripline_backend::audit::Audit;
use tripline_backend::config::Config;
use tripline_backend::device::ingest::{self, BATCHES_WAITING_MAX, Submitted};
use tripline_backend::domain::order::Vehicle;
use tripline_backend::service::{Applied, Lane, Platform, Submission};
use tripline_backend::store::Store;
use tripline_backend::time;
use tripline_protocol::fix::FixType;
use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::envelope::encode;
use tripline_protocol::link::trail::{TrailBatch, TrailEntry, TrailFix};
use tripline_protocol::link::up::Stream;
use tripline_protocol::signing::SecretKey;
use tripline_protocol::unit::{Position, Timestamp};
use tripline_tests::world::TestDatabase;

use crate::{Data, Row};

const DEVICES: u32 = 10_000;
const FIXES: u32 = 5;
const EPOCH: JournalEpoch = JournalEpoch(1);

/// Batches a device sends in each measurement.
const ROUNDS: u32 = 3;

/// Over which time a round is spread in the second measurement: the load that is to be borne.
const ROUND: Duration = Duration::from_secs(5);

pub(super) fn rows(_: &Data) -> Vec<Row> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measured()).expect("both stores take everything")
}

async fn measured() -> Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let sqlite = format!("sqlite:{}", dir.path().join("bench.db").display());
    let mut rows = on_store(&sqlite, "SQLite").await?;
    if let Some(database) = TestDatabase::create().await? {
        rows.extend(on_store(&database.url, "PostgreSQL").await?);
    }
    Ok(rows)
}

async fn on_store(url: &str, name: &str) -> Result<Vec<Row>> {
    let platform = Arc::new(platform(url).await?);
    let (ingest, submitted) = mpsc::channel(BATCHES_WAITING_MAX);
    let task = tokio::spawn(ingest::run(Arc::clone(&platform), submitted));
    let flood = at_once(&ingest).await?;
    let offered = spread(&ingest).await?;
    drop(ingest);
    task.await?;
    let mut tx = platform.store.read().await?;
    for n in [0, DEVICES / 2, DEVICES - 1] {
        let kept = tx.cursors(&device(n), Stream::Trail).await?;
        ensure!(kept == [(EPOCH, Sequence(u64::from(2 * ROUNDS * FIXES)))], "{n}: {kept:?}");
    }
    drop(tx);
    platform.store.close().await;
    Ok(vec![flood.at_once(name), offered.spread(name)])
}

/// A platform with the vehicles, over an empty store.
async fn platform(url: &str) -> Result<Platform> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backend/bpp.sample.toml");
    let settings = Config::load(&sample)?.settings();
    let store = Store::open(url).await?;
    let mut tx = store.write().await?;
    for n in 0..DEVICES {
        let vehicle = Vehicle {
            device: device(n),
            registration: format!("KA {n}"),
            category: "AUTO".into(),
            make: None,
            model: None,
            color: None,
            driver: None,
            driver_name: "Raghav".into(),
            driver_phone: "+91-98".into(),
            driver_rating_centistars: None,
        };
        ensure!(tx.add_vehicle(vehicle, time::now()).await?, "a vehicle is there already");
    }
    tx.commit().await?;
    let (audit, _entries) = Audit::new();
    Ok(Platform::new(store, settings, SecretKey::from_seed(&[1; 32]), audit))
}

fn device(n: u32) -> DeviceId {
    format!("bench-{n:05}").parse().expect("valid")
}

/// Batch `round` of a device: 5 s at 1 Hz.
fn submission(n: u32, round: u32) -> Submission {
    let fix = |i: u32| {
        let seconds = i64::from(round * FIXES + i);
        TrailEntry::Fix(TrailFix {
            at: Timestamp::from_unix_ms(1_700_000_000_000 + seconds * 1000),
            position: Position::new(
                129_000_000 + i32::try_from(n + 131 * i).expect("small"),
                776_000_000 - i32::try_from(n + 97 * i).expect("small"),
            )
            .expect("on the globe"),
            speed_cmps: Some(1_389 + i),
            course_ddeg: Some(651),
            altitude_mm: Some(900_000),
            fix_type: FixType::ThreeD,
            refused: None,
        })
    };
    let batch = TrailBatch {
        epoch: EPOCH,
        after: Sequence(u64::from(round * FIXES)),
        entries: (0..FIXES).map(fix).collect(),
    };
    let payload = encode(&batch);
    Submission { device: device(n), certificate: [0; 32], lane: Lane::Trail(batch, payload) }
}

/// How it went.
struct Run {
    took: Duration,
    /// From submission to commit, shortest first.
    waits: Vec<Duration>,
    cpu: Duration,
}

/// Every device sends its next batch as soon as the one before it is committed.
async fn at_once(ingest: &mpsc::Sender<Submitted>) -> Result<Run> {
    run(ingest, 0, |_, _| None).await
}

/// Every device sends a batch each [`ROUND`], evenly spread over it.
async fn spread(ingest: &mpsc::Sender<Submitted>) -> Result<Run> {
    let begun = Instant::now() + Duration::from_millis(100);
    run(ingest, ROUNDS, move |n, round| Some(begun + ROUND * round + ROUND * n / DEVICES)).await
}

async fn run(
    ingest: &mpsc::Sender<Submitted>,
    first: u32,
    due: impl Fn(u32, u32) -> Option<Instant> + Copy + Send + 'static,
) -> Result<Run> {
    let (begun, cpu) = (Instant::now(), own_cpu());
    let mut devices = JoinSet::new();
    for n in 0..DEVICES {
        let ingest = ingest.clone();
        devices.spawn(async move {
            let mut waits = Vec::new();
            for round in 0..ROUNDS {
                if let Some(due) = due(n, round) {
                    tokio::time::sleep_until(due.into()).await;
                }
                waits.push(commit(&ingest, submission(n, first + round)).await?);
            }
            anyhow::Ok(waits)
        });
    }
    let mut waits = Vec::new();
    while let Some(device) = devices.join_next().await {
        waits.extend(device??);
    }
    waits.sort_unstable();
    Ok(Run { took: begun.elapsed(), waits, cpu: own_cpu().saturating_sub(cpu) })
}

/// How long it took until it was committed.
async fn commit(ingest: &mpsc::Sender<Submitted>, submission: Submission) -> Result<Duration> {
    let begun = Instant::now();
    let (applied, outcome) = oneshot::channel();
    ingest.send(Submitted { submission, applied }).await.ok().context("ingest ended")?;
    let outcome = outcome.await.context("not committed")?;
    ensure!(matches!(outcome, Applied::Committed(_)), "{outcome:?}");
    Ok(begun.elapsed())
}

impl Run {
    fn at_once(&self, store: &str) -> Row {
        let batches = self.waits.len();
        #[expect(clippy::cast_precision_loss, reason = "for people to read")]
        let per_second = batches as f64 / self.took.as_secs_f64();
        Row {
            measure: "ingest: trail batches of 5 fixes committed per second, as many as it takes",
            reach: ">= 2,000, with room to spare",
            measured: format!(
                "{store}: {per_second:.0} ({batches} batches of {DEVICES} devices); {} of our own \
                 processor time a batch",
                self.cpu_a_batch()
            ),
        }
    }

    fn spread(&self, store: &str) -> Row {
        let at = |percent: usize| self.waits[(self.waits.len() * percent / 100).max(1) - 1];
        Row {
            measure: "ingest: submission to commit, 2,000 batches a second offered",
            reach: "p99 <= 500 ms with the door before it",
            measured: format!(
                "{store}: p50 {:.1} ms, p99 {:.1} ms; {} of our own processor time a batch",
                at(50).as_secs_f64() * 1e3,
                at(99).as_secs_f64() * 1e3,
                self.cpu_a_batch()
            ),
        }
    }

    fn cpu_a_batch(&self) -> String {
        let batches = u32::try_from(self.waits.len()).expect("few");
        format!("{} us", (self.cpu / batches).as_micros())
    }
}

/// Processor time of this process so far.
fn own_cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let ns = tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    Duration::from_nanos(ns)
}
