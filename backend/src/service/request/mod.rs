//! Requests of BAPs: noted, carried out and answered in one transaction, once each.
//! [`super::intake`] says which go together.

mod search;
mod select;

mod book;

mod look;

mod cancel;

mod update;

mod rate;

use tracing::info;
use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use super::effects::{Letter, Wake, answer_until, new_callback};
use super::{Platform, ServiceError};
use crate::beckn::{
    Action, Failure, FailureKind, Fault, FaultKind, Received, Reply, Request, render,
};
use crate::chance;
use crate::domain::form::FormState;
use crate::domain::order::{Conversation, Route};
use crate::domain::rating::RatingCategory;
use crate::domain::reason::CANCELLATION_REASONS;
use crate::domain::ride::RideError;
use crate::store::Tx;
use crate::store::inbox::{RequestKey, Seen};
use crate::store::order::StoredOrder;
use crate::time;

/// Why a request was not acknowledged. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It is refused.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// We failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<crate::store::StoreError> for RequestError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Service(error.into())
    }
}

/// What became of a request that is taken. A business refusal is an answer, not a fault: it goes out as a
/// callback.
enum Outcome {
    Done(Wake),
    Failed(Action, Failure),
}

/// How a request was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is stored, and so is what came of it.
    New,
    /// It was stored before, and called for nothing.
    Repeated,
}

impl Taken {
    /// A short fixed word for it, for what is counted and logged.
    pub const fn code(self) -> &'static str {
        match self {
            Self::New => "taken",
            Self::Repeated => "repeated",
        }
    }
}

/// A request, and whose it is.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The subscriber that signed it.
    pub subscriber_id: String,
    /// What it asks.
    pub received: Received,
    /// Why it comes too late, if it does. One that was taken in before gets its ACK again all the same.
    pub too_late: Option<Fault>,
}

/// Who asks, and how to answer.
struct Asker<'a> {
    subscriber_id: &'a str,
    transaction_id: &'a str,
    conversation: &'a Conversation,
    answer_until: Timestamp,
    /// Until when somebody waits for the answer, where that is said.
    waits_until: Option<Timestamp>,
    /// How many answers are wanted.
    answers_max: u32,
}

impl Asker<'_> {
    /// How an answer is sent.
    fn letter(&self) -> Letter<'_> {
        let (conversation, answer_until) = (self.conversation, self.answer_until);
        Letter { conversation, message_id: None, answer_until }
    }
}

impl Platform {
    /// Takes in requests of verified subscribers, together: what is taken is stored, and its answer with
    /// it, and of what is refused nothing is. An error leaves nothing of any of them.
    pub(super) async fn take_in_requests(
        &self,
        group: &[Asked],
    ) -> Result<Vec<Result<Taken, Fault>>, ServiceError> {
        self.refresh_fleet(time::now()).await?;
        let mut tx = self.store.write().await?;
        let (mut outcomes, mut wake) = (Vec::with_capacity(group.len()), Wake::default());
        for asked in group {
            tx.begin_part().await?;
            match self.take_in_request(&mut tx, asked).await {
                Ok((taken, called_for)) => {
                    tx.keep_part().await?;
                    wake.merge(called_for);
                    outcomes.push(Ok(taken));
                }
                Err(RequestError::Fault(fault)) => {
                    tx.undo_part().await?;
                    outcomes.push(Err(fault));
                }
                Err(RequestError::Service(error)) => return Err(error),
            }
        }
        tx.commit().await?;
        self.wake(wake);
        Ok(outcomes)
    }

    /// One that was taken in before calls for nothing.
    async fn take_in_request(
        &self,
        tx: &mut Tx,
        asked: &Asked,
    ) -> Result<(Taken, Wake), RequestError> {
        let at = time::now();
        let Asked { subscriber_id, received, too_late } = asked;
        let action = received.request.action();
        let key = RequestKey {
            subscriber_id: subscriber_id.clone(),
            action: action.code().into(),
            message_id: received.message_id.clone(),
            variant: if action.is_read() { received.digest.clone() } else { Vec::new() },
        };
        match tx.note_request(&key, &received.digest, at).await? {
            Seen::New => too_late.clone().map_or(Ok(()), Err)?,
            Seen::Same => return Ok((Taken::Repeated, Wake::default())),
            Seen::Other => {
                let message = "the message id was used before for another request";
                return Err(Fault::new(FaultKind::MessageIdReused, message).into());
            }
        }
        let asker = Asker {
            subscriber_id,
            transaction_id: &received.transaction_id,
            conversation: &received.conversation,
            answer_until: answer_until(received.sent_at, received.ttl_ms, at),
            waits_until: received.ttl_ms.map(|ttl_ms| received.sent_at.min(at).plus_ms(ttl_ms)),
            answers_max: received.answers_max,
        };
        let wake = match Box::pin(self.carry_out_request(tx, &asker, received.request.clone(), at))
            .await?
        {
            Outcome::Done(wake) => wake,
            Outcome::Failed(action, failure) => {
                info!(action = action.code(), reason = failure.message, "request failed");
                self.enqueue_answer(tx, &asker, Reply::Failed(action, &failure), at).await?
            }
        };
        Ok((Taken::New, wake))
    }

