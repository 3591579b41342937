//! Forms that riders fill in before they book, and what they answered. Answers are people's: viewers do not see them.

use serde::{Deserialize, Serialize};
use tripline_protocol::id::OrderId;
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::check::{Mode, Put, flag, number_if_any, parsed, yes};
use super::{Actor, Cursor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::domain::fleet::FormId;
use crate::domain::form::{Answer, Field, FieldKind, Form, Submission};
use crate::store::Tx;
use crate::store::form::FormRow;
use crate::store::submission::SubmissionRow;

const WHAT: &str = "form";

/// A field of a form, as it is given and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FormField {
    /// Its id: letters, digits, `-`, `_` and `.`; the answer is known by it.
    pub id: String,
    /// What is asked, as riders read it.
    pub label: String,
    /// `text`, `long-text`, `number`, `date`, `email`, `phone` or `choice`.
    #[serde(default = "text_kind")]
    #[schema(example = "text")]
    pub kind: String,
    /// Whether it must be answered.
    #[serde(default = "yes", deserialize_with = "flag")]
    pub required: bool,
    /// Longest answer in characters, up to 4000; what is usual for the kind if left out. Not for a choice.
    #[serde(default, deserialize_with = "number_if_any", skip_serializing_if = "Option::is_none")]
    pub length_max: Option<u32>,
    /// What a choice may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

fn text_kind() -> String {
    "text".into()
}

/// A form to be added, or as it is to be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewForm {
    /// Its id: letters, digits, `-`, `_` and `.`; items name it, and it never changes.
    pub id: String,
    /// Its title, as riders read it.
    pub title: String,
    /// Whether nothing is booked without it: true, false, or the text of it.
    #[serde(default = "yes", deserialize_with = "flag")]
    pub required: bool,
    /// What is asked, in this order: 1 to 40 fields.
    pub fields: Vec<FormField>,
}

/// A form, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FormView {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Whether nothing is booked without it.
    pub required: bool,
    /// What is asked.
    pub fields: Vec<FormField>,
}

/// What a rider answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmissionView {
    /// Its id, which the rider's platform has.
    pub id: String,
    /// The form.
    pub form: String,
    /// Whose rider: the subscriber.
    pub subscriber: String,
    /// The transaction in which the form was shown.
    pub transaction: String,
    /// For which item.
    pub item: String,
    /// When, in Unix milliseconds.
    pub at_unix_ms: i64,
    /// The answers, in the form's order.
    pub answers: Vec<AnswerView>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnswerView {
    /// The field's id.
    pub field: String,
    /// What was asked.
    pub label: String,
    /// What was answered.
    pub value: String,
}

impl From<Field> for FormField {
    fn from(field: Field) -> Self {
        let Field { id, label, kind, required, length_max, options } = field;
        let length_max = (length_max > 0).then_some(length_max);
        Self { id, label, kind: kind.code().into(), required, length_max, options }
    }
}

impl From<Form> for FormView {
    fn from(form: Form) -> Self {
        let Form { id, title, required, fields } = form;
        let fields = fields.into_iter().map(Into::into).collect();
        Self { id: id.into(), title, required, fields }
    }
}

impl From<SubmissionRow> for SubmissionView {
    fn from(row: SubmissionRow) -> Self {
        let SubmissionRow { submission, at, page_token: _ } = row;
        let Submission { id, subscriber_id, transaction_id, item_id, form, answers } = submission;
        let answer = |it: Answer| AnswerView { field: it.field, label: it.label, value: it.value };
        Self {
            id: id.to_string(),
            form: form.into(),
            subscriber: subscriber_id,
            transaction: transaction_id,
            item: item_id,
            at_unix_ms: at.unix_ms,
            answers: answers.into_iter().map(answer).collect(),
        }
    }
}

/// The form that is meant, if it can be used.
fn form(new: NewForm) -> Result<Form, OperateError> {
    let field = |(n, field): (usize, FormField)| {
        let kind: FieldKind = field.kind.parse().map_err(|error| {
            OperateError::invalid(format!("fields.{n}.kind"), format!("{:?}: {error}", field.kind))
        })?;
        let FormField { id, label, required, length_max, options, .. } = field;
        let length_max = length_max.unwrap_or(kind.length_default());
        Ok(Field { id, label, kind, required, length_max, options })
    };
    let fields: Vec<Field> =
        new.fields.into_iter().enumerate().map(field).collect::<Result<_, OperateError>>()?;
    let form =
        Form { id: parsed("id", &new.id)?, title: new.title, required: new.required, fields };
    form.checked().map_err(|error| OperateError::invalid(error.field, error.problem))
}

