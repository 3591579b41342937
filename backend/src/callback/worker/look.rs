//! One look at the outbox.

use tripline_protocol::unit::Timestamp;

use super::{DELIVERIES_MAX, Worker};
use crate::callback::bulkhead::Bulkhead;
use crate::store::callback::{DueCallback, Expired, Turns};
use crate::store::{StoreError, Tx};
use crate::time;

/// Callbacks given up in one look because their time is over. More are for the next.
const EXPIRED_MAX: u32 = 500;

/// Subscribers looked at in one look. More are for the next, which begins with others.
const SUBSCRIBERS_MAX: usize = 64;

/// Callbacks seen of a subscriber beyond twice what there is room for: some of them wait for others.
const SEEN_MIN: usize = 8;

/// What there is to do.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    /// When, at the earliest.
    pub(super) next: Option<Timestamp>,
    /// For whom, and how many there is room for.
    due: Vec<(String, usize)>,
}

impl Outlook {
    fn at(&mut self, at: Timestamp) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) expired: Vec<Expired>,
    pub(super) claimed: Vec<DueCallback>,
}

impl Worker {
    /// What there is to do now, and when the next time is.
    pub(super) async fn outlook(&self, now: Timestamp) -> Result<Outlook, StoreError> {
        let mut tx = self.platform.store.read().await?;
        let mut outlook = self.whom(&mut tx, now).await?;
        if let Some(expiry) = tx.next_callback_expiry(now).await? {
            outlook.at(expiry);
        }
        Ok(outlook)
    }

    /// Whom there is something to send to.
    async fn whom(&self, tx: &mut Tx, now: Timestamp) -> Result<Outlook, StoreError> {
        let mut outlook = Outlook::default();
        // Peers would refuse what we send, or it would be sent in another's name.
        if self.platform.standing.borrow().refusal().is_some() {
            return Ok(outlook);
        }
        let new = Bulkhead::default();
        let full = self.in_flight.len() >= DELIVERIES_MAX;
        for (subscriber, due_at) in tx.pending_subscribers().await? {
            let bulkhead = self.bulkheads.get(&subscriber).unwrap_or(&new);
            let room = if full { 0 } else { bulkhead.room(now) };
            if due_at > now {
                outlook.at(due_at);
            } else if room > 0 {
                outlook.at(now);
                outlook.due.push((subscriber, room));
            } else if let Some(opens_at) = bulkhead.opens_at(now) {
                outlook.at(opens_at);
            }
        }
        Ok(outlook)
    }

    /// Everything that is to be written now, in one transaction: what came of attempts, whose time is over,
    /// and who goes next.
    pub(super) async fn write(&self, now: Timestamp) -> Result<Done, StoreError> {
        let mut tx = self.platform.store.write().await?;
        tx.note_callbacks(&self.notes).await?;
        let expired = tx.expire_callbacks(now, EXPIRED_MAX).await?;
        let turns = self.turns(&mut tx, now).await?;
        let lease_until = time::now().plus_ms(self.rules.lease_ms());
        let claimed = tx.claim_callbacks(turns, now, lease_until).await?;
        tx.commit().await?;
        Ok(Done { expired, claimed })
    }

    /// Whose turn it is, as far as there is room: for each subscriber its own, and of that of all together
    /// an equal share.
    async fn turns(&self, tx: &mut Tx, now: Timestamp) -> Result<Turns, StoreError> {
        let mut due = self.whom(tx, now).await?.due;
        if due.is_empty() {
            return Ok(Turns::default());
        }
        let first = self.first % due.len();
        due.rotate_left(first);
        due.truncate(SUBSCRIBERS_MAX);
        let mut free = DELIVERIES_MAX.saturating_sub(self.in_flight.len());
        let share = (free / due.len()).max(1);
        let mut turns = Turns::default();
        for (subscriber, room) in due {
            let count = room.min(share).min(free);
            let seen = u32::try_from(count * 2 + SEEN_MIN).unwrap_or(u32::MAX);
            let mut its = tx.callback_turns(&subscriber, now, seen).await?;
            its.keep(count, |order_key, sequence| !self.is_in_flight(order_key, sequence));
            free -= its.len();
            turns.append(its);
        }
        Ok(turns)
    }

    /// Whether an attempt is under way here: one that was replayed meanwhile is due in the store.
    fn is_in_flight(&self, order_key: &str, sequence: u64) -> bool {
        let mut in_flight = self.in_flight.values();
        in_flight.any(|due| due.sequence == sequence && due.order_key == order_key)
    }
}
