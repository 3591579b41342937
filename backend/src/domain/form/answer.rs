//! Answers to a form, and what is wrong with them.

use serde::{Deserialize, Serialize};

use super::{Field, FieldKind, Form, length};
use crate::domain::fleet::text::check_phone;

/// Digits of a number before its point, and behind it.
const WHOLE_DIGITS_MAX: usize = 15;
const DECIMALS_MAX: usize = 6;

/// Longest part of a mail address before its @, and longest part between two dots behind it, in bytes.
const LOCAL_LEN_MAX: usize = 64;
const HOST_LABEL_LEN_MAX: usize = 63;

/// Longest name of a field that is told, in characters: it may be anybody's.
const NAME_LEN_MAX: usize = 64;

/// Fields that are told to be none of the form's: more of them are one mistake.
const UNKNOWN_TOLD_MAX: usize = 8;

/// An answer to a field, with what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The field's id.
    pub field: String,
    /// What was asked.
    pub label: String,
    /// What was answered.
    pub value: String,
}

/// Why an answer will not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongKind {
    /// There is none.
    #[error("must be filled in")]
    Missing,
    /// There is more than one.
    #[error("is there more than once")]
    Twice,
    /// The form does not ask for it.
    #[error("is no field of this form")]
    Unknown,
    /// Too long.
    #[error("must have at most {0} characters")]
    TooLong(u32),
    /// Control characters, or not UTF-8.
    #[error("has characters that cannot be shown")]
    Unreadable,
    /// No number.
    #[error("must be a number such as 12 or 12.5")]
    Number,
    /// No day.
    #[error("must be a day such as 2027-03-31")]
    Date,
    /// No address for mail.
    #[error("must be a mail address such as asha@example.com")]
    Email,
    /// No phone.
    #[error("must be a phone number such as +91 98000 00000")]
    Phone,
    /// None of the options.
    #[error("must be one of the options")]
    Choice,
}

/// An answer that will not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {kind}")]
pub struct Wrong {
    /// The field's id, as it was given, and bounded.
    pub field: String,
    /// What is asked there; `None` if the form has no such field.
    pub label: Option<String>,
    /// Why.
    pub kind: WrongKind,
}

impl Form {
    /// The answers out of what was sent, by field, in the form's order; or everything that will not do.
    pub fn answers(&self, sent: &[(String, String)]) -> Result<Vec<Answer>, Vec<Wrong>> {
        let (mut answers, mut wrong) = (Vec::new(), Vec::new());
        for field in &self.fields {
            match field.answer(sent) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    let (id, label) = (field.id.clone(), field.label.clone());
                    answers.push(Answer { field: id, label, value });
                }
                Err(kind) => {
                    let label = Some(field.label.clone());
                    wrong.push(Wrong { field: field.id.clone(), label, kind });
                }
            }
        }
        let is_known = |name: &str| self.fields.iter().any(|field| field.id == name);
        let unknown = sent.iter().filter(|(name, _)| !is_known(name)).take(UNKNOWN_TOLD_MAX);
        wrong.extend(unknown.map(|(name, _)| Wrong {
            field: name.chars().take(NAME_LEN_MAX).collect(),
            label: None,
            kind: WrongKind::Unknown,
        }));
        if wrong.is_empty() { Ok(answers) } else { Err(wrong) }
    }
}

impl Field {
    /// What was answered; `None` for nothing where nothing is needed.
    fn answer(&self, sent: &[(String, String)]) -> Result<Option<String>, WrongKind> {
        let mut given = sent.iter().filter(|(name, _)| *name == self.id);
        let value = given.next().map_or("", |(_, value)| value.as_str());
        if given.next().is_some() {
            return Err(WrongKind::Twice);
        }
        // Browsers end a line with CRLF, and count it as one character.
        let value = value.replace("\r\n", "\n").replace('\r', "\n");
        let value = value.trim();
        if value.is_empty() {
            return if self.required { Err(WrongKind::Missing) } else { Ok(None) };
        }
        if length(value) > self.longest() && self.kind != FieldKind::Choice {
            return Err(WrongKind::TooLong(self.longest()));
        }
        let breaks = self.kind == FieldKind::LongText;
        let hidden = |c: char| match c {
            '\n' | '\t' => !breaks,
            // What a reader of UTF-8 puts where there is none.
            char::REPLACEMENT_CHARACTER => true,
            c => c.is_control(),
        };
        if value.contains(hidden) {
            return Err(WrongKind::Unreadable);
        }
        match self.misfit(value) {
            Some(kind) => Err(kind),
            None => Ok(Some(value.to_owned())),
        }
    }

    /// Why a text is not what this kind of field asks for.
    fn misfit(&self, value: &str) -> Option<WrongKind> {
        let (fits, kind) = match self.kind {
            FieldKind::Text | FieldKind::LongText => return None,
            FieldKind::Number => (is_number(value), WrongKind::Number),
            FieldKind::Date => (is_date(value), WrongKind::Date),
            FieldKind::Email => (is_email(value), WrongKind::Email),
            FieldKind::Phone => (is_phone(value), WrongKind::Phone),
            FieldKind::Choice => {
                (self.options.iter().any(|option| option == value), WrongKind::Choice)
            }
        };
        (!fits).then_some(kind)
    }
}

fn is_digits(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    match text.split_once('.') {
        None => is_digits(text, WHOLE_DIGITS_MAX),
        Some((whole, decimals)) => {
            is_digits(whole, WHOLE_DIGITS_MAX) && is_digits(decimals, DECIMALS_MAX)
        }
    }
}

fn is_date(text: &str) -> bool {
    // The form of a browser's date field, and no other that a lenient reader would take.
    let has_form = text.len() == 10
        && text.bytes().enumerate().all(|(n, byte)| match n {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    has_form && text.parse::<jiff::civil::Date>().is_ok()
}

fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let fits = |c: char| !c.is_whitespace() && !"@()<>[]:;,\\\"".contains(c);
    let is_label = |label: &str| {
        (1..=HOST_LABEL_LEN_MAX).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (1..=LOCAL_LEN_MAX).contains(&local.len())
        && local.chars().all(fits)
        && host.contains('.')
        && host.split('.').all(is_label)
}

fn is_phone(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_digit() || "+-(). /".contains(c);
    text.chars().all(fits) && check_phone(text).is_ok()
}
