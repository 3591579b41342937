//! A month of one vehicle's trail, ten hours a day at 1 Hz: taken in as a vehicle sends it, folded day by day
//! as the platform does, then weighed in both databases and read back.
//!
//! The drive is the recorded one over and over, each lap somewhere else and with noise of its own on every
//! digit that the receiver prints, so that no lap helps to code another.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sqlx::Connection as _;
use tripline_backend::audit::Audit;
use tripline_backend::config::Config;
use tripline_backend::domain::order::Vehicle;
use tripline_backend::service::fold::{AS_IT_CAME_MS, fold};
use tripline_backend::service::{Applied, Lane, Platform, Submission};
use tripline_backend::store::Store;
use tripline_backend::time;
use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::envelope::encode;
use tripline_protocol::link::trail::{TrailBatch, TrailEntry, TrailFix};
use tripline_protocol::signing::SecretKey;
use tripline_protocol::unit::{Position, Timestamp};
use tripline_tests::world::TestDatabase;

use crate::trail::recorded;
use crate::{Data, Row};

const DAYS: u32 = 30;
const FIXES_A_DAY: u32 = 36_000;

/// Fixes in a batch: what a vehicle with a network sends every 5 s.
const BATCH_LEN: usize = 5;

/// Batches in a transaction.
const GROUP_LEN: usize = 400;

/// 2026-11-01 06:00 UTC.
const BEGIN: i64 = 1_793_512_800_000;

const DAY_MS: i64 = 86_400_000;

/// Readings; the quickest is the one least disturbed.
const ROUNDS: usize = 5;

pub(super) fn rows(data: &Data) -> Vec<Row> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measured(data)).expect("both stores take a month and give it back")
}

async fn measured(data: &Data) -> Result<Vec<Row>> {
    let drive: Vec<TrailFix> = recorded(data).iter().map(TrailFix::from).collect();
    let dir = tempfile::tempdir()?;
    let sqlite = format!("sqlite:{}", dir.path().join("month.db").display());
    let mut rows = on_store(&sqlite, "SQLite", &drive).await?;
    if let Some(database) = TestDatabase::create().await? {
        rows.extend(on_store(&database.url, "PostgreSQL", &drive).await?);
    }
    Ok(rows)
}

async fn on_store(url: &str, name: &str, drive: &[TrailFix]) -> Result<Vec<Row>> {
    let platform = platform(url).await?;
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let (mut sent, mut came) = (Vec::new(), 0);
    for day in 0..DAYS {
        let fixes = a_day(drive, day, &mut noise);
        take_in(&platform, day, &fixes).await?;
        sent.extend(fixes);
        if day + 1 == DAYS {
            came = size(url, "trail_batch").await?;
        }
        fold(&platform.store, time::now().plus_ms(AS_IT_CAME_MS + 60_000)).await?;
        vacuum(url).await?;
    }
    let month = size(url, "trail_run").await?;
    let whole = read(&platform.store, &sent, BEGIN, BEGIN + i64::from(DAYS) * DAY_MS).await?;
    let trip = BEGIN + 12 * DAY_MS + 3_600_000;
    let ride = read(&platform.store, &[], trip, trip + 1_200_000).await?;
    platform.store.close().await;
    Ok(vec![
        Row {
            measure: "a month of one vehicle's trail, 10 h a day at 1 Hz: table and indexes",
            reach: "<= 5 MB",
            measured: format!(
                "{name}: {} MB for {} fixes; beside it a day as it came: {} MB",
                mb(month),
                sent.len(),
                mb(came)
            ),
        },
        Row {
            measure: "reading it back, decoded; 20 minutes of it",
            reach: "<= 0.5 s",
            measured: format!(
                "{name}: {:.2} s; {:.1} ms",
                whole.as_secs_f64(),
                ride.as_secs_f64() * 1000.0
            ),
        },
    ])
}

fn mb(bytes: i64) -> String {
    let hundredths = bytes / 10_000;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// A platform with the vehicle, over an empty store.
async fn platform(url: &str) -> Result<Platform> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backend/bpp.sample.toml");
    let settings = Config::load(&sample)?.settings();
    let store = Store::open(url).await?;
    let vehicle = Vehicle {
        device: device(),
        registration: "KA 01".into(),
        category: "AUTO".into(),
        make: None,
        model: None,
        color: None,
        driver: None,
        driver_name: "Raghav".into(),
        driver_phone: "+91-98".into(),
        driver_rating_centistars: None,
    };
    let mut tx = store.write().await?;
    ensure!(tx.add_vehicle(vehicle, time::now()).await?, "a vehicle is there already");
    tx.commit().await?;
    let (audit, _entries) = Audit::new();
    Ok(Platform::new(store, settings, SecretKey::from_seed(&[1; 32]), audit))
}

fn device() -> DeviceId {
    "month-1".parse().expect("valid")
}

/// xorshift64*: the same month every time.
struct Noise(u64);

