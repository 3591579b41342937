//! `GET` and `POST /form/{token}`: an item's form for riders to fill in, and what they answer. A rider who was sent
//! there answers with a browser, a rider's platform with its signature.

mod page;
mod sent;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::Value;
use tracing::error;
use uuid::Uuid;

use self::page::Typed;
use self::sent::Sent;
use super::beckn::unauthenticated;
use super::listener::Peer;
use super::{App, body, nack};
use crate::beckn::{Fault, FaultKind, FormProblem, form_refused, form_taken};
use crate::domain::form::{BadNonce, Form, NONCE, Wrong};
use crate::listen::Origin;
use crate::network::authenticate;
use crate::network::directory::Look;
use crate::service::ServiceError;
use crate::service::form::{FormShown, OpenForm, Submitted};
use crate::time;

/// Largest body with answers, in bytes: the longest that a form may have (`FORM_LENGTH_MAX`), each character as
/// nine bytes of an encoded form, and the names of its fields.
const FORM_BODY_LEN_MAX: usize = 128 * 1024;

/// What every answer says: keep it nowhere, take it for what it says it is, run and load nothing, send nothing
/// elsewhere, tell nobody the address, list it nowhere. It may be shown in the frame of a rider's platform.
const STRICT: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; form-action 'self'; base-uri 'none'"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

const HTML: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "text/html; charset=utf-8")];

const UNKNOWN: &str = "there is no such form";
const EXPIRED: &str = "this form is too old; ask for a new one where you found it";
const TRY_AGAIN: &str = "this cannot be worked on at this moment; try again";

/// A form to be filled in.
#[utoipa::path(get, path = "/form/{token}", tag = "rider",
    params(("token" = String, Path, description = "The capability: the link's last part")),
    responses(
        (status = 200, description = "The form, with a nonce of its own", content(
            (String = "text/html"))),
        (status = 404, description = "No such form", content((String = "text/html"))),
        (status = 410, description = "Its time is over", content((String = "text/html"))),
        (status = 429, description = "Too many requests come from the address",
            headers(("Retry-After" = u64, description = "In s")), content((String = "text/html"))),
        (status = 503, description = "The store", content((String = "text/html")))))]
pub(super) async fn show_form(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    // One account with its requests: a link is guessed as little as a signature.
    let entered = app.gate.count_address(peer, &headers).and_then(|_| app.gate.enter());
    let _place = match entered {
        Ok(place) => place,
        Err(fault) => return refused(&app, &fault, Reader::Person),
    };
    match app.platform.show_form(&token, time::now()).await {
        Ok(FormShown::Open(open)) => html(StatusCode::OK, page::form(&open, &Typed::default())),
        Ok(FormShown::Unknown) => html(StatusCode::NOT_FOUND, page::said("Form", UNKNOWN)),
        Ok(FormShown::Expired) => html(StatusCode::GONE, page::said("Form", EXPIRED)),
        Err(error) => refused(&app, &not_stored(&error), Reader::Person),
    }
}

/// Who reads the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// A rider, in a browser.
    Person,
    /// A program.
    Program,
}

impl Reader {
    fn of(headers: &HeaderMap) -> Self {
        let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let is_browser = accepted.any(|value| value.to_ascii_lowercase().contains("text/html"));
        if is_browser && !is_signed(headers) { Self::Person } else { Self::Program }
    }
}

/// Whether somebody says to have signed it. A browser may send passwords for something before us.
fn is_signed(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    values.any(|value| {
        let scheme = value.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
        scheme.eq_ignore_ascii_case(b"signature")
    })
}

/// Answers to a form.
#[utoipa::path(post, path = "/form/{token}", tag = "rider",
    params(
        ("token" = String, Path, description = "The capability: the link's last part"),
        ("Authorization" = Option<String>, Header, description = "A signature of the BAP, where it posts")),
    request_body(content((String = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, description = "Taken, or what is wrong with which field", content(
            (Object = "application/json"), (String = "text/html"))),
        (status = 401, description = "The signature does not hold", content((Object = "application/json"))),
        (status = 404, description = "No such form", content((Object = "application/json"))),
        (status = 410, description = "Its time is over", content((Object = "application/json"))),
        (status = 413, description = "Too long", content((Object = "application/json"))),
        (status = 415, description = "Neither a form nor JSON", content((Object = "application/json"))),
        (status = 429, description = "Too many requests come from the address",
            headers(("Retry-After" = u64, description = "In s")), content((Object = "application/json"))),
        (status = 503, description = "The store", content((Object = "application/json")))))]
pub(super) async fn take_form(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let (head, stream) = request.into_parts();
    let reader = Reader::of(&head.headers);
    match take_in(&app, peer, &token, &head.headers, stream).await {
        Ok((came_of_it, sent)) => answered(&app, &token, reader, came_of_it, sent).await,
        Err(fault) => refused(&app, &fault, reader),
    }
}

/// What costs least is looked at first: the address, the body's length, the signature; and then the store.
async fn take_in(
    app: &App,
    peer: IpAddr,
    token: &str,
    headers: &HeaderMap,
    stream: Body,
) -> Result<(Submitted, Sent), Fault> {
    let origin = app.gate.count_address(peer, headers)?;
    let bytes = body::read_up_to(headers, stream, FORM_BODY_LEN_MAX).await?;
    if is_signed(headers) {
        check_signer(app, origin, token, headers, &bytes).await?;
    }
    let sent = sent::read(headers, &bytes)?;
    let _place = app.gate.enter()?;
    let nonce = sent.nonce.as_deref();
    let submitted = app.platform.submit_form(token, nonce, &sent.fields, time::now()).await;
    Ok((submitted.map_err(|error| not_stored(&error))?, sent))
}

