//! Ratings: what riders think of a ride, of who drove and of the vehicle, and what they are asked about it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tripline_protocol::order::OrderState;

use super::fleet::coded;
use super::fleet::driver::{STARS_MAX, STARS_MIN};
use super::order::Order;

/// Least value, in hundredths of a star.
pub const VALUE_MIN: u16 = 100;

/// Most value, in hundredths of a star.
pub const VALUE_MAX: u16 = 500;

/// From this value on a rating praises, in hundredths of a star.
const GOOD: u16 = 400;

/// Most answers to questions with one rating.
pub const ANSWERS_MAX: usize = 10;

/// Longest name of a question, in bytes.
pub const QUESTION_LEN_MAX: usize = 100;

/// Longest answer, in bytes.
pub const ANSWER_LEN_MAX: usize = 500;

coded! {
    /// What is rated.
    RatingCategory {
        /// The ride as a whole.
        Ride => "ride",
        /// Who drove: it counts for the driver's mean.
        Driver => "driver",
        /// What they drove.
        Vehicle => "vehicle",
    }
}

/// What is wrong with a rating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RatingError {
    /// Its value.
    #[error("a rating is a number from {STARS_MIN} to {STARS_MAX}")]
    Value,
    /// Too many answers.
    #[error("a rating has at most {ANSWERS_MAX} answers")]
    TooManyAnswers,
    /// An answer to nothing, or to a question with a name that is too long.
    #[error("an answer names its question, with 1 to {QUESTION_LEN_MAX} bytes")]
    Question,
    /// An answer that is too long.
    #[error("an answer has at most {ANSWER_LEN_MAX} bytes")]
    Answer,
}

/// From 1 to 5 stars, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RatingValue(u16);

impl RatingValue {
    /// So many hundredths of a star.
    pub fn from_centistars(centistars: u16) -> Result<Self, RatingError> {
        if (VALUE_MIN..=VALUE_MAX).contains(&centistars) {
            Ok(Self(centistars))
        } else {
            Err(RatingError::Value)
        }
    }

    /// Hundredths of a star.
    pub const fn centistars(self) -> u16 {
        self.0
    }

    /// Whether it praises.
    const fn is_good(self) -> bool {
        self.0 >= GOOD
    }
}

impl fmt::Display for RatingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:02}", self.0 / 100, self.0 % 100))
    }
}

impl FromStr for RatingValue {
    type Err = RatingError;

    /// A decimal number such as `4`, `4.5` or `4.0`; beyond hundredths it is cut off.
    fn from_str(text: &str) -> Result<Self, RatingError> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(part) {
            return Err(RatingError::Value);
        }
        let whole: u16 = whole.parse().map_err(|_| RatingError::Value)?;
        let (hundredths, beyond) = match part.as_bytes() {
            [] => (0, &[][..]),
            [tenths] => (u16::from(tenths - b'0') * 10, &[][..]),
            [tenths, hundredths, beyond @ ..] => {
                (u16::from(tenths - b'0') * 10 + u16::from(hundredths - b'0'), beyond)
            }
        };
        let value = Self::from_centistars(whole.saturating_mul(100).saturating_add(hundredths))?;
        // A hair more than the most is more than the most.
        if value.0 == VALUE_MAX && beyond.iter().any(|digit| *digit != b'0') {
            return Err(RatingError::Value);
        }
        Ok(value)
    }
}

/// What a rider answered to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The question: one of ours by its id, or whatever was asked.
    pub question: String,
    /// What was answered.
    pub text: String,
}

/// The answers that come with a rating, none of them too long.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Answers(Vec<Answer>);

impl Answers {
    /// Of these questions and answers. Signs that would move a terminal's cursor become blanks.
    pub fn new(answers: Vec<Answer>) -> Result<Self, RatingError> {
        if answers.len() > ANSWERS_MAX {
            return Err(RatingError::TooManyAnswers);
        }
        answers.into_iter().map(plain).collect::<Result<_, _>>().map(Self)
    }

    /// In the order in which they came.
    pub fn iter(&self) -> std::slice::Iter<'_, Answer> {
        self.0.iter()
    }

    /// Whether nothing was answered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Answers {
    type Item = &'a Answer;
    type IntoIter = std::slice::Iter<'a, Answer>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn plain(answer: Answer) -> Result<Answer, RatingError> {
    let plain = |text: String| text.replace(char::is_control, " ");
    let Answer { question, text } = answer;
    if question.trim().is_empty() || question.len() > QUESTION_LEN_MAX {
        return Err(RatingError::Question);
    }
    if text.len() > ANSWER_LEN_MAX {
        return Err(RatingError::Answer);
    }
    Ok(Answer { question: plain(question), text: plain(text) })
}

/// A question to whoever rated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Its id, which never changes.
    pub id: &'static str,
    /// As it is asked.
    pub text: &'static str,
}

const RIDE_WRONG: [Question; 2] = [
    Question { id: "ride-wrong", text: "What went wrong on this ride?" },
    Question { id: "ride-better", text: "What should we do better?" },
];
const RIDE_GOOD: [Question; 1] =
    [Question { id: "ride-good", text: "What did you like about this ride?" }];
