//! The tables as the database has them, so that what is done to every table forgets none that is added later.

use std::collections::BTreeMap;

use super::{Store, StoreError, Tx, on_db};

/// What a column holds. There are no others: see `migrations/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// BIGINT.
    Number,
    /// TEXT.
    Text,
    /// BYTES.
    Bytes,
    /// BOOLEAN.
    Flag,
}

impl Kind {
    /// That of a column declared with this type, in either database's words.
    fn of(declared: &str) -> Option<Self> {
        match declared.to_ascii_lowercase().as_str() {
            "bigint" => Some(Self::Number),
            "text" => Some(Self::Text),
            "blob" | "bytea" => Some(Self::Bytes),
            "boolean" => Some(Self::Flag),
            _ => None,
        }
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Other tables that its rows refer to.
    pub parents: Vec<String>,
}

impl Table {
    /// Its columns for a statement.
    pub fn column_list(&self) -> String {
        self.columns.iter().map(|column| &*column.name).collect::<Vec<_>>().join(", ")
    }
}

const COLUMNS_ON_SQLITE: &str = "SELECT t.name, c.name, c.type FROM sqlite_schema t, \
     pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
     AND t.name <> '_sqlx_migrations' ORDER BY t.name, c.cid";

const COLUMNS_ON_POSTGRES: &str = "SELECT c.table_name::TEXT, c.column_name::TEXT, \
     c.data_type::TEXT FROM information_schema.columns c JOIN information_schema.tables t \
     ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
     WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' \
     AND c.table_name <> '_sqlx_migrations' ORDER BY c.table_name, c.ordinal_position";

const PARENTS_ON_SQLITE: &str = "SELECT DISTINCT t.name, f.\"table\" FROM sqlite_schema t, \
     pragma_foreign_key_list(t.name) f WHERE t.type = 'table' AND f.\"table\" <> t.name";

const PARENTS_ON_POSTGRES: &str = "SELECT DISTINCT child.relname::TEXT, parent.relname::TEXT \
     FROM pg_constraint c JOIN pg_class child ON child.oid = c.conrelid \
     JOIN pg_class parent ON parent.oid = c.confrelid WHERE c.contype = 'f' \
     AND c.conrelid <> c.confrelid AND child.relnamespace = current_schema()::REGNAMESPACE";

impl Store {
    /// Every table of ours, those that others refer to before those others.
    pub async fn tables(&self) -> Result<Vec<Table>, StoreError> {
        self.read().await?.tables().await
    }
}

impl Tx {
    /// Every table of ours, those that others refer to before those others.
    pub async fn tables(&mut self) -> Result<Vec<Table>, StoreError> {
        let (columns, parents) = match self {
            Self::Sqlite(_) => (COLUMNS_ON_SQLITE, PARENTS_ON_SQLITE),
            Self::Postgres(_) | Self::PostgresWriting(_) => {
                (COLUMNS_ON_POSTGRES, PARENTS_ON_POSTGRES)
            }
        };
        let columns: Vec<(String, String, String)> =
            on_db!(&mut *self, conn => sqlx::query_as(columns).fetch_all(conn).await?);
        let parents: Vec<(String, String)> =
            on_db!(self, conn => sqlx::query_as(parents).fetch_all(conn).await?);
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        for (table, name, declared) in columns {
            let Some(kind) = Kind::of(&declared) else {
                return Err(StoreError::Column { table, column: name, declared });
            };
            let new = || Table { name: table.clone(), columns: Vec::new(), parents: Vec::new() };
            tables.entry(table.clone()).or_insert_with(new).columns.push(Column { name, kind });
        }
        for (child, parent) in parents {
            if let Some(table) = tables.get_mut(&child) {
                table.parents.push(parent);
            }
        }
        Ok(parents_first(tables.into_values().collect()))
    }
}

/// Puts tables in an order in which rows can be added.
fn parents_first(mut left: Vec<Table>) -> Vec<Table> {
    let mut sorted: Vec<Table> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let is_known = |parent: &String| sorted.iter().any(|table| table.name == *parent);
        let ready = left.iter().position(|table| table.parents.iter().all(is_known));
        // Tables that refer to each other in a circle have no such order; there are none.
        sorted.push(left.remove(ready.unwrap_or(0)));
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tables_come_with_their_columns_and_after_what_they_refer_to() {
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", dir.path().join("test.db").display());
        let store = Store::open(&url).await.expect("it opens");
        let tables = store.tables().await.expect("answers");
        let place = |name: &str| tables.iter().position(|table| table.name == name);
        let (hold, order) = (place("device_hold").expect("there"), place("ride_order"));
        assert!(place("vehicle") < Some(hold) && order < Some(hold));
        assert_eq!(tables[hold].column_list(), "device_id, order_id");
        assert_eq!(tables[hold].parents.len(), 2);
        assert!(tables.iter().all(|table| !table.name.starts_with('_')));
        let presence = &tables[place("device_presence").expect("there")];
        let kinds: Vec<Kind> = presence.columns.iter().map(|column| column.kind).collect();
        assert_eq!(kinds, [Kind::Text, Kind::Flag, Kind::Number, Kind::Text, Kind::Text]);
    }
}
