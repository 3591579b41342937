//! `/v1/items`

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
use crate::operate::item::{self, ItemChange, ItemView, NewItem};
use crate::operate::{Listed, Role};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Admin, routes!(add)))
        .routes(needs(Role::Viewer, routes!(show)))
        .routes(needs(Role::Admin, routes!(change)))
}

/// List the items of the catalog by id: what riders can book.
#[utoipa::path(get, path = "/v1/items", tag = "items", params(PageParams),
    responses((status = 200, body = Listed<ItemView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<PageParams>,
) -> Result<Json<Listed<ItemView>>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(item::list(&mut tx, &params.page()?).await?))
}

/// Add an item.
#[utoipa::path(post, path = "/v1/items", tag = "items", request_body = NewItem,
    responses((status = 201, body = ItemView)))]
async fn add(
    State(app): State<App>,
    Change { call, body }: Change<NewItem>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::CREATED, &body, |tx, actor, new, now| {
        Box::pin(item::add(tx, actor, new.clone(), now))
    })
    .await
}

/// Show an item.
#[utoipa::path(get, path = "/v1/items/{id}", tag = "items",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = ItemView)))]
async fn show(
    State(app): State<App>,
    Named(id): Named<String>,
) -> Result<Tagged<ItemView>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Tagged(item::show(&mut tx, &id).await?))
}

/// Change an item; what is left out stays.
#[utoipa::path(patch, path = "/v1/items/{id}", tag = "items",
    params(("id" = String, Path, description = "Its id")), request_body = ItemChange,
    responses((status = 200, body = ItemView)))]
async fn change(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<ItemChange>,
) -> Result<Response, Problem> {
    let what = (id, body, call.only_if());
    app.change(&call, StatusCode::OK, &what, |tx, actor, (id, change, only_if), now| {
        Box::pin(async move {
            if only_if.is_asked() {
                tx.lock_fleet().await?;
                only_if.check("item", id, &item::show(tx, id).await?)?;
            }
            item::change(tx, actor, id, change.clone(), now).await
        })
    })
    .await
}
