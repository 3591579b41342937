//! What the registry knows: entries as it answers them, so that a test can make any of them wrong.

use serde_json::Value;

/// The entries, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Book(Vec<Value>);

impl Book {
    /// Adds an entry, in place of one of the same subscriber, role and key.
    pub(super) fn enter(&mut self, entry: Value) {
        let name = |of: &Value| {
            ["subscriber_id", "type", "unique_key_id"].map(|key| text(of, key).to_uppercase())
        };
        let named = name(&entry);
        self.0.retain(|kept| name(kept) != named);
        self.0.push(entry);
    }

    /// Removes a subscriber's entries that `which` picks.
    pub(super) fn remove(&mut self, subscriber_id: &str, which: impl Fn(&Value) -> bool) {
        self.0.retain(|entry| text(entry, "subscriber_id") != subscriber_id || !which(entry));
    }

    /// Changes a subscriber's entries.
    pub(super) fn change(&mut self, subscriber_id: &str, change: impl Fn(&mut Value)) {
        let of = |entry: &&mut Value| text(entry, "subscriber_id") == subscriber_id;
        self.0.iter_mut().filter(of).for_each(change);
    }

    /// Every entry.
    pub(super) fn entries(&self) -> &[Value] {
        &self.0
    }

    /// The entries that a lookup asks for: every member it has must be the entry's.
    pub(super) fn find(&self, asked: &Value) -> Vec<Value> {
        let fits = |entry: &&Value| {
            ["subscriber_id", "type", "domain", "country", "city"].iter().all(|key| {
                let wanted = text(asked, key);
                wanted.is_empty() || wanted.eq_ignore_ascii_case(text(entry, key))
            })
        };
        self.0.iter().filter(fits).cloned().collect()
    }
}

/// A member of an entry or a request; empty if it has none.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(id: &str, role: &str, key_id: &str, city: &str) -> Value {
        json!({ "subscriber_id": id, "type": role, "unique_key_id": key_id, "city": city })
    }

    fn book() -> Book {
        let mut book = Book::default();
        for (id, role, key_id) in [("a", "BAP", "k1"), ("a", "BAP", "k2"), ("b", "BPP", "k1")] {
            book.enter(entry(id, role, key_id, "std:080"));
        }
        book
    }

    #[test]
    fn a_lookup_finds_what_fits_every_member_it_has() {
        let book = book();
        let found = |asked: Value| book.find(&asked).len();
        assert_eq!(found(json!({})), 3);
        assert_eq!(found(json!({ "subscriber_id": "a", "type": "bap" })), 2);
        assert_eq!(found(json!({ "subscriber_id": "a", "type": "BPP" })), 0);
        assert_eq!(found(json!({ "subscriber_id": "b", "city": "std:080" })), 1);
        assert_eq!(found(json!({ "subscriber_id": "b", "city": "std:011" })), 0);
        assert_eq!(found(json!({ "subscriber_id": "b", "domain": "any" })), 0);
    }

    #[test]
    fn an_entry_takes_the_place_of_the_one_with_its_key() {
        let mut book = book();
        book.enter(entry("a", "BAP", "k2", "std:011"));
        assert_eq!(book.entries().len(), 3);
        assert_eq!(book.find(&json!({ "city": "std:011" })).len(), 1);
    }

    #[test]
    fn entries_of_one_subscriber_are_changed_and_removed() {
        let mut book = book();
        book.change("a", |entry| entry["city"] = json!("std:011"));
        assert_eq!(book.find(&json!({ "city": "std:011" })).len(), 2);
        book.remove("a", |entry| text(entry, "unique_key_id") == "k1");
        book.remove("b", |_| true);
        assert_eq!(book.entries(), [entry("a", "BAP", "k2", "std:011")]);
    }
}
