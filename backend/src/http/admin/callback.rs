//! `/v1/callbacks`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tripline_protocol::unit::Timestamp;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::call::Change;
use super::params::{Named, Params};
use super::problem::Problem;
use super::route::needs;
use crate::operate::callback::{self, CallbackView, Replayed};
use crate::operate::{Listed, OperateError, Page, Role};
use crate::store::callback::{CallbackFilter, Delivery, Replay};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Dispatcher, routes!(show)))
        .routes(needs(Role::Dispatcher, routes!(replay)))
}

/// Which callbacks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CallbackParams {
    /// `pending`, `delivered` or `dead`; what is not delivered if not given.
    state: Option<String>,
    /// To this subscriber only.
    subscriber: Option<String>,
    /// Of this order only.
    order: Option<String>,
    /// Written from then on, in Unix milliseconds.
    since_unix_ms: Option<i64>,
    /// Most items: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

impl CallbackParams {
    fn filter(self) -> Result<CallbackFilter, OperateError> {
        let state: Option<Result<Delivery, _>> = self.state.as_deref().map(str::parse);
        let state = state
            .transpose()
            .map_err(|error| OperateError::invalid("state", format!("cannot be used: {error}")))?;
        Ok(CallbackFilter {
            state,
            subscriber_id: self.subscriber,
            order_key: self.order,
            since: self.since_unix_ms.map(Timestamp::from_unix_ms),
        })
    }
}

/// List callbacks, newest first, without their bodies.
#[utoipa::path(get, path = "/v1/callbacks", tag = "callbacks", params(CallbackParams),
    responses((status = 200, body = Listed<CallbackView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<CallbackParams>,
) -> Result<Json<Listed<CallbackView>>, Problem> {
    let page = Page::new(params.limit, params.after.as_deref())?;
    let filter = params.filter()?;
    let mut tx = app.platform.store.read().await?;
    Ok(Json(callback::list(&mut tx, &filter, &page).await?))
}

/// What of a callback is shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ShowParams {
    /// Show its body too. It holds what the rider's platform is told: names, phones, places.
    #[serde(default)]
    body: bool,
}

/// Show all that is known of a callback.
#[utoipa::path(get, path = "/v1/callbacks/{order}/{sequence}", tag = "callbacks",
    params(("order" = String, Path, description = "Its order"),
        ("sequence" = u64, Path, description = "Its place among those of the order"), ShowParams),
    responses((status = 200, body = CallbackView)))]
async fn show(
    State(app): State<App>,
    Named((order, sequence)): Named<(String, u64)>,
    Params(params): Params<ShowParams>,
) -> Result<Json<CallbackView>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(callback::show(&mut tx, &order, sequence, params.body).await?))
}

/// Which callbacks are tried once more: one, all to a subscriber, or all.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayOrder {
    /// The callback's order, together with `sequence`.
    order: Option<String>,
    /// Its place among those of the order.
    sequence: Option<u64>,
    /// All that were given up to this subscriber.
    subscriber: Option<String>,
    /// All that were given up.
    #[serde(default)]
    all: bool,
}

impl ReplayOrder {
    fn replay(self) -> Result<Replay, OperateError> {
        match (self.order, self.sequence, self.subscriber, self.all) {
            (Some(order_key), Some(sequence), None, false) => {
                Ok(Replay::One { order_key, sequence })
            }
            (None, None, Some(subscriber), false) => Ok(Replay::To(subscriber)),
            (None, None, None, true) => Ok(Replay::All),
            _ => {
                let problem =
                    "must have order and sequence, or subscriber, or all, and one of these";
                Err(OperateError::invalid("body", problem))
            }
        }
    }
}

/// Have callbacks that were given up tried once more, at most 1,000 at once.
#[utoipa::path(post, path = "/v1/callbacks/replay", tag = "callbacks", request_body = ReplayOrder,
    responses((status = 200, body = Replayed)))]
async fn replay(
    State(app): State<App>,
    Change { call, body }: Change<ReplayOrder>,
) -> Result<Response, Problem> {
    let which = body.replay()?;
    app.change(&call, StatusCode::OK, &which, |tx, actor, which, now| {
        Box::pin(callback::replay(tx, actor, which, now))
    })
    .await
}
