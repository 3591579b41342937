//! Rows of a TOML file: an array of tables a kind, `[[driver]]` for instance.

use std::collections::BTreeMap;

use ::toml::value::{Table, Value as Toml};
use ::toml::{Spanned, de};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::Source;
use super::row::{Kind, Problem, Row};

/// What a table of a kind may be: many rows, as it should, or something else.
type File = BTreeMap<Spanned<String>, Spanned<Toml>>;

type Rows = BTreeMap<String, AsRows>;

/// The rows of a kind; none where they are something else, which is told beside.
#[derive(Default)]
struct AsRows(Vec<Spanned<Table>>);

impl<'de> Deserialize<'de> for AsRows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Vec::deserialize(deserializer).unwrap_or_default()))
    }
}

pub(super) fn read(source: &Source, rows: &mut Vec<Row>, problems: &mut Vec<Problem>) {
    let line_of = |at: usize| {
        let before = source.text.as_bytes().get(..at).unwrap_or_default();
        before.split(|byte| *byte == b'\n').count()
    };
    let told = |error: &de::Error| {
        let line = error.span().map_or(0, |span| line_of(span.start));
        let message = error.message().trim().replace('\n', "; ");
        Problem::at(source, line, "", format!("is no TOML: {message}"))
    };
    // First what there is, so that a stray table is named; then the rows with their places.
    let file: File = match ::toml::from_str(&source.text) {
        Ok(file) => file,
        Err(error) => return problems.push(told(&error)),
    };
    for (name, value) in &file {
        let word = name.get_ref();
        let line = line_of(name.span().start);
        let is_kind = Kind::ALL.iter().any(|kind| kind.word() == word);
        if !is_kind {
            let words = Kind::ALL.map(Kind::word).join("]], [[");
            let problem = format!("is not known here: there are [[{words}]]");
            problems.push(Problem::at(source, line, word, problem));
        } else if !value.get_ref().as_array().is_some_and(|rows| rows.iter().all(Toml::is_table)) {
            let problem = format!("must be rows: begin each of them with [[{word}]]");
            problems.push(Problem::at(source, line, word, problem));
        }
    }
    let parsed: Rows = match ::toml::from_str(&source.text) {
        Ok(parsed) => parsed,
        Err(error) => return problems.push(told(&error)),
    };
    for kind in Kind::ALL {
        for row in parsed.get(kind.word()).into_iter().flat_map(|rows| &rows.0) {
            let line = line_of(row.span().start);
            let fields = object(row.get_ref());
            rows.push(Row { file: source.name.clone(), line, kind, fields });
        }
    }
}

fn object(table: &Table) -> Map<String, Value> {
    table.iter().map(|(name, value)| (name.clone(), json(value))).collect()
}

/// Dates and times become the texts that they are written as.
fn json(value: &Toml) -> Value {
    match value {
        Toml::String(text) => Value::String(text.clone()),
        Toml::Integer(number) => (*number).into(),
        Toml::Float(number) => (*number).into(),
        Toml::Boolean(flag) => (*flag).into(),
        Toml::Datetime(at) => Value::String(at.to_string()),
        Toml::Array(values) => values.iter().map(json).collect(),
        Toml::Table(table) => Value::Object(object(table)),
    }
}
