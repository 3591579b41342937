//! Subscribers from a file in the form of the 0.9.x registry's lookup answer, for closed networks.

use std::path::Path;

use jiff::Timestamp as Instant;
use serde::Deserialize;
use tripline_protocol::signing::{KeyId, PublicKey};
use tripline_protocol::unit::Timestamp;

/// One entry of a lookup answer, registry 0.9: what is needed of it.
#[derive(Debug, Clone, Deserialize)]
struct Entry {
    subscriber_id: String,
    subscriber_url: String,
    #[serde(rename = "type")]
    role: String,
    signing_public_key: String,
    #[serde(alias = "ukId", alias = "key_id")]
    unique_key_id: Option<String>,
    status: Option<String>,
    valid_from: Option<Instant>,
    valid_until: Option<Instant>,
}

/// A subscriber whose requests are taken and to whom callbacks go.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// Its id, without scheme and slash.
    pub id: String,
    /// Its address, without a slash at the end.
    pub url: String,
    /// Whether it is a BAP.
    pub is_bap: bool,
    /// Its public key.
    pub key: PublicKey,
    unique_key_id: Option<String>,
    subscribed: bool,
    valid_from: Option<Instant>,
    valid_until: Option<Instant>,
}

/// Why a signer is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnknownSubscriber {
    /// No entry.
    #[error("the signer is not a subscriber known here")]
    Stranger,
    /// An entry, but not for this key.
    #[error("the signer has no such key")]
    Key,
    /// An entry, but of a platform that does not ask.
    #[error("the signer is not a BAP")]
    Role,
    /// An entry that does not hold at this time.
    #[error("the signer's subscription is not active")]
    Inactive,
}

/// Every subscriber.
#[derive(Debug, Clone, Default)]
pub struct Subscribers {
    entries: Vec<Subscriber>,
}

