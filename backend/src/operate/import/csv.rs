//! Rows of a CSV file: a header with the names of fields, and a row a driver, vehicle or document.

use ::csv::{ReaderBuilder, StringRecord, Trim};
use serde_json::{Map, Value};

use super::Source;
use super::row::{Kind, Problem, Row};
use crate::domain::words::counted;

const DRIVER: &[&str] = &["id", "name", "phone", "provider", "active"];

const VEHICLE: &[&str] = &[
    "registration",
    "category",
    "device",
    "make",
    "model",
    "color",
    "variant",
    "energy",
    "capacity",
    "provider",
    "driver",
    "active",
];

const DOCUMENT: &[&str] = &["owner", "kind", "number", "expires"];

/// Fields of which an empty cell says no more than a column that is not there.
const NEVER_EMPTY: [&str; 2] = ["active", "device"];

/// Kinds of rows that a CSV file may have, with their fields.
const KINDS: [(Kind, &[&str]); 3] =
    [(Kind::Driver, DRIVER), (Kind::Vehicle, VEHICLE), (Kind::Document, DOCUMENT)];

pub(super) fn read(source: &Source, rows: &mut Vec<Row>, problems: &mut Vec<Problem>) {
    let Some((kind, fields)) = kind(source) else {
        let problem = "does not say what its rows are: name it drivers.csv, vehicles.csv or \
             documents.csv, or say which";
        problems.push(Problem::of_file(source, problem));
        return;
    };
    // The reader counts line feeds, and begins a row of a file with CRLF before that of the row above.
    let text = source.text.replace("\r\n", "\n").replace('\r', "\n");
    let mut reader =
        ReaderBuilder::new().trim(Trim::All).flexible(true).from_reader(text.as_bytes());
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => {
            problems.push(Problem::at(source, 1, "", format!("cannot be read: {error}")));
            return;
        }
    };
    if !check_header(source, &header, fields, problems) {
        return;
    }
    for record in reader.records() {
        match record {
            Ok(record) => read_record(source, kind, &header, &record, rows, problems),
            Err(error) => {
                let line = error.position().map_or(0, ::csv::Position::line);
                let line = usize::try_from(line).unwrap_or(usize::MAX);
                problems.push(Problem::at(source, line, "", format!("cannot be read: {error}")));
            }
        }
    }
}

/// What the rows are, by what is said or by the file's name.
fn kind(source: &Source) -> Option<(Kind, &'static [&'static str])> {
    let name = source
        .rows
        .as_deref()
        .unwrap_or_else(|| source.name.rsplit('/').next().unwrap_or(&source.name));
    let mut fitting = KINDS.into_iter().filter(|(kind, _)| name.contains(kind.word()));
    let first = fitting.next();
    first.filter(|_| fitting.next().is_none())
}

fn check_header(
    source: &Source,
    header: &StringRecord,
    fields: &[&str],
    problems: &mut Vec<Problem>,
) -> bool {
    let before = problems.len();
    for (place, name) in header.iter().enumerate() {
        if !fields.contains(&name) {
            let problem = format!("is no column: there are {}", fields.join(", "));
            problems.push(Problem::at(source, 1, format!("{name:?}"), problem));
        } else if header.iter().take(place).any(|earlier| earlier == name) {
            problems.push(Problem::at(source, 1, name, "is there twice"));
        }
    }
    problems.len() == before
}

fn read_record(
    source: &Source,
    kind: Kind,
    header: &StringRecord,
    record: &StringRecord,
    rows: &mut Vec<Row>,
    problems: &mut Vec<Problem>,
) {
    let line = record.position().map_or(0, ::csv::Position::line);
    let line = usize::try_from(line).unwrap_or(usize::MAX);
    if record.len() != header.len() {
        let cells = counted(record.len() as u64, "cell");
        let problem = format!("has {cells}, and the header {}", header.len());
        problems.push(Problem::at(source, line, "", problem));
        return;
    }
    let cells = header.iter().zip(record);
    // What can only be one thing or another has nothing to be cleared to.
    let cells = cells.filter(|(name, cell)| !cell.is_empty() || !NEVER_EMPTY.contains(name));
    let value = |cell: &str| if cell.is_empty() { Value::Null } else { cell.into() };
    let fields: Map<String, Value> =
        cells.map(|(name, cell)| (name.to_owned(), value(cell))).collect();
    rows.push(Row { file: source.name.clone(), line, kind, fields });
}
