//! What is answered when something is not done: RFC 9457.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tracing::error;
use utoipa::ToSchema;

use crate::http::body::BodyError;
use crate::operate::{FieldProblem, OperateError};
use crate::service::ServiceError;
use crate::store::StoreError;
use crate::store::retry::Contended as _;

/// The media type.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// What every `type` begins with.
const TYPE_PREFIX: &str = "urn:tripline:problem:";

/// What whoever comes without a token is told.
const BEARER: &str = "Bearer realm=\"tripline\"";

/// Why a request was not carried out. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Problem {
    /// Which kind of problem: `urn:tripline:problem:` and a word that stays as it is.
    #[serde(rename = "type")]
    #[schema(example = "urn:tripline:problem:invalid")]
    kind: String,
    /// The HTTP status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
    /// Each field that cannot be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
}

impl Problem {
    /// A problem of this kind, a word of ours.
    pub(super) fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{TYPE_PREFIX}{kind}"),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// A field that cannot be used.
    pub(super) fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        let problem = FieldProblem { field: field.into(), problem: problem.into() };
        let detail = format!("{} {}", problem.field, problem.problem);
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self { errors: vec![problem], ..Self::new(status, "invalid", detail) }
    }

    fn unusable(problems: Vec<FieldProblem>) -> Self {
        let detail = match problems.as_slice() {
            [one] => format!("{} {}", one.field, one.problem),
            many => format!("{} fields or rows cannot be used; errors names each", many.len()),
        };
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self { errors: problems, ..Self::new(status, "invalid", detail) }
    }

    /// What did not come from whoever asked.
    fn ours(service: &ServiceError) -> Self {
        if service.is_of_the_store() || service.is_contended() {
            error!(error = %service, "an operator's request met a store that cannot be used");
            let detail = "the store cannot be used at this moment; try again";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        }
        error!(error = %service, "an operator's request could not be carried out");
        let detail = "something that should not happen; the log of the platform says what";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }
}

impl From<OperateError> for Problem {
    fn from(error: OperateError) -> Self {
        let detail = error.to_string();
        match error {
            OperateError::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not-found", detail),
            OperateError::Invalid { field, problem } => Self::invalid(field, problem),
            OperateError::Unusable { problems } => Self::unusable(problems),
            OperateError::Conflict { .. } => Self::new(StatusCode::CONFLICT, "conflict", detail),
            OperateError::Stale { .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "stale", detail)
            }
            OperateError::Refused { .. } => Self::new(StatusCode::CONFLICT, "refused", detail),
            OperateError::Service(service) => Self::ours(&service),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::ours(&error.into())
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let detail = error.to_string();
        match error {
            BodyError::TooLarge(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail),
            BodyError::TooSlow | BodyError::CutOff => {
                Self::new(StatusCode::REQUEST_TIMEOUT, "too-slow", detail)
            }
            BodyError::Encoded => {
                let detail = "an encoded body is not taken: send it as it is";
                Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(BEARER));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}
