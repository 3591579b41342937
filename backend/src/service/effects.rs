//! Carries out what a decision calls for, in the decision's transaction.

use tripline_protocol::id::DeviceId;
use tripline_protocol::link::down::Command;
use tripline_protocol::link::envelope::encode;
use tripline_protocol::unit::Timestamp;

use super::{Platform, ServiceError};
use crate::beckn::{Action, Failure, FailureKind, Reply, render};
use crate::chance;
use crate::domain::effect::{Effect, Notice};
use crate::domain::order::{Conversation, Order};
use crate::store::Tx;
use crate::store::callback::NewCallback;
use crate::store::order::StoredOrder;

/// How long callbacks that tell of a booking or its change are tried, in ms: 72 hours.
pub(super) const BOOKING_TRIED_MS: i64 = 72 * 3_600_000;

/// How long answers that only matter while somebody waits are tried, in ms.
pub(super) const ANSWER_TRIED_MS: i64 = 120_000;

/// What is to be woken once a transaction is committed.
#[derive(Debug, Default)]
pub(super) struct Wake {
    callbacks: bool,
    devices: Vec<DeviceId>,
}

impl Wake {
    pub(super) fn merge(&mut self, other: Self) {
        self.callbacks |= other.callbacks;
        self.devices.extend(other.devices);
    }
}

impl Platform {
    /// Wakes whoever has something to do after a commit.
    pub(super) fn wake(&self, wake: Wake) {
        if wake.callbacks {
            self.outbox.notify_one();
        }
        for device in wake.devices {
            self.sessions.wake(&device);
        }
    }

    /// Writes what `effects` call for and then the order itself.
    pub(super) async fn carry_out(
        &self,
        tx: &mut Tx,
        stored: &mut StoredOrder,
        effects: Vec<Effect>,
        at: Timestamp,
    ) -> Result<Wake, ServiceError> {
        let mut wake = Wake::default();
        for effect in effects {
            match effect {
                Effect::Tell(notice) => {
                    self.tell(tx, &mut stored.order, notice, at).await?;
                    wake.callbacks = true;
                }
                Effect::Command { device, body, expires_at } => {
                    let number = tx.next_command_number(&device).await?;
                    let payload = encode(&Command { number, expires_at, body: *body });
                    tx.add_down_message(&device, number, payload, at).await?;
                    wake.devices.push(device);
                }
                Effect::Release(device) => tx.release(&device, stored.order.id).await?,
            }
        }
        tx.save_order(stored).await?;
        Ok(wake)
    }

    async fn tell(
        &self,
        tx: &mut Tx,
        order: &mut Order,
        notice: Notice,
        at: Timestamp,
    ) -> Result<(), ServiceError> {
        let unserved =
            Failure { kind: FailureKind::NoDriver, message: "no driver took the ride".into() };
        let view = order.clone();
        let (reply, answers) = match notice {
            Notice::Confirmed => (Reply::Confirmed(&view), true),
            Notice::Unserved => (Reply::Failed(Action::Confirm, &unserved), true),
            Notice::Phase(phase) => (Reply::Status(&view, Some(phase)), false),
            Notice::FinalFare | Notice::Paid => (Reply::Updated(&view), false),
            Notice::Cancelled => (Reply::Cancelled(&view), false),
        };
        self.enqueue_for_order(tx, order, reply, answers, at).await
    }

    /// Writes a callback that tells of an order, in the order's sequence. An answer carries the
    /// request's message id, anything unasked a fresh one.
    pub(super) async fn enqueue_for_order(
        &self,
        tx: &mut Tx,
        order: &mut Order,
        reply: Reply<'_>,
        answers: bool,
        at: Timestamp,
    ) -> Result<(), ServiceError> {
        let fresh = if answers { None } else { Some(chance::uuid()?.to_string()) };
        let conversation = order.conversation.clone();
        let letter = (&conversation, fresh, at.plus_ms(BOOKING_TRIED_MS));
        self.enqueue_in_sequence(tx, order, reply, letter, at).await
    }

    /// Writes a callback in an order's sequence: in which conversation, under which message id if not
    /// the request's, and until when it is tried.
    pub(super) async fn enqueue_in_sequence(
        &self,
        tx: &mut Tx,
        order: &mut Order,
        reply: Reply<'_>,
        (conversation, message_id, expires_at): (&Conversation, Option<String>, Timestamp),
        at: Timestamp,
    ) -> Result<(), ServiceError> {
        // Times in callbacks of one order never go back, whatever the system clock does.
        let told_at = at.max(order.updated_at);
        let identity = &self.settings.identity;
        let rendered = render(identity, conversation, reply, message_id.as_deref(), told_at)
            .map_err(ServiceError::Render)?;
        order.callbacks += 1;
        let new = NewCallback {
            order_key: order.id.to_string(),
            sequence: order.callbacks,
            subscriber_id: order.subscriber_id.clone(),
            action: rendered.action.into(),
            url: rendered.url,
            body: rendered.body,
            expires_at,
        };
        Ok(tx.add_callback(new, at).await?)
    }
}
