//! A subscriber's entry in the form of the 0.9.x registry's lookup answer.

use jiff::Timestamp as Instant;
use serde::{Deserialize, Serialize};
use tripline_protocol::signing::{KeyId, PublicKey};
use tripline_protocol::unit::Timestamp;

/// What a subscriber does on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// A rider's platform.
    Bap,
    /// A provider's platform.
    Bpp,
    /// A gateway.
    Gateway,
}

impl Role {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Bap, Self::Bpp, Self::Gateway];

    /// As the registry writes it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Bap => "BAP",
            Self::Bpp => "BPP",
            Self::Gateway => "BG",
        }
    }

    fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code().eq_ignore_ascii_case(code))
    }
}

/// One entry of a lookup answer, registry 0.9: what is needed of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    subscriber_id: String,
    #[serde(alias = "url")]
    subscriber_url: String,
    #[serde(rename = "type")]
    role: String,
    domain: Option<String>,
    signing_public_key: String,
    #[serde(alias = "ukId", alias = "key_id")]
    unique_key_id: Option<String>,
    status: Option<String>,
    valid_from: Option<Instant>,
    valid_until: Option<Instant>,
}

/// A subscriber's entry: one role, one key.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// Its id, without scheme and slash.
    pub id: String,
    /// Its address, without a slash at the end.
    pub url: String,
    /// What it does.
    pub role: Role,
    /// The network domain it does it in; any if not set.
    pub domain: Option<String>,
    /// Its public key.
    pub key: PublicKey,
    /// The key's id.
    pub unique_key_id: Option<String>,
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
    /// An entry that does not hold at this time.
    #[error("the signer's subscription is not active")]
    Inactive,
}

/// The entries that may have signed with this key, of `entries` of one subscriber in one role: those that
/// hold now and do not name another key. There may be several where either side names none, and while
/// the subscriber changes from one key to the next; the signature holds under one of them, or under none.
pub fn signers<'e>(
    entries: &'e [Subscriber],
    key_id: &KeyId,
    now: Timestamp,
) -> Result<Vec<&'e Subscriber>, UnknownSubscriber> {
    let with_key = |entry: &&Subscriber| match (&entry.unique_key_id, &key_id.unique_key_id) {
        (Some(theirs), Some(named)) => theirs == named,
        // Either side knows one key only.
        (None, _) | (_, None) => true,
    };
    let named: Vec<_> = entries.iter().filter(with_key).collect();
    if entries.is_empty() {
        return Err(UnknownSubscriber::Stranger);
    }
    if named.is_empty() {
        return Err(UnknownSubscriber::Key);
    }
    let holding: Vec<_> = named.into_iter().filter(|entry| entry.is_active(now)).collect();
    if holding.is_empty() { Err(UnknownSubscriber::Inactive) } else { Ok(holding) }
}

/// Whether one of these entries of a subscriber has it live at this URL now: nothing is sent anywhere else.
pub fn vouch_for(entries: &[Subscriber], url: &str, now: Timestamp) -> bool {
    entries.iter().any(|entry| {
        let below = url.strip_prefix(&entry.url).is_some_and(|rest| rest.starts_with('/'));
        below && entry.is_active(now)
    })
}

impl Subscriber {
    /// Whether the entry holds at this time.
    pub fn is_active(&self, now: Timestamp) -> bool {
        let Ok(now) = Instant::from_millisecond(now.unix_ms) else { return false };
        self.subscribed
            && self.valid_from.is_none_or(|from| from <= now)
            && self.valid_until.is_none_or(|until| now < until)
    }
}

/// The entries of a lookup answer. One of a role that is not met here is passed over.
pub fn parse_entries(text: &str) -> Result<Vec<Subscriber>, String> {
    let entries: Vec<Entry> = serde_json::from_str(text).map_err(|error| {
        format!("not a lookup answer, which is a JSON list of subscribers: {error}")
    })?;
    let entries = entries.into_iter().map(|entry| {
        let id = entry.subscriber_id.clone();
        subscriber(entry).map_err(|error| format!("subscriber {id}: {error}"))
    });
    entries.filter_map(Result::transpose).collect()
}

fn subscriber(entry: Entry) -> Result<Option<Subscriber>, String> {
    let Some(role) = Role::from_code(&entry.role) else { return Ok(None) };
    let url = url::Url::parse(&entry.subscriber_url)
        .map_err(|error| format!("subscriber_url is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("subscriber_url must begin with http:// or https://".into());
    }
    Ok(Some(Subscriber {
        id: normalized_id(&entry.subscriber_id),
        url: normalized_url(&entry.subscriber_url),
        role,
        domain: entry.domain,
        key: entry
            .signing_public_key
            .parse()
            .map_err(|error| format!("signing_public_key: {error}"))?,
        unique_key_id: entry.unique_key_id,
        subscribed: entry.status.is_none_or(|status| status.eq_ignore_ascii_case("subscribed")),
        valid_from: entry.valid_from,
        valid_until: entry.valid_until,
    }))
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

    fn key_id(unique_key_id: Option<&str>) -> KeyId {
        KeyId { subscriber_id: "bap.example".into(), unique_key_id: unique_key_id.map(Into::into) }
    }

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    fn find(more: &str, key: Option<&str>) -> Result<String, UnknownSubscriber> {
        let subscribers = parse_entries(&entry(more)).expect("parses");
        signers(&subscribers, &key_id(key), NOW).map(|found| found[0].url.clone())
    }

    #[test]
    fn a_subscriber_is_found_by_its_key_while_its_entry_holds() {
        assert_eq!(find("", Some("k1")).as_deref(), Ok("https://bap.example/v1"));
        assert_eq!(find("", None).as_deref(), Ok("https://bap.example/v1"));
        assert_eq!(find("", Some("k2")), Err(UnknownSubscriber::Key));
        let expired = r#","valid_until":"2020-01-01T00:00:00Z""#;
        assert_eq!(find(expired, Some("k1")), Err(UnknownSubscriber::Inactive));
        let left = r#","status":"UNSUBSCRIBED""#;
        assert_eq!(find(left, Some("k1")), Err(UnknownSubscriber::Inactive));
        assert_eq!(signers(&[], &key_id(None), NOW).err(), Some(UnknownSubscriber::Stranger));
    }

    #[test]
    fn an_entry_that_does_not_hold_does_not_hide_one_that_does() {
        let first = entry(r#","status":"EXPIRED""#);
        let all = [&first[1..first.len() - 1], &entry("")[1..]].join(",");
        let subscribers = parse_entries(&format!("[{all}")).expect("parses");
        assert!(signers(&subscribers, &key_id(Some("k1")), NOW).is_ok());
        assert!(vouch_for(&subscribers, "https://bap.example/v1/on_status", NOW));
        for url in
            ["https://bap.example/v1", "https://bap.example/v10/x", "https://other/on_status"]
        {
            assert!(!vouch_for(&subscribers, url, NOW), "{url}");
        }
    }

    #[test]
    fn a_bad_entry_is_named_and_another_role_passed_over() {
        let error = parse_entries(&entry("").replace("https://bap.example/v1/", "ftp://x"))
            .expect_err("refused");
        assert!(
            error.contains("https://bap.example/") && error.contains("subscriber_url"),
            "{error}"
        );
        assert!(parse_entries("{}").expect_err("refused").contains("lookup answer"));
        let other = parse_entries(&entry("").replace("BAP", "LREG")).expect("parses");
        assert!(other.is_empty());
    }
}
