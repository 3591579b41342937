//! The outbox as its worker sees it: whose turn it is, who takes it, and what came of it.
//!
//! Callbacks are looked for subscriber by subscriber, and of one subscriber by the time at which they are
//! due, both in the index `callback_pending`: neither the rows of others nor rows that are not due are
//! touched. A callback whose turn it is not, because an earlier one of its order is pending, is put off as
//! it is met, and made due again when that one is done with: however many there are, each is looked at now
//! and then, and not at every look.

use std::sync::LazyLock;

use tripline_protocol::unit::Timestamp;

use super::super::rows::ManyRows;
use super::super::{Store, StoreError, Tx, from_db, on_db, to_db};
use super::Delivery;

/// How long a callback waits at least that is met while one before it is pending, in ms. The end of the one
/// before makes it due at once, so that this delays only what is written in the moment of that end.
const BEHIND_MS: i64 = 5_000;

/// A callback taken for an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueCallback {
    /// The order's id, or one of its own.
    pub order_key: String,
    /// Its place.
    pub sequence: u64,
    /// Who is told.
    pub subscriber_id: String,
    /// The action.
    pub action: String,
    /// The URL.
    pub url: String,
    /// The body.
    pub body: Vec<u8>,
    /// Attempts, this one included.
    pub attempts: u64,
    /// After this it is given up.
    pub expires_at: Timestamp,
    /// Nobody else takes it before.
    lease_until: i64,
}

#[cfg(test)]
impl DueCallback {
    /// One for tests, at this attempt.
    pub(crate) fn example(attempts: u64, expires_at: Timestamp) -> Self {
        Self {
            order_key: "order".into(),
            sequence: 1,
            subscriber_id: "bap.example".into(),
            action: "on_status".into(),
            url: "https://bap.example/on_status".into(),
            body: b"{}".to_vec(),
            attempts,
            expires_at,
            lease_until: 0,
        }
    }
}

/// A pending callback as it was seen: if its time changed since, somebody else has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    order_key: String,
    sequence: i64,
    due_at: i64,
}

/// What is due of a subscriber.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turns {
    /// Those whose turn it is, one an order.
    heads: Vec<Seen>,
    /// Those that wait for one before them, and until when they are put off.
    behind: Vec<(Seen, i64)>,
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

/// A callback that was given up because its time was over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// Its order.
    pub order_key: String,
    /// Its place.
    pub sequence: u64,
    /// Who was to be told.
    pub subscriber_id: String,
    /// The action.
    pub action: String,
}

type ClaimedRow = (String, i64, String, String, String, Vec<u8>, i64, i64, i64);

static CLAIM: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new(
        "UPDATE callback AS c SET attempts = c.attempts + 1, next_attempt_at = v.column4 \
         FROM (VALUES",
        5,
        ") AS v WHERE c.order_key = v.column1 AND c.sequence = v.column2 \
         AND c.next_attempt_at = v.column3 AND c.state = 'pending' AND c.expires_at > v.column5 \
         RETURNING order_key, sequence, subscriber_id, action, url, body, attempts, expires_at, \
         next_attempt_at",
    )
});

static PUT_BEHIND: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new(
        "UPDATE callback AS c SET next_attempt_at = \
         CASE WHEN c.expires_at < v.column4 THEN c.expires_at ELSE v.column4 END FROM (VALUES",
        4,
        ") AS v WHERE c.order_key = v.column1 AND c.sequence = v.column2 \
         AND c.next_attempt_at = v.column3 AND c.state = 'pending' \
         AND EXISTS (SELECT 1 FROM callback e WHERE e.order_key = c.order_key \
         AND e.sequence < c.sequence AND e.state = 'pending')",
    )
});

/// An attempt is put off only by whoever has the lease; that it is over holds whoever says so.
static NOTE: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new(
        "UPDATE callback AS c SET state = v.column4, next_attempt_at = v.column5, \
         finished_at = v.column6, last_error = v.column7 FROM (VALUES",
        7,
        ") AS v WHERE c.order_key = v.column1 AND c.sequence = v.column2 AND c.state = 'pending' \
         AND (v.column4 <> 'pending' OR c.next_attempt_at = v.column3)",
    )
});

