//! Whose turn it is: callbacks that are due, as the worker of the outbox looks for them.
//!
//! Callbacks are looked for subscriber by subscriber, and of one subscriber by the time at which they are
//! due, both in the index `callback_pending`: neither the rows of others nor rows that are not due are
//! touched. The first of an order is the first in `callback_order_pending`, however many of it are over. A
//! callback whose turn it is not, because an earlier one of its order is pending, is put off as it is met,
//! and made due again when that one is done with: however many there are, each is looked at now and then,
//! and not at every look.

use tripline_protocol::unit::Timestamp;

use super::super::{StoreError, Tx, from_db, on_db};

/// How long a callback waits at least that is met while one before it is pending, in ms. The end of the one
/// before makes it due at once, so that this delays only what is written in the moment of that end, and what
/// was attempted before the one before it was replayed.
const BEHIND_MS: i64 = 5_000;

/// A pending callback as it was seen: if its time changed since, somebody else has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    pub(super) order_key: String,
    pub(super) sequence: i64,
    pub(super) due_at: i64,
}

/// What is due of a subscriber.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turns {
    /// Those whose turn it is, one an order.
    pub(super) heads: Vec<Seen>,
    /// Those that wait for one before them, and until when they are put off.
    pub(super) behind: Vec<(Seen, i64)>,
}

impl Turns {
    /// Keeps of those whose turn it is the first `count` that pass, by order and sequence.
    pub fn keep(&mut self, count: usize, mut pass: impl FnMut(&str, u64) -> bool) {
        self.heads.retain(|head| pass(&head.order_key, from_db(head.sequence)));
        self.heads.truncate(count);
    }

    /// Adds those of another subscriber.
    pub fn append(&mut self, mut other: Self) {
        self.heads.append(&mut other.heads);
        self.behind.append(&mut other.behind);
    }

    /// How many may be taken.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether none may be taken.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }
}

/// A statement over every subscriber for whom something is pending, as `found.id`. Each is found from the one
/// before it by one step in the index, however many rows it has.
macro_rules! of_pending_subscribers {
    ($select:literal) => {
        concat!(
            "WITH RECURSIVE found (id) AS ( \
             SELECT MIN(c.subscriber_id) FROM callback c WHERE c.state = 'pending' \
             UNION ALL \
             SELECT (SELECT MIN(c.subscriber_id) FROM callback c \
                 WHERE c.state = 'pending' AND c.subscriber_id > found.id) \
             FROM found WHERE found.id IS NOT NULL) \
             ",
            $select
        )
    };
}

pub(super) const PENDING_SUBSCRIBERS: &str = of_pending_subscribers!(
    "SELECT found.id, (SELECT MIN(c.next_attempt_at) FROM callback c \
         WHERE c.state = 'pending' AND c.subscriber_id = found.id) \
     FROM found WHERE found.id IS NOT NULL"
);

pub(super) const TURNS: &str = "SELECT c.order_key, c.sequence, c.next_attempt_at, c.attempts, \
             h.sequence, h.next_attempt_at FROM callback c JOIN callback h ON h.order_key = c.order_key \
             AND h.sequence = (SELECT MIN(e.sequence) FROM callback e \
                 WHERE e.order_key = c.order_key AND e.state = 'pending') \
             WHERE c.state = 'pending' AND c.subscriber_id = $1 AND c.next_attempt_at <= $2 \
             ORDER BY c.next_attempt_at LIMIT $3";

/// Of each subscriber no more entries of the index are passed over than it may have.
pub(super) const FULL: &str = of_pending_subscribers!(
    "SELECT found.id FROM found WHERE found.id IS NOT NULL \
     AND (SELECT c.next_attempt_at FROM callback c \
         WHERE c.state = 'pending' AND c.subscriber_id = found.id \
         ORDER BY c.next_attempt_at LIMIT 1 OFFSET $1) IS NOT NULL"
);

impl Tx {
    /// Every subscriber for whom something is pending, and when the first of it is due.
    pub async fn pending_subscribers(&mut self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let rows: Vec<(String, i64)> =
            on_db!(self, conn => sqlx::query_as(PENDING_SUBSCRIBERS).fetch_all(conn).await?);
        Ok(rows.into_iter().map(|(id, at)| (id, Timestamp::from_unix_ms(at))).collect())
    }

    /// Whose turn it is of a subscriber's callbacks, as far as the `limit` that are due first tell. One that
    /// waits for an earlier one stands for that one, if it is due.
    pub async fn callback_turns(
        &mut self,
        subscriber_id: &str,
        at: Timestamp,
        limit: u32,
    ) -> Result<Turns, StoreError> {
        let rows: Vec<(String, i64, i64, i64, i64, i64)> = on_db!(self, conn => sqlx::query_as(TURNS)
            .bind(subscriber_id.to_owned())
            .bind(at.unix_ms)
            .bind(i64::from(limit))
            .fetch_all(conn).await?);
        let mut turns = Turns::default();
        for (order_key, sequence, due_at, attempts, head_sequence, head_due_at) in rows {
            let head =
                Seen { order_key: order_key.clone(), sequence: head_sequence, due_at: head_due_at };
            if head_due_at <= at.unix_ms && !turns.heads.contains(&head) {
                turns.heads.push(head);
            }
            if sequence != head_sequence {
                // The end of the first makes due only what was never attempted: see `NEXT_OF`.
                let woken_at = if attempts == 0 { head_due_at } else { 0 };
                let until = woken_at.max(at.unix_ms.saturating_add(BEHIND_MS));
                turns.behind.push((Seen { order_key, sequence, due_at }, until));
            }
        }
        Ok(turns)
    }

    /// Every subscriber for whom more than `count` callbacks are pending.
    pub async fn subscribers_with_more_pending(
        &mut self,
        count: u32,
    ) -> Result<Vec<String>, StoreError> {
        Ok(on_db!(self, conn => sqlx::query_scalar(FULL)
            .bind(i64::from(count)).fetch_all(conn).await?))
    }
}
