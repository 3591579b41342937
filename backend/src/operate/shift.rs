//! Shifts, and the cash that drivers have in hand.

use serde::{Deserialize, Serialize};
use tripline_protocol::id::DriverId;
use tripline_protocol::unit::{Paise, Timestamp};
use utoipa::ToSchema;
use uuid::Uuid;

use super::check::parsed_if_any;
use super::{Actor, Cursor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::chance;
use crate::domain::fleet::{Cash, CashKind, Shift};
use crate::store::Tx;

const WHAT: &str = "shift";

/// Entries of a cash account that are shown, the newest: a shift of a day has a few dozen.
const ENTRIES_SHOWN_MAX: i64 = 1_000;

/// Longest note, in bytes.
const NOTE_LEN_MAX: usize = 200;

/// A shift, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShiftView {
    /// Its id.
    pub id: String,
    /// Who.
    pub driver: String,
    /// In which vehicle it began.
    pub device: String,
    /// When it began, in Unix milliseconds.
    pub started_at_unix_ms: i64,
    /// When it ended.
    pub ended_at_unix_ms: Option<i64>,
    /// What the driver took in and did not hand over, in paise.
    pub cash_paise: i64,
}

impl From<Shift> for ShiftView {
    fn from(shift: Shift) -> Self {
        Self {
            id: shift.id.to_string(),
            driver: shift.driver.into(),
            device: shift.device.into(),
            started_at_unix_ms: shift.started_at.unix_ms,
            ended_at_unix_ms: shift.ended_at.map(|at| at.unix_ms),
            cash_paise: shift.balance.0,
        }
    }
}

/// An entry of a cash account, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CashView {
    /// Its id.
    pub id: String,
    /// `collected` or `settled`.
    pub kind: String,
    /// Of which order.
    pub order: Option<String>,
    /// Positive what came in, negative what was handed over, in paise.
    pub amount_paise: i64,
    /// When, in Unix milliseconds.
    pub at_unix_ms: i64,
    /// In words.
    pub note: String,
}

impl From<Cash> for CashView {
    fn from(cash: Cash) -> Self {
        Self {
            id: cash.id.to_string(),
            kind: cash.kind.code().into(),
            order: cash.order.map(|order| order.to_string()),
            amount_paise: cash.amount.0,
            at_unix_ms: cash.at.unix_ms,
            note: cash.note,
        }
    }
}

/// A shift with its cash account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShiftShown {
    /// The shift.
    #[serde(flatten)]
    pub shift: ShiftView,
    /// Its last entries, oldest first.
    pub entries: Vec<CashView>,
}

/// Shifts, the newest first; of one driver, if they are named.
pub async fn list(
    tx: &mut Tx,
    driver: Option<&str>,
    page: &Page,
) -> Result<Listed<ShiftView>, OperateError> {
    let driver: Option<DriverId> = parsed_if_any("driver", driver)?;
    let before = match page.after() {
        Some(cursor) => (cursor.key()?, cursor.id()?),
        None => (i64::MAX, String::new()),
    };
    let rows = tx.shifts(before, driver.as_ref(), page.rows()).await?;
    let cursor = |row: &Shift| Cursor::new(row.started_at.unix_ms, row.id);
    Ok(Listed::of(page, rows, cursor, Into::into))
}

/// A shift with its cash account.
pub async fn show(tx: &mut Tx, id: &str) -> Result<ShiftShown, OperateError> {
    let shift = find(tx, id).await?;
    let entries = tx.cash(shift.id, ENTRIES_SHOWN_MAX).await?;
    Ok(ShiftShown { shift: shift.into(), entries: entries.into_iter().map(Into::into).collect() })
}

async fn find(tx: &mut Tx, id: &str) -> Result<Shift, OperateError> {
    let not_found = || OperateError::not_found(WHAT, id);
    let parsed: Uuid = id.parse().map_err(|_| not_found())?;
    tx.shift(parsed).await?.ok_or_else(not_found)
}

/// Cash that a driver hands over.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settling {
    /// How much, in paise; all of it if left out.
    pub amount_paise: Option<i64>,
    /// In words.
    pub note: String,
}

/// Takes cash from a driver, and writes it into the account of a shift. A shift that no sign-in began ends
/// with it. Of two at once the second waits, and finds what the first has left.
pub async fn settle(
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    settling: Settling,
    now: Timestamp,
) -> Result<ShiftShown, OperateError> {
    let not_found = || OperateError::not_found(WHAT, id);
    tx.lock_shift(id.parse().map_err(|_| not_found())?).await?;
    let shift = find(tx, id).await?;
    if settling.note.len() > NOTE_LEN_MAX || settling.note.contains(char::is_control) {
        let problem = format!("must have at most {NOTE_LEN_MAX} printable characters");
        return Err(OperateError::invalid("note", problem));
    }
    if shift.balance.0 <= 0 {
        return Err(OperateError::conflict(WHAT, id, "has no cash to hand over"));
    }
    let amount = settling.amount_paise.unwrap_or(shift.balance.0);
    if !(1..=shift.balance.0).contains(&amount) {
        let problem = format!("is {amount}; it must be between 1 and {}", shift.balance.0);
        return Err(OperateError::invalid("amount_paise", problem));
    }
    let cash = Cash {
        id: chance::uuid()?,
        shift: shift.id,
        kind: CashKind::Settled,
        order: None,
        amount: Paise(-amount),
        at: now,
        note: settling.note,
    };
    tx.add_cash(&cash).await?;
    let signed_in = tx.duty_of_driver(&shift.driver).await?.is_some();
    if amount == shift.balance.0 && shift.ended_at.is_none() && !signed_in {
        tx.end_shift(&shift.driver, now).await?;
    }
    let detail = format!("{}: {} paise of shift {id} handed over", shift.driver, amount);
    actor.note(tx, AuditKind::CashEntered, detail, now).await?;
    show(tx, id).await
}
