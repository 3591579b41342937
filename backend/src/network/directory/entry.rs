//! Entries as registries write them: the names of 0.9, and those of 1.x where there is none of 0.9.
//!
//! A file is ours, and a fault in it is told with its place. A registry's answer is somebody else's: what
//! cannot be read in it, or was not asked for, is left out and told of.

use jiff::Timestamp as Instant;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tripline_protocol::unit::Timestamp;
use url::Url;

use super::Key;
use crate::network::subscriber::{Role, Subscriber, normalized_id, normalized_url};

/// Entries of one subscriber in one role that are kept: more keys than anybody changes between.
pub(super) const ENTRIES_MAX: usize = 64;

/// Longest text in an entry, in bytes: what is kept of a subscriber is bounded by this.
const TEXT_LEN_MAX: usize = 2_048;

/// One entry of a lookup answer: what is needed of it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Entry {
    subscriber_id: String,
    subscriber_url: Option<String>,
    #[serde(skip_serializing)]
    url: Option<String>,
    #[serde(rename = "type")]
    role: String,
    domain: Option<String>,
    signing_public_key: String,
    unique_key_id: Option<String>,
    #[serde(rename = "ukId", skip_serializing)]
    uk_id: Option<String>,
    #[serde(skip_serializing)]
    key_id: Option<String>,
    status: Option<String>,
    valid_from: Option<Instant>,
    valid_until: Option<Instant>,
}

/// What of a lookup answer is of use, and what was left out of it.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The entries that were asked for, those that hold first.
    pub(super) entries: Vec<Subscriber>,
    /// How many were of another subscriber, role or domain.
    pub(super) foreign: u64,
    /// Why others cannot be read.
    pub(super) unreadable: Vec<String>,
    /// How many were more than are kept.
    pub(super) beyond: u64,
}

/// Every entry of a file; the first fault is told with its place. One of a role that is not met here is
/// passed over.
pub(super) fn parse_file(text: &str) -> Result<Vec<Subscriber>, String> {
    let values = list(text.as_bytes())?;
    let entries = values.into_iter().enumerate().filter_map(|(at, value)| {
        let name = value["subscriber_id"].as_str().unwrap_or("without subscriber_id").to_owned();
        let parsed = subscriber(value).transpose()?;
        Some(parsed.map_err(|error| format!("entry {} ({name}): {error}", at + 1)))
    });
    entries.collect()
}

/// What an answer says of whom it was asked for.
pub(super) fn parse_answer(
    body: &[u8],
    asked: &Key,
    domain: Option<&str>,
    now: Timestamp,
) -> Result<Answer, String> {
    let mut answer = Answer::default();
    for value in list(body)? {
        match subscriber(value) {
            Ok(None) => {}
            Ok(Some(entry)) if is_of(&entry, asked, domain) => answer.entries.push(entry),
            Ok(Some(_)) => answer.foreign += 1,
            Err(error) => answer.unreadable.push(error),
        }
    }
    answer.entries.sort_by_key(|entry| !entry.is_active(now));
    answer.beyond = answer.entries.len().saturating_sub(ENTRIES_MAX) as u64;
    answer.entries.truncate(ENTRIES_MAX);
    Ok(answer)
}

/// Entries in the form in which they are read.
pub(super) fn as_json(entries: &[Subscriber]) -> Value {
    let written = entries
        .iter()
        .map(|entry| serde_json::to_value(written(entry)).expect("texts and times are JSON"));
    written.collect()
}

fn list(body: &[u8]) -> Result<Vec<Value>, String> {
    serde_json::from_slice(body).map_err(|error| {
        format!("not a lookup answer, which is a JSON list of subscribers: {error}")
    })
}

fn is_of(entry: &Subscriber, asked: &Key, domain: Option<&str>) -> bool {
    let same_domain = match (entry.domain.as_deref(), domain) {
        (Some(its), Some(ours)) => its == ours,
        (None, _) | (_, None) => true,
    };
    entry.id == asked.id && entry.role == asked.role && same_domain
}

fn subscriber(value: Value) -> Result<Option<Subscriber>, String> {
    if let Some(code) = value["type"].as_str()
        && Role::from_code(code).is_none()
    {
        return Ok(None);
    }
    let entry: Entry = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let role = Role::from_code(&entry.role).ok_or("type is no role")?;
    let key = entry.signing_public_key.parse();
    let subscriber = Subscriber {
        id: short("subscriber_id", Some(normalized_id(&entry.subscriber_id)))?
            .ok_or("subscriber_id is empty")?,
        url: address(entry.subscriber_url.or(entry.url).as_deref())?,
        role,
        domain: short("domain", entry.domain)?,
        key: key.map_err(|error| format!("signing_public_key: {error}"))?,
        unique_key_id: short(
            "unique_key_id",
            entry.unique_key_id.or(entry.uk_id).or(entry.key_id),
        )?,
        status: short("status", entry.status)?,
        valid_from: entry.valid_from,
        valid_until: entry.valid_until,
    };
    Ok(Some(subscriber))
}

/// A text that is not too long; an empty one is none.
fn short(field: &str, text: Option<String>) -> Result<Option<String>, String> {
    match text {
        Some(text) if text.len() > TEXT_LEN_MAX => {
            Err(format!("{field} is longer than {TEXT_LEN_MAX} bytes"))
        }
        text => Ok(text.filter(|text| !text.is_empty())),
    }
}

