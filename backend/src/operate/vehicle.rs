//! Vehicles as records of the fleet. Their devices' codes and certificates are `enrol`'s.

use serde::{Deserialize, Serialize};
use tripline_protocol::id::{DeviceId, DriverId};
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::check::{
    self, Mode, Put, flag, number_if_any, parsed, parsed_if_any, text, text_if_any, yes,
};
use super::{Actor, Cursor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::domain::fleet::roster::RosterRules;
use crate::domain::fleet::vehicle::CAPACITY_MAX;
use crate::domain::fleet::{ProviderId, VehicleRecord};
use crate::store::Tx;

const WHAT: &str = "vehicle";

/// A vehicle to be added.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVehicle {
    /// Registration plate, unique in the fleet.
    pub registration: String,
    /// Category; items name it.
    pub category: String,
    /// Id of its device: a-z, 0-9 and `-`; made from the registration if left out. It never changes.
    #[serde(default)]
    pub device: Option<String>,
    /// Who made it.
    #[serde(default)]
    pub make: Option<String>,
    /// The model.
    #[serde(default)]
    pub model: Option<String>,
    /// The colour.
    #[serde(default)]
    pub color: Option<String>,
    /// The variant.
    #[serde(default)]
    pub variant: Option<String>,
    /// What moves it: petrol, diesel, cng, lpg, electric, hybrid or none.
    #[serde(default)]
    pub energy: Option<String>,
    /// How many riders it carries.
    #[serde(default, deserialize_with = "number_if_any")]
    pub capacity: Option<u16>,
    /// For whom it drives; for every provider if left out.
    #[serde(default)]
    pub provider: Option<String>,
    /// Who drives it while nobody is signed in on its device.
    #[serde(default)]
    pub driver: Option<String>,
    /// Whether it is in use.
    #[serde(default = "yes", deserialize_with = "flag")]
    pub active: bool,
}

/// What is changed about a vehicle; what is left out stays, and what is empty is taken away.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VehicleChange {
    /// Registration plate.
    pub registration: Option<String>,
    /// Category.
    pub category: Option<String>,
    /// Who made it.
    pub make: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The colour.
    pub color: Option<String>,
    /// The variant.
    pub variant: Option<String>,
    /// What moves it.
    pub energy: Option<String>,
    /// How many riders it carries.
    pub capacity: Option<u16>,
    /// For whom it drives.
    pub provider: Option<String>,
    /// Who drives it while nobody is signed in.
    pub driver: Option<String>,
    /// Whether it is in use.
    pub active: Option<bool>,
}

/// A vehicle, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VehicleView {
    /// Its device, by which it is known.
    pub device: String,
    /// Registration plate.
    pub registration: String,
    /// Category.
    pub category: String,
    /// Who made it.
    pub make: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The colour.
    pub color: Option<String>,
    /// The variant.
    pub variant: Option<String>,
    /// What moves it.
    pub energy: Option<String>,
    /// How many riders it carries.
    pub capacity: Option<u16>,
    /// For whom it drives; for every provider if for none in particular.
    pub provider: Option<String>,
    /// Who drives it while nobody is signed in.
    pub driver: Option<String>,
    /// Whether it is in use.
    pub active: bool,
}

impl From<VehicleRecord> for VehicleView {
    fn from(record: VehicleRecord) -> Self {
        Self {
            device: record.device.into(),
            registration: record.registration,
            category: record.category,
            make: record.make,
            model: record.model,
            color: record.color,
            variant: record.variant,
            energy: record.energy.map(|energy| energy.code().into()),
            capacity: record.capacity,
            provider: record.provider.map(Into::into),
            driver: record.driver.map(Into::into),
            active: record.active,
        }
    }
}

/// A vehicle, and what keeps it from rides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VehicleShown {
    /// The vehicle.
    #[serde(flatten)]
    pub vehicle: VehicleView,
    /// Who drives it: whoever is signed in, else its standing driver.
    pub at_the_wheel: Option<String>,
    /// Why it is offered nothing, as a word; absent if it is.
    pub blocked: Option<String>,
    /// The same in a sentence.
    pub blocked_because: Option<String>,
}

/// A plate however it is spelt: its letters and digits.
pub(super) fn plate(registration: &str) -> String {
    let kept = registration.chars().filter(char::is_ascii_alphanumeric);
    kept.collect::<String>().to_ascii_lowercase()
}

/// The id asked for, or one made of the registration's letters and digits.
fn device_id(asked: Option<&str>, registration: &str) -> Result<DeviceId, OperateError> {
    let asked = asked.filter(|asked| !asked.is_empty());
    parsed("device", &asked.map_or_else(|| plate(registration), str::to_owned))
}