/// The next is written even if it is due already: another backend that is about to put it off, since it saw
/// the one before it pending, then finds it changed.
static NEXT_OF: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new(
        "UPDATE callback AS c SET next_attempt_at = v.column2 FROM (VALUES",
        2,
        ") AS v WHERE c.order_key = v.column1 AND c.state = 'pending' \
         AND c.sequence = (SELECT MIN(e.sequence) \
         FROM callback e WHERE e.order_key = v.column1 AND e.state = 'pending')",
    )
});

const PENDING_SUBSCRIBERS: &str = "WITH RECURSIVE found (id) AS ( \
             SELECT MIN(c.subscriber_id) FROM callback c WHERE c.state = 'pending' \
             UNION ALL \
             SELECT (SELECT MIN(c.subscriber_id) FROM callback c \
                 WHERE c.state = 'pending' AND c.subscriber_id > found.id) \
             FROM found WHERE found.id IS NOT NULL) \
             SELECT found.id, (SELECT MIN(c.next_attempt_at) FROM callback c \
                 WHERE c.state = 'pending' AND c.subscriber_id = found.id) \
             FROM found WHERE found.id IS NOT NULL";

const NEXT_EXPIRY: &str = "SELECT expires_at FROM callback WHERE state = 'pending' \
             AND (expires_at > $1 OR next_attempt_at <= $1) ORDER BY expires_at LIMIT 1";

const TURNS: &str = "SELECT c.order_key, c.sequence, c.next_attempt_at, h.sequence, \
             h.next_attempt_at FROM callback c JOIN callback h ON h.order_key = c.order_key \
             AND h.sequence = (SELECT MIN(e.sequence) FROM callback e \
                 WHERE e.order_key = c.order_key AND e.state = 'pending') \
             WHERE c.state = 'pending' AND c.subscriber_id = $1 AND c.next_attempt_at <= $2 \
             ORDER BY c.next_attempt_at LIMIT $3";

const EXPIRE: &str = "UPDATE callback SET state = 'dead', finished_at = $1, \
             last_error = 'not delivered in its time' || \
             CASE WHEN last_error IS NULL THEN '' ELSE '; at last: ' || last_error END \
             WHERE state = 'pending' AND (order_key, sequence) IN ( \
                 SELECT order_key, sequence FROM callback WHERE state = 'pending' \
                 AND expires_at <= $1 AND next_attempt_at <= $1 \
                 ORDER BY expires_at, order_key, sequence LIMIT $2) \
             RETURNING order_key, sequence, subscriber_id, action";

impl Store {
    /// Makes callbacks due that a backend was delivering when it was killed. On SQLite there is one
    /// backend, and it starts now; on PostgreSQL another may be delivering them, so their leases run.
    pub async fn forget_claims(&self, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE callback SET next_attempt_at = $1 \
             WHERE state = 'pending' AND attempts > 0 AND next_attempt_at > $1";
        if !self.has_one_backend() {
            return Ok(());
        }
        let mut tx = self.write().await?;
        on_db!(&mut tx, conn => sqlx::query(SQL)
            .bind(at.unix_ms).execute(conn).await?.rows_affected());
        tx.commit().await
    }
}

impl Tx {
    /// Every subscriber for whom something is pending, and when the first of it is due.
    ///
    /// Each is found from the one before it by one step in the index, however many rows it has.
    pub async fn pending_subscribers(&mut self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let rows: Vec<(String, i64)> =
            on_db!(self, conn => sqlx::query_as(PENDING_SUBSCRIBERS).fetch_all(conn).await?);
        Ok(rows.into_iter().map(|(id, at)| (id, Timestamp::from_unix_ms(at))).collect())
    }

