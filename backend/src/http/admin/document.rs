//! The OpenAPI document, made of the routes.

use utoipa::PartialSchema as _;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ComponentsBuilder, Object, ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, ResponseBuilder,
};

use super::answers::IDEMPOTENCY_KEY_LEN_MAX;
use super::problem::{PROBLEM_JSON, Problem};
use crate::operate::{FieldProblem, Role};

/// What the security scheme is called in the document.
const TOKEN: &str = "token";

const DESCRIPTION: &str = "What operators do. The command line `tripline-bpp` has the same verbs, and \
prints the same JSON.\n\nLists are paginated: `limit` is 1 to 200, `after` is `next` of the page before. \
A POST with an `Idempotency-Key` has one effect however often it comes within 24 hours. Times are Unix \
milliseconds, money is in paise. What is not done is told as `application/problem+json` (RFC 9457).";

/// The document, before there is a route in it.
pub(super) fn begun() -> OpenApi {
    let mut scheme = Http::new(HttpAuthScheme::Bearer);
    scheme.description = Some("A token that `tripline-bpp token add` made.".to_owned());
    let components = ComponentsBuilder::new()
        .schema("Problem", Problem::schema())
        .schema("FieldProblem", FieldProblem::schema())
        .security_scheme(TOKEN, SecurityScheme::Http(scheme))
        .build();
    let info = InfoBuilder::new()
        .title("Tripline admin API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION));
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// Adds to the description of routes what is the same for all of them, and the role that these need.
pub(super) fn complete(item: &mut PathItem, role: Role) {
    let reads = [&mut item.get, &mut item.head, &mut item.options];
    reads.into_iter().flatten().for_each(|operation| finish(operation, role));
    let changes = [&mut item.put, &mut item.patch, &mut item.delete];
    for operation in changes.into_iter().flatten() {
        finish(operation, role);
    }
    if let Some(operation) = &mut item.patch {
        operation.parameters.get_or_insert_default().push(RefOr::T(if_match()));
    }
    if let Some(operation) = &mut item.post {
        finish(operation, role);
        operation.parameters.get_or_insert_default().push(RefOr::T(idempotency_key()));
    }
}

fn finish(operation: &mut Operation, role: Role) {
    let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
    let name = operation.operation_id.take().unwrap_or_default();
    operation.operation_id = Some(format!("{tag}.{name}"));
    operation.security = Some(vec![SecurityRequirement::new(TOKEN, [role.code()])]);
    let needs = format!("Needs the role `{role}`.");
    let told = operation
        .description
        .take()
        .map_or_else(|| needs.clone(), |told| format!("{told}\n\n{needs}"));
    operation.description = Some(told);
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let problem = ResponseBuilder::new()
        .description("Why it was not done")
        .content(PROBLEM_JSON, content)
        .build();
    operation.responses.responses.insert("default".to_owned(), RefOr::T(problem));
}

fn idempotency_key() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(IDEMPOTENCY_KEY_LEN_MAX))
        .build();
    let what = "A text of your choice, the same when the same request is sent again";
    header("Idempotency-Key", what, schema)
}

fn if_match() -> Parameter {
    let what =
        "The `ETag` of what is changed: refused with 412 if somebody else changed it meanwhile";
    header("If-Match", what, ObjectBuilder::new().schema_type(Type::String).build())
}

fn header(name: &str, what: &str, schema: Object) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(what))
        .schema(Some(schema))
        .build()
}