/// The vehicle that is described, or what is wrong with the description.
pub fn record(new: &NewVehicle) -> Result<VehicleRecord, OperateError> {
    let registration = text("registration", &new.registration)?;
    Ok(VehicleRecord {
        device: device_id(new.device.as_deref(), &registration)?,
        registration,
        category: text("category", &new.category)?,
        make: text_if_any("make", new.make.as_deref())?,
        model: text_if_any("model", new.model.as_deref())?,
        color: text_if_any("color", new.color.as_deref())?,
        variant: text_if_any("variant", new.variant.as_deref())?,
        energy: parsed_if_any("energy", new.energy.as_deref())?,
        capacity: capacity(new.capacity)?,
        provider: parsed_if_any("provider", new.provider.as_deref())?,
        driver: parsed_if_any("driver", new.driver.as_deref())?,
        active: new.active,
    })
}

fn capacity(asked: Option<u16>) -> Result<Option<u16>, OperateError> {
    match asked {
        Some(number) if !(1..=CAPACITY_MAX).contains(&number) => {
            let problem = format!("is {number}; it must be between 1 and {CAPACITY_MAX}");
            Err(OperateError::invalid("capacity", problem))
        }
        usable => Ok(usable),
    }
}

/// Whoever is named must be there.
pub async fn check_named(tx: &mut Tx, record: &VehicleRecord) -> Result<(), OperateError> {
    if let Some(provider) = &record.provider {
        check::provider(tx, "provider", provider).await?;
    }
    let Some(id) = &record.driver else { return Ok(()) };
    let Some(driver) = tx.driver(id).await? else {
        return Err(OperateError::invalid("driver", format!("{id}: there is no such driver")));
    };
    if let (Some(his), Some(its)) = (&driver.provider, &record.provider)
        && his != its
    {
        let problem = format!("{id}: drives for {his}, and the vehicle for {its}");
        return Err(OperateError::invalid("driver", problem));
    }
    Ok(())
}

/// Whoever comes to a vehicle as its driver must not be on a ride in another.
async fn check_taken(
    tx: &mut Tx,
    known: &VehicleRecord,
    record: &VehicleRecord,
) -> Result<(), OperateError> {
    match &record.driver {
        Some(driver) if known.driver != record.driver => {
            super::driver::check_free(tx, driver, Some(&record.device)).await
        }
        Some(_) | None => Ok(()),
    }
}

/// Adds a vehicle. Its device needs a code to enrol.
pub async fn add(
    tx: &mut Tx,
    actor: &Actor,
    new: NewVehicle,
    now: Timestamp,
) -> Result<VehicleView, OperateError> {
    let device = record(&new)?.device;
    write(tx, actor, new, Mode::Add, now).await?;
    find(tx, device.as_str()).await.map(Into::into)
}

/// Writes a whole vehicle, whether it is there or, in [`Mode::Put`], not.
pub async fn write(
    tx: &mut Tx,
    actor: &Actor,
    new: NewVehicle,
    mode: Mode,
    now: Timestamp,
) -> Result<Put, OperateError> {
    let record = record(&new)?;
    check_named(tx, &record).await?;
    match tx.vehicle_record(&record.device).await? {
        None => {
            if !insert(tx, actor, &record, now).await? {
                return Err(plate_taken(&record));
            }
            Ok(Put::Added)
        }
        Some(_) if mode == Mode::Add => {
            Err(OperateError::conflict(WHAT, record.device.to_string(), "is there already"))
        }
        Some(known) if known == record => Ok(Put::Same),
        Some(known) => {
            check_taken(tx, &known, &record).await?;
            save(tx, actor, &record, "changed", now).await?;
            Ok(Put::Changed)
        }
    }
}

/// Adds a vehicle whose driver and provider are there; `false` if its device or plate is taken.
pub async fn insert(
    tx: &mut Tx,
    actor: &Actor,
    record: &VehicleRecord,
    now: Timestamp,
) -> Result<bool, OperateError> {
    if !tx.add_vehicle_record(record, now).await? {
        return Ok(false);
    }
    let (device, detail) = (&record.device, record.registration.clone());
    actor.note_of_device(tx, AuditKind::Added, device, detail, now).await?;
    Ok(true)
}

fn plate_taken(record: &VehicleRecord) -> OperateError {
    let problem = format!("{}: another vehicle has this plate", record.registration);
    OperateError::invalid("registration", problem)
}

