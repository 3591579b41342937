//! Table `document`: papers of drivers and vehicles.

use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use super::{StoreError, Tx, on_db, parse};
use crate::domain::fleet::{Document, Owner};

const TABLE: &str = "document";

type Row = (String, String, String, String, String, Option<i64>);

fn document((id, owner_kind, owner, kind, number, until): Row) -> Result<Document, StoreError> {
    let owner = Owner::of(&owner_kind, &owner).map_err(|error| StoreError::BadRow {
        table: TABLE,
        row: id.clone(),
        reason: format!("column owner_id: {error}"),
    })?;
    Ok(Document {
        id: parse(TABLE, &id, "document_id", &id)?,
        owner,
        kind,
        number,
        expires_at: until.map(Timestamp::from_unix_ms),
    })
}

/// Behind which document a page begins: its owner's kind and id, its kind and its number.
#[derive(Debug, Clone, Default)]
pub struct DocumentPlace {
    /// When it expires, in Unix ms.
    pub expires_at: i64,
    /// Its id.
    pub id: String,
}

impl Tx {
    /// Writes a document; one of the same owner with the same kind and number is replaced and keeps its id.
    pub async fn put_document(
        &mut self,
        document: &Document,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO document (document_id, owner_kind, owner_id, kind, number, \
             expires_at, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7) \
             ON CONFLICT (owner_kind, owner_id, kind, number) \
             DO UPDATE SET expires_at = excluded.expires_at, updated_at = excluded.updated_at";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(document.id.to_string())
            .bind(document.owner.kind())
            .bind(document.owner.id().to_owned())
            .bind(document.kind.clone())
            .bind(document.number.clone())
            .bind(document.expires_at.map(|at| at.unix_ms))
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        self.note_owner_changed(&document.owner).await
    }

    async fn note_owner_changed(&mut self, owner: &Owner) -> Result<(), StoreError> {
        match owner {
            Owner::Driver(driver) => self.note_driver_changed(driver).await,
            Owner::Vehicle(device) => self.note_vehicle_changed(device).await,
        }
    }

    /// The document of an owner with this kind and number.
    pub async fn document_of(
        &mut self,
        owner: &Owner,
        kind: &str,
        number: &str,
    ) -> Result<Option<Document>, StoreError> {
        const SQL: &str = "SELECT document_id, owner_kind, owner_id, kind, number, expires_at \
             FROM document WHERE owner_kind = $1 AND owner_id = $2 AND kind = $3 AND number = $4";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(owner.kind())
            .bind(owner.id().to_owned())
            .bind(kind.to_owned())
            .bind(number.to_owned())
            .fetch_optional(conn).await?);
        row.map(document).transpose()
    }

    /// Removes a document; gives what it was.
    pub async fn remove_document(&mut self, id: Uuid) -> Result<Option<Document>, StoreError> {
        const SQL: &str = "DELETE FROM document WHERE document_id = $1 \
             RETURNING document_id, owner_kind, owner_id, kind, number, expires_at";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(id.to_string()).fetch_optional(conn).await?);
        let Some(removed) = row.map(document).transpose()? else { return Ok(None) };
        self.note_owner_changed(&removed.owner).await?;
        Ok(Some(removed))
    }

    /// At most `limit` documents behind this place, those that expire first first and those that do not
    /// last; of one owner, if it is named, and such as expire before `until`, if that is said.
    pub async fn documents(
        &mut self,
        after: &DocumentPlace,
        owner: Option<&Owner>,
        until: Option<Timestamp>,
        limit: i64,
    ) -> Result<Vec<Document>, StoreError> {
        const SQL: &str = "SELECT document_id, owner_kind, owner_id, kind, number, expires_at \
             FROM document WHERE ($1 = '' OR (owner_kind = $1 AND owner_id = $2)) \
             AND COALESCE(expires_at, 9223372036854775807) < $3 \
             AND (COALESCE(expires_at, 9223372036854775807) > $4 \
             OR (COALESCE(expires_at, 9223372036854775807) = $4 AND document_id > $5)) \
             ORDER BY COALESCE(expires_at, 9223372036854775807), document_id LIMIT $6";
        const ALL: &str = "SELECT document_id, owner_kind, owner_id, kind, number, expires_at \
             FROM document WHERE ($1 = '' OR (owner_kind = $1 AND owner_id = $2)) \
             AND COALESCE(expires_at, 9223372036854775807) <= $3 \
             AND (COALESCE(expires_at, 9223372036854775807) > $4 \
             OR (COALESCE(expires_at, 9223372036854775807) = $4 AND document_id > $5)) \
             ORDER BY COALESCE(expires_at, 9223372036854775807), document_id LIMIT $6";
        let sql = if until.is_some() { SQL } else { ALL };
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(sql)
            .bind(owner.map_or("", Owner::kind))
            .bind(owner.map_or("", Owner::id).to_owned())
            .bind(until.map_or(i64::MAX, |at| at.unix_ms))
            .bind(after.expires_at)
            .bind(after.id.clone())
            .bind(limit)
            .fetch_all(conn).await?);
        rows.into_iter().map(document).collect()
    }
}
