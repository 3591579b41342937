//! `/v1/trips`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tripline_protocol::link::down::DriveVerb;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::call::{Call, Change};
use super::params::{Named, Params};
use super::problem::Problem;
use super::route::needs;
use crate::operate::trip::{self, Done, TripDetail, TripView};
use crate::operate::{Listed, OperateError, Page, Role};
use crate::store::listing::OrderFilter;
use crate::time;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Viewer, routes!(show)))
        .routes(needs(Role::Dispatcher, routes!(start)))
        .routes(needs(Role::Dispatcher, routes!(pause)))
        .routes(needs(Role::Dispatcher, routes!(resume)))
        .routes(needs(Role::Dispatcher, routes!(stop)))
        .routes(needs(Role::Dispatcher, routes!(unlock_otp)))
        .routes(needs(Role::Dispatcher, routes!(cancel)))
        .routes(needs(Role::Dispatcher, routes!(close)))
}

/// Which trips.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TripParams {
    /// Those that are over too.
    #[serde(default)]
    all: bool,
    /// Of this provider only.
    provider: Option<String>,
    /// Of this driver only.
    driver: Option<String>,
    /// Of this device's vehicle only.
    device: Option<String>,
    /// Most items: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

impl TripParams {
    fn filter(&self) -> Result<OrderFilter, OperateError> {
        Ok(OrderFilter {
            provider: self.provider.clone(),
            driver: parsed("driver", self.driver.as_deref())?,
            device: parsed("device", self.device.as_deref())?,
            under_way: !self.all,
            with_trip: true,
            ..OrderFilter::default()
        })
    }
}

/// A parameter that is an id.
pub(super) fn parsed<T: std::str::FromStr>(
    field: &str,
    text: Option<&str>,
) -> Result<Option<T>, OperateError>
where
    T::Err: std::fmt::Display,
{
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|error: T::Err| OperateError::invalid(field, format!("cannot be used: {error}")))
}

/// List trips, newest order first: those under way, if not told otherwise.
#[utoipa::path(get, path = "/v1/trips", tag = "trips", params(TripParams),
    responses((status = 200, body = Listed<TripView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<TripParams>,
) -> Result<Json<Listed<TripView>>, Problem> {
    let page = Page::new(params.limit, params.after.as_deref())?;
    let filter = params.filter()?;
    let mut tx = app.platform.store.read().await?;
    Ok(Json(trip::list(&app.platform, &mut tx, &filter, &page, time::now()).await?))
}

/// Show a trip with its record: what happened, who did it, what became of it.
#[utoipa::path(get, path = "/v1/trips/{id}", tag = "trips",
    params(("id" = String, Path, description = "Its id, or its order's")),
    responses((status = 200, body = TripDetail)))]
async fn show(
    State(app): State<App>,
    Named(id): Named<String>,
) -> Result<Json<TripDetail>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(trip::show(&app.platform, &mut tx, &id, time::now()).await?))
}

/// Why it is done.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    /// The driver may read it, and the audit trail has it: 1 to 200 printable characters.
    pub(super) reason: String,
}

/// A trip, and what its device is still to report.
#[derive(Debug, Serialize, ToSchema)]
struct AskedView {
    /// The trip as it stands.
    trip: TripView,
    /// The command that takes effect when the device reports that it did it; none if it is done.
    command: Option<CommandView>,
}

/// A command to a device.
#[derive(Debug, Serialize, ToSchema)]
struct CommandView {
    /// The device.
    device: String,
    /// Its number.
    number: u64,
}

impl From<Done> for AskedView {
    fn from(Done { trip, pending }: Done) -> Self {
        let command = pending.map(|pending| CommandView {
            device: pending.device.to_string(),
            number: pending.number.0,
        });
        Self { trip, command }
    }
}

async fn drive(
    app: &App,
    call: &Call,
    id: String,
    why: Why,
    verb: DriveVerb,
) -> Result<Response, Problem> {
    let what = (Arc::clone(&app.platform), id, why.reason, verb);
    let status = StatusCode::ACCEPTED;
    app.change(call, status, &what, |tx, actor, (platform, id, reason, verb), now| {
        Box::pin(async move {
            let asked = trip::drive(platform, tx, actor, (id, *verb), reason, now).await;
            asked.map(AskedView::from)
        })
    })
    .await
}