    /// When the time of the next pending callback is over. One whose time is over while an attempt is under
    /// way does not count.
    pub async fn next_callback_expiry(
        &mut self,
        at: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> = on_db!(self, conn => sqlx::query_scalar(NEXT_EXPIRY)
            .bind(at.unix_ms).fetch_optional(conn).await?);
        Ok(at.map(Timestamp::from_unix_ms))
    }

    /// Whose turn it is of a subscriber's callbacks, as far as the `limit` that are due first tell. One that
    /// waits for an earlier one stands for that one, if it is due.
    pub async fn callback_turns(
        &mut self,
        subscriber_id: &str,
        at: Timestamp,
        limit: u32,
    ) -> Result<Turns, StoreError> {
        let rows: Vec<(String, i64, i64, i64, i64)> = on_db!(self, conn => sqlx::query_as(TURNS)
            .bind(subscriber_id.to_owned())
            .bind(at.unix_ms)
            .bind(i64::from(limit))
            .fetch_all(conn).await?);
        let mut turns = Turns::default();
        for (order_key, sequence, due_at, head_sequence, head_due_at) in rows {
            let head =
                Seen { order_key: order_key.clone(), sequence: head_sequence, due_at: head_due_at };
            if head_due_at <= at.unix_ms && !turns.heads.contains(&head) {
                turns.heads.push(head);
            }
            if sequence != head_sequence {
                let until = head_due_at.max(at.unix_ms.saturating_add(BEHIND_MS));
                turns.behind.push((Seen { order_key, sequence, due_at }, until));
            }
        }
        Ok(turns)
    }

