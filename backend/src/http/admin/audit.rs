//! `/v1/audit`

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
use crate::operate::audit::{self, AuditQuery, AuditView};
use crate::operate::{Listed, Page, Role};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(needs(Role::Viewer, routes!(list)))
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AuditParams {
    /// Of this device or registration only.
    device: Option<String>,
    /// Of this kind only, for instance `revoked` or `token-added`.
    kind: Option<String>,
    /// By this operator only: a token's name, or `cli`.
    actor: Option<String>,
    /// From then on, in Unix milliseconds.
    since_unix_ms: Option<i64>,
    /// Most items: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List what was written down, newest first: enrolments, revocations, what operators did, who was turned away.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(AuditParams),
    responses((status = 200, body = Listed<AuditView>)))]
async fn list(
    State(app): State<App>,
    Params(params): Params<AuditParams>,
) -> Result<Json<Listed<AuditView>>, Problem> {
    let page = Page::new(params.limit, params.after.as_deref())?;
    let AuditParams { device, kind, actor, since_unix_ms, .. } = params;
    let query = AuditQuery { device, kind, actor, since_unix_ms };
    let mut tx = app.platform.store.read().await?;
    Ok(Json(audit::list(&mut tx, &query, &page).await?))
}
