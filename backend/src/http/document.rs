//! `GET /openapi.json`: the OpenAPI document of the public listener, made of the routes as they are
//! registered, and `GET /health`.

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::{Extension, Router};
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, Required, Response,
    ResponseBuilder,
};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use super::nack::STATUSES;
use crate::beckn::{Action, callback, schema};

/// What the security scheme is called in the document.
const SIGNATURE: &str = "signature";

/// What the answer to a request is called in it.
const ACKNOWLEDGEMENT: &str = "Acknowledgement";

const DESCRIPTION: &str = "What riders' platforms, the registry and riders use. A request is answered at once \
with an ACK or a NACK; what it asked for comes later, as a callback to the sender's registered address.";

const SIGNED: &str = "`Signature keyId=\"subscriber|key|ed25519\",algorithm=\"ed25519\",created=\"..\",\
expires=\"..\",headers=\"(created) (expires) digest\",signature=\"..\"`: Ed25519 over the time of its making, \
the time of its end and the BLAKE2b-512 digest of the body as it is on the wire.";

const OF_GATEWAY: &str =
    "The signature of the gateway that passed the request on, where one did; in the same form";

/// The document in bytes: the same for everybody, and made once.
#[derive(Debug, Clone)]
struct Document(Bytes);

/// The document, before there is a route in it.
pub(super) fn begun() -> OpenApi {
    let value = ApiKeyValue::with_description("Authorization", SIGNED);
    let scheme = SecurityScheme::ApiKey(ApiKey::Header(value));
    let components = ComponentsBuilder::new()
        .schema(ACKNOWLEDGEMENT, schema::acknowledgement())
        .security_scheme(SIGNATURE, scheme)
        .build();
    let info = InfoBuilder::new()
        .title("Tripline provider platform")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION));
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// Describes every action that is served.
pub(super) fn add_actions(document: &mut OpenApi, base: &str) {
    for action in Action::ALL {
        let path = format!("{base}/{}", action.code());
        document.paths.paths.insert(path, described(action));
    }
}

fn described(action: Action) -> PathItem {
    let content = ContentBuilder::new().schema(Some(schema::request(action))).build();
    let body = RequestBodyBuilder::new()
        .content("application/json", content)
        .required(Some(Required::True))
        .build();
    let code = action.code();
    let told = format!(
        "Signed by the sender. What is asked for comes as a callback, `{}`.",
        callback(action)
    );
    let mut operation = OperationBuilder::new()
        .operation_id(Some(format!("beckn.{code}")))
        .tag("beckn")
        .summary(Some(format!("Ask for `{code}`")))
        .description(Some(told))
        .security(SecurityRequirement::new(SIGNATURE, Vec::<String>::new()))
        .parameter(gateway_header("X-Gateway-Authorization"))
        .parameter(gateway_header("Proxy-Authorization"))
        .request_body(Some(body));
    for (status, meaning) in STATUSES {
        operation = operation.response(status.as_str(), answered(status.as_u16(), meaning));
    }
    PathItem::new(HttpMethod::Post, operation)
}

fn gateway_header(name: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(OF_GATEWAY))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
        .build()
}

fn answered(status: u16, meaning: &str) -> Response {
    let acknowledgement = Ref::from_schema_name(ACKNOWLEDGEMENT);
    let content = ContentBuilder::new().schema(Some(acknowledgement)).build();
    let response = ResponseBuilder::new().description(meaning).content("application/json", content);
    let header = |what: &str, kind: Type| {
        let schema = ObjectBuilder::new().schema_type(kind).build();
        HeaderBuilder::new().schema(Some(schema)).description(Some(what)).build()
    };
    let challenge = || header("Which parts are to be signed", Type::String);
    let response = match status {
        401 => response
            .header("WWW-Authenticate", challenge())
            .header("Proxy-Authenticate", challenge()),
        429 | 503 => response.header("Retry-After", header("In s", Type::Integer)),
        _ => response,
    };
    response.build()
}

/// Routes with their descriptions, below a path.
pub(super) fn under<S>(base: &str, routes: UtoipaMethodRouter<S>) -> UtoipaMethodRouter<S> {
    let (schemas, mut paths, router) = routes;
    let below = |(path, item)| (format!("{base}{path}"), item);
    paths.paths = std::mem::take(&mut paths.paths).into_iter().map(below).collect();
    (schemas, paths, router)
}

/// The routes, and the document that is made of them.
pub(super) fn served(described: OpenApiRouter) -> Router {
    let (router, mut document) = described.routes(routes!(show)).split_for_parts();
    complete(&mut document);
    let bytes = serde_json::to_vec(&document).unwrap_or_default();
    router.layer(Extension(Document(bytes.into())))
}

/// Names every operation by its tag too.
fn complete(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
            let name = operation.operation_id.take().unwrap_or_default();
            let name = name.strip_prefix(&format!("{tag}.")).unwrap_or(&name).to_owned();
            operation.operation_id = Some(format!("{tag}.{name}"));
        }
    }
}

/// Show this document.
#[utoipa::path(get, path = "/openapi.json", tag = "platform",
    responses((status = 200, description = "The document", body = Object)))]
async fn show(Extension(Document(bytes)): Extension<Document>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], bytes)
}

/// Say that the process runs. It does not look at the store.
#[utoipa::path(get, path = "/health", tag = "platform",
    responses((status = 200, description = "It runs", body = String)))]
pub(super) async fn health() -> &'static str {
    "ok\n"
}