    /// Takes callbacks for one attempt each, until `lease_until`, and puts off those that wait for an
    /// earlier one. What another backend took first is not among those given.
    pub async fn claim_callbacks(
        &mut self,
        mut turns: Turns,
        at: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<DueCallback>, StoreError> {
        // In the order of their keys, as every writer of many rows has them.
        turns.heads.sort();
        turns.behind.sort();
        let mut claimed = Vec::with_capacity(turns.heads.len());
        for (sql, heads) in CLAIM.pieces(&turns.heads) {
            let rows: Vec<ClaimedRow> = on_db!(&mut *self, conn => {
                let mut query = sqlx::query_as(sql);
                for head in heads {
                    query = query
                        .bind(head.order_key.clone())
                        .bind(head.sequence)
                        .bind(head.due_at)
                        .bind(lease_until.unix_ms)
                        .bind(at.unix_ms);
                }
                query.fetch_all(conn).await?
            });
            claimed.extend(rows.into_iter().map(due));
        }
        self.put_behind(&turns.behind).await?;
        Ok(claimed)
    }

    async fn put_behind(&mut self, behind: &[(Seen, i64)]) -> Result<(), StoreError> {
        for (sql, behind) in PUT_BEHIND.pieces(behind) {
            on_db!(&mut *self, conn => {
                let mut query = sqlx::query(sql);
                for (seen, until) in behind {
                    query = query
                        .bind(seen.order_key.clone())
                        .bind(seen.sequence)
                        .bind(seen.due_at)
                        .bind(*until);
                }
                query.execute(conn).await?.rows_affected()
            });
        }
        Ok(())
    }

    /// Notes what came of attempts; the next of an order whose callback is over is due at once.
    pub async fn note_callbacks(&mut self, notes: &[Note]) -> Result<(), StoreError> {
        let mut notes: Vec<&Note> = notes.iter().collect();
        notes.sort_by_key(|note| (&note.due.order_key, note.due.sequence));
        for (sql, notes) in NOTE.pieces(&notes) {
            on_db!(&mut *self, conn => {
                let mut query = sqlx::query(sql);
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
                query.execute(conn).await?.rows_affected()
            });
        }
        let ended: Vec<_> = notes.into_iter().filter_map(ended).collect();
        self.make_next_due(&ended).await
    }

    /// Makes the first pending callback of each order due at a time.
    async fn make_next_due(&mut self, ended: &[(String, Timestamp)]) -> Result<(), StoreError> {
        for (sql, ended) in NEXT_OF.pieces(ended) {
            on_db!(&mut *self, conn => {
                let mut query = sqlx::query(sql);
                for (order_key, at) in ended {
                    query = query.bind(order_key.clone()).bind(at.unix_ms);
                }
                query.execute(conn).await?.rows_affected()
            });
        }
        Ok(())
    }

    /// Gives up at most `limit` callbacks whose time is over and of which no attempt is under way.
    pub async fn expire_callbacks(
        &mut self,
        at: Timestamp,
        limit: u32,
    ) -> Result<Vec<Expired>, StoreError> {
        let rows: Vec<(String, i64, String, String)> = on_db!(&mut *self, conn => {
            sqlx::query_as(EXPIRE).bind(at.unix_ms).bind(i64::from(limit)).fetch_all(conn).await?
        });
        let mut keys: Vec<_> = rows.iter().map(|row| (row.0.clone(), at)).collect();
        keys.sort();
        keys.dedup();
        self.make_next_due(&keys).await?;
        let expired = |(order_key, sequence, subscriber_id, action)| Expired {
            order_key,
            sequence: from_db(sequence),
            subscriber_id,
            action,
        };
        Ok(rows.into_iter().map(expired).collect())
    }
}

/// The order whose next callback may go after this note, and from when on.
fn ended(note: &Note) -> Option<(String, Timestamp)> {
    match note.noted {
        Noted::Finished(_, at) => Some((note.due.order_key.clone(), at)),
        Noted::PutOff(_) => None,
    }
}

fn due(row: ClaimedRow) -> DueCallback {
    let (order_key, sequence, subscriber_id, action, url, body, attempts, expires_at, lease) = row;
    DueCallback {
        order_key,
        sequence: from_db(sequence),
        subscriber_id,
        action,
        url,
        body,
        attempts: from_db(attempts),
        expires_at: Timestamp::from_unix_ms(expires_at),
        lease_until: lease,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How SQLite goes about a statement.
    async fn plan(store: &Store, sql: &str) -> String {
        let mut tx = store.read().await.expect("begins");
        let sql = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let Tx::Sqlite(conn) = &mut tx else { panic!("SQLite was opened") };
        let rows: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sql).fetch_all(&mut **conn).await.expect("explained");
        rows.into_iter().map(|row| row.3 + "\n").collect()
    }

    #[tokio::test]
    async fn no_look_at_the_outbox_reads_the_rows_of_a_subscriber_that_is_not_asked_for() {
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", dir.path().join("test.db").display());
        let store = Store::open(&url).await.expect("it opens");
        let one = |many: &ManyRows| {
            let (sql, _) = many.pieces(&[()]).next().expect("a piece");
            sql.as_str().to_owned()
        };
        for (sql, by) in [
            (PENDING_SUBSCRIBERS.to_owned(), "callback_pending (subscriber_id>?)"),
            (NEXT_EXPIRY.to_owned(), "callback_expiring"),
            (EXPIRE.to_owned(), "callback_expiring (expires_at<?)"),
            (TURNS.to_owned(), "callback_pending (subscriber_id=? AND next_attempt_at<?)"),
            (one(&CLAIM), "(order_key=? AND sequence=?)"),
            (one(&PUT_BEHIND), "(order_key=? AND sequence=?)"),
            (one(&NOTE), "(order_key=? AND sequence=?)"),
            (one(&NEXT_OF), "(order_key=? AND sequence=?)"),
        ] {
            let plan = plan(&store, &sql).await;
            assert!(plan.contains(by), "{sql}\n{plan}");
            let scans = |line: &&str| line.starts_with("SCAN c") && !line.contains("INDEX");
            assert_eq!(plan.lines().find(scans), None, "{sql}");
            let other = plan.lines().find(|line| line.contains("callback_d"));
            assert_eq!(other, None, "{sql}: an index of what is over");
        }
    }
}
