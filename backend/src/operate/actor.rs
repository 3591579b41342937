//! Who does it, and what they may.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::OperateError;
use crate::audit::{AuditKind, Entry};
use crate::enrol::revoke::note;
use crate::store::Tx;

/// What somebody may do. Each may all that those before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Runs the day: trips, duty, cash, drivers' locks.
    Dispatcher,
    /// Changes what the fleet is, and who may what.
    Admin,
}

/// A text that is no [`Role`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is viewer, dispatcher or admin")]
pub struct UnknownRole;

impl Role {
    /// Every role, the one that may least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Dispatcher, Self::Admin];

    /// Its stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Dispatcher => "dispatcher",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.code() == text).ok_or(UnknownRole)
    }
}

/// Who carries out a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The name that the audit trail has for them: of their token, or `cli`.
    pub name: String,
    /// What they may.
    pub role: Role,
}

impl Actor {
    /// Name of whoever runs our command line; no token has it.
    pub const CLI: &'static str = "cli";

    /// Whoever runs our command line: they have the store, so that they may everything.
    pub fn cli() -> Self {
        Self { name: Self::CLI.to_owned(), role: Role::Admin }
    }

    /// Writes down in a verb's transaction what it does. `detail` begins with the id of what it is done to,
    /// holds no secret, and is cut at [`DETAIL_LEN_MAX`](crate::audit::DETAIL_LEN_MAX).
    pub async fn note(
        &self,
        tx: &mut Tx,
        kind: AuditKind,
        detail: impl Into<String>,
        now: Timestamp,
    ) -> Result<(), OperateError> {
        let entry = Entry { kind, device: None, peer: None, actor: None, detail: detail.into() };
        self.note_entry(tx, entry, now).await
    }

    /// The same of something that is done to a device.
    pub async fn note_of_device(
        &self,
        tx: &mut Tx,
        kind: AuditKind,
        device: &DeviceId,
        detail: impl Into<String>,
        now: Timestamp,
    ) -> Result<(), OperateError> {
        self.note_entry(tx, Entry::of_device(kind, device, detail), now).await
    }

    async fn note_entry(
        &self,
        tx: &mut Tx,
        entry: Entry,
        now: Timestamp,
    ) -> Result<(), OperateError> {
        Ok(note(tx, entry.by(&self.name), now).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_read_back_from_their_codes_and_each_may_what_those_before_it_may() {
        for role in Role::ALL {
            assert_eq!(role.code().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>(), Err(UnknownRole));
        assert!(Role::ALL.is_sorted() && Role::Dispatcher < Role::Admin);
    }
}
