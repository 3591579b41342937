//! What came, in the order it came.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;
use tripline_protocol::signing::SignatureHeader;

use super::Behavior;

/// One callback, whatever was done with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When it came, in Unix milliseconds.
    pub at_unix_ms: i64,
    /// The action it came to: the last part of the URL.
    pub action: String,
    /// The order it tells of, if it carries one.
    pub order_id: Option<String>,
    /// Its message id; empty if it has none.
    pub message_id: String,
    /// The whole body; a text, if it was not JSON.
    pub body: Value,
    /// The body's bytes, as they came.
    pub bytes: Bytes,
    /// Who signed it and when, as its header says; none if that cannot be read.
    pub signed: Option<SignatureHeader>,
    /// Whether the BPP signed it, as it came.
    pub signature_valid: bool,
    /// What is wrong with it; such a callback is never accepted.
    pub fault: Option<String>,
    /// What was done with it.
    pub answered: Behavior,
}

impl Entry {
    /// Code of the fulfillment state it tells.
    pub fn state_code(&self) -> Option<&str> {
        self.body.pointer("/message/order/fulfillment/state/descriptor/code")?.as_str()
    }

    pub(super) fn is_repetition_of(&self, other: &Self) -> bool {
        self.action == other.action && self.message_id == other.message_id
    }
}

/// As a list of callbacks shows it: the action, what it tells, and what became of it if not an ACK.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.action)?;
        if let Some(code) = self.state_code() {
            write!(f, " {code}")?;
        }
        if let Some(error) = error(&self.body) {
            write!(f, " failed ({error})")?;
        }
        match (&self.fault, self.answered) {
            (Some(fault), answered) => write!(f, " [{answered:?}: {fault}]"),
            (None, Behavior::Ack) => Ok(()),
            (None, answered) => write!(f, " [{answered:?}]"),
        }
    }
}

/// Code and message of a body's `error`, if it has one.
pub(super) fn error(body: &Value) -> Option<String> {
    let error = body.get("error").filter(|error| !error.is_null())?;
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or("(none given)");
    Some(format!("error {}: {}", text("code"), text("message")))
}

/// Every callback, and a wake-up for whoever waits for one.
#[derive(Debug)]
pub(super) struct Ledger(watch::Sender<Records>);

/// Shared with readers, so that nobody's condition runs while the ledger is locked.
#[derive(Debug, Clone, Default)]
struct Records {
    all: Arc<Vec<Entry>>,
    accepted: Arc<Vec<Entry>>,
}

impl Records {
    fn add(&mut self, entry: Entry) {
        let repeated = self.accepted.iter().any(|accepted| entry.is_repetition_of(accepted));
        if entry.answered == Behavior::Ack && !repeated {
            Arc::make_mut(&mut self.accepted).push(entry.clone());
        }
        Arc::make_mut(&mut self.all).push(entry);
    }
}

