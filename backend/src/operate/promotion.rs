//! Promotions: what comes off the fare of riders who take one up.

use serde::{Deserialize, Serialize};
use tripline_protocol::unit::{Paise, Timestamp};
use utoipa::ToSchema;

use super::check::{Mode, Put, begin, description_if_any, end, flag, parsed, text, yes};
use super::{Actor, Cursor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::domain::fleet::{ItemId, Off, Promotion, PromotionId};
use crate::store::Tx;

const WHAT: &str = "promotion";

/// A promotion to be added.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPromotion {
    /// Its id: letters, digits, `-`, `_` and `.`, 36 at most; it stands in catalogs, orders and receipts and
    /// never changes.
    pub id: String,
    /// Its title, as riders see it.
    pub title: String,
    /// What it is, in a line or two, as riders see it.
    #[serde(default)]
    pub description: Option<String>,
    /// The amount that it takes off, in paise; this or `percent_bp`.
    #[serde(default)]
    pub amount_paise: Option<i64>,
    /// The part of the charges that it takes off, in basis points: 1000 is 10 %.
    #[serde(default)]
    pub percent_bp: Option<u32>,
    /// The most that a part may come to, in paise.
    #[serde(default)]
    pub max_paise: Option<i64>,
    /// It takes nothing off charges of less than this, in paise.
    #[serde(default)]
    pub least_fare_paise: i64,
    /// From when on: a date, which counts from its beginning in UTC, or a time.
    #[serde(default)]
    pub from: Option<String>,
    /// Until when: a date, which counts through its end in UTC, or a time.
    #[serde(default)]
    pub until: Option<String>,
    /// Of which items; of all if none is named.
    #[serde(default)]
    pub items: Vec<String>,
    /// Whether riders can take it up.
    #[serde(default = "yes", deserialize_with = "flag")]
    pub active: bool,
}

/// What is changed about a promotion; what is left out stays. Orders keep what they were quoted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PromotionChange {
    /// Its title.
    pub title: Option<String>,
    /// What it is; empty for nothing.
    pub description: Option<String>,
    /// The amount that it takes off, in place of a part.
    pub amount_paise: Option<i64>,
    /// The part of the charges that it takes off, in place of an amount.
    pub percent_bp: Option<u32>,
    /// The most that a part may come to; 0 for no such limit.
    pub max_paise: Option<i64>,
    /// It takes nothing off charges of less than this.
    pub least_fare_paise: Option<i64>,
    /// From when on; empty for no beginning.
    pub from: Option<String>,
    /// Until when; empty for no end.
    pub until: Option<String>,
    /// Of which items, all of them; none for every item.
    pub items: Option<Vec<String>>,
    /// Whether riders can take it up.
    pub active: Option<bool>,
}

/// A promotion, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PromotionView {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it is.
    pub description: Option<String>,
    /// The amount that it takes off, in paise.
    pub amount_paise: Option<i64>,
    /// The part of the charges that it takes off, in basis points.
    pub percent_bp: Option<u32>,
    /// The most that a part may come to.
    pub max_paise: Option<i64>,
    /// It takes nothing off charges of less than this.
    pub least_fare_paise: i64,
    /// From when on, in Unix milliseconds.
    pub from_unix_ms: Option<i64>,
    /// The first moment after it.
    pub until_unix_ms: Option<i64>,
    /// Of which items; of all if none is named.
    pub items: Vec<String>,
    /// Whether riders can take it up.
    pub active: bool,
}

impl From<Promotion> for PromotionView {
    fn from(promotion: Promotion) -> Self {
        let (amount_paise, percent_bp, max_paise) = match promotion.off {
            Off::Amount(amount) => (Some(amount.0), None, None),
            Off::Part { percent_bp, most } => (None, Some(percent_bp), most.map(|most| most.0)),
        };
        Self {
            id: promotion.id.into(),
            title: promotion.title,
            description: promotion.description,
            amount_paise,
            percent_bp,
            max_paise,
            least_fare_paise: promotion.least_fare.0,
            from_unix_ms: promotion.from.map(|at| at.unix_ms),
            until_unix_ms: promotion.until.map(|at| at.unix_ms),
            items: promotion.items.into_iter().map(Into::into).collect(),
            active: promotion.active,
        }
    }
}

/// Adds a promotion.
pub async fn add(
    tx: &mut Tx,
    actor: &Actor,
    new: NewPromotion,
    now: Timestamp,
) -> Result<PromotionView, OperateError> {
    let id = new.id.clone();
    write(tx, actor, new, Mode::Add, now).await?;
    show(tx, &id).await
}

/// Writes a whole promotion, whether it is there or, in [`Mode::Put`], not.
pub async fn write(
    tx: &mut Tx,
    actor: &Actor,
    new: NewPromotion,
    mode: Mode,
    now: Timestamp,
) -> Result<Put, OperateError> {
    let promotion = Promotion {
        id: parsed("id", &new.id)?,
        title: text("title", &new.title)?,
        description: description_if_any("description", new.description.as_deref())?,
        off: off(new.amount_paise, new.percent_bp, new.max_paise)?,
        least_fare: Paise(new.least_fare_paise),
        from: time_if_any("from", new.from.as_deref(), begin)?,
        until: time_if_any("until", new.until.as_deref(), end)?,
        items: items(&new.items)?,
        active: new.active,
    };
    let put = match tx.promotion(&promotion.id).await? {
        None => Put::Added,
        Some(_) if mode == Mode::Add => {
            return Err(OperateError::conflict(WHAT, new.id, "is there already"));
        }
        Some(known) if known == promotion => return Ok(Put::Same),
        Some(_) => Put::Changed,
    };
    save(tx, actor, &promotion, now).await?;
    Ok(put)
}

