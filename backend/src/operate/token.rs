//! Tokens for the admin API: who they are, what they may, and until when.
//!
//! A secret is shown once, to whoever has the token made. Kept is its SHA-256: of 256 random bits nothing
//! slower is needed.

use std::fmt;

use serde::{Deserialize, Serialize};
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Actor, Cursor, Listed, OperateError, Page, Role};
use crate::audit::AuditKind;
use crate::chance::{self, NoChance};
use crate::identity::authority::sha256;
use crate::store::Tx;
use crate::store::token::{Digest, TokenRow};

/// What every secret begins with, so that one that went astray is known for what it is.
const PREFIX: &str = "tripline_";

/// Longest name, in bytes.
const NAME_LEN_MAX: usize = 64;

/// Longest life that can be asked for, in days: ten years.
pub const EXPIRES_DAYS_MAX: u32 = 3_650;

const DAY_MS: i64 = 86_400_000;

/// What resources of this kind are called.
const WHAT: &str = "token";

/// The secret of a token. It does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one.
    pub fn new() -> Result<Self, NoChance> {
        Ok(Self(format!("{PREFIX}{}", chance::token()?)))
    }

    /// What somebody shows; `None` if no token of ours has such a secret.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let is_one = digits.len() == chance::TOKEN_LEN
            && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_one.then(|| Self(text.to_owned()))
    }

    /// What is kept of it.
    pub fn digest(&self) -> Digest {
        sha256(self.0.as_bytes())
    }

    /// The secret itself, for whoever is to have it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Whether a token counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenState {
    /// It does.
    Active,
    /// It did until its time was over.
    Expired,
    /// It did until it was revoked.
    Revoked,
}

impl TokenState {
    /// That of a token at a time.
    pub fn of(row: &TokenRow, now: Timestamp) -> Self {
        if row.revoked_at.is_some() {
            Self::Revoked
        } else if row.expires_at.is_some_and(|at| at <= now) {
            Self::Expired
        } else {
            Self::Active
        }
    }

    /// Its stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// A token, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its id.
    pub id: String,
    /// Its name, which no other token ever has; the audit trail names what is done with it.
    pub name: String,
    /// What it may.
    pub role: Role,
    /// Whether it counts.
    pub state: TokenState,
    /// When it was made, in Unix milliseconds.
    pub created_at_unix_ms: i64,
    /// Who made it: a token's name, or `cli`.
    pub created_by: String,
    /// About when it was used last, to the hour.
    pub last_used_at_unix_ms: Option<i64>,
    /// From when on it counts no more; never if there is none.
    pub expires_at_unix_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_at_unix_ms: Option<i64>,
}

impl TokenView {
    fn of(row: TokenRow, now: Timestamp) -> Self {
        let ms = |at: Option<Timestamp>| at.map(|at| at.unix_ms);
        Self {
            id: row.id.to_string(),
            state: TokenState::of(&row, now),
            role: row.role,
            created_at_unix_ms: row.created_at.unix_ms,
            last_used_at_unix_ms: ms(row.last_used_at),
            expires_at_unix_ms: ms(row.expires_at),
            revoked_at_unix_ms: ms(row.revoked_at),
            created_by: row.created_by,
            name: row.name,
        }
    }
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// A name of 1 to 64 of a-z, 0-9, `.`, `_` and `-`, for a person or a program.
    #[schema(example = "asha")]
    pub name: String,
    /// What it may.
    pub role: Role,
    /// For how many days it counts, at most 3650; for ever if not given.
    #[schema(minimum = 1, maximum = 3650)]
    pub expires_days: Option<u32>,
}

/// A token that was made, with its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MadeToken {
    /// The token.
    pub token: TokenView,
    /// Its secret, shown this once.
    pub secret: String,
}

