//! An SQLite store copied into an empty PostgreSQL: every table that there is, in one transaction, so that
//! nobody ever sees half of it.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Postgres, Row as _, Sqlite, Transaction};

use super::schema::{Kind, Table};
use super::{Pools, Store, StoreError};

/// Rows read and sent in one go; with bodies of a few kilobytes each some megabytes.
const ROWS_AT_ONCE: i64 = 2_000;

/// Why a store was not copied. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the two stores.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A store of the wrong kind.
    #[error("a store is copied from SQLite into PostgreSQL and no other way")]
    Kind,
    /// The target is in use.
    #[error(
        "the target holds something already: {rows} rows in table {table}; \
         give it a database of its own, and stop what serves from it"
    )]
    NotEmpty {
        /// Where.
        table: String,
        /// How many.
        rows: i64,
    },
    /// The schemas are not the same.
    #[error("table {table} is not the same in both stores")]
    Schema {
        /// Which.
        table: String,
    },
    /// Not everything has arrived.
    #[error("table {table} has {found} rows in the target, and {expected} in the source")]
    Count {
        /// Which.
        table: String,
        /// In the target.
        found: i64,
        /// In the source.
        expected: i64,
    },
}

impl From<sqlx::Error> for CopyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The table at hand.
    pub table: String,
    /// Rows of it that were copied.
    pub rows: i64,
    /// Rows that it has.
    pub of: i64,
}

impl Store {
    /// Copies everything into an empty store with the same schema, and says what of each table. `tell` hears
    /// of every step.
    ///
    /// Neither store may be served from: of the source that is the caller's to see to, the tables of the
    /// target are locked.
    pub async fn copy_to(
        &self,
        target: &Self,
        mut tell: impl FnMut(&Progress),
    ) -> Result<Vec<Progress>, CopyError> {
        let (Pools::Sqlite { readers, .. }, Pools::Postgres(pool)) = (&self.pools, &target.pools)
        else {
            return Err(CopyError::Kind);
        };
        let tables = self.tables().await?;
        check_schema(&tables, &target.tables().await?)?;
        let mut source = readers.begin().await?;
        let mut sink = pool.begin().await?;
        begin(&mut sink, &tables).await?;
        let mut copied = Vec::with_capacity(tables.len());
        for table in &tables {
            copied.push(copy_table(&mut source, &mut sink, table, &mut tell).await?);
        }
        sink.commit().await?;
        Ok(copied)
    }
}

/// Both must have the same tables and columns; the order of columns is of no matter.
fn check_schema(source: &[Table], target: &[Table]) -> Result<(), CopyError> {
    let different = |one: &[Table], other: &[Table]| {
        let missing = |table: &&Table| {
            let twin = other.iter().find(|twin| twin.name == table.name);
            !twin.is_some_and(|twin| {
                twin.columns.len() == table.columns.len()
                    && table.columns.iter().all(|column| twin.columns.contains(column))
            })
        };
        one.iter().find(missing).map(|table| table.name.clone())
    };
    match different(source, target).or_else(|| different(target, source)) {
        Some(table) => Err(CopyError::Schema { table }),
        None => Ok(()),
    }
}

/// Takes the target for us alone, without the limits that a platform works under, and refuses one that is in
/// use. What the schema itself puts into a table makes room for the source's rows.
async fn begin(
    sink: &mut Transaction<'static, Postgres>,
    tables: &[Table],
) -> Result<(), CopyError> {
    for sql in
        ["SET LOCAL statement_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0"]
    {
        sqlx::query(sql).execute(&mut **sink).await?;
    }
    let names: Vec<&str> = tables.iter().map(|table| &*table.name).collect();
    let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", names.join(", "));
    sqlx::query(AssertSqlSafe(lock)).execute(&mut **sink).await?;
    let made = made_by_the_schema(tables).await?;
    for (table, made) in tables.iter().zip(made).rev() {
        let rows = count_postgres(sink, &table.name).await?;
        if rows > made {
            return Err(CopyError::NotEmpty { table: table.name.clone(), rows });
        }
        if rows > 0 {
            let sql = AssertSqlSafe(format!("DELETE FROM {}", table.name));
            sqlx::query(sql).execute(&mut **sink).await?;
        }
    }
    Ok(())
}

