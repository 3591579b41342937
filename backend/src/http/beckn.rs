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
use crate::beckn::{
    Action, Fault, FaultKind, Mismatch, Received, ack, check_parties, located, parse,
};
use crate::listen::Origin;
use crate::metrics::{ActionOutcome, Reason};
use crate::network::authenticate::{self, Authenticated, Unauthenticated};
use crate::network::directory::Look;
use crate::service::{Asked, RequestError, Taken};
use crate::time;

/// How far clocks may be apart, in ms, before a request is called stale.
const CLOCK_SKEW_MS: i64 = 10_000;

/// What is said of an action that is not served.
const OTHER: &str = "other";

/// Time between two lines about what anybody can cause, in ms. All of it is counted.
const LINE_MS: i64 = 10_000;

/// A request whose body is there.
struct Incoming<'a> {
    origin: Origin,
    headers: &'a HeaderMap,
    body: &'a Bytes,
    action: &'a str,
    at: Timestamp,
}

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
        Ok(taken) => (taken.code(), Json(ack()).into_response()),
        Err(Refused { subscriber, fault }) => {
            let fault = match served {
                Some(action) => located(fault, action),
                None => fault,
            };
            tell(&app, action, subscriber.as_deref(), &fault);
            let realm = &app.platform.settings.identity.subscriber_id;
            (fault.kind.code(), nack::respond(&fault, realm))
        }
    };
    app.platform.metrics.requests.get_or_create(&ActionOutcome { action, outcome }).inc();
    response
}

/// Logs a refusal; of those that take no signature, one now and then. The message is for whoever asked: it
/// may hold what they wrote.
fn tell(app: &App, action: &'static str, subscriber: Option<&str>, fault: &Fault) {
    let (reason, path) = (fault.kind.code(), known_path(fault));
    if is_anybodys(fault.kind) && !app.refusal_told.is_due(time::now(), LINE_MS) {
        debug!(action, subscriber, reason, path, "request refused");
    } else {
        info!(action, subscriber, reason, path, "request refused");
    }
}

/// Whether anybody can cause this, signed or not.
const fn is_anybodys(kind: FaultKind) -> bool {
    match kind {
        FaultKind::Unsigned
        | FaultKind::GatewayUnsigned
        | FaultKind::TooOften
        | FaultKind::TooLarge
        | FaultKind::TooSlow
        | FaultKind::Encoding
        | FaultKind::Overload
        | FaultKind::Unavailable => true,
        FaultKind::Json
        | FaultKind::Context
        | FaultKind::Schema
        | FaultKind::UnknownAction
        | FaultKind::UnknownProvider
        | FaultKind::UnknownItem
        | FaultKind::UnknownPromotion
        | FaultKind::TooFarAhead
        | FaultKind::Quantity
        | FaultKind::DropMissing
        | FaultKind::NoMatch
        | FaultKind::Payment
        | FaultKind::FormMissing
        | FaultKind::UnknownFulfillment
        | FaultKind::UnknownOrder
        | FaultKind::NotServed
        | FaultKind::MessageIdReused
        | FaultKind::Stale => false,
    }
}

/// The path of a fault, but for one that has the sender's own words in it.
fn known_path(fault: &Fault) -> Option<&str> {
    fault.path.as_deref().filter(|_| fault.kind != FaultKind::Json)
}

/// A request that was not taken, and whose it is, once that is known.
struct Refused {
    subscriber: Option<String>,
    fault: Fault,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { subscriber: None, fault }
    }
}

async fn take_in(
    app: &App,
    peer: IpAddr,
    action: &str,
    request: Request,
) -> Result<Taken, Refused> {
    let (head, stream) = request.into_parts();
    let origin = app.gate.count_address(peer, &head.headers)?;
    if let Some(reason) = app.platform.standing.borrow().refusal() {
        return Err(Fault::new(FaultKind::Unavailable, reason).into());
    }
    let body = body::read(&head.headers, stream).await?;
    let (since, at) = (Instant::now(), time::now());
    let incoming = Incoming { origin, headers: &head.headers, body: &body, action, at };
    let mut asked = verified(app, &incoming).await?;
    asked.too_late = staleness(app, &asked.received, at);
    // Not before: a stranger who waits for the registry's word takes nobody's place.
    let _place = app.gate.enter()?;
    let subscriber = asked.subscriber_id.clone();
    let taken = app.intake.take_in(asked).await.map_err(|failed| Refused {
        subscriber: Some(subscriber.clone()),
        fault: fault_of(failed, action),
    })?;
    info!(action, subscriber, outcome = taken.code(), "request acknowledged");
    app.platform.metrics.request_seconds.observe(since.elapsed().as_secs_f64());
    Ok(taken)
}