/// It must be the page's own subscriber who signed it.
async fn check_signer(
    app: &App,
    origin: Origin,
    token: &str,
    headers: &HeaderMap,
    bytes: &Bytes,
) -> Result<(), Fault> {
    app.gate.check_failures(origin)?;
    let now = time::now();
    let signed = authenticate::bap(&app.directory, headers, bytes, Look::Cached, now).await;
    let by = signed.map_err(|error| unauthenticated(app, origin, &error, now))?;
    let signer = by.sender.first().map(|entry| entry.id.as_str()).unwrap_or_default();
    app.gate.count_sender(signer, origin, &by.signature)?;
    let owner = app.platform.subscriber_of_form(token).await;
    match owner.map_err(|error| not_stored(&error))? {
        Some(owner) if owner != signer => {
            let message = "this form was given to another subscriber, who has to sign for it";
            Err(Fault::new(FaultKind::Unsigned, message))
        }
        // What there is not is told as such to whoever asks.
        Some(_) | None => Ok(()),
    }
}

fn not_stored(error: &ServiceError) -> Fault {
    error!(%error, "form not served");
    Fault::new(FaultKind::Overload, TRY_AGAIN)
}

fn refused(app: &App, fault: &Fault, reader: Reader) -> Response {
    let realm = &app.platform.settings.identity.subscriber_id;
    let message = &fault.message;
    match reader {
        Reader::Person => {
            let page = (STRICT, HTML, page::said("Form", message));
            nack::respond_with(fault, realm, page)
        }
        Reader::Program => {
            let body = (STRICT, Json(form_refused(&[fault.into()])));
            nack::respond_with(fault, realm, body)
        }
    }
}

async fn answered(
    app: &App,
    token: &str,
    reader: Reader,
    came_of_it: Submitted,
    sent: Sent,
) -> Response {
    match reader {
        Reader::Program => program(&came_of_it),
        Reader::Person => person(app, token, came_of_it, sent).await,
    }
}

/// Of whatever is wrong with the answers a program reads in the body: the status is that of a NACK.
fn program(came_of_it: &Submitted) -> Response {
    let not_there = |status, message| json(status, form_refused(&[FormProblem::of_all(message)]));
    let wrong = |problems: &[FormProblem]| json(StatusCode::OK, form_refused(problems));
    match came_of_it {
        Submitted::In(id, _) => json(StatusCode::OK, form_taken(*id)),
        Submitted::Unknown => not_there(StatusCode::NOT_FOUND, UNKNOWN),
        Submitted::Expired => not_there(StatusCode::GONE, EXPIRED),
        Submitted::BadNonce(bad, _) => wrong(&[(*bad).into()]),
        Submitted::Wrong(fields, _) => {
            wrong(&fields.iter().map(FormProblem::from).collect::<Vec<_>>())
        }
        Submitted::TooMany(_) => wrong(&[FormProblem::too_many()]),
    }
}

async fn person(app: &App, token: &str, came_of_it: Submitted, sent: Sent) -> Response {
    match came_of_it {
        Submitted::In(id, form) => html(StatusCode::OK, page::taken(&form, id)),
        Submitted::Unknown => html(StatusCode::NOT_FOUND, page::said("Form", UNKNOWN)),
        Submitted::Expired => html(StatusCode::GONE, page::said("Form", EXPIRED)),
        Submitted::BadNonce(bad, form) => {
            let told = match bad {
                BadNonce::Missing | BadNonce::Unknown => {
                    "This page is too old. Please send it again."
                }
                BadNonce::Used => {
                    "This page was sent before. To send other answers, send it again."
                }
            };
            once_more(app, token, &form, None, Typed::new(sent, vec![told.to_owned()])).await
        }
        Submitted::Wrong(fields, form) => {
            let nonce = sent.nonce.as_deref().and_then(|nonce| nonce.parse().ok());
            let told = fields.iter().map(for_people).collect();
            once_more(app, token, &form, nonce, Typed::new(sent, told)).await
        }
        Submitted::TooMany(form) => {
            let told = "It was sent in too often, and cannot be changed any more.";
            html(StatusCode::UNPROCESSABLE_ENTITY, page::said(&form.title, told))
        }
    }
}

fn for_people(wrong: &Wrong) -> String {
    format!("{}: {}", wrong.label.as_ref().unwrap_or(&wrong.field), wrong.kind)
}

/// The form with what was typed, to be corrected; with its nonce while that is good, else with a fresh one.
async fn once_more(
    app: &App,
    token: &str,
    form: &Form,
    nonce: Option<Uuid>,
    typed: Typed,
) -> Response {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    if let Some(nonce) = nonce {
        let (form, url) = (form.clone(), app.platform.form_url(token));
        return html(status, page::form(&OpenForm { form, url, nonce }, &typed));
    }
    match app.platform.show_form(token, time::now()).await {
        Ok(FormShown::Open(open)) => html(status, page::form(&open, &typed)),
        Ok(FormShown::Unknown | FormShown::Expired) => {
            html(StatusCode::GONE, page::said(&form.title, EXPIRED))
        }
        Err(error) => refused(app, &not_stored(&error), Reader::Person),
    }
}

fn html(status: StatusCode, page: String) -> Response {
    (status, STRICT, HTML, page).into_response()
}

fn json(status: StatusCode, body: Value) -> Response {
    (status, STRICT, Json(body)).into_response()
}
