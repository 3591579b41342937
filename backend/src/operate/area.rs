//! Areas: where rides are served, and where another tariff applies.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::check::{Mode, Put, flag, number_if_any, parsed, parsed_if_any, text, yes};
use super::item::known_tariff;
use super::{Actor, Cursor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::domain::fleet::area::PRIORITY_MAX;
use crate::domain::fleet::{Area, AreaId, AreaKind, Shape};
use crate::store::Tx;
use crate::store::area::AreaRow;

const WHAT: &str = "area";

/// An area to be added.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewArea {
    /// Its id: letters, digits, `-`, `_` and `.`. It never changes.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `service`: rides are served here; or `zone`: rides from here have another tariff.
    pub kind: String,
    /// Of which item; of all if left out.
    #[serde(default)]
    pub item: Option<String>,
    /// Code of a zone's tariff.
    #[serde(default)]
    pub tariff: Option<String>,
    /// Where zones lie over each other, the highest counts.
    #[serde(default, deserialize_with = "number_if_any")]
    pub priority: Option<u32>,
    /// Its shape in GeoJSON: a polygon or several, alone or in features; as an object, or as text.
    #[schema(value_type = Object)]
    pub geojson: Value,
    /// Whether it counts.
    #[serde(default = "yes", deserialize_with = "flag")]
    pub active: bool,
}

/// An area, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AreaView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `service` or `zone`.
    pub kind: String,
    /// Of which item; of all if of none in particular.
    pub item: Option<String>,
    /// Code of a zone's tariff.
    pub tariff: Option<String>,
    /// Where zones lie over each other, the highest counts.
    pub priority: u32,
    /// Whether it counts.
    pub active: bool,
}

impl From<&AreaRow> for AreaView {
    fn from(AreaRow { area, active, .. }: &AreaRow) -> Self {
        Self {
            id: area.id.to_string(),
            name: area.name.clone(),
            kind: area.kind.code().into(),
            item: area.item.as_ref().map(ToString::to_string),
            tariff: area.tariff_code.clone(),
            priority: area.priority,
            active: *active,
        }
    }
}

/// An area with its shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AreaShown {
    /// The area.
    #[serde(flatten)]
    pub area: AreaView,
    /// Its shape in GeoJSON, as it was given.
    #[schema(value_type = Object)]
    pub geojson: Value,
}

/// Adds an area.
pub async fn add(
    tx: &mut Tx,
    actor: &Actor,
    new: NewArea,
    now: Timestamp,
) -> Result<AreaShown, OperateError> {
    let id = new.id.clone();
    write(tx, actor, new, Mode::Add, now).await?;
    show(tx, &id).await
}

fn record(new: NewArea) -> Result<AreaRow, OperateError> {
    let geojson = match new.geojson {
        Value::String(text) => text,
        json @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Object(_)) => json.to_string(),
    };
    let priority = new.priority.unwrap_or(0);
    if priority > PRIORITY_MAX {
        let problem = format!("is {priority}; it must be between 0 and {PRIORITY_MAX}");
        return Err(OperateError::invalid("priority", problem));
    }
    let area = Area {
        id: parsed("id", &new.id)?,
        name: text("name", &new.name)?,
        kind: parsed("kind", &new.kind)?,
        item: parsed_if_any("item", new.item.as_deref())?,
        tariff_code: new.tariff.filter(|tariff| !tariff.is_empty()),
        priority,
        shape: Shape::parse(&geojson)
            .map_err(|error| OperateError::invalid("geojson", error.to_string()))?,
    };
    match (area.kind, &area.tariff_code) {
        (AreaKind::Zone, None) => Err(OperateError::invalid("tariff", "is needed for a zone")),
        (AreaKind::Service, Some(_)) => {
            Err(OperateError::invalid("tariff", "is for zones: a service area has none"))
        }
        (AreaKind::Zone, Some(_)) | (AreaKind::Service, None) => {
            Ok(AreaRow { area, geojson, active: new.active })
        }
    }
}

/// Writes a whole area, whether it is there or, in [`Mode::Put`], not.
pub async fn write(
    tx: &mut Tx,
    actor: &Actor,
    new: NewArea,
    mode: Mode,
    now: Timestamp,
) -> Result<Put, OperateError> {
    let row = record(new)?;
    if let Some(code) = &row.area.tariff_code {
        known_tariff(tx, "tariff", code).await?;
    }
    if let Some(item) = &row.area.item
        && tx.item(item).await?.is_none()
    {
        return Err(OperateError::invalid("item", format!("{item}: there is no such item")));
    }
    let put = match tx.area(&row.area.id).await? {
        None => Put::Added,
        Some(_) if mode == Mode::Add => {
            return Err(OperateError::conflict(WHAT, row.area.id.to_string(), "is there already"));
        }
        Some(known) if known == row => return Ok(Put::Same),
        Some(_) => Put::Changed,
    };
    tx.put_area(&row, now).await?;
    let detail = format!("{}: {} on record", row.area.id, row.area.kind);
    actor.note(tx, AuditKind::AreaChanged, detail, now).await?;
    Ok(put)
}

/// Removes an area.
pub async fn remove(
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<AreaShown, OperateError> {
    let removed = find(tx, id).await?;
    tx.remove_area(&removed.area.id).await?;
    actor.note(tx, AuditKind::AreaChanged, format!("{id}: removed"), now).await?;
    Ok(shown(&removed))
}

/// An area with its shape.
pub async fn show(tx: &mut Tx, id: &str) -> Result<AreaShown, OperateError> {
    find(tx, id).await.map(|row| shown(&row))
}

fn shown(row: &AreaRow) -> AreaShown {
    AreaShown {
        area: row.into(),
        geojson: serde_json::from_str(&row.geojson).unwrap_or(Value::Null),
    }
}

async fn find(tx: &mut Tx, id: &str) -> Result<AreaRow, OperateError> {
    let not_found = || OperateError::not_found(WHAT, id);
    let parsed: AreaId = id.parse().map_err(|_| not_found())?;
    tx.area(&parsed).await?.ok_or_else(not_found)
}

/// Areas, by id.
pub async fn list(tx: &mut Tx, page: &Page) -> Result<Listed<AreaView>, OperateError> {
    let after = page.after().map(Cursor::id::<String>).transpose()?.unwrap_or_default();
    let rows = tx.areas(&after, page.rows()).await?;
    let cursor = |row: &AreaRow| Cursor::new(&row.area.id, &row.area.id);
    Ok(Listed::of(page, rows, cursor, |row| AreaView::from(&row)))
}
