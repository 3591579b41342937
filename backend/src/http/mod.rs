//! HTTP: the Beckn provider API, the rider's link, and what operators read.

mod beckn;
mod body;
mod document;
mod form;
mod gate;
mod nack;
mod peer;
mod receipt;
mod repeats;
mod track;

pub mod admin;
pub mod listener;
pub mod on_subscribe;

use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::network::directory::Directory;
use crate::network::guard::Guard;
use crate::seldom::Seldom;
use crate::service::Platform;
use crate::service::intake::Intake;

pub use body::{BODY_LEN_MAX, BODY_MS_MAX};
pub use gate::{Gate, Rules};
pub use track::STREAM_MS_MAX;

/// What the handlers need.
#[derive(Debug)]
pub struct App {
    platform: Arc<Platform>,
    directory: Arc<Directory>,
    guard: Guard,
    intake: Intake,
    gate: Arc<Gate>,
    refusal_told: Seldom,
    outage_told: Seldom,
}

impl App {
    /// Handlers for a platform: who may ask is in the directory, where they may be called back the guard
    /// knows, what is taken goes to the intake.
    pub fn new(
        platform: Arc<Platform>,
        directory: Arc<Directory>,
        guard: Guard,
        intake: Intake,
        rules: Rules,
    ) -> Self {
        let gate = Arc::new(Gate::new(rules));
        let (refusal_told, outage_told) = (Seldom::default(), Seldom::default());
        Self { platform, directory, guard, intake, gate, refusal_told, outage_told }
    }

    /// The gate, for what else comes in at the same door.
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }
}

/// The routes. `base` is the path of our registered address, without a slash at its end.
pub fn router(app: Arc<App>, base: &str) -> Router {
    document::served(api(base).with_state(app))
}

/// The same, and the registry's [challenges](on_subscribe::routes): all that the public listener serves.
pub fn whole(app: Arc<App>, challenges: OpenApiRouter, base: &str) -> Router {
    document::served(api(base).with_state(app).merge(challenges))
}

/// Every route, with its description.
fn api(base: &str) -> OpenApiRouter<Arc<App>> {
    let mut api = OpenApiRouter::with_openapi(document::begun())
        // One route for all actions, so that one that is not served gets its NACK.
        .route(&format!("{base}/{{action}}"), post(beckn::handle))
        .merge(track::routes())
        .routes(routes!(receipt::handle))
        .routes(routes!(form::show_form, form::take_form))
        .routes(routes!(document::health));
    document::add_actions(api.get_openapi_mut(), base);
    api
}
