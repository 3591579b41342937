//! The end of a device's certificates and codes, and a new beginning.

use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::code::{NewCode, new_code};
use crate::audit::{AuditKind, Entry};
use crate::identity::authority::Fingerprint;
use crate::service::ServiceError;
use crate::store::audit::AuditRow;
use crate::store::certificate::REVOKED;
use crate::store::retry::retry;
use crate::store::{Store, Tx};

/// What a revocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// Certificates.
    pub certificates: u64,
    /// Codes that could still have been used.
    pub codes: u64,
}

/// Ends everything with which a device may come in, and tells whoever serves it.
pub async fn revoke(
    store: &Store,
    device: &DeviceId,
    reason: &str,
    now: Timestamp,
) -> Result<Revoked, ServiceError> {
    retry(|| try_revoke(store, device, reason, now)).await
}

async fn try_revoke(
    store: &Store,
    device: &DeviceId,
    reason: &str,
    now: Timestamp,
) -> Result<Revoked, ServiceError> {
    let mut tx = store.write().await?;
    tx.lock_vehicle(device).await?;
    let certificates = tx.end_certificates(device, None, REVOKED, now).await?;
    let codes = tx.end_codes(device, now).await?;
    note(&mut tx, Entry::of_device(AuditKind::Revoked, device, reason), now).await?;
    tx.signal_device(device, now).await?;
    tx.commit().await?;
    Ok(Revoked { certificates, codes })
}

/// Makes a new code for a device; older ones end. Its certificate goes on until the device enrols anew.
pub async fn rekey(
    store: &Store,
    device: &DeviceId,
    ca: &Fingerprint,
    now: Timestamp,
) -> Result<NewCode, ServiceError> {
    let mut tx = store.write().await?;
    tx.lock_vehicle(device).await?;
    tx.end_codes(device, now).await?;
    let code = new_code(&mut tx, device, ca, now).await?;
    note(&mut tx, Entry::of_device(AuditKind::Rekeyed, device, "a new code"), now).await?;
    tx.commit().await?;
    Ok(code)
}

/// Writes an entry down in the transaction that does what it tells.
pub async fn note(tx: &mut Tx, entry: Entry, now: Timestamp) -> Result<(), ServiceError> {
    Ok(tx.put_audit(AuditRow::new(entry, now)?).await?)
}
