//! `GET /track/{token}`: where the vehicle is, for whoever holds the ride's link: JSON for programs, a page for
//! people, and a stream of events for whoever stays.

mod accept;
mod answer;
mod page;
mod sketch;
mod stream;
mod view;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::{Extension, Json};
use tracing::error;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::accept::{Form, wanted};
use self::answer::{Nothing, events, html, json};
use self::view::{NothingView, RideView};
use super::App;
use super::listener::{Lasts, Peer};
use crate::service::track::{Shown, TooManyWatch, Tracked};
use crate::time;

pub use stream::STREAM_MS_MAX;

/// What is said of a ride that has no driver.
const WAITING: &str = "no driver has taken the ride yet";

/// What is said of a ride that is over.
const OVER: &str = "the ride is over";

/// What is said when another driver takes a ride over.
const CHANGED: &str = "the ride is with another driver, or waits for one";

/// What anybody may ask once he has the link.
struct Asking {
    app: Arc<App>,
    peer: Peer,
    lasts: Option<Lasts>,
    token: String,
    headers: HeaderMap,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(follow))
}

/// Show a ride to whoever has its link.
///
/// From a driver's acceptance to the end of the ride. In the form that `Accept` wants most, JSON where it does
/// not say.
#[utoipa::path(get, path = "/track/{token}", tag = "rider",
    params(
        ("token" = String, Path, description = "The capability: the link's last part"),
        ("Accept" = Option<String>, Header, description = "Read with its weights")),
    responses(
        (status = 200, description = "The ride", content(
            (RideView = "application/json"),
            (String = "text/html"),
            (String = "text/event-stream"))),
        (status = 404, description = "No such link", content(
            (NothingView = "application/json"), (String = "text/html"))),
        (status = 406, description = "None of the three forms is wanted", body = NothingView),
        (status = 410, description = "No driver has taken the ride, or it is over", content(
            (NothingView = "application/json"), (String = "text/html"))),
        (status = 429, description = "Too many requests come from the address, or too many watch the ride",
            headers(("Retry-After" = u64, description = "In s")),
            content((NothingView = "application/json"), (String = "text/html"))),
        (status = 503, description = "The store, or too many watch",
            headers(("Retry-After" = u64, description = "In s")),
            content((NothingView = "application/json"), (String = "text/html")))))]
async fn show(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    lasts: Option<Extension<Lasts>>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    let form = wanted(&headers);
    let asking = Asking { app, peer, lasts: lasts.map(|Extension(lasts)| lasts), token, headers };
    match form {
        Some(form) => asking.answer(form).await,
        None => Nothing::WANTED.respond(Form::Json),
    }
}

/// Follow a ride as server-sent events.
///
/// An event has the JSON of the link and comes when something changed, once a second at most. The last one of a
/// ride is `over`, or `changed` if the link is to be asked anew.
#[utoipa::path(get, path = "/track/{token}/events", tag = "rider",
    params(("token" = String, Path, description = "The capability: the link's last part")),
    responses(
        (status = 200, description = "The stream", content((String = "text/event-stream"))),
        (status = 404, description = "No such link", body = NothingView),
        (status = 410, description = "No driver has taken the ride, or it is over", body = NothingView),
        (status = 429, description = "Too many requests come from the address, or too many watch the ride",
            headers(("Retry-After" = u64, description = "In s")), body = NothingView),
        (status = 503, description = "The store, or too many watch",
            headers(("Retry-After" = u64, description = "In s")), body = NothingView)))]
async fn follow(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    lasts: Option<Extension<Lasts>>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    let lasts = lasts.map(|Extension(lasts)| lasts);
    Asking { app, peer, lasts, token, headers }.answer(Form::Events).await
}

impl Asking {
    async fn answer(&self, form: Form) -> Response {
        match self.look().await {
            Ok(shown) => self.shown(&shown, form),
            Err(nothing) => nothing.respond(form),
        }
    }

    async fn look(&self) -> Result<Shown, Nothing> {
        let Peer(peer) = self.peer;
        // One account with its requests: a link is guessed as little as a signature.
        self.app.gate.count_address(peer, &self.headers).map_err(|_| Nothing::TOO_OFTEN)?;
        match self.app.platform.tracked(&self.token).await {
            Ok(Tracked::Active(shown)) => Ok(shown),
            Ok(Tracked::Waiting) => Err(Nothing::WAITING),
            Ok(Tracked::Over) => Err(Nothing::OVER),
            Ok(Tracked::Unknown) => Err(Nothing::UNKNOWN),
            Err(error) => {
                error!(%error, "tracking link not served");
                Err(Nothing::FAILED)
            }
        }
    }

    fn shown(&self, shown: &Shown, form: Form) -> Response {
        let view = || RideView::of(shown, time::now());
        match form {
            Form::Json => json(Json(view())),
            Form::Page => html(page::ride(shown, &view())),
            Form::Events => match self.app.platform.watch(shown) {
                Ok(watch) => events(stream::stream(watch, self.stream_until())),
                Err(TooManyWatch::ThisRide) => Nothing::RIDE_FULL.respond(form),
                Err(TooManyWatch::AllRides) => Nothing::FULL.respond(form),
            },
        }
    }

    /// When a stream that begins here ends: before its connection does, so that its end is one.
    fn stream_until(&self) -> Instant {
        let until = Instant::now() + Duration::from_millis(STREAM_MS_MAX);
        self.lasts.map_or(until, |Lasts(lasts)| until.min(lasts))
    }
}