impl Subscribers {
    /// Reads the file.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let entries: Vec<Entry> = serde_json::from_str(text).map_err(|error| {
            format!("not a lookup answer, which is a JSON list of subscribers: {error}")
        })?;
        let entries = entries
            .into_iter()
            .map(|entry| {
                let id = entry.subscriber_id.clone();
                subscriber(entry).map_err(|error| format!("subscriber {id}: {error}"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { entries })
    }

    /// The BAP that signs with this key, if an entry of it holds now. A lookup answer may have several
    /// entries of one subscriber: other roles, renewed keys.
    pub fn signer(&self, key_id: &KeyId, now: Timestamp) -> Result<&Subscriber, UnknownSubscriber> {
        let id = normalized_id(&key_id.subscriber_id);
        let named = |entry: &&Subscriber| entry.id == id;
        let with_key = |entry: &&Subscriber| match (&entry.unique_key_id, &key_id.unique_key_id) {
            (Some(ours), Some(theirs)) => ours == theirs,
            // Either side knows one key only.
            (None, _) | (_, None) => true,
        };
        let entries = || self.entries.iter().filter(named);
        let found = entries().filter(with_key).find(|entry| entry.is_bap && entry.is_active(now));
        found.ok_or_else(|| match (entries().next(), entries().find(with_key)) {
            (None, _) => UnknownSubscriber::Stranger,
            (Some(_), None) => UnknownSubscriber::Key,
            (Some(_), Some(entry)) if !entry.is_bap => UnknownSubscriber::Role,
            (Some(_), Some(_)) => UnknownSubscriber::Inactive,
        })
    }

    /// Whether a subscriber lives at this URL now: nothing is sent anywhere else.
    pub fn vouch_for(&self, subscriber_id: &str, url: &str, now: Timestamp) -> bool {
        self.entries.iter().any(|entry| {
            let below = url.strip_prefix(&entry.url).is_some_and(|rest| rest.starts_with('/'));
            entry.id == subscriber_id && below && entry.is_active(now)
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Subscriber {
    fn is_active(&self, now: Timestamp) -> bool {
        let Ok(now) = Instant::from_millisecond(now.unix_ms) else { return false };
        self.subscribed
            && self.valid_from.is_none_or(|from| from <= now)
            && self.valid_until.is_none_or(|until| now < until)
    }
}

fn subscriber(entry: Entry) -> Result<Subscriber, String> {
    let url = url::Url::parse(&entry.subscriber_url)
        .map_err(|error| format!("subscriber_url is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("subscriber_url must begin with http:// or https://".into());
    }
    Ok(Subscriber {
        id: normalized_id(&entry.subscriber_id),
        url: normalized_url(&entry.subscriber_url),
        is_bap: entry.role.eq_ignore_ascii_case("bap"),
        key: entry
            .signing_public_key
            .parse()
            .map_err(|error| format!("signing_public_key: {error}"))?,
        unique_key_id: entry.unique_key_id,
        subscribed: entry.status.is_none_or(|status| status.eq_ignore_ascii_case("subscribed")),
        valid_from: entry.valid_from,
        valid_until: entry.valid_until,
    })
}

/// A subscriber id without the scheme and the slash that some peers write.
pub fn normalized_id(id: &str) -> String {
    let id = id.trim();
    let bare = id.strip_prefix("https://").or_else(|| id.strip_prefix("http://")).unwrap_or(id);
    bare.trim_end_matches('/').to_owned()
}

/// A subscriber's address without a slash at the end, so that an action can be put behind it.
pub fn normalized_url(url: &str) -> String {
    url.trim().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(more: &str) -> String {
        let key = tripline_protocol::signing::SecretKey::from_seed(&[1; 32]).public();
        format!(
            r#"[{{"subscriber_id":"https://bap.example/","subscriber_url":"https://bap.example/v1/",
                "type":"BAP","signing_public_key":"{key}","unique_key_id":"k1"{more}}}]"#
        )
    }

    fn find(more: &str, key: Option<&str>) -> Result<String, UnknownSubscriber> {
        let subscribers = Subscribers::parse(&entry(more)).expect("parses");
        let key_id =
            KeyId { subscriber_id: "bap.example".into(), unique_key_id: key.map(Into::into) };
        let now = Timestamp::from_unix_ms(1_800_000_000_000);
        subscribers.signer(&key_id, now).map(|subscriber| subscriber.url.clone())
    }

    #[test]
    fn a_subscriber_is_found_by_id_and_key_while_its_entry_holds() {
        assert_eq!(find("", Some("k1")).as_deref(), Ok("https://bap.example/v1"));
        assert_eq!(find("", None).as_deref(), Ok("https://bap.example/v1"));
        assert_eq!(find("", Some("k2")), Err(UnknownSubscriber::Key));
        let expired = r#","valid_until":"2020-01-01T00:00:00Z""#;
        assert_eq!(find(expired, Some("k1")), Err(UnknownSubscriber::Inactive));
        let left = r#","status":"UNSUBSCRIBED""#;
        assert_eq!(find(left, Some("k1")), Err(UnknownSubscriber::Inactive));
    }

    #[test]
    fn an_entry_that_does_not_hold_does_not_hide_one_that_does() {
        let first = entry(r#","status":"EXPIRED""#);
        let second = entry("").replace("\"BAP\"", "\"BPP\"");
        let all =
            [&first[1..first.len() - 1], &second[1..second.len() - 1], &entry("")[1..]].join(",");
        let subscribers = Subscribers::parse(&format!("[{all}")).expect("parses");
        let key_id =
            KeyId { subscriber_id: "bap.example".into(), unique_key_id: Some("k1".into()) };
        let now = Timestamp::from_unix_ms(1_800_000_000_000);
        assert!(subscribers.signer(&key_id, now).is_ok());
        assert!(subscribers.vouch_for("bap.example", "https://bap.example/v1/on_status", now));
        for url in
            ["https://bap.example/v1", "https://bap.example/v10/x", "https://other/on_status"]
        {
            assert!(!subscribers.vouch_for("bap.example", url, now), "{url}");
        }
    }

    #[test]
    fn a_bad_entry_is_named() {
        let error = Subscribers::parse(&entry("").replace("https://bap.example/v1/", "ftp://x"))
            .expect_err("refused");
        assert!(
            error.contains("https://bap.example/") && error.contains("subscriber_url"),
            "{error}"
        );
        assert!(Subscribers::parse("{}").expect_err("refused").contains("lookup answer"));
    }
}
