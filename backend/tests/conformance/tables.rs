//! An empty store without a new database.

use sqlx::AssertSqlSafe;
use tripline_backend::store::{Store, Tx};

/// A table in which the schema itself puts rows, that are counted up and never added to.
const MADE_BY_THE_SCHEMA: &str = "fleet_change";

/// Empties every table.
pub(crate) async fn clear(store: &Store) {
    let tables = store.tables().await.expect("answers");
    let mut tx = store.write().await.expect("begins");
    for table in tables.iter().rev().filter(|table| table.name != MADE_BY_THE_SCHEMA) {
        let sql = AssertSqlSafe(format!("DELETE FROM {}", table.name));
        let done = match &mut tx {
            Tx::Sqlite(tx) => sqlx::query(sql).execute(&mut **tx).await.map(|_| ()),
            Tx::Postgres(tx) | Tx::PostgresWriting(tx) => {
                sqlx::query(sql).execute(&mut **tx).await.map(|_| ())
            }
        };
        done.expect("emptied");
    }
    tx.commit().await.expect("commits");
}
