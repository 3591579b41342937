//! `/v1/ratings`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::params::Params;
use super::problem::Problem;
use super::route::needs;
use crate::operate::rating::{self, RatingView};
use crate::operate::{Listed, Page, Role};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(needs(Role::Dispatcher, routes!(list)))
}

/// Which ratings.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RatingParams {
    /// Of rides with this driver only.
    driver: Option<String>,
    /// Of this order only.
    order: Option<String>,
    /// Most items: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List ratings, newest first, with what riders said.
#[utoipa::path(get, path = "/v1/ratings", tag = "ratings", params(RatingParams),
    responses((status = 200, body = Listed<RatingView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<RatingParams>,
) -> Result<Json<Listed<RatingView>>, Problem> {
    let page = Page::new(params.limit, params.after.as_deref())?;
    let of = (params.driver.as_deref(), params.order.as_deref());
    let mut tx = app.platform.store.read().await?;
    Ok(Json(rating::list(&mut tx, of, &page).await?))
}
