//! `/v1/orders/{order}/dispatch`

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::params::Named;
use super::problem::Problem;
use super::route::needs;
use crate::operate::Role;
use crate::operate::dispatch::{self, DecisionsView};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(needs(Role::Viewer, routes!(decisions)))
}

/// Show whom an order was offered to, and why nobody else.
#[utoipa::path(get, path = "/v1/orders/{order}/dispatch", tag = "orders",
    params(("order" = String, Path, description = "Its id")),
    responses((status = 200, body = DecisionsView)))]
async fn decisions(
    State(app): State<App>,
    Named(order): Named<String>,
) -> Result<Json<DecisionsView>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(dispatch::show(&mut tx, &order).await?))
}
