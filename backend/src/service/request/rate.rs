//! `rating` and `support`, and what is asked beside a rating.

use tripline_protocol::unit::Timestamp;

use super::{Asker, Outcome, RequestError, failed, own};
use crate::beckn::{Action, FailureKind, Rate, Reply};
use crate::domain::rating::{Answers, RatingCategory, RatingError, RatingValue, questions};
use crate::service::effects::Wake;
use crate::service::rating::{Rated, rate};
use crate::service::{Platform, ServiceError};
use crate::store::Tx;
use crate::store::order::StoredOrder;

/// What the operator reads of a rider who asks for support.
const ASKED: &str = "the rider asked for support";

/// What is said of a category that nobody rates.
const NO_CATEGORY: &str = "nobody rates that; get_rating_categories tells what is rated";

impl Platform {
    pub(super) async fn rate(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        asked: Rate,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let refused = |kind, message: &str| Ok(failed(Action::Rating, kind, message));
        let Some(stored) = order_named(tx, asker, &asked.of).await? else {
            return refused(FailureKind::NothingToRate, "there is no such ride of yours");
        };
        let Some(category) = asked.category else {
            return refused(FailureKind::UnknownRatingCategory, NO_CATEGORY);
        };
        let Some(value) = asked.value else {
            return refused(FailureKind::BadRating, &RatingError::Value.to_string());
        };
        let answers = match Answers::new(asked.answers) {
            Ok(answers) => answers,
            Err(error) => return refused(FailureKind::BadRating, &error.to_string()),
        };
        let with_answers = !answers.is_empty();
        match rate(tx, &stored, category, value, answers, at).await? {
            Rated::Taken => {
                let reply = Reply::Rated { with_answers };
                Ok(Outcome::Done(self.enqueue_answer(tx, asker, reply, at).await?))
            }
            Rated::AlreadyRated => {
                refused(FailureKind::RatedBefore, "it was rated before, and that stands")
            }
            Rated::NotEnded => {
                refused(FailureKind::NothingToRate, "a ride is rated once it has ended")
            }
            Rated::NoDriver => refused(FailureKind::NothingToRate, "it is not known who drove"),
        }
    }

    pub(super) async fn feedback_form(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        (category, value): (Option<RatingCategory>, Option<RatingValue>),
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let refused = |kind, message: String| Ok(failed(Action::FeedbackForm, kind, message));
        let Some(category) = category else {
            return refused(FailureKind::UnknownRatingCategory, NO_CATEGORY.into());
        };
        let Some(value) = value else {
            return refused(FailureKind::BadRating, RatingError::Value.to_string());
        };
        let reply = Reply::FeedbackForm(questions(category, value));
        Ok(Outcome::Done(self.enqueue_answer(tx, asker, reply, at).await?))
    }

    pub(super) async fn support(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        of: &str,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let Some(mut stored) = order_named(tx, asker, of).await? else {
            let message = "there is no such ride of yours";
            return Ok(failed(Action::Support, FailureKind::NoSupport, message));
        };
        // The operator sees it, also where nobody is there to be called.
        stored.order.ask_support(ASKED, at);
        tx.save_order(&stored).await?;
        if self.settings.support.is_none() {
            let message = "nobody is there to be called; the operator was told";
            return Ok(failed(Action::Support, FailureKind::NoSupport, message));
        }
        let reply = Reply::Support(&self.settings.support);
        let mut wake = self.enqueue_answer(tx, asker, reply, at).await?;
        wake.merge(Wake::callbacks());
        Ok(Outcome::Done(wake))
    }
}

/// An order of the asker's, by its own id or its fulfillment's.
async fn order_named(
    tx: &mut Tx,
    asker: &Asker<'_>,
    named: &str,
) -> Result<Option<StoredOrder>, ServiceError> {
    let by_id = match named.parse() {
        Ok(id) => own(tx.order(id).await?, asker),
        Err(_) => None,
    };
    Ok(match by_id {
        Some(stored) => Some(stored),
        None => own(tx.order_of_fulfillment(named).await?, asker),
    })
}
