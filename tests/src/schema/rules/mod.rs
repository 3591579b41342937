//! What we hold ourselves to beyond the schema, which leaves most texts free.

mod money;
mod references;
mod text;

use serde_json::Value;

/// What breaks a rule, one line each.
pub(super) fn faults(body: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    visit(body, "", &mut |path, name, value| {
        let mut found = text::faults(name, value);
        found.extend(money::faults(name, value));
        found.extend(references::faults(name, value));
        faults.extend(found.into_iter().map(|fault| format!("{path}: {fault}")));
    });
    faults
}

/// Shows every field, with its path and name.
fn visit(value: &Value, path: &str, look: &mut impl FnMut(&str, &str, &Value)) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = format!("{path}/{name}");
                look(&path, name, field);
                visit(field, &path, look);
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                visit(item, &format!("{path}/{n}"), look);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
