//! Tables `trail_batch` and `trail_run` as one trail: read between two times, and folded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::thread;

use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::envelope::encode;
use tripline_protocol::link::trail::TrailBatch;
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::Timestamp;

use super::lane::LaneKey;
use super::rows::ManyRows;
use super::set_aside::SetAsideRow;
use super::{StoreError, Tx, from_db, on_db, parse, to_db};
use crate::chance;
use crate::domain::passage::{self, Passage, RUN_MS_MAX};

/// Most sequences that are folded in one go: the store's only writer is held so long (about 0.1 s).
pub const FOLDED_AT_ONCE: u64 = 50_000;

/// Most batches that are folded in one go: as many as hold that in fives.
const BATCHES_AT_ONCE: i64 = 10_000;

/// Rows from which decoding is worth a second thread.
const ROWS_ALONE_MAX: usize = 64;

/// What is kept of a stretch of one journal: an undecoded batch, and how much of it was there before.
type Kept = (i64, i64, Vec<u8>);

/// What a row reads as.
type Outcome = Option<Result<Passage, String>>;

/// A run and its bytes.
type Run = (Passage, Vec<u8>);

/// The bytes of a batch that cannot be read, and why.
type Unreadable = (Vec<u8>, String);

/// What was folded of a lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folded {
    /// How many batches there were.
    pub batches: usize,
    /// Why those of them that are set aside cannot be read.
    pub unreadable: Vec<String>,
}

static ADD_RUNS: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new(
        "INSERT INTO trail_run (device_id, epoch, through_sequence, records, first_at, last_at, \
         payload) VALUES",
        7,
        "",
    )
});

impl Tx {
    /// The trail of a device between two times, journal by journal in the order they began, without
    /// reading the rest of it. Fixes up to a batch's length before and after come with it.
    pub async fn trail_between(
        &mut self,
        device: &DeviceId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Passage>, StoreError> {
        let mut passages = Vec::new();
        for (epoch, (after, through)) in self.trail_spans(device, from, until).await? {
            let rows = self.trail_rows(device, epoch, after, through).await?;
            let row = || format!("{device}, {epoch}");
            let decoded = tokio::task::spawn_blocking(move || decoded(&rows)).await;
            let decoded = decoded.map_err(|error| bad_row(row(), &error))?;
            let of_epoch = decoded.map_err(|error| bad_row(row(), &error))?;
            passages.extend(passage::joined(of_epoch));
        }
        // A batch of before tells its times only now.
        passages.retain(|passage| {
            let times = passage::times(&passage.entries);
            times.is_some_and(|(first, last)| first <= until && last >= from)
        });
        passages.sort_by_key(|passage| passage::times(&passage.entries));
        Ok(passages)
    }

    /// Which sequences of which journals hold fixes between two times.
    async fn trail_spans(
        &mut self,
        device: &DeviceId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<JournalEpoch, (Sequence, Sequence)>, StoreError> {
        const SQL: &str = "SELECT epoch, through_sequence, records FROM trail_run \
             WHERE device_id = $1 AND last_at BETWEEN $2 AND $4 AND first_at <= $3 \
             UNION ALL SELECT epoch, through_sequence, records FROM trail_batch \
             WHERE device_id = $1 AND last_at >= $2 AND first_at <= $3";
        let mut rows: Vec<(i64, i64, i64)> = on_db!(&mut *self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned())
            .bind(from.unix_ms)
            .bind(until.unix_ms)
            .bind(until.plus_ms(RUN_MS_MAX).unix_ms)
            .fetch_all(conn).await?);
        rows.extend(self.untimed_rows(device, from, until).await?);
        let mut spans = BTreeMap::new();
        for (epoch, through, records) in rows {
            let through = from_db(through);
            let after = Sequence(through.saturating_sub(from_db(records)));
            let through = Sequence(through);
            let span = spans.entry(JournalEpoch(from_db(epoch))).or_insert((after, through));
            *span = (span.0.min(after), span.1.max(through));
        }
        Ok(spans)
    }

    /// The batches between two times whose rows do not tell, since they are of before: they are decoded.
    async fn untimed_rows(
        &mut self,
        device: &DeviceId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(i64, i64, i64)>, StoreError> {
        const SQL: &str = "SELECT epoch, through_sequence, records, payload FROM trail_batch \
             WHERE device_id = $1 AND last_at IS NULL";
        let rows: Vec<(i64, i64, i64, Vec<u8>)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).fetch_all(conn).await?);
        let is_between = |payload: &[u8]| {
            let batch = TrailBatch::decode_kept(payload).ok();
            let times = batch.and_then(|batch| passage::times(&batch.entries));
            times.is_some_and(|(first, last)| first <= until && last >= from)
        };
        let between = rows.into_iter().filter(|(_, _, _, payload)| is_between(payload));
        Ok(between.map(|(epoch, through, records, _)| (epoch, through, records)).collect())
    }

