//! What requests and their answers look like, for whoever writes a program that asks: schemas for the OpenAPI
//! document. What is read leniently is described as it should be written.

use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaFormat, Type};

use super::codes::CORE_VERSIONS;
use crate::beckn::Action;

/// A request for an action.
pub fn request(action: Action) -> Object {
    ObjectBuilder::new()
        .property("context", context(action))
        .required("context")
        .property("message", message())
        .required("message")
        .build()
}

/// The answer to a request: an ACK, or a NACK with its error.
pub fn acknowledgement() -> Object {
    let status = text("Whether the request was taken").enum_values(Some(["ACK", "NACK"])).build();
    let ack = ObjectBuilder::new().property("status", status).required("status").build();
    let message = ObjectBuilder::new().property("ack", ack).required("ack").build();
    let error = ObjectBuilder::new()
        .description(Some("Why it was not; only in a NACK"))
        .property("type", text("Which kind"))
        .required("type")
        .property("code", text("Its code"))
        .required("code")
        .property("path", text("The field that is wrong, where there is one"))
        .property("message", text("In words"))
        .required("message")
        .build();
    ObjectBuilder::new()
        .property("message", message)
        .required("message")
        .property("error", error)
        .build()
}

fn message() -> Object {
    ObjectBuilder::new()
        .description(Some("What is asked, as core 0.9.4 has it for this action"))
        .schema_type(Type::Object)
        .build()
}

fn context(action: Action) -> Object {
    let actions = text("This action").enum_values(Some([action.code()]));
    let versions = text("Version of the core").enum_values(Some(CORE_VERSIONS));
    let time = SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime);
    let mut context = ObjectBuilder::new()
        .property("action", actions)
        .property("core_version", versions)
        .property("domain", text("Network domain"))
        .property("country", text("Country; echoed"))
        .property("city", text("City; echoed"))
        .property("bap_id", text("Who asks: the signer"))
        .property("bap_uri", text("The signer's registered address"))
        .property("transaction_id", text("The transaction; echoed"))
        .property("message_id", text("The message; the same when it is sent again"))
        .property("timestamp", text("When it was sent, with its zone").format(Some(time)))
        .property("bpp_id", text("Whom it addresses: us, where it says so"))
        .property("bpp_uri", text("At which address: ours, where it says so"))
        .property("ttl", text("How long somebody waits for the answer, as an ISO 8601 duration"));
    for name in [
        "action",
        "core_version",
        "domain",
        "country",
        "city",
        "bap_id",
        "bap_uri",
        "transaction_id",
        "message_id",
        "timestamp",
    ] {
        context = context.required(name);
    }
    context.build()
}

fn text(what: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(what))
}
