//! Items: what riders can book.

use serde::{Deserialize, Serialize};
use tripline_protocol::tariff::Tariff;
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::check::{
    self, Mode, Put, description_if_any, flag, link, parsed, parsed_if_any, text, yes,
};
use super::{Actor, Cursor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::domain::fleet::item::IMAGES_MAX;
use crate::domain::fleet::{Item, ItemId, ItemKind};
use crate::store::Tx;

const WHAT: &str = "item";

fn spot() -> String {
    ItemKind::Spot.code().into()
}

/// An item to be added.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewItem {
    /// Its id: letters, digits, `-`, `_` and `.`; it stands in catalogs and orders and never changes.
    pub id: String,
    /// Who offers it.
    pub provider: String,
    /// Its name, as riders see it.
    pub name: String,
    /// What it is, in a line or two, as riders see it.
    #[serde(default)]
    pub short_desc: Option<String>,
    /// Where pictures of it are: https URLs, the best first, 8 at most.
    #[serde(default)]
    pub images: Vec<String>,
    /// Category of the vehicle that comes.
    pub vehicle_category: String,
    /// Code of its tariff, of which the newest version counts.
    pub tariff: String,
    /// `spot`, `rental` or `outstation`.
    #[serde(default = "spot")]
    pub kind: String,
    /// Whether it is offered.
    #[serde(default = "yes", deserialize_with = "flag")]
    pub active: bool,
    /// Id of the form that riders fill in before they book it; none if left out.
    #[serde(default)]
    pub form: Option<String>,
}

/// What is changed about an item; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ItemChange {
    /// Its name.
    pub name: Option<String>,
    /// What it is; empty for nothing.
    pub short_desc: Option<String>,
    /// Where pictures of it are, all of them.
    pub images: Option<Vec<String>>,
    /// Category of the vehicle that comes.
    pub vehicle_category: Option<String>,
    /// Code of its tariff.
    pub tariff: Option<String>,
    /// Whether it is offered.
    pub active: Option<bool>,
    /// Id of the form that riders fill in before they book it; "" for none.
    pub form: Option<String>,
}

/// An item, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemView {
    /// Its id.
    pub id: String,
    /// Who offers it.
    pub provider: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub short_desc: Option<String>,
    /// Where pictures of it are.
    pub images: Vec<String>,
    /// Category of the vehicle that comes.
    pub vehicle_category: String,
    /// Code of its tariff.
    pub tariff: String,
    /// `spot`, `rental` or `outstation`.
    pub kind: String,
    /// Whether it is offered.
    pub active: bool,
    /// The form that riders fill in before they book it.
    pub form: Option<String>,
}

impl From<Item> for ItemView {
    fn from(item: Item) -> Self {
        Self {
            id: item.id.into(),
            provider: item.provider.into(),
            name: item.name,
            short_desc: item.short_desc,
            images: item.images,
            vehicle_category: item.vehicle_category,
            tariff: item.tariff_code,
            kind: item.kind.code().into(),
            active: item.active,
            form: item.form.map(Into::into),
        }
    }
}

/// Adds an item.
pub async fn add(
    tx: &mut Tx,
    actor: &Actor,
    new: NewItem,
    now: Timestamp,
) -> Result<ItemView, OperateError> {
    let id = new.id.clone();
    write(tx, actor, new, Mode::Add, now).await?;
    show(tx, &id).await
}

/// Writes a whole item, whether it is there or, in [`Mode::Put`], not.
pub async fn write(
    tx: &mut Tx,
    actor: &Actor,
    new: NewItem,
    mode: Mode,
    now: Timestamp,
) -> Result<Put, OperateError> {
    let item = Item {
        id: parsed("id", &new.id)?,
        provider: parsed("provider", &new.provider)?,
        name: text("name", &new.name)?,
        short_desc: description_if_any("short_desc", new.short_desc.as_deref())?,
        images: images(&new.images)?,
        vehicle_category: text("vehicle_category", &new.vehicle_category)?,
        tariff_code: new.tariff,
        kind: parsed("kind", &new.kind)?,
        active: new.active,
        form: parsed_if_any("form", new.form.as_deref())?,
    };
    check::provider(tx, "provider", &item.provider).await?;
    let put = match tx.item(&item.id).await? {
        None => Put::Added,
        Some(_) if mode == Mode::Add => {
            return Err(OperateError::conflict(WHAT, new.id, "is there already"));
        }
        Some(known) if known == item => return Ok(Put::Same),
        Some(_) => Put::Changed,
    };
    save(tx, actor, &item, now).await?;
    Ok(put)
}