    /// What is kept of these sequences, in order.
    async fn trail_rows(
        &mut self,
        device: &DeviceId,
        epoch: JournalEpoch,
        after: Sequence,
        through: Sequence,
    ) -> Result<Vec<Kept>, StoreError> {
        const SQL: &str = "SELECT through_sequence, CAST(0 AS BIGINT) AS skip, payload FROM trail_run \
             WHERE device_id = $1 AND epoch = $2 AND through_sequence > $3 AND through_sequence <= $4 \
             UNION ALL SELECT through_sequence, skip, payload FROM trail_batch \
             WHERE device_id = $1 AND epoch = $2 AND through_sequence > $3 AND through_sequence <= $4 \
             ORDER BY through_sequence";
        Ok(on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned())
            .bind(to_db(epoch.0))
            .bind(to_db(after.0))
            .bind(to_db(through.0))
            .fetch_all(conn).await?))
    }

    /// A lane with batches that were received before `before` and are not folded yet.
    pub async fn lane_to_fold(&mut self, before: Timestamp) -> Result<Option<LaneKey>, StoreError> {
        const SQL: &str = "SELECT device_id, epoch FROM trail_batch WHERE received_at < $1 \
             ORDER BY received_at LIMIT 1";
        let row: Option<(String, i64)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(before.unix_ms).fetch_optional(conn).await?);
        let Some((device, epoch)) = row else { return Ok(None) };
        let device = parse("trail_batch", &device, "device_id", &device)?;
        let epoch = JournalEpoch(from_db(epoch));
        Ok(Some(LaneKey { device, epoch, stream: Stream::Trail }))
    }

    /// Folds the first batches of a lane. One that cannot be read is set aside: what is around it is folded,
    /// and it holds nothing up. `at` is the time.
    pub async fn fold_lane(&mut self, lane: &LaneKey, at: Timestamp) -> Result<Folded, StoreError> {
        // Two that fold one lane take turns.
        self.lock_cursors(BTreeSet::from([lane.clone()]), at).await?;
        let Some(through) = self.folded_through(lane).await? else { return Ok(Folded::default()) };
        let kept = self.kept_batches(lane, through).await?;
        let batches = kept.len();
        let work = tokio::task::spawn_blocking(move || runs(kept)).await;
        let row = || format!("{}, {}", lane.device, lane.epoch);
        let folding = work.map_err(|error| bad_row(row(), &error))?;
        let (runs, unreadable) = folding.map_err(|error| bad_row(row(), &error))?;
        self.add_trail_runs(&lane.device, &runs, at).await?;
        let mut reasons = Vec::with_capacity(unreadable.len());
        for (payload, reason) in unreadable {
            let row = SetAsideRow {
                device: lane.device.clone(),
                lane: Stream::Trail,
                reason: format!("it cannot be read: journal {}, {reason}", lane.epoch),
                payload,
            };
            let id = chance::uuid().map_err(|error| bad_row(lane.device.to_string(), &error))?;
            self.add_set_aside(id.to_string(), row, at).await?;
            reasons.push(reason);
        }
        self.drop_trail_batches(lane, through).await?;
        Ok(Folded { batches, unreadable: reasons })
    }

    /// Up to where a lane is folded in one go.
    async fn folded_through(&mut self, lane: &LaneKey) -> Result<Option<Sequence>, StoreError> {
        const SQL: &str = "SELECT through_sequence, records FROM trail_batch \
             WHERE device_id = $1 AND epoch = $2 ORDER BY through_sequence LIMIT $3";
        let rows: Vec<(i64, i64)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(lane.device.as_str().to_owned())
            .bind(to_db(lane.epoch.0))
            .bind(BATCHES_AT_ONCE)
            .fetch_all(conn).await?);
        let (mut through, mut folded) = (None, 0_u64);
        for (last, records) in rows {
            folded = folded.saturating_add(from_db(records));
            if folded > FOLDED_AT_ONCE && through.is_some() {
                break;
            }
            through = Some(Sequence(from_db(last)));
        }
        Ok(through)
    }

    /// The batches of a lane up to there, in order.
    async fn kept_batches(
        &mut self,
        lane: &LaneKey,
        through: Sequence,
    ) -> Result<Vec<Kept>, StoreError> {
        const SQL: &str = "SELECT through_sequence, skip, payload FROM trail_batch \
             WHERE device_id = $1 AND epoch = $2 AND through_sequence <= $3 \
             ORDER BY through_sequence";
        Ok(on_db!(self, conn => sqlx::query_as(SQL)
            .bind(lane.device.as_str().to_owned())
            .bind(to_db(lane.epoch.0))
            .bind(to_db(through.0))
            .fetch_all(conn).await?))
    }

    async fn add_trail_runs(
        &mut self,
        device: &DeviceId,
        runs: &[Run],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        for (sql, runs) in ADD_RUNS.pieces(runs) {
            on_db!(&mut *self, conn => {
                let mut query = sqlx::query(sql);
                for (run, payload) in runs {
                    // A run that tells no time is found by the sequences around it.
                    let (first, last) = passage::times(&run.entries).unwrap_or((at, at));
                    query = query
                        .bind(device.as_str().to_owned())
                        .bind(to_db(run.epoch.0))
                        .bind(to_db(run.last().0))
                        .bind(to_db(run.records()))
                        .bind(first.unix_ms)
                        .bind(last.unix_ms)
                        .bind(payload.clone());
                }
                query.execute(conn).await?.rows_affected()
            });
        }
        Ok(())
    }

    async fn drop_trail_batches(
        &mut self,
        lane: &LaneKey,
        through: Sequence,
    ) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM trail_batch \
             WHERE device_id = $1 AND epoch = $2 AND through_sequence <= $3";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(lane.device.as_str().to_owned())
            .bind(to_db(lane.epoch.0))
            .bind(to_db(through.0))
            .execute(conn).await?.rows_affected());
        Ok(())
    }
}

