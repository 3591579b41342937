//! Drivers: who they are, their PIN, and what riders think of them.

use serde::{Deserialize, Serialize};
use tripline_protocol::id::{DeviceId, DriverId};
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::check::{self, Mode, Put, flag, parsed, parsed_if_any, phone, text, yes};
use super::duty::DutyView;
use super::{Actor, Cursor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::chance;
use crate::domain::fleet::driver::{STARS_MAX, STARS_MIN};
use crate::domain::fleet::pin::{PIN_TRIES_MAX, check_pin};
use crate::domain::fleet::{Driver, Duty, DutyState, ProviderId, Rating};
use crate::domain::rating::{Answers, RatingCategory, RatingValue};
use crate::domain::trip::Trip;
use crate::keys::pin::PinKey;
use crate::service::duty::set_duty;
use crate::store::Tx;
use crate::store::driver::PinRow;
use crate::store::listing::OrderFilter;
use crate::store::rating::RatingRow;

const WHAT: &str = "driver";

/// A driver has one trip at a time, a vehicle too, and more only by a contradiction.
const TRIPS_LOOKED_AT: i64 = 10;

/// Longest note to a rating, in bytes.
const NOTE_LEN_MAX: usize = 500;

/// A driver to be added.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDriver {
    /// Their id, which they type to sign in: a-z, 0-9 and `-`. It never changes.
    pub id: String,
    /// Their name, as riders see it.
    pub name: String,
    /// Their phone, as riders see it.
    pub phone: String,
    /// For whom they drive; for every provider if left out.
    #[serde(default)]
    pub provider: Option<String>,
    /// Whether they may drive.
    #[serde(default = "yes", deserialize_with = "flag")]
    pub active: bool,
}

/// What is changed about a driver; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DriverChange {
    /// Their name.
    pub name: Option<String>,
    /// Their phone.
    pub phone: Option<String>,
    /// For whom they drive; empty for every provider.
    pub provider: Option<String>,
    /// Whether they may drive.
    pub active: Option<bool>,
}

/// A driver, as they are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DriverView {
    /// Their id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Their phone.
    pub phone: String,
    /// For whom they drive; for every provider if for none in particular.
    pub provider: Option<String>,
    /// Whether they may drive.
    pub active: bool,
    /// The mean of their ratings in hundredths of a star.
    pub rating_centistars: Option<u16>,
    /// How many ratings there are.
    pub ratings: u64,
}

impl From<Driver> for DriverView {
    fn from(driver: Driver) -> Self {
        Self {
            rating_centistars: driver.rating.mean_centistars(),
            ratings: driver.rating.count,
            id: driver.id.into(),
            name: driver.name,
            phone: driver.phone,
            provider: driver.provider.map(Into::into),
            active: driver.active,
        }
    }
}

/// The same with what only they have who look at one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DriverShown {
    /// The driver.
    #[serde(flatten)]
    pub driver: DriverView,
    /// Whether a PIN is set.
    pub pin_set: bool,
    /// Whether they are locked after too many wrong PINs.
    pub locked: bool,
    /// Where they are signed in.
    pub duty: Option<DutyView>,
}

/// Adds a driver.
pub async fn add(
    tx: &mut Tx,
    actor: &Actor,
    new: NewDriver,
    now: Timestamp,
) -> Result<DriverView, OperateError> {
    let id = new.id.clone();
    write(tx, actor, new, Mode::Add, now).await?;
    find(tx, &id).await.map(Into::into)
}

/// Writes a whole driver, whether they are there or, in [`Mode::Put`], not.
pub async fn write(
    tx: &mut Tx,
    actor: &Actor,
    new: NewDriver,
    mode: Mode,
    now: Timestamp,
) -> Result<Put, OperateError> {
    let mut driver = Driver {
        id: parsed("id", &new.id)?,
        name: text("name", &new.name)?,
        phone: phone("phone", &new.phone)?,
        provider: parsed_if_any("provider", new.provider.as_deref())?,
        active: new.active,
        rating: Rating::default(),
    };
    if let Some(provider) = &driver.provider {
        check::provider(tx, "provider", provider).await?;
    }
    let known = tx.driver(&driver.id).await?;
    let was_active = known.as_ref().is_some_and(|known| known.active);
    let put = match known {
        None => Put::Added,
        Some(_) if mode == Mode::Add => {
            return Err(OperateError::conflict(WHAT, new.id, "is there already"));
        }
        Some(known) => {
            driver.rating = known.rating;
            if known == driver {
                return Ok(Put::Same);
            }
            Put::Changed
        }
    };
    if put == Put::Added {
        tx.add_driver(&driver, now).await?;
        let detail = format!("{}: added", driver.id);
        actor.note(tx, AuditKind::DriverChanged, detail, now).await?;
    } else {
        save(tx, actor, &driver, (was_active, "changed"), now).await?;
    }
    Ok(put)
}

