//! `rating`, and what can be rated and is asked beside it.

use serde_json::Value;

use super::fields::{fault, hundredths, required, words};
use crate::beckn::{Fault, Rate, Request};

/// Most answers that one rating brings.
const ANSWERS_MAX: usize = 16;

pub(super) fn parse(body: &Value) -> Result<Request, Fault> {
    Ok(Request::Rate(Rate {
        of: required(body, "/message/id")?.into(),
        category: required(body, "/message/rating_category")?.into(),
        value_centi: value(body, "/message/value"),
        answers: answers(body)?,
    }))
}

pub(super) fn parse_feedback_form(body: &Value) -> Result<Request, Fault> {
    Ok(Request::FeedbackForm {
        category: required(body, "/message/rating_category")?.into(),
        value_centi: value(body, "/message/rating_value"),
    })
}

/// A rating, in hundredths; what is no number is none that can be given.
fn value(body: &Value, pointer: &str) -> Option<u32> {
    hundredths(body, pointer).ok().flatten().and_then(|value| u32::try_from(value).ok())
}

fn answers(body: &Value) -> Result<Vec<(String, String)>, Fault> {
    let form = body.pointer("/message/feedback_form").and_then(Value::as_array);
    let len = form.map(Vec::len).unwrap_or_default();
    if len > ANSWERS_MAX {
        let must = format!("must have {ANSWERS_MAX} answers at most");
        return Err(fault("message.feedback_form", &must));
    }
    let mut answers = Vec::with_capacity(len);
    for place in 0..len {
        let at = format!("/message/feedback_form/{place}");
        let id = required(body, &format!("{at}/id"))?;
        if let Some(answer) = words(body, &format!("{at}/answer"))? {
            answers.push((id.to_owned(), answer));
        }
    }
    Ok(answers)
}