/// What rows are folded into, and those that cannot be read.
fn runs(kept: Vec<Kept>) -> Result<(Vec<Run>, Vec<Unreadable>), String> {
    let (mut passages, mut unreadable) = (Vec::new(), Vec::new());
    let outcomes = outcomes(&kept)?;
    for ((_, _, payload), outcome) in kept.into_iter().zip(outcomes) {
        match outcome {
            Some(Ok(passage)) => passages.push(passage),
            Some(Err(reason)) => unreadable.push((payload, reason)),
            None => {}
        }
    }
    let encoded = |run: Passage| {
        let payload = encode(&run.batch());
        (run, payload)
    };
    Ok((passage::folded(passages).into_iter().map(encoded).collect(), unreadable))
}

/// The passages of rows.
fn decoded(rows: &[Kept]) -> Result<Vec<Passage>, String> {
    outcomes(rows)?.into_iter().flatten().collect()
}

/// What becomes of each row, many of them on as many threads as there are processors.
fn outcomes(rows: &[Kept]) -> Result<Vec<Outcome>, String> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    if threads == 1 || rows.len() <= ROWS_ALONE_MAX {
        return Ok(rows.iter().map(decode).collect());
    }
    thread::scope(|scope| {
        let parts = rows
            .chunks(rows.len().div_ceil(threads))
            .map(|part| scope.spawn(move || part.iter().map(decode).collect::<Vec<_>>()));
        let parts: Vec<_> = parts.collect();
        let mut outcomes = Vec::with_capacity(rows.len());
        for part in parts {
            outcomes.extend(part.join().map_err(|_| "a decoder ended".to_owned())?);
        }
        Ok(outcomes)
    })
}

/// Nothing for a batch that could not be read when a ride was taken out of it, and was emptied.
fn decode((through, skip, payload): &Kept) -> Outcome {
    let bad = |error| format!("through_sequence {}, column payload: {error}", from_db(*through));
    let batch = (!payload.is_empty()).then(|| TrailBatch::decode_kept(payload))?;
    Some(batch.map(|batch| Passage::of(batch, from_db(*skip))).map_err(bad))
}

fn bad_row(row: String, error: &impl ToString) -> StoreError {
    StoreError::BadRow { table: "trail_batch", row, reason: error.to_string() }
}
