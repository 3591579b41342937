//! Table `callback`: the outbox. A row is written in the transaction of the change it tells of.

mod claim;
mod expire;
mod kept;
mod note;
#[cfg(test)]
mod plans;
mod prune;
mod turns;

use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, on_db, to_db};

pub use claim::DueCallback;
pub use expire::Expired;
pub use kept::{CallbackFilter, CallbackPlace, KeptCallback, REPLAYED_AT_ONCE_MAX, Replay};
pub use note::{Note, Noted};
pub use prune::PRUNED_AT_ONCE_MAX;
pub use turns::Turns;

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

/// Where a callback's delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Not taken yet.
    Pending,
    /// Taken by the subscriber.
    Delivered,
    /// Given up: refused, or not delivered in its time. The operator sees it.
    Dead,
}

impl Delivery {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Dead];

    /// The word for it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

/// No such word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of pending, delivered and dead")]
pub struct UnknownDelivery;

impl std::str::FromStr for Delivery {
    type Err = UnknownDelivery;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|delivery| delivery.code() == code).ok_or(UnknownDelivery)
    }
}

/// How many callbacks are not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallbackCounts {
    /// They wait.
    pub pending: i64,
    /// They were given up.
    pub dead: i64,
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

    /// How many callbacks are not delivered. The many that are, are not looked at.
    pub async fn callback_counts(&mut self) -> Result<CallbackCounts, StoreError> {
        const SQL: &str = "SELECT (SELECT COUNT(*) FROM callback WHERE state = 'pending'), \
             (SELECT COUNT(*) FROM callback WHERE state = 'dead')";
        let (pending, dead): (i64, i64) =
            on_db!(self, conn => sqlx::query_as(SQL).fetch_one(conn).await?);
        Ok(CallbackCounts { pending, dead })
    }
}
