//! A vehicle to be added, as a person or a file describes it.

use std::fmt::Display;

use serde::Deserialize;
use tripline_protocol::unit::Timestamp;

use crate::domain::fleet::VehicleRecord;
use crate::domain::fleet::text::{check_phone, check_text};
use crate::enrol::code::{NewCode, new_code};
use crate::identity::authority::Fingerprint;
use crate::operate::vehicle::{self, NewVehicle};
use crate::operate::{Actor, OperateError};
use crate::store::Tx;

/// A description of a vehicle. Its driver is named by id or, who may be new, by name and phone.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Described {
    pub(super) registration: String,
    pub(super) driver_name: Option<String>,
    pub(super) driver_phone: Option<String>,
    pub(super) driver: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) category: Option<String>,
    pub(super) device: Option<String>,
    pub(super) make: Option<String>,
    pub(super) model: Option<String>,
    pub(super) color: Option<String>,
    pub(super) variant: Option<String>,
    pub(super) energy: Option<String>,
    pub(super) capacity: Option<u16>,
}

/// A vehicle to be added, and the name and phone of a driver who may be new.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) record: VehicleRecord,
    pub(super) contact: Option<(String, String)>,
}

impl Described {
    /// The vehicle, of `category` if it has none of its own.
    pub(super) fn check(self, category: Option<&str>) -> Result<Checked, OperateError> {
        let category = self.category.or_else(|| category.map(str::to_owned)).ok_or_else(|| {
            let problem = "is needed: there is no item, or there are items of several categories";
            OperateError::invalid("category", problem)
        })?;
        let contact = match (self.driver_name, self.driver_phone) {
            (Some(name), Some(phone)) => {
                let bad =
                    |field, error: &dyn Display| OperateError::invalid(field, error.to_string());
                check_text(&name).map_err(|error| bad("driver_name", &error))?;
                check_phone(&phone).map_err(|error| bad("driver_phone", &error))?;
                Some((name, phone))
            }
            (None, None) => None,
            (Some(_), None) => return Err(OperateError::invalid("driver_phone", "is missing")),
            (None, Some(_)) => return Err(OperateError::invalid("driver_name", "is missing")),
        };
        if contact.is_some() && self.driver.is_some() {
            return Err(OperateError::invalid(
                "driver",
                "is given by id and by name: leave one out",
            ));
        }
        let record = vehicle::record(&NewVehicle {
            registration: self.registration,
            category,
            device: self.device,
            make: self.make,
            model: self.model,
            color: self.color,
            variant: self.variant,
            energy: self.energy,
            capacity: self.capacity,
            provider: self.provider,
            driver: self.driver,
            active: true,
        })?;
        Ok(Checked { record, contact })
    }
}

/// Adds a vehicle, and its driver if they are new, with a code for its device; `None` if its device id or
/// registration is taken.
pub(super) async fn insert(
    tx: &mut Tx,
    actor: &Actor,
    checked: &Checked,
    ca: &Fingerprint,
    now: Timestamp,
) -> Result<Option<NewCode>, OperateError> {
    let mut record = checked.record.clone();
    let device = record.device.clone();
    vehicle::check_named(tx, &record).await?;
    if let Some((name, phone)) = checked.contact.clone() {
        let driver = tx.driver_of_contact(name, phone, device.as_str(), now).await?;
        record.driver = Some(driver);
    }
    if !vehicle::insert(tx, actor, &record, now).await? {
        return Ok(None);
    }
    Ok(Some(new_code(tx, &device, ca, now).await?))
}
