//! `/v1/promotions`

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
use crate::operate::promotion::{self, NewPromotion, PromotionChange, PromotionView};
use crate::operate::{Listed, Role};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Admin, routes!(add)))
        .routes(needs(Role::Viewer, routes!(show)))
        .routes(needs(Role::Admin, routes!(change)))
}

/// List the promotions by id: what comes off the fare of riders who take one up.
#[utoipa::path(get, path = "/v1/promotions", tag = "promotions", params(PageParams),
    responses((status = 200, body = Listed<PromotionView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<PageParams>,
) -> Result<Json<Listed<PromotionView>>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(promotion::list(&mut tx, &params.page()?).await?))
}

/// Add a promotion.
#[utoipa::path(post, path = "/v1/promotions", tag = "promotions", request_body = NewPromotion,
    responses((status = 201, body = PromotionView)))]
async fn add(
    State(app): State<App>,
    Change { call, body }: Change<NewPromotion>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::CREATED, &body, |tx, actor, new, now| {
        Box::pin(promotion::add(tx, actor, new.clone(), now))
    })
    .await
}

/// Show a promotion.
#[utoipa::path(get, path = "/v1/promotions/{id}", tag = "promotions",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = PromotionView)))]
async fn show(
    State(app): State<App>,
    Named(id): Named<String>,
) -> Result<Tagged<PromotionView>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Tagged(promotion::show(&mut tx, &id).await?))
}

/// Change a promotion; what is left out stays. Orders keep what they were quoted.
#[utoipa::path(patch, path = "/v1/promotions/{id}", tag = "promotions",
    params(("id" = String, Path, description = "Its id")), request_body = PromotionChange,
    responses((status = 200, body = PromotionView)))]
async fn change(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<PromotionChange>,
) -> Result<Response, Problem> {
    let what = (id, body, call.only_if());
    app.change(&call, StatusCode::OK, &what, |tx, actor, (id, change, only_if), now| {
        Box::pin(async move {
            if only_if.is_asked() {
                tx.lock_fleet().await?;
                only_if.check("promotion", id, &promotion::show(tx, id).await?)?;
            }
            promotion::change(tx, actor, id, change.clone(), now).await
        })
    })
    .await
}
