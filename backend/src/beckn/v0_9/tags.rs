//! Tags as core 0.9 has them: one flat map, whose keys tell groups and their entries by number, from 1.

use serde_json::{Map, Value, json};

use super::codes::{TAG_LANGUAGE, TAG_LOCALIZATION};
use super::phrases::DISPLAYED;

/// Most entries that are read of a request's tags.
const ENTRIES_MAX: usize = 64;

/// Tags to be written.
#[derive(Debug, Default)]
pub(super) struct Tags {
    map: Map<String, Value>,
    groups: usize,
    entries: usize,
}

impl Tags {
    /// Begins a group.
    pub(super) fn group(&mut self, name: &str) {
        self.groups += 1;
        self.entries = 0;
        let group = self.groups;
        self.map.insert(format!("groups/{group}/descriptor/name"), json!(name));
        self.map.insert(format!("groups/{group}/display"), json!(DISPLAYED));
    }

    /// Adds an entry to the group that was begun last.
    pub(super) fn entry(&mut self, name: &str, value: impl Into<String>) {
        self.entries += 1;
        let key = format!("groups/{}/list/{}", self.groups, self.entries);
        self.map.insert(format!("{key}/descriptor/name"), json!(name));
        self.map.insert(format!("{key}/value"), json!(value.into()));
    }

    /// As JSON.
    pub(super) fn into_json(self) -> Value {
        Value::Object(self.map)
    }
}

/// An entry as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its group's name.
    pub(super) group: String,
    /// Its own.
    pub(super) name: String,
    /// Its value, as text.
    pub(super) value: String,
}

/// The entries of tags, as far as they can be read: nobody is refused for a tag.
pub(super) fn entries(tags: Option<&Value>) -> Vec<Entry> {
    let Some(Value::Object(map)) = tags else { return Vec::new() };
    let mut found = Vec::new();
    for (key, value) in map {
        let Some(value) = text(value) else { continue };
        let Some(entry) = key.strip_suffix("/value") else { continue };
        let Some((group, _)) = entry.split_once("/list/") else { continue };
        let named = |key: &str| map.get(&format!("{key}/descriptor/name")).and_then(text);
        let Some(name) = named(entry) else { continue };
        found.push(Entry { group: named(group).unwrap_or_default(), name, value });
        if found.len() == ENTRIES_MAX {
            break;
        }
    }
    found
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The tag of the language that tags ask for, if they do.
pub(super) fn language_tag(tags: Option<&Value>) -> Option<String> {
    let is_it = |entry: &Entry| {
        entry.group.eq_ignore_ascii_case(TAG_LOCALIZATION)
            && entry.name.eq_ignore_ascii_case(TAG_LANGUAGE)
    };
    entries(tags).into_iter().find(is_it).map(|entry| entry.value)
}

/// Tags that say so.
pub(super) fn localization(tag: &str) -> Value {
    let mut tags = Tags::default();
    tags.group(TAG_LOCALIZATION);
    tags.entry(TAG_LANGUAGE, tag);
    tags.into_json()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_numbered_from_one_and_read_back() {
        let mut tags = Tags::default();
        tags.group("Fare");
        tags.entry("Base", "₹ 30");
        tags.entry("Per km", "₹ 15");
        tags.group("More");
        tags.entry("Wait", "3 min");
        let json = tags.into_json();
        assert_eq!(json["groups/1/list/2/value"], "₹ 15");
        assert_eq!(json["groups/2/display"], "true", "a text: the schema takes nothing else");
        let read = entries(Some(&json));
        let told: Vec<_> =
            read.iter().map(|it| format!("{}: {} = {}", it.group, it.name, it.value)).collect();
        assert_eq!(told, ["Fare: Base = ₹ 30", "Fare: Per km = ₹ 15", "More: Wait = 3 min"]);
    }

    #[test]
    fn a_language_is_found_whatever_else_there_is_and_nonsense_is_passed_over() {
        assert_eq!(language_tag(Some(&localization("hi"))).as_deref(), Some("hi"));
        let loose =
            json!({ "groups/1/list/1/descriptor/name": "Hours", "groups/1/list/1/value": 4 });
        assert_eq!(entries(Some(&loose)).len(), 1, "a group needs no name");
        let odd = json!({ "groups/1/list/1/value": "en", "groups/1": 3, "x": {}, "groups/2/list/1/value": null });
        assert_eq!(language_tag(Some(&odd)), None);
        assert_eq!(language_tag(Some(&json!([]))), None);
        assert_eq!(language_tag(None), None);
    }
}