/// Which of the callbacks a condition is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    Every,
    Accepted,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Records::default()))
    }

    pub(super) fn add(&self, entry: Entry) {
        self.0.send_modify(|records| records.add(entry));
    }

    pub(super) fn entries(&self, of: Of) -> Arc<Vec<Entry>> {
        of.among(&self.0.borrow())
    }

    /// State codes told of an order, each message once.
    pub(super) fn fulfillment_states(&self, order_id: &str) -> Vec<String> {
        const TELLING: [&str; 3] = ["on_confirm", "on_status", "on_cancel"];
        let mut told = HashSet::new();
        self.entries(Of::Accepted)
            .iter()
            .filter(|entry| entry.order_id.as_deref() == Some(order_id))
            .filter(|entry| TELLING.contains(&entry.action.as_str()))
            .filter(|entry| told.insert(entry.message_id.clone()))
            .filter_map(|entry| entry.state_code().map(str::to_owned))
            .collect()
    }

    /// Waits until `pick` finds what it looks for.
    pub(super) async fn wait_for<T>(
        &self,
        of: Of,
        what: &str,
        deadline: Duration,
        pick: impl Fn(&[Entry]) -> Option<T>,
    ) -> anyhow::Result<T> {
        let mut changes = self.0.subscribe();
        let picked = async {
            loop {
                let entries = of.among(&changes.borrow_and_update());
                if let Some(picked) = pick(&entries) {
                    return Ok(picked);
                }
                changes.changed().await?;
            }
        };
        tokio::time::timeout(deadline, picked).await.unwrap_or_else(|_| {
            let seen = self.seen();
            Err(anyhow!("{what}: not within {deadline:?}; callbacks seen: {seen}"))
        })
    }

    fn seen(&self) -> String {
        let entries = self.entries(Of::Every);
        if entries.is_empty() {
            return "none".into();
        }
        entries.iter().map(Entry::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl Of {
    fn among(self, records: &Records) -> Arc<Vec<Entry>> {
        match self {
            Self::Every => Arc::clone(&records.all),
            Self::Accepted => Arc::clone(&records.accepted),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(action: &str, message_id: &str, code: &str) -> Entry {
        Entry {
            at_unix_ms: 0,
            action: action.into(),
            order_id: Some("order-1".into()),
            message_id: message_id.into(),
            body: json!({ "message": { "order": {
                "fulfillment": { "state": { "descriptor": { "code": code } } },
            } } }),
            bytes: Bytes::new(),
            signed: None,
            signature_valid: true,
            fault: None,
            answered: Behavior::Ack,
        }
    }

    fn ledger(entries: impl IntoIterator<Item = Entry>) -> Ledger {
        let ledger = Ledger::new();
        entries.into_iter().for_each(|entry| ledger.add(entry));
        ledger
    }

    #[test]
    fn a_repetition_is_kept_but_accepted_once() {
        let refused = Entry { answered: Behavior::Error500, ..entry("on_status", "m1", "A") };
        let ledger = ledger([
            refused,
            entry("on_status", "m1", "A"),
            entry("on_status", "m1", "A"),
            entry("on_update", "m1", "A"),
        ]);
        assert_eq!(ledger.entries(Of::Every).len(), 4);
        let accepted = ledger.entries(Of::Accepted);
        let actions: Vec<_> = accepted.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["on_status", "on_update"]);
    }

    #[test]
    fn the_states_of_one_order_are_told_in_order_and_verbatim() {
        let other = Entry { order_id: Some("order-2".into()), ..entry("on_status", "m9", "X") };
        let ledger = ledger([
            entry("on_init", "m0", "AGENTS_FOUND"),
            entry("on_confirm", "m1", "DRIVER_EN_ROUTE"),
            other,
            entry("on_status", "m2", "RIDE_PAUSED"),
            entry("on_status", "m3", "RIDE_PAUSED"),
            entry("on_status", "m3", "RIDE_PAUSED"),
            entry("on_update", "m4", "RIDE_ENDED"),
            entry("on_cancel", "m5", "RIDE_CANCELLED"),
        ]);
        assert_eq!(
            ledger.fulfillment_states("order-1"),
            ["DRIVER_EN_ROUTE", "RIDE_PAUSED", "RIDE_PAUSED", "RIDE_CANCELLED"]
        );
    }

    #[tokio::test]
    async fn a_wait_ends_with_the_callback_that_meets_it() {
        let ledger = Ledger::new();
        let second = ledger.wait_for(Of::Accepted, "two", Duration::from_secs(5), |entries| {
            entries.get(1).map(|entry| entry.message_id.clone())
        });
        let come = async {
            for message_id in ["m1", "m2", "m3"] {
                ledger.add(entry("on_status", message_id, "A"));
                tokio::task::yield_now().await;
            }
        };
        let (second, ()) = tokio::join!(second, come);
        assert_eq!(second.expect("came"), "m2");
    }

    #[tokio::test]
    async fn a_wait_in_vain_names_what_was_wanted_and_lists_what_came() {
        let failed = Entry {
            action: "on_select".into(),
            body: json!({ "error": { "code": "40006", "message": "no driver" } }),
            ..entry("", "m1", "")
        };
        let forged =
            Entry { fault: Some("forged".into()), answered: Behavior::Nack, ..failed.clone() };
        let refused = Entry { answered: Behavior::Error500, ..entry("on_status", "m2", "A") };
        let ledger = ledger([failed, forged, refused]);
        let waited =
            ledger.wait_for(Of::Accepted, "the ride's end", Duration::ZERO, |_| None::<()>);
        assert_eq!(
            waited.await.expect_err("nothing came").to_string(),
            "the ride's end: not within 0ns; callbacks seen: \
             on_select failed (error 40006: no driver), \
             on_select failed (error 40006: no driver) [Nack: forged], \
             on_status A [Error500]"
        );
        let empty = Ledger::new();
        let waited = empty.wait_for(Of::Every, "anything", Duration::ZERO, |_| None::<()>);
        assert!(waited.await.expect_err("nothing came").to_string().ends_with("seen: none"));
    }
}
