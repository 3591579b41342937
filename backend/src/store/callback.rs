//! Table `callback`: the outbox. A row is written in the transaction of the change it tells of.

use tripline_protocol::unit::Timestamp;

use super::{Store, StoreError, Tx, from_db, on_db, to_db};

/// A callback to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCallback {
    /// The order it tells of, or an id of its own. Callbacks of one key go in sequence.
    pub order_key: String,
    /// Its place among the key's callbacks.
    pub sequence: u64,
    /// Who is told.
    pub subscriber_id: String,
    /// The action in the URL, `on_status` for instance.
    pub action: String,
    /// The whole URL.
    pub url: String,
    /// The body, the same at every attempt.
    pub body: Vec<u8>,
    /// After this it is given up.
    pub expires_at: Timestamp,
}

/// A callback whose turn it is.
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
    /// Attempts before this one.
    pub attempts: u64,
    /// After this it is given up.
    pub expires_at: Timestamp,
    due_at: i64,
}

/// Where a callback's delivery stands at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Taken by the subscriber.
    Delivered,
    /// Given up: refused, or not delivered in its time. The operator sees it.
    Dead,
}

impl Delivery {
    const fn code(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

type Row = (String, i64, String, String, String, Vec<u8>, i64, i64, i64);

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
    /// Writes a callback.
    pub async fn add_callback(
        &mut self,
        new: NewCallback,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO callback (order_key, sequence, subscriber_id, action, url, \
             body, state, attempts, next_attempt_at, expires_at, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0, $7, $8, $7)";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(new.order_key)
            .bind(to_db(new.sequence))
            .bind(new.subscriber_id)
            .bind(new.action)
            .bind(new.url)
            .bind(new.body)
            .bind(at.unix_ms)
            .bind(new.expires_at.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// At most `limit` callbacks whose turn it is: due, and with nothing pending before them.
    pub async fn due_callbacks(
        &mut self,
        at: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueCallback>, StoreError> {
        const SQL: &str = "SELECT order_key, sequence, subscriber_id, action, url, body, attempts, \
             expires_at, next_attempt_at FROM callback c \
             WHERE state = 'pending' AND next_attempt_at <= $1 AND NOT EXISTS ( \
                 SELECT 1 FROM callback e WHERE e.order_key = c.order_key \
                 AND e.sequence < c.sequence AND e.state = 'pending') \
             ORDER BY next_attempt_at LIMIT $2";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(at.unix_ms).bind(i64::from(limit)).fetch_all(conn).await?);
        Ok(rows.into_iter().map(due).collect())
    }

    /// When the next callback is due whose turn it is, if there is one.
    pub async fn next_callback_at(&mut self) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str = "SELECT MIN(next_attempt_at) FROM callback c \
             WHERE state = 'pending' AND NOT EXISTS ( \
                 SELECT 1 FROM callback e WHERE e.order_key = c.order_key \
                 AND e.sequence < c.sequence AND e.state = 'pending')";
        let at: Option<i64> = on_db!(self, conn => sqlx::query_scalar(SQL).fetch_one(conn).await?);
        Ok(at.map(Timestamp::from_unix_ms))
    }

    /// Takes a due callback for one attempt, until `lease_until`; `false` if another took it first.
    pub async fn claim_callback(
        &mut self,
        due: &DueCallback,
        lease_until: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE callback SET attempts = attempts + 1, next_attempt_at = $4 \
             WHERE order_key = $1 AND sequence = $2 AND next_attempt_at = $3 AND state = 'pending'";
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(due.order_key.clone())
            .bind(to_db(due.sequence))
            .bind(due.due_at)
            .bind(lease_until.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(rows == 1)
    }

    /// Puts a callback off after a failed attempt.
    pub async fn retry_callback(
        &mut self,
        due: &DueCallback,
        next_attempt_at: Timestamp,
        error: &str,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE callback SET next_attempt_at = $3, last_error = $4 \
             WHERE order_key = $1 AND sequence = $2 AND state = 'pending'";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(due.order_key.clone())
            .bind(to_db(due.sequence))
            .bind(next_attempt_at.unix_ms)
            .bind(error.to_owned())
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Ends a callback's delivery.
    pub async fn finish_callback(
        &mut self,
        due: &DueCallback,
        delivery: Delivery,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE callback SET state = $3, last_error = $4 \
             WHERE order_key = $1 AND sequence = $2 AND state = 'pending'";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(due.order_key.clone())
            .bind(to_db(due.sequence))
            .bind(delivery.code())
            .bind(error.map(str::to_owned))
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// How many callbacks are in each state, by the state's code.
    pub async fn callback_counts(&mut self) -> Result<Vec<(String, i64)>, StoreError> {
        const SQL: &str = "SELECT state, COUNT(*) FROM callback GROUP BY state ORDER BY state";
        Ok(on_db!(self, conn => sqlx::query_as(SQL).fetch_all(conn).await?))
    }
}

fn due(row: Row) -> DueCallback {
    let (order_key, sequence, subscriber_id, action, url, body, attempts, expires_at, due_at) = row;
    DueCallback {
        order_key,
        sequence: from_db(sequence),
        subscriber_id,
        action,
        url,
        body,
        attempts: from_db(attempts),
        expires_at: Timestamp::from_unix_ms(expires_at),
        due_at,
    }
}
