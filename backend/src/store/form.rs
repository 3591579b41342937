//! Tables `form`, `form_page` and `form_nonce`: what is asked, and the pages on which it is.

use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use super::{StoreError, Tx, from_db, on_db, parse, to_db};
use crate::domain::fleet::FormId;
use crate::domain::form::Form;

/// A form as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormRow {
    /// The form.
    pub form: Form,
    /// Counts up with each change.
    pub version: u64,
}

type Row = (String, i64, String);

fn form_row((id, version, body): Row) -> Result<FormRow, StoreError> {
    let form = serde_json::from_str(&body).map_err(|error| StoreError::BadRow {
        table: "form",
        row: format!("{id} {version}"),
        reason: format!("column body: {error}"),
    })?;
    Ok(FormRow { form, version: from_db(version) })
}

/// A page on which a form is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRow {
    /// The capability under which it is shown.
    pub token: String,
    /// For whose riders: the BAP's subscriber id.
    pub subscriber_id: String,
    /// In which transaction it was asked for.
    pub transaction_id: String,
    /// For which item.
    pub item_id: String,
    /// Which form.
    pub form: FormId,
    /// Which version of it.
    pub version: u64,
    /// Until when it is shown.
    pub expires_at: Timestamp,
}

type StoredPage = (String, String, String, String, String, i64, i64);

fn page(row: StoredPage) -> Result<PageRow, StoreError> {
    let (token, subscriber_id, transaction_id, item_id, form, version, expires_at) = row;
    Ok(PageRow {
        form: parse("form_page", &token, "form_id", &form)?,
        token,
        subscriber_id,
        transaction_id,
        item_id,
        version: from_db(version),
        expires_at: Timestamp::from_unix_ms(expires_at),
    })
}

impl Tx {
    /// Writes a form's newest version.
    pub async fn add_form(&mut self, row: &FormRow, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str =
            "INSERT INTO form (form_id, version, body, created_at) VALUES ($1, $2, $3, $4)";
        let FormRow { form, version } = row;
        let body = serde_json::to_string(form).map_err(|error| StoreError::BadRow {
            table: "form",
            row: form.id.to_string(),
            reason: error.to_string(),
        })?;
        on_db!(self, conn => sqlx::query(SQL)
            .bind(form.id.as_str().to_owned())
            .bind(to_db(*version))
            .bind(body)
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// A form: its newest version, or the one that is named.
    pub async fn form(
        &mut self,
        id: &FormId,
        version: Option<u64>,
    ) -> Result<Option<FormRow>, StoreError> {
        const SQL: &str = "SELECT form_id, version, body FROM form WHERE form_id = $1 \
             AND ($2 = 0 OR version = $2) ORDER BY version DESC LIMIT 1";
        // The first version is 1.
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(id.as_str().to_owned()).bind(to_db(version.unwrap_or(0)))
            .fetch_optional(conn).await?);
        row.map(form_row).transpose()
    }

    /// At most `limit` forms behind this id, by id, each in its newest version.
    pub async fn forms(&mut self, after: &str, limit: i64) -> Result<Vec<FormRow>, StoreError> {
        const SQL: &str = "SELECT f.form_id, f.version, f.body FROM form f WHERE f.form_id > $1 \
             AND f.version = (SELECT MAX(n.version) FROM form n WHERE n.form_id = f.form_id) \
             ORDER BY f.form_id LIMIT $2";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(after.to_owned()).bind(limit).fetch_all(conn).await?);
        rows.into_iter().map(form_row).collect()
    }

