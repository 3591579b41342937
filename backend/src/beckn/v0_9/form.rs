//! The answer to a form that was sent in, as the schema of such inputs has it (BECKN-007, `FormResponse`).

use serde_json::{Value, json};
use uuid::Uuid;

use super::codes;
use crate::beckn::Fault;
use crate::domain::form::{BadNonce, NONCE, Wrong};

/// Something that is wrong with what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormProblem {
    code: &'static str,
    /// The name of the field; empty where there is none.
    path: String,
    message: String,
}

impl FormProblem {
    /// Of the form as a whole.
    pub fn of_all(message: impl Into<String>) -> Self {
        Self { code: codes::FORM_INVALID, path: String::new(), message: message.into() }
    }

    /// So many submissions came from one page.
    pub fn too_many() -> Self {
        let message = "this form was sent in too often".to_owned();
        Self { code: codes::FORM_TOO_OFTEN, path: String::new(), message }
    }
}

impl From<&Wrong> for FormProblem {
    fn from(wrong: &Wrong) -> Self {
        let (path, message) = (wrong.field.clone(), wrong.to_string());
        Self { code: codes::FORM_INVALID, path, message }
    }
}

impl From<BadNonce> for FormProblem {
    fn from(bad: BadNonce) -> Self {
        let message = format!("{NONCE} {bad}");
        Self { code: codes::FORM_INVALID, path: NONCE.to_owned(), message }
    }
}

impl From<&Fault> for FormProblem {
    fn from(fault: &Fault) -> Self {
        let (_, code) = codes::fault(fault.kind);
        let path = fault.path.clone().unwrap_or_default();
        Self { code, path, message: fault.message.clone() }
    }
}

/// The answer to a form that is in, under this id.
pub fn form_taken(submission: Uuid) -> Value {
    json!({ "status": true, "submission_id": submission.to_string(), "errors": [] })
}

/// The answer to one that will not do. There is no id of anything.
pub fn form_refused(errors: &[FormProblem]) -> Value {
    let error = |error: &FormProblem| json!({ "code": error.code, "path": error.path, "message": error.message });
    json!({ "status": false, "errors": errors.iter().map(error).collect::<Vec<_>>() })
}
