//! Who is on the network, as operators see it.

use jiff::Timestamp as Instant;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::{Cursor, Listed, OperateError, Page};
use crate::network::directory::{self, Directory, entries_as_json};
use crate::network::subscriber::{Subscriber, normalized_id};

/// A subscriber in a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubscriberView {
    /// Its id.
    pub subscriber_id: String,
    /// What it does: `BAP`, `BPP` or `BG`.
    pub role: String,
    /// Whether an entry of it holds.
    pub holds: bool,
    /// The address of the first that does.
    pub url: Option<String>,
    /// The ids of the keys that hold; `-` for one without.
    pub keys: Vec<String>,
    /// When the last of what holds ends, in Unix milliseconds; none if nothing holds, or without end.
    pub holds_until_unix_ms: Option<i64>,
    /// When the registry was asked; none from a file.
    pub fetched_at_unix_ms: Option<i64>,
    /// Its entries in full, where one subscriber was asked for, each with whether it holds and why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub entries: Option<Value>,
}

impl SubscriberView {
    /// A subscriber, without its entries.
    pub fn of(one: &directory::Listed, now: Timestamp) -> Self {
        let holding = holding(one, now);
        Self {
            subscriber_id: one.id.clone(),
            role: one.role.code().to_owned(),
            holds: !holding.is_empty(),
            url: holding.first().map(|entry| entry.url.clone()),
            keys: holding.iter().map(|entry| key(entry).to_owned()).collect(),
            holds_until_unix_ms: holds_until(one, now).map(Instant::as_millisecond),
            fetched_at_unix_ms: one.fetched_at.map(|at| at.unix_ms),
            entries: None,
        }
    }

    /// The same with its entries.
    pub fn in_full(one: &directory::Listed, now: Timestamp) -> Self {
        let mut entries = entries_as_json(&one.entries);
        for (shown, entry) in entries.as_array_mut().into_iter().flatten().zip(one.entries.iter()) {
            shown["holds"] = entry.is_active(now).into();
            shown["why_not"] = entry.holds(now).err().map(|reason| reason.to_string()).into();
        }
        Self { entries: Some(entries), ..Self::of(one, now) }
    }
}

/// The entries that hold.
pub fn holding(one: &directory::Listed, now: Timestamp) -> Vec<&Subscriber> {
    one.entries.iter().filter(|entry| entry.is_active(now)).collect()
}

/// The id of an entry's key; `-` for one without.
pub fn key(entry: &Subscriber) -> &str {
    entry.unique_key_id.as_deref().unwrap_or("-")
}

/// When the last of what holds ends; `None` if nothing holds, or something without end.
pub fn holds_until(one: &directory::Listed, now: Timestamp) -> Option<Instant> {
    let ends: Option<Vec<_>> =
        holding(one, now).into_iter().map(|entry| entry.valid_until).collect();
    ends?.into_iter().max()
}

/// A page of everybody who was looked up, or is in the file, by id and role.
pub async fn list(
    directory: &Directory,
    page: &Page,
    now: Timestamp,
) -> Result<Listed<SubscriberView>, OperateError> {
    let mut rows = directory.listed(now).await?;
    if let Some(cursor) = page.after() {
        let (id, role): (String, String) = (cursor.key()?, cursor.id()?);
        rows.retain(|one| (one.id.as_str(), one.role.code()) > (id.as_str(), role.as_str()));
    }
    rows.sort_by(|one, other| (&one.id, one.role.code()).cmp(&(&other.id, other.role.code())));
    let cursor = |one: &directory::Listed| Cursor::new(&one.id, one.role.code());
    Ok(Listed::of(page, rows, cursor, |one| SubscriberView::of(&one, now)))
}

/// All that is known of a subscriber, in every role that it has.
pub async fn show(
    directory: &Directory,
    id: &str,
    now: Timestamp,
) -> Result<Vec<SubscriberView>, OperateError> {
    let wanted = normalized_id(id);
    let rows = directory.listed(now).await?;
    let of = rows.iter().filter(|one| one.id == wanted);
    let shown: Vec<_> = of.map(|one| SubscriberView::in_full(one, now)).collect();
    if shown.is_empty() {
        return Err(OperateError::not_found("subscriber", id));
    }
    Ok(shown)
}
