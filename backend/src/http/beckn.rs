//! `POST {base}/{action}`: who asks is verified over the bytes as received, then the dialect reads
//! them, then the platform takes the request in. An ACK means that it is stored.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tracing::{error, info, warn};
use tripline_protocol::signing::challenge;

use super::App;
use crate::beckn::v0_9::{ack, check_parties, nack, parse};
use crate::beckn::{Fault, FaultKind};
use crate::network::authenticate;
use crate::network::subscriber::Subscriber;
use crate::service::{RequestError, ServiceError};
use crate::time;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Path(action): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => {
            let fault = Fault {
                kind: FaultKind::Json,
                path: None,
                message: format!("the body cannot be read: {}", rejection.body_text()),
            };
            return (rejection.status(), Json(nack(&fault))).into_response();
        }
    };
    let found = authenticate::bap(&app.directory, &headers, &body, time::now()).await;
    let subscriber = match found.map_err(|error| error.to_string()) {
        Ok(subscriber) => subscriber,
        Err(reason) => {
            warn!(action, reason, "request not authenticated");
            return unauthenticated(&app, reason);
        }
    };
    match take_in(&app, &subscriber, &action, &body).await {
        Ok(()) => {
            info!(action, subscriber = subscriber.id, "request acknowledged");
            Json(ack()).into_response()
        }
        Err(RequestError::Fault(fault)) => {
            info!(action, subscriber = subscriber.id, reason = fault.message, "request refused");
            let status = match fault.kind {
                FaultKind::Json => StatusCode::BAD_REQUEST,
                FaultKind::UnknownAction => StatusCode::NOT_FOUND,
                FaultKind::Overload => StatusCode::SERVICE_UNAVAILABLE,
                FaultKind::Context
                | FaultKind::Schema
                | FaultKind::NotServed
                | FaultKind::MessageIdReused => StatusCode::OK,
            };
            (status, Json(nack(&fault))).into_response()
        }
        Err(RequestError::Service(error)) => {
            error!(action, subscriber = subscriber.id, %error, "request not stored");
            let fault = Fault {
                kind: FaultKind::Overload,
                path: None,
                message: "the request could not be stored; try again".into(),
            };
            (StatusCode::SERVICE_UNAVAILABLE, Json(nack(&fault))).into_response()
        }
    }
}

fn unauthenticated(app: &App, reason: String) -> Response {
    let fault = Fault { kind: FaultKind::Context, path: None, message: reason };
    let realm = &app.platform.settings.identity.subscriber_id;
    let mut response = (StatusCode::UNAUTHORIZED, Json(nack(&fault))).into_response();
    if let Ok(value) = HeaderValue::from_str(&challenge(realm)) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

async fn take_in(
    app: &App,
    subscriber: &Subscriber,
    action: &str,
    body: &[u8],
) -> Result<(), RequestError> {
    let received = parse(action, body)?;
    check_parties(&app.platform.settings.identity, subscriber, &received)?;
    // In a task of its own: a BAP that hangs up drops this handler, and what is half done must be
    // finished, down to telling the device.
    let (platform, action, id) =
        (Arc::clone(&app.platform), action.to_owned(), subscriber.id.clone());
    tokio::spawn(async move { platform.handle_request(&action, &id, received).await })
        .await
        .unwrap_or_else(|error| Err(ServiceError::Render(error.to_string()).into()))
}
