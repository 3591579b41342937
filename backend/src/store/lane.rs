//! Tables `lane_cursor`, `device_event` and `trail_batch`: what devices report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence, TripId};
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::Timestamp;

use super::rows::ManyRows;
use super::{StoreError, Tx, from_db, on_db, parse, to_db};

const CURSORS: &str = "lane_cursor";

/// A stream of a device's journal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneKey {
    /// The device.
    pub device: DeviceId,
    /// Its journal.
    pub epoch: JournalEpoch,
    /// The stream.
    pub stream: Stream,
}

/// How far a lane is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Up to here.
    pub sequence: Sequence,
    /// When the lane was begun.
    pub created_at: Timestamp,
}

type CursorRow = (String, i64, String, i64, i64);

fn cursor(row: CursorRow) -> Result<(LaneKey, Cursor), StoreError> {
    let (device, epoch, stream, sequence, created_at) = row;
    let lane = LaneKey {
        device: parse(CURSORS, &device, "device_id", &device)?,
        epoch: JournalEpoch(from_db(epoch)),
        stream: parse(CURSORS, &device, "stream", &stream)?,
    };
    let created_at = Timestamp::from_unix_ms(created_at);
    Ok((lane, Cursor { sequence: Sequence(from_db(sequence)), created_at }))
}

/// An event to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Its sequence.
    pub sequence: Sequence,
    /// When it happened.
    pub at: Timestamp,
    /// The trip it is of.
    pub trip: Option<TripId>,
    /// Why it had no effect, where it had none.
    pub refused: Option<String>,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// A trail batch to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailRow {
    /// Sequence of its last record.
    pub through: Sequence,
    /// How many sequences at its beginning were committed before.
    pub skip: u64,
    /// How many sequences it stands for.
    pub records: u64,
    /// Between which times its fixes lie, where they tell.
    pub times: Option<(Timestamp, Timestamp)>,
    /// The batch as it came over the wire.
    pub payload: Vec<u8>,
}

static LOCK: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new(
        "INSERT INTO lane_cursor (device_id, epoch, stream, sequence, created_at) VALUES",
        5,
        // An update that changes nothing locks the row on PostgreSQL; SQLite has one writer anyway.
        "ON CONFLICT (device_id, epoch, stream) DO UPDATE SET sequence = lane_cursor.sequence \
         RETURNING device_id, epoch, stream, sequence, created_at",
    )
});

static MOVE: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new(
        "INSERT INTO lane_cursor (device_id, epoch, stream, sequence, created_at, moved_at) VALUES",
        6,
        "ON CONFLICT (device_id, epoch, stream) DO UPDATE SET sequence = excluded.sequence, \
         moved_at = excluded.moved_at",
    )
});

static ADD_EVENTS: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new(
        "INSERT INTO device_event (device_id, epoch, sequence, at, received_at, trip_id, refused, \
         payload) VALUES",
        8,
        "",
    )
});

static ADD_TRAIL: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new(
        "INSERT INTO trail_batch (device_id, epoch, through_sequence, skip, records, received_at, \
         first_at, last_at, payload) VALUES",
        9,
        "",
    )
});

impl Tx {
    /// The committed cursors of lanes, locked until the transaction ends. Lanes that are not there yet
    /// are begun `at` this time.
    ///
    /// They are locked in the order of their keys, whatever the order they are named in, so that two
    /// writers of the same lanes take turns and never wait for each other in a circle.
    pub async fn lock_cursors(
        &mut self,
        lanes: BTreeSet<LaneKey>,
        at: Timestamp,
    ) -> Result<BTreeMap<LaneKey, Cursor>, StoreError> {
        let lanes: Vec<_> = lanes.into_iter().collect();
        let mut cursors = BTreeMap::new();
        for (sql, lanes) in LOCK.pieces(&lanes) {
            let rows: Vec<CursorRow> = on_db!(&mut *self, conn => {
                let mut query = sqlx::query_as(sql);
                for lane in lanes {
                    query = query
                        .bind(lane.device.as_str().to_owned())
                        .bind(to_db(lane.epoch.0))
                        .bind(lane.stream.code())
                        .bind(0_i64)
                        .bind(at.unix_ms);
                }
                query.fetch_all(conn).await?
            });
            for row in rows {
                cursors.extend([cursor(row)?]);
            }
        }
        Ok(cursors)
    }

