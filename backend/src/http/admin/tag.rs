//! `ETag` and `If-Match`: a change to what somebody else changed meanwhile is refused.
//!
//! The tag of a resource is the SHA-256 of its view: whatever shows in it counts as its version.

use axum::Json;
use axum::http::HeaderValue;
use axum::http::header::{ETAG, HeaderMap, IF_MATCH};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::identity::authority::{hex, sha256};
use crate::operate::OperateError;
use crate::service::ServiceError;

/// A view that is answered with its tag.
pub(super) struct Tagged<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let tag = tag_of(&self.0).ok().and_then(|tag| HeaderValue::from_str(&tag).ok());
        let mut response = Json(self.0).into_response();
        if let Some(tag) = tag {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}

fn tag_of(view: &impl Serialize) -> Result<String, OperateError> {
    let json = serde_json::to_vec(view).map_err(|error| ServiceError::Render(error.to_string()))?;
    Ok(format!("\"{}\"", hex(&sha256(&json))))
}

/// What `If-Match` says.
#[derive(Debug, Clone, Default)]
pub(super) struct OnlyIf(Option<String>);

impl OnlyIf {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let said: Vec<_> = headers
            .get_all(IF_MATCH)
            .iter()
            .map(|value| value.to_str().unwrap_or_default())
            .collect();
        Self((!said.is_empty()).then(|| said.join(",")))
    }

    /// Whether it was sent.
    pub(super) const fn is_asked(&self) -> bool {
        self.0.is_some()
    }

    /// Whether what is there is what was meant. Whoever asks has locked it before.
    pub(super) fn check(
        &self,
        what: &'static str,
        id: &str,
        view: &impl Serialize,
    ) -> Result<(), OperateError> {
        let Some(said) = &self.0 else { return Ok(()) };
        let tag = tag_of(view)?;
        if said.split(',').map(str::trim).any(|one| one == "*" || one == tag) {
            return Ok(());
        }
        Err(OperateError::Stale { what, id: id.to_owned() })
    }
}
