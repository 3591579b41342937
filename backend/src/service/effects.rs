//! Carries out what a decision calls for, in the decision's transaction.

use tripline_protocol::id::{CommandNumber, DeviceId};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::envelope::encode;
use tripline_protocol::unit::Timestamp;

use super::duty::note_cash;
use super::offers::{note_accepted, note_released};
use super::{Platform, ServiceError};
use crate::beckn::{Action, Change, Failure, FailureKind, Rendered, Reply, answers_max, render};
use crate::callback::BOOKING_TRIED_MS;
use crate::chance;
use crate::domain::effect::{Effect, Notice, Phase};
use crate::domain::order::{Conversation, Order};
use crate::store::Tx;
use crate::store::callback::NewCallback;
use crate::store::order::StoredOrder;
use crate::time;

/// How long answers that only matter while somebody waits are tried, in ms, where the request does not say
/// how long that is.
const ANSWER_TRIED_MS: i64 = 120_000;

/// How long they are tried at least, in ms: once, and once more.
const ANSWER_TRIED_MS_MIN: i64 = 10_000;

/// How long they are tried at most, in ms.
const ANSWER_TRIED_MS_MAX: i64 = 24 * 3_600_000;

/// Until when an answer is tried that somebody waits for from `sent_at` on, as their clock has it.
pub(super) fn answer_until(sent_at: Timestamp, ttl_ms: Option<i64>, now: Timestamp) -> Timestamp {
    let until = sent_at.min(now).plus_ms(ttl_ms.unwrap_or(ANSWER_TRIED_MS));
    until.max(now.plus_ms(ANSWER_TRIED_MS_MIN)).min(now.plus_ms(ANSWER_TRIED_MS_MAX))
}

/// In which conversation and how a callback is sent.
pub(super) struct Letter<'a> {
    /// The conversation.
    pub(super) conversation: &'a Conversation,
    /// The message id of what nobody asked for; an answer carries the request's.
    pub(super) message_id: Option<String>,
    /// Until when it is tried, if it tells of no booking.
    pub(super) answer_until: Timestamp,
}

/// What is to be woken once a transaction is committed.
#[derive(Debug, Default)]
pub struct Wake {
    callbacks: bool,
    devices: Vec<DeviceId>,
}

impl Wake {
    /// Who delivers callbacks.
    pub(super) fn callbacks() -> Self {
        Self { callbacks: true, devices: Vec::new() }
    }

    /// Devices for which something was written.
    pub(super) fn devices(devices: Vec<DeviceId>) -> Self {
        Self { callbacks: false, devices }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.callbacks |= other.callbacks;
        self.devices.extend(other.devices);
    }
}

impl Platform {
    /// Wakes whoever has something to do after a commit.
    pub(crate) fn wake(&self, wake: Wake) {
        if wake.callbacks {
            self.outbox.notify_one();
        }
        for device in wake.devices {
            self.sessions.wake(&device);
        }
    }

