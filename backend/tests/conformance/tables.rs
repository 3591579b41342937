//! An empty store without a new database.

use sqlx::AssertSqlSafe;
use tripline_backend::store::{Store, Tx};

/// Empties every table.
pub(crate) async fn clear(store: &Store) {
    let tables = store.tables().await.expect("answers");
    let mut tx = store.write().await.expect("begins");
    for table in tables.iter().rev() {
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