/// Adds a form.
pub async fn add(
    tx: &mut Tx,
    actor: &Actor,
    new: NewForm,
    now: Timestamp,
) -> Result<FormView, OperateError> {
    let id = new.id.clone();
    write(tx, actor, new, Mode::Add, now).await?;
    show(tx, &id).await
}

/// Makes a form what it is to be, whether it is there or not. Riders who have it before them fill it in as it was.
pub async fn put(
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    new: NewForm,
    now: Timestamp,
) -> Result<FormView, OperateError> {
    if new.id != id {
        return Err(OperateError::invalid("id", format!("is {:?}; it must be {id:?}", new.id)));
    }
    write(tx, actor, new, Mode::Put, now).await?;
    show(tx, id).await
}

/// Writes a whole form, whether it is there or, in [`Mode::Put`], not.
pub async fn write(
    tx: &mut Tx,
    actor: &Actor,
    new: NewForm,
    mode: Mode,
    now: Timestamp,
) -> Result<Put, OperateError> {
    let form = form(new)?;
    tx.lock_fleet().await?;
    let known = tx.form(&form.id, None).await?;
    let (put, version) = match known {
        None => (Put::Added, 1),
        Some(_) if mode == Mode::Add => {
            return Err(OperateError::conflict(WHAT, form.id, "is there already"));
        }
        Some(known) if known.form == form => return Ok(Put::Same),
        Some(known) => (Put::Changed, known.version + 1),
    };
    let needed = if form.required { "required" } else { "not required" };
    let detail = format!("{}: {needed}, {} fields", form.id, form.fields.len());
    tx.add_form(&FormRow { form, version }, now).await?;
    // Items are told with it.
    tx.note_catalog_changed().await?;
    actor.note(tx, AuditKind::FormChanged, detail, now).await?;
    Ok(put)
}

/// A form.
pub async fn show(tx: &mut Tx, id: &str) -> Result<FormView, OperateError> {
    Ok(find(tx, id).await?.form.into())
}

async fn find(tx: &mut Tx, id: &str) -> Result<FormRow, OperateError> {
    let not_found = || OperateError::not_found(WHAT, id);
    let parsed: FormId = id.parse().map_err(|_| not_found())?;
    tx.form(&parsed, None).await?.ok_or_else(not_found)
}

/// Forms, by id.
pub async fn list(tx: &mut Tx, page: &Page) -> Result<Listed<FormView>, OperateError> {
    let after = page.after().map(Cursor::id::<String>).transpose()?.unwrap_or_default();
    let rows = tx.forms(&after, page.rows()).await?;
    let cursor = |row: &FormRow| Cursor::new(&row.form.id, &row.form.id);
    Ok(Listed::of(page, rows, cursor, |row| row.form.into()))
}

/// What riders answered to a form, the newest first.
pub async fn submissions(
    tx: &mut Tx,
    id: &str,
    page: &Page,
) -> Result<Listed<SubmissionView>, OperateError> {
    let form = find(tx, id).await?.form.id;
    let before = match page.after() {
        Some(cursor) => Some((Timestamp::from_unix_ms(cursor.key()?), cursor.id()?)),
        None => None,
    };
    let rows = tx.submissions(&form, before, page.rows()).await?;
    let cursor = |row: &SubmissionRow| Cursor::new(row.at.unix_ms, row.submission.id);
    Ok(Listed::of(page, rows, cursor, Into::into))
}

/// What the rider of an order answered, if an answer was asked for and is still kept.
pub async fn of_order(tx: &mut Tx, id: &str) -> Result<Option<SubmissionView>, OperateError> {
    let not_found = || OperateError::not_found("order", id);
    let order: OrderId = id.parse().map_err(|_| not_found())?;
    let stored = tx.order(order).await?.ok_or_else(not_found)?;
    let Some(submission) = stored.order.submission else { return Ok(None) };
    Ok(tx.submission(submission).await?.map(Into::into))
}
