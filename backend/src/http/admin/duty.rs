//! `/v1/duty`

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::params::{PageParams, Params};
use super::problem::Problem;
use super::route::needs;
use crate::operate::duty::{self, DutyView};
use crate::operate::{Listed, Role};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(needs(Role::Viewer, routes!(list)))
}

/// List who is signed in on which device.
#[utoipa::path(get, path = "/v1/duty", tag = "duty", params(PageParams),
    responses((status = 200, body = Listed<DutyView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<PageParams>,
) -> Result<Json<Listed<DutyView>>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(duty::list(&mut tx, &params.page()?).await?))
}
