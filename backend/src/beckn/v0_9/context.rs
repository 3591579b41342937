//! The context: who speaks to whom about what.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tripline_protocol::unit::Timestamp;

use super::codes::{CORE_VERSIONS, is_of_booking};
use super::duration;
use super::fields::{parse_time, required, text, time};
use crate::beckn::{Action, Fault, FaultKind, Identity};
use crate::domain::order::Conversation;

/// What an answer needs of a request's context. Kept with the order as its conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// Core version, echoed.
    pub core_version: String,
    /// Network domain, echoed.
    pub domain: String,
    /// Country, echoed.
    pub country: String,
    /// City, echoed.
    pub city: String,
    /// Who asks.
    pub bap_id: String,
    /// Where it is told.
    pub bap_uri: String,
    /// The transaction, echoed.
    pub transaction_id: String,
    /// The request's message id.
    pub message_id: String,
    /// How long the request's answer is waited for, in s, if it was said; echoed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<i64>,
    /// How many answers the request may have: none with 0, any number with one that is negative, one if it is
    /// not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_callbacks: Option<i64>,
}

/// When a request was sent, and for how long somebody waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) sent_at: Timestamp,
    pub(super) ttl_ms: Option<i64>,
}

/// A number, also one that is written as text.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

impl Context {
    /// Reads the context of a request for `action`.
    pub(super) fn parse(body: &Value, action: &str) -> Result<(Self, Wait), Fault> {
        let context = |error: Fault| Fault { kind: FaultKind::Context, ..error };
        let field = |name: &str| {
            required(body, &format!("/context/{name}")).map(str::to_owned).map_err(context)
        };
        // Anything but a duration is as good as none: nobody is refused for it.
        let ttl = body.pointer("/context/ttl").and_then(Value::as_str);
        let ttl_ms = ttl.and_then(duration::parse_ms);
        let parsed = Self {
            core_version: field("core_version")?,
            domain: field("domain")?,
            country: field("country")?,
            city: field("city")?,
            bap_id: field("bap_id")?,
            bap_uri: field("bap_uri")?,
            transaction_id: match field("transaction_id") {
                // Published cancellations have none: the order says what they go on with.
                Err(_) if action == Action::Cancel.code() => field("message_id")?,
                found => found?,
            },
            message_id: field("message_id")?,
            ttl_s: ttl_ms.map(|ms| (ms + 999) / 1000),
            max_callbacks: body.pointer("/context/max_callbacks").and_then(number),
        };
        let refused = |path: &str, message: String| Fault::at(FaultKind::Context, path, message);
        let sent_at = parse_time(&field("timestamp")?).ok_or_else(|| {
            let must = "context.timestamp must be a time with its zone, 2026-01-31T08:30:00.000Z";
            refused("context.timestamp", format!("{must} for instance"))
        })?;
        if !CORE_VERSIONS.contains(&parsed.core_version.as_str()) {
            let message = format!("context.core_version must be one of {CORE_VERSIONS:?}");
            return Err(refused("context.core_version", message));
        }
        let named = field("action")?;
        if named != action {
            let message = format!("context.action is {named}, but the request came to {action}");
            return Err(refused("context.action", message));
        }
        Ok((parsed, Wait { sent_at, ttl_ms }))
    }

    /// Whom a request addresses, where it says so: id and address.
    pub(super) fn addressee(body: &Value) -> Result<(Option<String>, Option<String>), Fault> {
        let field = |name: &str| {
            let found =
                text(body, &format!("/context/{name}")).map(|found| found.map(str::to_owned));
            found.map_err(|error| Fault { kind: FaultKind::Context, ..error })
        };
        Ok((field("bpp_id")?, field("bpp_uri")?))
    }

    /// How many answers the request may have.
    pub(super) fn answers_max(&self) -> u32 {
        match self.max_callbacks {
            None => 1,
            Some(max) => u32::try_from(max).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn to_conversation(&self) -> Conversation {
        Conversation(serde_json::to_string(self).unwrap_or_default())
    }

    pub(super) fn from_conversation(conversation: &Conversation) -> Result<Self, String> {
        serde_json::from_str(&conversation.0)
            .map_err(|error| format!("the order's conversation cannot be read: {error}"))
    }

    /// The context of a callback.
    pub(super) fn callback(
        &self,
        identity: &Identity,
        action: &str,
        message_id: &str,
        at: Timestamp,
    ) -> Value {
        let mut context = json!({
            "domain": self.domain,
            "country": self.country,
            "city": self.city,
            "action": action,
            "core_version": self.core_version,
            "bap_id": self.bap_id,
            "bap_uri": self.bap_uri,
            "bpp_id": identity.subscriber_id,
            "bpp_uri": identity.uri,
            "transaction_id": self.transaction_id,
            "message_id": message_id,
            "timestamp": time(at),
        });
        // What tells of a booking is to be known however late, and is never stale.
        if let Some(ttl_s) = self.ttl_s.filter(|_| !is_of_booking(action)) {
            context["ttl"] = json!(duration::seconds(ttl_s));
        }
        context
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beckn::render;
    use crate::beckn::v0_9::codes::callbacks;
    use crate::config::Config;

    fn identity() -> Identity {
        let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/bpp.sample.toml");
        Config::load(sample.as_ref()).expect("the sample is valid").settings().identity
    }

    fn context(bap_uri: &str) -> Context {
        Context {
            core_version: "0.9.4".into(),
            domain: "d".into(),
            country: "IND".into(),
            city: "std:080".into(),
            bap_id: "bap.example".into(),
            bap_uri: bap_uri.into(),
            transaction_id: "t".into(),
            message_id: "m".into(),
            ttl_s: Some(30),
            max_callbacks: None,
        }
    }

    #[test]
    fn what_tells_of_a_booking_bears_no_ttl_and_every_other_answer_does() {
        let (identity, at) = (identity(), Timestamp::from_unix_ms(1_800_000_000_000));
        for action in callbacks() {
            let context = context("http://b").callback(&identity, action, "m", at);
            let of_booking =
                ["on_confirm", "on_status", "on_update", "on_cancel"].contains(&action);
            let expected = (!of_booking).then(|| json!("PT30S"));
            assert_eq!(context.get("ttl"), expected.as_ref(), "{action}");
        }
    }

    #[test]
    fn a_request_says_how_many_answers_it_may_have() {
        for (max_callbacks, expected) in
            [(None, 1), (Some(0), 0), (Some(1), 1), (Some(3), 3), (Some(-1), u32::MAX)]
        {
            let context = Context { max_callbacks, ..context("http://b") };
            assert_eq!(context.answers_max(), expected, "{max_callbacks:?}");
        }
    }

    #[test]
    fn an_address_with_a_slash_at_its_end_gets_no_second_one() {
        let (identity, at) = (identity(), Timestamp::from_unix_ms(1_800_000_000_000));
        for bap_uri in
            ["https://bap.example/v1", "https://bap.example/v1/", "HTTPS://BAP.example:443/v1"]
        {
            let conversation = context(bap_uri).to_conversation();
            let reply = crate::beckn::Reply::Tracking { url: "u", position: None, active: false };
            let rendered = render(&identity, &conversation, reply, None, at).expect("rendered");
            assert_eq!(rendered.url, "https://bap.example/v1/on_track", "{bap_uri}");
        }
    }
}
