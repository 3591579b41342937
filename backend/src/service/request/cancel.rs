//! `cancel`: the rider calls a ride off.

use tripline_protocol::id::OrderId;
use tripline_protocol::unit::Timestamp;

use super::{Asker, Outcome, RequestError, failed, own, refused, unknown_order};
use crate::beckn::{Action, CancelReason, FailureKind, Reply};
use crate::domain::effect::{Effect, Notice};
use crate::domain::reason::cancellation_reason;
use crate::domain::trip::By;
use crate::service::Platform;
use crate::service::effects::Wake;
use crate::store::Tx;

/// What is kept of a cancellation for which no reason was given.
const NO_REASON: &str = "no reason given";

impl Platform {
    pub(super) async fn cancel(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        id: OrderId,
        reason: &CancelReason,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let mut stored = own(tx.order(id).await?, asker).ok_or_else(unknown_order)?;
        let Some(reason) = in_words(reason) else {
            let message = "there is no such reason; get_cancellation_reasons tells those there are";
            return Ok(failed(Action::Cancel, FailureKind::UnknownReason, message));
        };
        let mut effects = match stored.order.cancel(&By::Rider, &reason, at) {
            Ok(effects) => effects,
            Err(error) => return Ok(refused(Action::Cancel, &error)),
        };
        // A booking that still waited for a driver is answered before the order is over.
        if effects.contains(&Effect::Tell(Notice::Unserved)) {
            self.tell(tx, &mut stored.order, Notice::Unserved, at).await?;
        }
        // What is told of the end is the answer to this request.
        effects.retain(|effect| !matches!(effect, Effect::Tell(_)));
        let view = stored.order.clone();
        let reply = Reply::Cancelled(&view);
        self.enqueue_in_sequence(tx, &mut stored.order, reply, asker.letter(), at).await?;
        let mut wake = self.carry_out(tx, &mut stored, effects, at).await?;
        wake.merge(Wake::callbacks());
        Ok(Outcome::Done(wake))
    }
}

/// The reason in words; `None` if there is no reason of this id.
fn in_words(reason: &CancelReason) -> Option<String> {
    let of_list = match &reason.id {
        Some(id) => Some(cancellation_reason(id)?.words),
        None => None,
    };
    Some(match (of_list, &reason.words) {
        (Some(of_list), Some(words)) => format!("{of_list}: {words}"),
        (Some(of_list), None) => of_list.to_owned(),
        (None, Some(words)) => words.clone(),
        (None, None) => NO_REASON.to_owned(),
    })
}
