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
    let entry = Entry::of_device(AuditKind::Revoked, device, reason);
    let revoked = revoke_in(&mut tx, device, entry, now).await?;
    tx.commit().await?;
    Ok(revoked)
}

/// The same in a transaction, with the entry that tells of it.
pub async fn revoke_in(
    tx: &mut Tx,
    device: &DeviceId,
    entry: Entry,
    now: Timestamp,
) -> Result<Revoked, ServiceError> {
    tx.lock_vehicle(device).await?;
    let certificates = tx.end_certificates(device, None, REVOKED, now).await?;
    let codes = tx.end_codes(device, now).await?;
    note(tx, entry, now).await?;
    tx.signal_device(device, now).await?;
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
    let entry = Entry::of_device(AuditKind::Rekeyed, device, "a new code");
    let code = rekey_in(&mut tx, device, ca, entry, now).await?;
    tx.commit().await?;
    Ok(code)
}

/// The same in a transaction, with the entry that tells of it.
pub async fn rekey_in(
    tx: &mut Tx,
    device: &DeviceId,
    ca: &Fingerprint,
    entry: Entry,
    now: Timestamp,
) -> Result<NewCode, ServiceError> {
    tx.lock_vehicle(device).await?;
    tx.end_codes(device, now).await?;
    let code = new_code(tx, device, ca, now).await?;
    note(tx, entry, now).await?;
    Ok(code)
}

/// Writes an entry down in the transaction that does what it tells.
pub async fn note(tx: &mut Tx, entry: Entry, now: Timestamp) -> Result<(), ServiceError> {
    Ok(tx.put_audit(AuditRow::new(entry, now)?).await?)
}
