//! Whether the BPP repeats itself as it should: every attempt of a message has the same bytes, and a
//! signature of its own time.

use super::{Bap, Entry};

impl Bap {
    /// What is wrong with the attempts that came, one line each. Two attempts within one second may bear
    /// the same signature: Ed25519 signs the same thing the same way.
    pub fn faults_of_attempts(&self) -> Vec<String> {
        faults(&self.ledger())
    }
}

fn faults(entries: &[Entry]) -> Vec<String> {
    let mut faults = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        let earlier = entries.iter().take(n).rev();
        let Some(before) = earlier.into_iter().find(|before| entry.is_repetition_of(before)) else {
            continue;
        };
        if entry.bytes != before.bytes {
            faults.push(format!("{} {}: another body", entry.action, entry.message_id));
        }
        if !is_signed_anew(entry, before) {
            faults.push(format!("{} {}: an old signature", entry.action, entry.message_id));
        }
    }
    faults
}

/// Made after the attempt before it had come in.
fn is_signed_anew(entry: &Entry, before: &Entry) -> bool {
    let came_s = before.at_unix_ms.div_euclid(1000);
    entry.signed.as_ref().is_some_and(|signed| signed.created_s >= came_s)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::Value;
    use tripline_protocol::signing::{KeyId, SignatureHeader};

    use super::super::Behavior;
    use super::*;

    fn attempt(at_s: i64, created_s: i64, body: &'static str) -> Entry {
        let key_id = KeyId { subscriber_id: "bpp".into(), unique_key_id: None };
        let signature = [0; 64];
        let signed = SignatureHeader { key_id, created_s, expires_s: created_s + 60, signature };
        Entry {
            at_unix_ms: at_s * 1000 + 500,
            action: "on_status".into(),
            order_id: None,
            message_id: "m1".into(),
            body: Value::Null,
            bytes: Bytes::from_static(body.as_bytes()),
            signed: Some(signed),
            signature_valid: true,
            fault: None,
            answered: Behavior::Error500,
        }
    }

    #[test]
    fn attempts_with_the_same_body_and_fresh_signatures_are_right() {
        let other = Entry { message_id: "m2".into(), ..attempt(11, 3, "other") };
        let attempts = [attempt(10, 10, "a"), attempt(10, 10, "a"), other, attempt(12, 11, "a")];
        assert_eq!(faults(&attempts), Vec::<String>::new());
    }

    #[test]
    fn another_body_and_an_old_signature_are_found() {
        let attempts = [attempt(10, 10, "a"), attempt(12, 12, "b"), attempt(14, 10, "b")];
        assert_eq!(
            faults(&attempts),
            ["on_status m1: another body", "on_status m1: an old signature"]
        );
    }
}