async fn save(
    tx: &mut Tx,
    actor: &Actor,
    driver: &Driver,
    (was_active, what): (bool, &str),
    now: Timestamp,
) -> Result<(), OperateError> {
    if was_active && !driver.active {
        check_free(tx, &driver.id, None).await?;
        go_home(tx, &driver.id, now).await?;
    }
    tx.save_driver(driver, now).await?;
    note(tx, actor, &driver.id, what, now).await
}

/// Ends a driver's duty, of which their device is told, and their shift.
async fn go_home(tx: &mut Tx, id: &DriverId, now: Timestamp) -> Result<(), OperateError> {
    match tx.duty_of_driver(id).await? {
        Some(duty) => {
            set_duty(tx, &Duty { state: DutyState::Off, since: now, ..duty }, now).await?;
        }
        None => tx.end_shift(id, now).await?,
    }
    Ok(())
}

async fn note(
    tx: &mut Tx,
    actor: &Actor,
    id: &DriverId,
    what: &str,
    now: Timestamp,
) -> Result<(), OperateError> {
    actor.note(tx, AuditKind::DriverChanged, format!("{id}: {what}"), now).await
}

/// Refuses what would take a driver off a ride that they accepted, in whatever vehicle but this.
pub(super) async fn check_free(
    tx: &mut Tx,
    id: &DriverId,
    but: Option<&DeviceId>,
) -> Result<(), OperateError> {
    let driver = Some(id.clone());
    let filter = OrderFilter { driver, under_way: true, ..OrderFilter::default() };
    let found = tx.orders_before(&filter, None, TRIPS_LOOKED_AT).await?;
    let mut trips = found.into_iter().filter_map(|stored| stored.order.trip);
    match trips.find(|trip| Some(&trip.vehicle.device) != but) {
        None => Ok(()),
        Some(trip) => Err(under_way(id, &trip)),
    }
}

/// The same of whoever else is on a ride in a vehicle.
pub(super) async fn check_vehicle_free(
    tx: &mut Tx,
    device: &DeviceId,
    id: &DriverId,
) -> Result<(), OperateError> {
    let device = Some(device.clone());
    let filter = OrderFilter { device, under_way: true, ..OrderFilter::default() };
    let found = tx.orders_before(&filter, None, TRIPS_LOOKED_AT).await?;
    let mut trips = found.into_iter().filter_map(|stored| stored.order.trip);
    let others = trips.find_map(|trip| {
        let driver = trip.vehicle.driver.clone().filter(|driver| driver != id)?;
        Some((driver, trip))
    });
    others.map_or(Ok(()), |(driver, trip)| Err(under_way(&driver, &trip)))
}

fn under_way(id: &DriverId, trip: &Trip) -> OperateError {
    let problem = format!(
        "drives trip {}: wait until it is over, or end it with `trip cancel` or `trip close`",
        trip.id
    );
    OperateError::conflict(WHAT, id.as_str(), problem)
}

/// Changes a driver.
pub async fn change(
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    change: DriverChange,
    now: Timestamp,
) -> Result<DriverView, OperateError> {
    let mut driver = find(tx, id).await?;
    if let Some(name) = &change.name {
        driver.name = text("name", name)?;
    }
    if let Some(asked) = &change.phone {
        driver.phone = phone("phone", asked)?;
    }
    if let Some(provider) = &change.provider {
        driver.provider = parsed_if_any("provider", Some(provider.as_str()))?;
        if let Some(provider) = &driver.provider {
            check::provider(tx, "provider", provider).await?;
        }
    }
    let what = match change.active {
        Some(false) if driver.active => "deactivated",
        Some(true) if !driver.active => "activated",
        Some(_) | None => "changed",
    };
    let was_active = driver.active;
    driver.active = change.active.unwrap_or(driver.active);
    save(tx, actor, &driver, (was_active, what), now).await?;
    Ok(driver.into())
}

