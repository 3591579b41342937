//! Whose time is over, attempted or not.

use tripline_protocol::unit::Timestamp;

use super::super::{StoreError, Tx, from_db, on_db};
use super::note::Ended;

/// A callback that was given up because its time was over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// Its order.
    pub order_key: String,
    /// Its place.
    pub sequence: u64,
    /// Who was to be told.
    pub subscriber_id: String,
    /// The action.
    pub action: String,
}

pub(super) const NEXT_EXPIRY: &str = "SELECT expires_at FROM callback WHERE state = 'pending' \
             AND (expires_at > $1 OR next_attempt_at <= $1) ORDER BY expires_at LIMIT 1";

/// The condition stands twice: on PostgreSQL another backend may claim a row after it was chosen, and then
/// it is the outer one that is looked at again.
pub(super) const EXPIRE: &str = "UPDATE callback SET state = 'dead', finished_at = $1, \
             last_error = 'not delivered in its time' || \
             CASE WHEN last_error IS NULL THEN '' ELSE '; at last: ' || last_error END \
             WHERE state = 'pending' AND expires_at <= $1 AND next_attempt_at <= $1 \
             AND (order_key, sequence) IN ( \
                 SELECT order_key, sequence FROM callback WHERE state = 'pending' \
                 AND expires_at <= $1 AND next_attempt_at <= $1 \
                 ORDER BY expires_at, order_key, sequence LIMIT $2) \
             RETURNING order_key, sequence, subscriber_id, action";

impl Tx {
    /// When the time of the next pending callback is over. One whose time is over while an attempt is under
    /// way does not count.
    pub async fn next_callback_expiry(
        &mut self,
        at: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> = on_db!(self, conn => sqlx::query_scalar(NEXT_EXPIRY)
            .bind(at.unix_ms).fetch_optional(conn).await?);
        Ok(at.map(Timestamp::from_unix_ms))
    }

    /// Gives up at most `limit` callbacks whose time is over and of which no attempt is under way.
    pub async fn expire_callbacks(
        &mut self,
        at: Timestamp,
        limit: u32,
    ) -> Result<Vec<Expired>, StoreError> {
        let rows: Vec<(String, i64, String, String)> = on_db!(&mut *self, conn => {
            sqlx::query_as(EXPIRE).bind(at.unix_ms).bind(i64::from(limit)).fetch_all(conn).await?
        });
        let mut ended = Ended::default();
        for (order_key, sequence, ..) in &rows {
            ended.add(order_key, *sequence, at);
        }
        self.make_next_due(ended).await?;
        let expired = |(order_key, sequence, subscriber_id, action)| Expired {
            order_key,
            sequence: from_db(sequence),
            subscriber_id,
            action,
        };
        Ok(rows.into_iter().map(expired).collect())
    }
}
