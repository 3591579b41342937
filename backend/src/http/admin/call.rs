//! A request that changes something: who asks, what for, and once.

use std::pin::Pin;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::HeaderMap;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::error;
use tripline_protocol::unit::Timestamp;

use super::admission::Admitted;
use super::answers::{self, Key};
use super::problem::Problem;
use super::tag::OnlyIf;
use super::{AdminApp, App};
use crate::http::body;
use crate::identity::authority::sha256;
use crate::operate::{Actor, OperateError};
use crate::store::Tx;
use crate::store::retry::retry;
use crate::time;

/// Has one effect however often it comes with the same value.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

const JSON: &str = "application/json";

/// Who asks for a change, and under which key.
#[derive(Debug)]
pub(super) struct Call {
    admitted: Admitted,
    key: Option<Key>,
    only_if: OnlyIf,
}

impl Call {
    /// Who asks.
    pub(super) const fn actor(&self) -> &Actor {
        &self.admitted.actor
    }

    /// What must be there for it to be carried out.
    pub(super) fn only_if(&self) -> OnlyIf {
        self.only_if.clone()
    }
}

/// A change that is asked for in JSON. An empty body is the empty object.
pub(super) struct Change<T> {
    pub(super) call: Call,
    pub(super) body: T,
}

impl<T: DeserializeOwned> FromRequest<App> for Change<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        let (call, bytes) = take_in(request, &[JSON], body::BODY_LEN_MAX).await?;
        Ok(Self { call, body: parse(if bytes.is_empty() { b"{}" } else { &bytes })? })
    }
}

/// Reads a request whose body has one of these media types; with an empty body any will do.
pub(super) async fn take_in(
    request: Request,
    media_types: &[&str],
    len_max: usize,
) -> Result<(Call, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    let admitted = parts.extensions.get::<Admitted>().cloned();
    let admitted = admitted.ok_or_else(|| {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "this needs a token that counts")
    })?;
    let media_type = body::media_type(&parts.headers);
    let key = key(&parts.headers)?;
    let bytes = body::read_up_to(&parts.headers, body, len_max).await?;
    if !bytes.is_empty() && !media_types.iter().any(|taken| media_type.as_deref() == Some(*taken)) {
        let detail = format!("Content-Type must be {}", media_types.join(" or "));
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail));
    }
    let what = parts.uri.path_and_query().map_or("", |what| what.as_str());
    let asked = [parts.method.as_str().as_bytes(), b" ", what.as_bytes(), b"\n", &bytes].concat();
    let key = key.map(|key| Key { token: admitted.token, text: key, digest: sha256(&asked) });
    let only_if = OnlyIf::of(&parts.headers);
    Ok((Call { admitted, key, only_if }, bytes))
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > answers::IDEMPOTENCY_KEY_LEN_MAX {
        let max = answers::IDEMPOTENCY_KEY_LEN_MAX;
        let problem = format!("must have 1 to {max} characters of ASCII");
        return Err(Problem::invalid("Idempotency-Key", problem));
    }
    Ok(Some(key.to_owned()))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (path, inner) = (error.path().to_string(), error.inner());
        if inner.is_data() {
            let field = if path == "." { "body".to_owned() } else { path };
            return Problem::invalid(field, format!("cannot be used: {inner}"));
        }
        unreadable(inner)
    })?;
    reader.end().map_err(|error| unreadable(&error))?;
    Ok(parsed)
}

fn unreadable(error: &serde_json::Error) -> Problem {
    let detail = format!("the body is no JSON: {error}");
    Problem::new(StatusCode::BAD_REQUEST, "unreadable", detail)
}

/// What a verb comes to.
pub(super) type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, OperateError>> + Send + 'a>>;

impl AdminApp {
    /// Carries out a verb in a transaction and answers with its view; under a key that was used before, answers
    /// as then. `what` is what the verb is given beside its transaction, its actor and its time.
    pub(super) async fn change<A, T: Serialize>(
        &self,
        call: &Call,
        status: StatusCode,
        what: &A,
        verb: impl for<'a> Fn(&'a mut Tx, &'a Actor, &'a A, Timestamp) -> Doing<'a, T>,
    ) -> Result<Response, Problem> {
        self.carry_out(call, status, true, what, verb).await
    }

    /// The same for a verb whose view holds a secret, of which nothing is kept.
    pub(super) async fn change_secretly<A, T: Serialize>(
        &self,
        call: &Call,
        status: StatusCode,
        what: &A,
        verb: impl for<'a> Fn(&'a mut Tx, &'a Actor, &'a A, Timestamp) -> Doing<'a, T>,
    ) -> Result<Response, Problem> {
        self.carry_out(call, status, false, what, verb).await
    }

    async fn carry_out<A, T: Serialize>(
        &self,
        call: &Call,
        status: StatusCode,
        is_kept: bool,
        what: &A,
        verb: impl for<'a> Fn(&'a mut Tx, &'a Actor, &'a A, Timestamp) -> Doing<'a, T>,
    ) -> Result<Response, Problem> {
        let now = time::now();
        let done = retry(|| async {
            let mut tx = self.platform.store.write().await?;
            if let Some(key) = &call.key
                && !key.claim(&mut tx, now).await?
            {
                return Ok(Err(key.answer(&mut tx).await?));
            }
            let view = verb(&mut tx, &call.admitted.actor, what, now).await?;
            if let Some(key) = &call.key {
                key.keep(&mut tx, status, is_kept.then_some(&view)).await?;
            }
            tx.commit().await?;
            Ok::<_, OperateError>(Ok(view))
        });
        match done.await? {
            Ok(view) => {
                self.follow().await;
                Ok((status, Json(view)).into_response())
            }
            Err(before) => before,
        }
    }

    /// Takes what was changed into memory, so that whoever asks next meets it. Other processes follow by
    /// themselves, and so would this one.
    async fn follow(&self) {
        self.platform.outbox.notify_one();
        if let Err(error) = self.platform.refresh_fleet(time::now()).await {
            error!(%error, "it could not be seen whether the fleet changed");
        }
    }
}