/// A driver.
pub async fn show(tx: &mut Tx, id: &str) -> Result<DriverShown, OperateError> {
    let driver = find(tx, id).await?;
    let pin = tx.pin(&driver.id).await?;
    let duty = tx.duty_of_driver(&driver.id).await?;
    Ok(DriverShown {
        driver: driver.into(),
        pin_set: pin.mac.is_some(),
        locked: pin.tries >= PIN_TRIES_MAX,
        duty: duty.map(Into::into),
    })
}

pub(super) async fn find(tx: &mut Tx, id: &str) -> Result<Driver, OperateError> {
    let not_found = || OperateError::not_found(WHAT, id);
    let parsed: DriverId = id.parse().map_err(|_| not_found())?;
    tx.driver(&parsed).await?.ok_or_else(not_found)
}

/// Drivers, by id; of one provider, if it is named.
pub async fn list(
    tx: &mut Tx,
    provider: Option<&str>,
    page: &Page,
) -> Result<Listed<DriverView>, OperateError> {
    let provider: Option<ProviderId> = parsed_if_any("provider", provider)?;
    let after = page.after().map(Cursor::id::<String>).transpose()?.unwrap_or_default();
    let rows = tx.drivers(&after, provider.as_ref(), page.rows()).await?;
    Ok(Listed::of(page, rows, |row| Cursor::new(&row.id, &row.id), Into::into))
}

/// Sets a driver's PIN, and unlocks them.
pub async fn set_pin(
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    pin: &str,
    key: &PinKey,
    now: Timestamp,
) -> Result<DriverShown, OperateError> {
    check_pin(pin).map_err(|error| OperateError::invalid("pin", error.to_string()))?;
    let driver = find(tx, id).await?;
    let row = PinRow { mac: Some(key.mac(&driver.id, pin)), tries: 0 };
    tx.set_pin(&driver.id, row).await?;
    note(tx, actor, &driver.id, "PIN set", now).await?;
    show(tx, id).await
}

/// Lets a driver try their PIN again.
pub async fn unlock(
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<DriverShown, OperateError> {
    let driver = find(tx, id).await?;
    let pin = tx.pin(&driver.id).await?;
    tx.set_pin(&driver.id, PinRow { tries: 0, ..pin }).await?;
    note(tx, actor, &driver.id, "unlocked", now).await?;
    show(tx, id).await
}

/// What somebody thinks of a driver.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDriverRating {
    /// 1 to 5.
    pub stars: u8,
    /// For which order; each is rated once.
    #[serde(default)]
    pub order: Option<String>,
    /// In words.
    #[serde(default)]
    pub note: String,
}

/// Rates a driver.
pub async fn rate(
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    new: NewDriverRating,
    now: Timestamp,
) -> Result<DriverView, OperateError> {
    let centistars = u16::from(new.stars).saturating_mul(100);
    let value = RatingValue::from_centistars(centistars).map_err(|_| {
        let problem = format!("is {}; it must be between {STARS_MIN} and {STARS_MAX}", new.stars);
        OperateError::invalid("stars", problem)
    })?;
    if new.note.len() > NOTE_LEN_MAX {
        return Err(OperateError::invalid("note", format!("is longer than {NOTE_LEN_MAX} bytes")));
    }
    let driver = find(tx, id).await?;
    let rating = RatingRow {
        id: chance::uuid()?,
        order: parsed_if_any("order", new.order.as_deref())?,
        category: RatingCategory::Driver,
        driver: Some(driver.id.clone()),
        value,
        note: new.note,
        answers: Answers::default(),
        at: now,
    };
    if !tx.add_rating(&rating).await? {
        let id = new.order.unwrap_or_default();
        return Err(OperateError::conflict("order", id, "was rated before"));
    }
    note(tx, actor, &driver.id, &format!("rated {}", new.stars), now).await?;
    find(tx, id).await.map(Into::into)
}
