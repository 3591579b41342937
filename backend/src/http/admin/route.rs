//! A route with the role it needs.

use std::future::Future;
use std::pin::Pin;

use axum::extract::{Extension, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::UtoipaMethodRouter;

use super::App;
use super::admission::Admitted;
use super::document;
use super::problem::Problem;
use crate::operate::Role;

/// Routes for whoever has this role, or one that may more; the document says so too.
pub(super) fn needs(
    role: Role,
    (schemas, mut paths, router): UtoipaMethodRouter<App>,
) -> UtoipaMethodRouter<App> {
    paths.paths.values_mut().for_each(|item| document::complete(item, role));
    (schemas, paths, router.route_layer(from_fn(check_layer(role))))
}

type Checked = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A layer that lets through who has this role.
pub(super) fn check_layer(
    role: Role,
) -> impl Fn(Extension<Admitted>, Request, Next) -> Checked + Clone + Send + Sync + 'static {
    move |Extension(admitted), request, next| Box::pin(check(role, admitted, request, next))
}

async fn check(role: Role, admitted: Admitted, request: Request, next: Next) -> Response {
    let actor = admitted.actor;
    if actor.role >= role {
        return next.run(request).await;
    }
    let detail = format!("this needs the role {role}; token {} has {}", actor.name, actor.role);
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail).into_response()
}
