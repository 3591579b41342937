//! Where riders and drivers stand in the tables, and how they are taken out of them.

use ring::digest::{SHA256, digest};
use tripline_protocol::id::{DeviceId, DriverId, JournalEpoch, OrderId, Sequence};
use tripline_protocol::unit::Timestamp;

use super::upgrade::{BODY_VERSION, upgraded};
use super::{StoreError, Tx, from_db, on_db, parse, to_db};

const TABLE: &str = "ride_order";

/// Digits of a phone that tell it: with more in front it is the same with its country's code.
const PHONE_DIGITS: usize = 10;

/// A phone as it is compared: its last ten digits, whatever stands between and before them; `None` if it has
/// no digit.
pub fn phone_digits(phone: &str) -> Option<String> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let surplus = digits.len().saturating_sub(PHONE_DIGITS);
    let digits = &digits[surplus..];
    (!digits.is_empty()).then(|| digits.to_owned())
}

/// By what a rider's orders are found. It is no secret of the phone: whoever has the store can try them all.
pub fn rider_key(phone: &str) -> Option<Vec<u8>> {
    let digits = phone_digits(phone)?;
    Some(digest(&SHA256, digits.as_bytes()).as_ref().to_vec())
}

/// An order's row with its body in the form of this version, unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawOrder {
    /// Its id.
    pub id: String,
    /// JSON.
    pub body: String,
    body_version: i64,
    version: i64,
}

type RawRow = (String, String, i64, i64);

/// One of an earlier form is brought to this one's; what is no JSON stays as it is.
fn raw_order((id, body, body_version, version): RawRow) -> RawOrder {
    if body_version < BODY_VERSION
        && let Ok(read) = serde_json::from_str(&body)
    {
        let body = upgraded(body_version, read).to_string();
        return RawOrder { id, body, body_version: BODY_VERSION, version };
    }
    RawOrder { id, body, body_version, version }
}

/// A row of a device's journal that may tell where a ride went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// Its journal.
    pub epoch: JournalEpoch,
    /// Its sequence, for a batch the last one's.
    pub sequence: Sequence,
    /// As it came over the wire.
    pub payload: Vec<u8>,
}

/// The tables of such rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// `device_event`, by when it happened.
    Events,
    /// `trail_batch`, by when it came.
    Trail,
    /// `trail_run`, by its fixes.
    Runs,
}

type ReportedRow = (i64, i64, Vec<u8>);

impl Journal {
    const fn select(self) -> &'static str {
        match self {
            Self::Events => {
                "SELECT epoch, sequence, payload FROM device_event WHERE device_id = $1 \
                 AND at >= $2 AND at <= $3 ORDER BY epoch, sequence"
            }
            Self::Trail => {
                "SELECT epoch, through_sequence, payload FROM trail_batch WHERE device_id = $1 \
                 AND received_at >= $2 AND received_at <= $3 ORDER BY epoch, through_sequence"
            }
            Self::Runs => {
                "SELECT epoch, through_sequence, payload FROM trail_run WHERE device_id = $1 \
                 AND last_at >= $2 AND first_at <= $3 ORDER BY epoch, through_sequence"
            }
        }
    }

    const fn replace(self) -> &'static str {
        match self {
            Self::Events => {
                "UPDATE device_event SET payload = $4 \
                 WHERE device_id = $1 AND epoch = $2 AND sequence = $3"
            }
            Self::Trail => {
                "UPDATE trail_batch SET payload = $4 \
                 WHERE device_id = $1 AND epoch = $2 AND through_sequence = $3"
            }
            Self::Runs => {
                "UPDATE trail_run SET payload = $4 \
                 WHERE device_id = $1 AND epoch = $2 AND through_sequence = $3"
            }
        }
    }
}

