//! What a request costs, by part: each by itself, in this process.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use tokio::task::JoinSet;
use tripline_backend::audit::Audit;
use tripline_backend::beckn::v0_9;
use tripline_backend::config::{Config, SAMPLE_FLEET};
use tripline_backend::operate::Actor;
use tripline_backend::operate::import::{Source, import};
use tripline_backend::service::intake::{self, Intake};
use tripline_backend::service::{Asked, Platform};
use tripline_backend::store::Store;
use tripline_backend::time;
use tripline_protocol::signing::{self, KeyId, SecretKey, SignatureHeader, sign};

use super::baps::body;
use crate::Row;

const TIMES: u32 = 2_000;

/// Requests that wait for the store together, as they do under load.
const TOGETHER: u32 = 64;

/// Groups of them.
const GROUPS: u32 = 50;

/// Requests one after the other, each waiting for its sync.
const ALONE: u32 = 100;

fn a_body(message_id: &str) -> String {
    let (uri, bpp) = ("http://127.0.0.1:8081/bap", "http://127.0.0.1:8080/beckn");
    body("bap-0.bench", uri, bpp, message_id, Timestamp::now())
}

fn mean_us(took: Duration, times: u32) -> f64 {
    took.as_secs_f64() * 1e6 / f64::from(times)
}

/// Verifies one request again and again: header, digest and signature.
pub(super) fn verify() -> Row {
    let (key, body) = (SecretKey::from_seed(&[1; 32]), a_body("m1"));
    let key_id = KeyId { subscriber_id: "bap-0.bench".into(), unique_key_id: Some("k1".into()) };
    let now_s = Timestamp::now().as_second();
    let header = sign(body.as_bytes(), &key, &key_id, now_s, now_s + 60);
    let public = key.public();
    let begun = Instant::now();
    for _ in 0..TIMES {
        let header = SignatureHeader::parse(black_box(&header)).expect("a header");
        signing::verify(&header, black_box(body.as_bytes()), &public, now_s).expect("it holds");
    }
    Row {
        measure: "network: one request verified (header, BLAKE2b-512, Ed25519)",
        reach: "",
        measured: format!("{:.0} us, of {} bytes", mean_us(begun.elapsed(), TIMES), body.len()),
    }
}

/// Parses one request again and again.
pub(super) fn parse() -> Result<Row> {
    let body = a_body("m1");
    let begun = Instant::now();
    for _ in 0..TIMES {
        let received = v0_9::parse("init", black_box(body.as_bytes()));
        black_box(received).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
    }
    Ok(Row {
        measure: "network: one request parsed, duplicate keys and depth and all",
        reach: "",
        measured: format!("{:.0} us", mean_us(begun.elapsed(), TIMES)),
    })
}

/// Hands requests to the intake, which stores each with its order and its callback before it is done.
pub(super) async fn store(name: &str, url: Option<&str>) -> Result<Row> {
    let dir = tempfile::tempdir()?;
    let own = format!("sqlite:{}", dir.path().join("bench.db").display());
    let platform = Arc::new(platform(url.unwrap_or(&own)).await?);
    let (intake, waiting) = Intake::new();
    let task = tokio::spawn(intake::run(Arc::clone(&platform), waiting));
    let begun = Instant::now();
    for n in 0..ALONE {
        take_in(&intake, n).await?;
    }
    let alone = mean_us(begun.elapsed(), ALONE);
    let begun = Instant::now();
    let mut waiting = JoinSet::new();
    for first in 0..TOGETHER {
        let intake = intake.clone();
        waiting.spawn(async move {
            for group in 0..GROUPS {
                take_in(&intake, ALONE + group * TOGETHER + first).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = waiting.join_next().await {
        done??;
    }
    let together = mean_us(begun.elapsed(), GROUPS * TOGETHER);
    drop(intake);
    task.await?;
    platform.store.close().await;
    Ok(Row {
        measure: "network: one request stored, with its order and its callback",
        reach: "",
        measured: format!(
            "{name}: {alone:.0} us one after the other; {together:.0} us each while {TOGETHER} wait"
        ),
    })
}

async fn take_in(intake: &Intake, n: u32) -> Result<()> {
    let received = v0_9::parse("init", a_body(&format!("m{n}")).as_bytes());
    let received = received.map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
    let asked = Asked { subscriber_id: "bap-0.bench".into(), received, too_late: None };
    let taken = intake.take_in(asked).await;
    taken.map(drop).map_err(|error| anyhow::anyhow!("{error:?}")).context("taken in")
}

async fn platform(url: &str) -> Result<Platform> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backend/bpp.sample.toml");
    let settings = Config::load(&sample)?.settings();
    let (audit, _entries) = Audit::new();
    let key = SecretKey::from_seed(&[1; 32]);
    let store = Store::open(url).await?;
    let fleet = Source { name: "fleet.toml".into(), rows: None, text: SAMPLE_FLEET.to_owned() };
    let read = |name: &str| Err(format!("{name} is not there"));
    let mut tx = store.write().await?;
    import(&mut tx, &Actor::cli(), &[fleet], &read, time::now()).await?;
    tx.commit().await?;
    let platform = Platform::new(store, settings, key, audit);
    platform.refresh_fleet(time::now()).await?;
    Ok(platform)
}
