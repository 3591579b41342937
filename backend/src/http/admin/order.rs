//! `/v1/orders`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tripline_protocol::order::OrderState;
use tripline_protocol::unit::Timestamp;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::call::Change;
use super::params::{Named, Params};
use super::problem::Problem;
use super::route::needs;
use super::trip::{Why, parsed};
use crate::operate::order::{self, OrderShown, OrderView};
use crate::operate::{Listed, OperateError, Page, Role};
use crate::store::listing::OrderFilter;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Viewer, routes!(show)))
        .routes(needs(Role::Dispatcher, routes!(cancel)))
}

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OrderParams {
    /// In this state only.
    state: Option<String>,
    /// Of this provider only.
    provider: Option<String>,
    /// Driven by this driver only.
    driver: Option<String>,
    /// Driven by this device's vehicle only.
    device: Option<String>,
    /// Made from then on, in Unix milliseconds.
    since_unix_ms: Option<i64>,
    /// Most items: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

impl OrderParams {
    fn filter(&self) -> Result<OrderFilter, OperateError> {
        Ok(OrderFilter {
            state: self.state.as_deref().map(state).transpose()?,
            provider: self.provider.clone(),
            driver: parsed("driver", self.driver.as_deref())?,
            device: parsed("device", self.device.as_deref())?,
            since: self.since_unix_ms.map(Timestamp::from_unix_ms),
            ..OrderFilter::default()
        })
    }
}

fn state(text: &str) -> Result<OrderState, OperateError> {
    let states = OrderState::ALL;
    states.iter().copied().find(|state| state.code() == text).ok_or_else(|| {
        let codes: Vec<&str> = states.iter().map(|state| state.code()).collect();
        OperateError::invalid("state", format!("must be one of {}", codes.join(", ")))
    })
}

/// List orders, newest first. No rider's name, phone or place is in it.
#[utoipa::path(get, path = "/v1/orders", tag = "orders", params(OrderParams),
    responses((status = 200, body = Listed<OrderView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<OrderParams>,
) -> Result<Json<Listed<OrderView>>, Problem> {
    let page = Page::new(params.limit, params.after.as_deref())?;
    let filter = params.filter()?;
    let mut tx = app.platform.store.read().await?;
    Ok(Json(order::list(&mut tx, &filter, &page).await?))
}

/// Show an order.
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "orders",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = OrderShown)))]
async fn show(
    State(app): State<App>,
    Named(id): Named<String>,
) -> Result<Json<OrderShown>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(order::show(&mut tx, &id).await?))
}

/// Call an order off before its ride began, at no cost for the rider.
#[utoipa::path(post, path = "/v1/orders/{id}/cancel", tag = "orders",
    params(("id" = String, Path, description = "Its id")), request_body = Why,
    responses((status = 200, body = OrderView)))]
async fn cancel(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<Why>,
) -> Result<Response, Problem> {
    let what = (Arc::clone(&app.platform), id, body.reason);
    app.change(&call, StatusCode::OK, &what, |tx, actor, (platform, id, reason), now| {
        Box::pin(order::cancel(platform, tx, actor, id, reason, now))
    })
    .await
}
