//! What a subscriber answers to a callback.

use serde_json::Value;

use super::codes::{ACK, NACK};

/// Longest code or type of an error that is kept, in characters.
const CODE_LEN_MAX: usize = 40;

/// Longest message of an error that is kept, in characters.
const MESSAGE_LEN_MAX: usize = 200;

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// ACK, or nothing, which means the same.
    Ack,
    /// NACK, and why.
    Nack(Refusal),
    /// Neither: not of a subscriber, perhaps, but of something before it.
    Unclear,
}

/// Why a subscriber does not take a callback, as it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// `error.code`: letters, digits, `-`, `_` and `.` only, and few of them.
    pub code: Option<String>,
    /// `error.type`, with the same bounds.
    pub kind: Option<String>,
    /// `error.message`, bounded. Not for a log: peers write into it what they were sent.
    pub message: Option<String>,
}

/// Reads the body of an answer. Some peers write `message.status` in place of `message.ack.status`, and some
/// answer with nothing or `{}`.
pub fn parse_answer(body: &[u8]) -> Answer {
    if body.trim_ascii().is_empty() {
        return Answer::Ack;
    }
    let Ok(Value::Object(answer)) = serde_json::from_slice(body) else { return Answer::Unclear };
    if answer.is_empty() {
        return Answer::Ack;
    }
    let answer = Value::Object(answer);
    let status = answer.pointer("/message/ack/status").or(answer.pointer("/message/status"));
    match status.and_then(Value::as_str) {
        Some(status) if status.eq_ignore_ascii_case(ACK) => Answer::Ack,
        Some(status) if status.eq_ignore_ascii_case(NACK) => Answer::Nack(refusal(&answer)),
        Some(_) | None => Answer::Unclear,
    }
}

fn refusal(answer: &Value) -> Refusal {
    // Beside `message` in core 0.9, within it at some peers.
    let error = answer.get("error").or(answer.pointer("/message/error"));
    let field = |name| error.and_then(|error| error.get(name)).and_then(text);
    Refusal {
        code: field("code").map(|text| code(&text)),
        kind: field("type").map(|text| code(&text)),
        message: field("message").map(|text| message(&text)),
    }
}

/// A field that should be text; some peers send codes as numbers.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn code(text: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.chars().filter(plain).take(CODE_LEN_MAX).collect()
}

fn message(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MESSAGE_LEN_MAX).collect()
}

impl Refusal {
    /// Code and type, for a log.
    pub fn for_log(&self) -> String {
        let said = [&self.kind, &self.code].into_iter().flatten();
        said.fold("answered NACK".into(), |text, word| format!("{text} {word}"))
    }

    /// All that was said, for the operator.
    pub fn for_operator(&self) -> String {
        match &self.message {
            Some(message) => format!("{}: {message}", self.for_log()),
            None => self.for_log(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_for_what_it_says() {
        for (body, expected) in [
            ("", Answer::Ack),
            (" \r\n\t", Answer::Ack),
            ("{}", Answer::Ack),
            (r#"{"message":{"ack":{"status":"ACK"}}}"#, Answer::Ack),
            (r#"{"message":{"status":"ack"},"context":{}}"#, Answer::Ack),
            ("<html><body>502</body></html>", Answer::Unclear),
            ("[]", Answer::Unclear),
            ("null", Answer::Unclear),
            ("\"ACK\"", Answer::Unclear),
            (r#"{"message":{}}"#, Answer::Unclear),
            (r#"{"message":{"ack":{"status":1}}}"#, Answer::Unclear),
            (r#"{"message":{"ack":{"status":"MAYBE"}}}"#, Answer::Unclear),
            (r#"{"error":{"code":"1"}}"#, Answer::Unclear),
            ("{\"message\":", Answer::Unclear),
            (r#"{"message":{"ack":{"status":"NACK"}}}"#, Answer::Nack(Refusal::default())),
        ] {
            assert_eq!(parse_answer(body.as_bytes()), expected, "{body}");
        }
        assert_eq!(parse_answer("[".repeat(1_000_000).as_bytes()), Answer::Unclear);
    }

    #[test]
    fn of_a_refusal_a_bounded_part_is_kept_and_a_log_has_no_word_of_its_message() {
        let long = "9".repeat(5_000);
        let body = format!(
            r#"{{"message":{{"ack":{{"status":"NACK"}}}},"error":{{"type":"DOMAIN-ERROR\n","code":30010,
                "message":"12.9,77.6\u0000 {long}"}}}}"#
        );
        let Answer::Nack(refusal) = parse_answer(body.as_bytes()) else { panic!("a NACK") };
        assert_eq!(refusal.for_log(), "answered NACK DOMAIN-ERROR 30010");
        assert_eq!(refusal.message.as_ref().map(|text| text.chars().count()), Some(200));
        assert!(
            refusal.for_operator().starts_with("answered NACK DOMAIN-ERROR 30010: 12.9,77.6 9")
        );
    }
}
