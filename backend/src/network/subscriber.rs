//! A subscriber of the network as its registry entry has it: who it is, where it lives, what it signs
//! with, and from when to when that holds.

use jiff::Timestamp as Instant;
use tripline_protocol::signing::{KeyId, PublicKey};
use tripline_protocol::unit::Timestamp;
use url::Url;

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

    /// The role that a registry writes so, in either case.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code().eq_ignore_ascii_case(code))
    }
}

/// A subscriber's entry: one role, one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// Its id, as [`normalized_id`] makes it.
    pub id: String,
    /// Its address, as [`normalized_url`] makes it.
    pub url: String,
    /// What it does.
    pub role: Role,
    /// The network domain it does it in; any if not set.
    pub domain: Option<String>,
    /// Its public key.
    pub key: PublicKey,
    /// The key's id.
    pub unique_key_id: Option<String>,
    /// What the registry says of its subscription; `SUBSCRIBED` if not set.
    pub status: Option<String>,
    /// From when on the entry holds; always if not set.
    pub valid_from: Option<Instant>,
    /// Until when it holds; for ever if not set.
    pub valid_until: Option<Instant>,
}

/// Why an entry does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotHolding {
    /// The subscription is not active.
    #[error("its status is {0}")]
    Status(String),
    /// It begins later.
    #[error("it holds from {0} on")]
    NotYet(Instant),
    /// It is over.
    #[error("it held until {0}")]
    Over(Instant),
    /// The clock is at a time that no entry is made for.
    #[error("the clock is wrong")]
    Clock,
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
    let url = normalized_url(url);
    entries.iter().any(|entry| {
        let below = url.strip_prefix(&entry.url).is_some_and(|rest| rest.starts_with('/'));
        below && entry.is_active(now)
    })
}

impl Subscriber {
    /// Whether the entry holds at this time, and if not why.
    pub fn holds(&self, now: Timestamp) -> Result<(), NotHolding> {
        let now = Instant::from_millisecond(now.unix_ms).map_err(|_| NotHolding::Clock)?;
        if let Some(status) = &self.status
            && !status.eq_ignore_ascii_case("subscribed")
        {
            return Err(NotHolding::Status(status.clone()));
        }
        match (self.valid_from, self.valid_until) {
            (Some(from), _) if now < from => Err(NotHolding::NotYet(from)),
            (_, Some(until)) if until <= now => Err(NotHolding::Over(until)),
            (_, _) => Ok(()),
        }
    }

    /// Whether the entry holds at this time.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.holds(now).is_ok()
    }
}

