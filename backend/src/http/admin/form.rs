//! `/v1/forms`, and what the rider of an order answered.

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
use crate::operate::form::{self, FormView, NewForm, SubmissionView};
use crate::operate::{Listed, OperateError, Role};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Admin, routes!(add)))
        .routes(needs(Role::Viewer, routes!(show)))
        .routes(needs(Role::Admin, routes!(put)))
        .routes(needs(Role::Dispatcher, routes!(submissions)))
        .routes(needs(Role::Dispatcher, routes!(of_order)))
}

/// List the forms that riders fill in before they book, by id.
#[utoipa::path(get, path = "/v1/forms", tag = "forms", params(PageParams),
    responses((status = 200, body = Listed<FormView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<PageParams>,
) -> Result<Json<Listed<FormView>>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(form::list(&mut tx, &params.page()?).await?))
}

/// Add a form.
#[utoipa::path(post, path = "/v1/forms", tag = "forms", request_body = NewForm,
    responses((status = 201, body = FormView)))]
async fn add(
    State(app): State<App>,
    Change { call, body }: Change<NewForm>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::CREATED, &body, |tx, actor, new, now| {
        Box::pin(form::add(tx, actor, new.clone(), now))
    })
    .await
}

/// Show a form with its fields.
#[utoipa::path(get, path = "/v1/forms/{id}", tag = "forms",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = FormView)))]
async fn show(State(app): State<App>, Named(id): Named<String>) -> Result<Json<FormView>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(form::show(&mut tx, &id).await?))
}

/// Make a form what it is to be, whether it is there or not. Riders who have it before them fill it in as it was.
#[utoipa::path(put, path = "/v1/forms/{id}", tag = "forms",
    params(("id" = String, Path, description = "Its id")), request_body = NewForm,
    responses((status = 200, body = FormView)))]
async fn put(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<NewForm>,
) -> Result<Response, Problem> {
    let what = (id, body);
    app.change(&call, StatusCode::OK, &what, |tx, actor, (id, new), now| {
        Box::pin(form::put(tx, actor, id, new.clone(), now))
    })
    .await
}

/// List what riders answered to a form, the newest first.
#[utoipa::path(get, path = "/v1/forms/{id}/submissions", tag = "forms",
    params(("id" = String, Path, description = "Its id"), PageParams),
    responses((status = 200, body = Listed<SubmissionView>)))]
async fn submissions(
    State(app): State<App>,
    Named(id): Named<String>,
    Params(params): Params<PageParams>,
) -> Result<Json<Listed<SubmissionView>>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(form::submissions(&mut tx, &id, &params.page()?).await?))
}

/// Show what the rider of an order answered to its item's form.
#[utoipa::path(get, path = "/v1/orders/{id}/submission", tag = "orders",
    params(("id" = String, Path, description = "The order's id")),
    responses((status = 200, body = SubmissionView)))]
async fn of_order(
    State(app): State<App>,
    Named(id): Named<String>,
) -> Result<Json<SubmissionView>, Problem> {
    let mut tx = app.platform.store.read().await?;
    let found = form::of_order(&mut tx, &id).await?;
    let not_found = || OperateError::not_found("submission of order", id);
    Ok(Json(found.ok_or_else(not_found)?))
}
