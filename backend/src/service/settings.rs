//! Configuration from afar: what a device is to run, and the command that says so.

use tripline_protocol::id::{CommandNumber, DeviceId};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::envelope::encode;
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::unit::Timestamp;

use super::{Platform, ServiceError};
use crate::audit::{AuditKind, Entry};
use crate::enrol::revoke::note;
use crate::store::Tx;

/// What an operator changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Change {
    /// Whether what was set before is forgotten.
    pub clear: bool,
    /// What is set.
    pub set: DeviceSettings,
    /// After this the command has no effect; `None`: it waits for the device for ever.
    pub expires_at: Option<Timestamp>,
}

/// What was written for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configured {
    /// The command.
    pub number: CommandNumber,
    /// What is wanted of this device alone.
    pub wanted: DeviceSettings,
    /// What the command carries: that over the fleet's.
    pub sent: DeviceSettings,
}

/// Writes a command that sets what is wanted of a device, with `change` made to it, over the settings of
/// the `fleet`. An earlier one that waits is superseded. `None` if there is no such vehicle.
pub async fn configure(
    tx: &mut Tx,
    device: &DeviceId,
    change: Change,
    fleet: &DeviceSettings,
    now: Timestamp,
) -> Result<Option<Configured>, ServiceError> {
    configure_by(tx, None, device, change, fleet, now).await
}

/// The same by an operator.
pub async fn configure_by(
    tx: &mut Tx,
    actor: Option<&str>,
    device: &DeviceId,
    change: Change,
    fleet: &DeviceSettings,
    now: Timestamp,
) -> Result<Option<Configured>, ServiceError> {
    if !tx.lock_vehicle(device).await? {
        return Ok(None);
    }
    let before = tx.device_settings(device).await?.and_then(|row| row.wanted);
    if let Some(before) = &before {
        tx.supersede_down_message(device, before.number).await?;
    }
    let kept = before.filter(|_| !change.clear).map(|before| before.settings).unwrap_or_default();
    let wanted = change.set.over(&kept);
    let sent = wanted.over(fleet);
    let number = tx.next_command_number(device).await?;
    let body = CommandBody::Configure(sent);
    let payload = encode(&Command { number, expires_at: change.expires_at, body });
    tx.add_down_message(device, number, payload, now).await?;
    tx.set_wanted(device, wanted, number, now).await?;
    let entry = Entry::of_device(AuditKind::Configured, device, detail(&change));
    note(tx, Entry { actor: actor.map(str::to_owned), ..entry }, now).await?;
    tx.signal_device(device, now).await?;
    Ok(Some(Configured { number, wanted, sent }))
}

/// The change as the audit trail tells it.
fn detail(change: &Change) -> String {
    let mut words: Vec<_> = change.clear.then(|| "cleared".to_owned()).into_iter().collect();
    words.extend(change.set.values().iter().map(|(key, value)| format!("{key} = {value}")));
    if words.is_empty() { "sent again".into() } else { words.join(", ") }
}

impl Platform {
    /// The settings that a device gets with its certificate: what is wanted of it, over the fleet's.
    pub async fn first_settings(
        &self,
        tx: &mut Tx,
        device: &DeviceId,
    ) -> Result<DeviceSettings, ServiceError> {
        let wanted = tx.device_settings(device).await?.and_then(|row| row.wanted);
        let fleet = &self.settings.first_settings;
        Ok(wanted.map_or(*fleet, |wanted| wanted.settings.over(fleet)))
    }
}