    /// Writes what `effects` call for and then the order itself.
    pub(crate) async fn carry_out(
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
                    if notice.is_assigned() {
                        note_accepted(tx, &stored.order, at).await?;
                    }
                    self.tell(tx, &mut stored.order, notice, at).await?;
                    wake.callbacks = true;
                }
                Effect::TellOf(then, notice) => {
                    let mut then = *then;
                    then.callbacks = stored.order.callbacks;
                    self.tell(tx, &mut then, notice, at).await?;
                    stored.order.callbacks = then.callbacks;
                    wake.callbacks = true;
                }
                Effect::Command { device, body, expires_at } => {
                    send_command(tx, &device, *body, expires_at, at).await?;
                    wake.devices.push(device);
                }
                Effect::Release(device) => {
                    note_released(tx, &stored.order, &device, at).await?;
                    tx.release(&device, stored.order.id).await?;
                }
                Effect::Cash { driver, device, amount, at: taken_at } => {
                    let order = stored.order.id;
                    note_cash(tx, (&driver, &device), (order, amount), taken_at).await?;
                }
            }
        }
        tx.save_order(stored).await?;
        Ok(wake)
    }

    pub(super) async fn tell(
        &self,
        tx: &mut Tx,
        order: &mut Order,
        notice: Notice,
        at: Timestamp,
    ) -> Result<(), ServiceError> {
        let told = |phase| self.settings.identity.tell_pauses || !is_of_pause(phase);
        if matches!(notice, Notice::Phase(phase) if !told(phase)) {
            return Ok(());
        }
        let unserved = Failure::new(FailureKind::NoDriver, "no driver took the ride");
        let view = order.clone();
        let (reply, answers) = match notice {
            Notice::Confirmed => (Reply::Confirmed(&view), true),
            Notice::Unserved => (Reply::Failed(Action::Confirm, &unserved), true),
            Notice::Phase(phase) => (Reply::Status(&view, Some(phase)), false),
            Notice::FinalFare => (Reply::Updated(&view, Change::Fare), false),
            Notice::Paid => (Reply::Updated(&view, Change::Payment), false),
            Notice::Reassigned | Notice::Unassigned => {
                (Reply::Updated(&view, Change::Driver), false)
            }
            Notice::Cancelled => (Reply::Cancelled(&view), false),
        };
        let message_id = if answers { None } else { Some(chance::uuid()?.to_string()) };
        let conversation = &view.conversation;
        let letter = Letter { conversation, message_id, answer_until: at };
        self.enqueue_in_sequence(tx, order, reply, letter, at).await
    }

    /// Writes a callback in an order's sequence.
    pub(super) async fn enqueue_in_sequence(
        &self,
        tx: &mut Tx,
        order: &mut Order,
        reply: Reply<'_>,
        letter: Letter<'_>,
        at: Timestamp,
    ) -> Result<(), ServiceError> {
        // Times in callbacks of one order never go back, whatever the system clock does.
        let told_at = at.max(order.updated_at);
        let identity = &self.settings.identity;
        let Letter { conversation, message_id, answer_until } = letter;
        let is_answer = message_id.is_none();
        if is_answer && answers_max(conversation).map_err(ServiceError::Render)? == 0 {
            return Ok(());
        }
        let mut rendered = render(identity, conversation, reply, message_id.as_deref(), told_at)
            .map_err(ServiceError::Render)?;
        // Where an order stands is asked again by whoever still wants to know.
        rendered.of_booking &= !(is_answer && matches!(reply, Reply::Status(..)));
        order.callbacks += 1;
        let place = (order.id.to_string(), order.callbacks);
        let new = new_callback(place, &order.subscriber_id, rendered, answer_until, at);
        Ok(tx.add_callback(new, at).await?)
    }
}

/// Whether it tells of a stop on the way or of its end.
const fn is_of_pause(phase: Phase) -> bool {
    matches!(phase, Phase::Paused | Phase::Resumed)
}

/// Writes a command for a device, and tells whoever serves it; gives the command's number.
pub(crate) async fn send_command(
    tx: &mut Tx,
    device: &DeviceId,
    body: CommandBody,
    expires_at: Option<Timestamp>,
    at: Timestamp,
) -> Result<CommandNumber, ServiceError> {
    let number = tx.next_command_number(device).await?;
    let payload = encode(&Command { number, expires_at, body });
    tx.add_down_message(device, number, payload, at).await?;
    // Another backend may have its session.
    tx.signal_device(device, time::now()).await?;
    Ok(number)
}

/// A callback to be stored: under which key, at which place there.
pub(super) fn new_callback(
    (order_key, sequence): (String, u64),
    subscriber_id: &str,
    rendered: Rendered,
    answer_until: Timestamp,
    at: Timestamp,
) -> NewCallback {
    let expires_at = if rendered.of_booking { at.plus_ms(BOOKING_TRIED_MS) } else { answer_until };
    NewCallback {
        order_key,
        sequence,
        subscriber_id: subscriber_id.into(),
        action: rendered.action.into(),
        url: rendered.url,
        body: rendered.body,
        expires_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_tried_while_somebody_waits_and_within_bounds() {
        let now = Timestamp::from_unix_ms(1_800_000_000_000);
        let tried_ms =
            |sent_ms: i64, ttl_ms| answer_until(now.plus_ms(sent_ms), ttl_ms, now).since_ms(now);
        assert_eq!(tried_ms(-5_000, Some(30_000)), 25_000);
        assert_eq!(tried_ms(0, None), ANSWER_TRIED_MS);
        assert_eq!(tried_ms(60_000, Some(30_000)), 30_000, "a clock ahead gives no more");
        assert_eq!(tried_ms(-40_000, Some(30_000)), ANSWER_TRIED_MS_MIN);
        assert_eq!(tried_ms(-1_000_000_000_000, None), ANSWER_TRIED_MS_MIN);
        assert_eq!(tried_ms(0, Some(i64::MAX / 2)), ANSWER_TRIED_MS_MAX);
    }
}
