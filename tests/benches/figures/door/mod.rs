//! The device door under load: the released platform and a fleet of real agent cores beside it, over
//! mutual TLS, on SQLite and PostgreSQL; and the same load into Mosquitto, as the yardstick.
//!
//! `TRIPLINE_BENCH_VEHICLES` says how many vehicles there are, 10,000 if it is not set.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tripline_backend::store::Store;
use tripline_protocol::link::up::Stream;
use tripline_tests::world::TestDatabase;

use crate::platform::{Platform, Programs};
use crate::{Data, Row};

mod broker;
mod fleet;

use broker::Broker;
use fleet::{Fleet, Summary, Target};

const VEHICLES: u64 = 10_000;

/// How long the load lasts, and how long idle connections are held.
const LOAD_S: u64 = 60;
const IDLE_S: u64 = 10;

/// A connection is one descriptor; what else a process opens is few.
const DESCRIPTORS_BESIDE: u64 = 1_000;

pub(super) fn rows(_: &Data) -> Vec<Row> {
    measured().expect("the door, the fleet and the broker run")
}

fn measured() -> Result<Vec<Row>> {
    let vehicles = match std::env::var("TRIPLINE_BENCH_VEHICLES") {
        Ok(text) => text.parse().context("TRIPLINE_BENCH_VEHICLES")?,
        Err(_) => VEHICLES,
    };
    allow_descriptors(vehicles + DESCRIPTORS_BESIDE)?;
    let programs = Programs::build()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut rows = on_store(&programs, &runtime, None, vehicles)?;
    if let Some(database) = runtime.block_on(TestDatabase::create())? {
        rows.extend(on_store(&programs, &runtime, Some(&database.url), vehicles)?);
    }
    rows.extend(on_broker(&programs, vehicles)?);
    Ok(rows)
}

/// Lets this process, and those it starts, have so many descriptors.
fn allow_descriptors(wanted: u64) -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    ensure!(maximum.is_none_or(|most| most >= wanted), "`ulimit -Hn` is below {wanted}");
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })?)
}

/// The platform over a store: SQLite in its folder, or the PostgreSQL database of this URL.
fn on_store(
    programs: &Programs,
    runtime: &tokio::runtime::Runtime,
    url: Option<&str>,
    vehicles: u64,
) -> Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let store = if url.is_some() { "PostgreSQL" } else { "SQLite" };
    let mut platform = Platform::init(programs, dir.path(), url)?;
    let fleet = Fleet {
        program: programs.path("tripline-sim"),
        vehicles,
        target: Target::Platform { state: dir.path().join("fleet") },
    };
    platform.start()?;
    eprintln!("{store}: {vehicles} vehicles enrol");
    fleet.hold(&platform, 1)?.finish()?;
    // Enrolling leaves memory behind that has nothing to do with connections.
    platform.restart()?;
    eprintln!("{store}: {vehicles} idle connections");
    let idle_bytes = memory_per_connection(&fleet, &platform)?;
    eprintln!("{store}: {LOAD_S} s of load");
    let cpu_before = platform.cpu()?;
    let summary = fleet.drive(&platform, LOAD_S)?.finish()?;
    let cpu = platform.cpu()?.saturating_sub(cpu_before);
    platform.stop()?;
    let url = url.map_or_else(|| sqlite(dir.path()), ToOwned::to_owned);
    let stored = runtime.block_on(stored_fixes(&url))?;
    Ok(platform_rows(store, idle_bytes, &summary, stored, cpu))
}

fn sqlite(dir: &Path) -> String {
    format!("sqlite:{}", dir.join("data/tripline.db").display())
}

/// Resident memory of the platform for each connection that does nothing, in bytes.
fn memory_per_connection(fleet: &Fleet, platform: &Platform) -> Result<u64> {
    let before = platform.resident_bytes()?;
    let held = fleet.hold(platform, IDLE_S)?;
    platform.wait_for_connections(fleet.vehicles)?;
    let with = platform.resident_bytes()?;
    held.finish()?;
    Ok(with.saturating_sub(before) / fleet.vehicles)
}

/// How many fixes the store has, over all vehicles.
async fn stored_fixes(url: &str) -> Result<u64> {
    let store = Store::open(url).await?;
    let mut tx = store.read().await?;
    let mut fixes = 0;
    for vehicle in tx.vehicles().await? {
        let cursors = tx.cursors(&vehicle.device, Stream::Trail).await?;
        fixes += cursors.iter().map(|(_, cursor)| cursor.0).sum::<u64>();
    }
    drop(tx);
    store.close().await;
    Ok(fixes)
}

fn platform_rows(
    store: &str,
    idle_bytes: u64,
    summary: &Summary,
    stored: u64,
    cpu: Duration,
) -> Vec<Row> {
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    let idle_kb = idle_bytes as f64 / 1_000.0;
    let batches = u32::try_from(summary.trail_batches_acknowledged.max(1)).unwrap_or(u32::MAX);
    let lost = summary.fixes_generated.saturating_sub(stored);
    vec![
        Row {
            measure: "door: connections held, and the platform's memory for each idle one",
            reach: "<= 20 KB of ours plus TLS",
            measured: format!("{store}: {}; {idle_kb:.1} KB, TLS and all", summary.connected),
        },
        Row {
            measure: "door: trail batches of 5 fixes committed per second, one a vehicle each 5 s",
            reach: "all that are offered",
            measured: format!(
                "{store}: {:.0}; {} us of the platform's processor time each; {} reconnects",
                summary.trail_batches_acknowledged_per_s,
                (cpu / batches).as_micros(),
                summary.reconnects
            ),
        },
        Row {
            measure: "door: publish to PubAck, the same",
            reach: "p99 <= 500 ms, nothing lost",
            measured: format!(
                "{store}: {}; {lost} of {} fixes lost, by the store",
                summary.publish_to_puback, summary.fixes_generated
            ),
        },
    ]
}

/// The same load into a broker that stores nothing, and a subscriber that throws it away.
fn on_broker(programs: &Programs, vehicles: u64) -> Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let Some(broker) = Broker::start(dir.path())? else {
        eprintln!("\n*** SKIPPED: mosquitto and mosquitto_sub are not installed ***\n");
        return Ok(Vec::new());
    };
    let fleet = Fleet {
        program: programs.path("tripline-sim"),
        vehicles,
        target: Target::Broker { port: broker.port, ca: broker.ca.clone() },
    };
    eprintln!("Mosquitto: {LOAD_S} s of load");
    let cpu_before = broker.cpu()?;
    let summary = fleet.load(LOAD_S)?.finish()?;
    let cpu = broker.cpu()?.saturating_sub(cpu_before);
    let batches = u32::try_from(summary.trail_batches_acknowledged.max(1)).unwrap_or(u32::MAX);
    Ok(vec![Row {
        measure: "door: for comparison, the same load into Mosquitto over TLS, which stores nothing",
        reach: "",
        measured: format!(
            "{} connections; {:.0} a second; {}; {} us of its processor time each",
            summary.connected,
            summary.trail_batches_acknowledged_per_s,
            summary.publish_to_puback,
            (cpu / batches).as_micros()
        ),
    }])
}
