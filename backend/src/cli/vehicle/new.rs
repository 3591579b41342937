//! A vehicle to be added, as a person or a file describes it.

use serde::Deserialize;
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use crate::audit::{AuditKind, Entry};
use crate::domain::order::Vehicle;
use crate::enrol::code::{NewCode, new_code};
use crate::enrol::revoke::note;
use crate::identity::authority::Fingerprint;
use crate::service::ServiceError;
use crate::store::Tx;

/// Longest plate, category, name and phone, in bytes.
const TEXT_LEN_MAX: usize = 100;

/// A description of a vehicle.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewVehicle {
    pub(super) registration: String,
    pub(super) driver_name: String,
    pub(super) driver_phone: String,
    pub(super) category: Option<String>,
    pub(super) device: Option<String>,
}

/// What is wrong with a description.
#[derive(Debug, thiserror::Error)]
#[error("{field} {problem}")]
pub(super) struct BadField {
    /// Which, by its name in a file.
    pub(super) field: &'static str,
    /// What.
    pub(super) problem: String,
}

impl NewVehicle {
    /// The vehicle, of `category` if it has none of its own.
    pub(super) fn check(self, category: &str) -> Result<Vehicle, BadField> {
        let category = self.category.unwrap_or_else(|| category.to_owned());
        for (field, text) in [
            ("registration", &self.registration),
            ("driver_name", &self.driver_name),
            ("driver_phone", &self.driver_phone),
            ("category", &category),
        ] {
            if text.trim().is_empty()
                || text.len() > TEXT_LEN_MAX
                || text.contains(char::is_control)
            {
                let problem = format!("must have 1 to {TEXT_LEN_MAX} printable characters");
                return Err(BadField { field, problem });
            }
        }
        Ok(Vehicle {
            device: device_id(self.device.as_deref(), &self.registration)?,
            registration: self.registration,
            category,
            make: None,
            model: None,
            color: None,
            driver: None,
            driver_name: self.driver_name,
            driver_phone: self.driver_phone,
        })
    }
}

/// The id asked for, or one made of the registration's letters and digits.
fn device_id(asked: Option<&str>, registration: &str) -> Result<DeviceId, BadField> {
    let made = || {
        let kept = registration.chars().filter(char::is_ascii_alphanumeric);
        kept.collect::<String>().to_ascii_lowercase()
    };
    let text = asked.map_or_else(made, str::to_owned);
    text.parse()
        .map_err(|error| BadField { field: "device", problem: format!("{text:?}: {error}") })
}

/// Adds a vehicle with a code for its device; `None` if its device id or registration is taken.
pub(super) async fn insert(
    tx: &mut Tx,
    vehicle: Vehicle,
    ca: &Fingerprint,
    now: Timestamp,
) -> Result<Option<NewCode>, ServiceError> {
    let (device, registration) = (vehicle.device.clone(), vehicle.registration.clone());
    if !tx.add_vehicle(vehicle, now).await? {
        return Ok(None);
    }
    note(tx, Entry::of_device(AuditKind::Added, &device, registration), now).await?;
    new_code(tx, &device, ca, now).await.map(Some)
}
