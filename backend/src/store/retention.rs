//! What is deleted by its age, a bounded number of rows at a time: others wait for a transaction that deletes.

use tripline_protocol::machine::Machine as _;
use tripline_protocol::order::OrderState;
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, on_db};

/// Rows deleted in one transaction.
pub const DELETED_AT_ONCE_MAX: u32 = 1_000;

/// What is kept so long and no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aged {
    /// Trail batches, by when they came.
    Trail,
    /// What batches were folded into, by their last fix.
    TrailRuns,
    /// Events of devices, by when they came.
    Events,
    /// Commands that devices have reported on, by when they were written.
    Commands,
    /// What revoked devices still had on the way.
    SetAside,
    /// Pages of forms, from when they are not shown any more.
    FormPages,
}

const TRAIL: &str = "DELETE FROM trail_batch WHERE (device_id, epoch, through_sequence) IN ( \
     SELECT device_id, epoch, through_sequence FROM trail_batch WHERE received_at < $1 \
     ORDER BY received_at LIMIT $2)";

const TRAIL_RUNS: &str = "DELETE FROM trail_run WHERE (device_id, epoch, through_sequence) IN ( \
     SELECT device_id, epoch, through_sequence FROM trail_run WHERE last_at < $1 \
     ORDER BY last_at LIMIT $2)";

const EVENTS: &str = "DELETE FROM device_event WHERE (device_id, epoch, sequence) IN ( \
     SELECT device_id, epoch, sequence FROM device_event WHERE received_at < $1 \
     ORDER BY received_at LIMIT $2)";

/// The one that carried a device's settings says whether the device took them.
const COMMANDS: &str = "DELETE FROM down_message WHERE (device_id, number) IN ( \
     SELECT m.device_id, m.number FROM down_message m WHERE m.outcome IS NOT NULL \
     AND m.created_at < $1 AND NOT EXISTS (SELECT 1 FROM device_settings s \
     WHERE s.device_id = m.device_id AND s.number = m.number) ORDER BY m.created_at LIMIT $2)";

const SET_ASIDE: &str = "DELETE FROM set_aside WHERE set_aside_id IN ( \
     SELECT set_aside_id FROM set_aside WHERE received_at < $1 ORDER BY received_at LIMIT $2)";

const FORM_PAGES: &str = "DELETE FROM form_page WHERE page_token IN ( \
     SELECT page_token FROM form_page WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";

impl Aged {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Trail,
        Self::TrailRuns,
        Self::Events,
        Self::Commands,
        Self::SetAside,
        Self::FormPages,
    ];

    const fn sql(self) -> &'static str {
        match self {
            Self::Trail => TRAIL,
            Self::TrailRuns => TRAIL_RUNS,
            Self::Events => EVENTS,
            Self::Commands => COMMANDS,
            Self::SetAside => SET_ASIDE,
            Self::FormPages => FORM_PAGES,
        }
    }
}

/// Rows that go with their order: of every table that refers to one, and the order itself last.
const WITH_AN_ORDER: [&str; 5] = [
    "DELETE FROM assignment WHERE order_id = $1",
    "DELETE FROM dispatch_decision WHERE order_id = $1",
    "DELETE FROM trip WHERE order_id = $1",
    "DELETE FROM device_hold WHERE order_id = $1",
    "DELETE FROM ride_order WHERE order_id = $1",
];

impl Tx {
    /// Deletes what is older than `before`, the oldest first, at most [`DELETED_AT_ONCE_MAX`]; says how many.
    pub async fn delete_aged(&mut self, what: Aged, before: Timestamp) -> Result<u64, StoreError> {
        Ok(on_db!(self, conn => sqlx::query(what.sql())
            .bind(before.unix_ms).bind(i64::from(DELETED_AT_ONCE_MAX))
            .execute(conn).await?.rows_affected()))
    }

    /// Ids of submissions from before then, the oldest first, at most `limit`, with which no order was made that is
    /// still kept for its booking.
    pub async fn unused_submissions(
        &mut self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "SELECT s.submission_id FROM form_submission s WHERE s.at < $1 \
             AND NOT EXISTS (SELECT 1 FROM ride_order o WHERE o.submission_id = s.submission_id \
             AND o.state <> 'expired') ORDER BY s.at LIMIT $2";
        Ok(on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(before.unix_ms).bind(i64::from(limit)).fetch_all(conn).await?))
    }

    /// Deletes such a submission, unless an order was made with it meanwhile.
    pub async fn delete_unused_submission(&mut self, id: &str) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM form_submission WHERE submission_id = $1 \
             AND NOT EXISTS (SELECT 1 FROM ride_order o WHERE o.submission_id = $1 \
             AND o.state <> 'expired')";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(id.to_owned()).execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Ids of orders that ended in `state` before then, the oldest first, at most `limit`; with `personal`
    /// those alone of which nothing was taken out yet.
    pub async fn orders_over(
        &mut self,
        state: OrderState,
        personal: bool,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        const ALL: &str = "SELECT order_id FROM ride_order WHERE state = $1 AND updated_at < $2 \
             ORDER BY updated_at LIMIT $3";
        const PERSONAL: &str = "SELECT order_id FROM ride_order WHERE state = $1 \
             AND updated_at < $2 AND erased_at IS NULL ORDER BY updated_at LIMIT $3";
        if !state.is_terminal() {
            return Ok(Vec::new());
        }
        let sql = if personal { PERSONAL } else { ALL };
        Ok(on_db!(self, conn => sqlx::query_scalar(sql)
            .bind(state.code()).bind(before.unix_ms).bind(i64::from(limit))
            .fetch_all(conn).await?))
    }

    /// Deletes an order that is over, with everything that refers to it.
    pub async fn delete_order(&mut self, id: &str) -> Result<(), StoreError> {
        for sql in WITH_AN_ORDER {
            on_db!(&mut *self, conn => sqlx::query(sql)
                .bind(id.to_owned()).execute(conn).await?.rows_affected());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    #[tokio::test]
    async fn every_table_that_refers_to_an_order_goes_with_it() {
        let store = Store::in_memory().await.expect("it opens");
        let tables = store.tables().await.expect("answers");
        let refers = |table: &&super::super::schema::Table| {
            table.parents.iter().any(|parent| parent == "ride_order")
        };
        for table in tables.iter().filter(refers) {
            let begin = format!("DELETE FROM {} ", table.name);
            let is_there = WITH_AN_ORDER.iter().any(|sql| sql.starts_with(&begin));
            assert!(is_there, "add table {} to WITH_AN_ORDER", table.name);
        }
    }
}
