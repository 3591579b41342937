//! Tariffs: versions that never change.

use serde::{Deserialize, Serialize};
use tripline_protocol::tariff::Tariff;
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::check::Put;
use super::{Actor, Cursor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::domain::night::zone;
use crate::store::Tx;

const WHAT: &str = "tariff";

/// A version of a tariff, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TariffView {
    /// Its code.
    pub code: String,
    /// Its version.
    pub version: u32,
    /// All of it, amounts in paise.
    #[schema(value_type = Object)]
    pub terms: Tariff,
}

impl From<Tariff> for TariffView {
    fn from(terms: Tariff) -> Self {
        Self { code: terms.code.clone(), version: terms.version, terms }
    }
}

/// What is wrong with a tariff, by field.
pub fn check(tariff: &Tariff) -> Result<(), OperateError> {
    tariff.check().map_err(|error| OperateError::invalid(error.field, error.problem))?;
    let Some(night) = &tariff.night else { return Ok(()) };
    let known = zone(&night.time_zone);
    known.map(|_| ()).map_err(|error| OperateError::invalid("night.time_zone", error.to_string()))
}

/// Takes in a version of a tariff. The same again changes nothing; other terms need a higher version than
/// any there is.
pub async fn import(
    tx: &mut Tx,
    actor: &Actor,
    tariff: Tariff,
    now: Timestamp,
) -> Result<Put, OperateError> {
    check(&tariff)?;
    let Tariff { code, version, .. } = &tariff;
    if let Some(known) = tx.tariff(code, Some(*version)).await? {
        if known == tariff {
            return Ok(Put::Same);
        }
        let problem = format!(
            "{version} of {code} is there with other terms: a change needs a higher version"
        );
        return Err(OperateError::invalid("version", problem));
    }
    let newest = tx.tariff(code, None).await?.map(|newest| newest.version);
    if let Some(newest) = newest.filter(|newest| newest > version) {
        let problem = format!("{version} of {code} is older than {newest}, which is there");
        return Err(OperateError::invalid("version", problem));
    }
    check_items(tx, &tariff).await?;
    let detail = format!("{code} {version}: added");
    tx.add_tariff(&tariff, now).await?;
    actor.note(tx, AuditKind::TariffChanged, detail, now).await?;
    Ok(if newest.is_some() { Put::Changed } else { Put::Added })
}

/// The items that the newest version is for must be such as it can price.
async fn check_items(tx: &mut Tx, tariff: &Tariff) -> Result<(), OperateError> {
    let items = tx.items("", i64::MAX).await?;
    for item in items.iter().filter(|item| item.tariff_code == tariff.code) {
        if let Some((field, is_needed)) = item.kind.misfit(tariff) {
            let (id, kind) = (&item.id, item.kind);
            let problem = if is_needed { "is missing" } else { "must be left out" };
            let problem = format!("{problem}: item {id} of kind {kind} has this tariff");
            return Err(OperateError::invalid(field, problem));
        }
    }
    Ok(())
}

/// A version of a tariff; the newest if none is named.
pub async fn show(
    tx: &mut Tx,
    code: &str,
    version: Option<u32>,
) -> Result<TariffView, OperateError> {
    let found = tx.tariff(code, version).await?;
    let named = || version.map_or_else(|| code.to_owned(), |version| format!("{code} {version}"));
    found.map(Into::into).ok_or_else(|| OperateError::not_found(WHAT, named()))
}

/// Versions of tariffs, by code and version; of one code, if it is named.
pub async fn list(
    tx: &mut Tx,
    code: Option<&str>,
    page: &Page,
) -> Result<Listed<TariffView>, OperateError> {
    let (after, version): (String, i64) = match page.after() {
        Some(cursor) => (cursor.key()?, cursor.id()?),
        None => (String::new(), 0),
    };
    let rows = tx.tariffs((&after, version), code, page.rows()).await?;
    Ok(Listed::of(page, rows, |row| Cursor::new(&row.code, row.version), Into::into))
}
