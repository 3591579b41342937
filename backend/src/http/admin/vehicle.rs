//! `/v1/vehicles`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
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
use crate::operate::device::{
    self, CodeView, ConfiguredView, DeviceView, Revocation, RevokedView, SettingsChange,
};
use crate::operate::vehicle::{self, NewVehicle, VehicleChange, VehicleShown, VehicleView};
use crate::operate::{Listed, Page, Role};
use crate::time;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Admin, routes!(add)))
        .routes(needs(Role::Viewer, routes!(show)))
        .routes(needs(Role::Admin, routes!(change)))
        .routes(needs(Role::Dispatcher, routes!(assign)))
        .routes(needs(Role::Viewer, routes!(show_device)))
        .routes(needs(Role::Admin, routes!(configure)))
        .routes(needs(Role::Admin, routes!(rekey)))
        .routes(needs(Role::Admin, routes!(revoke)))
}

/// Which vehicles.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct VehicleParams {
    /// Of this provider only.
    provider: Option<String>,
    /// Most items: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List the vehicles by registration.
#[utoipa::path(get, path = "/v1/vehicles", tag = "vehicles", params(VehicleParams),
    responses((status = 200, body = Listed<VehicleView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<VehicleParams>,
) -> Result<Json<Listed<VehicleView>>, Problem> {
    let page = Page::new(params.limit, params.after.as_deref())?;
    let mut tx = app.platform.store.read().await?;
    Ok(Json(vehicle::list(&mut tx, params.provider.as_deref(), &page).await?))
}

/// A vehicle that was added, and the code with which its device enrols.
#[derive(Debug, Serialize, ToSchema)]
struct AddedVehicle {
    /// The vehicle.
    vehicle: VehicleView,
    /// Its device's code, shown this once.
    code: CodeView,
}

/// Add a vehicle.
///
/// The code with which its device enrols within 10 minutes is in the answer, this once.
#[utoipa::path(post, path = "/v1/vehicles", tag = "vehicles", request_body = NewVehicle,
    responses((status = 201, body = AddedVehicle)))]
async fn add(
    State(app): State<App>,
    Change { call, body }: Change<NewVehicle>,
) -> Result<Response, Problem> {
    let what = (body, app.enrol_site());
    app.change_secretly(&call, StatusCode::CREATED, &what, |tx, actor, (new, site), now| {
        Box::pin(async move {
            let vehicle = vehicle::add(tx, actor, new.clone(), now).await?;
            let code = device::first_code(tx, &vehicle.device, site, now).await?;
            Ok(AddedVehicle { vehicle, code })
        })
    })
    .await
}

/// Show a vehicle, who drives it, and what keeps it from rides.
#[utoipa::path(get, path = "/v1/vehicles/{name}", tag = "vehicles",
    params(("name" = String, Path, description = "Its device id or registration")),
    responses((status = 200, body = VehicleShown)))]
async fn show(
    State(app): State<App>,
    Named(name): Named<String>,
) -> Result<Tagged<VehicleShown>, Problem> {
    let rules = &app.platform.settings.roster;
    let mut tx = app.platform.store.read().await?;
    Ok(Tagged(vehicle::show(&mut tx, &name, rules, time::now()).await?))
}

/// Change a vehicle; what is left out stays, and what is empty is taken away.
#[utoipa::path(patch, path = "/v1/vehicles/{name}", tag = "vehicles",
    params(("name" = String, Path, description = "Its device id or registration")),
    request_body = VehicleChange, responses((status = 200, body = VehicleView)))]
async fn change(
    State(app): State<App>,
    Named(name): Named<String>,
    Change { call, body }: Change<VehicleChange>,
) -> Result<Response, Problem> {
    let what = (name, body, call.only_if(), app.platform.settings.roster.clone());
    app.change(&call, StatusCode::OK, &what, |tx, actor, (name, change, only_if, rules), now| {
        Box::pin(async move {
            if only_if.is_asked() {
                tx.lock_fleet().await?;
                let shown = vehicle::show(tx, name, rules, now).await?;
                only_if.check("vehicle", name, &shown)?;
            }
            vehicle::change(tx, actor, name, change.clone(), now).await
        })
    })
    .await
}

