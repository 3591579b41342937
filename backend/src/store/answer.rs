//! Table `admin_answer`: what was answered to requests that may come again.

use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use super::{StoreError, Tx, on_db};

const TABLE: &str = "admin_answer";

/// Rows deleted in one transaction: others wait for it.
pub const PRUNED_AT_ONCE_MAX: u32 = 1_000;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRow {
    /// SHA-256 of what was asked.
    pub digest: [u8; 32],
    /// HTTP status.
    pub status: u16,
    /// The body; `None` if it held a secret.
    pub body: Option<String>,
}

impl Tx {
    /// Takes a key of a token for this transaction; `false` if it was used before. Of two transactions that
    /// come at once, the second waits for the end of the first.
    pub async fn claim_answer(
        &mut self,
        token: Uuid,
        key: &str,
        digest: &[u8; 32],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO admin_answer \
             (token_id, idempotency_key, digest, status, created_at) \
             VALUES ($1, $2, $3, 0, $4) ON CONFLICT DO NOTHING";
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(token.to_string())
            .bind(key.to_owned())
            .bind(digest.to_vec())
            .bind(now.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(rows == 1)
    }

    /// Keeps the answer to a key that was taken.
    pub async fn keep_answer(
        &mut self,
        token: Uuid,
        key: &str,
        status: u16,
        body: Option<String>,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE admin_answer SET status = $3, body = $4 \
             WHERE token_id = $1 AND idempotency_key = $2";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(token.to_string())
            .bind(key.to_owned())
            .bind(i64::from(status))
            .bind(body)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// What was answered under a key of a token.
    pub async fn answer(
        &mut self,
        token: Uuid,
        key: &str,
    ) -> Result<Option<AnswerRow>, StoreError> {
        const SQL: &str = "SELECT digest, status, body FROM admin_answer \
             WHERE token_id = $1 AND idempotency_key = $2";
        let row: Option<(Vec<u8>, i64, Option<String>)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(token.to_string()).bind(key.to_owned()).fetch_optional(conn).await?);
        row.map(|(digest, status, body)| {
            let bad = |reason: &str| StoreError::BadRow {
                table: TABLE,
                row: format!("{token} {key}"),
                reason: reason.into(),
            };
            let digest = digest.try_into().map_err(|_| bad("digest is no SHA-256"))?;
            let status = u16::try_from(status).map_err(|_| bad("status is none"))?;
            Ok(AnswerRow { digest, status, body })
        })
        .transpose()
    }

    /// Deletes answers given before then, at most [`PRUNED_AT_ONCE_MAX`]; says how many.
    pub async fn prune_answers(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM admin_answer WHERE (token_id, idempotency_key) IN \
             (SELECT token_id, idempotency_key FROM admin_answer WHERE created_at < $1 \
             ORDER BY created_at LIMIT $2)";
        Ok(on_db!(self, conn => sqlx::query(SQL)
            .bind(before.unix_ms).bind(i64::from(PRUNED_AT_ONCE_MAX))
            .execute(conn).await?.rows_affected()))
    }
}
