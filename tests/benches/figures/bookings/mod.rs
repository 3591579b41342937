//! Whole bookings: search, select, init and confirm over signed HTTP, a driver who accepts at once, and
//! `on_confirm` at the rider's platform. Many riders at once, each of whom books again and again.
//!
//! Platform, riders' platform and drivers share this process and its cores; nothing between them is left
//! out but the drivers' MQTT.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;
use tripline_tests::world::TestDatabase;

use crate::{Data, Row};

mod rider;
mod stage;

use rider::Riders;
use stage::Stage;

/// Riders at once, one measurement each.
const RIDERS: [usize; 3] = [1, 16, 64];

/// Bookings of each measurement.
const BOOKINGS: usize = 640;

/// Vehicles that are enough for all of them. A vehicle that accepted stays with its rider: later measurements
/// have more around that are taken.
const VEHICLES: usize = 4_000;

pub(super) fn rows(_: &Data) -> Vec<Row> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measured()).expect("every booking is confirmed")
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
    let riders = Riders::start().await?;
    let stage = Arc::new(Stage::open(url, &riders, VEHICLES).await?);
    let riders = Arc::new(riders);
    let mut rows = Vec::new();
    for at_once in RIDERS {
        eprintln!("{name}: {at_once} riders at once");
        let (took, waits) = book(&riders, &stage, at_once).await?;
        rows.push(row(name, at_once, took, waits)?);
    }
    Ok(rows)
}

/// How long it took, and each booking.
async fn book(
    riders: &Arc<Riders>,
    stage: &Arc<Stage>,
    at_once: usize,
) -> Result<(Duration, Vec<Duration>)> {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let (riders, stage) = (Arc::clone(riders), Arc::clone(stage));
        tasks.spawn(async move {
            let mut waits = Vec::new();
            for _ in 0..BOOKINGS / at_once {
                let begun = Instant::now();
                riders.book(&stage).await?;
                waits.push(begun.elapsed());
            }
            anyhow::Ok(waits)
        });
    }
    let mut waits = Vec::new();
    while let Some(done) = tasks.join_next().await {
        waits.extend(done??);
    }
    Ok((begun.elapsed(), waits))
}

fn row(store: &str, at_once: usize, took: Duration, mut waits: Vec<Duration>) -> Result<Row> {
    waits.sort_unstable();
    let at = |percent: usize| waits[(waits.len() * percent / 100).max(1) - 1].as_secs_f64() * 1e3;
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    let per_s = waits.len() as f64 / took.as_secs_f64();
    Ok(Row {
        measure: "bookings: search, select, init, confirm, accepted by a driver, on_confirm",
        reach: "",
        measured: format!(
            "{store}, {at_once} riders at once: {per_s:.1} a second; one takes p50 {:.0} ms, p99 {:.0} \
             ms, longest {:.0} ms; {} bookings, {} processors for all parties",
            at(50),
            at(99),
            at(100),
            waits.len(),
            thread::available_parallelism()?,
        ),
    })
}
