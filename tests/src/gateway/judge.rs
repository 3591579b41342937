//! What the document says to a request: who is taken up, and which field is refused with which words.

use serde_json::{Map, Value, json};
use tripline_protocol::signing::decode_base64;

use super::Asked;
use super::book::{Account, Book};

/// Why a request is not taken.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) message: String,
    pub(super) body: Value,
}

impl Refused {
    fn of(message: &str, body: Value) -> Self {
        Self { message: message.into(), body }
    }
}

/// A member of the header, however its key is written.
fn header<'v>(asked: &'v Asked, name: &str) -> &'v str {
    let members = asked.header.as_object();
    let found =
        members.and_then(|members| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)));
    found.and_then(|(_, value)| value.as_str()).unwrap_or_default()
}

/// Carries a request out; the body of the answer.
pub(super) fn judge(book: &mut Book, asked: &Asked) -> Result<Value, Refused> {
    let action = header(asked, "Action");
    if asked.method != "POST" || format!("/{action}") != asked.path {
        return Err(Refused::of("the action is not that of the endpoint", json!({})));
    }
    if header(asked, "Timestamp").parse::<jiff::Timestamp>().is_err() {
        return Err(Refused::of("the timestamp is none", json!({})));
    }
    match action {
        "Provider/signup" => sign_up(book, asked),
        "Provider/get" => {
            let account = known(book, asked)?;
            Ok(with_all(account, &account.status, false, false))
        }
        "Provider/info/update" => update(book, asked),
        "Provider/documents/add" => add(book, asked),
        _ => Err(Refused::of("there is no such action", json!({}))),
    }
}

fn sign_up(book: &mut Book, asked: &Asked) -> Result<Value, Refused> {
    let mut wrong = Map::new();
    note(&mut wrong, "info", wrong_info(&asked.body["info"]));
    note(&mut wrong, "documents", wrong_documents(&asked.body["documents"]));
    let endpoint_url = asked.body["api"]["endpoint_url"].as_str().unwrap_or_default();
    if !endpoint_url.starts_with("http") {
        wrong.insert("api".into(), json!({ "endpoint_url": "must be a URL" }));
    }
    if !wrong.is_empty() {
        return Err(Refused::of("some fields are not as they should be", wrong.into()));
    }
    let exp = book.exp.clone();
    let account = book.open(&asked.body["info"], endpoint_url);
    account.take(asked.body["documents"].as_array().map(Vec::as_slice).unwrap_or_default());
    let mut body = with_all(account, &account.status, false, true);
    body["auth"] = json!({ "token": account.token, "exp": exp });
    body["api"]["status"] = json!(account.api_status);
    Ok(body)
}

fn update(book: &mut Book, asked: &Asked) -> Result<Value, Refused> {
    known(book, asked).map_err(failed)?;
    let wrong = wrong_info(&asked.body["info"]);
    if !wrong.is_empty() {
        let body = json!({ "registration": { "status": "UPDATE-FAIL" }, "info": wrong });
        return Err(Refused::of("some fields are not as they should be", body));
    }
    let account = account(book, asked);
    account.info = asked.body["info"].clone();
    "UPDATE-PENDING".clone_into(&mut account.status);
    Ok(with_all(account, "UPDATE-PENDING", false, true))
}

fn add(book: &mut Book, asked: &Asked) -> Result<Value, Refused> {
    known(book, asked)?;
    let documents = &asked.body["documents"];
    let wrong = wrong_documents(documents);
    let none = documents.as_array().is_none_or(Vec::is_empty);
    if none || has_words(&wrong) {
        let body = json!({ "documents": wrong });
        return Err(Refused::of("some documents are not as they should be", body));
    }
    let account = account(book, asked);
    account.take(documents.as_array().map(Vec::as_slice).unwrap_or_default());
    "UPDATE-PENDING".clone_into(&mut account.status);
    Ok(with_all(account, "UPDATE-PENDING", true, true))
}

/// A refused update has the status of one.
fn failed(mut refused: Refused) -> Refused {
    refused.body["registration"]["status"] = json!("UPDATE-FAIL");
    refused
}

