//! Who takes a callback for an attempt: whoever moves its time ahead first.

use std::sync::LazyLock;

use tripline_protocol::unit::Timestamp;

use super::super::rows::ManyRows;
use super::super::{Store, StoreError, Tx, from_db, on_db};
use super::turns::{Seen, Turns};

/// A callback taken for an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueCallback {
    /// The order's id, or one of its own.
    pub order_key: String,
    /// Its place.
    pub sequence: u64,
    /// Who is told.
    pub subscriber_id: String,
    /// The action.
    pub action: String,
    /// The URL.
    pub url: String,
    /// The body.
    pub body: Vec<u8>,
    /// Attempts, this one included.
    pub attempts: u64,
    /// After this it is given up.
    pub expires_at: Timestamp,
    /// Nobody else takes it before.
    pub(super) lease_until: i64,
}

#[cfg(test)]
impl DueCallback {
    /// One for tests, at this attempt.
    pub(crate) fn example(attempts: u64, expires_at: Timestamp) -> Self {
        Self {
            order_key: "order".into(),
            sequence: 1,
            subscriber_id: "bap.example".into(),
            action: "on_status".into(),
            url: "https://bap.example/on_status".into(),
            body: b"{}".to_vec(),
            attempts,
            expires_at,
            lease_until: 0,
        }
    }
}

type ClaimedRow = (String, i64, String, String, String, Vec<u8>, i64, i64, i64);

pub(super) static CLAIM: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new(
        "UPDATE callback AS c SET attempts = c.attempts + 1, next_attempt_at = v.column4 \
         FROM (VALUES",
        5,
        ") AS v WHERE c.order_key = v.column1 AND c.sequence = v.column2 \
         AND c.next_attempt_at = v.column3 AND c.state = 'pending' AND c.expires_at > v.column5 \
         RETURNING order_key, sequence, subscriber_id, action, url, body, attempts, expires_at, \
         next_attempt_at",
    )
});

pub(super) static PUT_BEHIND: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new(
        "UPDATE callback AS c SET next_attempt_at = \
         CASE WHEN c.expires_at < v.column4 THEN c.expires_at ELSE v.column4 END FROM (VALUES",
        4,
        ") AS v WHERE c.order_key = v.column1 AND c.sequence = v.column2 \
         AND c.next_attempt_at = v.column3 AND c.state = 'pending' \
         AND EXISTS (SELECT 1 FROM callback e WHERE e.order_key = c.order_key \
         AND e.sequence < c.sequence AND e.state = 'pending')",
    )
});

impl Store {
    /// Makes callbacks due that a backend was delivering when it was killed. On SQLite there is one
    /// backend, and it starts now; on PostgreSQL another may be delivering them, so their leases run.
    pub async fn forget_claims(&self, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE callback SET next_attempt_at = $1 \
             WHERE state = 'pending' AND attempts > 0 AND next_attempt_at > $1";
        if !self.has_one_backend() {
            return Ok(());
        }
        let mut tx = self.write().await?;
        on_db!(&mut tx, conn => sqlx::query(SQL)
            .bind(at.unix_ms).execute(conn).await?.rows_affected());
        tx.commit().await
    }
}

impl Tx {
    /// Takes callbacks for one attempt each, until `lease_until`, and puts off those that wait for an
    /// earlier one. What another backend took first is not among those given.
    pub async fn claim_callbacks(
        &mut self,
        mut turns: Turns,
        at: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<DueCallback>, StoreError> {
        // In the order of their keys, as every writer of many rows has them.
        turns.heads.sort();
        turns.behind.sort();
        let mut claimed = Vec::with_capacity(turns.heads.len());
        for (sql, heads) in CLAIM.pieces(&turns.heads) {
            let rows: Vec<ClaimedRow> = on_db!(&mut *self, conn => {
                let mut query = sqlx::query_as(sql);
                for head in heads {
                    query = query
                        .bind(head.order_key.clone())
                        .bind(head.sequence)
                        .bind(head.due_at)
                        .bind(lease_until.unix_ms)
                        .bind(at.unix_ms);
                }
                query.fetch_all(conn).await?
            });
            claimed.extend(rows.into_iter().map(due));
        }
        self.put_behind(&turns.behind).await?;
        Ok(claimed)
    }

    async fn put_behind(&mut self, behind: &[(Seen, i64)]) -> Result<(), StoreError> {
        for (sql, behind) in PUT_BEHIND.pieces(behind) {
            on_db!(&mut *self, conn => {
                let mut query = sqlx::query(sql);
                for (seen, until) in behind {
                    query = query
                        .bind(seen.order_key.clone())
                        .bind(seen.sequence)
                        .bind(seen.due_at)
                        .bind(*until);
                }
                query.execute(conn).await?.rows_affected()
            });
        }
        Ok(())
    }
}

fn due(row: ClaimedRow) -> DueCallback {
    let (order_key, sequence, subscriber_id, action, url, body, attempts, expires_at, lease) = row;
    DueCallback {
        order_key,
        sequence: from_db(sequence),
        subscriber_id,
        action,
        url,
        body,
        attempts: from_db(attempts),
        expires_at: Timestamp::from_unix_ms(expires_at),
        lease_until: lease,
    }
}
