//! Who is signed in on which device, as operators see and set it.

use serde::{Deserialize, Serialize};
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::check::parsed;
use super::{Actor, Cursor, Listed, OperateError, Page, driver, vehicle};
use crate::audit::AuditKind;
use crate::domain::fleet::{Duty, DutyState};
use crate::service::duty::set_duty;
use crate::store::Tx;

/// A driver's duty, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DutyView {
    /// Who.
    pub driver: String,
    /// On which device.
    pub device: String,
    /// `on`, `off` or `break`.
    pub state: String,
    /// Since when, in Unix milliseconds.
    pub since_unix_ms: i64,
}

impl From<Duty> for DutyView {
    fn from(duty: Duty) -> Self {
        Self {
            driver: duty.driver.into(),
            device: duty.device.into(),
            state: duty.state.code().into(),
            since_unix_ms: duty.since.unix_ms,
        }
    }
}

/// What a driver's duty is to be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DutyChange {
    /// `on`, `off` or `break`.
    pub state: String,
    /// On which vehicle, by its device or registration; needed for whoever is not signed in yet.
    #[serde(default)]
    pub vehicle: Option<String>,
}

/// Sets a driver's duty on their behalf, without their PIN. Their device is told.
pub async fn set(
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    change: DutyChange,
    now: Timestamp,
) -> Result<DutyView, OperateError> {
    let state: DutyState = parsed("state", &change.state)?;
    let driver = driver::find(tx, id).await?;
    if !driver.active && state != DutyState::Off {
        return Err(OperateError::conflict("driver", id, "is deactivated"));
    }
    let known = tx.duty_of_driver(&driver.id).await?;
    let device = match (&change.vehicle, known) {
        (Some(name), _) => vehicle::find(tx, name).await?.device,
        (None, Some(known)) => known.device,
        (None, None) if state == DutyState::Off => {
            return Err(OperateError::conflict("driver", id, "is off already"));
        }
        (None, None) => {
            let problem = "is needed: the driver is signed in nowhere";
            return Err(OperateError::invalid("vehicle", problem));
        }
    };
    // Whoever took a ride over on paper would be paid for it, and the rider would look for another face.
    if state == DutyState::Off {
        driver::check_free(tx, &driver.id, None).await?;
    } else {
        driver::check_free(tx, &driver.id, Some(&device)).await?;
        driver::check_vehicle_free(tx, &device, &driver.id).await?;
    }
    let duty = Duty { driver: driver.id, device, state, since: now };
    set_duty(tx, &duty, now).await?;
    let what = match state {
        DutyState::On => "on duty in",
        DutyState::Break => "on a break in",
        DutyState::Off => "off duty in",
    };
    let detail = format!("{}: {what} {}", duty.driver, duty.device);
    actor.note_of_device(tx, AuditKind::DutyChanged, &duty.device, detail, now).await?;
    Ok(duty.into())
}

/// Who is signed in, by driver.
pub async fn list(tx: &mut Tx, page: &Page) -> Result<Listed<DutyView>, OperateError> {
    let after = page.after().map(Cursor::id::<String>).transpose()?.unwrap_or_default();
    let rows = tx.duties(&after, page.rows()).await?;
    Ok(Listed::of(page, rows, |row| Cursor::new(&row.driver, &row.driver), Into::into))
}
