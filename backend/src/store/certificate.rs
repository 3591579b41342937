//! Table `device_certificate`: every certificate that was issued, and whether it still counts.

use std::collections::BTreeSet;

use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::audit::PRUNED_AT_ONCE_MAX;
use super::{StoreError, Tx, from_db, on_db, parse};
use crate::identity::authority::{Fingerprint, Issued, sha256};

const TABLE: &str = "device_certificate";

/// Why a certificate ended: its device was revoked.
pub const REVOKED: &str = "revoked";

/// Why a certificate ended: its device enrolled with another key.
pub const SUPERSEDED: &str = "superseded";

/// Why a certificate ended: the authority that issued it was retired before its time.
pub const AUTHORITY_RETIRED: &str = "authority-retired";

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

impl CertificateRow {
    /// The row of a certificate that was issued.
    pub fn new(device: DeviceId, key_hash: Fingerprint, issued: &Issued) -> Self {
        Self {
            device,
            key_hash: key_hash.to_vec(),
            ca_fingerprint: issued.ca.to_vec(),
            der: issued.der.to_vec(),
            issued_at: issued.issued_at,
            expires_at: issued.expires_at,
            ended: None,
        }
    }

    /// Whether it says at this time who its device is.
    pub fn counts(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.expires_at
    }

    /// How long it lives in all, in ms.
    pub const fn life_ms(&self) -> i64 {
        self.expires_at.since_ms(self.issued_at)
    }

    /// From when on it is to be renewed: two thirds of its life.
    pub const fn renew_at(&self) -> Timestamp {
        self.issued_at.plus_ms(self.life_ms() / 3 * 2)
    }
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

    /// Every certificate of a device, newest first.
    pub async fn certificates(
        &mut self,
        device: &DeviceId,
    ) -> Result<Vec<CertificateRow>, StoreError> {
        const SQL: &str = "SELECT device_id, key_hash, ca_fingerprint, der, issued_at, expires_at, \
             ended_at, ended_why FROM device_certificate WHERE device_id = $1 \
             ORDER BY issued_at DESC, fingerprint";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).fetch_all(conn).await?);
        rows.into_iter().map(certificate).collect()
    }

    /// The newest certificates of a device's key, newest first, at most `limit`.
    pub async fn certificates_of_key(
        &mut self,
        device: &DeviceId,
        key_hash: &Fingerprint,
        limit: u32,
    ) -> Result<Vec<CertificateRow>, StoreError> {
        const SQL: &str = "SELECT device_id, key_hash, ca_fingerprint, der, issued_at, expires_at, \
             ended_at, ended_why FROM device_certificate WHERE device_id = $1 AND key_hash = $2 \
             ORDER BY issued_at DESC, fingerprint LIMIT $3";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).bind(key_hash.to_vec()).bind(i64::from(limit))
            .fetch_all(conn).await?);
        rows.into_iter().map(certificate).collect()
    }

    /// Deletes certificates that ended or expired before `before`, at most [`PRUNED_AT_ONCE_MAX`]; says
    /// how many. The newest of each device stays: it tells what became of the device.
    pub async fn prune_certificates(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM device_certificate WHERE fingerprint IN \
             (SELECT old.fingerprint FROM device_certificate AS old \
             WHERE (old.ended_at < $1 OR old.expires_at < $1) AND EXISTS \
             (SELECT 1 FROM device_certificate AS new WHERE new.device_id = old.device_id \
             AND new.issued_at > old.issued_at) LIMIT $2)";
        Ok(on_db!(self, conn => sqlx::query(SQL)
            .bind(before.unix_ms).bind(i64::from(PRUNED_AT_ONCE_MAX))
            .execute(conn).await?.rows_affected()))
    }

    /// Ends a device's certificates, expired ones too, since those could be renewed; `but` leaves those
    /// of one key. Says how many.
    pub async fn end_certificates(
        &mut self,
        device: &DeviceId,
        but: Option<&Fingerprint>,
        why: &'static str,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        const SQL: &str = "UPDATE device_certificate SET ended_at = $2, ended_why = $3 \
             WHERE device_id = $1 AND ended_at IS NULL AND key_hash <> $4";
        // No key has an empty hash.
        let but = but.map_or_else(Vec::new, |key_hash| key_hash.to_vec());
        Ok(on_db!(self, conn => sqlx::query(SQL)
            .bind(device.as_str().to_owned()).bind(at.unix_ms).bind(why).bind(but)
            .execute(conn).await?.rows_affected()))
    }

    /// How many devices have certificates of an authority that count, and until when the last does.
    pub async fn counting_of_authority(
        &mut self,
        ca: &Fingerprint,
        now: Timestamp,
    ) -> Result<(u64, Option<Timestamp>), StoreError> {
        const SQL: &str = "SELECT COUNT(DISTINCT device_id), MAX(expires_at) \
             FROM device_certificate \
             WHERE ca_fingerprint = $1 AND ended_at IS NULL AND expires_at > $2";
        let (devices, until): (i64, Option<i64>) = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(ca.to_vec()).bind(now.unix_ms).fetch_one(conn).await?);
        Ok((from_db(devices), until.map(Timestamp::from_unix_ms)))
    }

    /// Ends every certificate of an authority; gives the devices that had one.
    pub async fn end_certificates_of_authority(
        &mut self,
        ca: &Fingerprint,
        at: Timestamp,
    ) -> Result<BTreeSet<DeviceId>, StoreError> {
        const SQL: &str = "UPDATE device_certificate SET ended_at = $2, ended_why = $3 \
             WHERE ca_fingerprint = $1 AND ended_at IS NULL RETURNING device_id";
        let devices: Vec<String> = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(ca.to_vec()).bind(at.unix_ms).bind(AUTHORITY_RETIRED).fetch_all(conn).await?);
        devices.iter().map(|device| parse(TABLE, device, "device_id", device)).collect()
    }

    /// How many certificates were revoked.
    pub async fn revoked_certificates(&mut self) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT COUNT(*) FROM device_certificate WHERE ended_why = $1";
        let count: i64 = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(REVOKED).fetch_one(conn).await?);
        Ok(from_db(count))
    }
}