    /// Writes a new page, and deletes those of its subscriber that are so many pages older.
    pub async fn add_form_page(&mut self, page: &PageRow, kept: u32) -> Result<(), StoreError> {
        const NEXT: &str =
            "SELECT COALESCE(MAX(number), 0) + 1 FROM form_page WHERE subscriber_id = $1";
        const SQL: &str = "INSERT INTO form_page (page_token, subscriber_id, transaction_id, \
             item_id, form_id, version, number, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        const FORGET: &str = "DELETE FROM form_page WHERE subscriber_id = $1 AND number <= $2";
        let number: i64 = on_db!(&mut *self, conn => sqlx::query_scalar(NEXT)
            .bind(page.subscriber_id.clone()).fetch_one(conn).await?);
        on_db!(&mut *self, conn => sqlx::query(SQL)
            .bind(page.token.clone())
            .bind(page.subscriber_id.clone())
            .bind(page.transaction_id.clone())
            .bind(page.item_id.clone())
            .bind(page.form.as_str().to_owned())
            .bind(to_db(page.version))
            .bind(number)
            .bind(page.expires_at.unix_ms)
            .execute(conn).await?.rows_affected());
        on_db!(self, conn => sqlx::query(FORGET)
            .bind(page.subscriber_id.clone()).bind(number - i64::from(kept))
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// The page of a subscriber for this transaction and item with this version of a form that is shown the
    /// longest.
    pub async fn form_page_for(
        &mut self,
        (subscriber_id, transaction_id, item_id): (&str, &str, &str),
        (form, version): (&FormId, u64),
    ) -> Result<Option<PageRow>, StoreError> {
        const SQL: &str = "SELECT page_token, subscriber_id, transaction_id, item_id, form_id, \
             version, expires_at FROM form_page WHERE subscriber_id = $1 AND transaction_id = $2 \
             AND item_id = $3 AND form_id = $4 AND version = $5 ORDER BY expires_at DESC LIMIT 1";
        let row: Option<StoredPage> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(subscriber_id.to_owned())
            .bind(transaction_id.to_owned())
            .bind(item_id.to_owned())
            .bind(form.as_str().to_owned())
            .bind(to_db(version))
            .fetch_optional(conn).await?);
        row.map(page).transpose()
    }

    /// The page with this capability. In a transaction that writes nobody else changes what hangs on it
    /// meanwhile.
    pub async fn form_page(&mut self, token: &str) -> Result<Option<PageRow>, StoreError> {
        const PLAIN: &str = "SELECT page_token, subscriber_id, transaction_id, item_id, form_id, \
             version, expires_at FROM form_page WHERE page_token = $1";
        const LOCKING: &str = "SELECT page_token, subscriber_id, transaction_id, item_id, form_id, \
             version, expires_at FROM form_page WHERE page_token = $1 FOR UPDATE";
        let sql = match self {
            Self::Sqlite(_) | Self::Postgres(_) => PLAIN,
            Self::PostgresWriting(_) => LOCKING,
        };
        let row: Option<StoredPage> = on_db!(self, conn => sqlx::query_as(sql)
            .bind(token.to_owned()).fetch_optional(conn).await?);
        row.map(page).transpose()
    }

    /// Opens a nonce of a page; of those that nothing came with, the newest so many stay open.
    pub async fn open_form_nonce(
        &mut self,
        token: &str,
        nonce: Uuid,
        open: u32,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str =
            "INSERT INTO form_nonce (page_token, nonce, created_at) VALUES ($1, $2, $3)";
        const CLOSE: &str = "DELETE FROM form_nonce WHERE page_token = $1 AND nonce IN ( \
             SELECT nonce FROM form_nonce WHERE page_token = $1 AND submission_id IS NULL \
             ORDER BY created_at DESC, nonce LIMIT 1000 OFFSET $2)";
        on_db!(&mut *self, conn => sqlx::query(SQL)
            .bind(token.to_owned()).bind(nonce.to_string()).bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        on_db!(self, conn => sqlx::query(CLOSE)
            .bind(token.to_owned()).bind(i64::from(open))
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// What came with a nonce of a page: `None` if it is not one of this page, an inner `None` if it is open.
    pub async fn form_nonce(
        &mut self,
        token: &str,
        nonce: Uuid,
    ) -> Result<Option<Option<Uuid>>, StoreError> {
        const SQL: &str =
            "SELECT submission_id FROM form_nonce WHERE page_token = $1 AND nonce = $2";
        let row: Option<Option<String>> = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(token.to_owned()).bind(nonce.to_string()).fetch_optional(conn).await?);
        let read = |id: String| parse("form_nonce", token, "submission_id", &id);
        row.map(|submission| submission.map(read).transpose()).transpose()
    }

    /// Uses a nonce up.
    pub async fn use_form_nonce(
        &mut self,
        token: &str,
        nonce: Uuid,
        submission: Uuid,
    ) -> Result<(), StoreError> {
        const SQL: &str =
            "UPDATE form_nonce SET submission_id = $3 WHERE page_token = $1 AND nonce = $2";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(token.to_owned()).bind(nonce.to_string()).bind(submission.to_string())
            .execute(conn).await?.rows_affected());
        Ok(())
    }
}