/// What is asked, by whom: both known from the signature.
async fn verified(app: &App, incoming: &Incoming<'_>) -> Result<Asked, Refused> {
    app.gate.check_failures(incoming.origin)?;
    let by = signers(app, incoming, Look::Cached).await?;
    let subscriber_id = by.sender.first().map(|entry| entry.id.clone()).unwrap_or_default();
    match checked(app, incoming, &by, &subscriber_id).await {
        Ok(received) => Ok(Asked { subscriber_id, received, too_late: None }),
        Err(fault) => Err(Refused { subscriber: Some(subscriber_id), fault }),
    }
}

/// What a known sender asks, if it may.
async fn checked(
    app: &App,
    incoming: &Incoming<'_>,
    by: &Authenticated,
    subscriber_id: &str,
) -> Result<Received, Fault> {
    app.gate.count_sender(subscriber_id, incoming.origin, &by.signature)?;
    let received = parse(incoming.action, incoming.body)?;
    let identity = &app.platform.settings.identity;
    let checked = match check_parties(identity, &app.guard, by, &received) {
        Err(Mismatch::Entry(_)) => {
            // It may have changed since the registry was asked.
            let anew = signers(app, incoming, Look::Anew).await?;
            check_parties(identity, &app.guard, &anew, &received)
        }
        checked => checked,
    };
    checked.map_err(Fault::from)?;
    check_outbox(app, subscriber_id, received.request.action())?;
    Ok(received)
}

/// Who signed it.
async fn signers(app: &App, incoming: &Incoming<'_>, look: Look) -> Result<Authenticated, Fault> {
    let Incoming { origin, headers, body, at, .. } = *incoming;
    let found = authenticate::bap(&app.directory, headers, body, look, at).await;
    found.map_err(|error| unauthenticated(app, origin, &error, at))
}

pub(super) fn unauthenticated(
    app: &App,
    origin: Origin,
    error: &Unauthenticated,
    at: Timestamp,
) -> Fault {
    let (reason, fault) = match error {
        Unauthenticated::Sender(bad) => {
            app.gate.count_failure(origin);
            (bad.code(), Fault::new(FaultKind::Unsigned, error.to_string()))
        }
        // Counted together: few requests pass through one.
        Unauthenticated::Gateway(_) => {
            app.gate.count_failure(origin);
            ("gateway", Fault::new(FaultKind::GatewayUnsigned, error.to_string()))
        }
        // Nothing was found out about the sender, and so nothing against the address.
        Unauthenticated::Directory(_) => {
            if app.outage_told.is_due(at, LINE_MS) {
                warn!(%error, "it cannot be told who sends requests");
            }
            let message = "it cannot be found out who you are at this moment; try again";
            ("directory", Fault::new(FaultKind::Unavailable, message))
        }
    };
    if app.refusal_told.is_due_of(reason, at, LINE_MS) {
        info!(reason, "it is not known who sent a request");
    }
    app.platform.metrics.signatures_refused.get_or_create(&Reason { reason }).inc();
    fault
}

/// Nobody waits for an answer whose time has passed. A clock ahead of ours makes nothing stale.
fn staleness(app: &App, received: &Received, now: Timestamp) -> Option<Fault> {
    let ttl_ms = received.ttl_ms.filter(|_| app.gate.rules.refuse_stale)?;
    let late_ms = now.since_ms(received.sent_at.plus_ms(ttl_ms));
    let message = format!("the request is stale: its ttl passed {late_ms} ms ago by our clock");
    (late_ms > CLOCK_SKEW_MS).then(|| Fault::new(FaultKind::Stale, message))
}

/// Whoever takes no answers is to take those before asking for more. A booking goes on all the same.
fn check_outbox(app: &App, subscriber_id: &str, action: Action) -> Result<(), Fault> {
    let goes_on = action.is_of_booking() && action != Action::Status;
    if goes_on || !app.platform.outbox_is_full(subscriber_id) {
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
