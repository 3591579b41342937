//! `/v1/shifts`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::call::Change;
use super::params::{Named, Params};
use super::problem::Problem;
use super::route::needs;
use crate::operate::shift::{self, Settling, ShiftShown, ShiftView};
use crate::operate::{Listed, Page, Role};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Viewer, routes!(show)))
        .routes(needs(Role::Dispatcher, routes!(settle)))
}

/// Which shifts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ShiftParams {
    /// Of this driver only.
    driver: Option<String>,
    /// Most items: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List shifts, newest first, with the cash that the driver has of each.
#[utoipa::path(get, path = "/v1/shifts", tag = "shifts", params(ShiftParams),
    responses((status = 200, body = Listed<ShiftView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<ShiftParams>,
) -> Result<Json<Listed<ShiftView>>, Problem> {
    let page = Page::new(params.limit, params.after.as_deref())?;
    let mut tx = app.platform.store.read().await?;
    Ok(Json(shift::list(&mut tx, params.driver.as_deref(), &page).await?))
}

/// Show a shift with its cash account.
#[utoipa::path(get, path = "/v1/shifts/{id}", tag = "shifts",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = ShiftShown)))]
async fn show(
    State(app): State<App>,
    Named(id): Named<String>,
) -> Result<Json<ShiftShown>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(shift::show(&mut tx, &id).await?))
}

/// Take cash from a driver, into the account of a shift.
#[utoipa::path(post, path = "/v1/shifts/{id}/settle", tag = "shifts",
    params(("id" = String, Path, description = "Its id")), request_body = Settling,
    responses((status = 200, body = ShiftShown)))]
async fn settle(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<Settling>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::OK, &(id, body), |tx, actor, (id, settling), now| {
        Box::pin(shift::settle(tx, actor, id, settling.clone(), now))
    })
    .await
}
