//! `/v1/providers`

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
use crate::operate::provider::{self, NewProvider, ProviderChange, ProviderView};
use crate::operate::{Listed, Role};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Admin, routes!(add)))
        .routes(needs(Role::Viewer, routes!(show)))
        .routes(needs(Role::Admin, routes!(change)))
}

/// List the providers by id: the operator itself, or its agencies.
#[utoipa::path(get, path = "/v1/providers", tag = "providers", params(PageParams),
    responses((status = 200, body = Listed<ProviderView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<PageParams>,
) -> Result<Json<Listed<ProviderView>>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Json(provider::list(&mut tx, &params.page()?).await?))
}

/// Add a provider.
#[utoipa::path(post, path = "/v1/providers", tag = "providers", request_body = NewProvider,
    responses((status = 201, body = ProviderView)))]
async fn add(
    State(app): State<App>,
    Change { call, body }: Change<NewProvider>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::CREATED, &body, |tx, actor, new, now| {
        Box::pin(provider::add(tx, actor, new.clone(), now))
    })
    .await
}

/// Show a provider.
#[utoipa::path(get, path = "/v1/providers/{id}", tag = "providers",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = ProviderView)))]
async fn show(
    State(app): State<App>,
    Named(id): Named<String>,
) -> Result<Tagged<ProviderView>, Problem> {
    let mut tx = app.platform.store.read().await?;
    Ok(Tagged(provider::show(&mut tx, &id).await?))
}

/// Change a provider; what is left out stays.
#[utoipa::path(patch, path = "/v1/providers/{id}", tag = "providers",
    params(("id" = String, Path, description = "Its id")), request_body = ProviderChange,
    responses((status = 200, body = ProviderView)))]
async fn change(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body }: Change<ProviderChange>,
) -> Result<Response, Problem> {
    let what = (id, body, call.only_if());
    app.change(&call, StatusCode::OK, &what, |tx, actor, (id, change, only_if), now| {
        Box::pin(async move {
            if only_if.is_asked() {
                tx.lock_fleet().await?;
                only_if.check("provider", id, &provider::show(tx, id).await?)?;
            }
            provider::change(tx, actor, id, change.clone(), now).await
        })
    })
    .await
}
