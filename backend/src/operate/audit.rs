//! The audit trail, as operators read it.

use serde::{Deserialize, Serialize};
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Cursor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::store::Tx;
use crate::store::audit::{AuditFilter, AuditRow};

/// An entry of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditView {
    /// Its id.
    pub id: String,
    /// When it happened, the first time where it is counted, in Unix milliseconds.
    pub at_unix_ms: i64,
    /// What happened, as a code.
    #[schema(example = "revoked")]
    pub kind: String,
    /// To which device.
    pub device: Option<String>,
    /// From which address.
    pub peer: Option<String>,
    /// Which operator did it: a token's name, or `cli`.
    pub actor: Option<String>,
    /// To what, and why.
    pub detail: String,
    /// How often, within a minute.
    pub count: u64,
}

impl From<AuditRow> for AuditView {
    fn from(row: AuditRow) -> Self {
        Self {
            id: row.id.to_string(),
            at_unix_ms: row.at.unix_ms,
            kind: row.entry.kind.code().to_owned(),
            device: row.entry.device.as_ref().map(DeviceId::to_string),
            peer: row.entry.peer.map(|peer| peer.to_string()),
            actor: row.entry.actor,
            detail: row.entry.detail,
            count: row.count,
        }
    }
}

/// Which entries are wanted, as they are asked for.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Of this device or registration.
    pub device: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// By this operator.
    pub actor: Option<String>,
    /// From then on, in Unix milliseconds.
    pub since_unix_ms: Option<i64>,
}

/// A page of the audit trail, newest first.
pub async fn list(
    tx: &mut Tx,
    query: &AuditQuery,
    page: &Page,
) -> Result<Listed<AuditView>, OperateError> {
    let filter = AuditFilter {
        device: match &query.device {
            Some(name) => Some(device(tx, name).await?),
            None => None,
        },
        kind: query.kind.as_deref().map(kind).transpose()?,
        actor: query.actor.clone(),
        since: query.since_unix_ms.map(Timestamp::from_unix_ms),
    };
    let before = match page.after() {
        Some(cursor) => Some((Timestamp::from_unix_ms(cursor.key()?), cursor.id::<Uuid>()?)),
        None => None,
    };
    let rows = tx.audit_before(&filter, before, page.rows()).await?;
    let cursor = |row: &AuditRow| Cursor::new(row.at.unix_ms, row.id);
    Ok(Listed::of(page, rows, cursor, AuditView::from))
}

async fn device(tx: &mut Tx, name: &str) -> Result<DeviceId, OperateError> {
    let vehicle = tx.find_vehicle(name).await?;
    Ok(vehicle.ok_or_else(|| OperateError::not_found("vehicle", name))?.device)
}

fn kind(text: &str) -> Result<AuditKind, OperateError> {
    text.parse().map_err(|_| {
        let codes: Vec<&str> = AuditKind::ALL.iter().map(|kind| kind.code()).collect();
        OperateError::invalid("kind", format!("must be one of {}", codes.join(", ")))
    })
}
