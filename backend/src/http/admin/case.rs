//! `/v1/cases`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::call::Change;
use super::params::{Named, Params};
use super::problem::Problem;
use super::route::needs;
use crate::operate::trip::CaseView;
use crate::operate::{Listed, Page, Role, case};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Dispatcher, routes!(resolve)))
}

/// Which cases.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CaseParams {
    /// Those that are resolved too.
    #[serde(default)]
    all: bool,
    /// Most orders: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List what somebody has to look at, newest order first.
///
/// A page is one of orders: it may hold more cases than `limit`.
#[utoipa::path(get, path = "/v1/cases", tag = "cases", params(CaseParams),
    responses((status = 200, body = Listed<CaseView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<CaseParams>,
) -> Result<Json<Listed<CaseView>>, Problem> {
    let page = Page::new(params.limit, params.after.as_deref())?;
    let mut tx = app.platform.store.read().await?;
    Ok(Json(case::list(&mut tx, params.all, &page).await?))
}

/// What was done about a case.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Resolution {
    /// In words: 1 to 200 printable characters.
    note: String,
}

/// Say what was done about a case.
#[utoipa::path(post, path = "/v1/cases/{id}/resolve", tag = "cases",
    params(("id" = String, Path, description = "Its id")), request_body = Resolution,
    responses((status = 200, body = CaseView)))]
async fn resolve(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<Resolution>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::OK, &(id, body.note), |tx, actor, (id, note), now| {
        Box::pin(case::resolve(tx, actor, id, note, now))
    })
    .await
}
