//! `/v1/tariffs`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tripline_protocol::tariff::Tariff;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::call::Change;
use super::params::{Named, Params};
use super::problem::Problem;
use super::route::needs;
use crate::operate::tariff::{self, TariffView};
use crate::operate::{Listed, Page, Role};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Admin, routes!(add)))
        .routes(needs(Role::Viewer, routes!(show)))
}

/// Which tariffs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TariffParams {
    /// Versions of this one only.
    code: Option<String>,
    /// Most items: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List versions of tariffs, by code and version.
#[utoipa::path(get, path = "/v1/tariffs", tag = "tariffs", params(TariffParams),
    responses((status = 200, body = Listed<TariffView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<TariffParams>,
) -> Result<Json<Listed<TariffView>>, Problem> {
    let page = Page::new(params.limit, params.after.as_deref())?;
    let mut tx = app.platform.store.read().await?;
    Ok(Json(tariff::list(&mut tx, params.code.as_deref(), &page).await?))
}

/// Add a version of a tariff. A version never changes: the same again has no effect, and other terms need a
/// higher one.
#[utoipa::path(post, path = "/v1/tariffs", tag = "tariffs", request_body = Object,
    responses((status = 201, body = TariffView)))]
async fn add(
    State(app): State<App>,
    Change { call, body }: Change<Tariff>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::CREATED, &body, |tx, actor, new, now| {
        Box::pin(async move {
            tariff::import(tx, actor, new.clone(), now).await?;
            tariff::show(tx, &new.code, Some(new.version)).await
        })
    })
    .await
}

/// Which version.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ShowParams {
    /// The newest if not given.
    version: Option<u32>,
}

/// Show a version of a tariff.
#[utoipa::path(get, path = "/v1/tariffs/{code}", tag = "tariffs",
    params(("code" = String, Path, description = "Its code"), ShowParams),
    responses((status = 200, body = TariffView)))]
async fn show(
    State(app): State<App>,
    Named(code): Named<String>,
    Params(params): Params<ShowParams>,
) -> Result<Json<TariffView>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(tariff::show(&mut tx, &code, params.version).await?))
}
