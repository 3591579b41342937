//! Answers of the link: their headers, and what is said where there is no ride to show.

use axum::Json;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::accept::Form;
use super::page::{self, POLICY};
use super::view::{NothingView, RideView};
use super::{OVER, WAITING};

/// What every answer says: keep it nowhere, it depends on what is wanted, take it for what it says it is, tell
/// nobody the address, list it nowhere.
const STRICT: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (VARY, "accept"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

/// What is no page loads and runs nothing.
const NOTHING_LOADED: [(HeaderName, &str); 1] =
    [(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox")];

/// Asks reverse proxies to pass on what comes as it comes.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// When to come again after too much at once, in s.
const RETRY_S: u64 = 5;

/// How often the page of a ride that has no driver asks anew, in s.
const WAITING_S: u64 = 10;

/// Why no ride is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nothing {
    status: StatusCode,
    view: NothingView,
    /// The heading of its page, and what stands under it.
    title: &'static str,
    told: &'static str,
    /// When a page asks anew, in s; not at all if not set.
    again_s: Option<u64>,
}

impl Nothing {
    pub(super) const UNKNOWN: Self = Self {
        status: StatusCode::NOT_FOUND,
        view: NothingView::said("no such link"),
        title: "There is no such link",
        told: "Is it complete?",
        again_s: None,
    };
    pub(super) const WAITING: Self = Self {
        status: StatusCode::GONE,
        view: NothingView::of_ride(WAITING),
        title: "No driver has taken the ride yet",
        told: "This page shows the vehicle as soon as one has.",
        again_s: Some(WAITING_S),
    };
    pub(super) const OVER: Self = Self {
        status: StatusCode::GONE,
        view: NothingView::of_ride(OVER),
        title: "The ride is over",
        told: "This link shows nothing any more.",
        again_s: None,
    };
    pub(super) const WANTED: Self = Self {
        status: StatusCode::NOT_ACCEPTABLE,
        view: NothingView::said(
            "there is application/json, text/html and text/event-stream, and Accept wants none of them",
        ),
        title: "None of its forms is wanted",
        told: "There is JSON, HTML and a stream of events.",
        again_s: None,
    };
    pub(super) const TOO_OFTEN: Self = Self {
        status: StatusCode::TOO_MANY_REQUESTS,
        view: NothingView::said("more requests come from this address than are taken; send fewer"),
        title: "Too many requests come from your address",
        told: "This page asks again in some seconds.",
        again_s: Some(RETRY_S),
    };
    pub(super) const RIDE_FULL: Self = Self {
        status: StatusCode::TOO_MANY_REQUESTS,
        view: NothingView::said("this ride has as many watchers as it may have; close one"),
        title: "Too many watch this ride",
        told: "This page asks again in some seconds.",
        again_s: Some(RETRY_S),
    };
    pub(super) const FULL: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        view: NothingView::said("there are as many watchers as there may be; ask without a stream"),
        title: "Too many watch their rides",
        told: "This page asks again in some seconds.",
        again_s: Some(RETRY_S),
    };
    pub(super) const FAILED: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        view: NothingView::said("try again"),
        title: "The ride cannot be shown at the moment",
        told: "This page asks again in some seconds.",
        again_s: Some(RETRY_S),
    };

    /// In a form; whoever wants a stream gets JSON.
    pub(super) fn respond(self, form: Form) -> Response {
        let mut response = match form {
            Form::Page => html(page::said(self.title, self.told, self.again_s)),
            Form::Json | Form::Events => (STRICT, NOTHING_LOADED, Json(self.view)).into_response(),
        };
        *response.status_mut() = self.status;
        if [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&self.status) {
            response.headers_mut().insert(RETRY_AFTER, RETRY_S.into());
        }
        response
    }
}

/// A ride as JSON.
pub(super) fn json(view: Json<RideView>) -> Response {
    (STRICT, NOTHING_LOADED, view).into_response()
}

/// A page.
pub(super) fn html(page: String) -> Response {
    let kind = [(CONTENT_TYPE, "text/html; charset=utf-8")];
    let mut response = (STRICT, kind, page).into_response();
    // Made of fixed words and Base64: it is a value.
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A stream.
pub(super) fn events(stream: Body) -> Response {
    let kind = [(CONTENT_TYPE, "text/event-stream"), UNBUFFERED];
    (STRICT, NOTHING_LOADED, kind, stream).into_response()
}
