//! Table `inbox`: requests that were acknowledged, so that the same one twice has one effect.

use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, on_db};

/// A request's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// Who asked.
    pub subscriber_id: String,
    /// What for.
    pub action: String,
    /// The message's id, given by who asked.
    pub message_id: String,
    /// What tells two requests with one message id apart: the digest, where what has no effect may be asked
    /// for under the id of something else; else nothing.
    pub variant: Vec<u8>,
}

/// Whether a request was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// No: it is noted.
    New,
    /// Yes, the same.
    Same,
    /// Its id was used for another.
    Other,
}

impl Tx {
    /// Notes a request unless it was noted before.
    pub async fn note_request(
        &mut self,
        key: &RequestKey,
        digest: &[u8],
        at: Timestamp,
    ) -> Result<Seen, StoreError> {
        const INSERT: &str = "INSERT INTO inbox (subscriber_id, action, message_id, digest, \
             received_at, variant) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
        const SELECT: &str = "SELECT digest FROM inbox \
             WHERE subscriber_id = $1 AND action = $2 AND message_id = $3 AND variant = $4";
        let rows = on_db!(&mut *self, conn => sqlx::query(INSERT)
            .bind(key.subscriber_id.clone())
            .bind(key.action.clone())
            .bind(key.message_id.clone())
            .bind(digest.to_vec())
            .bind(at.unix_ms)
            .bind(key.variant.clone())
            .execute(conn).await?.rows_affected());
        if rows == 1 {
            return Ok(Seen::New);
        }
        let known: Vec<u8> = on_db!(self, conn => sqlx::query_scalar(SELECT)
            .bind(key.subscriber_id.clone())
            .bind(key.action.clone())
            .bind(key.message_id.clone())
            .bind(key.variant.clone())
            .fetch_one(conn).await?);
        Ok(if known == digest { Seen::Same } else { Seen::Other })
    }

    /// Forgets at most `limit` requests that came before this time, and says how many it were.
    pub async fn forget_requests(
        &mut self,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM inbox \
             WHERE (subscriber_id, action, message_id, variant) IN ( \
                 SELECT subscriber_id, action, message_id, variant FROM inbox \
                 WHERE received_at < $1 LIMIT $2)";
        Ok(on_db!(self, conn => sqlx::query(SQL)
            .bind(before.unix_ms).bind(i64::from(limit)).execute(conn).await?.rows_affected()))
    }
}
