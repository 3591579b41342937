//! `POST {base}/{action}`: what costs least is looked at first. Who asks is verified over the bytes as
//! received, then the dialect reads them, then the intake takes the request. An ACK means that it is stored.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use tracing::{debug, error, info, warn};
use tripline_protocol::unit::Timestamp;

use super::listener::Peer;
use super::{App, body, nack};
use crate::beckn::v0_9::{Mismatch, ack, check_parties, located, parse};
use crate::beckn::{Action, Fault, FaultKind, Received};
use crate::metrics::{ActionOutcome, Reason};
use crate::network::authenticate::{self, Unauthenticated};
use crate::network::directory::Look;
use crate::network::subscriber::Subscriber;
use crate::service::{Asked, RequestError};
use crate::time;

/// How far clocks may be apart, in ms, before a request is called stale.
const CLOCK_SKEW_MS: i64 = 10_000;

/// What is said of an action that is not served.
const OTHER: &str = "other";

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let named = path.map(|Path(action)| action).unwrap_or_default();
    let served = Action::from_code(&named);
    let action = served.map_or(OTHER, Action::code);
    let (outcome, response) = match take_in(&app, peer, &named, request).await {
        Ok(()) => ("taken", Json(ack()).into_response()),
        Err(fault) => {
            let fault = match served {
                Some(action) => located(fault, action),
                None => fault,
            };
            // The message is for whoever asked; it may hold what they wrote.
            let reason = fault.kind.code();
            if fault.kind == FaultKind::TooOften {
                debug!(action, reason, "request refused");
            } else {
                info!(action, reason, path = known_path(&fault), "request refused");
            }
            (reason, nack::respond(&fault, &app.platform.settings.identity.subscriber_id))
        }
    };
    app.platform.metrics.requests.get_or_create(&ActionOutcome { action, outcome }).inc();
    response
}

/// The path of a fault, but for one that has the sender's own words in it.
fn known_path(fault: &Fault) -> Option<&str> {
    fault.path.as_deref().filter(|_| fault.kind != FaultKind::Json)
}

async fn take_in(app: &App, peer: IpAddr, action: &str, request: Request) -> Result<(), Fault> {
    let (head, stream) = request.into_parts();
    app.gate.count_address(peer, &head.headers)?;
    if let Some(reason) = app.platform.standing.borrow().refusal() {
        return Err(Fault::new(FaultKind::Unavailable, reason));
    }
    let bytes = body::read(&head.headers, stream).await?;
    let since = Instant::now();
    let _place = app.gate.enter()?;
    let now = time::now();
    let asked = verified(app, &head.headers, &bytes, action, now).await?;
    check_age(app, &asked.received, now)?;
    let subscriber = asked.subscriber_id.clone();
    app.intake.take_in(asked).await.map_err(|failed| fault_of(failed, action))?;
    info!(action, subscriber, "request acknowledged");
    app.platform.metrics.request_seconds.observe(since.elapsed().as_secs_f64());
    Ok(())
}

/// What is asked, by whom: both known from the signature.
async fn verified(
    app: &App,
    headers: &HeaderMap,
    bytes: &Bytes,
    action: &str,
    now: Timestamp,
) -> Result<Asked, Fault> {
    let signers = signers(app, headers, bytes, Look::Cached, now).await?;
    let subscriber_id = signers.first().map(|entry| entry.id.clone()).unwrap_or_default();
    app.gate.count_subscriber(&subscriber_id)?;
    let received = parse(action, bytes)?;
    let identity = &app.platform.settings.identity;
    let checked = match check_parties(identity, &app.guard, &signers, &received) {
        Err(Mismatch::Entry(_)) => {
            // It may have changed since the registry was asked.
            let anew = self::signers(app, headers, bytes, Look::Anew, now).await?;
            check_parties(identity, &app.guard, &anew, &received)
        }
        checked => checked,
    };
    checked.map_err(Fault::from)?;
    check_outbox(app, &subscriber_id, received.request.action())?;
    Ok(Asked { subscriber_id, received })
}

/// The signer's entries under whose key the signature holds.
async fn signers(
    app: &App,
    headers: &HeaderMap,
    bytes: &Bytes,
    look: Look,
    now: Timestamp,
) -> Result<Vec<Subscriber>, Fault> {
    let found = authenticate::bap(&app.directory, headers, bytes, look, now).await;
    found.map_err(|error| unauthenticated(app, &error))
}

fn unauthenticated(app: &App, error: &Unauthenticated) -> Fault {
    let (reason, fault) = match error {
        Unauthenticated::Sender(bad) => {
            (bad.code(), Fault::new(FaultKind::Unsigned, error.to_string()))
        }
        // Counted together: few requests pass through one.
        Unauthenticated::Gateway(_) => {
            ("gateway", Fault::new(FaultKind::GatewayUnsigned, error.to_string()))
        }
        Unauthenticated::Directory(_) => {
            warn!(%error, "it cannot be told who sends requests");
            let message = "it cannot be found out who you are at this moment; try again";
            ("directory", Fault::new(FaultKind::Unavailable, message))
        }
    };
    app.platform.metrics.signatures_refused.get_or_create(&Reason { reason }).inc();
    fault
}

/// Nobody waits for an answer whose time has passed. A clock ahead of ours makes nothing stale.
fn check_age(app: &App, received: &Received, now: Timestamp) -> Result<(), Fault> {
    let Some(ttl_ms) = received.ttl_ms.filter(|_| app.gate.rules.refuse_stale) else {
        return Ok(());
    };
    let late_ms = now.since_ms(received.sent_at.plus_ms(ttl_ms));
    if late_ms <= CLOCK_SKEW_MS {
        return Ok(());
    }
    let message = format!("the request is stale: its ttl passed {late_ms} ms ago by our clock");
    Err(Fault::new(FaultKind::Stale, message))
}

/// Whoever takes no answers is to take those before asking for more. A booking goes on all the same.
fn check_outbox(app: &App, subscriber_id: &str, action: Action) -> Result<(), Fault> {
    if action.is_of_booking() || !app.platform.outbox_is_full(subscriber_id) {
        return Ok(());
    }
    let message = "too many callbacks wait for you to take them; take those first";
    Err(Fault::new(FaultKind::Unavailable, message))
}

fn fault_of(failed: RequestError, action: &str) -> Fault {
    match failed {
        RequestError::Fault(fault) => fault,
        RequestError::Service(error) => {
            error!(action, %error, "request not stored");
            Fault::new(FaultKind::Overload, "the request could not be stored; try again")
        }
    }
}
