//! What an error of the database is due to.

use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;

use super::StoreError;

/// Result codes of SQLite that say the file cannot be used at the moment: `BUSY`, `LOCKED`, `NOMEM`,
/// `READONLY`, `IOERR`, `FULL` and `CANTOPEN`.
const SQLITE: [u32; 7] = [5, 6, 7, 8, 10, 13, 14];

/// The primary result code of SQLite is in these bits of an extended one.
const SQLITE_PRIMARY: u32 = 0xff;

/// Classes of PostgreSQL's codes that say the server cannot be used at the moment: connection exception,
/// insufficient resources, operator intervention, system error.
const POSTGRES: [&str; 4] = ["08", "53", "57", "58"];

/// PostgreSQL's codes of a transaction that lost against others: serialization failure, deadlock.
const LOST: [&str; 2] = ["40001", "40P01"];

impl StoreError {
    /// Whether the store itself could not be used, whatever was asked of it.
    pub fn is_of_the_store(&self) -> bool {
        let Self::Database(error) = self else { return false };
        if let sqlx::Error::Database(error) = error {
            return is_of_the_database(&**error);
        }
        matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
        )
    }

    /// Whether PostgreSQL ended the transaction because it and others were in each other's way.
    pub fn is_deadlock(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        !is_sqlite(&**error) && error.code().is_some_and(|code| LOST.contains(&&*code))
    }
}

fn is_sqlite(error: &dyn DatabaseError) -> bool {
    error.try_downcast_ref::<SqliteError>().is_some()
}

fn is_of_the_database(error: &dyn DatabaseError) -> bool {
    let Some(code) = error.code() else { return false };
    if is_sqlite(error) {
        code.parse().is_ok_and(|code: u32| SQLITE.contains(&(code & SQLITE_PRIMARY)))
    } else {
        POSTGRES.iter().any(|class| code.starts_with(class))
    }
}