/// An address that actions can be put behind.
fn address(written: Option<&str>) -> Result<String, String> {
    let written = short("subscriber_url", written.map(str::to_owned))?;
    let written = written.ok_or("subscriber_url is missing")?;
    let url =
        Url::parse(written.trim()).map_err(|error| format!("subscriber_url is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("subscriber_url must begin with http:// or https://".into());
    }
    let bare = url.username().is_empty() && url.password().is_none();
    if !bare || url.query().is_some() || url.fragment().is_some() {
        return Err("subscriber_url must have no user, query or fragment".into());
    }
    Ok(normalized_url(&written))
}

fn written(entry: &Subscriber) -> Entry {
    Entry {
        subscriber_id: entry.id.clone(),
        subscriber_url: Some(entry.url.clone()),
        role: entry.role.code().into(),
        domain: entry.domain.clone(),
        signing_public_key: entry.key.to_string(),
        unique_key_id: entry.unique_key_id.clone(),
        status: entry.status.clone(),
        valid_from: entry.valid_from,
        valid_until: entry.valid_until,
        ..Entry::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tripline_protocol::signing::{SecretKey, decode_base64, encode_base64};

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    fn public() -> String {
        SecretKey::from_seed(&[1; 32]).public().to_string()
    }

    fn entry() -> Value {
        json!({
            "subscriber_id": "https://BAP.example/", "subscriber_url": "https://bap.example/v1/",
            "type": "bap", "domain": "mobility", "signing_public_key": public(),
            "unique_key_id": "k1", "status": "SUBSCRIBED",
            "valid_from": "2021-04-29T09:19:48.072Z", "valid_until": "2121-05-01T09:19:48.072Z",
            "encr_public_key": "x", "city": "Pune", "created": "whenever",
        })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut changed = entry();
        changed[field] = value;
        changed
    }

    fn answer(entries: &[Value]) -> Answer {
        let asked = Key { id: "bap.example".into(), role: Role::Bap };
        let body = json!(entries).to_string();
        parse_answer(body.as_bytes(), &asked, Some("mobility"), NOW).expect("a list")
    }

    #[test]
    fn what_is_kept_of_an_entry_is_read_again_as_it_was() {
        let first = answer(&[entry()]).entries;
        assert_eq!((first.len(), first[0].url.as_str()), (1, "https://bap.example/v1"));
        let again = parse_file(&as_json(&first).to_string()).expect("read");
        assert_eq!(again, first);
    }

    #[test]
    fn the_names_of_1_x_and_keys_in_der_are_read_as_well() {
        let mut der = decode_base64("MCowBQYDK2VwAyEA").expect("Base64");
        der.extend(decode_base64(&public()).expect("Base64"));
        let mut other = with("signing_public_key", encode_base64(&der).into());
        let fields = other.as_object_mut().expect("an object");
        let url = fields.remove("subscriber_url").expect("there");
        fields.insert("url".into(), url);
        let key_id = fields.remove("unique_key_id").expect("there");
        fields.insert("ukId".into(), key_id.clone());
        fields.insert("key_id".into(), key_id);
        assert_eq!(answer(&[other]).entries, answer(&[entry()]).entries);
    }

    #[test]
    fn entries_of_others_are_left_out_and_counted() {
        let lies = [
            with("subscriber_id", "evil.example".into()),
            with("type", "BPP".into()),
            with("domain", "retail".into()),
        ];
        for lie in lies {
            let found = answer(&[lie.clone(), entry()]);
            assert_eq!((found.entries.len(), found.foreign), (1, 1), "{lie}");
        }
        let other_role = answer(&[json!({ "type": "LREG" }), entry()]);
        assert_eq!((other_role.entries.len(), other_role.foreign), (1, 0));
    }

    #[test]
    fn an_entry_that_cannot_be_read_hides_no_other() {
        let weak = encode_base64(&[0; 32]);
        let not_canonical_der = format!("AAAA{}", &public());
        for (field, value) in [
            ("signing_public_key", json!("?")),
            ("signing_public_key", json!(weak)),
            ("signing_public_key", json!(not_canonical_der)),
            ("signing_public_key", Value::Null),
            ("subscriber_url", json!("ftp://bap.example")),
            ("subscriber_url", json!("bap.example")),
            ("subscriber_url", json!("https://me@bap.example")),
            ("subscriber_url", json!("https://bap.example/?to=x")),
            ("subscriber_url", json!(format!("https://bap.example/{}", "x".repeat(3_000)))),
            ("subscriber_id", json!("")),
            ("valid_until", json!("tomorrow")),
            ("type", Value::Null),
        ] {
            let found = answer(&[with(field, value.clone()), entry()]);
            let counts = (found.entries.len(), found.unreadable.len());
            assert_eq!(counts, (1, 1), "{field}: {value}");
            let error = parse_file(&json!([entry(), with(field, value)]).to_string());
            let error = error.expect_err("refused in a file");
            assert!(error.starts_with("entry 2 ("), "{error}");
        }
    }

    #[test]
    fn of_too_many_entries_those_that_hold_are_kept() {
        let expired = with("status", "EXPIRED".into());
        let mut many = vec![expired; ENTRIES_MAX + 10];
        many.push(entry());
        let found = answer(&many);
        assert_eq!((found.entries.len(), found.beyond), (ENTRIES_MAX, 11));
        assert!(found.entries[0].is_active(NOW));
    }

    #[test]
    fn what_is_no_list_is_no_answer() {
        let asked = Key { id: "bap.example".into(), role: Role::Bap };
        for body in ["", "{}", "null", "<html>", "[{}", "[1,]", "\u{0}"] {
            assert!(parse_answer(body.as_bytes(), &asked, None, NOW).is_err(), "{body:?}");
        }
        let odd = parse_answer(b"[1, \"x\", null, []]", &asked, None, NOW).expect("a list");
        assert_eq!((odd.entries.len(), odd.unreadable.len()), (0, 4));
    }
}
