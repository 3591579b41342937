//! The document, and whether an answer is what it says.

use serde_json::{Value, json};

/// The API's document.
pub(crate) struct Document(pub(crate) Value);

/// An operation of it.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) told: Value,
}

impl Operation {
    /// The role that the document says it needs.
    pub(crate) fn role(&self) -> &str {
        self.told["security"][0]["token"][0].as_str().unwrap_or_default()
    }

    /// Its path with something in every place.
    pub(crate) fn example_path(&self) -> String {
        let parts = self.path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
        parts.collect::<Vec<_>>().join("/")
    }
}

impl Document {
    pub(crate) fn new() -> Self {
        let document = serde_json::to_value(tripline_backend::http::admin::openapi());
        Self(document.expect("JSON"))
    }

    pub(crate) fn operations(&self) -> Vec<Operation> {
        let paths = self.0["paths"].as_object().expect("paths");
        let of = |(path, item): (&String, &Value)| {
            let item = item.as_object().expect("a path").clone();
            let path = path.clone();
            item.into_iter().map(move |(method, told)| Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                told,
            })
        };
        paths.iter().flat_map(of).collect()
    }

    fn operation(&self, method: &str, path: &str) -> Option<Operation> {
        let given: Vec<&str> = path.split(['?']).next().unwrap_or_default().split('/').collect();
        let is_meant = |operation: &Operation| {
            let parts: Vec<&str> = operation.path.split('/').collect();
            parts.len() == given.len()
                && parts.iter().zip(&given).all(|(part, is)| part == is || part.starts_with('{'))
        };
        let mut meant: Vec<Operation> = self.operations();
        meant.retain(|operation| operation.method == method && is_meant(operation));
        // One without a placeholder is meant before one with.
        meant.sort_by_key(|operation| operation.path.matches('{').count());
        meant.into_iter().next()
    }

    /// That an answer has the schema that the document gives it.
    pub(crate) fn check(&self, method: &str, path: &str, status: u16, media: &str, body: &Value) {
        let Some(operation) = self.operation(method, path) else { return };
        let responses = &operation.told["responses"];
        let told = responses.get(status.to_string()).unwrap_or(&responses["default"]);
        let content = &told["content"][media];
        assert!(content.is_object(), "{method} {path}: {status} {media} is not in {told}");
        let schema = json!({ "allOf": [content["schema"]], "components": self.0["components"] });
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let errors: Vec<String> =
            validator.iter_errors(body).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{method} {path}: {errors:#?} in {body:#}");
    }
}
