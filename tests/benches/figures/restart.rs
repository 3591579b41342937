//! How soon a platform serves again whose store holds a million orders: from its start as a process until it
//! answers, over SQLite and PostgreSQL.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sqlx::AssertSqlSafe;
use tripline_backend::domain::order::Order;
use tripline_backend::store::{Store, Tx};
use tripline_backend::time;
use tripline_tests::world::TestDatabase;

use crate::platform::{Platform, Programs};
use crate::{Data, Row};

const ORDERS: i64 = 1_000_000;

/// Callbacks that were delivered and are kept, with them.
const CALLBACKS: i64 = 200_000;

/// Over which time they came, in ms: less than anything is kept, so that nothing is to be forgotten.
const TIME_MS: i64 = 25 * 86_400_000;

const STARTS: usize = 3;

/// Rows written in one transaction.
const BATCH: i64 = 50_000;

/// Orders as they were stored, for others to be made after: of ten, seven were rides and three nothing but quotes.
const ROWS: &str = include_str!("../../../backend/tests/migrations/0003.sql");
const MODELS: [(&str, &str); 2] =
    [("fulfillment-completed", "n % 10 < 7"), ("fulfillment-expired", "n % 10 >= 7")];

/// Rows after `$1` and up to `$2`; `$3` is the time of the first, `$4` the time between two, `$5` a body, `$6` the
/// id in it and `$7` its state. UUID stands for the id of row `n`, KEY for its rider's, THOSE for which rows.
const INSERT_ORDERS: &str = "INSERT INTO ride_order (order_id, fulfillment_id, subscriber_id, \
     track_token, trip_id, state, due_at, version, created_at, updated_at, body, rider_key) \
     SELECT UUID, 'fulfillment ' || n, 'bap.example', 'token ' || n, 'trip ' || n, \
     $7, NULL, 9, $3 + n * $4, $3 + n * $4, replace($5, $6, UUID), KEY FROM NUMBERS WHERE THOSE";

const INSERT_CALLBACKS: &str = "INSERT INTO callback (order_key, sequence, subscriber_id, action, url, \
     body, state, attempts, next_attempt_at, expires_at, created_at, finished_at) \
     SELECT UUID, 1, 'bap.example', 'on_status', 'https://bap.example/on_status', KEY, 'delivered', 1, \
     $3 + n * $4, $3 + n * $4, $3 + n * $4, $3 + n * $4 FROM NUMBERS";

pub(super) fn rows(_: &Data) -> Vec<Row> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    measured(&runtime).expect("it starts on both stores")
}

fn measured(runtime: &tokio::runtime::Runtime) -> Result<Vec<Row>> {
    let programs = Programs::build()?;
    let mut rows = vec![on_store(runtime, &programs, None)?];
    if let Some(database) = runtime.block_on(TestDatabase::create())? {
        rows.push(on_store(runtime, &programs, Some(&database.url))?);
    }
    Ok(rows)
}

fn on_store(
    runtime: &tokio::runtime::Runtime,
    programs: &Programs,
    url: Option<&str>,
) -> Result<Row> {
    let dir = tempfile::tempdir()?;
    let mut platform = Platform::init(programs, dir.path(), url)?;
    let sqlite = format!("sqlite:{}", dir.path().join("data/tripline.db").display());
    let filled = runtime.block_on(fill(url.unwrap_or(&sqlite)))?;
    let mut took = Vec::new();
    for _ in 0..STARTS {
        let begun = Instant::now();
        platform.start()?;
        ensure!(platform.is_well()?, "/health");
        took.push(begun.elapsed());
        platform.stop()?;
    }
    let name = if url.is_some() { "PostgreSQL" } else { "SQLite" };
    Ok(row(name, &took, filled, dir.path()))
}