/// The account that a request is about, if its token is that account's and holds.
fn known<'b>(book: &'b Book, asked: &Asked) -> Result<&'b Account, Refused> {
    let wrong = |words: &str| json!({ "registration": { "id": words } });
    let id = asked.body["registration"]["id"].as_str().unwrap_or_default();
    let account = book.account(id).ok_or_else(|| {
        Refused::of("nobody is registered so", wrong("there is no such registration"))
    })?;
    if account.token != header(asked, "Token") {
        return Err(Refused::of("the token is not that of the registration", json!({})));
    }
    if !account.token_holds {
        return Err(Refused::of("the token has expired", json!({})));
    }
    Ok(account)
}

fn account<'b>(book: &'b mut Book, asked: &Asked) -> &'b mut Account {
    let id = asked.body["registration"]["id"].as_str().unwrap_or_default();
    book.account_mut(id).expect("it was looked for")
}

fn with_all(account: &Account, status: &str, ids: bool, statuses: bool) -> Value {
    json!({
        "registration": { "id": account.id, "status": status },
        "info": account.info,
        "documents": account.papers_as_json(ids, statuses),
        "api": { "endpoint_url": account.endpoint_url },
    })
}

/// What is wrong with a company, by field.
fn wrong_info(info: &Value) -> Map<String, Value> {
    let text = |key: &str| info[key].as_str().unwrap_or_default();
    let checks = [
        ("name", !text("name").is_empty(), "must not be empty"),
        ("phone", is_phone(text("phone")), "must be +{country code}-{number}-{extension}"),
        ("email", text("email").contains('@'), "must be an email address"),
        ("company_id", !text("company_id").is_empty(), "must not be empty"),
    ];
    let wrong = checks.into_iter().filter(|(_, good, _)| !good);
    wrong.map(|(key, _, words)| (key.to_owned(), json!(words))).collect()
}

fn is_phone(text: &str) -> bool {
    let parts: Vec<_> = text.strip_prefix('+').unwrap_or_default().split('-').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    matches!(parts.len(), 2 | 3) && parts.iter().all(is_number)
}

/// What is wrong with documents: an element each, in their order, with words where something is wrong.
fn wrong_documents(documents: &Value) -> Vec<Value> {
    let wrong = |document: &Value| {
        let mut wrong = Map::new();
        if document["name"].as_str().is_none_or(str::is_empty) {
            wrong.insert("name".into(), json!("must not be empty"));
        }
        let bytes = document["data"].as_str().and_then(decode_base64).unwrap_or_default();
        if !bytes.starts_with(b"%PDF") && !bytes.starts_with(&[0xff, 0xd8, 0xff]) {
            wrong.insert("data".into(), json!("must be a pdf, jpeg or jpg in Base64"));
        }
        Value::Object(wrong)
    };
    documents.as_array().map(|all| all.iter().map(wrong).collect()).unwrap_or_default()
}

fn has_words(documents: &[Value]) -> bool {
    documents.iter().any(|document| *document != json!({}))
}

/// Adds what is wrong with a member, if something is.
fn note(wrong: &mut Map<String, Value>, key: &str, words: impl Into<Value>) {
    let words = words.into();
    let is_wrong = match &words {
        Value::Array(documents) => has_words(documents),
        Value::Object(fields) => !fields.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if is_wrong {
        wrong.insert(key.into(), words);
    }
}

/// No more of an answer than a gateway has to give: the registration, and with a first one the token.
pub(super) fn terse(body: &Value) -> Value {
    let mut kept = Map::new();
    for key in ["registration", "auth"] {
        if let Some(value) = body.get(key) {
            kept.insert(key.into(), value.clone());
        }
    }
    Value::Object(kept)
}

/// Puts what was sent into the words of an answer: token, and contents of documents.
pub(super) fn say_back(body: &mut Value, asked: &Asked, acked: bool) {
    let sent = format!("{} {}", asked.header, asked.body);
    if acked {
        body["registration"]["status"] = json!(format!("PENDING {sent}"));
    } else {
        body["info"]["name"] = json!(format!("you said {sent}"));
    }
}
