//! `/v1/areas`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::call::Change;
use super::params::{Named, PageParams, Params};
use super::problem::Problem;
use super::route::needs;
use super::tag::Tagged;
use super::token::Nothing;
use crate::operate::area::{self, AreaShown, AreaView, NewArea};
use crate::operate::{Listed, Role};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Admin, routes!(add)))
        .routes(needs(Role::Viewer, routes!(show)))
        .routes(needs(Role::Admin, routes!(remove)))
}

/// List the areas by id, without their shapes: where rides are served, and where another tariff applies.
#[utoipa::path(get, path = "/v1/areas", tag = "areas", params(PageParams),
    responses((status = 200, body = Listed<AreaView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<PageParams>,
) -> Result<Json<Listed<AreaView>>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(area::list(&mut tx, &params.page()?).await?))
}

/// Add an area.
#[utoipa::path(post, path = "/v1/areas", tag = "areas", request_body = NewArea,
    responses((status = 201, body = AreaShown)))]
async fn add(
    State(app): State<App>,
    Change { call, body }: Change<NewArea>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::CREATED, &body, |tx, actor, new, now| {
        Box::pin(area::add(tx, actor, new.clone(), now))
    })
    .await
}

/// Show an area with its shape.
#[utoipa::path(get, path = "/v1/areas/{id}", tag = "areas",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = AreaShown)))]
async fn show(
    State(app): State<App>,
    Named(id): Named<String>,
) -> Result<Tagged<AreaShown>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Tagged(area::show(&mut tx, &id).await?))
}

/// Remove an area. It is shown as it was.
#[utoipa::path(delete, path = "/v1/areas/{id}", tag = "areas",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = AreaShown)))]
async fn remove(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body: Nothing {} }: Change<Nothing>,
) -> Result<Response, Problem> {
    let what = (id, call.only_if());
    app.change(&call, StatusCode::OK, &what, |tx, actor, (id, only_if), now| {
        Box::pin(async move {
            if only_if.is_asked() {
                tx.lock_fleet().await?;
                only_if.check("area", id, &area::show(tx, id).await?)?;
            }
            area::remove(tx, actor, id, now).await
        })
    })
    .await
}
