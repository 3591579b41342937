//! The schema, brought forward step by step and never back. A step that was released never changes.

use std::borrow::Cow;

use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection, Database, Pool, SqlSafeStr as _};

use super::{Store, StoreError, Tx, on_db};

/// Version, name and text of every step. BYTES in a text stands for the database's byte strings.
const STEPS: &[(i64, &str, &str)] = &[
    (1, "initial", include_str!("../../migrations/0001_initial.sql")),
    (2, "device door", include_str!("../../migrations/0002_device_door.sql")),
    (3, "network", include_str!("../../migrations/0003_network.sql")),
    (4, "fleet, trips and money", include_str!("../../migrations/0004_fleet_trips_and_money.sql")),
];

/// The version of the last step.
pub(super) const KNOWN: i64 = STEPS[STEPS.len() - 1].0;

/// The version of every step.
pub(super) fn versions() -> impl Iterator<Item = i64> {
    STEPS.iter().map(|(version, ..)| *version)
}

/// The version of a store's schema; 0 if it has none. Nothing is changed.
pub(super) async fn version(store: &Store) -> Result<i64, StoreError> {
    const ON_SQLITE: &str = "SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    const ON_POSTGRES: &str = "SELECT COUNT(*) FROM to_regclass('_sqlx_migrations') AS it \
         WHERE it IS NOT NULL";
    const LAST: &str = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
    let mut tx = store.read().await?;
    let is_there = match &tx {
        Tx::Sqlite(_) => ON_SQLITE,
        Tx::Postgres(_) | Tx::PostgresWriting(_) => ON_POSTGRES,
    };
    let tables: i64 = on_db!(&mut tx, conn => sqlx::query_scalar(is_there).fetch_one(conn).await?);
    if tables == 0 {
        return Ok(0);
    }
    Ok(on_db!(&mut tx, conn => sqlx::query_scalar(LAST).fetch_one(conn).await?))
}

/// Brings a schema forward through the step `through`, at most.
pub(super) async fn run<D>(pool: &Pool<D>, bytes_type: &str, through: i64) -> Result<(), StoreError>
where
    D: Database,
    D::Connection: Connection + Migrate,
{
    let steps = STEPS
        .iter()
        .filter(|(version, ..)| *version <= through)
        .map(|(version, name, sql)| {
            let sql = sql.replace("BYTES", bytes_type);
            Migration::new(
                *version,
                Cow::Borrowed(*name),
                MigrationType::Simple,
                AssertSqlSafe(sql).into_sql_str(),
                false,
            )
        })
        .collect();
    Migrator::with_migrations(steps).run(pool).await?;
    Ok(())
}
