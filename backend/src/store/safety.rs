//! Refusing a database that would not keep what it commits, or that would take rows that belong to nothing.

use sqlx::{PgPool, SqlitePool};

use super::StoreError;

const POWER_CUT: &str =
    "a power cut would lose committed data (is the file system a network share?)";

const CRASH: &str = "a crash of the server would lose committed data";

/// Settings of PostgreSQL that must not be off, how each is read, and why.
const POSTGRES: [(&str, &str, &str); 3] = [
    ("fsync", "SHOW fsync", CRASH),
    ("synchronous_commit", "SHOW synchronous_commit", CRASH),
    (
        "full_page_writes",
        "SHOW full_page_writes",
        "a crash of the server while it writes a page would leave that page torn",
    ),
];

/// Reads back what was asked of SQLite as the connection was made: a file system or a build that cannot do it
/// leaves it undone and says nothing.
pub(super) async fn check_sqlite(pool: &SqlitePool) -> Result<(), StoreError> {
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await?;
    refuse_unless(mode == "wal", "journal_mode", mode, "wal", POWER_CUT)?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(pool).await?;
    let (found, expected) = (synchronous.to_string(), "2 (FULL) or 3 (EXTRA)");
    refuse_unless(synchronous >= 2, "synchronous", found, expected, POWER_CUT)?;
    let foreign_keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(pool).await?;
    let why = "rows could belong to an order or a vehicle that there is not";
    refuse_unless(foreign_keys == 1, "foreign_keys", foreign_keys.to_string(), "1", why)
}

/// Looks at what a session of ours has, whoever set it: the server, the database or the role.
pub(super) async fn check_postgres(pool: &PgPool) -> Result<(), StoreError> {
    for (setting, sql, why) in POSTGRES {
        let found: String = sqlx::query_scalar(sql).fetch_one(pool).await?;
        refuse_unless(found != "off", setting, found, "on", why)?;
    }
    Ok(())
}

fn refuse_unless(
    is_safe: bool,
    setting: &'static str,
    found: String,
    expected: &'static str,
    why: &'static str,
) -> Result<(), StoreError> {
    if is_safe { Ok(()) } else { Err(StoreError::Unsafe { setting, found, expected, why }) }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
    };

    use super::*;

    /// What is said of a database that was opened with these options.
    async fn said(options: SqliteConnectOptions) -> String {
        let dir = tempfile::tempdir().expect("a folder");
        let options = options.filename(dir.path().join("test.db")).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
        match check_sqlite(&pool.expect("opens")).await {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn what_sqlite_did_not_take_on_is_refused_by_name() {
        let safe = SqliteConnectOptions::new()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        assert_eq!(said(safe.clone()).await, "");
        assert_eq!(said(safe.clone().synchronous(SqliteSynchronous::Extra)).await, "");
        for (unsafe_one, expected) in [
            (safe.clone().journal_mode(SqliteJournalMode::Delete), "journal_mode is delete"),
            (safe.clone().synchronous(SqliteSynchronous::Normal), "synchronous is 1"),
            (safe.clone().synchronous(SqliteSynchronous::Off), "synchronous is 0"),
            (safe.clone().foreign_keys(false), "foreign_keys is 0, it must be 1"),
        ] {
            let said = said(unsafe_one).await;
            assert!(said.contains(expected), "{said}");
        }
    }
}
