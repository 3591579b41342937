//! `rating`, and what can be rated and is asked beside it.

use serde_json::{Value, json};

use super::codes::{ANSWER_TYPE, rated, rating_category};
use super::fields::{fault, hundredths, required, words};
use crate::beckn::{Fault, Rate, Request};
use crate::domain::rating::{ANSWERS_MAX, Answer, Question, RatingCategory, RatingValue};

pub(super) fn parse(body: &Value) -> Result<Request, Fault> {
    Ok(Request::Rate(Rate {
        of: required(body, "/message/id")?.into(),
        category: rated(required(body, "/message/rating_category")?),
        value: value(body, "/message/value"),
        answers: answers(body)?,
    }))
}

pub(super) fn parse_feedback_form(body: &Value) -> Result<Request, Fault> {
    Ok(Request::FeedbackForm {
        category: rated(required(body, "/message/rating_category")?),
        value: value(body, "/message/rating_value"),
    })
}

/// A rating; what is no number is none that can be given.
fn value(body: &Value, pointer: &str) -> Option<RatingValue> {
    let centistars = hundredths(body, pointer).ok().flatten()?;
    RatingValue::from_centistars(u16::try_from(centistars).ok()?).ok()
}

fn answers(body: &Value) -> Result<Vec<Answer>, Fault> {
    let form = body.pointer("/message/feedback_form").and_then(Value::as_array);
    let len = form.map(Vec::len).unwrap_or_default();
    if len > ANSWERS_MAX {
        let must = format!("must have {ANSWERS_MAX} answers at most");
        return Err(fault("message.feedback_form", &must));
    }
    let mut answers = Vec::with_capacity(len);
    for place in 0..len {
        let at = format!("/message/feedback_form/{place}");
        let question = required(body, &format!("{at}/id"))?.to_owned();
        if let Some(text) = words(body, &format!("{at}/answer"))? {
            answers.push(Answer { question, text });
        }
    }
    Ok(answers)
}

pub(super) fn acknowledged(with_answers: bool) -> Value {
    json!({ "feedback_ack": with_answers, "rating_ack": true })
}

pub(super) fn categories(categories: &[RatingCategory]) -> Value {
    let codes: Vec<_> = categories.iter().map(|category| rating_category(*category)).collect();
    json!(codes)
}

pub(super) fn feedback_form(questions: &[Question]) -> Value {
    let asked = |question: &Question| json!({ "id": question.id, "question": question.text, "answer_type": ANSWER_TYPE });
    json!({ "feedback_form": questions.iter().map(asked).collect::<Vec<_>>() })
}
