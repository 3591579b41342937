//! `/v1/openapi.json`

use std::sync::LazyLock;

use axum::Json;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::route::needs;
use crate::operate::Role;

/// The document: it is the same for everybody, and made once.
static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(super::openapi()).unwrap_or_default());

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(needs(Role::Viewer, routes!(show)))
}

/// Show this document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "openapi",
    responses((status = 200, body = Object)))]
async fn show() -> Json<&'static Value> {
    Json(&DOCUMENT)
}
