//! A gateway in software: the registration API of 2020 over real HTTP, with a record of what it was sent.
//!
//! Its operators, the tests, look at what came and decide what becomes of it. It shares no code with the
//! platform under test: what the document says, it reads once more.

mod behavior;
mod book;
mod judge;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::sync::watch;

pub use behavior::{Behavior, Nonsense};
pub use book::Account;

use book::Book;

use crate::server::{self, HangUp, Server};

/// Longest request that is taken, in bytes.
const REQUEST_LEN_MAX: usize = 128 * 1024 * 1024;

/// How long a silent gateway keeps a connection: longer than anybody waits.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// A request, as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// Its `Content-Type`.
    pub content_type: String,
    /// The header, as JSON: the member of the document or, where there is none, the HTTP headers that are of
    /// it, by their names in small letters.
    pub header: Value,
    /// Whether the header was a member of the document.
    pub in_document: bool,
    /// The body.
    pub body: Value,
    /// How long the HTTP body was, in bytes.
    pub len: usize,
    /// Whether it was answered with ACK; none if it was not answered by the book.
    pub acked: Option<bool>,
}

#[derive(Debug)]
struct Desk {
    book: Mutex<Book>,
    behavior: watch::Sender<Behavior>,
    asked: watch::Sender<Vec<Asked>>,
}

/// A running gateway. Clones are handles to the same one; it ends with the last of them.
#[derive(Debug, Clone)]
pub struct Gateway {
    desk: Arc<Desk>,
    server: Arc<Server>,
    url: String,
}

impl Gateway {
    /// Starts to listen, honest and empty.
    pub async fn start(listen: SocketAddr) -> Result<Self> {
        let (listener, address) = server::bind(listen).await?;
        let desk = Arc::new(Desk {
            book: Mutex::default(),
            behavior: watch::Sender::new(Behavior::Honest),
            asked: watch::Sender::new(Vec::new()),
        });
        let router = Router::new()
            .fallback(handle)
            .layer(DefaultBodyLimit::max(REQUEST_LEN_MAX))
            .with_state(Arc::clone(&desk));
        let server = Arc::new(Server::start(listener, address, router));
        Ok(Self { desk, server, url: format!("http://{address}") })
    }

    /// Stops listening: from here on connections are refused.
    pub async fn stop(&self) {
        self.server.stop().await;
    }

    /// Listens again at its address, and knows what it knew.
    pub async fn start_again(&self) -> Result<()> {
        self.server.start_again().await
    }

    /// Its address: `/Provider/signup` and the others are below it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sets how requests are treated that come from now on.
    pub fn set_behavior(&self, behavior: Behavior) {
        self.desk.behavior.send_replace(behavior);
    }

    /// Every request so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.desk.asked.borrow().clone()
    }

    /// The last request.
    pub fn last(&self) -> Result<Asked> {
        self.asked().pop().context("nothing was asked")
    }

    /// Waits until so many requests have come.
    pub async fn wait_for_asked(&self, count: usize, deadline: Duration) -> Result<()> {
        let mut changes = self.desk.asked.subscribe();
        let waited = tokio::time::timeout(deadline, changes.wait_for(|all| all.len() >= count));
        waited.await.with_context(|| format!("fewer than {count} requests came"))??;
        Ok(())
    }

    /// What it has of a provider; an error if it has none of that id.
    pub fn account(&self, id: &str) -> Result<Account> {
        self.desk.book().account(id).cloned().with_context(|| format!("no account {id}"))
    }

    /// Changes what it has of every provider.
    pub fn change(&self, change: impl FnMut(&mut Account)) {
        self.desk.book().accounts_mut().for_each(change);
    }

    /// Verifies everything that waits.
    pub fn verify_all(&self) {
        self.change(Account::verify);
    }

    /// Takes over what another gateway has of a provider.
    pub fn take_over(&self, account: Account) {
        self.desk.book().take_over(account);
    }

    /// Forgets every provider.
    pub fn forget(&self) {
        *self.desk.book() = Book::default();
    }

    /// Sets what `auth.exp` says of tokens that are given from now on.
    pub fn set_exp(&self, exp: impl Into<Value>) {
        self.desk.book().exp = exp.into();
    }

    /// Tokens given so far hold no longer.
    pub fn expire_tokens(&self) {
        self.change(|account| account.token_holds = false);
    }

    /// Gives every provider this token in place of the one it had.
    pub fn give_token(&self, token: &str) {
        self.change(|account| {
            token.clone_into(&mut account.token);
            account.token_holds = true;
        });
    }
}

