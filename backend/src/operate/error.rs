//! Why a verb was not carried out, with what to do about it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::chance::NoChance;
use crate::service::ServiceError;
use crate::store::StoreError;
use crate::store::retry::Contended;

/// A field that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Which, by its name in JSON or its file; for imports with the row: `line 4: driver`.
    #[schema(example = "registration")]
    pub field: String,
    /// What is wrong with it, as the end of a sentence that begins with the field.
    #[schema(example = "must have 1 to 100 printable characters")]
    pub problem: String,
}

/// Why a verb was not carried out. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// What is meant is not there.
    #[error("there is no {what} {id:?}; list them to see which there are")]
    NotFound {
        /// A kind of resource, for people.
        what: &'static str,
        /// The id that was given.
        id: String,
    },
    /// What was given cannot be used.
    #[error("{field} {problem}")]
    Invalid {
        /// Which field.
        field: String,
        /// What is wrong with it, and what it must be.
        problem: String,
    },
    /// The same of many fields or rows.
    #[error("{}", told(problems))]
    Unusable {
        /// Each of them.
        problems: Vec<FieldProblem>,
    },
    /// It is there already, or it is not in a state for that; look at it before trying again.
    #[error("{what} {id:?} {problem}")]
    Conflict {
        /// A kind of resource, for people.
        what: &'static str,
        /// Its id.
        id: String,
        /// Why not, and what to do.
        problem: String,
    },
    /// It is not as it was when whoever asks looked at it.
    #[error("{what} {id:?} was changed since you looked at it; look again, and change that")]
    Stale {
        /// A kind of resource, for people.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// A rule is against it.
    #[error("{reason}")]
    Refused {
        /// Why, and what to do.
        reason: String,
    },
    /// It could not be carried out.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

fn told(problems: &[FieldProblem]) -> String {
    let lines: Vec<String> =
        problems.iter().map(|one| format!("{} {}", one.field, one.problem)).collect();
    lines.join("\n")
}

impl OperateError {
    /// There is nothing of this kind with this id.
    pub fn not_found(what: &'static str, id: impl Into<String>) -> Self {
        Self::NotFound { what, id: id.into() }
    }

    /// A field that cannot be used.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), problem: problem.into() }
    }

    /// Something that is not as it would have to be.
    pub fn conflict(what: &'static str, id: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Conflict { what, id: id.into(), problem: problem.into() }
    }

    /// A rule is against it.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }
}

impl From<StoreError> for OperateError {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

impl From<NoChance> for OperateError {
    fn from(error: NoChance) -> Self {
        Self::Service(error.into())
    }
}

impl Contended for OperateError {
    fn is_contended(&self) -> bool {
        match self {
            Self::Service(error) => error.is_contended(),
            Self::NotFound { .. }
            | Self::Invalid { .. }
            | Self::Unusable { .. }
            | Self::Conflict { .. }
            | Self::Stale { .. }
            | Self::Refused { .. } => false,
        }
    }
}
