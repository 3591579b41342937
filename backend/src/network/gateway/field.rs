//! What is wrong with a request, field by field, in the one shape in which a gateway and we say it: the
//! request's own, with words in place of values.

use std::fmt;

use serde_json::{Map, Value};

/// Fields of a refusal that are looked at; the largest request has some forty.
pub const FIELDS_MAX: usize = 100;

/// Elements of a list in a refusal that are looked at.
const ELEMENTS_MAX: usize = 100;

/// One step on the way to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Element(usize),
}

/// Where a field stands in a message: `info.phone`, `documents[0].data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath(Vec<Step>);

impl FieldPath {
    /// A member of an object at the top: `info.phone`.
    pub fn member(object: &str, key: &str) -> Self {
        Self(vec![Step::Key(object.into()), Step::Key(key.into())])
    }

    /// A member of a document, which are counted from 0: `documents[0].data`.
    pub fn document(index: usize, key: &str) -> Self {
        let list = Step::Key("documents".into());
        Self(vec![list, Step::Element(index), Step::Key(key.into())])
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if n == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Element(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Where it stands.
    pub path: FieldPath,
    /// What is wrong with it.
    pub problem: String,
}

/// Why a request is not taken, or not even sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// As a whole.
    pub message: String,
    /// Field by field; none if nobody said.
    pub fields: Vec<FieldError>,
    /// The status of the registration after it, where it was told.
    pub status: Option<String>,
}

impl Refusal {
    /// What a gateway's refusal says, each text passed through `shown`. Empty texts say nothing.
    pub fn read(message: String, body: &Value, shown: impl Fn(&str) -> String) -> Self {
        let mut refusal = Self { message, fields: Vec::new(), status: None };
        refusal.walk(body, &mut Vec::new(), &shown);
        refusal
    }

    fn walk(&mut self, value: &Value, at: &mut Vec<Step>, shown: &impl Fn(&str) -> String) {
        if self.fields.len() >= FIELDS_MAX {
            return;
        }
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    at.push(Step::Key(shown(key)));
                    self.walk(value, at, shown);
                    at.pop();
                }
            }
            Value::Array(elements) => {
                for (index, value) in elements.iter().take(ELEMENTS_MAX).enumerate() {
                    at.push(Step::Element(index));
                    self.walk(value, at, shown);
                    at.pop();
                }
            }
            Value::String(text) if text.trim().is_empty() => {}
            Value::String(text) => self.take(FieldPath(at.clone()), shown(text)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The registration's status stands among the words on fields, and is none of them.
    fn take(&mut self, path: FieldPath, text: String) {
        if path == FieldPath::member("registration", "status") {
            self.status = Some(text);
        } else {
            self.fields.push(FieldError { path, problem: text });
        }
    }

    /// Says what is wrong with a field.
    pub fn add(&mut self, path: FieldPath, problem: &dyn fmt::Display) {
        self.fields.push(FieldError { path, problem: problem.to_string() });
    }

    /// In the request's shape: each field that is wrong has words in place of its value.
    pub fn body(&self) -> Value {
        let mut body = Value::Object(Map::new());
        for FieldError { path, problem } in &self.fields {
            put(&mut body, &path.0, problem);
        }
        body
    }
}

/// For people: the message, and a line a field.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.message.is_empty() { "no reason given" } else { &self.message })?;
        for FieldError { path, problem } in &self.fields {
            write!(f, "\n  {path}: {problem}")?;
        }
        if let Some(status) = &self.status {
            write!(f, "\n  the registration's status is {status}")?;
        }
        Ok(())
    }
}

fn put(value: &mut Value, path: &[Step], problem: &str) {
    match path.split_first() {
        None => *value = problem.into(),
        Some((Step::Key(key), rest)) => {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            if let Some(members) = value.as_object_mut() {
                put(members.entry(key.as_str()).or_insert(Value::Null), rest, problem);
            }
        }
        Some((Step::Element(index), rest)) => {
            if !value.is_array() {
                *value = Value::Array(Vec::new());
            }
            if let Some(elements) = value.as_array_mut() {
                while elements.len() <= *index {
                    elements.push(Value::Object(Map::new()));
                }
                if let Some(element) = elements.get_mut(*index) {
                    put(element, rest, problem);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refusal_is_read_field_by_field_and_has_the_shape_it_was_read_from() {
        let body = json!({
            "registration": { "id": "unknown", "status": "UPDATE-FAIL" },
            "info": { "phone": "no extension", "email": "", "name": null },
            "documents": [{ "name": "" }, { "data": "no pdf" }],
        });
        let refusal = Refusal::read("not taken".into(), &body, str::to_owned);
        let lines = "not taken\n  documents[1].data: no pdf\n  info.phone: no extension\n  \
                     registration.id: unknown\n  the registration's status is UPDATE-FAIL";
        assert_eq!(refusal.to_string(), lines);
        let again = json!({
            "registration": { "id": "unknown" },
            "info": { "phone": "no extension" },
            "documents": [{}, { "data": "no pdf" }],
        });
        assert_eq!(refusal.body(), again);
    }

    #[test]
    fn a_refusal_without_end_is_cut_and_one_without_words_says_so() {
        let many: Vec<Value> = (0..5_000).map(|_| json!({ "data": "bad" })).collect();
        let refusal = Refusal::read(String::new(), &json!({ "documents": many }), str::to_owned);
        assert_eq!(refusal.fields.len(), ELEMENTS_MAX);
        let deep = json!({ "a": vec![vec!["x"; 200]; 200] });
        let refusal = Refusal::read(String::new(), &deep, str::to_owned);
        assert_eq!(refusal.fields.len(), FIELDS_MAX);
        assert_eq!(Refusal::default().to_string(), "no reason given");
    }
}
