//! `/v1/subscribers`

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::params::{Named, PageParams, Params};
use super::problem::Problem;
use super::route::needs;
use crate::operate::subscriber::{self, SubscriberView};
use crate::operate::{Listed, Role};
use crate::time;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Viewer, routes!(show)))
}

/// List everybody who was looked up, or is in the file of subscribers, by id and role.
#[utoipa::path(get, path = "/v1/subscribers", tag = "subscribers", params(PageParams),
    responses((status = 200, body = Listed<SubscriberView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<PageParams>,
) -> Result<Json<Listed<SubscriberView>>, Problem> {
    Ok(Json(subscriber::list(&app.directory, &params.page()?, time::now()).await?))
}

/// Show all that is known of a subscriber, in every role that it has.
#[utoipa::path(get, path = "/v1/subscribers/{id}", tag = "subscribers",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = Vec<SubscriberView>)))]
async fn show(
    State(app): State<App>,
    Named(id): Named<String>,
) -> Result<Json<Vec<SubscriberView>>, Problem> {
    Ok(Json(subscriber::show(&app.directory, &id, time::now()).await?))
}
