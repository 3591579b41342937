//! Table `device_certificate`: every certificate that was issued, and whether it still counts.

use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, on_db, parse};
use crate::identity::authority::{Fingerprint, sha256};

const TABLE: &str = "device_certificate";

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRow {
    /// Whose it is.
    pub device: DeviceId,
    /// SHA-256 of its public key.
    pub key_hash: Vec<u8>,
    /// SHA-256 of the certificate of the CA that issued it.
    pub ca_fingerprint: Vec<u8>,
    /// The certificate.
    pub der: Vec<u8>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When and why it ended before its time.
    pub ended: Option<(Timestamp, String)>,
}

type Row = (String, Vec<u8>, Vec<u8>, Vec<u8>, i64, i64, Option<i64>, Option<String>);

fn certificate(row: Row) -> Result<CertificateRow, StoreError> {
    let (device, key_hash, ca_fingerprint, der, issued_at, expires_at, ended_at, why) = row;
    Ok(CertificateRow {
        device: parse(TABLE, &device, "device_id", &device)?,
        key_hash,
        ca_fingerprint,
        der,
        issued_at: Timestamp::from_unix_ms(issued_at),
        expires_at: Timestamp::from_unix_ms(expires_at),
        ended: ended_at.map(|at| (Timestamp::from_unix_ms(at), why.unwrap_or_default())),
    })
}

impl Tx {
    /// Keeps a certificate that was issued.
    pub async fn add_certificate(&mut self, row: CertificateRow) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO device_certificate (fingerprint, device_id, key_hash, \
             ca_fingerprint, der, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(sha256(&row.der).to_vec())
            .bind(row.device.as_str().to_owned())
            .bind(row.key_hash)
            .bind(row.ca_fingerprint)
            .bind(row.der)
            .bind(row.issued_at.unix_ms)
            .bind(row.expires_at.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// The certificate with this SHA-256.
    pub async fn certificate(
        &mut self,
        fingerprint: &Fingerprint,
    ) -> Result<Option<CertificateRow>, StoreError> {
        const SQL: &str = "SELECT device_id, key_hash, ca_fingerprint, der, issued_at, expires_at, \
             ended_at, ended_why FROM device_certificate WHERE fingerprint = $1";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(fingerprint.to_vec()).fetch_optional(conn).await?);
        row.map(certificate).transpose()
    }
}
