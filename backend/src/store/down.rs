//! Table `down_message`: commands to devices, until each device says what became of them.

use tripline_protocol::id::{CommandNumber, DeviceId};
use tripline_protocol::link::up::CommandOutcome;
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, from_db, on_db, to_db};

impl Tx {
    /// Writes a command's payload as it goes over the wire.
    pub async fn add_down_message(
        &mut self,
        device: &DeviceId,
        number: CommandNumber,
        payload: Vec<u8>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO down_message (device_id, number, created_at, payload) \
             VALUES ($1, $2, $3, $4)";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(device.as_str().to_owned())
            .bind(to_db(number.0))
            .bind(at.unix_ms)
            .bind(payload)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// At most `limit` commands after `after` that the device has not reported on, in order.
    pub async fn open_down_messages(
        &mut self,
        device: &DeviceId,
        after: CommandNumber,
        limit: u32,
    ) -> Result<Vec<(CommandNumber, Vec<u8>)>, StoreError> {
        const SQL: &str = "SELECT number, payload FROM down_message WHERE device_id = $1 \
             AND outcome IS NULL AND number > $2 ORDER BY number LIMIT $3";
        let rows: Vec<(i64, Vec<u8>)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned())
            .bind(to_db(after.0))
            .bind(i64::from(limit))
            .fetch_all(conn).await?);
        Ok(rows.into_iter().map(|(n, payload)| (CommandNumber(from_db(n)), payload)).collect())
    }

    /// Commands written from `since` on that the device has not reported on.
    pub async fn waiting_commands(
        &mut self,
        device: &DeviceId,
        since: Timestamp,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        const SQL: &str = "SELECT payload FROM down_message WHERE device_id = $1 \
             AND outcome IS NULL AND created_at >= $2 ORDER BY number";
        Ok(on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(device.as_str().to_owned()).bind(since.unix_ms).fetch_all(conn).await?))
    }

    /// Ends a command that waits because a newer one says all that it said.
    pub async fn supersede_down_message(
        &mut self,
        device: &DeviceId,
        number: CommandNumber,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE down_message SET outcome = 'superseded' \
             WHERE device_id = $1 AND number = $2 AND outcome IS NULL";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(device.as_str().to_owned()).bind(to_db(number.0))
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// What became of a command; `None` while nobody knows.
    pub async fn down_outcome(
        &mut self,
        device: &DeviceId,
        number: CommandNumber,
    ) -> Result<Option<String>, StoreError> {
        const SQL: &str = "SELECT outcome FROM down_message WHERE device_id = $1 AND number = $2";
        let found: Option<Option<String>> = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(device.as_str().to_owned()).bind(to_db(number.0)).fetch_optional(conn).await?);
        Ok(found.flatten())
    }

    /// Notes what became of a command and gives its payload; `None` if that was known or there is no
    /// such command.
    pub async fn finish_down_message(
        &mut self,
        device: &DeviceId,
        number: CommandNumber,
        outcome: CommandOutcome,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        const SQL: &str = "UPDATE down_message SET outcome = $3 \
             WHERE device_id = $1 AND number = $2 AND outcome IS NULL RETURNING payload";
        Ok(on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(device.as_str().to_owned())
            .bind(to_db(number.0))
            .bind(outcome.code())
            .fetch_optional(conn).await?))
    }

    /// A command's payload, whatever became of it; `None` if there is no such command any more.
    pub async fn down_payload(
        &mut self,
        device: &DeviceId,
        number: CommandNumber,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        const SQL: &str = "SELECT payload FROM down_message WHERE device_id = $1 AND number = $2";
        Ok(on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(device.as_str().to_owned()).bind(to_db(number.0)).fetch_optional(conn).await?))
    }
}