const DRIVER_WRONG: [Question; 2] = [
    Question { id: "driver-wrong", text: "What did the driver do wrong?" },
    Question { id: "driver-safe", text: "Did you feel safe?" },
];
const DRIVER_GOOD: [Question; 1] =
    [Question { id: "driver-good", text: "What did the driver do well?" }];
const VEHICLE_WRONG: [Question; 2] = [
    Question { id: "vehicle-wrong", text: "What was wrong with the vehicle?" },
    Question { id: "vehicle-clean", text: "Was it clean?" },
];
const VEHICLE_GOOD: [Question; 1] =
    [Question { id: "vehicle-good", text: "What did you like about the vehicle?" }];

/// What is asked after a rating.
pub const fn questions(category: RatingCategory, value: RatingValue) -> &'static [Question] {
    match (category, value.is_good()) {
        (RatingCategory::Ride, false) => &RIDE_WRONG,
        (RatingCategory::Ride, true) => &RIDE_GOOD,
        (RatingCategory::Driver, false) => &DRIVER_WRONG,
        (RatingCategory::Driver, true) => &DRIVER_GOOD,
        (RatingCategory::Vehicle, false) => &VEHICLE_WRONG,
        (RatingCategory::Vehicle, true) => &VEHICLE_GOOD,
    }
}

/// Why something of an order cannot be rated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRateable {
    /// Its ride has not ended, or there was none.
    #[error("a ride is rated once it has ended")]
    NotEnded,
    /// Nobody knows who drove.
    #[error("it is not known who drove")]
    NoDriver,
}

impl Order {
    /// Whether this can be rated of the order's ride.
    pub fn rateable(&self, category: RatingCategory) -> Result<(), NotRateable> {
        if self.state != OrderState::Completed {
            return Err(NotRateable::NotEnded);
        }
        let driver = self.trip.as_ref().and_then(|trip| trip.vehicle.driver.as_ref());
        match category {
            RatingCategory::Driver if driver.is_none() => Err(NotRateable::NoDriver),
            RatingCategory::Ride | RatingCategory::Driver | RatingCategory::Vehicle => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn value(text: &str) -> Option<u16> {
        text.parse().ok().map(RatingValue::centistars)
    }

    #[test]
    fn a_value_is_a_number_from_one_to_five_kept_in_hundredths() {
        let good = [("1", 100), ("5", 500), ("4.5", 450), ("4.0", 400), ("5.000", 500)];
        for (text, centistars) in good.into_iter().chain([("3.999", 399), ("4.07", 407)]) {
            assert_eq!(value(text), Some(centistars), "{text}");
        }
        let bad =
            ["0", "0.99", "6", "5.01", "5.001", "-4", "+4", "4.", ".5", "4,5", "4e0", "", "NaN"];
        for text in bad.into_iter().chain(["99999999999", "4.5.5", "five"]) {
            assert_eq!(value(text), None, "{text}");
        }
        assert_eq!(RatingValue::from_centistars(99), Err(RatingError::Value));
        assert_eq!(RatingValue::from_centistars(501), Err(RatingError::Value));
        assert_eq!("4.07".parse::<RatingValue>().expect("a value").to_string(), "4.07");
    }

    #[test]
    fn answers_are_bounded_and_plain() {
        let answer =
            |question: &str, text: &str| Answer { question: question.into(), text: text.into() };
        let answers = Answers::new;
        let kept = answers(vec![answer("ride-good", "all\nof \u{1b}[2Jit")]).expect("good");
        assert_eq!(kept.iter().next().map(|one| one.text.as_str()), Some("all of  [2Jit"));
        let most = vec![answer("q", &"x".repeat(ANSWER_LEN_MAX)); ANSWERS_MAX];
        assert!(answers(most.clone()).is_ok());
        let more = [most, vec![answer("q", "")]].concat();
        assert_eq!(answers(more), Err(RatingError::TooManyAnswers));
        let long = "x".repeat(ANSWER_LEN_MAX + 1);
        assert_eq!(answers(vec![answer("q", &long)]), Err(RatingError::Answer));
        for question in [" ", &long] {
            assert_eq!(answers(vec![answer(question, "yes")]), Err(RatingError::Question));
        }
    }

    #[test]
    fn every_category_and_value_has_its_questions_with_ids_of_their_own() {
        let mut ids = BTreeSet::new();
        let mut count = 0;
        for category in RatingCategory::ALL {
            for centistars in [399, 400] {
                let value = RatingValue::from_centistars(centistars).expect("a value");
                let asked = questions(*category, value);
                assert!(!asked.is_empty() && asked.len() <= ANSWERS_MAX);
                for question in asked {
                    assert!(question.id.starts_with(category.code()), "{question:?}");
                    assert!(question.id.len() <= QUESTION_LEN_MAX);
                }
                count += asked.len();
                ids.extend(asked.iter().map(|question| question.id));
            }
        }
        assert_eq!(ids.len(), count, "{ids:?}");
    }
}
