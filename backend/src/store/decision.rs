//! Table `dispatch_decision`: who was asked for an order, and why nobody else.

use tripline_protocol::id::OrderId;

use super::{StoreError, Tx, on_db};
use crate::domain::dispatch::Decision;

const TABLE: &str = "dispatch_decision";

/// Decisions kept with an order; what comes after replaces the last of them. It is far more than a search of
/// an hour with batches of one makes.
const DECISIONS_MAX: i64 = 200;

fn decision(order: OrderId, body: &str) -> Result<Decision, StoreError> {
    serde_json::from_str(body).map_err(|error| StoreError::BadRow {
        table: TABLE,
        row: order.to_string(),
        reason: format!("column body: {error}"),
    })
}

impl Tx {
    /// Keeps a decision about an order. One that says what the last one said is counted there.
    pub async fn add_decision(
        &mut self,
        order: OrderId,
        decision: &Decision,
    ) -> Result<(), StoreError> {
        let (sequence, last) = match self.last_decision(order).await? {
            None => (1, None),
            Some((sequence, mut last)) => {
                if last.repeat(decision) {
                    (sequence, Some(last))
                } else {
                    ((sequence + 1).min(DECISIONS_MAX), None)
                }
            }
        };
        self.put_decision(order, sequence, last.as_ref().unwrap_or(decision)).await
    }

    async fn put_decision(
        &mut self,
        order: OrderId,
        sequence: i64,
        decision: &Decision,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO dispatch_decision (order_id, sequence, at, body) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (order_id, sequence) \
             DO UPDATE SET at = excluded.at, body = excluded.body";
        let body = serde_json::to_string(decision).map_err(|error| StoreError::BadRow {
            table: TABLE,
            row: order.to_string(),
            reason: error.to_string(),
        })?;
        on_db!(self, conn => sqlx::query(SQL)
            .bind(order.to_string())
            .bind(sequence)
            .bind(decision.at.unix_ms)
            .bind(body)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    async fn last_decision(
        &mut self,
        order: OrderId,
    ) -> Result<Option<(i64, Decision)>, StoreError> {
        const SQL: &str = "SELECT sequence, body FROM dispatch_decision WHERE order_id = $1 \
             ORDER BY sequence DESC LIMIT 1";
        let row: Option<(i64, String)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(order.to_string()).fetch_optional(conn).await?);
        row.map(|(sequence, body)| Ok((sequence, decision(order, &body)?))).transpose()
    }

    /// Every decision about an order, in the order they were made.
    pub async fn decisions(&mut self, order: OrderId) -> Result<Vec<Decision>, StoreError> {
        const SQL: &str =
            "SELECT body FROM dispatch_decision WHERE order_id = $1 ORDER BY sequence";
        let rows: Vec<String> = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(order.to_string()).fetch_all(conn).await?);
        rows.iter().map(|body| decision(order, body)).collect()
    }
}
