//! What requests and their answers look like, for whoever writes a program that asks: schemas for the OpenAPI
//! document. What is read leniently is described as it should be written.

use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaFormat, Type};

use super::codes::CORE_VERSIONS;
use crate::beckn::Action;

/// A request for an action.
pub fn request(action: Action) -> Object {
    let request = ObjectBuilder::new().property("context", context(action)).required("context");
    match message(action) {
        Some(message) => request.property("message", message).required("message").build(),
        None => request.build(),
    }
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

/// Fields by name.
type Fields = Vec<(&'static str, ObjectBuilder)>;

/// What is asked; `None` where the context is all.
fn message(action: Action) -> Option<Object> {
    let order = || object("The order, as far as it is said");
    let order_id = || text("The order's id, as the answer to init told it");
    let (needed, more): (Fields, Fields) = match action {
        Action::Search => (vec![("intent", object("What is looked for, and where"))], vec![]),
        Action::Select | Action::Init | Action::Confirm => (vec![("order", order())], vec![]),
        Action::Status => (vec![("order_id", order_id())], vec![]),
        Action::Track => (
            vec![("order_id", order_id())],
            vec![("callback_url", text("Below the sender's registered address"))],
        ),
        Action::Cancel => (
            vec![("order_id", order_id())],
            vec![
                ("cancellation_reason_id", text("One of those that are told")),
                ("descriptor", object("A reason in words, in short_desc")),
            ],
        ),
        Action::Update => {
            let target = text("What is to be changed, with commas between");
            (vec![("update_target", target), ("order", order())], vec![])
        }
        Action::Rating => (
            vec![
                ("id", text("The order's id, or its fulfillment's")),
                ("rating_category", text("One of those that are told")),
                ("value", number("From 1 to 5")),
            ],
            vec![("feedback_form", list("Answers: id and answer each"))],
        ),
        Action::Support => (vec![("ref_id", text("The order's id, or its fulfillment's"))], vec![]),
        Action::FeedbackForm => (
            vec![
                ("rating_category", text("One of those that are told")),
                ("rating_value", number("From 1 to 5; as text too")),
            ],
            vec![],
        ),
        Action::CancellationReasons | Action::RatingCategories => return None,
    };
    let mut message = ObjectBuilder::new().schema_type(Type::Object);
    for (name, schema) in needed {
        message = message.property(name, schema).required(name);
    }
    for (name, schema) in more {
        message = message.property(name, schema);
    }
    Some(message.build())
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
        .property("ttl", text("How long somebody waits for the answer, as an ISO 8601 duration"))
        .property(
            "max_callbacks",
            whole("How many answers are wanted: 1 if left out, any with -1"),
        );
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

fn object(what: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object).description(Some(what))
}

fn list(what: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Array).description(Some(what))
}

fn number(what: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Number).description(Some(what))
}

fn whole(what: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).description(Some(what))
}

fn text(what: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(what))
}
