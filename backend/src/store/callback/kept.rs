//! The outbox as the operator sees it: what is kept of callbacks, and tried once more.

use tripline_protocol::unit::Timestamp;

use super::super::{StoreError, Tx, from_db, on_db, parse, to_db};
use super::Delivery;

const TABLE: &str = "callback";

/// Rows made pending again in one transaction.
pub const REPLAYED_AT_ONCE_MAX: u32 = 1_000;

/// A callback, whatever became of it, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCallback {
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
    /// Where it stands.
    pub state: Delivery,
    /// Attempts so far.
    pub attempts: u64,
    /// When it is tried next, if it is pending.
    pub next_attempt_at: Timestamp,
    /// After this it is given up.
    pub expires_at: Timestamp,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was delivered or given up.
    pub finished_at: Option<Timestamp>,
    /// Why it was not taken at the last attempt.
    pub last_error: Option<String>,
}

impl KeptCallback {
    /// Where it stands in a list, oldest first.
    fn place(&self) -> (Timestamp, &str, u64) {
        (self.created_at, &self.order_key, self.sequence)
    }
}

/// A place in a list of callbacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackPlace {
    /// When the callback there was written.
    pub created_at: Timestamp,
    /// Its order.
    pub order_key: String,
    /// Its place among those of the order.
    pub sequence: u64,
}

/// Which callbacks are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallbackFilter {
    /// In this state only; what is not delivered if not set.
    pub state: Option<Delivery>,
    /// To this subscriber only.
    pub subscriber_id: Option<String>,
    /// Of this order only.
    pub order_key: Option<String>,
    /// Written from then on.
    pub since: Option<Timestamp>,
}

/// Which dead callbacks are tried once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// One.
    One {
        /// Its order.
        order_key: String,
        /// Its place.
        sequence: u64,
    },
    /// All to one subscriber.
    To(String),
    /// All.
    All,
}

impl Replay {
    /// The parameters of the condition [`replayed!`].
    fn parameters(&self) -> (String, i64, String) {
        match self {
            Self::One { order_key, sequence } => {
                (order_key.clone(), to_db(*sequence), String::new())
            }
            Self::To(subscriber_id) => (String::new(), 0, subscriber_id.clone()),
            Self::All => (String::new(), 0, String::new()),
        }
    }
}

/// Dead callbacks given up by `$1` that a [`Replay`] is about.
macro_rules! replayed {
    () => {
        "state = 'dead' AND (finished_at IS NULL OR finished_at <= $1) \
         AND ($2 = '' OR (order_key = $2 AND sequence = $3)) AND ($4 = '' OR subscriber_id = $4)"
    };
}

macro_rules! columns {
    () => {
        "order_key, sequence, subscriber_id, action, url, state, attempts, next_attempt_at, \
         expires_at, created_at, finished_at, last_error"
    };
}

/// A state stands in the text, so that the index of that state alone is used.
macro_rules! listed {
    ($state:expr) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM callback WHERE state = ",
            $state,
            " AND ($1 = '' OR subscriber_id = $1) AND ($2 = '' OR order_key = $2) \
             AND created_at >= $3 AND created_at <= $4 AND (created_at < $4 OR order_key < $5 \
             OR (order_key = $5 AND sequence < $6)) \
             ORDER BY created_at DESC, order_key DESC, sequence DESC LIMIT $7"
        )
    };
}

type Row =
    (String, i64, String, String, String, String, i64, i64, i64, i64, Option<i64>, Option<String>);

fn kept(row: Row) -> Result<KeptCallback, StoreError> {
    let (order_key, sequence, subscriber_id, action, url, state, attempts, next, expires, ..) =
        &row;
    let (.., created, finished, _) = &row;
    let (next, expires, created, finished) = (*next, *expires, *created, *finished);
    Ok(KeptCallback {
        order_key: order_key.clone(),
        sequence: from_db(*sequence),
        subscriber_id: subscriber_id.clone(),
        action: action.clone(),
        url: url.clone(),
        state: parse(TABLE, &format!("{order_key} {sequence}"), "state", state)?,
        attempts: from_db(*attempts),
        next_attempt_at: Timestamp::from_unix_ms(next),
        expires_at: Timestamp::from_unix_ms(expires),
        created_at: Timestamp::from_unix_ms(created),
        finished_at: finished.map(Timestamp::from_unix_ms),
        last_error: row.11,
    })
}

impl Tx {
    /// The last `limit` callbacks that pass the filter, oldest first.
    pub async fn callbacks(
        &mut self,
        filter: &CallbackFilter,
        limit: u32,
    ) -> Result<Vec<KeptCallback>, StoreError> {
        let mut rows = self.callbacks_before(filter, None, i64::from(limit)).await?;
        rows.reverse();
        Ok(rows)
    }