/// Makes a token.
pub async fn add(
    tx: &mut Tx,
    actor: &Actor,
    new: &NewToken,
    now: Timestamp,
) -> Result<MadeToken, OperateError> {
    check_name(&new.name)?;
    let expires_at = new.expires_days.map(|days| expiry(days, now)).transpose()?;
    let secret = Secret::new()?;
    let row = TokenRow {
        id: chance::uuid()?,
        name: new.name.clone(),
        role: new.role,
        created_at: now,
        created_by: actor.name.clone(),
        last_used_at: None,
        expires_at,
        revoked_at: None,
    };
    if !tx.add_token(&row, &secret.digest()).await? {
        let problem = "exists already, or did once; names are not used again";
        return Err(OperateError::conflict(WHAT, &new.name, problem));
    }
    let detail = format!("{} {}, {}", row.name, row.id, row.role);
    actor.note(tx, AuditKind::TokenAdded, detail, now).await?;
    Ok(MadeToken { token: TokenView::of(row, now), secret: secret.reveal().to_owned() })
}

fn check_name(name: &str) -> Result<(), OperateError> {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > NAME_LEN_MAX || !name.bytes().all(fits) {
        let problem = format!("must have 1 to {NAME_LEN_MAX} of a-z, 0-9, '.', '_' and '-'");
        return Err(OperateError::invalid("name", problem));
    }
    if name == Actor::CLI || Uuid::parse_str(name).is_ok() {
        let problem = format!("must not be {} and no UUID", Actor::CLI);
        return Err(OperateError::invalid("name", problem));
    }
    Ok(())
}

fn expiry(days: u32, now: Timestamp) -> Result<Timestamp, OperateError> {
    if !(1..=EXPIRES_DAYS_MAX).contains(&days) {
        let problem = format!("is {days}; it must be between 1 and {EXPIRES_DAYS_MAX}");
        return Err(OperateError::invalid("expires_days", problem));
    }
    Ok(now.plus_ms(i64::from(days) * DAY_MS))
}

/// A page of the tokens, by name.
pub async fn list(
    tx: &mut Tx,
    page: &Page,
    now: Timestamp,
) -> Result<Listed<TokenView>, OperateError> {
    let after: String = page.after().map(Cursor::key).transpose()?.unwrap_or_default();
    let rows = tx.tokens(&after, page).await?;
    let cursor = |row: &TokenRow| Cursor::new(&row.name, row.id);
    Ok(Listed::of(page, rows, cursor, |row| TokenView::of(row, now)))
}

/// Ends a token, by its name or id. The next request with it is refused.
pub async fn revoke(
    tx: &mut Tx,
    actor: &Actor,
    name: &str,
    now: Timestamp,
) -> Result<TokenView, OperateError> {
    let row = tx.find_token(name).await?.ok_or_else(|| OperateError::not_found(WHAT, name))?;
    // Once more has no effect.
    if tx.revoke_token(row.id, now).await? {
        let detail = format!("{} {}", row.name, row.id);
        actor.note(tx, AuditKind::TokenRevoked, detail, now).await?;
        return Ok(TokenView::of(TokenRow { revoked_at: Some(now), ..row }, now));
    }
    let row = tx.find_token(name).await?.ok_or_else(|| OperateError::not_found(WHAT, name))?;
    Ok(TokenView::of(row, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_and_does_not_print_itself() {
        let secret = Secret::new().expect("random");
        assert_eq!(Secret::parse(secret.reveal()), Some(secret.clone()));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        let text = secret.reveal();
        for wrong in ["", "tripline_", &text[1..], &text[..text.len() - 1], &text.to_uppercase()] {
            assert_eq!(Secret::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Secret::parse(&format!("{text}0")), None);
    }

    #[test]
    fn names_that_nobody_could_tell_apart_are_refused() {
        let long = "a".repeat(NAME_LEN_MAX + 1);
        let id = Uuid::nil().to_string();
        for name in ["", "Asha", "a b", "a\n", Actor::CLI, &long, &id] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert!(check_name("asha.laptop-2").is_ok());
    }
}
