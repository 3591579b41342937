//! Table `tariff`: what rides cost. A row never changes.

use tripline_protocol::tariff::Tariff;
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, on_db};

const TABLE: &str = "tariff";

type Row = (String, i64, String);

fn tariff((code, version, body): Row) -> Result<Tariff, StoreError> {
    serde_json::from_str(&body).map_err(|error| StoreError::BadRow {
        table: TABLE,
        row: format!("{code}, {version}"),
        reason: format!("column body: {error}"),
    })
}

impl Tx {
    /// Adds a version of a tariff; `false` if it is there.
    pub async fn add_tariff(&mut self, tariff: &Tariff, at: Timestamp) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO tariff (code, version, body, created_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let body = serde_json::to_string(tariff).map_err(|error| StoreError::BadRow {
            table: TABLE,
            row: tariff.code.clone(),
            reason: error.to_string(),
        })?;
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(tariff.code.clone())
            .bind(i64::from(tariff.version))
            .bind(body)
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        self.note_catalog_changed().await?;
        Ok(rows == 1)
    }

    /// A version of a tariff; the newest if none is named.
    pub async fn tariff(
        &mut self,
        code: &str,
        version: Option<u32>,
    ) -> Result<Option<Tariff>, StoreError> {
        const SQL: &str = "SELECT code, version, body FROM tariff \
             WHERE code = $1 AND ($2 = 0 OR version = $2) ORDER BY version DESC LIMIT 1";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(code.to_owned()).bind(i64::from(version.unwrap_or(0)))
            .fetch_optional(conn).await?);
        row.map(tariff).transpose()
    }

    /// At most `limit` versions of tariffs behind this one, by code and version; of one code, if it is
    /// named.
    pub async fn tariffs(
        &mut self,
        (after, version): (&str, i64),
        code: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Tariff>, StoreError> {
        const SQL: &str = "SELECT code, version, body FROM tariff \
             WHERE ($1 = '' OR code = $1) AND (code > $2 OR (code = $2 AND version > $3)) \
             ORDER BY code, version LIMIT $4";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(code.unwrap_or_default().to_owned())
            .bind(after.to_owned())
            .bind(version)
            .bind(limit)
            .fetch_all(conn).await?);
        rows.into_iter().map(tariff).collect()
    }

    /// The newest version of every tariff.
    pub async fn newest_tariffs(&mut self) -> Result<Vec<Tariff>, StoreError> {
        const SQL: &str = "SELECT t.code, t.version, t.body FROM tariff t \
             WHERE t.version = (SELECT MAX(n.version) FROM tariff n WHERE n.code = t.code)";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL).fetch_all(conn).await?);
        rows.into_iter().map(tariff).collect()
    }
}
