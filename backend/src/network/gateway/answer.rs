//! Answers: a header that says ACK or NACK, and a body with what the gateway knows, or with what is wrong.
//!
//! Letters of a key may be large or small. The header is looked for in the JSON document and, where that has
//! none, among the HTTP headers. Contents of documents, which gateways send back, are passed over.

use serde_json::Value;

use super::check::TEXT_LEN_MAX;
use super::company::Info;
use super::document::DOCUMENTS_MAX;
use super::field::Refusal;
use super::lenient;
use super::token::Token;
use super::words::shown;

/// Longest id of a registration or document, in bytes.
pub const ID_LEN_MAX: usize = 200;

/// Documents of a registration that are kept: several requests' worth.
pub const DOCUMENTS_KEPT_MAX: usize = 10 * DOCUMENTS_MAX;

/// What stands around an answer's body over HTTP.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    /// The HTTP status.
    pub status: u16,
    /// The HTTP header `action`, if there is one.
    pub action: Option<String>,
    /// The HTTP header `message`.
    pub message: Option<String>,
}

/// A registration, as an answer tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRegistration {
    /// Its id.
    pub id: String,
    /// How far it is; the document leaves the words to the gateway.
    pub status: Option<String>,
}

/// A document, as an answer tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldDocument {
    /// Its id; not every answer has one.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// How far it is; not every answer says.
    pub status: Option<String>,
}

/// The token that an answer gives, and when it runs out in the gateway's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldAuth {
    /// The token.
    pub token: Token,
    /// `exp`.
    pub exp: Option<String>,
}

/// An answer that says ACK. What is not in it was not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// What the gateway says of it.
    pub message: String,
    /// The registration.
    pub registration: Option<ToldRegistration>,
    /// A token.
    pub auth: Option<ToldAuth>,
    /// The company, as the gateway knows it.
    pub info: Option<Info>,
    /// All documents.
    pub documents: Option<Vec<ToldDocument>>,
    /// Where requests come to.
    pub endpoint_url: Option<String>,
    /// How far that address is.
    pub api_status: Option<String>,
}

/// What a gateway answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done, or taken up.
    Ack(Box<Reply>),
    /// Not taken, and why.
    Nack(Refusal),
}

/// An answer that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Something else than JSON.
    #[error("answered {0}, and not in JSON")]
    NotJson(u16),
    /// No word on whether it was taken.
    #[error("answered {0} with neither ACK nor NACK")]
    NoVerdict(u16),
    /// It contradicts itself.
    #[error("answered ACK with the HTTP status {0}")]
    AckOfFailure(u16),
    /// A value that cannot be what it says.
    #[error("answered ACK with an unusable {0}")]
    Field(&'static str),
}

/// Reads an answer. `token` is ours, which is not shown should the gateway say it back.
pub fn read(envelope: &Envelope, body: &[u8], token: Option<&Token>) -> Result<Answer, Unusable> {
    let status = envelope.status;
    let json = match lenient::parse(body) {
        Ok(json) => json,
        Err(_) if body.trim_ascii().is_empty() && envelope.action.is_some() => Value::Null,
        Err(_) => return Err(Unusable::NotJson(status)),
    };
    let (verdict, message, body) = match member(&json, "header") {
        Some(header) => (
            text(header, "action"),
            text(header, "message"),
            member(&json, "body").unwrap_or(&Value::Null),
        ),
        None => (envelope.action.as_deref(), envelope.message.as_deref(), &json),
    };
    let is = |code: &str| verdict.is_some_and(|said| said.trim().eq_ignore_ascii_case(code));
    let message = message.unwrap_or_default();
    if is("NACK") {
        let known: Vec<&Token> = token.into_iter().collect();
        let shown = |said: &str| shown(said, &known);
        return Ok(Answer::Nack(Refusal::read(shown(message), body, shown)));
    }
    if !is("ACK") {
        return Err(Unusable::NoVerdict(status));
    }
    if !(200..300).contains(&status) {
        return Err(Unusable::AckOfFailure(status));
    }
    reply(message, body, token).map(|reply| Answer::Ack(Box::new(reply)))
}