/// Who is to drive a vehicle.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Assigning {
    /// The driver's id; nobody if not given.
    driver: Option<String>,
}

/// Say who drives a vehicle while nobody is signed in on its device.
#[utoipa::path(put, path = "/v1/vehicles/{name}/driver", tag = "vehicles",
    params(("name" = String, Path, description = "Its device id or registration")),
    request_body = Assigning, responses((status = 200, body = VehicleView)))]
async fn assign(
    State(app): State<App>,
    Named(name): Named<String>,
    Change { call, body }: Change<Assigning>,
) -> Result<Response, Problem> {
    let driver = Some(body.driver.unwrap_or_default());
    let what = (name, VehicleChange { driver, ..VehicleChange::default() });
    app.change(&call, StatusCode::OK, &what, |tx, actor, (name, change), now| {
        Box::pin(vehicle::change(tx, actor, name, change.clone(), now))
    })
    .await
}

/// Show all that is known of a vehicle's device: presence, certificates, settings.
#[utoipa::path(get, path = "/v1/vehicles/{name}/device", tag = "vehicles",
    params(("name" = String, Path, description = "Its device id or registration")),
    responses((status = 200, body = DeviceView)))]
async fn show_device(
    State(app): State<App>,
    Named(name): Named<String>,
) -> Result<Json<DeviceView>, Problem> {
    let authorities = app.identity.authorities();
    let mut tx = app.platform.store.read().await?;
    Ok(Json(device::show(&mut tx, &name, &authorities, time::now()).await?))
}

/// Send a device settings: cadences, fences, thresholds.
#[utoipa::path(post, path = "/v1/vehicles/{name}/configure", tag = "vehicles",
    params(("name" = String, Path, description = "Its device id or registration")),
    request_body = SettingsChange, responses((status = 200, body = ConfiguredView)))]
async fn configure(
    State(app): State<App>,
    Named(name): Named<String>,
    Change { call, body }: Change<SettingsChange>,
) -> Result<Response, Problem> {
    let what = (name, body, app.platform.settings.first_settings);
    app.change(&call, StatusCode::OK, &what, |tx, actor, (name, change, fleet), now| {
        Box::pin(device::configure(tx, actor, name, change, fleet, now))
    })
    .await
}

/// Make a new code for a device; older ones end. What the device has goes on until it, or another one, enrols.
#[utoipa::path(post, path = "/v1/vehicles/{name}/rekey", tag = "vehicles",
    params(("name" = String, Path, description = "Its device id or registration")),
    request_body = Option<Object>, responses((status = 201, body = CodeView)))]
async fn rekey(
    State(app): State<App>,
    Named(name): Named<String>,
    Change { call, body: Nothing {} }: Change<Nothing>,
) -> Result<Response, Problem> {
    let what = (name, app.enrol_site());
    app.change_secretly(&call, StatusCode::CREATED, &what, |tx, actor, (name, site), now| {
        Box::pin(device::rekey(tx, actor, name, site, now))
    })
    .await
}

/// Put a device out within 5 s: its certificates and codes end.
#[utoipa::path(post, path = "/v1/vehicles/{name}/revoke", tag = "vehicles",
    params(("name" = String, Path, description = "Its device id or registration")),
    request_body = Revocation, responses((status = 200, body = RevokedView)))]
async fn revoke(
    State(app): State<App>,
    Named(name): Named<String>,
    Change { call, body }: Change<Revocation>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::OK, &(name, body), |tx, actor, (name, why), now| {
        Box::pin(device::revoke(tx, actor, name, why, now))
    })
    .await
}
