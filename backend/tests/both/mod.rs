//! Runs tests on SQLite and, where a server is provided, on PostgreSQL.

use std::future::Future;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use tripline_backend::store::{Store, Tx};

/// A fresh store of each kind, and the folder that one of them is in.
pub(crate) async fn both() -> (TempDir, Vec<Store>) {
    let dir = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", dir.path().join("test.db").display());
    let mut stores = vec![Store::open(&url).await.expect("SQLite opens")];
    if let Some(url) = postgres().await {
        stores.push(Store::open(&url).await.expect("PostgreSQL opens"));
    }
    (dir, stores)
}

/// Runs a test on both databases.
pub(crate) async fn on_both<F, T>(test: F)
where
    F: Fn(Store) -> T,
    T: Future<Output = ()>,
{
    let (_dir, stores) = both().await;
    for store in stores {
        Box::pin(test(store)).await;
    }
}

/// A fresh PostgreSQL database, where a server is provided.
pub(crate) async fn postgres() -> Option<String> {
    let Ok(server) = std::env::var("TRIPLINE_TEST_POSTGRES_URL") else {
        eprintln!("\n*** PostgreSQL SKIPPED: TRIPLINE_TEST_POSTGRES_URL is not set ***\n");
        return None;
    };
    let name = format!("store_{}", uuid::Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&server).await.expect("the server");
    let sql = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(sql).execute(&mut connection).await.expect("a database");
    let (base, _) = server.rsplit_once('/').expect("a database in the URL");
    Some(format!("{base}/{name}"))
}

/// Runs a statement without parameters; says how many rows it changed.
pub(crate) async fn execute(tx: &mut Tx, sql: &'static str) -> Result<u64, sqlx::Error> {
    match tx {
        Tx::Sqlite(tx) => sqlx::query(sql).execute(&mut **tx).await.map(|it| it.rows_affected()),
        Tx::Postgres(tx) | Tx::PostgresWriting(tx) => {
            sqlx::query(sql).execute(&mut **tx).await.map(|it| it.rows_affected())
        }
    }
}

/// Ends the certificate with this SHA-256 for this reason.
pub(crate) async fn end_certificate(store: &Store, fingerprint: [u8; 32], why: &'static str) {
    const SQL: &str =
        "UPDATE device_certificate SET ended_at = 1, ended_why = $2 WHERE fingerprint = $1";
    let mut tx = store.write().await.expect("begins");
    let ended = match &mut tx {
        Tx::Sqlite(tx) => sqlx::query(SQL)
            .bind(fingerprint.to_vec())
            .bind(why)
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected()),
        Tx::Postgres(tx) | Tx::PostgresWriting(tx) => sqlx::query(SQL)
            .bind(fingerprint.to_vec())
            .bind(why)
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected()),
    };
    assert_eq!(ended.expect("updated"), 1, "there is such a certificate");
    tx.commit().await.expect("commits");
}
