//! What an operator may want to know of a store: how large it is, and whether it is sound.

use super::{Store, StoreError, Tx, migrate, on_db};

/// Findings that are told; a damaged file has thousands.
const FINDINGS_MAX: usize = 20;

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// Its name.
    pub table: String,
    /// How many rows it has.
    pub rows: i64,
    /// What it takes on the disk with its indexes.
    pub bytes: i64,
}

/// What there is to know of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The version of its schema.
    pub version: i64,
    /// Its tables.
    pub sizes: Vec<Size>,
    /// What is wrong with it; PostgreSQL looks after that itself.
    pub findings: Vec<String>,
}

impl Store {
    /// Looks at every table. It reads all of an SQLite store, and counts every row.
    pub async fn health(&self) -> Result<Health, StoreError> {
        let version = migrate::version(self).await?;
        let mut tx = self.read().await?;
        if let Tx::Postgres(conn) = &mut tx {
            sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut **conn).await?;
        }
        let mut sizes = Vec::new();
        for table in tx.tables().await? {
            let (rows, bytes) = tx.size(&table.name).await?;
            sizes.push(Size { table: table.name, rows, bytes });
        }
        Ok(Health { version, sizes, findings: tx.findings().await? })
    }
}

impl Tx {
    async fn size(&mut self, table: &str) -> Result<(i64, i64), StoreError> {
        const ON_SQLITE: &str = "SELECT COALESCE(SUM(pgsize), 0) FROM dbstat WHERE name IN \
             (SELECT name FROM sqlite_schema WHERE tbl_name = $1)";
        const ON_POSTGRES: &str = "SELECT pg_total_relation_size($1::REGCLASS)";
        let sql = match self {
            Self::Sqlite(_) => ON_SQLITE,
            Self::Postgres(_) | Self::PostgresWriting(_) => ON_POSTGRES,
        };
        // A name out of the schema.
        let count = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let rows = on_db!(&mut *self, conn => sqlx::query_scalar(count).fetch_one(conn).await?);
        let bytes = on_db!(self, conn => sqlx::query_scalar(sql)
            .bind(table.to_owned()).fetch_one(conn).await?);
        Ok((rows, bytes))
    }

    async fn findings(&mut self) -> Result<Vec<String>, StoreError> {
        let Self::Sqlite(conn) = self else { return Ok(Vec::new()) };
        let told: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut **conn).await?;
        let mut findings: Vec<String> = told.into_iter().filter(|told| told != "ok").collect();
        let orphans: Vec<(String, i64)> = sqlx::query_as(
            "SELECT \"table\", COUNT(*) FROM pragma_foreign_key_check GROUP BY \"table\"",
        )
        .fetch_all(&mut **conn)
        .await?;
        let orphan = |(table, rows)| format!("{rows} rows of table {table} belong to nothing");
        findings.extend(orphans.into_iter().map(orphan));
        findings.truncate(FINDINGS_MAX);
        Ok(findings)
    }
}