impl Desk {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the request that just came is to be treated; the answer itself, if the book has no say in it.
    async fn treat(&self) -> Result<Behavior, Response> {
        let mut behavior = self.behavior.subscribe();
        let set = behavior.borrow_and_update().clone();
        match &set {
            Behavior::Honest | Behavior::Bare | Behavior::Terse | Behavior::Talkative => Ok(set),
            Behavior::Slow(ms) => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                Ok(set)
            }
            Behavior::Refuse(body) => {
                let header = json!({ "action": "NACK", "message": "not today" });
                Err(answer(StatusCode::OK, &json!({ "header": header, "body": body })))
            }
            Behavior::Answer(status, text) => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::IM_A_TEAPOT);
                Err((status, [(CONTENT_TYPE, "text/plain")], text.clone()).into_response())
            }
            Behavior::Nonsense(nonsense) => Err(nonsense.response()),
            Behavior::HangUp => Err(HangUp.into_response()),
            Behavior::Silent => {
                let changed = behavior.wait_for(|set| !matches!(set, Behavior::Silent));
                let _ = tokio::time::timeout(SILENCE_MAX, changed).await;
                Err(HangUp.into_response())
            }
        }
    }
}

async fn handle(
    State(desk): State<Arc<Desk>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = asked(&method, &uri, &headers, &body);
    let treated = desk.treat().await;
    let decided = treated.map(|behavior| decide(&desk, &behavior, &asked));
    let (acked, response) = match decided {
        Ok((acked, response)) => (Some(acked), response),
        Err(response) => (None, response),
    };
    desk.asked.send_modify(|all| all.push(Asked { acked, ..asked }));
    response
}

fn asked(method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Asked {
    let text = |name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let document: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let in_document = document.get("header").is_some();
    let (header, body_json) = if in_document {
        (document["header"].clone(), document["body"].clone())
    } else {
        let names = ["action", "token", "timestamp"].into_iter();
        let named = names.filter(|name| headers.contains_key(*name));
        (named.map(|name| (name.to_owned(), json!(text(name)))).collect(), document)
    };
    Asked {
        method: method.to_string(),
        path: uri.path().to_owned(),
        content_type: text("content-type"),
        header,
        in_document,
        body: body_json,
        len: body.len(),
        acked: None,
    }
}

/// What the book says to it, and how.
fn decide(desk: &Desk, behavior: &Behavior, asked: &Asked) -> (bool, Response) {
    let decided = judge::judge(&mut desk.book(), asked);
    let acked = decided.is_ok();
    let (action, message, mut body) = match decided {
        Ok(body) => ("ACK", "done".to_owned(), body),
        Err(refused) => ("NACK", refused.message, refused.body),
    };
    let status = StatusCode::OK;
    if *behavior == Behavior::Bare {
        let mut response = answer(status, &body);
        let headers = response.headers_mut();
        headers.insert("Action", action.parse().expect("a word"));
        headers.insert("Message", message.parse().expect("words"));
        return (acked, response);
    }
    if *behavior == Behavior::Terse {
        let body = if acked { judge::terse(&body) } else { json!({}) };
        let told = json!({ "HEADER": { "ACTION": action.to_lowercase() }, "Body": body });
        return (acked, answer(status, &told));
    }
    let mut header = json!({ "action": action, "message": message });
    if *behavior == Behavior::Talkative {
        judge::say_back(&mut body, asked, acked);
        header["message"] = json!(format!("{message}: {} {}", asked.header, asked.body));
    }
    (acked, answer(status, &json!({ "header": header, "body": body })))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
