//! Everything that a store holds, as text, table by table; and rows for tables that have none.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use tripline_backend::store::schema::{Column, Kind, Table};
use tripline_backend::store::{Store, Tx};

/// Of each table its rows, each a text, sorted.
pub(crate) type Dump = BTreeMap<String, Vec<String>>;

/// The rows of these tables, in these columns of theirs. Bytes come as capital hexadecimal digits.
pub(crate) async fn dump(store: &Store, tables: &[Table]) -> Dump {
    let mut tx = store.read().await.expect("begins");
    let is_sqlite = matches!(tx, Tx::Sqlite(_));
    let mut dump = Dump::new();
    for table in tables {
        let columns = table.columns.iter().map(|column| as_text(column, is_sqlite));
        let columns = columns.collect::<Vec<_>>().join(" || ' | ' || ");
        let sql = AssertSqlSafe(format!("SELECT {columns} FROM {}", table.name));
        let rows = match &mut tx {
            Tx::Sqlite(tx) => sqlx::query_scalar(sql).fetch_all(&mut **tx).await,
            Tx::Postgres(tx) | Tx::PostgresWriting(tx) => {
                sqlx::query_scalar(sql).fetch_all(&mut **tx).await
            }
        };
        let mut rows: Vec<String> = rows.expect("read");
        rows.sort();
        dump.insert(table.name.clone(), rows);
    }
    dump
}

/// All of a store.
pub(crate) async fn dump_all(store: &Store) -> Dump {
    dump(store, &store.tables().await.expect("answers")).await
}

fn as_text(Column { name, kind }: &Column, is_sqlite: bool) -> String {
    let text = match kind {
        Kind::Number | Kind::Text => format!("CAST({name} AS TEXT)"),
        Kind::Bytes if is_sqlite => format!("hex({name})"),
        Kind::Bytes => format!("upper(encode({name}, 'hex'))"),
        Kind::Flag => format!("CASE WHEN {name} THEN 'yes' ELSE 'no' END"),
    };
    // SQLite's hex() of NULL is an empty text.
    format!("'{name} ' || CASE WHEN {name} IS NULL THEN 'NULL' ELSE {text} END")
}

/// Runs statements one after another, in which `BYTES('0a')` stands for bytes.
pub(crate) async fn run(store: &Store, sql: &str) {
    let mut tx = store.write().await.expect("begins");
    let (before, after) = match tx {
        Tx::Sqlite(_) => ("x'", "'"),
        Tx::Postgres(_) | Tx::PostgresWriting(_) => ("'\\x", "'::BYTEA"),
    };
    let mut parts = sql.split("BYTES('");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_once("')").expect("an end of the bytes");
        text += &format!("{before}{digits}{after}{rest}");
    }
    let sql = sqlx::raw_sql(AssertSqlSafe(text));
    let done = match &mut tx {
        Tx::Sqlite(tx) => sql.execute(&mut **tx).await.map(|_| ()),
        Tx::Postgres(tx) | Tx::PostgresWriting(tx) => sql.execute(&mut **tx).await.map(|_| ()),
    };
    done.expect("it runs");
    tx.commit().await.expect("commits");
}

/// Gives two rows to each table that has none, whatever they say: tables of later versions are then looked at
/// too, by tests that know nothing of them.
pub(crate) async fn fill_empty(store: &Store) {
    let tables = store.tables().await.expect("answers");
    for table in &tables {
        if !dump(store, std::slice::from_ref(table)).await[&table.name].is_empty() {
            continue;
        }
        for row in 0..2 {
            let value = |column: &Column| value(column, table, &tables, row);
            let values: Vec<_> = table.columns.iter().map(value).collect();
            let values = values.join(", ");
            let (name, columns) = (&table.name, table.column_list());
            run(store, &format!("INSERT INTO {name} ({columns}) VALUES ({values})")).await;
        }
    }
}

/// A value for a column: what a row of another table has there, if its rows refer to that table.
fn value(column: &Column, table: &Table, tables: &[Table], row: usize) -> String {
    let has_it =
        |parent: &&Table| table.parents.contains(&parent.name) && parent.columns.contains(column);
    if let Some(parent) = tables.iter().find(has_it) {
        let Column { name, .. } = column;
        return format!(
            "(SELECT {name} FROM {} ORDER BY {name} LIMIT 1 OFFSET {row})",
            parent.name
        );
    }
    match column.kind {
        Kind::Number => format!("{}", row + 1),
        Kind::Text => format!("'a text\t{row}, with \\N and\nmore'"),
        Kind::Bytes => format!("BYTES('0{row}5c0aff')"),
        Kind::Flag => (row == 0).to_string().to_uppercase(),
    }
}