async fn save(
    tx: &mut Tx,
    actor: &Actor,
    record: &VehicleRecord,
    what: &str,
    now: Timestamp,
) -> Result<(), OperateError> {
    if !tx.save_vehicle_record(record).await? {
        return Err(plate_taken(record));
    }
    let detail = format!("{}: {what}", record.registration);
    actor.note_of_device(tx, AuditKind::VehicleChanged, &record.device, detail, now).await
}

/// Changes a vehicle.
pub async fn change(
    tx: &mut Tx,
    actor: &Actor,
    name: &str,
    change: VehicleChange,
    now: Timestamp,
) -> Result<VehicleView, OperateError> {
    let known = find(tx, name).await?;
    let (was_active, driver) = (known.active, known.driver.clone());
    let before = VehicleView::from(known.clone());
    let record = record(&NewVehicle {
        device: Some(before.device),
        registration: change.registration.unwrap_or(before.registration),
        category: change.category.unwrap_or(before.category),
        make: change.make.or(before.make),
        model: change.model.or(before.model),
        color: change.color.or(before.color),
        variant: change.variant.or(before.variant),
        energy: change.energy.or(before.energy),
        capacity: change.capacity.or(before.capacity),
        provider: change.provider.or(before.provider),
        driver: change.driver.or(before.driver),
        active: change.active.unwrap_or(before.active),
    })?;
    check_named(tx, &record).await?;
    check_taken(tx, &known, &record).await?;
    let what = match (was_active, record.active) {
        (true, false) => "retired".into(),
        (false, true) => "back in use".into(),
        _ if driver != record.driver => match &record.driver {
            Some(driver) => format!("driver {driver}"),
            None => "no driver".into(),
        },
        _ => "changed".into(),
    };
    save(tx, actor, &record, &what, now).await?;
    Ok(record.into())
}

/// A vehicle by its device or registration, and whether it is kept from rides.
pub async fn show(
    tx: &mut Tx,
    name: &str,
    rules: &RosterRules,
    now: Timestamp,
) -> Result<VehicleShown, OperateError> {
    let record = find(tx, name).await?;
    let rostered = tx.rostered_one(&record.device).await?;
    let driver = rostered.as_ref().and_then(|vehicle| vehicle.driver.as_ref());
    let at_the_wheel = driver.map(|wheel| wheel.driver.to_string());
    let why = rostered.as_ref().and_then(|vehicle| vehicle.blocked(rules, now));
    Ok(VehicleShown {
        vehicle: record.into(),
        at_the_wheel,
        blocked: why.as_ref().map(|why| why.code().into()),
        blocked_because: why.map(|why| why.to_string()),
    })
}

pub(super) async fn find(tx: &mut Tx, name: &str) -> Result<VehicleRecord, OperateError> {
    let not_found = || OperateError::not_found(WHAT, name);
    let device = tx.find_vehicle(name).await?.ok_or_else(not_found)?.device;
    tx.vehicle_record(&device).await?.ok_or_else(not_found)
}

/// The vehicle that a row of a file is about: that of its device or, if it names none, that of its plate, which
/// may be spelt otherwise where the device has its id from it.
pub(super) async fn meant(
    tx: &mut Tx,
    device: Option<&str>,
    registration: &str,
) -> Result<Option<VehicleRecord>, OperateError> {
    let of_plate = match device {
        None => tx.find_vehicle(registration).await?.map(|vehicle| vehicle.device),
        Some(_) => None,
    };
    let device = of_plate.map_or_else(|| device_id(device, registration), Ok)?;
    Ok(tx.vehicle_record(&device).await?)
}

/// Vehicles, by registration; of one provider, if it is named.
pub async fn list(
    tx: &mut Tx,
    provider: Option<&str>,
    page: &Page,
) -> Result<Listed<VehicleView>, OperateError> {
    let provider: Option<ProviderId> = parsed_if_any("provider", provider)?;
    let after = page.after().map(Cursor::key::<String>).transpose()?.unwrap_or_default();
    let rows = tx.vehicle_records(&after, provider.as_ref(), page.rows()).await?;
    Ok(Listed::of(page, rows, |row| Cursor::new(&row.registration, &row.device), Into::into))
}

/// Who drives a vehicle while nobody is signed in; nobody without a driver.
pub async fn assign(
    tx: &mut Tx,
    actor: &Actor,
    name: &str,
    driver: Option<&DriverId>,
    now: Timestamp,
) -> Result<VehicleView, OperateError> {
    let driver = Some(driver.map(ToString::to_string).unwrap_or_default());
    change(tx, actor, name, VehicleChange { driver, ..VehicleChange::default() }, now).await
}
