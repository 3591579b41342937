//! Papers of drivers and vehicles.

use serde::{Deserialize, Serialize};
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

use super::check::{Mode, Put, end, parsed, parsed_if_any, text};
use super::{Actor, Cursor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::chance;
use crate::domain::fleet::id::check_code;
use crate::domain::fleet::{Document, Owner};
use crate::store::Tx;
use crate::store::document::DocumentPlace;

const WHAT: &str = "document";

/// A document to be added.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDocument {
    /// Whose it is: `driver:ID` or `vehicle:DEVICE`.
    pub owner: String,
    /// What it is, in a word: `licence`, `permit`, `insurance`.
    pub kind: String,
    /// Its number.
    pub number: String,
    /// When it ends: a date, which counts through its end in UTC, or a time; never if left out.
    #[serde(default)]
    pub expires: Option<String>,
}

/// A document, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DocumentView {
    /// Its id.
    pub id: String,
    /// Whose it is: `driver:ID` or `vehicle:DEVICE`.
    pub owner: String,
    /// What it is.
    pub kind: String,
    /// Its number.
    pub number: String,
    /// When it ends, in Unix milliseconds.
    pub expires_at_unix_ms: Option<i64>,
}

impl From<Document> for DocumentView {
    fn from(document: Document) -> Self {
        Self {
            id: document.id.to_string(),
            owner: document.owner.to_string(),
            kind: document.kind,
            number: document.number,
            expires_at_unix_ms: document.expires_at.map(|at| at.unix_ms),
        }
    }
}

/// Adds a document, or renews the one with this kind and number that ends before it.
pub async fn add(
    tx: &mut Tx,
    actor: &Actor,
    new: NewDocument,
    now: Timestamp,
) -> Result<DocumentView, OperateError> {
    let asked = record(&new, chance::uuid()?)?;
    write(tx, actor, new, Mode::Add, now).await?;
    let added = tx.document_of(&asked.owner, &asked.kind, &asked.number).await?;
    added.map(Into::into).ok_or_else(|| OperateError::not_found(WHAT, asked.number))
}

fn record(new: &NewDocument, id: Uuid) -> Result<Document, OperateError> {
    check_code(&new.kind).map_err(|error| OperateError::invalid("kind", error.to_string()))?;
    let expires = new.expires.as_deref().filter(|expires| !expires.is_empty());
    Ok(Document {
        id,
        owner: parsed("owner", &new.owner)?,
        kind: new.kind.clone(),
        number: text("number", &new.number)?,
        expires_at: expires.map(|expires| end("expires", expires)).transpose()?,
    })
}

/// Writes a whole document, whether it is there or, in [`Mode::Put`], not. It is known by its owner, kind
/// and number.
pub async fn write(
    tx: &mut Tx,
    actor: &Actor,
    new: NewDocument,
    mode: Mode,
    now: Timestamp,
) -> Result<Put, OperateError> {
    let mut document = record(&new, chance::uuid()?)?;
    let known = match &document.owner {
        Owner::Driver(driver) => tx.driver(driver).await?.is_some(),
        Owner::Vehicle(device) => tx.vehicle_record(device).await?.is_some(),
    };
    if !known {
        let problem = format!("{}: there is no such {}", document.owner, document.owner.kind());
        return Err(OperateError::invalid("owner", problem));
    }
    let known = tx.document_of(&document.owner, &document.kind, &document.number).await?;
    let what = match &known {
        None => "put on record",
        Some(known) if document.outlasts(known) => "renewed",
        Some(_) => "changed",
    };
    let put = match known {
        None => Put::Added,
        // The same paper for longer is what a renewed one is.
        Some(known) if mode == Mode::Add && !document.outlasts(&known) => {
            let problem = format!(
                "of {} is there already, and does not end before the one that is added",
                document.owner
            );
            return Err(OperateError::conflict(WHAT, document.number, problem));
        }
        Some(known) => {
            document.id = known.id;
            if known == document {
                return Ok(Put::Same);
            }
            Put::Changed
        }
    };
    tx.put_document(&document, now).await?;
    note(tx, actor, &document, what, now).await?;
    Ok(put)
}

/// When the document of an owner with this kind and number ends, if it is there and does.
pub(super) async fn end_of(
    tx: &mut Tx,
    owner: &str,
    kind: &str,
    number: &str,
) -> Result<Option<Timestamp>, OperateError> {
    let known = tx.document_of(&parsed("owner", owner)?, kind, number).await?;
    Ok(known.and_then(|known| known.expires_at))
}

async fn note(
    tx: &mut Tx,
    actor: &Actor,
    document: &Document,
    what: &str,
    now: Timestamp,
) -> Result<(), OperateError> {
    let detail = format!("{}: {} {} {what}", document.owner, document.kind, document.number);
    actor.note(tx, AuditKind::DocumentChanged, detail, now).await
}

/// Removes a document.
pub async fn remove(
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<DocumentView, OperateError> {
    let not_found = || OperateError::not_found(WHAT, id);
    let parsed: Uuid = id.parse().map_err(|_| not_found())?;
    let removed = tx.remove_document(parsed).await?.ok_or_else(not_found)?;
    note(tx, actor, &removed, "removed", now).await?;
    Ok(removed.into())
}

/// Which documents are listed.
#[derive(Debug, Clone, Default)]
pub struct DocumentFilter {
    /// Of this owner, `driver:ID` or `vehicle:DEVICE`.
    pub owner: Option<String>,
    /// That expire before then.
    pub expiring_before: Option<Timestamp>,
}

/// Documents, those that expire first first, and those that do not last.
pub async fn list(
    tx: &mut Tx,
    filter: &DocumentFilter,
    page: &Page,
) -> Result<Listed<DocumentView>, OperateError> {
    let owner: Option<Owner> = parsed_if_any("owner", filter.owner.as_deref())?;
    let after = match page.after() {
        Some(cursor) => DocumentPlace { expires_at: cursor.key()?, id: cursor.id()? },
        None => DocumentPlace { expires_at: i64::MIN, id: String::new() },
    };
    let until = filter.expiring_before;
    let rows = tx.documents(&after, owner.as_ref(), until, page.rows()).await?;
    let cursor =
        |row: &Document| Cursor::new(row.expires_at.map_or(i64::MAX, |at| at.unix_ms), row.id);
    Ok(Listed::of(page, rows, cursor, Into::into))
}
