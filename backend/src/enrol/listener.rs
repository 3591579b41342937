//! The enrolment listener: HTTPS with a certificate of the device CA, one request a connection.
//!
//! Whoever may come: it is open to strangers, so that everything they can take is limited.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::CertificateDer;
use serde::de::DeserializeOwned;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tracing::debug;
use tripline_protocol::enrol::{
    BODY_LEN_MAX, ENROL_PATH, EnrolFailure, EnrolRefusal, Enrolled, RENEW_PATH,
};

use super::office::Office;
use crate::config;
use crate::identity::live::TlsSource;
use crate::listen::{self, Door, Entrance, Limits, Rate, descriptors};
use crate::metrics::Reason;
use crate::time;

/// Connections at once. One lasts for a handshake and a request, so that a fleet gets through in minutes.
const CONNECTIONS_MAX: usize = descriptors::BESIDE_DEVICES_MAX;

/// Connections at once from one address.
const CONNECTIONS_PER_ADDRESS_MAX: usize = CONNECTIONS_MAX / 2;

/// Seconds' worth of an address's rate that may come at once.
const BURST_S: u32 = 5;

/// Requests worked on at once; beyond it they are told to come again. The store has one writer.
const REQUESTS_MAX: usize = 64;

/// Longest time for the TLS handshake, in ms.
const HANDSHAKE_MS_MAX: u64 = 10_000;

/// Longest time for a request's head, in ms.
const HEAD_MS_MAX: u64 = 10_000;

/// Longest life of a connection after its handshake, in ms: it bounds a body that drips in.
const CONNECTION_MS_MAX: u64 = 30_000;

/// Largest buffer for a request's head and what follows it, in bytes; the least that hyper takes.
const BUFFER_LEN_MAX: usize = 8_192;

/// What the handlers need.
#[derive(Debug, Clone)]
struct Desk {
    office: Arc<Office>,
    requests: Arc<Semaphore>,
}

/// Who is at the other end.
#[derive(Debug, Clone)]
struct Caller {
    peer: IpAddr,
    certificate: Option<CertificateDer<'static>>,
}

/// What the enrolment listener admits under this configuration: as many new connections from one
/// address as the device endpoint, since the same vehicles share it.
pub const fn limits(config: &config::Device) -> Limits {
    let per_s = config.connects_per_address_per_s;
    Limits {
        connections_max: CONNECTIONS_MAX,
        pending_max: CONNECTIONS_MAX,
        pending_per_address_max: CONNECTIONS_PER_ADDRESS_MAX,
        rate_per_address: Some(Rate { per_s, burst: per_s.saturating_mul(BURST_S) }),
    }
}

/// Serves until the task is dropped.
pub async fn run(listener: TcpListener, limits: Limits, tls: TlsSource, office: Arc<Office>) {
    let platform = Arc::clone(&office.platform);
    let desk = Desk { office, requests: Arc::new(Semaphore::new(REQUESTS_MAX)) };
    let router = Router::new()
        .route(ENROL_PATH, post(enrol))
        .route(RENEW_PATH, post(renew))
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .with_state(desk);
    let serve = |stream, peer, entrance| {
        connection(stream, peer, entrance, TlsAcceptor::from(tls.current()), router.clone())
    };
    let refused = |peer, refusal: listen::Refusal| {
        let reason = refusal.code();
        debug!(%peer, reason, "enrolment connection refused");
        platform.metrics.enrolments.get_or_create(&Reason { reason }).inc();
    };
    listen::run(listener, Door::new(limits), serve, refused).await;
}

/// Serves one connection. It is pending until its answer is sent: a handshake shows nothing of a
/// stranger, and a certificate may be a stolen one, so that every connection can be told to make room.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    entrance: Entrance,
    acceptor: TlsAcceptor,
    router: Router,
) {
    let ended = tokio::select! {
        () = entrance.evicted() => Err("it made room for a newer one".to_owned()),
        ended = serve(stream, peer, acceptor, router) => ended,
    };
    if let Err(reason) = ended {
        debug!(%peer, reason, "enrolment connection ended");
    }
}

/// Shakes hands and answers one request.
async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    router: Router,
) -> Result<(), String> {
    let deadline = Duration::from_millis(HANDSHAKE_MS_MAX);
    let stream = tokio::time::timeout(deadline, acceptor.accept(stream))
        .await
        .map_err(|_| "no TLS handshake in time")?
        .map_err(|error| error.to_string())?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = shown.map(|shown| shown.clone().into_owned());
    let caller = Caller { peer: peer.ip().to_canonical(), certificate };
    let service = TowerToHyperService::new(router.layer(Extension(caller)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(HEAD_MS_MAX))
        .max_buf_size(BUFFER_LEN_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let life = Duration::from_millis(CONNECTION_MS_MAX);
    tokio::time::timeout(life, connection)
        .await
        .map_err(|_| "no whole request in time")?
        .map_err(|error| error.to_string())
}

async fn enrol(
    State(desk): State<Desk>,
    Extension(caller): Extension<Caller>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(_permit) = desk.requests.try_acquire() else { return desk.busy() };
    match read(body) {
        Ok(request) => answer(desk.office.enrol(&request, caller.peer, time::now()).await),
        Err(message) => desk.refuse(EnrolRefusal::Malformed, message),
    }
}

async fn renew(
    State(desk): State<Desk>,
    Extension(caller): Extension<Caller>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(_permit) = desk.requests.try_acquire() else { return desk.busy() };
    let shown = caller.certificate.as_ref();
    match read(body) {
        Ok(request) => answer(desk.office.renew(shown, &request, caller.peer, time::now()).await),
        Err(message) => desk.refuse(EnrolRefusal::Malformed, message),
    }
}

impl Desk {
    fn busy(&self) -> Response {
        let message = "many devices enrol at this moment; try again in some seconds";
        self.refuse(EnrolRefusal::Busy, message.into())
    }

    fn refuse(&self, refusal: EnrolRefusal, message: String) -> Response {
        let metrics = &self.office.platform.metrics;
        metrics.enrolments.get_or_create(&Reason { reason: refusal.code() }).inc();
        answer(Err(EnrolFailure { refusal, message }))
    }
}

fn read<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, String> {
    let body = body.map_err(|rejection| rejection.body_text())?;
    serde_json::from_slice(&body).map_err(|error| format!("the body: {error}"))
}

fn answer(outcome: Result<Enrolled, EnrolFailure>) -> Response {
    let (status, body) = match outcome {
        Ok(enrolled) => (StatusCode::OK, Json(enrolled).into_response()),
        Err(failure) => (status(failure.refusal), Json(failure).into_response()),
    };
    (status, [(CACHE_CONTROL, "no-store")], body).into_response()
}

const fn status(refusal: EnrolRefusal) -> StatusCode {
    match refusal {
        EnrolRefusal::Malformed => StatusCode::BAD_REQUEST,
        EnrolRefusal::UnknownCode
        | EnrolRefusal::ExpiredCode
        | EnrolRefusal::UsedCode
        | EnrolRefusal::Revoked
        | EnrolRefusal::NoCertificate
        | EnrolRefusal::OtherKey => StatusCode::FORBIDDEN,
        EnrolRefusal::Busy => StatusCode::TOO_MANY_REQUESTS,
        EnrolRefusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}
