//! Trust on the network under load: the released platform takes signed requests of several riders'
//! platforms over HTTP, stores each, and calls back; the load and the platforms that are called run beside
//! it on the same cores. And what a request costs, by part.
//!
//! `TRIPLINE_BENCH_NETWORK_S` says how long each load lasts, in seconds, 20 if it is not set; and
//! `TRIPLINE_BENCH_NETWORK_PER_S` how many requests a second are to be borne, 1,000 if it is not set.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tripline_tests::world::TestDatabase;

use crate::platform::{Platform, Programs};
use crate::{Data, Row};

mod baps;
mod cost;
mod load;

use baps::{Baps, HOLE, SPARE};
use load::{Outcome, quantile_ms};

const LOAD_S: u64 = 20;

/// Not measured: connections are opened and caches filled.
const WARM_UP: Load = Load { per_s: 100, lasts: Duration::from_secs(2) };

/// The rate that is to be borne.
const REACH_PER_S: u64 = 1_000;

/// Rates that are tried, in halves of the one that is to be borne, until one is too much.
const RATES_IN_HALVES: std::ops::RangeInclusive<u64> = 1..=6;

/// Longest wait for an ACK of 99 in 100.
const ACK_MS_MAX: f64 = 150.0;

/// How often the load is borne with a black hole and without one, in turn.
const ROUNDS: usize = 2;

pub(super) fn rows(_: &Data) -> Vec<Row> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measured()).expect("the platform runs and takes what is offered")
}

/// A number that the environment sets.
fn number(name: &'static str, otherwise: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().context(name),
        Err(_) => Ok(otherwise),
    }
}

/// What is offered.
#[derive(Debug, Clone, Copy)]
struct Load {
    per_s: u64,
    lasts: Duration,
}

async fn measured() -> Result<Vec<Row>> {
    let lasts = Duration::from_secs(number("TRIPLINE_BENCH_NETWORK_S", LOAD_S)?);
    let load = Load { per_s: number("TRIPLINE_BENCH_NETWORK_PER_S", REACH_PER_S)?, lasts };
    let mut rows = vec![cost::verify(), cost::parse()?];
    let programs = tokio::task::spawn_blocking(Programs::build).await??;
    for store in ["SQLite", "PostgreSQL"] {
        let Some(url) = fresh_url(store).await? else { continue };
        rows.push(cost::store(store, url.as_deref()).await?);
        rows.extend(throughput(&programs, store, load).await?);
        rows.push(black_hole(&programs, store, load).await?);
    }
    Ok(rows)
}

/// The URL of an empty store: none for SQLite in the platform's folder, and none at all where there is no
/// PostgreSQL.
async fn fresh_url(store: &str) -> Result<Option<Option<String>>> {
    if store == "SQLite" {
        return Ok(Some(None));
    }
    Ok(TestDatabase::create().await?.map(|database| Some(database.url)))
}

/// A platform over an empty store, and the platforms it knows.
struct Stage {
    platform: Platform,
    baps: Baps,
    _dir: tempfile::TempDir,
}

impl Stage {
    async fn open(programs: &Programs, store: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let url = fresh_url(store).await?.flatten();
        let mut platform = Platform::init(programs, dir.path(), url.as_deref())?;
        let baps = Baps::start(&platform.beckn_uri()).await?;
        subscribe(dir.path(), &baps)?;
        for (key, value) in [
            ("TRIPLINE_BPP_CALLBACK__PRIVATE_NETWORKS", "[\"127.0.0.0/8\"]"),
            ("TRIPLINE_BPP_BECKN__REQUESTS_PER_ADDRESS_PER_S", "100000"),
            ("TRIPLINE_BPP_BECKN__REQUESTS_PER_SUBSCRIBER_PER_S", "100000"),
        ] {
            platform.env.push((key, value.into()));
        }
        platform.start()?;
        let stage = Self { platform, baps, _dir: dir };
        stage.offer(WARM_UP, SPARE).await?;
        Ok(stage)
    }

    /// Offers requests of the healthy ones and of one more, in turn.
    async fn offer(&self, Load { per_s, lasts }: Load, fifth: usize) -> Result<Outcome> {
        load::offer(&self.baps, per_s, lasts, fifth).await
    }
}

fn subscribe(dir: &Path, baps: &Baps) -> Result<()> {
    Ok(std::fs::write(dir.join("data/subscribers.json"), baps.entries().to_string())?)
}

async fn throughput(programs: &Programs, store: &str, load: Load) -> Result<Vec<Row>> {
    let mut stage = Stage::open(programs, store).await?;
    let (mut reached, mut most) = (None, None);
    for halves in RATES_IN_HALVES {
        let per_s = load.per_s * halves / 2;
        eprintln!("{store}: {per_s} requests a second");
        let before = stage.platform.cpu()?;
        let outcome = stage.offer(Load { per_s, ..load }, SPARE).await?;
        let cpu = stage.platform.cpu()?.saturating_sub(before);
        let told = outcome.told(cpu);
        if per_s == load.per_s {
            reached = Some(told.clone());
        }
        if !outcome.is_all_taken() || outcome.ack_ms(99) > ACK_MS_MAX {
            eprintln!("{store}: too much: {told}");
            break;
        }
        most = Some((per_s, told));
    }
    stage.platform.stop()?;
    let most = most.map_or_else(
        || "none of those tried".into(),
        |(per_s, told)| format!("{per_s} a second: {told}"),
    );
    Ok(vec![
        Row {
            measure: "network: 1,000 signed requests a second offered, each stored before its ACK \
                      and answered by a callback",
            reach: "all of them, ACK p99 <= 150 ms",
            measured: format!("{store}: {}", reached.unwrap_or_else(|| "not borne".into())),
        },
        Row {
            measure: "network: the most of them with ACK p99 <= 150 ms, of 500, 1,000, 1,500 and so \
                      on",
            reach: "1,000 a second",
            measured: format!("{store}: {most}"),
        },
    ])
}

/// The same load twice: one platform of five answers its callbacks, or never does.
async fn black_hole(programs: &Programs, store: &str, load: Load) -> Result<Row> {
    let (mut without, mut with, mut refused) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        for (fifth, waits) in [(SPARE, &mut without), (HOLE, &mut with)] {
            let what = if fifth == HOLE { "with" } else { "without" };
            eprintln!("{store}: {} requests a second, {what} a black hole", load.per_s);
            let mut stage = Stage::open(programs, store).await?;
            let outcome = stage.offer(load, fifth).await?;
            refused += outcome.not_taken();
            waits.extend(outcome.callback_waits);
            stage.platform.stop()?;
        }
    }
    without.sort_unstable();
    with.sort_unstable();
    let (before, after) = (quantile_ms(&without, 99), quantile_ms(&with, 99));
    Ok(Row {
        measure: "network: ACK to the arrival of the callback at four healthy platforms, 1,000 requests \
                  a second, p99, while a fifth that sends as many answers its callbacks and while it \
                  never does",
        reach: "worse by no more than 10 %",
        measured: format!(
            "{store}: {before:.1} ms and {after:.1} ms ({:+.0} %); p50 {:.1} ms and {:.1} ms; {refused} \
             requests refused or without their callback",
            (after / before - 1.0) * 100.0,
            quantile_ms(&without, 50),
            quantile_ms(&with, 50),
        ),
    })
}
