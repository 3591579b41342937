//! Tables `lane_cursor`, `device_event` and `trail_batch`: what devices report.

use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, from_db, on_db, to_db};

/// A stream of a device's journal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LaneKey {
    /// The device.
    pub device: DeviceId,
    /// Its journal.
    pub epoch: JournalEpoch,
    /// The stream.
    pub stream: Stream,
}

/// An event to be kept.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Its sequence.
    pub sequence: Sequence,
    /// When it happened.
    pub at: Timestamp,
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
    /// The batch as it came over the wire.
    pub payload: Vec<u8>,
}

impl Tx {
    /// The committed cursor of a lane, locked until the transaction ends.
    pub async fn lock_cursor(&mut self, lane: &LaneKey) -> Result<Sequence, StoreError> {
        const INSERT: &str = "INSERT INTO lane_cursor (device_id, epoch, stream, sequence) \
             VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING";
        // An update that changes nothing locks the row on PostgreSQL; SQLite has one writer anyway.
        const LOCK: &str = "UPDATE lane_cursor SET sequence = sequence \
             WHERE device_id = $1 AND epoch = $2 AND stream = $3 RETURNING sequence";
        on_db!(&mut *self, conn => sqlx::query(INSERT)
            .bind(lane.device.as_str().to_owned())
            .bind(to_db(lane.epoch.0))
            .bind(lane.stream.code())
            .execute(conn).await?.rows_affected());
        let sequence: i64 = on_db!(self, conn => sqlx::query_scalar(LOCK)
            .bind(lane.device.as_str().to_owned())
            .bind(to_db(lane.epoch.0))
            .bind(lane.stream.code())
            .fetch_one(conn).await?);
        Ok(Sequence(from_db(sequence)))
    }

    /// Moves a locked cursor on.
    pub async fn move_cursor(
        &mut self,
        lane: &LaneKey,
        through: Sequence,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE lane_cursor SET sequence = $4 \
             WHERE device_id = $1 AND epoch = $2 AND stream = $3";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(lane.device.as_str().to_owned())
            .bind(to_db(lane.epoch.0))
            .bind(lane.stream.code())
            .bind(to_db(through.0))
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

    /// Keeps an event.
    pub async fn add_event(
        &mut self,
        lane: &LaneKey,
        row: EventRow,
        received_at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO device_event (device_id, epoch, sequence, at, received_at, \
             refused, payload) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(lane.device.as_str().to_owned())
            .bind(to_db(lane.epoch.0))
            .bind(to_db(row.sequence.0))
            .bind(row.at.unix_ms)
            .bind(received_at.unix_ms)
            .bind(row.refused)
            .bind(row.payload)
            .execute(conn).await?.rows_affected());
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
        const SQL: &str = "SELECT sequence, at, refused, payload FROM device_event \
             WHERE device_id = $1 AND epoch = $2 ORDER BY sequence";
        let rows: Vec<(i64, i64, Option<String>, Vec<u8>)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).bind(to_db(epoch.0)).fetch_all(conn).await?);
        Ok(rows
            .into_iter()
            .map(|(sequence, at, refused, payload)| EventRow {
                sequence: Sequence(from_db(sequence)),
                at: Timestamp::from_unix_ms(at),
                refused,
                payload,
            })
            .collect())
    }

    /// Keeps a trail batch.
    pub async fn add_trail_batch(
        &mut self,
        lane: &LaneKey,
        row: TrailRow,
        received_at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO trail_batch (device_id, epoch, through_sequence, skip, \
             records, received_at, payload) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(lane.device.as_str().to_owned())
            .bind(to_db(lane.epoch.0))
            .bind(to_db(row.through.0))
            .bind(to_db(row.skip))
            .bind(to_db(row.records))
            .bind(received_at.unix_ms)
            .bind(row.payload)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Every trail batch of a device's journal, in order.
    pub async fn trail_batches(
        &mut self,
        device: &DeviceId,
        epoch: JournalEpoch,
    ) -> Result<Vec<TrailRow>, StoreError> {
        const SQL: &str = "SELECT through_sequence, skip, records, payload FROM trail_batch \
             WHERE device_id = $1 AND epoch = $2 ORDER BY through_sequence";
        let rows: Vec<(i64, i64, i64, Vec<u8>)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).bind(to_db(epoch.0)).fetch_all(conn).await?);
        Ok(rows
            .into_iter()
            .map(|(through, skip, records, payload)| TrailRow {
                through: Sequence(from_db(through)),
                skip: from_db(skip),
                records: from_db(records),
                payload,
            })
            .collect())
    }
}