/// A subscriber id without the scheme and the slashes that some peers write, and with its host in lower
/// case: ids are domain names, which have no case. A path behind the host stays as it is.
pub fn normalized_id(id: &str) -> String {
    let id = id.trim();
    let bare = match id.split_once("://") {
        Some((scheme, rest)) if is_http(scheme) => rest.trim_start_matches('/'),
        Some(_) | None => id,
    };
    let bare = bare.trim_end_matches('/');
    match bare.split_once('/') {
        Some((host, path)) => format!("{}/{path}", host.to_ascii_lowercase()),
        None => bare.to_ascii_lowercase(),
    }
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// An address in the one form in which two of them can be compared and an action put behind them: scheme
/// and host in lower case, no default port, no slash at the end. What is no URL stays as it is.
pub fn normalized_url(url: &str) -> String {
    let url = url.trim();
    let parsed = Url::parse(url).map_or_else(|_| url.to_owned(), String::from);
    parsed.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tripline_protocol::signing::SecretKey;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    fn entry(unique_key_id: Option<&str>) -> Subscriber {
        Subscriber {
            id: "bap.example".into(),
            url: "https://bap.example/v1".into(),
            role: Role::Bap,
            domain: None,
            key: SecretKey::from_seed(&[1; 32]).public(),
            unique_key_id: unique_key_id.map(Into::into),
            status: Some("Subscribed".into()),
            valid_from: None,
            valid_until: None,
        }
    }

    fn key_id(unique_key_id: Option<&str>) -> KeyId {
        KeyId { subscriber_id: "bap.example".into(), unique_key_id: unique_key_id.map(Into::into) }
    }

    fn count(entries: &[Subscriber], named: Option<&str>) -> Result<usize, UnknownSubscriber> {
        signers(entries, &key_id(named), NOW).map(|found| found.len())
    }

    #[test]
    fn every_entry_that_holds_and_names_no_other_key_may_be_the_signers() {
        let entries = [entry(Some("k1")), entry(Some("k2")), entry(None)];
        assert_eq!(count(&entries, Some("k1")), Ok(2));
        assert_eq!(count(&entries, None), Ok(3));
        assert_eq!(count(&entries[..2], Some("k3")), Err(UnknownSubscriber::Key));
        assert_eq!(count(&[], None), Err(UnknownSubscriber::Stranger));
    }

    #[test]
    fn an_entry_holds_from_its_first_moment_until_before_its_last_and_while_subscribed() {
        let at = |ms| Some(Instant::from_millisecond(NOW.unix_ms + ms).expect("a time"));
        for (from, until, holds) in [
            (at(0), at(1), true),
            (at(1), None, false),
            (None, at(0), false),
            (at(-1), None, true),
            (None, None, true),
        ] {
            let entry = Subscriber { valid_from: from, valid_until: until, ..entry(None) };
            assert_eq!(entry.is_active(NOW), holds, "{from:?} to {until:?}");
        }
        for status in ["UNSUBSCRIBED", "INITIATED", "EXPIRED", ""] {
            let left = Subscriber { status: Some(status.into()), ..entry(Some("k1")) };
            assert_eq!(count(&[left], Some("k1")), Err(UnknownSubscriber::Inactive), "{status}");
        }
    }

    #[test]
    fn an_entry_that_does_not_hold_does_not_hide_one_that_does() {
        let expired = Subscriber { status: Some("EXPIRED".into()), ..entry(Some("k1")) };
        let entries = [expired, entry(Some("k1"))];
        assert_eq!(count(&entries, Some("k1")), Ok(1));
        assert!(vouch_for(&entries, "HTTPS://bap.example:443/v1/on_status", NOW));
        for url in [
            "https://bap.example/v1",
            "https://bap.example/v10/x",
            "https://bap.example/v1/../x",
            "https://other/on_status",
        ] {
            assert!(!vouch_for(&entries, url, NOW), "{url}");
        }
        assert!(!vouch_for(&entries[..1], "https://bap.example/v1/on_status", NOW));
    }

    #[test]
    fn an_id_has_one_form_however_it_is_written() {
        for (written, id) in [
            ("bap.example", "bap.example"),
            (" HTTPS://BAP.Example// ", "bap.example"),
            ("http://bap.example:8080/", "bap.example:8080"),
            ("Bap.Example/Beckn/V1/", "bap.example/Beckn/V1"),
            ("https:///bap.example", "bap.example"),
            ("ftp://bap.example", "ftp://bap.example"),
            ("Kochi", "kochi"),
            ("https://", ""),
        ] {
            assert_eq!(normalized_id(written), id, "{written:?}");
        }
    }

    #[test]
    fn an_address_has_one_form_however_it_is_written() {
        for (written, url) in [
            ("https://bap.example", "https://bap.example"),
            ("HTTPS://BAP.Example:443/V1//", "https://bap.example/V1"),
            ("http://bap.example:80/", "http://bap.example"),
            ("http://bap.example:443", "http://bap.example:443"),
            ("https://bap.example/a/../b", "https://bap.example/b"),
            ("https://b\u{fc}cher.example/", "https://xn--bcher-kva.example"),
            (" no url/ ", "no url"),
        ] {
            assert_eq!(normalized_url(written), url, "{written:?}");
        }
    }
}
