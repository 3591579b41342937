//! Forms that an operator may want filled in before a ride is booked: what is asked, and whether what was
//! answered will do. One field after another, and every one that will not do is named.

mod answer;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::fleet::coded;
use super::fleet::id::{FormId, check_code};
use super::fleet::text::{TEXT_LEN_MAX, TextError, check_text};

pub use answer::{Answer, Wrong, WrongKind};

/// Most fields of a form. Riders fill them in on a phone.
pub const FIELDS_MAX: usize = 40;

/// Most options of a choice.
pub const OPTIONS_MAX: usize = 60;

/// Longest answer to one field, in characters as browsers count them: UTF-16 code units.
pub const LENGTH_MAX: u32 = 4_000;

/// Longest answers to all fields of a form together, in the same characters. However they are written, they fit
/// into one request.
pub const FORM_LENGTH_MAX: u32 = 12_000;

/// The field that every page has beside those of its form: no field may be called so.
pub const NONCE: &str = "nonce";

coded! {
    /// What is asked for.
    FieldKind {
        /// One line.
        Text => "text",
        /// Several lines.
        LongText => "long-text",
        /// A number, with a decimal point or without.
        Number => "number",
        /// A day.
        Date => "date",
        /// An address for mail.
        Email => "email",
        /// A phone.
        Phone => "phone",
        /// One of several options.
        Choice => "choice",
    }
}

impl FieldKind {
    /// Longest answer where the operator says nothing.
    pub const fn length_default(self) -> u32 {
        match self {
            Self::Text => 100,
            Self::LongText => 1_000,
            Self::Number => 20,
            Self::Date => 10,
            Self::Email => 254,
            Self::Phone => 30,
            // As long as its longest option.
            Self::Choice => 0,
        }
    }
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its id, which names the answer.
    pub id: String,
    /// What is asked, as riders read it.
    pub label: String,
    /// What is asked for.
    pub kind: FieldKind,
    /// Whether it must be answered.
    pub required: bool,
    /// Longest answer, in UTF-16 code units. Of a choice 0: its options say it.
    pub length_max: u32,
    /// What a choice may be.
    pub options: Vec<String>,
}

impl Field {
    /// Longest answer that there can be.
    fn longest(&self) -> u32 {
        match self.kind {
            FieldKind::Choice => self.options.iter().map(|it| length(it)).max().unwrap_or(0),
            FieldKind::Text
            | FieldKind::LongText
            | FieldKind::Number
            | FieldKind::Date
            | FieldKind::Email
            | FieldKind::Phone => self.length_max,
        }
    }
}

/// A form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// Its id.
    pub id: FormId,
    /// Its title, as riders read it.
    pub title: String,
    /// Whether nothing is booked without it.
    pub required: bool,
    /// What is asked, in this order.
    pub fields: Vec<Field>,
}

/// What is wrong with a form: a field of it, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct FormError {
    /// Which part of the form: `title`, `fields`, `fields.2.label`, counted from 0.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl FormError {
    fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

/// Whether an item's form keeps a ride from being booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormState {
    /// Nothing is asked, or nothing that must be answered.
    NotAsked,
    /// It is there: the submission's id.
    In(Uuid),
    /// This form was not submitted.
    Missing(FormId),
    /// What was given names no submission of this subscriber for this item.
    Unknown(String),
}

/// What is wrong with the nonce that came with answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadNonce {
    /// There is none.
    #[error("is missing; load the form and send what it has")]
    Missing,
    /// It is no nonce of this page, or not any more.
    #[error("is none that this form was shown with, or too old; load the form again")]
    Unknown,
    /// Other answers came with it.
    #[error("was used for other answers; load the form again")]
    Used,
}

/// What was submitted, for an order that was made with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Its id, which the rider's platform gives back.
    pub id: Uuid,
    /// Whose page it was: the BAP's subscriber id.
    pub subscriber_id: String,
    /// In which transaction the page was asked for.
    pub transaction_id: String,
    /// For which item.
    pub item_id: String,
    /// Which form.
    pub form: FormId,
    /// What was answered.
    pub answers: Vec<Answer>,
}

impl Form {
    /// The form, if it can be shown and filled in.
    pub fn checked(self) -> Result<Self, FormError> {
        check_text(&self.title).map_err(|error| FormError::new("title", error.to_string()))?;
        if self.fields.is_empty() || self.fields.len() > FIELDS_MAX {
            let problem = format!("are {}; there must be 1 to {FIELDS_MAX}", self.fields.len());
            return Err(FormError::new("fields", problem));
        }
        for (n, field) in self.fields.iter().enumerate() {
            check_field(n, field)?;
            if self.fields.iter().take(n).any(|other| other.id == field.id) {
                let problem = format!("is {:?}, which another field has", field.id);
                return Err(FormError::new(format!("fields.{n}.id"), problem));
            }
        }
        let longest: u32 = self.fields.iter().map(Field::longest).sum();
        if longest > FORM_LENGTH_MAX {
            let problem = format!(
                "may have answers of {longest} characters together, and {FORM_LENGTH_MAX} is the most: \
                 give some a smaller length_max"
            );
            return Err(FormError::new("fields", problem));
        }
        Ok(self)
    }
}

fn check_field(n: usize, field: &Field) -> Result<(), FormError> {
    let at = |name: &str| format!("fields.{n}.{name}");
    check_code(&field.id).map_err(|error| FormError::new(at("id"), error.to_string()))?;
    if field.id == NONCE {
        return Err(FormError::new(at("id"), format!("must not be {NONCE:?}")));
    }
    let readable = |name: &str, text: &str| {
        check_text(text).map_err(|error: TextError| FormError::new(at(name), error.to_string()))
    };
    readable("label", &field.label)?;
    let is_choice = field.kind == FieldKind::Choice;
    if is_choice && !(1..=OPTIONS_MAX).contains(&field.options.len()) {
        let problem = format!("are {}; a choice has 1 to {OPTIONS_MAX}", field.options.len());
        return Err(FormError::new(at("options"), problem));
    }
    if !is_choice && !field.options.is_empty() {
        return Err(FormError::new(at("options"), "are for a field of kind choice only"));
    }
    if !is_choice && !(1..=LENGTH_MAX).contains(&field.length_max) {
        let problem = format!("is {}; it must be between 1 and {LENGTH_MAX}", field.length_max);
        return Err(FormError::new(at("length_max"), problem));
    }
    if is_choice && field.length_max != 0 {
        return Err(FormError::new(at("length_max"), "is not for a field of kind choice"));
    }
    for (m, option) in field.options.iter().enumerate() {
        readable(&format!("options.{m}"), option)?;
        if option.trim() != option {
            let problem = format!("{option:?} begins or ends with a blank");
            return Err(FormError::new(at(&format!("options.{m}")), problem));
        }
        if field.options.iter().take(m).any(|other| other == option) {
            let problem = format!("{option:?} is there twice");
            return Err(FormError::new(at(&format!("options.{m}")), problem));
        }
    }
    Ok(())
}

/// A text's length as browsers count it.
fn length(text: &str) -> u32 {
    u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX)
}

// An option is a text that people read, and shorter than any answer may be.
const _: () = assert!(TEXT_LEN_MAX <= LENGTH_MAX as usize);
