//! Fields as operators give them, made into what they must be, or refused by name.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use tripline_protocol::unit::Timestamp;

use super::OperateError;
use crate::domain::fleet::text::{check_description, check_link, check_phone, check_text};
use crate::domain::fleet::{Provider, ProviderId};
use crate::store::Tx;

/// What a write of a whole row came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was not there.
    Added,
    /// It was there otherwise.
    Changed,
    /// It was there, just so.
    Same,
}

/// Whether a row that is there already is another's, or the one that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It must not be there.
    Add,
    /// Whether it is there or not, it is to be so.
    Put,
}

/// A text that people read.
pub(super) fn text(field: &'static str, value: &str) -> Result<String, OperateError> {
    check_text(value).map_err(|error| OperateError::invalid(field, error.to_string()))?;
    Ok(value.to_owned())
}

/// A description where it may be missing; an empty one is.
pub(super) fn description_if_any(
    field: &'static str,
    value: Option<&str>,
) -> Result<Option<String>, OperateError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    check_description(value).map_err(|error| OperateError::invalid(field, error.to_string()))?;
    Ok(Some(value.to_owned()))
}

/// A link that riders' apps follow.
pub(super) fn link(field: &str, value: &str) -> Result<String, OperateError> {
    check_link(value)
        .map_err(|error| OperateError::invalid(field, format!("{value:?}: {error}")))?;
    Ok(value.to_owned())
}

/// The same where it may be missing; an empty one is.
pub(super) fn link_if_any(
    field: &str,
    value: Option<&str>,
) -> Result<Option<String>, OperateError> {
    value.filter(|value| !value.is_empty()).map(|value| link(field, value)).transpose()
}

/// A phone, however it is written.
pub(super) fn phone(field: &'static str, value: &str) -> Result<String, OperateError> {
    check_phone(value).map_err(|error| OperateError::invalid(field, error.to_string()))?;
    Ok(value.to_owned())
}

/// A text where it may be missing; an empty one is.
pub(super) fn text_if_any(
    field: &'static str,
    value: Option<&str>,
) -> Result<Option<String>, OperateError> {
    value.filter(|value| !value.is_empty()).map(|value| text(field, value)).transpose()
}

/// What is written as a text with rules.
pub(super) fn parsed<T>(field: &'static str, value: &str) -> Result<T, OperateError>
where
    T: FromStr,
    T::Err: Display,
{
    value
        .parse()
        .map_err(|error: T::Err| OperateError::invalid(field, format!("{value:?}: {error}")))
}

/// The same where it may be missing; an empty one is.
pub(super) fn parsed_if_any<T>(
    field: &'static str,
    value: Option<&str>,
) -> Result<Option<T>, OperateError>
where
    T: FromStr,
    T::Err: Display,
{
    value.filter(|value| !value.is_empty()).map(|value| parsed(field, value)).transpose()
}

/// A provider that is there.
pub(super) async fn provider(
    tx: &mut Tx,
    field: &'static str,
    id: &ProviderId,
) -> Result<Provider, OperateError> {
    let found = tx.provider(id).await?;
    found.ok_or_else(|| OperateError::invalid(field, format!("{id}: there is no such provider")))
}

/// When something begins: a time such as 2027-03-31T18:30:00Z, or a date, which counts from its beginning in
/// UTC.
pub(super) fn begin(field: &'static str, value: &str) -> Result<Timestamp, OperateError> {
    moment(field, value, Some)
}

/// When something ends: a time such as 2027-03-31T18:30:00Z, or a date, which counts through its end in UTC.
pub(super) fn end(field: &'static str, value: &str) -> Result<Timestamp, OperateError> {
    moment(field, value, |date| date.tomorrow().ok())
}

fn moment(
    field: &'static str,
    value: &str,
    of_date: fn(jiff::civil::Date) -> Option<jiff::civil::Date>,
) -> Result<Timestamp, OperateError> {
    let date = || {
        let day = of_date(value.parse().ok()?)?;
        Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    let at = value.parse::<jiff::Timestamp>().ok().or_else(date);
    let at = at.ok_or_else(|| {
        let problem = format!(
            "{value:?}: must be a date such as 2027-03-31 or a time such as 2027-03-31T18:30:00Z"
        );
        OperateError::invalid(field, problem)
    })?;
    Ok(Timestamp::from_unix_ms(at.as_millisecond()))
}

pub(super) const fn yes() -> bool {
    true
}

/// A number, or the text of one: tables of text have nothing else.
pub(super) fn number_if_any<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr + TryFrom<u64>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    let bad = || serde::de::Error::custom("must be a whole number that is not too large");
    match Option::<Either>::deserialize(deserializer).map_err(|_| bad())? {
        None => Ok(None),
        Some(Either::Number(number)) => T::try_from(number).map(Some).map_err(|_| bad()),
        Some(Either::Text(text)) if text.is_empty() => Ok(None),
        Some(Either::Text(text)) => text.parse().map(Some).map_err(|_| bad()),
    }
}

/// Yes or no, or the text of it.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Flag(bool),
        Text(String),
    }
    let bad = || serde::de::Error::custom("must be true or false");
    match Either::deserialize(deserializer).map_err(|_| bad())? {
        Either::Flag(flag) => Ok(flag),
        Either::Text(text) => text.parse().map_err(|_| bad()),
    }
}
