//! `status` and `track`: where an order stands, and where its vehicle is.

use tripline_protocol::id::OrderId;
use tripline_protocol::unit::Timestamp;

use super::{Asker, Outcome, RequestError, own, unknown_order};
use crate::beckn::Reply;
use crate::service::Platform;
use crate::service::effects::Wake;
use crate::store::Tx;

impl Platform {
    pub(super) async fn status(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        id: OrderId,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let mut stored = own(tx.order(id).await?, asker).ok_or_else(unknown_order)?;
        // In the order's sequence, so that no answer comes after news of a later state.
        let view = stored.order.clone();
        let reply = Reply::Status(&view, None);
        self.enqueue_in_sequence(tx, &mut stored.order, reply, asker.letter(), at).await?;
        tx.save_order(&stored).await?;
        Ok(Outcome::Done(Wake::callbacks()))
    }

    pub(super) async fn track(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        id: OrderId,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let stored = own(tx.order(id).await?, asker).ok_or_else(unknown_order)?;
        let position = self.position_of(&stored.order);
        let reply = Reply::Tracking {
            url: &self.track_link(&stored.order),
            position: position.as_ref(),
            active: stored.order.is_trackable(),
        };
        Ok(Outcome::Done(self.enqueue_answer(tx, asker, reply, at).await?))
    }
}
