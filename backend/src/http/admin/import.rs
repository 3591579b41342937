//! `/v1/import`

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::call::take_in;
use super::params::Params;
use super::problem::Problem;
use super::route::needs;
use crate::operate::import::{Imported, Source, import};
use crate::operate::{Actor, OperateError, Role};
use crate::time;

/// Largest body of an import, in bytes: fifty thousand rows of a hundred and sixty. So many may be in memory at
/// once as requests are worked on, of admins alone.
const BODY_LEN_MAX: usize = 8 * 1024 * 1024;

const TOML: &str = "application/toml";
const CSV: &str = "text/csv";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(needs(Role::Admin, routes!(take)))
}

/// How a file is taken in.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ImportParams {
    /// Only say what would be done, and what is wrong.
    #[serde(default)]
    check: bool,
    /// What the rows of a CSV file are: `drivers`, `vehicles` or `documents`.
    rows: Option<String>,
}

/// A file that a row names is nowhere near.
fn no_files(_: &str) -> Result<String, String> {
    Err("names a file; over the API a shape stands in `geojson` itself".to_owned())
}

/// Take in a whole fleet, or tariffs: everything or nothing, and every bad row is named.
///
/// A TOML file has rows of any kind, a CSV file those that `rows` names. Rows that are there just so change
/// nothing, rows that differ change what is there.
#[utoipa::path(post, path = "/v1/import", tag = "import", params(ImportParams),
    request_body(content((String = "application/toml"), (String = "text/csv"))),
    responses((status = 200, body = Imported)))]
async fn take(
    State(app): State<App>,
    Params(params): Params<ImportParams>,
    request: Request,
) -> Result<Response, Problem> {
    let media = request.headers().get("content-type").and_then(|value| value.to_str().ok());
    let name =
        if media.is_some_and(|media| media.starts_with(CSV)) { "body.csv" } else { "body.toml" };
    let (call, bytes) = take_in(request, &[TOML, CSV], BODY_LEN_MAX).await?;
    let text = String::from_utf8(bytes.into()).map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, "unreadable", "the body is not in UTF-8")
    })?;
    let sources = [Source { name: name.to_owned(), rows: params.rows, text }];
    if params.check {
        let checked = check(&app, call.actor(), &sources).await?;
        return Ok(Json(checked).into_response());
    }
    app.change(&call, StatusCode::OK, &sources, |tx, actor, sources, now| {
        Box::pin(import(tx, actor, sources, &no_files, now))
    })
    .await
}

/// What would come of it. Nothing is committed.
async fn check(app: &App, actor: &Actor, sources: &[Source]) -> Result<Imported, OperateError> {
    let mut tx = app.platform.store.write().await?;
    import(&mut tx, actor, sources, &no_files, time::now()).await
}
