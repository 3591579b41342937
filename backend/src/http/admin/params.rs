//! What stands in a request's query and path.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::problem::Problem;
use crate::operate::{OperateError, Page};

/// A query, every parameter of which is known.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(params) = Query::try_from_uri(&parts.uri).map_err(|error| {
            let text = error.body_text();
            let text = text.rsplit_once("query string: ").map_or(&*text, |(_, why)| why);
            Problem::invalid("query", format!("cannot be used: {text}"))
        })?;
        Ok(Self(params))
    }
}

/// What a path names.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::from_request_parts(parts, state).await;
        let Path(named) = named
            .map_err(|error| Problem::new(StatusCode::NOT_FOUND, "not-found", error.body_text()))?;
        Ok(Self(named))
    }
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageParams {
    /// Most items: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    pub(super) limit: Option<u32>,
    /// `next` of the page before.
    pub(super) after: Option<String>,
}

impl PageParams {
    pub(super) fn page(&self) -> Result<Page, OperateError> {
        Page::new(self.limit, self.after.as_deref())
    }
}