fn reply(message: &str, body: &Value, token: Option<&Token>) -> Result<Reply, Unusable> {
    let auth = auth(body)?;
    let known: Vec<&Token> =
        token.into_iter().chain(auth.as_ref().map(|auth| &auth.token)).collect();
    let shown = |said: &str| shown(said, &known);
    let status = |of: &Value| text(of, "status").map(shown);
    let registration = match member(body, "registration") {
        None => None,
        Some(told) => {
            Some(ToldRegistration { id: id(told, "registration.id")?, status: status(told) })
        }
    };
    let info = member(body, "info").map(|told| {
        let told = |key| shown(text(told, key).unwrap_or_default());
        Info {
            name: told("name"),
            phone: told("phone"),
            email: told("email"),
            company_id: told("company_id"),
        }
    });
    let documents = member(body, "documents").and_then(Value::as_array).map(|told| {
        let document = |told: &Value| ToldDocument {
            id: text(told, "id").map(shown),
            name: shown(text(told, "name").unwrap_or_default()),
            status: status(told),
        };
        told.iter().take(DOCUMENTS_KEPT_MAX).map(document).collect()
    });
    let api = member(body, "api").unwrap_or(&Value::Null);
    Ok(Reply {
        message: shown(message),
        registration,
        info,
        documents,
        endpoint_url: text(api, "endpoint_url").map(shown),
        api_status: status(api),
        auth,
    })
}

fn auth(body: &Value) -> Result<Option<ToldAuth>, Unusable> {
    let Some(told) = member(body, "auth").filter(|told| told.is_object()) else { return Ok(None) };
    let Some(token) = text(told, "token") else { return Err(Unusable::Field("auth.token")) };
    let token = Token::new(token).map_err(|_| Unusable::Field("auth.token"))?;
    let exp = match member(told, "exp") {
        Some(Value::String(exp)) if exp.len() <= TEXT_LEN_MAX => Some(shown(exp, &[&token])),
        Some(Value::Number(exp)) => Some(exp.to_string()),
        Some(_) | None => None,
    };
    Ok(Some(ToldAuth { token, exp: exp.filter(|exp| !exp.is_empty()) }))
}

/// An id, which has to be sent back as it came.
fn id(of: &Value, name: &'static str) -> Result<String, Unusable> {
    let id = match member(of, "id") {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        Some(_) | None => return Err(Unusable::Field(name)),
    };
    let fits = !id.trim().is_empty() && id.len() <= ID_LEN_MAX && !id.contains(char::is_control);
    if fits { Ok(id) } else { Err(Unusable::Field(name)) }
}

/// A member of an object, however its name is written.
fn member<'v>(of: &'v Value, name: &str) -> Option<&'v Value> {
    let members = of.as_object()?;
    let written = || members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    members.get(name).or_else(|| written().map(|(_, value)| value))
}