/// How many rows a new store has in each table.
async fn made_by_the_schema(tables: &[Table]) -> Result<Vec<i64>, CopyError> {
    let new = Store::in_memory().await?;
    let Pools::Sqlite { writer, .. } = &new.pools else { return Err(CopyError::Kind) };
    let mut counts = Vec::with_capacity(tables.len());
    for table in tables {
        let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {}", table.name));
        counts.push(sqlx::query_scalar(sql).fetch_one(writer).await?);
    }
    new.close().await;
    Ok(counts)
}

async fn count_postgres(
    sink: &mut Transaction<'static, Postgres>,
    table: &str,
) -> Result<i64, CopyError> {
    let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
    Ok(sqlx::query_scalar(sql).fetch_one(&mut **sink).await?)
}

async fn copy_table(
    source: &mut Transaction<'static, Sqlite>,
    sink: &mut Transaction<'static, Postgres>,
    table: &Table,
    tell: &mut impl FnMut(&Progress),
) -> Result<Progress, CopyError> {
    let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {}", table.name));
    let of: i64 = sqlx::query_scalar(sql).fetch_one(&mut **source).await?;
    let mut progress = Progress { table: table.name.clone(), rows: 0, of };
    let read = format!(
        "SELECT rowid, {} FROM {} WHERE rowid > $1 ORDER BY rowid LIMIT $2",
        table.column_list(),
        table.name
    );
    let write = format!("COPY {} ({}) FROM STDIN", table.name, table.column_list());
    let mut after = i64::MIN;
    loop {
        tell(&progress);
        let rows: Vec<SqliteRow> = sqlx::query(AssertSqlSafe(read.clone()))
            .bind(after)
            .bind(ROWS_AT_ONCE)
            .fetch_all(&mut **source)
            .await?;
        let Some(last) = rows.last() else { break };
        after = last.try_get(0)?;
        let mut lines = Vec::new();
        for row in &rows {
            append(&mut lines, row, table)?;
        }
        let mut copying = sink.copy_in_raw(&write).await?;
        copying.send(lines).await?;
        copying.finish().await?;
        progress.rows += i64::try_from(rows.len()).unwrap_or(i64::MAX);
    }
    let found = count_postgres(sink, &table.name).await?;
    if found != of {
        return Err(CopyError::Count { table: progress.table, found, expected: of });
    }
    Ok(progress)
}

/// Appends a row in the text form of PostgreSQL's COPY.
fn append(line: &mut Vec<u8>, row: &SqliteRow, table: &Table) -> Result<(), CopyError> {
    for (n, column) in table.columns.iter().enumerate() {
        // The first is the rowid.
        let index = n + 1;
        let value = match column.kind {
            Kind::Number => row.try_get_unchecked::<Option<i64>, _>(index)?.map(|n| n.to_string()),
            Kind::Text => row.try_get_unchecked::<Option<String>, _>(index)?.map(|t| escaped(&t)),
            Kind::Bytes => row.try_get_unchecked::<Option<Vec<u8>>, _>(index)?.map(|b| hex(&b)),
            Kind::Flag => {
                let flag = row.try_get_unchecked::<Option<bool>, _>(index)?;
                flag.map(|is_set| if is_set { "t" } else { "f" }.to_owned())
            }
        };
        line.extend_from_slice(value.as_deref().unwrap_or("\\N").as_bytes());
        line.push(if index == table.columns.len() { b'\n' } else { b'\t' });
    }
    Ok(())
}

/// A text in COPY's text form.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Bytes in COPY's text form: the backslash is escaped.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(3 + 2 * bytes.len());
    text.push_str("\\\\x");
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)].into());
        text.push(DIGITS[usize::from(byte & 15)].into());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_copy_is_escaped() {
        assert_eq!(escaped("a\tb\\N\nc\r"), "a\\tb\\\\N\\nc\\r");
        assert_eq!(hex(&[0, 0x5c, 255]), "\\\\x005cff");
    }
}