    /// Moves locked cursors on.
    pub async fn move_cursors(
        &mut self,
        moved: &[(LaneKey, Sequence)],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        for (sql, moved) in MOVE.pieces(moved) {
            on_db!(&mut *self, conn => {
                let mut query = sqlx::query(sql);
                for (lane, through) in moved {
                    query = query
                        .bind(lane.device.as_str().to_owned())
                        .bind(to_db(lane.epoch.0))
                        .bind(lane.stream.code())
                        .bind(to_db(through.0))
                        .bind(at.unix_ms)
                        .bind(at.unix_ms);
                }
                query.execute(conn).await?.rows_affected()
            });
        }
        Ok(())
    }

    /// The journals that a device has begun after `since`, in the order it began them.
    pub async fn epochs_since(
        &mut self,
        device: &DeviceId,
        since: Timestamp,
    ) -> Result<Vec<JournalEpoch>, StoreError> {
        const SQL: &str = "SELECT epoch FROM lane_cursor AS new \
             WHERE device_id = $1 AND created_at > $2 AND NOT EXISTS (SELECT 1 FROM lane_cursor AS old \
             WHERE old.device_id = new.device_id AND old.epoch = new.epoch AND old.created_at <= $2) \
             GROUP BY epoch ORDER BY MIN(created_at), epoch";
        let epochs: Vec<i64> = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(device.as_str().to_owned()).bind(since.unix_ms).fetch_all(conn).await?);
        Ok(epochs.into_iter().map(|epoch| JournalEpoch(from_db(epoch))).collect())
    }

    /// Forgets a lane that holds nothing.
    pub async fn forget_empty_lane(&mut self, lane: &LaneKey) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM lane_cursor \
             WHERE device_id = $1 AND epoch = $2 AND stream = $3 AND sequence = 0";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(lane.device.as_str().to_owned())
            .bind(to_db(lane.epoch.0))
            .bind(lane.stream.code())
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Every cursor of a stream of a device, over all its journals.
    pub async fn cursors(
        &mut self,
        device: &DeviceId,
        stream: Stream,
    ) -> Result<Vec<(JournalEpoch, Sequence)>, StoreError> {
        const SQL: &str = "SELECT epoch, sequence FROM lane_cursor \
             WHERE device_id = $1 AND stream = $2 ORDER BY epoch";
        let rows: Vec<(i64, i64)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).bind(stream.code()).fetch_all(conn).await?);
        Ok(rows
            .into_iter()
            .map(|(e, s)| (JournalEpoch(from_db(e)), Sequence(from_db(s))))
            .collect())
    }

    /// Keeps events.
    pub async fn add_events(
        &mut self,
        rows: &[(LaneKey, EventRow)],
        received_at: Timestamp,
    ) -> Result<(), StoreError> {
        for (sql, rows) in ADD_EVENTS.pieces(rows) {
            on_db!(&mut *self, conn => {
                let mut query = sqlx::query(sql);
                for (lane, row) in rows {
                    query = query
                        .bind(lane.device.as_str().to_owned())
                        .bind(to_db(lane.epoch.0))
                        .bind(to_db(row.sequence.0))
                        .bind(row.at.unix_ms)
                        .bind(received_at.unix_ms)
                        .bind(row.trip.map(|trip| trip.to_string()))
                        .bind(row.refused.clone())
                        .bind(row.payload.clone());
                }
                query.execute(conn).await?.rows_affected()
            });
        }
        Ok(())
    }

    /// How many events of a device are kept, and how many of them had no effect.
    pub async fn event_counts(&mut self, device: &DeviceId) -> Result<(i64, i64), StoreError> {
        const SQL: &str = "SELECT COUNT(*), COUNT(refused) FROM device_event WHERE device_id = $1";
        Ok(on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).fetch_one(conn).await?))
    }

    /// Every event of a device's journal, in order.
    pub async fn events(
        &mut self,
        device: &DeviceId,
        epoch: JournalEpoch,
    ) -> Result<Vec<EventRow>, StoreError> {
        const SQL: &str = "SELECT sequence, at, trip_id, refused, payload FROM device_event \
             WHERE device_id = $1 AND epoch = $2 ORDER BY sequence";
        let rows: Vec<EventColumns> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).bind(to_db(epoch.0)).fetch_all(conn).await?);
        rows.into_iter().map(event_row).collect()
    }

    /// Every event that is said to be of a trip, in no particular order: its device, its journal, and when it
    /// was received.
    pub async fn events_of_trip(
        &mut self,
        trip: TripId,
    ) -> Result<Vec<(LaneKey, Timestamp, EventRow)>, StoreError> {
        const SQL: &str = "SELECT device_id, epoch, received_at, sequence, at, trip_id, refused, \
             payload FROM device_event WHERE trip_id = $1";
        let rows: Vec<TripEventColumns> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(trip.to_string()).fetch_all(conn).await?);
        let row = |columns: TripEventColumns| {
            let (device, epoch, received_at, sequence, at, trip, refused, payload) = columns;
            let device = parse("device_event", &device, "device_id", &device)?;
            let epoch = JournalEpoch(from_db(epoch));
            let event = event_row((sequence, at, trip, refused, payload))?;
            let received_at = Timestamp::from_unix_ms(received_at);
            Ok((LaneKey { device, epoch, stream: Stream::Event }, received_at, event))
        };
        rows.into_iter().map(row).collect()
    }

    /// When the oldest event came that is still kept, of whichever device; `None` if none is.
    pub async fn oldest_event(&mut self) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str = "SELECT MIN(received_at) FROM device_event";
        let oldest: Option<i64> =
            on_db!(self, conn => sqlx::query_scalar(SQL).fetch_one(conn).await?);
        Ok(oldest.map(Timestamp::from_unix_ms))
    }

    /// Keeps trail batches.
    pub async fn add_trail_batches(
        &mut self,
        rows: &[(LaneKey, TrailRow)],
        received_at: Timestamp,
    ) -> Result<(), StoreError> {
        for (sql, rows) in ADD_TRAIL.pieces(rows) {
            on_db!(&mut *self, conn => {
                let mut query = sqlx::query(sql);
                for (lane, row) in rows {
                    query = query
                        .bind(lane.device.as_str().to_owned())
                        .bind(to_db(lane.epoch.0))
                        .bind(to_db(row.through.0))
                        .bind(to_db(row.skip))
                        .bind(to_db(row.records))
                        .bind(received_at.unix_ms)
                        .bind(row.times.map(|(first, _)| first.unix_ms))
                        .bind(row.times.map(|(_, last)| last.unix_ms))
                        .bind(row.payload.clone());
                }
                query.execute(conn).await?.rows_affected()
            });
        }
        Ok(())
    }

    /// Every trail batch of a device's journal that has not been folded yet, in order.
    pub async fn trail_batches(
        &mut self,
        device: &DeviceId,
        epoch: JournalEpoch,
    ) -> Result<Vec<TrailRow>, StoreError> {
        const SQL: &str = "SELECT through_sequence, skip, records, first_at, last_at, payload \
             FROM trail_batch WHERE device_id = $1 AND epoch = $2 ORDER BY through_sequence";
        let rows: Vec<TrailColumns> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).bind(to_db(epoch.0)).fetch_all(conn).await?);
        Ok(rows.into_iter().map(trail_row).collect())
    }
}

type TripEventColumns = (String, i64, i64, i64, i64, Option<String>, Option<String>, Vec<u8>);

type EventColumns = (i64, i64, Option<String>, Option<String>, Vec<u8>);

fn event_row(columns: EventColumns) -> Result<EventRow, StoreError> {
    let (sequence, at, trip, refused, payload) = columns;
    let trip = trip.map(|trip| parse("device_event", &trip, "trip_id", &trip)).transpose()?;
    let (sequence, at) = (Sequence(from_db(sequence)), Timestamp::from_unix_ms(at));
    Ok(EventRow { sequence, at, trip, refused, payload })
}

type TrailColumns = (i64, i64, i64, Option<i64>, Option<i64>, Vec<u8>);

fn trail_row(columns: TrailColumns) -> TrailRow {
    let (through, skip, records, first, last, payload) = columns;
    TrailRow {
        through: Sequence(from_db(through)),
        skip: from_db(skip),
        records: from_db(records),
        times: first.map(Timestamp::from_unix_ms).zip(last.map(Timestamp::from_unix_ms)),
        payload,
    }
}
