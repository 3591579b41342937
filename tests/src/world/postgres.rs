//! A database of its own for a test, on the PostgreSQL server the test run provides.

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Names the server, `postgres://user@host:port/database`; `scripts/with-postgres` sets it.
const URL_VARIABLE: &str = "TRIPLINE_TEST_POSTGRES_URL";

/// A fresh database.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    /// Its URL.
    pub url: String,
}

impl TestDatabase {
    /// Makes a database; `None`, with a loud word, where no server is provided.
    pub async fn create() -> Result<Option<Self>> {
        let Ok(server) = std::env::var(URL_VARIABLE) else {
            eprintln!("\n*** SKIPPED: {URL_VARIABLE} is not set; run scripts/test ***\n");
            return Ok(None);
        };
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let name = format!("tripline_{:016x}", u64::from_le_bytes(random));
        let mut connection =
            PgConnection::connect(&server).await.context("the test's PostgreSQL")?;
        let sql = format!("CREATE DATABASE {name}");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
        connection.close().await?;
        let (base, _) = server.rsplit_once('/').context("the server's URL names a database")?;
        Ok(Some(Self { url: format!("{base}/{name}") }))
    }
}
