//! Table `admin_token`: who may use the admin API.

use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use super::{StoreError, Tx, on_db, parse};
use crate::operate::{Page, Role};

const TABLE: &str = "admin_token";

/// SHA-256 of a token's secret.
pub type Digest = [u8; 32];

/// A row, without its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id.
    pub id: Uuid,
    /// Its name, which no other token ever has.
    pub name: String,
    /// What it may.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// About when it was used last.
    pub last_used_at: Option<Timestamp>,
    /// From when on it counts no more.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

type Row = (String, String, String, i64, String, Option<i64>, Option<i64>, Option<i64>);

macro_rules! columns {
    () => {
        "token_id, name, role, created_at, created_by, last_used_at, expires_at, revoked_at"
    };
}

fn token_row(row: Row) -> Result<TokenRow, StoreError> {
    let (id, name, role, created_at, created_by, last_used_at, expires_at, revoked_at) = row;
    Ok(TokenRow {
        role: parse(TABLE, &id, "role", &role)?,
        id: parse(TABLE, &id, "token_id", &id)?,
        name,
        created_at: Timestamp::from_unix_ms(created_at),
        created_by,
        last_used_at: last_used_at.map(Timestamp::from_unix_ms),
        expires_at: expires_at.map(Timestamp::from_unix_ms),
        revoked_at: revoked_at.map(Timestamp::from_unix_ms),
    })
}

impl Tx {
    /// Adds a token; `false` if its name is taken.
    pub async fn add_token(&mut self, row: &TokenRow, digest: &Digest) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO admin_token \
             (token_id, name, role, digest, created_at, created_by, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(row.id.to_string())
            .bind(row.name.clone())
            .bind(row.role.code())
            .bind(digest.to_vec())
            .bind(row.created_at.unix_ms)
            .bind(row.created_by.clone())
            .bind(row.expires_at.map(|at| at.unix_ms))
            .execute(conn).await?.rows_affected());
        Ok(rows == 1)
    }

    /// The token whose secret has this digest, revoked and expired ones too.
    ///
    /// The index is walked by the digest of what was shown: how long that takes tells nothing of a secret.
    pub async fn token_by_digest(
        &mut self,
        digest: &Digest,
    ) -> Result<Option<TokenRow>, StoreError> {
        const SQL: &str = concat!("SELECT ", columns!(), " FROM admin_token WHERE digest = $1");
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(digest.to_vec()).fetch_optional(conn).await?);
        row.map(token_row).transpose()
    }

    /// The token of this name or with this id.
    pub async fn find_token(&mut self, name: &str) -> Result<Option<TokenRow>, StoreError> {
        const SQL: &str =
            concat!("SELECT ", columns!(), " FROM admin_token WHERE name = $1 OR token_id = $1");
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(name.to_owned()).fetch_optional(conn).await?);
        row.map(token_row).transpose()
    }

    /// A page of the tokens, by name.
    pub async fn tokens(&mut self, after: &str, page: &Page) -> Result<Vec<TokenRow>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM admin_token WHERE name > $1 ORDER BY name LIMIT $2"
        );
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(after.to_owned()).bind(page.rows()).fetch_all(conn).await?);
        rows.into_iter().map(token_row).collect()
    }

    /// Whether there ever was a token.
    pub async fn has_tokens(&mut self) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT COUNT(*) FROM admin_token";
        let count: i64 = on_db!(self, conn => sqlx::query_scalar(SQL).fetch_one(conn).await?);
        Ok(count > 0)
    }

    /// Revokes a token; `false` if it was revoked before.
    pub async fn revoke_token(&mut self, id: Uuid, at: Timestamp) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE admin_token SET revoked_at = $2 \
             WHERE token_id = $1 AND revoked_at IS NULL";
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(id.to_string()).bind(at.unix_ms).execute(conn).await?.rows_affected());
        Ok(rows == 1)
    }

    /// Notes that a token was used, unless it was noted after `noted_before`.
    pub async fn note_token_used(
        &mut self,
        id: Uuid,
        at: Timestamp,
        noted_before: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE admin_token SET last_used_at = $2 \
             WHERE token_id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(id.to_string())
            .bind(at.unix_ms)
            .bind(noted_before.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(())
    }
}
