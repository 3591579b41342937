//! Bulk import: a whole fleet from TOML files, drivers, vehicles and documents also from CSV. Everything or
//! nothing, and every bad row by its line.

mod csv;
mod known;
mod row;
mod toml;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::check::{Mode, Put};
use super::{Actor, FieldProblem, OperateError};
use crate::audit::AuditKind;
use crate::store::Tx;

use row::{Problem, Row};

pub use row::Kind;

/// Rows of one import: they are one transaction, for which SQLite has everybody else wait, some seconds at
/// most, and in memory at once.
pub const ROWS_MAX: usize = 50_000;

/// Longest file, in bytes.
pub const FILE_LEN_MAX: usize = 32 * 1024 * 1024;

/// Bad rows that are told; more of them are one mistake made often.
pub const PROBLEMS_MAX: usize = 1_000;

/// A file to be imported.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name, for what is wrong in it. One that ends in `.csv` is CSV, any other TOML.
    pub name: String,
    /// What the rows of a CSV file are: `drivers`, `vehicles` or `documents`; its name says so otherwise.
    #[serde(default)]
    pub rows: Option<String>,
    /// What is in it.
    pub text: String,
}

impl Source {
    fn is_csv(&self) -> bool {
        let extension = std::path::Path::new(&self.name).extension();
        extension.is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
    }
}

/// What came of the rows of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// Rows that were not there.
    pub added: u64,
    /// Rows that were there otherwise.
    pub changed: u64,
    /// Rows that were there, just so.
    pub same: u64,
}

/// What an import came to, by kind of row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Imported(pub BTreeMap<String, Counts>);

/// Takes files in. Rows that are there just so change nothing, those that differ change what is there.
/// With a bad row it is an error that names every one of them, and the transaction must not be committed.
/// `read` gives the text of a file that a row names, as areas do their shape.
pub async fn import(
    tx: &mut Tx,
    actor: &Actor,
    sources: &[Source],
    read: &(dyn Fn(&str) -> Result<String, String> + Sync),
    now: Timestamp,
) -> Result<Imported, OperateError> {
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    for source in sources {
        if source.text.len() > FILE_LEN_MAX {
            problems.push(Problem::of_file(source, format!("is longer than {FILE_LEN_MAX} bytes")));
        } else if source.is_csv() {
            csv::read(source, &mut rows, &mut problems);
        } else {
            toml::read(source, &mut rows, &mut problems);
        }
    }
    if rows.len() > ROWS_MAX {
        let reason =
            format!("{} rows: an import has at most {ROWS_MAX}; import in parts", rows.len());
        return Err(OperateError::refused(reason));
    }
    find_twins(&rows, &mut problems);
    // What others refer to comes first, wherever it stands.
    rows.sort_by_key(|row| row.kind);
    let mut imported = Imported::default();
    for row in &rows {
        match put(tx, actor, row, read, now).await {
            Ok(put) => imported.count(row.kind, put),
            Err(OperateError::Service(error)) => return Err(error.into()),
            Err(error) => problems.extend(Problem::of_row(row, error)),
        }
    }
    refuse(problems)?;
    let detail = told(sources, &imported);
    actor.note(tx, AuditKind::Imported, detail, now).await?;
    Ok(imported)
}

impl Imported {
    fn count(&mut self, kind: Kind, put: Put) {
        let counts = self.0.entry(kind.plural().to_owned()).or_default();
        match put {
            Put::Added => counts.added += 1,
            Put::Changed => counts.changed += 1,
            Put::Same => counts.same += 1,
        }
    }
}

fn told(sources: &[Source], imported: &Imported) -> String {
    let sum = |count: fn(&Counts) -> u64| imported.0.values().map(count).sum::<u64>();
    let (added, changed) = (sum(|counts| counts.added), sum(|counts| counts.changed));
    let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
    format!("{added} added, {changed} changed: {}", names.join(", "))
}

/// The same thing in two rows: nobody could say which of them counts.
fn find_twins(rows: &[Row], problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<(Kind, String), &Row> = BTreeMap::new();
    for row in rows {
        let Some(key) = row.key() else { continue };
        match seen.get(&(row.kind, key.clone())) {
            Some(first) => {
                let words = format!("is there twice, first in {} line {}", first.file, first.line);
                problems.push(row.problem("", words));
            }
            None => {
                seen.insert((row.kind, key), row);
            }
        }
    }
}

fn refuse(mut problems: Vec<Problem>) -> Result<(), OperateError> {
    if problems.is_empty() {
        return Ok(());
    }
    problems.sort();
    let more = problems.len().saturating_sub(PROBLEMS_MAX);
    problems.truncate(PROBLEMS_MAX);
    let mut problems: Vec<FieldProblem> = problems.into_iter().map(Into::into).collect();
    if more > 0 {
        problems.push(FieldProblem { field: "and".into(), problem: format!("{more} more") });
    }
    Err(OperateError::Unusable { problems })
}

async fn put(
    tx: &mut Tx,
    actor: &Actor,
    row: &Row,
    read: &(dyn Fn(&str) -> Result<String, String> + Sync),
    now: Timestamp,
) -> Result<Put, OperateError> {
    const MODE: Mode = Mode::Put;
    // Its file, if it names one, is the shape and not what is on record.
    let row = if row.kind == Kind::Area { &row.with_shape(read)? } else { row };
    let row = row.with_known(tx).await?;
    match row.kind {
        Kind::Provider => super::provider::write(tx, actor, row.parse()?, MODE, now).await,
        Kind::Tariff => super::tariff::import(tx, actor, row.parse()?, now).await,
        Kind::Form => super::form::write(tx, actor, row.parse()?, MODE, now).await,
        Kind::Item => super::item::write(tx, actor, row.parse()?, MODE, now).await,
        Kind::Promotion => super::promotion::write(tx, actor, row.parse()?, MODE, now).await,
        Kind::Area => super::area::write(tx, actor, row.parse()?, MODE, now).await,
        Kind::Driver => super::driver::write(tx, actor, row.parse()?, MODE, now).await,
        Kind::Vehicle => super::vehicle::write(tx, actor, row.parse()?, MODE, now).await,
        Kind::Document => super::document::write(tx, actor, row.parse()?, MODE, now).await,
    }
}
