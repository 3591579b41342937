//! What operators and their tools use: the API under `/v1/`, `GET /metrics` for Prometheus, and `GET /health`
//! for whoever restarts what does not work.
//!
//! An endpoint is thin: it reads what is asked, calls a verb of [`operate`](crate::operate), and shows its
//! view. Which role it needs stands where it is routed (`route::needs`), and so in the document that is
//! made of the routes (`document`): no route can lack its description, nor its role.

mod admission;
mod answers;
mod call;
mod document;
mod frame;
mod metrics;
mod params;
mod problem;
mod route;
mod tag;

mod area;
mod audit;
mod callback;
mod case;
mod dispatch;
mod driver;
mod duty;
mod explain;
mod form;
mod health;
mod import;
mod item;
mod live;
mod openapi;
mod order;
mod paper;
mod promotion;
mod provider;
mod shift;
mod subscriber;
mod tariff;
mod token;
mod trip;
mod vehicle;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use ipnet::IpNet;
use tokio::sync::Semaphore;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use self::admission::Admission;
use crate::identity::live::Identity;
use crate::network::directory::Directory;
use crate::operate::Role;
use crate::operate::device::EnrolSite;
use crate::service::Platform;

pub use answers::forget;

/// Requests of the API that are worked on at once. Operators and their programs are few; it bounds what their
/// bodies take in memory.
const REQUESTS_MAX: usize = 64;

/// Where the API is met, and how codes are told.
#[derive(Debug, Clone)]
pub struct AdminRules {
    /// Networks of the reverse proxies whose `X-Forwarded-For` is believed.
    pub proxies: Vec<IpNet>,
    /// Whether whoever reaches the listener may read `/metrics`: it is on a loopback address.
    pub open_metrics: bool,
    /// The URL that is told with enrolment codes.
    pub enrol_url: String,
}

/// What the handlers need.
#[derive(Debug)]
pub struct AdminApp {
    platform: Arc<Platform>,
    directory: Arc<Directory>,
    identity: Arc<Identity>,
    rules: AdminRules,
    admission: Admission,
    requests: Semaphore,
}

/// The state of every handler.
type App = Arc<AdminApp>;

impl AdminApp {
    /// Handlers for a platform.
    pub fn new(
        platform: Arc<Platform>,
        directory: Arc<Directory>,
        identity: Arc<Identity>,
        rules: AdminRules,
    ) -> Self {
        Self {
            platform,
            directory,
            identity,
            rules,
            admission: Admission::default(),
            requests: Semaphore::new(REQUESTS_MAX),
        }
    }

    /// Where devices enrol.
    fn enrol_site(&self) -> EnrolSite {
        let ca = self.identity.authorities().serving().fingerprint();
        EnrolSite { ca, url: self.rules.enrol_url.clone() }
    }
}

/// Every route of the API, with its description.
fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::begun())
        .merge(area::routes())
        .merge(audit::routes())
        .merge(callback::routes())
        .merge(case::routes())
        .merge(driver::routes())
        .merge(duty::routes())
        .merge(dispatch::routes())
        .merge(form::routes())
        .merge(health::routes())
        .merge(import::routes())
        .merge(item::routes())
        .merge(live::routes())
        .merge(explain::routes())
        .merge(openapi::routes())
        .merge(order::routes())
        .merge(paper::routes())
        .merge(promotion::routes())
        .merge(provider::routes())
        .merge(shift::routes())
        .merge(subscriber::routes())
        .merge(tariff::routes())
        .merge(token::routes())
        .merge(trip::routes())
        .merge(vehicle::routes())
}

/// The API's OpenAPI document.
pub fn openapi() -> OpenApi {
    api().into_openapi()
}

/// The routes.
pub fn router(app: AdminApp) -> Router {
    let app = Arc::new(app);
    let mut guarded: Router<App> = api().into();
    let mut open = Router::new().route("/health", get(metrics::health));
    if app.rules.open_metrics {
        open = open.route("/metrics", get(metrics::metrics));
    } else {
        let layer = route::check_layer(Role::Viewer);
        guarded = guarded.route("/metrics", get(metrics::metrics).route_layer(from_fn(layer)));
    }
    let guarded = guarded
        .fallback(frame::not_found)
        .method_not_allowed_fallback(frame::method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&app), admission::authenticate));
    open.merge(guarded).layer(from_fn(frame::around)).with_state(app)
}
