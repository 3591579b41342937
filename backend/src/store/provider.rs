//! Table `provider`: who offers rides.

use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, on_db, parse};
use crate::domain::fleet::{Provider, ProviderId};

const TABLE: &str = "provider";

type Row = (String, String, Option<String>, Option<String>, bool);

fn provider((id, name, short_desc, logo_url, active): Row) -> Result<Provider, StoreError> {
    let id = parse(TABLE, &id, "provider_id", &id)?;
    Ok(Provider { id, name, short_desc, logo_url, active })
}

impl Tx {
    /// Writes a provider, whether it is there or not.
    pub async fn put_provider(
        &mut self,
        provider: &Provider,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO provider (provider_id, name, short_desc, logo_url, active, \
             created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (provider_id) \
             DO UPDATE SET name = excluded.name, short_desc = excluded.short_desc, \
             logo_url = excluded.logo_url, active = excluded.active, \
             updated_at = excluded.updated_at";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(provider.id.as_str().to_owned())
            .bind(provider.name.clone())
            .bind(provider.short_desc.clone())
            .bind(provider.logo_url.clone())
            .bind(provider.active)
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        self.note_catalog_changed().await
    }

    /// A provider.
    pub async fn provider(&mut self, id: &ProviderId) -> Result<Option<Provider>, StoreError> {
        const SQL: &str = "SELECT provider_id, name, short_desc, logo_url, active FROM provider \
             WHERE provider_id = $1";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(id.as_str().to_owned()).fetch_optional(conn).await?);
        row.map(provider).transpose()
    }

    /// At most `limit` providers behind this id, by id.
    pub async fn providers(
        &mut self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Provider>, StoreError> {
        const SQL: &str = "SELECT provider_id, name, short_desc, logo_url, active FROM provider \
             WHERE provider_id > $1 ORDER BY provider_id LIMIT $2";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(after.to_owned()).bind(limit).fetch_all(conn).await?);
        rows.into_iter().map(provider).collect()
    }
}
