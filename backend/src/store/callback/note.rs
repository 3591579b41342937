//! What came of attempts, and who goes next.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use tripline_protocol::unit::Timestamp;

use super::super::rows::ManyRows;
use super::super::{StoreError, Tx, on_db, to_db};
use super::Delivery;
use super::claim::DueCallback;

/// What is noted of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Of which callback.
    pub due: DueCallback,
    /// What.
    pub noted: Noted,
    /// Why it was not taken, for the operator.
    pub error: Option<String>,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It is over.
    Finished(Delivery, Timestamp),
    /// It is tried again then.
    PutOff(Timestamp),
}

/// An attempt is put off only by whoever has the lease; that it is over holds whoever says so.
pub(super) static NOTE: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new(
        "UPDATE callback AS c SET state = v.column4, next_attempt_at = v.column5, \
         finished_at = v.column6, last_error = v.column7 FROM (VALUES",
        7,
        ") AS v WHERE c.order_key = v.column1 AND c.sequence = v.column2 AND c.state = 'pending' \
         AND (v.column4 <> 'pending' OR c.next_attempt_at = v.column3) \
         RETURNING order_key, sequence",
    )
});

/// One that was attempted is left as it is: it may be under way, or wait for its next attempt. So is one
/// before the one that is over; compared by a difference, since an index over what is behind is not wanted.
///
/// The next is written even if it is due already: another backend that is about to put it off, since it saw
/// the one before it pending, then finds it changed.
pub(super) static NEXT_OF: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new(
        "UPDATE callback AS c SET next_attempt_at = v.column3 FROM (VALUES",
        3,
        ") AS v WHERE c.order_key = v.column1 AND c.sequence - v.column2 > 0 \
         AND c.state = 'pending' AND c.attempts = 0 AND c.sequence = (SELECT MIN(e.sequence) \
         FROM callback e WHERE e.order_key = v.column1 AND e.state = 'pending')",
    )
});

/// Callbacks that are over, for the next of their orders to go.
#[derive(Debug, Default)]
pub(super) struct Ended(BTreeMap<String, (i64, i64)>);

impl Ended {
    /// One is over. Of an order the first counts: whoever is next after a later one is not first.
    pub(super) fn add(&mut self, order_key: &str, sequence: i64, at: Timestamp) {
        let ended = self.0.entry(order_key.to_owned()).or_insert((sequence, at.unix_ms));
        *ended = (ended.0.min(sequence), ended.1.min(at.unix_ms));
    }
}

impl Tx {
    /// Notes what came of attempts; the next of an order whose callback is over is due at once.
    pub async fn note_callbacks(&mut self, notes: &[Note]) -> Result<(), StoreError> {
        let mut notes: Vec<&Note> = notes.iter().collect();
        notes.sort_by_key(|note| (&note.due.order_key, note.due.sequence));
        let mut changed: HashSet<(String, i64)> = HashSet::new();
        for (sql, notes) in NOTE.pieces(&notes) {
            let rows: Vec<(String, i64)> = on_db!(&mut *self, conn => {
                let mut query = sqlx::query_as(sql);
                for Note { due, noted, error } in notes {
                    let (state, next, finished) = match noted {
                        Noted::Finished(delivery, at) => {
                            (*delivery, due.lease_until, Some(at.unix_ms))
                        }
                        Noted::PutOff(until) => (Delivery::Pending, until.unix_ms, None),
                    };
                    query = query
                        .bind(due.order_key.clone())
                        .bind(to_db(due.sequence))
                        .bind(due.lease_until)
                        .bind(state.code())
                        .bind(next)
                        .bind(finished)
                        .bind(error.clone());
                }
                query.fetch_all(conn).await?
            });
            changed.extend(rows);
        }
        let mut ended = Ended::default();
        for Note { due, noted, .. } in notes {
            let place = (due.order_key.clone(), to_db(due.sequence));
            if let Noted::Finished(_, at) = noted
                && changed.contains(&place)
            {
                ended.add(&place.0, place.1, *at);
            }
        }
        self.make_next_due(ended).await
    }

    /// Makes the first pending callback of each order due that waited for one that is over.
    pub(super) async fn make_next_due(&mut self, ended: Ended) -> Result<(), StoreError> {
        let ended: Vec<(String, (i64, i64))> = ended.0.into_iter().collect();
        for (sql, ended) in NEXT_OF.pieces(&ended) {
            on_db!(&mut *self, conn => {
                let mut query = sqlx::query(sql);
                for (order_key, (sequence, at)) in ended {
                    query = query.bind(order_key.clone()).bind(*sequence).bind(*at);
                }
                query.execute(conn).await?.rows_affected()
            });
        }
        Ok(())
    }
}
