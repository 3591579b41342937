//! Fields that the published schema does not have. It lets any field pass, a misspelled one too; here only
//! those may that are known.

use std::collections::BTreeMap;

use serde_json::Value;

/// Fields beyond the schema, by the end of their path, and where they come from.
const EXTENSIONS: &[(&str, &str)] = &[
    ("/items/*/payment_id", "published examples: which of the payments"),
    ("/payments/*/id", "published examples: what items name"),
    ("/payment/id", "published examples: what items name"),
    ("/payments/*/collected_by", "published examples: BPP or BAP"),
    ("/payment/collected_by", "published examples: BPP or BAP"),
    ("/order/provider/descriptor", "published examples: the provider's name"),
    ("/quote/value", "published examples: the total outside of its price"),
    ("/quote/currency", "published examples: the total outside of its price"),
    ("/agent/rating", "published examples: the driver's"),
    ("/customer/person/phone", "published examples: the rider's outside of a contact"),
    ("/tracking/content_type", "published examples: of what the link leads to"),
    ("/tracking/location", "core 1.x: the newest position"),
    ("/items/*/xinput", "the guide to 0.9.4: a form"),
    ("/message/url", "published examples, for the schema's uri"),
    ("/message/update_target", "published examples: what changed"),
    ("/error", "every other callback's: feedback_form, cancellation_reasons and rating_categories"),
    (
        "/message",
        "published examples: where rating categories are, for the schema's place beside it",
    ),
];

/// The fields of a value that its schema does not have and that are not known either.
pub(super) fn undeclared(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(document, schema, value, "", &mut found);
    found.retain(|path| !EXTENSIONS.iter().any(|(known, _)| path.ends_with(known)));
    found
}

fn look(document: &Value, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let declared = Declared::of(document, schema);
    match value {
        Value::Object(fields) if !declared.fields.is_empty() && !declared.more => {
            for (name, field) in fields {
                let path = format!("{path}/{name}");
                match declared.fields.get(name.as_str()) {
                    Some(schema) => look(document, schema, field, &path, found),
                    None => found.push(path),
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = declared.items {
                for item in items {
                    look(document, schema, item, &format!("{path}/*"), found);
                }
            }
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What a schema says of fields and items, with all that it refers to.
#[derive(Default)]
struct Declared<'d> {
    fields: BTreeMap<&'d str, &'d Value>,
    /// Any other field may be there, too.
    more: bool,
    items: Option<&'d Value>,
}

impl<'d> Declared<'d> {
    fn of(document: &'d Value, schema: &'d Value) -> Self {
        let mut declared = Self::default();
        declared.add(document, schema);
        declared
    }

    fn add(&mut self, document: &'d Value, schema: &'d Value) {
        if let Some(reference) = schema["$ref"].as_str() {
            let pointed = document.pointer(reference.trim_start_matches('#'));
            return self.add(document, pointed.unwrap_or(&Value::Null));
        }
        let fields = schema["properties"].as_object().into_iter().flatten();
        self.fields.extend(fields.map(|(name, schema)| (name.as_str(), schema)));
        self.more |= schema.get("additionalProperties").is_some();
        self.items = self.items.or(schema.get("items"));
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.add(document, part);
        }
    }
}