    /// The last `limit` callbacks before a place that pass the filter, newest first.
    pub async fn callbacks_before(
        &mut self,
        filter: &CallbackFilter,
        before: Option<&CallbackPlace>,
        limit: i64,
    ) -> Result<Vec<KeptCallback>, StoreError> {
        let Some(state) = filter.state else {
            let mut rows = self.callbacks_in(Delivery::Pending, filter, before, limit).await?;
            rows.extend(self.callbacks_in(Delivery::Dead, filter, before, limit).await?);
            rows.sort_by(|one, other| other.place().cmp(&one.place()));
            rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            return Ok(rows);
        };
        self.callbacks_in(state, filter, before, limit).await
    }

    async fn callbacks_in(
        &mut self,
        state: Delivery,
        filter: &CallbackFilter,
        before: Option<&CallbackPlace>,
        limit: i64,
    ) -> Result<Vec<KeptCallback>, StoreError> {
        let sql = match state {
            Delivery::Pending => listed!("'pending'"),
            Delivery::Delivered => listed!("'delivered'"),
            Delivery::Dead => listed!("'dead'"),
        };
        let (at, order_key, sequence) = before.map_or((i64::MAX, String::new(), 0), |place| {
            (place.created_at.unix_ms, place.order_key.clone(), to_db(place.sequence))
        });
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(sql)
            .bind(filter.subscriber_id.clone().unwrap_or_default())
            .bind(filter.order_key.clone().unwrap_or_default())
            .bind(filter.since.map_or(0, |since| since.unix_ms))
            .bind(at)
            .bind(order_key)
            .bind(sequence)
            .bind(limit)
            .fetch_all(conn).await?);
        rows.into_iter().map(kept).collect()
    }

    /// A callback and its body.
    pub async fn callback(
        &mut self,
        order_key: &str,
        sequence: u64,
    ) -> Result<Option<(KeptCallback, Vec<u8>)>, StoreError> {
        const SQL: &str =
            concat!("SELECT ", columns!(), " FROM callback WHERE order_key = $1 AND sequence = $2");
        const BODY: &str = "SELECT body FROM callback WHERE order_key = $1 AND sequence = $2";
        let row: Option<Row> = on_db!(&mut *self, conn => sqlx::query_as(SQL)
            .bind(order_key.to_owned()).bind(to_db(sequence)).fetch_optional(conn).await?);
        let Some(row) = row else { return Ok(None) };
        let body: Option<Vec<u8>> = on_db!(&mut *self, conn => sqlx::query_scalar(BODY)
            .bind(order_key.to_owned()).bind(to_db(sequence)).fetch_optional(conn).await?);
        Ok(Some((kept(row)?, body.unwrap_or_default())))
    }

    /// How many callbacks given up by then a replay is about.
    pub async fn count_replayed(
        &mut self,
        replay: &Replay,
        dead_by: Timestamp,
    ) -> Result<u64, StoreError> {
        const SQL: &str = concat!("SELECT COUNT(*) FROM callback WHERE ", replayed!());
        let (order_key, sequence, subscriber_id) = replay.parameters();
        let count: i64 = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(dead_by.unix_ms)
            .bind(order_key)
            .bind(sequence)
            .bind(subscriber_id)
            .fetch_one(conn).await?);
        Ok(from_db(count))
    }

    /// Makes callbacks given up by then pending again, as if there had been no attempt, and due at once; at
    /// most [`REPLAYED_AT_ONCE_MAX`], oldest first. Says how many.
    pub async fn replay_callbacks(
        &mut self,
        replay: &Replay,
        dead_by: Timestamp,
        expires_at: Timestamp,
    ) -> Result<u64, StoreError> {
        const SQL: &str = concat!(
            "UPDATE callback SET state = 'pending', attempts = 0, next_attempt_at = $1, \
             expires_at = $5, finished_at = NULL, last_error = NULL \
             WHERE state = 'dead' AND (order_key, sequence) IN ( \
                 SELECT order_key, sequence FROM callback WHERE ",
            replayed!(),
            " ORDER BY finished_at, order_key, sequence LIMIT $6)"
        );
        let (order_key, sequence, subscriber_id) = replay.parameters();
        Ok(on_db!(self, conn => sqlx::query(SQL)
            .bind(dead_by.unix_ms)
            .bind(order_key)
            .bind(sequence)
            .bind(subscriber_id)
            .bind(expires_at.unix_ms)
            .bind(i64::from(REPLAYED_AT_ONCE_MAX))
            .execute(conn).await?.rows_affected()))
    }
}