/// Start a trip on its driver's behalf; you answer for the OTP. It takes effect when the device reports it.
///
/// A start that the platform did not let pass is let pass, at once.
#[utoipa::path(post, path = "/v1/trips/{id}/start", tag = "trips",
    params(("id" = String, Path, description = "Its id, or its order's")), request_body = Why,
    responses((status = 202, body = AskedView)))]
async fn start(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<Why>,
) -> Result<Response, Problem> {
    drive(&app, &call, id, body, DriveVerb::Start).await
}

/// Pause a trip on its driver's behalf. It takes effect when the device reports it.
#[utoipa::path(post, path = "/v1/trips/{id}/pause", tag = "trips",
    params(("id" = String, Path, description = "Its id, or its order's")), request_body = Why,
    responses((status = 202, body = AskedView)))]
async fn pause(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<Why>,
) -> Result<Response, Problem> {
    drive(&app, &call, id, body, DriveVerb::Pause).await
}

/// Resume a trip on its driver's behalf. It takes effect when the device reports it.
#[utoipa::path(post, path = "/v1/trips/{id}/resume", tag = "trips",
    params(("id" = String, Path, description = "Its id, or its order's")), request_body = Why,
    responses((status = 202, body = AskedView)))]
async fn resume(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<Why>,
) -> Result<Response, Problem> {
    drive(&app, &call, id, body, DriveVerb::Resume).await
}

/// Stop a trip on its driver's behalf. It takes effect when the device reports it.
#[utoipa::path(post, path = "/v1/trips/{id}/stop", tag = "trips",
    params(("id" = String, Path, description = "Its id, or its order's")), request_body = Why,
    responses((status = 202, body = AskedView)))]
async fn stop(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<Why>,
) -> Result<Response, Problem> {
    drive(&app, &call, id, body, DriveVerb::Stop).await
}

/// Let OTPs be tried on the device again after too many wrong ones.
#[utoipa::path(post, path = "/v1/trips/{id}/unlock-otp", tag = "trips",
    params(("id" = String, Path, description = "Its id, or its order's")), request_body = Why,
    responses((status = 202, body = AskedView)))]
async fn unlock_otp(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<Why>,
) -> Result<Response, Problem> {
    let what = (Arc::clone(&app.platform), id, body.reason);
    app.change(&call, StatusCode::ACCEPTED, &what, |tx, actor, (platform, id, reason), now| {
        Box::pin(async move {
            let asked = trip::unlock_otp(platform, tx, actor, id, reason, now).await;
            asked.map(AskedView::from)
        })
    })
    .await
}

/// Call a ride off before it began, at no cost for the rider.
#[utoipa::path(post, path = "/v1/trips/{id}/cancel", tag = "trips",
    params(("id" = String, Path, description = "Its id, or its order's")), request_body = Why,
    responses((status = 200, body = TripView)))]
async fn cancel(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<Why>,
) -> Result<Response, Problem> {
    let what = (Arc::clone(&app.platform), id, body.reason);
    app.change(&call, StatusCode::OK, &what, |tx, actor, (platform, id, reason), now| {
        Box::pin(async move {
            let done = trip::cancel(platform, tx, actor, id, reason, now).await;
            done.map(|done| done.trip)
        })
    })
    .await
}

/// Close a trip without its device: the rider pays as far as it was heard, and the vehicle is free.
#[utoipa::path(post, path = "/v1/trips/{id}/close", tag = "trips",
    params(("id" = String, Path, description = "Its id, or its order's")), request_body = Why,
    responses((status = 200, body = TripView)))]
async fn close(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<Why>,
) -> Result<Response, Problem> {
    let what = (Arc::clone(&app.platform), id, body.reason);
    app.change(&call, StatusCode::OK, &what, |tx, actor, (platform, id, reason), now| {
        Box::pin(async move {
            let done = trip::close(platform, tx, actor, id, reason, now).await;
            done.map(|done| done.trip)
        })
    })
    .await
}
