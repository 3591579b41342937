//! `/v1/drivers`

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
use super::tag::Tagged;
use super::token::Nothing;
use crate::operate::driver::{
    self, DriverChange, DriverShown, DriverView, NewDriver, NewDriverRating,
};
use crate::operate::duty::{self, DutyChange, DutyView};
use crate::operate::{Listed, OperateError, Page, Role};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Admin, routes!(add)))
        .routes(needs(Role::Viewer, routes!(show)))
        .routes(needs(Role::Admin, routes!(change)))
        .routes(needs(Role::Admin, routes!(set_pin)))
        .routes(needs(Role::Dispatcher, routes!(unlock)))
        .routes(needs(Role::Dispatcher, routes!(rate)))
        .routes(needs(Role::Dispatcher, routes!(set_duty)))
}

/// Which drivers.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DriverParams {
    /// Of this provider only.
    provider: Option<String>,
    /// Most items: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List the drivers by id.
#[utoipa::path(get, path = "/v1/drivers", tag = "drivers", params(DriverParams),
    responses((status = 200, body = Listed<DriverView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<DriverParams>,
) -> Result<Json<Listed<DriverView>>, Problem> {
    let page = Page::new(params.limit, params.after.as_deref())?;
    let mut tx = app.platform.store.read().await?;
    Ok(Json(driver::list(&mut tx, params.provider.as_deref(), &page).await?))
}

/// Add a driver.
#[utoipa::path(post, path = "/v1/drivers", tag = "drivers", request_body = NewDriver,
    responses((status = 201, body = DriverView)))]
async fn add(
    State(app): State<App>,
    Change { call, body }: Change<NewDriver>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::CREATED, &body, |tx, actor, new, now| {
        Box::pin(driver::add(tx, actor, new.clone(), now))
    })
    .await
}

/// Show a driver, whether they are locked, and where they are signed in.
#[utoipa::path(get, path = "/v1/drivers/{id}", tag = "drivers",
    params(("id" = String, Path, description = "Their id")),
    responses((status = 200, body = DriverShown)))]
async fn show(
    State(app): State<App>,
    Named(id): Named<String>,
) -> Result<Tagged<DriverShown>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Tagged(driver::show(&mut tx, &id).await?))
}

/// Change a driver; what is left out stays.
#[utoipa::path(patch, path = "/v1/drivers/{id}", tag = "drivers",
    params(("id" = String, Path, description = "Their id")), request_body = DriverChange,
    responses((status = 200, body = DriverView)))]
async fn change(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<DriverChange>,
) -> Result<Response, Problem> {
    let what = (id, body, call.only_if());
    app.change(&call, StatusCode::OK, &what, |tx, actor, (id, change, only_if), now| {
        Box::pin(async move {
            if only_if.is_asked() {
                tx.lock_fleet().await?;
                only_if.check("driver", id, &driver::show(tx, id).await?)?;
            }
            driver::change(tx, actor, id, change.clone(), now).await
        })
    })
    .await
}

/// A PIN to be set. It does not print itself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPin {
    /// Digits that the driver types to sign in.
    pin: String,
}

/// Set a driver's PIN, and unlock them.
#[utoipa::path(put, path = "/v1/drivers/{id}/pin", tag = "drivers",
    params(("id" = String, Path, description = "Their id")), request_body = NewPin,
    responses((status = 200, body = DriverShown)))]
async fn set_pin(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<NewPin>,
) -> Result<Response, Problem> {
    let key = app.platform.pin_key().cloned();
    let why = "this platform has no key for PINs; see the log of its start";
    let key = key.ok_or_else(|| OperateError::refused(why))?;
    let what = (id, body.pin, key);
    app.change(&call, StatusCode::OK, &what, |tx, actor, (id, pin, key), now| {
        Box::pin(driver::set_pin(tx, actor, id, pin, key, now))
    })
    .await
}

/// Let a driver try their PIN again after five wrong ones.
#[utoipa::path(post, path = "/v1/drivers/{id}/unlock", tag = "drivers",
    params(("id" = String, Path, description = "Their id")), request_body = Option<Object>,
    responses((status = 200, body = DriverShown)))]
async fn unlock(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body: Nothing {} }: Change<Nothing>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::OK, &id, |tx, actor, id, now| {
        Box::pin(driver::unlock(tx, actor, id, now))
    })
    .await
}

/// Rate a driver; each order once.
#[utoipa::path(post, path = "/v1/drivers/{id}/ratings", tag = "drivers",
    params(("id" = String, Path, description = "Their id")), request_body = NewDriverRating,
    responses((status = 200, body = DriverView)))]
async fn rate(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<NewDriverRating>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::OK, &(id, body), |tx, actor, (id, rating), now| {
        Box::pin(driver::rate(tx, actor, id, rating.clone(), now))
    })
    .await
}

/// Set a driver's duty on their behalf, without their PIN. Their device is told.
#[utoipa::path(put, path = "/v1/drivers/{id}/duty", tag = "drivers",
    params(("id" = String, Path, description = "Their id")), request_body = DutyChange,
    responses((status = 200, body = DutyView)))]
async fn set_duty(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<DutyChange>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::OK, &(id, body), |tx, actor, (id, change), now| {
        Box::pin(duty::set(tx, actor, id, change.clone(), now))
    })
    .await
}
