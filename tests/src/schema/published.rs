//! The published schema of core 0.9, LTS: a document of `OpenAPI` 3.0, read as a JSON schema.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use super::super::spec::SPEC_VARIABLE;
use super::declared::undeclared;

/// The document, in the folder of the specification.
const DOCUMENT: &str = "beckn-core/core-0.9.x-lts.yaml";

/// The callback whose action the document has a path for and forgot among the actions of `Context`.
const FORGOTTEN: &str = "feedback_form";

/// An action that it did not forget.
const LISTED: &str = "rating_categories";

/// What the document says of each path's request body.
#[derive(Debug)]
pub(super) struct Published {
    document: Value,
    validators: BTreeMap<String, Validator>,
}

impl Published {
    /// The one that the environment names.
    ///
    /// # Panics
    /// If it names one that cannot be used: silence would pass for validity.
    pub(super) fn of_environment() -> Option<Self> {
        let dir = std::env::var_os(SPEC_VARIABLE)?;
        match Self::read(&Path::new(&dir).join(DOCUMENT)) {
            Ok(published) => Some(published),
            Err(error) => panic!("{SPEC_VARIABLE}: {error:#}"),
        }
    }

    fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let document: Value = serde_saphyr::from_str(&text)?;
        ensure!(!text.contains("nullable:"), "`nullable` is not read here");
        let paths = document["paths"].as_object().context("no paths")?;
        let validator = |path: &String| {
            let action = path.trim_start_matches('/').to_owned();
            let validator = validator(&document, path).with_context(|| path.clone())?;
            Ok((action, validator))
        };
        let validators = paths.keys().map(validator).collect::<Result<_>>()?;
        Ok(Self { document, validators })
    }

    pub(super) fn faults(&self, action: &str, body: &Value) -> Vec<String> {
        let schema = self.document.pointer(&schema_of(&format!("/{action}")));
        let (Some(validator), Some(schema)) = (self.validators.get(action), schema) else {
            return vec![format!("the schema has no path /{action}")];
        };
        let mut body = body.clone();
        if action == FORGOTTEN && body["context"]["action"] == FORGOTTEN {
            body["context"]["action"] = json!(LISTED);
        }
        let line =
            |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
        let mut faults: Vec<_> = validator.iter_errors(&body).map(line).collect();
        let unknown = undeclared(&self.document, schema, &body).into_iter();
        faults.extend(unknown.map(|path| format!("{path}: the schema has no such field")));
        faults
    }
}

/// The schema of a path's request body. The document stays whole around it: its references lead into
/// properties of other schemas. `OpenAPI` 3.0 stands on a draft in which what is beside a reference
/// does not count, as in draft 4.
///
/// Formats are held to where they are of that draft: `date-time`, `email`, `uri`. Others say nothing.
fn validator(document: &Value, path: &str) -> Result<Validator> {
    let schema = schema_of(path);
    ensure!(document.pointer(&schema).is_some(), "it has no schema");
    let mut root = document.clone();
    root["$ref"] = json!(format!("#{schema}"));
    let options = jsonschema::options()
        .with_draft(Draft::Draft4)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true);
    options.build(&root).map_err(|error| anyhow::anyhow!("{error}"))
}

/// Where the document has the schema of a path's request body.
fn schema_of(path: &str) -> String {
    let path = path.replace('~', "~0").replace('/', "~1");
    format!("/paths/{path}/post/requestBody/content/application~1json/schema")
}
