//! The schema, brought forward step by step and never back. A step that was released never changes.

use std::borrow::Cow;

use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection, Database, Pool, SqlSafeStr as _};

use super::StoreError;

/// Version, name and text of every step. BYTES in a text stands for the database's byte strings.
const STEPS: &[(i64, &str, &str)] = &[
    (1, "initial", include_str!("../../migrations/0001_initial.sql")),
    (2, "device door", include_str!("../../migrations/0002_device_door.sql")),
    (3, "network", include_str!("../../migrations/0003_network.sql")),
];

pub(super) async fn run<D>(pool: &Pool<D>, bytes_type: &str) -> Result<(), StoreError>
where
    D: Database,
    D::Connection: Connection + Migrate,
{
    let steps = STEPS
        .iter()
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
