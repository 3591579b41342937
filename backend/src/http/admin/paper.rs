//! `/v1/documents`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tripline_protocol::unit::Timestamp;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::call::Change;
use super::params::{Named, Params};
use super::problem::Problem;
use super::route::needs;
use super::token::Nothing;
use crate::operate::document::{self, DocumentFilter, DocumentView, NewDocument};
use crate::operate::{Listed, Page, Role};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs(Role::Viewer, routes!(list)))
        .routes(needs(Role::Admin, routes!(add)))
        .routes(needs(Role::Admin, routes!(remove)))
}

/// Which documents.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DocumentParams {
    /// Of this owner only: `driver:ID` or `vehicle:DEVICE`.
    owner: Option<String>,
    /// That expire before then only, in Unix milliseconds.
    expiring_before_unix_ms: Option<i64>,
    /// Most items: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List documents of drivers and vehicles; those that expire first come first.
#[utoipa::path(get, path = "/v1/documents", tag = "documents", params(DocumentParams),
    responses((status = 200, body = Listed<DocumentView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<DocumentParams>,
) -> Result<Json<Listed<DocumentView>>, Problem> {
    let page = Page::new(params.limit, params.after.as_deref())?;
    let filter = DocumentFilter {
        owner: params.owner,
        expiring_before: params.expiring_before_unix_ms.map(Timestamp::from_unix_ms),
    };
    let mut tx = app.platform.store.read().await?;
    Ok(Json(document::list(&mut tx, &filter, &page).await?))
}

/// Add a document of a driver or a vehicle.
#[utoipa::path(post, path = "/v1/documents", tag = "documents", request_body = NewDocument,
    responses((status = 201, body = DocumentView)))]
async fn add(
    State(app): State<App>,
    Change { call, body }: Change<NewDocument>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::CREATED, &body, |tx, actor, new, now| {
        Box::pin(document::add(tx, actor, new.clone(), now))
    })
    .await
}

/// Remove a document. It is shown as it was.
#[utoipa::path(delete, path = "/v1/documents/{id}", tag = "documents",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = DocumentView)))]
async fn remove(
    State(app): State<App>,
    Named(id): Named<String>,
    Change { call, body: Nothing {} }: Change<Nothing>,
) -> Result<Response, Problem> {
    app.change(&call, StatusCode::OK, &id, |tx, actor, id, now| {
        Box::pin(document::remove(tx, actor, id, now))
    })
    .await
}
