//! The document against what is served.

use std::collections::BTreeSet;

use serde_json::Value;
use tripline_backend::operate::Role;

use crate::schema::Document;
use crate::world::on_each;

/// Every `$ref` in a document.
fn refs(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let (true, Some(target)) = (name == "$ref", value.as_str()) {
                    found.insert(target.to_owned());
                }
                refs(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| refs(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_operation_is_told_in_full_and_every_reference_leads_somewhere() {
    let document = Document::new();
    assert_eq!(document.0["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for operation in document.operations() {
        let (told, path) = (&operation.told, &operation.path);
        let id = told["operationId"].as_str().expect("an id");
        assert!(ids.insert(id.to_owned()), "{id} is twice");
        for field in ["summary", "description", "tags", "security"] {
            assert!(!told[field].is_null(), "{id} has no {field}");
        }
        let parameters = told["parameters"].as_array().cloned().unwrap_or_default();
        let named = |place: &str| -> BTreeSet<String> {
            let here = parameters.iter().filter(|one| one["in"] == place);
            here.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
        };
        let places: BTreeSet<String> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(str::to_owned)
            .collect();
        assert_eq!(named("path"), places, "{id}");
        for parameter in parameters.iter().filter(|one| one["in"] != "header") {
            assert!(parameter["description"].is_string(), "{id}: {parameter}");
        }
        let has_key = named("header").contains("Idempotency-Key");
        assert_eq!(has_key, operation.method == "POST", "{id}");
        assert_eq!(
            told["requestBody"].is_null(),
            ["GET", "DELETE"].contains(&&*operation.method),
            "{id}"
        );
        let responses = told["responses"].as_object().expect("responses");
        assert!(responses.contains_key("default") && responses.len() > 1, "{id}");
    }
    let mut found = BTreeSet::new();
    refs(&document.0, &mut found);
    for target in found {
        let pointer = target.strip_prefix('#').expect("within the document");
        assert!(document.0.pointer(pointer).is_some(), "{target} leads nowhere");
    }
}

#[tokio::test]
async fn what_is_served_is_what_the_document_says_and_the_document_is_served() {
    on_each(|world| async move {
        let admin = world.token("admin", Role::Admin).await;
        assert_eq!(world.get(&admin, "/v1/openapi.json").await.good(200), world.document.0);
        let operations = world.document.operations();
        let paths: BTreeSet<&str> = operations.iter().map(|one| one.path.as_str()).collect();
        for path in paths {
            let of: Vec<_> = operations.iter().filter(|one| one.path == path).collect();
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                let answer = world.ask(method, of[0].example_path()).with(&admin).send().await;
                let is_told = of.iter().any(|one| one.method == method);
                assert_eq!(answer.status != 405, is_told, "{method} {path}: {answer:?}");
            }
        }
    })
    .await;
}

/// A route that came in by another way than its description would be in no document.
#[test]
fn no_endpoint_is_routed_without_its_description() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/admin");
    for file in std::fs::read_dir(folder).expect("there") {
        let path = file.expect("there").path();
        let text = std::fs::read_to_string(&path).expect("read");
        let routed = text.matches(".route(").count();
        let expected = if path.ends_with("mod.rs") { 3 } else { 0 };
        assert_eq!(routed, expected, "{}: /health, /metrics and nothing else", path.display());
    }
}
