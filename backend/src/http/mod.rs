//! HTTP: the Beckn provider API, the rider's link, and what operators read.

mod beckn;
mod track;

pub mod admin;
pub mod listener;
pub mod on_subscribe;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::network::directory::Directory;
use crate::service::Platform;

/// Largest body taken, in bytes. A confirm with long addresses has a tenth of it.
pub const BODY_LEN_MAX: usize = 256 * 1024;

/// What the handlers need.
#[derive(Debug)]
pub struct App {
    /// The platform.
    pub platform: Arc<Platform>,
    /// Who may ask.
    pub directory: Arc<Directory>,
}

/// The routes. `base` is the path of our registered address, without a slash at its end.
pub fn router(app: Arc<App>, base: &str) -> Router {
    Router::new()
        .route(&format!("{base}/{{action}}"), post(beckn::handle))
        .route("/track/{token}", get(track::handle))
        .route("/health", get(|| async { "ok\n" }))
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .with_state(app)
}
