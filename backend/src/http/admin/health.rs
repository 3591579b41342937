//! `/v1/health`

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::problem::Problem;
use super::route::needs;
use crate::operate::Role;
use crate::operate::health::{self, HealthView};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(needs(Role::Viewer, routes!(show)))
}

/// Show how the platform does. Without a store to read, 503.
#[utoipa::path(get, path = "/v1/health", tag = "health",
    responses((status = 200, body = HealthView)))]
async fn show(State(app): State<App>) -> Result<Json<HealthView>, Problem> {
    Ok(Json(health::show(&app.platform).await?))
}
