//! Table `enrolment_code`: codes with which a vehicle's device may enrol, each with one key.

use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::audit::PRUNED_AT_ONCE_MAX;
use super::{StoreError, Tx, on_db, parse};
use crate::identity::authority::Fingerprint;

/// A code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRow {
    /// Whose device may enrol with it.
    pub device: DeviceId,
    /// Until when.
    pub expires_at: Timestamp,
    /// When it was used, and SHA-256 of the key that used it.
    pub used: Option<(Timestamp, Vec<u8>)>,
}

type Row = (String, i64, Option<i64>, Option<Vec<u8>>);

impl Tx {
    /// Keeps a code's hash.
    pub async fn add_code(
        &mut self,
        hash: &[u8; 32],
        device: &DeviceId,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO enrolment_code (code_hash, device_id, created_at, expires_at) \
             VALUES ($1, $2, $3, $4)";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(hash.to_vec())
            .bind(device.as_str().to_owned())
            .bind(at.unix_ms)
            .bind(expires_at.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// The code with this hash.
    pub async fn code(&mut self, hash: &[u8; 32]) -> Result<Option<CodeRow>, StoreError> {
        const SQL: &str = "SELECT device_id, expires_at, used_at, key_hash FROM enrolment_code \
             WHERE code_hash = $1";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(hash.to_vec()).fetch_optional(conn).await?);
        let Some((device, expires_at, used_at, key_hash)) = row else { return Ok(None) };
        Ok(Some(CodeRow {
            device: parse("enrolment_code", &device, "device_id", &device)?,
            expires_at: Timestamp::from_unix_ms(expires_at),
            used: used_at.map(Timestamp::from_unix_ms).zip(key_hash),
        }))
    }

    /// Binds a code to the key that enrols with it.
    pub async fn use_code(
        &mut self,
        hash: &[u8; 32],
        key_hash: &Fingerprint,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str =
            "UPDATE enrolment_code SET used_at = $2, key_hash = $3 WHERE code_hash = $1";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(hash.to_vec()).bind(at.unix_ms).bind(key_hash.to_vec())
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Deletes codes that nobody used and that expired before `before`, at most [`PRUNED_AT_ONCE_MAX`];
    /// says how many.
    pub async fn prune_codes(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM enrolment_code WHERE code_hash IN \
             (SELECT code_hash FROM enrolment_code \
             WHERE used_at IS NULL AND expires_at < $1 LIMIT $2)";
        Ok(on_db!(self, conn => sqlx::query(SQL)
            .bind(before.unix_ms).bind(i64::from(PRUNED_AT_ONCE_MAX))
            .execute(conn).await?.rows_affected()))
    }

    /// Lets a device's codes that nobody used expire; says how many were still open.
    pub async fn end_codes(&mut self, device: &DeviceId, at: Timestamp) -> Result<u64, StoreError> {
        const SQL: &str = "UPDATE enrolment_code SET expires_at = $2 \
             WHERE device_id = $1 AND used_at IS NULL AND expires_at > $2";
        Ok(on_db!(self, conn => sqlx::query(SQL)
            .bind(device.as_str().to_owned()).bind(at.unix_ms)
            .execute(conn).await?.rows_affected()))
    }
}
