//! Providers: the operator itself, or its agencies.

use serde::{Deserialize, Serialize};
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::check::{Mode, Put, description_if_any, flag, link_if_any, parsed, text, yes};
use super::{Actor, Cursor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::domain::fleet::{Provider, ProviderId};
use crate::store::Tx;

const WHAT: &str = "provider";

/// A provider to be added.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProvider {
    /// Its id: letters, digits, `-`, `_` and `.`; it stands in catalogs and orders and never changes.
    pub id: String,
    /// Its name, as riders see it.
    pub name: String,
    /// What it is, in a line or two, as riders see it.
    #[serde(default)]
    pub short_desc: Option<String>,
    /// Where its logo is: an https URL.
    #[serde(default)]
    pub logo_url: Option<String>,
    /// Whether its items are offered.
    #[serde(default = "yes", deserialize_with = "flag")]
    pub active: bool,
}

/// What is changed about a provider; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderChange {
    /// Its name.
    pub name: Option<String>,
    /// What it is; empty for nothing.
    pub short_desc: Option<String>,
    /// Where its logo is; empty for none.
    pub logo_url: Option<String>,
    /// Whether its items are offered.
    pub active: Option<bool>,
}

/// A provider, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProviderView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub short_desc: Option<String>,
    /// Where its logo is.
    pub logo_url: Option<String>,
    /// Whether its items are offered.
    pub active: bool,
}

impl From<Provider> for ProviderView {
    fn from(provider: Provider) -> Self {
        let Provider { id, name, short_desc, logo_url, active } = provider;
        Self { id: id.into(), name, short_desc, logo_url, active }
    }
}

/// Adds a provider.
pub async fn add(
    tx: &mut Tx,
    actor: &Actor,
    new: NewProvider,
    now: Timestamp,
) -> Result<ProviderView, OperateError> {
    let id = new.id.clone();
    write(tx, actor, new, Mode::Add, now).await?;
    show(tx, &id).await
}

/// Writes a whole provider, whether it is there or, in [`Mode::Put`], not.
pub async fn write(
    tx: &mut Tx,
    actor: &Actor,
    new: NewProvider,
    mode: Mode,
    now: Timestamp,
) -> Result<Put, OperateError> {
    let provider = Provider {
        id: parsed("id", &new.id)?,
        name: text("name", &new.name)?,
        short_desc: description_if_any("short_desc", new.short_desc.as_deref())?,
        logo_url: link_if_any("logo_url", new.logo_url.as_deref())?,
        active: new.active,
    };
    let put = match tx.provider(&provider.id).await? {
        None => Put::Added,
        Some(_) if mode == Mode::Add => {
            return Err(OperateError::conflict(WHAT, new.id, "is there already"));
        }
        Some(known) if known == provider => return Ok(Put::Same),
        Some(_) => Put::Changed,
    };
    save(tx, actor, &provider, now).await?;
    Ok(put)
}

async fn save(
    tx: &mut Tx,
    actor: &Actor,
    provider: &Provider,
    now: Timestamp,
) -> Result<(), OperateError> {
    tx.put_provider(provider, now).await?;
    let Provider { id, name, active, .. } = provider;
    let detail = format!("{id}: {name}{}", if *active { "" } else { ", not active" });
    actor.note(tx, AuditKind::ProviderChanged, detail, now).await
}

/// Changes a provider.
pub async fn change(
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    change: ProviderChange,
    now: Timestamp,
) -> Result<ProviderView, OperateError> {
    let mut provider = find(tx, id).await?;
    if let Some(name) = &change.name {
        provider.name = text("name", name)?;
    }
    if let Some(short_desc) = &change.short_desc {
        provider.short_desc = description_if_any("short_desc", Some(short_desc))?;
    }
    if let Some(logo_url) = &change.logo_url {
        provider.logo_url = link_if_any("logo_url", Some(logo_url))?;
    }
    provider.active = change.active.unwrap_or(provider.active);
    save(tx, actor, &provider, now).await?;
    Ok(provider.into())
}

/// A provider.
pub async fn show(tx: &mut Tx, id: &str) -> Result<ProviderView, OperateError> {
    find(tx, id).await.map(Into::into)
}

async fn find(tx: &mut Tx, id: &str) -> Result<Provider, OperateError> {
    let not_found = || OperateError::not_found(WHAT, id);
    let parsed: ProviderId = id.parse().map_err(|_| not_found())?;
    tx.provider(&parsed).await?.ok_or_else(not_found)
}

/// Providers, by id.
pub async fn list(tx: &mut Tx, page: &Page) -> Result<Listed<ProviderView>, OperateError> {
    let after = page.after().map(Cursor::id::<String>).transpose()?.unwrap_or_default();
    let rows = tx.providers(&after, page.rows()).await?;
    Ok(Listed::of(page, rows, |row| Cursor::new(&row.id, &row.id), Into::into))
}
