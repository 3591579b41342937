//! Opening the store, and refusing one that would not keep what it commits.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::safety::{check_postgres, check_sqlite};
use super::{Pools, Store, StoreError, migrate};

/// Connections that read, on SQLite.
const READERS_MAX: u32 = 4;

/// Connections, on PostgreSQL.
const POSTGRES_CONNECTIONS_MAX: u32 = 16;

/// Longest wait for a connection or for SQLite's writer lock, in s.
const BUSY_S_MAX: u64 = 10;

/// Longest time for one statement on PostgreSQL, in ms: a hundred times what the slowest of ours take. What
/// hangs beyond it is an error, and not a connection less.
const STATEMENT_MS_MAX: u64 = 20_000;

/// Longest wait for a lock there, in ms. Transactions of ours last milliseconds; a lock that is held for
/// longer is held by something that hangs.
const LOCK_MS_MAX: u64 = 5_000;

/// Longest pause within a transaction there, in ms: the locks of a backend that was suspended or cut off
/// are given back.
const IDLE_IN_TRANSACTION_MS_MAX: u64 = 30_000;

/// A URL that names no store.
#[derive(Debug, thiserror::Error)]
#[error("the store url must be sqlite:PATH or postgres://USER@HOST/DATABASE")]
pub struct StoreUrlError;

impl Store {
    /// Opens the store that `url` names, makes it if need be, and brings its schema up to date; one that is
    /// newer than ours is an error. Nobody who knows an older one may use it meanwhile.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_through(url, migrate::KNOWN).await
    }

    /// The same with the schema of an earlier version, for tests of what becomes of older stores.
    pub async fn open_through(url: &str, version: i64) -> Result<Self, StoreError> {
        let store = Self { pools: connect(url, true).await? };
        let (found, known) = (migrate::version(&store).await?, version);
        if found > known {
            return Err(StoreError::Schema { found, known });
        }
        match &store.pools {
            Pools::Sqlite { writer, .. } => migrate::run(writer, "BLOB", version).await?,
            Pools::Postgres(_) => migrate_postgres(url, version).await?,
        }
        Ok(store)
    }

    /// The versions that a schema can have, oldest first.
    pub fn versions() -> impl Iterator<Item = i64> {
        migrate::versions()
    }

    /// A new store in memory, which keeps nothing: to look at what a new store is like.
    pub(crate) async fn in_memory() -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new().in_memory(true);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        migrate::run(&writer, "BLOB", migrate::KNOWN).await?;
        let readers = writer.clone();
        Ok(Self { pools: Pools::Sqlite { writer, readers } })
    }

    /// Opens the store that `url` names as it is: one that is not there is an error, and so is a schema that
    /// is older or newer than ours.
    pub async fn open_as_is(url: &str) -> Result<Self, StoreError> {
        let store = Self { pools: connect(url, false).await? };
        let (found, known) = (migrate::version(&store).await?, migrate::KNOWN);
        if found != known {
            return Err(StoreError::Schema { found, known });
        }
        Ok(store)
    }
}

/// The file of an SQLite store.
pub(super) fn sqlite_path(url: &str) -> Option<PathBuf> {
    url.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//").into())
}

async fn connect(url: &str, create: bool) -> Result<Pools, StoreError> {
    if let Some(path) = sqlite_path(url) {
        open_sqlite(path, create).await
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        Ok(Pools::Postgres(open_postgres(url).await?))
    } else {
        Err(StoreUrlError.into())
    }
}

async fn open_sqlite(path: PathBuf, create: bool) -> Result<Pools, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(create)
        .journal_mode(SqliteJournalMode::Wal)
        // WAL with NORMAL loses everything since the last checkpoint at a power cut.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(BUSY_S_MAX));
    let acquire = Duration::from_secs(BUSY_S_MAX);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(acquire)
        .connect_with(options.clone())
        .await?;
    check_sqlite(&writer).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(acquire)
        .connect_with(options.read_only(true).create_if_missing(false))
        .await?;
    Ok(Pools::Sqlite { writer, readers })
}

async fn open_postgres(url: &str) -> Result<PgPool, StoreError> {
    let options = postgres_options(url)?.options([
        ("statement_timeout", STATEMENT_MS_MAX),
        ("lock_timeout", LOCK_MS_MAX),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_MS_MAX),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS_MAX)
        .acquire_timeout(Duration::from_secs(BUSY_S_MAX))
        .connect_with(options)
        .await?;
    check_postgres(&pool).await?;
    Ok(pool)
}

fn postgres_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    Ok(PgConnectOptions::from_str(url)?.application_name("tripline-bpp"))
}

/// Over a connection of its own, which nothing cuts off: a step may rewrite a large table, and one backend
/// waits here for another that does.
async fn migrate_postgres(url: &str, through: i64) -> Result<(), StoreError> {
    let options = postgres_options(url)?;
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
    let migrated = migrate::run(&pool, "BYTEA", through).await;
    pool.close().await;
    migrated
}