    async fn carry_out_request(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        request: Request,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        match request {
            Request::Search(search) => self.search(tx, asker, search, at).await,
            Request::Select(choice) => self.select(tx, asker, choice, at).await,
            Request::Init { selection, details } => {
                self.init(tx, asker, selection, details, at).await
            }
            Request::Confirm { selection, details, price } => {
                self.confirm(tx, asker, selection, (details, price), at).await
            }
            Request::Status { order_id } => self.status(tx, asker, order_id, at).await,
            Request::Track { order_id, callback_url: _ } => {
                self.track(tx, asker, order_id, at).await
            }
            Request::Cancel { order_id, reason } => {
                self.cancel(tx, asker, order_id, &reason, at).await
            }
            Request::CancellationReasons => {
                let reply = Reply::CancellationReasons(&CANCELLATION_REASONS);
                Ok(Outcome::Done(self.enqueue_answer(tx, asker, reply, at).await?))
            }
            Request::Update(update) => Box::pin(self.update(tx, asker, update, at)).await,
            Request::Rate(rate) => self.rate(tx, asker, rate, at).await,
            Request::Support { of } => self.support(tx, asker, &of, at).await,
            Request::RatingCategories => {
                let reply = Reply::RatingCategories(RatingCategory::ALL);
                Ok(Outcome::Done(self.enqueue_answer(tx, asker, reply, at).await?))
            }
            Request::FeedbackForm { category, value } => {
                self.feedback_form(tx, asker, (category, value), at).await
            }
        }
    }

    /// Writes the answer to a request that concerns no order's sequence.
    async fn enqueue_answer(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        reply: Reply<'_>,
        at: Timestamp,
    ) -> Result<Wake, RequestError> {
        if asker.answers_max == 0 {
            return Ok(Wake::default());
        }
        let rendered = render(&self.settings.identity, asker.conversation, reply, None, at)
            .map_err(ServiceError::Render)?;
        let place = (chance::uuid().map_err(ServiceError::from)?.to_string(), 1);
        let new = new_callback(place, asker.subscriber_id, rendered, asker.answer_until, at);
        tx.add_callback(new, at).await?;
        Ok(Wake::callbacks())
    }
}

/// An order, if it is the asker's: to anybody else it does not exist.
fn own(stored: Option<StoredOrder>, asker: &Asker<'_>) -> Option<StoredOrder> {
    stored.filter(|stored| stored.order.subscriber_id == asker.subscriber_id)
}

impl Platform {
    /// The filled-in form that a booking with an item goes by, if there is one; refused while one is required and not
    /// there.
    async fn form_of(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        item_id: &str,
        named: Option<&str>,
    ) -> Result<Option<Uuid>, RequestError> {
        let (by, transaction) = (asker.subscriber_id, asker.transaction_id);
        match self.form_is_in(tx, by, transaction, item_id, named).await? {
            FormState::NotAsked => Ok(None),
            FormState::In(id) => Ok(Some(id)),
            FormState::Missing(form) => {
                let message = format!(
                    "the form {form} is to be filled in first; its address is in the catalog, at the item"
                );
                Err(Fault::new(FaultKind::FormMissing, message).into())
            }
            FormState::Unknown(_) => {
                let message = "there is no such submission of the item's form";
                Err(Fault::new(FaultKind::FormMissing, message).into())
            }
        }
    }
}

/// How far ahead a ride may be booked, in ms: 30 days. The tariff is fixed with the quote, and what is booked is
/// kept until it is over.
const AHEAD_MS_MAX: i64 = 30 * 86_400_000;

/// Refuses a ride that is too far ahead.
fn check_ahead(route: &Route, at: Timestamp) -> Result<(), RequestError> {
    if route.pickup_at.is_some_and(|pickup_at| pickup_at.since_ms(at) > AHEAD_MS_MAX) {
        let message = format!("rides are booked {} days ahead at most", AHEAD_MS_MAX / 86_400_000);
        return Err(Fault::new(FaultKind::TooFarAhead, message).into());
    }
    Ok(())
}

/// When a ride on this route is expected to start.
fn start_of(route: &Route, at: Timestamp) -> Timestamp {
    route.pickup_at.unwrap_or(at).max(at)
}

fn unknown_order() -> RequestError {
    Fault::new(FaultKind::UnknownOrder, "no such order").into()
}

fn failed(action: Action, kind: FailureKind, message: impl Into<String>) -> Outcome {
    Outcome::Failed(action, Failure::new(kind, message))
}

fn refused(action: Action, error: &RideError) -> Outcome {
    let kind = match error {
        RideError::QuoteExpired | RideError::OtherPrice { .. } | RideError::NoProposal => {
            FailureKind::QuoteGone
        }
        RideError::NotChangeable { .. } => FailureKind::NotChangeable,
        RideError::Missing { what } => FailureKind::Missing(*what),
        RideError::Refused(_)
        | RideError::UnderWay
        | RideError::NoTrip { .. }
        | RideError::Over { .. } => match action {
            Action::Cancel => FailureKind::NotCancellable,
            Action::Update => FailureKind::NotChangeable,
            Action::Search
            | Action::Select
            | Action::Init
            | Action::Confirm
            | Action::Status
            | Action::Track
            | Action::Rating
            | Action::Support
            | Action::CancellationReasons
            | Action::RatingCategories
            | Action::FeedbackForm => FailureKind::Impossible,
        },
    };
    failed(action, kind, error.to_string())
}
