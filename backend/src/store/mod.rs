//! The store: SQLite or PostgreSQL behind one set of functions, with one SQL text for both.
//!
//! A function takes a transaction and does one thing to one table. [`Store::write`] begins a
//! transaction that may write: on SQLite with `BEGIN IMMEDIATE` on the only writer connection, since a
//! deferred transaction that upgrades fails at once.

mod connect;
mod fault;
mod forward;
mod migrate;
mod rows;
mod safety;
mod upgrade;

pub mod answer;
pub mod area;
pub mod audit;
pub mod callback;
pub mod certificate;
pub mod change;
pub mod check;
pub mod code;
pub mod copy;
pub mod decision;
pub mod document;
pub mod down;
pub mod driver;
pub mod duty;
pub mod erase;
pub mod fleet;
pub mod form;
pub mod heard;
pub mod hold;
pub mod inbox;
pub mod item;
pub mod lane;
pub mod listing;
pub mod offers;
pub mod order;
pub mod presence;
pub mod promotion;
mod provider;
pub mod rating;
pub mod registration;
pub mod retention;
pub mod retry;
pub mod schema;
pub mod set_aside;
pub mod settings;
pub mod shift;
pub mod signal;
pub mod snapshot;
pub mod submission;
pub mod subscriber;
pub mod tariff;
pub mod token;
pub mod trail;
pub mod vehicle;
pub mod watched;

use sqlx::{PgPool, Postgres, Sqlite, SqlitePool};

pub use connect::StoreUrlError;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("database schema: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The schema is not the one that this program knows.
    #[error(
        "its schema has version {found}, and this program knows version {known}: {}",
        if found < known {
            "run `tripline-bpp serve` or `init` of this version first"
        } else {
            "use the program that serves from it, or a newer one"
        }
    )]
    Schema {
        /// The version that it has; 0 for none.
        found: i64,
        /// The version that is needed.
        known: i64,
    },
    /// The database does not keep what it commits.
    #[error("database setting {setting} is {found}, it must be {expected}: {why}")]
    Unsafe {
        /// Which setting.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        expected: &'static str,
        /// Why.
        why: &'static str,
    },
    /// The URL.
    #[error(transparent)]
    Url(#[from] StoreUrlError),
    /// A row holds what no code of ours writes.
    #[error("table {table}, row {row}: {reason}")]
    BadRow {
        /// The table.
        table: &'static str,
        /// Its key.
        row: String,
        /// What is wrong.
        reason: String,
    },
    /// A column of a type that no migration of ours may use.
    #[error("table {table}, column {column}: {declared} is no type of ours")]
    Column {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        declared: String,
    },
    /// Somebody else changed a row in between.
    #[error("table {table}, row {row} was changed by another writer; try again")]
    Conflict {
        /// The table.
        table: &'static str,
        /// Its key.
        row: String,
    },
}

/// The store.
#[derive(Debug, Clone)]
pub struct Store {
    pools: Pools,
}

#[derive(Debug, Clone)]
enum Pools {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres(PgPool),
}

/// A transaction. Dropped without [`Tx::commit`], it never was.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    /// On PostgreSQL, to read.
    Postgres(sqlx::Transaction<'static, Postgres>),
    /// On PostgreSQL, to write: orders are locked as they are read, so that two writers of one take
    /// turns. SQLite has one writer anyway.
    PostgresWriting(sqlx::Transaction<'static, Postgres>),
}

/// Runs one expression on either database: `$conn` is the connection in it.
macro_rules! on_db {
    ($tx:expr, $conn:ident => $body:expr) => {
        match $tx {
            $crate::store::Tx::Sqlite(tx) => {
                let $conn = &mut **tx;
                $body
            }
            $crate::store::Tx::Postgres(tx) | $crate::store::Tx::PostgresWriting(tx) => {
                let $conn = &mut **tx;
                $body
            }
        }
    };
}

pub(crate) use on_db;

impl Store {
    /// Begins a transaction that may write.
    pub async fn write(&self) -> Result<Tx, StoreError> {
        Ok(match &self.pools {
            Pools::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Pools::Postgres(pool) => Tx::PostgresWriting(pool.begin().await?),
        })
    }

    /// Begins a transaction that only reads.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        Ok(match &self.pools {
            Pools::Sqlite { readers, .. } => Tx::Sqlite(readers.begin().await?),
            Pools::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Whether this kind of store serves one backend only.
    pub const fn has_one_backend(&self) -> bool {
        matches!(self.pools, Pools::Sqlite { .. })
    }

    /// The same, for the store that `url` names.
    pub fn is_for_one_backend(url: &str) -> bool {
        connect::sqlite_path(url).is_some()
    }

    /// Closes every connection.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Makes everything done in it durable.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) | Self::PostgresWriting(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Begins a part that can be undone alone.
    pub async fn begin_part(&mut self) -> Result<(), StoreError> {
        self.run("SAVEPOINT part").await
    }

    /// Ends a part, which stays.
    pub async fn keep_part(&mut self) -> Result<(), StoreError> {
        self.run("RELEASE SAVEPOINT part").await
    }

    /// Ends a part, of which nothing stays.
    pub async fn undo_part(&mut self) -> Result<(), StoreError> {
        self.run("ROLLBACK TO SAVEPOINT part").await?;
        self.keep_part().await
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), StoreError> {
        on_db!(self, conn => sqlx::query(sql).execute(conn).await?.rows_affected());
        Ok(())
    }
}

/// A number of ours as the database keeps it: the same 64 bits, signed.
const fn to_db(number: u64) -> i64 {
    number.cast_signed()
}

/// A number of ours back from the database.
const fn from_db(number: i64) -> u64 {
    number.cast_unsigned()
}

/// A column's text as one of our types, or the named error.
fn parse<T: std::str::FromStr>(
    table: &'static str,
    row: &str,
    column: &str,
    text: &str,
) -> Result<T, StoreError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| StoreError::BadRow {
        table,
        row: row.into(),
        reason: format!("column {column}: {error}"),
    })
}
