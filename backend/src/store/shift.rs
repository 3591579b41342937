//! Tables `shift` and `cash_entry`: a driver's time with a vehicle, and the cash taken in it.

use tripline_protocol::id::DriverId;
use tripline_protocol::unit::{Paise, Timestamp};
use uuid::Uuid;

use super::{StoreError, Tx, on_db, parse};
use crate::domain::fleet::{Cash, Shift};

const TABLE: &str = "shift";

type Row = (String, String, String, i64, Option<i64>, i64);

fn shift((id, driver, device, started_at, ended_at, balance): Row) -> Result<Shift, StoreError> {
    Ok(Shift {
        driver: parse(TABLE, &id, "driver_id", &driver)?,
        device: parse(TABLE, &id, "device_id", &device)?,
        id: parse(TABLE, &id, "shift_id", &id)?,
        started_at: Timestamp::from_unix_ms(started_at),
        ended_at: ended_at.map(Timestamp::from_unix_ms),
        balance: Paise(balance),
    })
}

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT s.shift_id, s.driver_id, s.device_id, s.started_at, s.ended_at, \
             (SELECT CAST(COALESCE(SUM(c.amount), 0) AS BIGINT) FROM cash_entry c \
              WHERE c.shift_id = s.shift_id) FROM shift s ",
            $condition
        )
    };
}

type CashRow = (String, String, String, Option<String>, i64, i64, String);

fn cash((id, shift, kind, order, amount, at, note): CashRow) -> Result<Cash, StoreError> {
    const TABLE: &str = "cash_entry";
    Ok(Cash {
        shift: parse(TABLE, &id, "shift_id", &shift)?,
        kind: parse(TABLE, &id, "kind", &kind)?,
        order: order.map(|order| parse(TABLE, &id, "order_id", &order)).transpose()?,
        id: parse(TABLE, &id, "cash_entry_id", &id)?,
        amount: Paise(amount),
        at: Timestamp::from_unix_ms(at),
        note,
    })
}

impl Tx {
    /// Begins a shift. Its driver must have no open one.
    pub async fn add_shift(&mut self, shift: &Shift) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO shift (shift_id, driver_id, device_id, started_at, ended_at) \
             VALUES ($1, $2, $3, $4, $5)";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(shift.id.to_string())
            .bind(shift.driver.as_str().to_owned())
            .bind(shift.device.as_str().to_owned())
            .bind(shift.started_at.unix_ms)
            .bind(shift.ended_at.map(|at| at.unix_ms))
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Ends a driver's open shift, if there is one.
    pub async fn end_shift(&mut self, driver: &DriverId, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str =
            "UPDATE shift SET ended_at = $2 WHERE driver_id = $1 AND ended_at IS NULL";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(driver.as_str().to_owned()).bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// A driver's open shift.
    pub async fn open_shift(&mut self, driver: &DriverId) -> Result<Option<Shift>, StoreError> {
        const SQL: &str = select!("WHERE s.driver_id = $1 AND s.ended_at IS NULL");
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(driver.as_str().to_owned()).fetch_optional(conn).await?);
        row.map(shift).transpose()
    }

    /// The shift in which a driver was at a time, the newest if there are several.
    pub async fn shift_at(
        &mut self,
        driver: &DriverId,
        at: Timestamp,
    ) -> Result<Option<Shift>, StoreError> {
        const SQL: &str = select!(
            "WHERE s.driver_id = $1 AND s.started_at <= $2 \
             AND (s.ended_at IS NULL OR s.ended_at >= $2) \
             ORDER BY s.started_at DESC, s.shift_id DESC LIMIT 1"
        );
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(driver.as_str().to_owned()).bind(at.unix_ms)
            .fetch_optional(conn).await?);
        row.map(shift).transpose()
    }

    /// A shift.
    pub async fn shift(&mut self, id: Uuid) -> Result<Option<Shift>, StoreError> {
        const SQL: &str = select!("WHERE s.shift_id = $1");
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(id.to_string()).fetch_optional(conn).await?);
        row.map(shift).transpose()
    }

    /// Keeps others from locking a shift until the end of this transaction: what its balance is then, it stays
    /// but for what comes in. Nothing if there is no such shift.
    pub async fn lock_shift(&mut self, id: Uuid) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE shift SET driver_id = driver_id WHERE shift_id = $1";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(id.to_string()).execute(conn).await?.rows_affected());
        Ok(())
    }

    /// At most `limit` shifts that began before this one did, the newest first; of one driver, if they are
    /// named.
    pub async fn shifts(
        &mut self,
        (before, id): (i64, String),
        driver: Option<&DriverId>,
        limit: i64,
    ) -> Result<Vec<Shift>, StoreError> {
        const SQL: &str = select!(
            "WHERE ($1 = '' OR s.driver_id = $1) \
             AND (s.started_at < $2 OR (s.started_at = $2 AND s.shift_id < $3)) \
             ORDER BY s.started_at DESC, s.shift_id DESC LIMIT $4"
        );
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(driver.map_or("", DriverId::as_str).to_owned())
            .bind(before)
            .bind(id)
            .bind(limit)
            .fetch_all(conn).await?);
        rows.into_iter().map(shift).collect()
    }

    /// Writes an entry of a shift's cash account; `false` if there is one of this kind for the order.
    pub async fn add_cash(&mut self, cash: &Cash) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO cash_entry (cash_entry_id, shift_id, kind, order_id, amount, at, \
             note) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(cash.id.to_string())
            .bind(cash.shift.to_string())
            .bind(cash.kind.code())
            .bind(cash.order.map(|order| order.to_string()))
            .bind(cash.amount.0)
            .bind(cash.at.unix_ms)
            .bind(cash.note.clone())
            .execute(conn).await?.rows_affected());
        Ok(rows == 1)
    }

    /// The last `limit` entries of a shift's cash account, oldest first.
    pub async fn cash(&mut self, shift: Uuid, limit: i64) -> Result<Vec<Cash>, StoreError> {
        const SQL: &str = "SELECT cash_entry_id, shift_id, kind, order_id, amount, at, note \
             FROM cash_entry WHERE shift_id = $1 ORDER BY at DESC, cash_entry_id DESC LIMIT $2";
        let rows: Vec<CashRow> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(shift.to_string()).bind(limit).fetch_all(conn).await?);
        rows.into_iter().rev().map(cash).collect()
    }
}