fn off(
    amount_paise: Option<i64>,
    percent_bp: Option<u32>,
    max_paise: Option<i64>,
) -> Result<Off, OperateError> {
    match (amount_paise, percent_bp) {
        (Some(_), Some(_)) => Err(OperateError::invalid(
            "amount_paise",
            "and percent_bp are both given: leave one out",
        )),
        (None, None) => Err(OperateError::invalid("amount_paise", "or percent_bp is needed")),
        (Some(_), None) if max_paise.is_some() => {
            Err(OperateError::invalid("max_paise", "is for percent_bp: leave it out"))
        }
        (Some(amount), None) => Ok(Off::Amount(Paise(amount))),
        (None, Some(percent_bp)) => Ok(Off::Part { percent_bp, most: max_paise.map(Paise) }),
    }
}

fn time_if_any(
    field: &'static str,
    value: Option<&str>,
    read: fn(&'static str, &str) -> Result<Timestamp, OperateError>,
) -> Result<Option<Timestamp>, OperateError> {
    value.filter(|value| !value.is_empty()).map(|value| read(field, value)).transpose()
}

fn items(ids: &[String]) -> Result<Vec<ItemId>, OperateError> {
    ids.iter().map(|id| parsed("items", id)).collect()
}

async fn save(
    tx: &mut Tx,
    actor: &Actor,
    promotion: &Promotion,
    now: Timestamp,
) -> Result<(), OperateError> {
    promotion.check().map_err(|error| OperateError::invalid(error.field, error.problem))?;
    for item in &promotion.items {
        if tx.item(item).await?.is_none() {
            return Err(OperateError::invalid("items", format!("{item}: there is no such item")));
        }
    }
    tx.put_promotion(promotion, now).await?;
    let Promotion { id, title, active, .. } = promotion;
    let detail = format!("{id}: {title}{}", if *active { "" } else { ", not active" });
    actor.note(tx, AuditKind::PromotionChanged, detail, now).await
}

/// Changes a promotion. Orders keep what they were quoted.
pub async fn change(
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    change: PromotionChange,
    now: Timestamp,
) -> Result<PromotionView, OperateError> {
    let mut promotion = find(tx, id).await?;
    if let Some(title) = &change.title {
        promotion.title = text("title", title)?;
    }
    if let Some(description) = &change.description {
        promotion.description = description_if_any("description", Some(description))?;
    }
    promotion.off = changed_off(promotion.off, &change)?;
    promotion.least_fare = change.least_fare_paise.map_or(promotion.least_fare, Paise);
    if let Some(from) = &change.from {
        promotion.from = time_if_any("from", Some(from), begin)?;
    }
    if let Some(until) = &change.until {
        promotion.until = time_if_any("until", Some(until), end)?;
    }
    if let Some(ids) = &change.items {
        promotion.items = items(ids)?;
    }
    promotion.active = change.active.unwrap_or(promotion.active);
    save(tx, actor, &promotion, now).await?;
    Ok(promotion.into())
}

/// An amount in place of a part, a part in place of an amount, or another limit of a part.
fn changed_off(known: Off, change: &PromotionChange) -> Result<Off, OperateError> {
    let (percent_bp, most) = match known {
        Off::Amount(_) => (None, None),
        Off::Part { percent_bp, most } => (Some(percent_bp), most.map(|most| most.0)),
    };
    let most = change.max_paise.or(most).filter(|most| *most != 0);
    match (change.amount_paise, change.percent_bp.or(percent_bp)) {
        (Some(amount), _) => off(Some(amount), change.percent_bp, change.max_paise),
        (None, Some(percent_bp)) => off(None, Some(percent_bp), most),
        (None, None) if change.max_paise.is_some() => off(Some(0), None, change.max_paise),
        (None, None) => Ok(known),
    }
}

/// A promotion.
pub async fn show(tx: &mut Tx, id: &str) -> Result<PromotionView, OperateError> {
    find(tx, id).await.map(Into::into)
}

pub(super) async fn find(tx: &mut Tx, id: &str) -> Result<Promotion, OperateError> {
    let not_found = || OperateError::not_found(WHAT, id);
    let parsed: PromotionId = id.parse().map_err(|_| not_found())?;
    tx.promotion(&parsed).await?.ok_or_else(not_found)
}

/// Promotions, by id.
pub async fn list(tx: &mut Tx, page: &Page) -> Result<Listed<PromotionView>, OperateError> {
    let after = page.after().map(Cursor::id::<String>).transpose()?.unwrap_or_default();
    let rows = tx.promotions(&after, page.rows()).await?;
    Ok(Listed::of(page, rows, |row| Cursor::new(&row.id, &row.id), Into::into))
}