fn row(name: &str, took: &[Duration], filled: Duration, dir: &Path) -> Row {
    let longest = took.iter().max().copied().unwrap_or_default();
    let file = std::fs::metadata(dir.join("data/tripline.db")).map_or(0, |file| file.len());
    let size =
        if name == "SQLite" { format!(", {:.1} GB", gigabytes(file)) } else { String::new() };
    Row {
        measure: "restart: start to ready with 1,000,000 stored orders",
        reach: "<= 5 s",
        measured: format!(
            "{name}: {:.2} s, the longest of {STARTS} starts (filled in {:.0} s{size})",
            longest.as_secs_f64(),
            filled.as_secs_f64()
        ),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

/// Fills a store; says how long that took.
async fn fill(url: &str) -> Result<Duration> {
    let begun = Instant::now();
    let store = Store::open_as_is(url).await?;
    let first = time::now().unix_ms - TIME_MS;
    let mut orders = 0;
    for (name, those) in MODELS {
        let order = model(name)?;
        let (body, id) = (serde_json::to_string(&order)?, order.id.to_string());
        let insert = INSERT_ORDERS.replace("THOSE", those);
        let texts = [body, id, order.state.code().to_owned()];
        orders += insert_many(&store, &insert, ORDERS, first, &texts).await?;
    }
    let callbacks = insert_many(&store, INSERT_CALLBACKS, CALLBACKS, first, &[]).await?;
    let wanted = (ORDERS.unsigned_abs(), CALLBACKS.unsigned_abs());
    ensure!((orders, callbacks) == wanted, "{orders} and {callbacks} rows");
    store.close().await;
    Ok(begun.elapsed())
}

async fn insert_many(
    store: &Store,
    insert: &str,
    count: i64,
    first: i64,
    texts: &[String],
) -> Result<u64> {
    let mut rows = 0;
    for after in (0..count).step_by(usize::try_from(BATCH)?) {
        let mut tx = store.write().await?;
        rows += match &mut tx {
            Tx::Sqlite(tx) => {
                let mut query = sqlx::query(AssertSqlSafe(on_sqlite(insert)));
                for number in [after, after + BATCH, first, TIME_MS / count] {
                    query = query.bind(number);
                }
                for text in texts {
                    query = query.bind(text);
                }
                query.execute(&mut **tx).await?.rows_affected()
            }
            Tx::Postgres(tx) | Tx::PostgresWriting(tx) => {
                let mut query = sqlx::query(AssertSqlSafe(on_postgres(insert)));
                for number in [after, after + BATCH, first, TIME_MS / count] {
                    query = query.bind(number);
                }
                for text in texts {
                    query = query.bind(text);
                }
                query.execute(&mut **tx).await?.rows_affected()
            }
        };
        tx.commit().await?;
    }
    Ok(rows)
}

fn on_sqlite(insert: &str) -> String {
    let uuid = "printf('%08x-0001-4000-8000-%012x', (n * 2654435761) & 4294967295, n)";
    let numbers = "(WITH RECURSIVE it (n) AS (SELECT $1 + 1 UNION ALL SELECT n + 1 FROM it \
         WHERE n < $2) SELECT n FROM it)";
    let insert = insert.replace("UUID", uuid).replace("NUMBERS", numbers);
    insert.replace("KEY", "CAST(printf('%032x', n) AS BLOB)")
}

fn on_postgres(insert: &str) -> String {
    let uuid = "(lpad(to_hex((n * 2654435761) & 4294967295), 8, '0') || '-0001-4000-8000-' \
         || lpad(to_hex(n), 12, '0'))";
    let numbers = "generate_series($1::BIGINT + 1, $2::BIGINT) AS n";
    let insert = insert.replace("UUID", uuid).replace("NUMBERS", numbers);
    insert.replace("KEY", "convert_to(lpad(to_hex(n), 32, '0'), 'UTF8')")
}

/// The order with this fulfillment, as this version reads it.
fn model(fulfillment: &str) -> Result<Order> {
    let line = ROWS.lines().find(|line| line.contains(fulfillment)).context("such an order")?;
    let (_, body) = line.rsplit_once(", '{").context("its body")?;
    let body = body.strip_suffix("');").context("its end")?;
    Ok(serde_json::from_str(&format!("{{{}", body.replace("''", "'")))?)
}