impl Tx {
    /// Ids of a rider's orders of which nothing was taken out yet.
    pub async fn orders_of_rider(&mut self, key: &[u8]) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "SELECT order_id FROM ride_order WHERE rider_key = $1 ORDER BY order_id";
        Ok(on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(key.to_vec()).fetch_all(conn).await?))
    }

    /// Orders after `after`, by id, at most `limit`: with `unkeyed` those alone that have a rider and no key, since
    /// they were written before there were keys. An order without its rider still names its driver.
    pub async fn raw_orders(
        &mut self,
        unkeyed: bool,
        after: &str,
        limit: u32,
    ) -> Result<Vec<RawOrder>, StoreError> {
        const ALL: &str = "SELECT order_id, body, body_version, version FROM ride_order \
             WHERE order_id > $1 ORDER BY order_id LIMIT $2";
        const UNKEYED: &str = "SELECT order_id, body, body_version, version FROM ride_order \
             WHERE order_id > $1 AND erased_at IS NULL AND rider_key IS NULL \
             AND body NOT LIKE '%\"rider\":null%' ORDER BY order_id LIMIT $2";
        let sql = if unkeyed { UNKEYED } else { ALL };
        let rows: Vec<RawRow> = on_db!(self, conn => sqlx::query_as(sql)
            .bind(after.to_owned()).bind(i64::from(limit)).fetch_all(conn).await?);
        Ok(rows.into_iter().map(raw_order).collect())
    }

    /// An order's row, locked as [`Tx::order`] locks it.
    pub async fn raw_order(&mut self, id: &str) -> Result<Option<RawOrder>, StoreError> {
        const PLAIN: &str =
            "SELECT order_id, body, body_version, version FROM ride_order WHERE order_id = $1";
        const LOCKING: &str = "SELECT order_id, body, body_version, version FROM ride_order WHERE order_id = $1 FOR UPDATE";
        let sql = match self {
            Self::Sqlite(_) | Self::Postgres(_) => PLAIN,
            Self::PostgresWriting(_) => LOCKING,
        };
        let row: Option<RawRow> = on_db!(self, conn => sqlx::query_as(sql)
            .bind(id.to_owned()).fetch_optional(conn).await?);
        Ok(row.map(raw_order))
    }

    /// Writes an order with something taken out of it. Without its rider it is found by none, and is not
    /// looked at again.
    pub async fn put_raw_order(
        &mut self,
        raw: &RawOrder,
        erased_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE ride_order SET body = $3, body_version = $5, version = version + 1, \
             rider_key = CASE WHEN $4 IS NULL THEN rider_key END, \
             erased_at = COALESCE($4, erased_at) WHERE order_id = $1 AND version = $2";
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(raw.id.clone())
            .bind(raw.version)
            .bind(raw.body.clone())
            .bind(erased_at.map(|at| at.unix_ms))
            .bind(raw.body_version)
            .execute(conn).await?.rows_affected());
        if rows == 1 {
            return Ok(());
        }
        Err(StoreError::Conflict { table: TABLE, row: raw.id.clone() })
    }

    /// When a rider was taken out of an order, if that was done.
    pub async fn erased_at(&mut self, order: OrderId) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str = "SELECT erased_at FROM ride_order WHERE order_id = $1";
        let found: Option<Option<i64>> = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(order.to_string()).fetch_optional(conn).await?);
        Ok(found.flatten().map(Timestamp::from_unix_ms))
    }

    /// How many callbacks of an order are still to be delivered.
    pub async fn pending_callbacks(&mut self, order: OrderId) -> Result<u64, StoreError> {
        const SQL: &str =
            "SELECT COUNT(*) FROM callback WHERE order_key = $1 AND state = 'pending'";
        let count: i64 = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(order.to_string()).fetch_one(conn).await?);
        Ok(from_db(count))
    }

    /// Deletes an order's callbacks that are over; says how many.
    pub async fn delete_callbacks(&mut self, order: OrderId) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM callback WHERE order_key = $1 AND state <> 'pending'";
        Ok(on_db!(self, conn => sqlx::query(SQL)
            .bind(order.to_string()).execute(conn).await?.rows_affected()))
    }

    /// Empties the commands to a device written from `since` that pass, and ends those that wait; says how many.
    pub async fn empty_commands(
        &mut self,
        device: &DeviceId,
        since: Timestamp,
        passes: impl Fn(&[u8]) -> bool,
    ) -> Result<u64, StoreError> {
        const SELECT: &str = "SELECT number, payload FROM down_message \
             WHERE device_id = $1 AND created_at >= $2 ORDER BY number";
        const EMPTY: &str = "UPDATE down_message SET payload = $3, \
             outcome = COALESCE(outcome, 'erased') WHERE device_id = $1 AND number = $2";
        let rows: Vec<(i64, Vec<u8>)> = on_db!(&mut *self, conn => sqlx::query_as(SELECT)
            .bind(device.as_str().to_owned()).bind(since.unix_ms).fetch_all(conn).await?);
        let mut emptied = 0;
        for (number, payload) in rows {
            if !passes(&payload) {
                continue;
            }
            emptied += on_db!(&mut *self, conn => sqlx::query(EMPTY)
                .bind(device.as_str().to_owned()).bind(number).bind(Vec::<u8>::new())
                .execute(conn).await?.rows_affected());
        }
        Ok(emptied)
    }

    /// What a device reported between two times.
    pub async fn reported(
        &mut self,
        journal: Journal,
        device: &DeviceId,
        (from, until): (Timestamp, Timestamp),
    ) -> Result<Vec<Reported>, StoreError> {
        let rows: Vec<ReportedRow> = on_db!(self, conn => sqlx::query_as(journal.select())
            .bind(device.as_str().to_owned()).bind(from.unix_ms).bind(until.unix_ms)
            .fetch_all(conn).await?);
        let row = |(epoch, sequence, payload)| Reported {
            epoch: JournalEpoch(from_db(epoch)),
            sequence: Sequence(from_db(sequence)),
            payload,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Writes a row with something taken out of it.
    pub async fn put_reported(
        &mut self,
        journal: Journal,
        device: &DeviceId,
        row: Reported,
    ) -> Result<(), StoreError> {
        on_db!(self, conn => sqlx::query(journal.replace())
            .bind(device.as_str().to_owned())
            .bind(to_db(row.epoch.0))
            .bind(to_db(row.sequence.0))
            .bind(row.payload)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Takes the words out of an order's ratings.
    pub async fn clear_rating(&mut self, order: OrderId) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE rating SET note = '', answers = '[]' WHERE order_id = $1";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(order.to_string()).execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Takes a driver out of every table of the fleet. Its id, its shifts with their cash and what it was rated
    /// stay.
    pub async fn clear_driver(&mut self, id: &DriverId, at: Timestamp) -> Result<(), StoreError> {
        const CLEARED: [&str; 4] = [
            "UPDATE driver SET name = '', phone = '', pin_mac = NULL, active = FALSE WHERE driver_id = $1",
            "UPDATE rating SET note = '', answers = '[]' WHERE driver_id = $1",
            "DELETE FROM document WHERE owner_kind = 'driver' AND owner_id = $1",
            "UPDATE cash_entry SET note = '' WHERE shift_id IN \
             (SELECT shift_id FROM shift WHERE driver_id = $1)",
        ];
        const TOUCH: &str = "UPDATE driver SET updated_at = $2 WHERE driver_id = $1";
        for sql in CLEARED {
            on_db!(&mut *self, conn => sqlx::query(sql)
                .bind(id.as_str().to_owned()).execute(conn).await?.rows_affected());
        }
        on_db!(&mut *self, conn => sqlx::query(TOUCH)
            .bind(id.as_str().to_owned()).bind(at.unix_ms).execute(conn).await?.rows_affected());
        self.note_driver_changed(id).await
    }

    /// The devices of vehicles that a driver drives or drove.
    pub async fn devices_of_driver(&mut self, id: &DriverId) -> Result<Vec<DeviceId>, StoreError> {
        const SQL: &str = "SELECT device_id FROM vehicle WHERE driver_id = $1 \
             UNION SELECT device_id FROM shift WHERE driver_id = $1";
        let rows: Vec<String> = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(id.as_str().to_owned()).fetch_all(conn).await?);
        rows.iter().map(|device| parse("vehicle", device, "device_id", device)).collect()
    }
}

impl RawOrder {
    /// What is wrong with its body.
    pub fn bad_body(&self, error: &serde_json::Error) -> StoreError {
        StoreError::BadRow {
            table: TABLE,
            row: self.id.clone(),
            reason: format!("column body: {error}"),
        }
    }
}

/// Whether bytes hold these in a row: identifiers and texts travel as they are, whatever is around them.
pub fn holds(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_known_by_its_last_ten_digits_however_it_is_written() {
        let same = ["+91-9800000012", "98000 00012", "09800000012", "0091 (98) 0000-0012"];
        for phone in same {
            assert_eq!(rider_key(phone), rider_key(same[0]), "{phone}");
        }
        assert_ne!(rider_key("+91-9800000013"), rider_key(same[0]));
        assert_ne!(rider_key("12"), rider_key(same[0]));
        assert_eq!(rider_key("none"), None);
    }
}
