//! `/v1/tokens`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::call::Change;
use super::params::{Named, PageParams, Params};
use super::problem::Problem;
use super::route::needs;
use crate::operate::token::{self, MadeToken, NewToken, TokenView};
use crate::operate::{Listed, Role};
use crate::time;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Admin, routes!(list, add)))
        .routes(needs(Role::Admin, routes!(revoke)))
}

/// List the tokens by name, revoked and expired ones too.
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", params(PageParams),
    responses((status = 200, body = Listed<TokenView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<PageParams>,
) -> Result<Json<Listed<TokenView>>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(token::list(&mut tx, &params.page()?, time::now()).await?))
}

/// Make a token.
///
/// Its secret is in the answer, this once. Under an `Idempotency-Key` that was used before, 409 says that it
/// was shown.
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", request_body = NewToken,
    responses((status = 201, body = MadeToken)))]
async fn add(
    State(app): State<App>,
    Change { call, body }: Change<NewToken>,
) -> Result<Response, Problem> {
    app.change_secretly(&call, StatusCode::CREATED, &body, |tx, actor, new, now| {
        Box::pin(token::add(tx, actor, new, now))
    })
    .await
}

/// Nothing more than the path says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Revoke a token, by its name or id. The next request with it is refused. Once more has no effect.
#[utoipa::path(delete, path = "/v1/tokens/{name}", tag = "tokens",
    params(("name" = String, Path, description = "Its name or id")),
    responses((status = 200, body = TokenView)))]
async fn revoke(
    State(app): State<App>,
    Named(name): Named<String>,
    Change { call, body: Nothing {} }: Change<Nothing>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::OK, &name, |tx, actor, name, now| {
        Box::pin(token::revoke(tx, actor, name, now))
    })
    .await
}
