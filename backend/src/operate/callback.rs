//! What subscribers are told: what waits, what was given up, and trying it once more.

use serde::{Deserialize, Serialize};
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::{Actor, Cursor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::callback::BOOKING_TRIED_MS;
use crate::store::Tx;
use crate::store::callback::{
    CallbackFilter, CallbackPlace, Delivery, KeptCallback, REPLAYED_AT_ONCE_MAX, Replay,
};

/// A callback, without its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallbackView {
    /// Its order, or an id of its own where no order is meant.
    pub order: String,
    /// Its place among those of the order.
    pub sequence: u64,
    /// Who is told.
    pub subscriber: String,
    /// Which action it is.
    pub action: String,
    /// Where it is sent.
    pub url: String,
    /// `pending`, `delivered` or `dead`.
    pub state: String,
    /// Attempts so far.
    pub attempts: u64,
    /// When it was written, in Unix milliseconds.
    pub created_at_unix_ms: i64,
    /// When it is tried next, if it is pending.
    pub next_attempt_at_unix_ms: Option<i64>,
    /// When it is given up.
    pub expires_at_unix_ms: i64,
    /// When it was delivered or given up.
    pub finished_at_unix_ms: Option<i64>,
    /// Why it was not taken at the last attempt.
    pub last_error: Option<String>,
    /// Its body, where that was asked for. It holds what the rider's platform is told: names, phones, places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl From<KeptCallback> for CallbackView {
    fn from(row: KeptCallback) -> Self {
        let next = (row.state == Delivery::Pending).then_some(row.next_attempt_at.unix_ms);
        Self {
            order: row.order_key,
            sequence: row.sequence,
            subscriber: row.subscriber_id,
            action: row.action,
            url: row.url,
            state: row.state.code().to_owned(),
            attempts: row.attempts,
            created_at_unix_ms: row.created_at.unix_ms,
            next_attempt_at_unix_ms: next,
            expires_at_unix_ms: row.expires_at.unix_ms,
            finished_at_unix_ms: row.finished_at.map(|at| at.unix_ms),
            last_error: row.last_error,
            body: None,
        }
    }
}

/// A page of the callbacks that pass a filter, newest first.
pub async fn list(
    tx: &mut Tx,
    filter: &CallbackFilter,
    page: &Page,
) -> Result<Listed<CallbackView>, OperateError> {
    let before = page.after().map(place).transpose()?;
    let rows = tx.callbacks_before(filter, before.as_ref(), page.rows()).await?;
    let cursor = |row: &KeptCallback| {
        Cursor::new(row.created_at.unix_ms, format!("{} {}", row.order_key, row.sequence))
    };
    Ok(Listed::of(page, rows, cursor, CallbackView::from))
}

fn place(cursor: &Cursor) -> Result<CallbackPlace, OperateError> {
    let malformed = || OperateError::invalid("after", "is no cursor of this list");
    let id: String = cursor.id()?;
    let (order_key, sequence) = id.rsplit_once(' ').ok_or_else(malformed)?;
    Ok(CallbackPlace {
        created_at: Timestamp::from_unix_ms(cursor.key()?),
        order_key: order_key.to_owned(),
        sequence: sequence.parse().map_err(|_| malformed())?,
    })
}

/// One callback; its body too if that is asked for.
pub async fn show(
    tx: &mut Tx,
    order: &str,
    sequence: u64,
    body: bool,
) -> Result<CallbackView, OperateError> {
    let found = tx.callback(order, sequence).await?;
    let (row, bytes) =
        found.ok_or_else(|| OperateError::not_found("callback", format!("{order} {sequence}")))?;
    let body = body.then(|| String::from_utf8_lossy(&bytes).into_owned());
    Ok(CallbackView { body, ..row.into() })
}

/// What came of asking for callbacks to be tried once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replayed {
    /// How many are.
    pub replayed: u64,
    /// Whether there are more: at most 1,000 are taken at once. Ask again.
    pub more: bool,
}

/// Has callbacks that were given up tried once more, at most [`REPLAYED_AT_ONCE_MAX`], as long as news of a
/// booking.
pub async fn replay(
    tx: &mut Tx,
    actor: &Actor,
    which: &Replay,
    now: Timestamp,
) -> Result<Replayed, OperateError> {
    let replayed = tx.replay_callbacks(which, now, now.plus_ms(BOOKING_TRIED_MS)).await?;
    if let (Replay::One { order_key, sequence }, 0) = (which, replayed) {
        let problem = "was not given up, or is not there; list those that are dead";
        return Err(OperateError::conflict("callback", format!("{order_key} {sequence}"), problem));
    }
    if replayed > 0 {
        let detail = match which {
            Replay::One { order_key, sequence } => format!("{order_key} {sequence}"),
            Replay::To(subscriber) => format!("{replayed} to {subscriber}"),
            Replay::All => format!("{replayed} to everybody"),
        };
        actor.note(tx, AuditKind::CallbackReplayed, detail, now).await?;
    }
    Ok(Replayed { replayed, more: replayed == u64::from(REPLAYED_AT_ONCE_MAX) })
}
