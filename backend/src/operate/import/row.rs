//! A row of an import, and what is wrong with one.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Source;
use crate::operate::vehicle::plate;
use crate::operate::{FieldProblem, OperateError};

/// What a row is, in the order in which they are taken in: each refers to such as come before it only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A provider.
    Provider,
    /// A version of a tariff.
    Tariff,
    /// A form.
    Form,
    /// An item.
    Item,
    /// A promotion.
    Promotion,
    /// An area.
    Area,
    /// A driver.
    Driver,
    /// A vehicle.
    Vehicle,
    /// A document.
    Document,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Provider,
        Self::Tariff,
        Self::Form,
        Self::Item,
        Self::Promotion,
        Self::Area,
        Self::Driver,
        Self::Vehicle,
        Self::Document,
    ];

    /// Its word in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Tariff => "tariff",
            Self::Form => "form",
            Self::Item => "item",
            Self::Promotion => "promotion",
            Self::Area => "area",
            Self::Driver => "driver",
            Self::Vehicle => "vehicle",
            Self::Document => "document",
        }
    }

    /// The same of many.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Provider => "providers",
            Self::Tariff => "tariffs",
            Self::Form => "forms",
            Self::Item => "items",
            Self::Promotion => "promotions",
            Self::Area => "areas",
            Self::Driver => "drivers",
            Self::Vehicle => "vehicles",
            Self::Document => "documents",
        }
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) kind: Kind,
    pub(super) fields: Map<String, Value>,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    file: String,
    line: usize,
    /// The kind of row and, where one is at fault, its field.
    what: String,
    wrong: String,
}

impl Problem {
    /// Of a file as a whole.
    pub(super) fn of_file(source: &Source, problem: impl Into<String>) -> Self {
        Self::at(source, 0, "", problem)
    }

    /// Of a line.
    pub(super) fn at(
        source: &Source,
        line: usize,
        what: impl Into<String>,
        problem: impl Into<String>,
    ) -> Self {
        let (file, what, problem) = (source.name.clone(), what.into(), problem.into());
        Self { file, line, what, wrong: problem }
    }

    /// What a verb found wrong with a row.
    pub(super) fn of_row(row: &Row, error: OperateError) -> Vec<Self> {
        match error {
            OperateError::Invalid { field, problem } => vec![row.problem(&field, problem)],
            OperateError::Unusable { problems } => {
                problems.into_iter().map(|one| row.problem(&one.field, one.problem)).collect()
            }
            error @ (OperateError::NotFound { .. }
            | OperateError::Conflict { .. }
            | OperateError::Stale { .. }
            | OperateError::Refused { .. }
            | OperateError::Service(_)) => vec![row.problem("", error.to_string())],
        }
    }
}

impl From<Problem> for FieldProblem {
    fn from(Problem { file, line, what, wrong: problem }: Problem) -> Self {
        let place = if line == 0 { file } else { format!("{file} line {line}") };
        let field = if what.is_empty() { format!("{place}:") } else { format!("{place}: {what}") };
        Self { field, problem }
    }
}

impl Row {
    pub(super) fn problem(&self, field: &str, problem: impl Into<String>) -> Problem {
        let kind = self.kind.word();
        let name = self.name().map(|name| format!(" {name}")).unwrap_or_default();
        let what = if field.is_empty() {
            format!("{kind}{name}")
        } else {
            format!("{kind}{name}, {field}")
        };
        Problem { file: self.file.clone(), line: self.line, what, wrong: problem.into() }
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    /// By what people know it.
    fn name(&self) -> Option<&str> {
        match self.kind {
            Kind::Provider
            | Kind::Form
            | Kind::Item
            | Kind::Promotion
            | Kind::Area
            | Kind::Driver => self.text("id"),
            Kind::Tariff => self.text("code"),
            Kind::Vehicle => self.text("registration"),
            Kind::Document => self.text("owner"),
        }
    }

    /// By what it is known among its kind; `None` if that is missing.
    pub(super) fn key(&self) -> Option<String> {
        let name = self.name()?.to_owned();
        let also = |fields: [&str; 2]| {
            let texts = fields.map(|field| self.fields.get(field).map(Value::to_string));
            texts.map(Option::unwrap_or_default).join("\u{1f}")
        };
        Some(match self.kind {
            Kind::Provider
            | Kind::Form
            | Kind::Item
            | Kind::Promotion
            | Kind::Area
            | Kind::Driver => name,
            Kind::Vehicle => Some(plate(&name)).filter(|plate| !plate.is_empty()).unwrap_or(name),
            Kind::Tariff => format!("{name}\u{1f}{}", also(["version", ""])),
            Kind::Document => format!("{name}\u{1f}{}", also(["kind", "number"])),
        })
    }

    /// The row as what it is to be.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, OperateError> {
        // An empty cell says that there is nothing, as for what is new does a field that is left out.
        let given = self.fields.iter().filter(|(_, value)| !value.is_null());
        let value: Value = given.map(|(name, value)| (name.clone(), value.clone())).collect();
        serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            named(&path, &error.into_inner().to_string())
        })
    }

    /// The same with the shape that `geojson_file` names, read.
    pub(super) fn with_shape(
        &self,
        read: &(dyn Fn(&str) -> Result<String, String> + Sync),
    ) -> Result<Self, OperateError> {
        const FIELD: &str = "geojson_file";
        let mut row = self.clone();
        let Some(file) = row.fields.remove(FIELD) else { return Ok(row) };
        let Some(file) = file.as_str() else {
            return Err(OperateError::invalid(FIELD, "must be the name of a file"));
        };
        if row.fields.contains_key("geojson") {
            return Err(OperateError::invalid(FIELD, "and geojson are both given: leave one out"));
        }
        let text = read(file).map_err(|problem| OperateError::invalid(FIELD, problem))?;
        row.fields.insert("geojson".into(), Value::String(text));
        Ok(row)
    }
}

/// What serde says, with the field that it means: `` missing field `name` ``, say.
fn named(path: &str, said: &str) -> OperateError {
    let quoted = |start: &str| {
        let rest = said.strip_prefix(start)?;
        rest.split_once('`')
    };
    let below = |field: &str| {
        let parent = path.rsplit_once('.').map(|(parent, _)| parent);
        match (path, parent) {
            ("." | "", _) | (_, None) => field.to_owned(),
            (_, Some(parent)) => format!("{parent}.{field}"),
        }
    };
    if let Some((field, _)) = quoted("missing field `") {
        let at =
            if matches!(path, "." | "") { field.to_owned() } else { format!("{path}.{field}") };
        return OperateError::invalid(at, "is missing");
    }
    if let Some((field, rest)) = quoted("unknown field `") {
        let known = rest.trim_start_matches(',').trim();
        return OperateError::invalid(below(field), format!("is not a field here: {known}"));
    }
    OperateError::invalid(if path == "." { "row" } else { path }, format!("is not usable: {said}"))
}
