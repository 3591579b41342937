//! What is forgotten of callbacks that are over.

use tripline_protocol::unit::Timestamp;

use super::super::{StoreError, Tx, on_db};

/// Rows deleted in one transaction: others wait for it.
pub const PRUNED_AT_ONCE_MAX: u32 = 1_000;

pub(super) const PRUNE_DELIVERED: &str = "DELETE FROM callback WHERE (order_key, sequence) IN ( \
             SELECT order_key, sequence FROM callback \
             WHERE state = 'delivered' AND finished_at < $1 ORDER BY finished_at LIMIT $2)";

pub(super) const PRUNE_DEAD: &str = "DELETE FROM callback WHERE state = 'dead' \
             AND (order_key, sequence) IN ( \
             SELECT order_key, sequence FROM callback WHERE state = 'dead' AND action = $3 \
             AND finished_at < $1 ORDER BY finished_at LIMIT $2)";

impl Tx {
    /// Deletes callbacks delivered before then, at most [`PRUNED_AT_ONCE_MAX`]; says how many.
    pub async fn prune_delivered(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        Ok(on_db!(self, conn => sqlx::query(PRUNE_DELIVERED)
            .bind(before.unix_ms)
            .bind(i64::from(PRUNED_AT_ONCE_MAX))
            .execute(conn).await?.rows_affected()))
    }

    /// Deletes callbacks of an action given up before then, at most [`PRUNED_AT_ONCE_MAX`]; says how many.
    /// One that is replayed meanwhile stays.
    pub async fn prune_dead(
        &mut self,
        action: &'static str,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        Ok(on_db!(self, conn => sqlx::query(PRUNE_DEAD)
            .bind(before.unix_ms)
            .bind(i64::from(PRUNED_AT_ONCE_MAX))
            .bind(action)
            .execute(conn).await?.rows_affected()))
    }
}
