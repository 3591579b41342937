//! What is wrong with a callback: by the published schema, where there is a copy of it, and by rules of
//! our own beyond it.
//!
//! The backend's tests take this folder in by its path: it knows nothing of the crate it is in but
//! [`spec`](super::spec).

mod declared;
mod published;
mod rules;

use std::sync::LazyLock;

use serde_json::Value;

use published::Published;

/// The schema, read once a process.
static PUBLISHED: LazyLock<Option<Published>> = LazyLock::new(Published::of_environment);

/// What is wrong with the body of a callback of this action, one line each. Without a copy of the
/// specification only our own rules are asked.
pub fn faults(action: &str, body: &Value) -> Vec<String> {
    let mut faults = PUBLISHED.as_ref().map_or_else(Vec::new, |it| it.faults(action, body));
    faults.extend(rules::faults(body));
    faults
}