impl Noise {
    /// -1, 0 or 1.
    fn step(&mut self) -> i32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 60;
        [-1, 0, 0, 1][usize::try_from(drawn % 4).expect("small")]
    }
}

/// Laps of the drive until the day is over.
fn a_day(drive: &[TrailFix], day: u32, noise: &mut Noise) -> Vec<TrailFix> {
    let begin = BEGIN + i64::from(day) * DAY_MS;
    let lap = |n: u32| n / u32::try_from(drive.len()).expect("few");
    let fix = |n: u32| {
        let fix = &drive[n as usize % drive.len()];
        let away = i32::try_from((day * 37 + lap(n) * 11) % 1_000).expect("small") * 613;
        TrailFix {
            at: Timestamp::from_unix_ms(begin + i64::from(n) * 1_000),
            position: Position::new(
                moved(fix.position.lat_e7(), away + noise.step()),
                moved(fix.position.lon_e7(), away + noise.step()),
            )
            .expect("on the globe"),
            speed_cmps: fix.speed_cmps.map(|cmps| cmps.saturating_add_signed(noise.step())),
            altitude_mm: fix.altitude_mm.map(|mm| mm + 100 * noise.step()),
            ..*fix
        }
    };
    (0..FIXES_A_DAY).map(fix).collect()
}

/// An angle so many steps of 1e-5 minute further: what this receiver prints.
fn moved(e7: i32, steps: i32) -> i32 {
    let index = (i64::from(e7.unsigned_abs()) * 3 + 2) / 5 * i64::from(e7.signum());
    let index = index + i64::from(steps);
    let size = (index.unsigned_abs() * 5 + 1) / 3;
    i32::try_from(size).expect("an angle") * i32::try_from(index.signum()).expect("a sign")
}

async fn take_in(platform: &Platform, day: u32, fixes: &[TrailFix]) -> Result<()> {
    // The agent starts every morning.
    let epoch = JournalEpoch(0x93ab_cdef_0000_0000 + u64::from(day));
    let mut after = Sequence::ZERO;
    let mut batches = Vec::new();
    for fixes in fixes.chunks(BATCH_LEN) {
        let entries = fixes.iter().copied().map(TrailEntry::Fix).collect();
        let batch = TrailBatch { epoch, after, entries };
        after = batch.last();
        let payload = encode(&batch);
        let lane = Lane::Trail(batch, payload);
        batches.push(Submission { device: device(), certificate: [0; 32], lane });
    }
    for group in batches.chunks(GROUP_LEN) {
        let applied = platform.ingest(group).await?;
        let all = applied.iter().all(|it| matches!(it, Applied::Committed(_)));
        ensure!(all, "not committed: {applied:?}");
    }
    Ok(())
}

/// How long it takes to read what lies between two times; it must be what was sent, if that is given.
async fn read(store: &Store, sent: &[TrailFix], from: i64, until: i64) -> Result<Duration> {
    let (from, until) = (Timestamp::from_unix_ms(from), Timestamp::from_unix_ms(until));
    let mut quickest = Duration::MAX;
    for round in 0..ROUNDS {
        let begun = Instant::now();
        let mut tx = store.read().await?;
        let trail = tx.trail_between(&device(), from, until).await?;
        quickest = quickest.min(begun.elapsed());
        if round == 0 && !sent.is_empty() {
            let read = trail.iter().flat_map(|it| &it.entries).filter_map(TrailEntry::fix);
            ensure!(read.eq(sent.iter()), "something else was read than was sent");
        }
        ensure!(!trail.is_empty(), "nothing was read");
    }
    Ok(quickest)
}

/// What a table takes with its indexes, in bytes, as its database says.
async fn size(url: &str, table: &str) -> Result<i64> {
    const ON_SQLITE: &str = "SELECT CAST(SUM(pgsize) AS BIGINT) FROM dbstat WHERE name IN \
         (SELECT name FROM sqlite_schema WHERE tbl_name = $1)";
    const ON_POSTGRES: &str = "SELECT pg_total_relation_size($1::TEXT::REGCLASS)";
    if url.starts_with("sqlite:") {
        let mut connection = sqlx::SqliteConnection::connect(url).await?;
        let query = sqlx::query_scalar(ON_SQLITE).bind(table.to_owned());
        return query.fetch_one(&mut connection).await.context("dbstat");
    }
    let mut connection = sqlx::PgConnection::connect(url).await?;
    let query = sqlx::query_scalar(ON_POSTGRES).bind(table.to_owned());
    Ok(query.fetch_one(&mut connection).await?)
}

/// What PostgreSQL does by itself in a while.
async fn vacuum(url: &str) -> Result<()> {
    if !url.starts_with("sqlite:") {
        let mut connection = sqlx::PgConnection::connect(url).await?;
        sqlx::query("VACUUM trail_batch").execute(&mut connection).await?;
    }
    Ok(())
}
