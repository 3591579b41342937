//! `/v1/orders/{id}/explanation` and `/v1/orders/{id}/receipt`

use axum::Json;
use axum::extract::State;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::params::Named;
use super::problem::Problem;
use super::route::needs;
use crate::operate::{OperateError, Role, explain};
use crate::service::ServiceError;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(explanation)))
        .routes(needs(Role::Dispatcher, routes!(receipt)))
}

/// Explain a final fare: each line, where its figures come from, and whether it comes out the same when it is
/// computed once more from the events of the trip.
#[utoipa::path(get, path = "/v1/orders/{id}/explanation", tag = "orders",
    params(("id" = String, Path, description = "The order's id, or its trip's")),
    responses((status = 200, body = Value)))]
async fn explanation(
    State(app): State<App>,
    Named(id): Named<String>,
) -> Result<Json<Value>, Problem> {
    let mut tx = app.platform.store.read().await.map_err(OperateError::from)?;
    let explanation = explain::explain(&mut tx, &id).await?;
    let json = serde_json::to_value(&explanation);
    let json = json.map_err(|error| ServiceError::Render(error.to_string()));
    Ok(Json(json.map_err(OperateError::from)?))
}

/// Show a receipt as text.
#[utoipa::path(get, path = "/v1/orders/{id}/receipt", tag = "orders",
    params(("id" = String, Path, description = "The order's id, or its trip's")),
    responses((status = 200, body = String, content_type = "text/plain")))]
async fn receipt(State(app): State<App>, Named(id): Named<String>) -> Result<String, Problem> {
    let mut tx = app.platform.store.read().await.map_err(OperateError::from)?;
    Ok(explain::receipt(&mut tx, &id).await?.text())
}