fn text<'v>(of: &'v Value, name: &str) -> Option<&'v str> {
    member(of, name)?.as_str().filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ok() -> Envelope {
        Envelope { status: 200, ..Envelope::default() }
    }

    fn said(body: &Value) -> Result<Answer, Unusable> {
        read(&ok(), body.to_string().as_bytes(), None)
    }

    fn ack(body: &Value) -> Reply {
        match said(&json!({ "header": { "action": "ACK", "message": "m" }, "body": body })) {
            Ok(Answer::Ack(reply)) => *reply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_ack_is_read_with_everything_in_it_but_the_documents_contents() {
        let reply = ack(&json!({
            "registration": { "id": "r1", "status": "NEW" },
            "auth": { "token": "t0k", "exp": 1_900_000_000 },
            "info": { "name": "A" },
            "documents": [{ "id": "d1", "name": "c", "data": "JVBERi0x", "status": "VERIFIED" }],
            "api": { "endpoint_url": "https://bpp.example", "status": "PENDING-VERIFICATION" },
        }));
        let auth = reply.auth.clone().expect("told");
        assert_eq!((auth.token.reveal(), auth.exp.as_deref()), ("t0k", Some("1900000000")));
        let registration = reply.registration.clone().expect("told");
        assert_eq!((registration.id.as_str(), registration.status.as_deref()), ("r1", Some("NEW")));
        let document = &reply.documents.as_ref().expect("told")[0];
        assert_eq!((document.name.as_str(), document.id.as_deref()), ("c", Some("d1")));
        assert_eq!(document.status.as_deref(), Some("VERIFIED"));
        assert_eq!(reply.info.as_ref().map(|info| info.name.as_str()), Some("A"));
        assert_eq!(reply.api_status.as_deref(), Some("PENDING-VERIFICATION"));
        let printed = format!("{reply:?}");
        assert!(!printed.contains("t0k") && !printed.contains("JVBERi0x"), "{printed}");
        assert_eq!(ack(&json!({})), Reply { message: "m".into(), ..Reply::default() });
    }

    #[test]
    fn keys_are_read_in_any_case_and_the_header_may_be_http() {
        let loud = json!({
            "Header": { "Action": "ack" }, "BODY": { "Registration": { "ID": 17 } }
        });
        let Ok(Answer::Ack(reply)) = said(&loud) else { panic!("no ACK") };
        assert_eq!(reply.registration.map(|told| told.id), Some("17".into()));
        let bare = br#"{"registration":{"id":"r1"}}"#;
        assert_eq!(read(&ok(), bare, None), Err(Unusable::NoVerdict(200)));
        let action = |code: &str| Envelope { action: Some(code.into()), ..ok() };
        assert!(matches!(read(&action("ACK"), bare, None), Ok(Answer::Ack(_))));
        let refusal = Envelope { status: 401, message: Some("no".into()), ..action("NACK") };
        let Ok(Answer::Nack(refused)) = read(&refusal, b"", None) else { panic!("no NACK") };
        assert_eq!(refused.to_string(), "no");
    }

    #[test]
    fn what_is_no_answer_is_none() {
        let told = |status, body: &[u8]| read(&Envelope { status, ..ok() }, body, None);
        assert_eq!(told(502, b"<html>"), Err(Unusable::NotJson(502)));
        assert_eq!(told(200, b""), Err(Unusable::NotJson(200)));
        assert_eq!(told(200, b"[]"), Err(Unusable::NoVerdict(200)));
        let ack = br#"{"header":{"action":"ACK"}}"#;
        assert_eq!(told(500, ack), Err(Unusable::AckOfFailure(500)));
        assert!(told(202, ack).is_ok());
        for (body, field) in [
            (json!({ "registration": {} }), "registration.id"),
            (json!({ "registration": { "id": " " } }), "registration.id"),
            (json!({ "registration": { "id": "x".repeat(ID_LEN_MAX + 1) } }), "registration.id"),
            (json!({ "auth": { "token": "a b" } }), "auth.token"),
            (json!({ "auth": { "exp": "2030-01-01" } }), "auth.token"),
        ] {
            let answer = said(&json!({ "header": { "action": "ACK" }, "body": body }));
            assert_eq!(answer, Err(Unusable::Field(field)), "{body}");
        }
    }

    #[test]
    fn a_nack_says_neither_our_token_nor_a_document_back() {
        let token = Token::new("s3cr3t").expect("a token");
        let data = "JVBERi0x".repeat(20);
        let nack = json!({
            "header": { "action": "NACK", "message": "token s3cr3t has expired" },
            "body": { "documents": [{ "data": format!("{data} is no pdf") }] },
        });
        let answer = read(&ok(), nack.to_string().as_bytes(), Some(&token));
        let Ok(Answer::Nack(refusal)) = answer else { panic!("no NACK") };
        let expected = "token [...] has expired\n  documents[0].data: [...] is no pdf";
        assert_eq!(refusal.to_string(), expected);
    }
}
