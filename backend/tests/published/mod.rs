//! Callbacks are held to the published schema, where there is a copy of it, and to our own rules.

#[expect(unreachable_pub, reason = "it is shared with a library")]
#[path = "../../../tests/src/schema/mod.rs"]
mod schema;
#[expect(unreachable_pub, reason = "it is shared with a library")]
#[path = "../../../tests/src/spec.rs"]
mod spec;

use std::sync::Once;

use serde_json::Value;

/// Says once a process that there is no copy, if there is none.
static SAID: Once = Once::new();

/// That a callback is what the specification says; gives it back, read.
pub(crate) fn held(action: &str, body: &[u8]) -> Value {
    SAID.call_once(|| drop(spec::spec_dir()));
    let body: Value = serde_json::from_slice(body).expect("JSON");
    let faults = schema::faults(action, &body);
    assert!(faults.is_empty(), "{action}: {faults:#?} in {body:#}");
    body
}
