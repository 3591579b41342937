//! `/v1/live`

use axum::Json;
use axum::extract::State;
use tripline_protocol::id::DeviceId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::params::{Named, PageParams, Params};
use super::problem::Problem;
use super::route::needs;
use crate::operate::live::{self, LiveView};
use crate::operate::{Listed, OperateError, Role};
use crate::time;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Viewer, routes!(show)))
}

/// List where vehicles are, by device: the newest position of each that was heard since this backend started.
#[utoipa::path(get, path = "/v1/live", tag = "live", params(PageParams),
    responses((status = 200, body = Listed<LiveView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<PageParams>,
) -> Result<Json<Listed<LiveView>>, Problem> {
    let page = params.page()?;
    Ok(Json(live::list(&app.platform.fleet(), &page, time::now())?))
}

/// Show where a vehicle is.
#[utoipa::path(get, path = "/v1/live/{device}", tag = "live",
    params(("device" = String, Path, description = "Its device id")),
    responses((status = 200, body = LiveView)))]
async fn show(
    State(app): State<App>,
    Named(name): Named<String>,
) -> Result<Json<LiveView>, Problem> {
    let device: DeviceId = name
        .parse()
        .map_err(|_| OperateError::not_found("live position of device", name.as_str()))?;
    Ok(Json(live::show(&app.platform.fleet(), &device, time::now())?))
}