/// Pictures, each named by its place if it is none.
fn images(urls: &[String]) -> Result<Vec<String>, OperateError> {
    if urls.len() > IMAGES_MAX {
        let problem = format!("has {}; there may be {IMAGES_MAX}", urls.len());
        return Err(OperateError::invalid("images", problem));
    }
    let urls = urls.iter().enumerate();
    urls.map(|(place, url)| link(&format!("images[{place}]"), url)).collect()
}

async fn save(tx: &mut Tx, actor: &Actor, item: &Item, now: Timestamp) -> Result<(), OperateError> {
    let tariff = known_tariff(tx, "tariff", &item.tariff_code).await?;
    if let Some((field, is_needed)) = item.kind.misfit(&tariff) {
        let (code, kind) = (&tariff.code, item.kind);
        let problem = if is_needed {
            format!("{code}: has no {field}, which an item of kind {kind} needs")
        } else {
            format!("{code}: has {field}, which is not for an item of kind {kind}")
        };
        return Err(OperateError::invalid("tariff", problem));
    }
    if let Some(form) = &item.form
        && tx.form(form, None).await?.is_none()
    {
        return Err(OperateError::invalid("form", format!("{form}: there is no such form")));
    }
    tx.put_item(item, now).await?;
    let Item { id, tariff_code, active, .. } = item;
    let detail =
        format!("{id}: tariff {tariff_code}{}", if *active { "" } else { ", not offered" });
    actor.note(tx, AuditKind::ItemChanged, detail, now).await
}

/// A tariff that is there.
pub(super) async fn known_tariff(
    tx: &mut Tx,
    field: &'static str,
    code: &str,
) -> Result<Tariff, OperateError> {
    let found = tx.tariff(code, None).await?;
    found.ok_or_else(|| OperateError::invalid(field, format!("{code}: there is no such tariff")))
}

/// Changes an item.
pub async fn change(
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    change: ItemChange,
    now: Timestamp,
) -> Result<ItemView, OperateError> {
    let mut item = find(tx, id).await?;
    if let Some(name) = &change.name {
        item.name = text("name", name)?;
    }
    if let Some(short_desc) = &change.short_desc {
        item.short_desc = description_if_any("short_desc", Some(short_desc))?;
    }
    if let Some(urls) = &change.images {
        item.images = images(urls)?;
    }
    if let Some(category) = &change.vehicle_category {
        item.vehicle_category = text("vehicle_category", category)?;
    }
    item.tariff_code = change.tariff.unwrap_or(item.tariff_code);
    item.active = change.active.unwrap_or(item.active);
    if let Some(form) = &change.form {
        item.form = parsed_if_any("form", Some(form))?;
    }
    save(tx, actor, &item, now).await?;
    Ok(item.into())
}

/// An item.
pub async fn show(tx: &mut Tx, id: &str) -> Result<ItemView, OperateError> {
    find(tx, id).await.map(Into::into)
}

async fn find(tx: &mut Tx, id: &str) -> Result<Item, OperateError> {
    let not_found = || OperateError::not_found(WHAT, id);
    let parsed: ItemId = id.parse().map_err(|_| not_found())?;
    tx.item(&parsed).await?.ok_or_else(not_found)
}

/// The category of the vehicles that come for every item, if it is one.
pub async fn only_category(tx: &mut Tx) -> Result<Option<String>, OperateError> {
    let items = tx.items("", i64::MAX).await?;
    let mut categories = items.into_iter().map(|item| item.vehicle_category);
    let first = categories.next();
    Ok(first.filter(|first| categories.all(|other| other == *first)))
}

/// Items, by id.
pub async fn list(tx: &mut Tx, page: &Page) -> Result<Listed<ItemView>, OperateError> {
    let after = page.after().map(Cursor::id::<String>).transpose()?.unwrap_or_default();
    let rows = tx.items(&after, page.rows()).await?;
    Ok(Listed::of(page, rows, |row| Cursor::new(&row.id, &row.id), Into::into))
}
