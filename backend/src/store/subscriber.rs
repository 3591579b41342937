//! Table `subscriber`: what the registry last said of whom.

use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, on_db};
use crate::network::subscriber::Role;

const TABLE: &str = "subscriber";

/// Rows deleted in one transaction: others wait for it.
pub const PRUNED_AT_ONCE_MAX: u32 = 1_000;

/// How much later another process may have asked than one that writes down only then what it was told,
/// in ms.
pub const AHEAD_MS_MAX: i64 = 3_600_000;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriberRow {
    /// Who.
    pub subscriber_id: String,
    /// As what.
    pub role: Role,
    /// What the registry said, as JSON.
    pub entries: String,
    /// When it was asked.
    pub fetched_at: Timestamp,
}

type Row = (String, String, String, i64);

fn subscriber_row(
    (subscriber_id, role, entries, fetched_at): Row,
) -> Result<SubscriberRow, StoreError> {
    let role = Role::from_code(&role).ok_or_else(|| StoreError::BadRow {
        table: TABLE,
        row: subscriber_id.clone(),
        reason: format!("column role: {role:?} is no role"),
    })?;
    let fetched_at = Timestamp::from_unix_ms(fetched_at);
    Ok(SubscriberRow { subscriber_id, role, entries, fetched_at })
}

impl Tx {
    /// Writes a row, unless the one that is there was fetched later. One fetched more than
    /// [`AHEAD_MS_MAX`] later was so by a clock that was wrong, and gives way.
    pub async fn put_subscriber(&mut self, row: SubscriberRow) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO subscriber (subscriber_id, role, entries, fetched_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (subscriber_id, role) DO UPDATE \
             SET entries = excluded.entries, fetched_at = excluded.fetched_at \
             WHERE subscriber.fetched_at <= $4 OR subscriber.fetched_at > $5";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(row.subscriber_id)
            .bind(row.role.code())
            .bind(row.entries)
            .bind(row.fetched_at.unix_ms)
            .bind(row.fetched_at.plus_ms(AHEAD_MS_MAX).unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// The rows fetched at `since` or later, newest first, at most `limit`.
    pub async fn subscribers_since(
        &mut self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<SubscriberRow>, StoreError> {
        const SQL: &str = "SELECT subscriber_id, role, entries, fetched_at FROM subscriber \
             WHERE fetched_at >= $1 ORDER BY fetched_at DESC, subscriber_id, role LIMIT $2";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(since.unix_ms).bind(i64::from(limit))
            .fetch_all(conn).await?);
        rows.into_iter().map(subscriber_row).collect()
    }

    /// Every row, by id and role.
    pub async fn subscribers(&mut self) -> Result<Vec<SubscriberRow>, StoreError> {
        const SQL: &str = "SELECT subscriber_id, role, entries, fetched_at FROM subscriber \
             ORDER BY subscriber_id, role";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL).fetch_all(conn).await?);
        rows.into_iter().map(subscriber_row).collect()
    }

    /// Deletes rows fetched before then, the oldest first, at most [`PRUNED_AT_ONCE_MAX`]; says how many.
    pub async fn prune_subscribers(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM subscriber WHERE (subscriber_id, role) IN \
             (SELECT subscriber_id, role FROM subscriber WHERE fetched_at < $1 \
             ORDER BY fetched_at LIMIT $2)";
        Ok(on_db!(self, conn => sqlx::query(SQL)
            .bind(before.unix_ms).bind(i64::from(PRUNED_AT_ONCE_MAX))
            .execute(conn).await?.rows_affected()))
    }
}
