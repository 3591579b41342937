//! Table `device_settings`: what an operator wants a device to run, and what it last said it runs.

use tracing::warn;
use tripline_protocol::id::{CommandNumber, DeviceId};
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, from_db, on_db, to_db};
use crate::settings::SettingTables;

const TABLE: &str = "device_settings";

/// The settings of one device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsRow {
    /// What is wanted of this device; `None` if nothing ever was.
    pub wanted: Option<Wanted>,
    /// What it last said it runs, and when; `None` also if that cannot be read.
    pub running: Option<(DeviceSettings, Timestamp)>,
}

/// What is wanted of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What its operator has set for it alone.
    pub settings: DeviceSettings,
    /// The command that carried it, together with the fleet's settings at the time.
    pub number: CommandNumber,
    /// When it was sent.
    pub at: Timestamp,
    /// What became of that command: a [`CommandOutcome`]'s code; `None` while the device has not said.
    ///
    /// [`CommandOutcome`]: tripline_protocol::link::up::CommandOutcome
    pub outcome: Option<String>,
}

type Row = (Option<String>, Option<i64>, Option<i64>, Option<String>, Option<String>, Option<i64>);

fn settings_row(device: &DeviceId, row: Row) -> Result<SettingsRow, StoreError> {
    let (wanted, number, wanted_at, outcome, running, running_at) = row;
    let wanted = match (wanted, number, wanted_at) {
        (Some(wanted), Some(number), Some(at)) => Some(Wanted {
            settings: read(device, "wanted", &wanted)?,
            number: CommandNumber(from_db(number)),
            at: Timestamp::from_unix_ms(at),
            outcome,
        }),
        _ => None,
    };
    let running = running.zip(running_at).and_then(|(running, at)| {
        Some((read_running(device, &running)?, Timestamp::from_unix_ms(at)))
    });
    Ok(SettingsRow { wanted, running })
}

/// What a device said it runs is to look at: if it cannot be read, what is wanted still counts.
fn read_running(device: &DeviceId, json: &str) -> Option<DeviceSettings> {
    read(device, "running", json)
        .inspect_err(|error| warn!(%error, "what a device runs cannot be read"))
        .ok()
}

fn read(device: &DeviceId, column: &str, json: &str) -> Result<DeviceSettings, StoreError> {
    let tables = serde_json::from_str(json).map_err(|error| StoreError::BadRow {
        table: TABLE,
        row: device.to_string(),
        reason: format!("column {column}: {error}"),
    })?;
    let SettingTables(settings) = tables;
    Ok(settings)
}

fn json(device: &DeviceId, settings: DeviceSettings) -> Result<String, StoreError> {
    serde_json::to_string(&SettingTables(settings)).map_err(|error| StoreError::BadRow {
        table: TABLE,
        row: device.to_string(),
        reason: error.to_string(),
    })
}

impl Tx {
    /// What a device is to run and runs; `None` if nobody ever said either.
    pub async fn device_settings(
        &mut self,
        device: &DeviceId,
    ) -> Result<Option<SettingsRow>, StoreError> {
        const SQL: &str = "SELECT s.wanted, s.number, s.wanted_at, m.outcome, s.running, \
             s.running_at FROM device_settings s LEFT JOIN down_message m \
             ON m.device_id = s.device_id AND m.number = s.number WHERE s.device_id = $1";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).fetch_optional(conn).await?);
        row.map(|row| settings_row(device, row)).transpose()
    }

    /// Notes what is wanted of a device, and the command that carries it.
    pub async fn set_wanted(
        &mut self,
        device: &DeviceId,
        wanted: DeviceSettings,
        number: CommandNumber,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO device_settings (device_id, wanted, number, wanted_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (device_id) DO UPDATE SET \
             wanted = excluded.wanted, number = excluded.number, wanted_at = excluded.wanted_at";
        let wanted = json(device, wanted)?;
        on_db!(self, conn => sqlx::query(SQL)
            .bind(device.as_str().to_owned())
            .bind(wanted)
            .bind(to_db(number.0))
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Notes what a device says it runs.
    pub async fn set_running(
        &mut self,
        device: &DeviceId,
        running: DeviceSettings,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO device_settings (device_id, running, running_at) \
             VALUES ($1, $2, $3) ON CONFLICT (device_id) DO UPDATE SET \
             running = excluded.running, running_at = excluded.running_at";
        let running = json(device, running)?;
        on_db!(self, conn => sqlx::query(SQL)
            .bind(device.as_str().to_owned())
            .bind(running)
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(())
    }
}
