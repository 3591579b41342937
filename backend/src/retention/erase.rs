//! Taking a rider or a driver out of the store: each order in a transaction of its own, with its audit entry.
//!
//! Whoever adds a table that tells something of a ride or a driver adds it to `erase_ride` or to
//! [`erase_driver`]. `backend/tests/erase.rs` looks through every column of every table for what is left.

use serde_json::Value;
use tripline_protocol::id::{DeviceId, DriverId};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::envelope::decode;
use tripline_protocol::machine::Machine as _;
use tripline_protocol::unit::Timestamp;

use super::blank::{blank_driver, blank_events, blank_rider, blank_trail, tells_of};
use crate::audit::{AuditKind, Entry};
use crate::domain::fleet::Driver;
use crate::domain::order::{Offer, Order};
use crate::domain::trip::Trip;
use crate::operate::Actor;
use crate::service::ServiceError;
use crate::store::audit::AuditRow;
use crate::store::erase::{Journal, RawOrder, holds, phone_digits, rider_key};
use crate::store::retry::retry;
use crate::store::{Store, StoreError, Tx};

/// Orders looked through in one go for somebody that no index finds.
const ORDERS_AT_ONCE: u32 = 500;

/// How much later than it was driven a trail may still come, in ms: 30 days. An agent keeps about two weeks of
/// every fix (`[journal] trail_quota_mb`).
const LATE_MS_MAX: i64 = 30 * 86_400_000;

/// How long a vehicle may stand where its rider got off, in ms: two minutes, to be paid.
const PAYING_MS: i64 = 120_000;

/// What was taken out, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Erased {
    /// Orders.
    pub orders: u64,
    /// Orders that are not over, or of which somebody or a device is still to be told: nothing was taken out of
    /// them.
    pub under_way: u64,
    /// Callbacks that were deleted.
    pub callbacks: u64,
    /// Commands to devices that were emptied.
    pub commands: u64,
    /// Events of devices that lost their place, or what was typed.
    pub events: u64,
    /// Fixes that became a gap in the trail.
    pub fixes: u64,
    /// Batches of revoked devices that were emptied.
    pub set_aside: u64,
    /// Drivers.
    pub drivers: u64,
    /// Riders' answers to forms that were deleted.
    pub submissions: u64,
}

impl Erased {
    /// Both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            orders: self.orders + other.orders,
            under_way: self.under_way + other.under_way,
            callbacks: self.callbacks + other.callbacks,
            commands: self.commands + other.commands,
            events: self.events + other.events,
            fixes: self.fixes + other.fixes,
            set_aside: self.set_aside + other.set_aside,
            drivers: self.drivers + other.drivers,
            submissions: self.submissions + other.submissions,
        }
    }
}

/// Whether it is done, and on whose word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasing {
    /// It is only counted.
    DryRun,
    /// Somebody asked for it: it is written down.
    OnRequest,
    /// It was kept long enough.
    ByAge,
}

/// Takes the rider out of every order of this phone.
pub async fn erase_rider(
    store: &Store,
    phone: &str,
    erasing: Erasing,
    now: Timestamp,
) -> Result<Erased, ServiceError> {
    let Some(key) = rider_key(phone) else { return Ok(Erased::default()) };
    let mut ids = store.read().await?.orders_of_rider(&key).await?;
    let digits = phone_digits(phone);
    let is_theirs = |order: &Value| {
        let phone = order.pointer("/rider/phone").and_then(Value::as_str);
        phone.is_some_and(|phone| phone_digits(phone) == digits)
    };
    ids.extend(orders_that(store, true, is_theirs).await?);
    let mut erased = Erased::default();
    for id in &ids {
        erased = erased.plus(retry(|| erase_order(store, id, erasing, now)).await?);
    }
    Ok(erased.plus(retry(|| erase_unused(store, phone, erasing, now)).await?))
}

/// Deletes answers to forms that tell this phone, and with which nothing was booked.
async fn erase_unused(
    store: &Store,
    phone: &str,
    erasing: Erasing,
    now: Timestamp,
) -> Result<Erased, ServiceError> {
    let mut tx = store.write().await?;
    let mut erased = Erased::default();
    for id in tx.unused_submissions_with(phone).await? {
        erased.submissions += u64::from(tx.delete_submission(&id).await?);
    }
    if erased.submissions > 0 {
        finish(tx, erasing, "answers to forms with which nothing was booked", now).await?;
    }
    Ok(erased)
}

/// Takes the rider out of one order.
pub async fn erase_order(
    store: &Store,
    id: &str,
    erasing: Erasing,
    now: Timestamp,
) -> Result<Erased, ServiceError> {
    let mut tx = store.write().await?;
    let Some(mut raw) = tx.raw_order(id).await? else { return Ok(Erased::default()) };
    let (order, mut body) = read(&raw)?;
    if is_under_way(&mut tx, &order, now).await? {
        return Ok(Erased { under_way: 1, ..Erased::default() });
    }
    let erased = Erased { orders: 1, ..erase_ride(&mut tx, &order).await? };
    blank_rider(&mut body);
    raw.body = body.to_string();
    tx.put_raw_order(&raw, Some(now)).await?;
    finish(tx, erasing, &format!("the rider of order {id}"), now).await?;
    Ok(erased)
}

/// Takes a driver out of the fleet and of every order.
pub async fn erase_driver(
    store: &Store,
    driver: &Driver,
    erasing: Erasing,
    now: Timestamp,
) -> Result<Erased, ServiceError> {
    let names = |order: &Value| blank_driver(&mut order.clone(), driver.id.as_str(), &driver.phone);
    let mut erased = Erased::default();
    for id in orders_that(store, false, names).await? {
        erased = erased.plus(retry(|| erase_driver_of(store, &id, driver, erasing, now)).await?);
    }
    Ok(erased.plus(retry(|| erase_from_fleet(store, driver, erasing, now)).await?))
}

/// Takes a driver out of the fleet's tables and of the commands that named them.
async fn erase_from_fleet(
    store: &Store,
    driver: &Driver,
    erasing: Erasing,
    now: Timestamp,
) -> Result<Erased, ServiceError> {
    let mut tx = store.write().await?;
    let mut erased = Erased { drivers: 1, ..Erased::default() };
    let names = |payload: &[u8]| names_driver(payload, &driver.id);
    let ever = Timestamp::from_unix_ms(i64::MIN);
    for device in tx.devices_of_driver(&driver.id).await? {
        erased.commands += tx.empty_commands(&device, ever, names).await?;
    }
    tx.clear_driver(&driver.id, now).await?;
    finish(tx, erasing, &format!("driver {}", driver.id), now).await?;
    Ok(erased)
}

/// Whether a command tells its device that this driver drives. One that cannot be read is known by the id, a text
/// after its length.
fn names_driver(payload: &[u8], id: &DriverId) -> bool {
    let Ok(command) = decode::<Command>(payload) else {
        let length = u8::try_from(id.as_str().len()).unwrap_or(u8::MAX);
        return holds(payload, &[&[length], id.as_str().as_bytes()].concat());
    };
    if let CommandBody::OnDuty(on_duty) = command.body {
        return on_duty.driver.is_some_and(|(driver, _)| driver == *id);
    }
    false
}

/// Takes a driver out of one order.
async fn erase_driver_of(
    store: &Store,
    id: &str,
    driver: &Driver,
    erasing: Erasing,
    now: Timestamp,
) -> Result<Erased, ServiceError> {
    let mut tx = store.write().await?;
    let Some(mut raw) = tx.raw_order(id).await? else { return Ok(Erased::default()) };
    let (order, mut body) = read(&raw)?;
    if is_under_way(&mut tx, &order, now).await? {
        return Ok(Erased { under_way: 1, ..Erased::default() });
    }
    blank_driver(&mut body, driver.id.as_str(), &driver.phone);
    raw.body = body.to_string();
    tx.put_raw_order(&raw, None).await?;
    let callbacks = tx.delete_callbacks(order.id).await?;
    finish(tx, erasing, &format!("the driver of order {id}"), now).await?;
    Ok(Erased { orders: 1, callbacks, ..Erased::default() })
}

/// Ids of orders with a body that passes; they are found by looking through all of them. What cannot be read
/// is passed over.
async fn orders_that(
    store: &Store,
    unkeyed: bool,
    passes: impl Fn(&Value) -> bool,
) -> Result<Vec<String>, StoreError> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let rows = store.read().await?.raw_orders(unkeyed, &after, ORDERS_AT_ONCE).await?;
        let Some(last) = rows.last() else { return Ok(found) };
        after.clone_from(&last.id);
        let passing = rows
            .into_iter()
            .filter(|row| serde_json::from_str(&row.body).is_ok_and(|body: Value| passes(&body)));
        found.extend(passing.map(|row| row.id));
    }
}

fn read(raw: &RawOrder) -> Result<(Order, Value), StoreError> {
    let order = serde_json::from_str(&raw.body).map_err(|error| raw.bad_body(&error))?;
    let body = serde_json::from_str(&raw.body).map_err(|error| raw.bad_body(&error))?;
    Ok((order, body))
}

/// Whether somebody still needs to know who rides: the driver, who is to be told of it, or a vehicle that is held
/// or has not heard yet what became of its ride.
async fn is_under_way(tx: &mut Tx, order: &Order, now: Timestamp) -> Result<bool, StoreError> {
    let held = order.trips().any(|trip| trip.held);
    if !order.state.is_terminal() || held || tx.pending_callbacks(order.id).await? > 0 {
        return Ok(true);
    }
    // A device that was not heard for so long is not waited for: its rider could never be forgotten.
    let since = order.created_at.max(now.plus_ms(-LATE_MS_MAX));
    for (device, ids) in commanded(order) {
        let waits = |payload: &[u8]| {
            ids.iter().any(|id| holds(payload, id)) && may_take_effect(payload, now)
        };
        if tx.waiting_commands(&device, since).await?.iter().any(|payload| waits(payload)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a command still has an effect when its device hears it. One that cannot be read may.
fn may_take_effect(payload: &[u8], now: Timestamp) -> bool {
    let expires_at = decode::<Command>(payload).ok().and_then(|command| command.expires_at);
    expires_at.is_none_or(|expires_at| expires_at > now)
}

/// Takes a ride out of everything but its order's row.
async fn erase_ride(tx: &mut Tx, order: &Order) -> Result<Erased, StoreError> {
    let mut erased =
        Erased { callbacks: tx.delete_callbacks(order.id).await?, ..Erased::default() };
    for (device, ids) in commanded(order) {
        let names = |payload: &[u8]| ids.iter().any(|id| holds(payload, id));
        erased.commands += tx.empty_commands(&device, order.created_at, names).await?;
    }
    for trip in order.trips() {
        erased.events += erase_events(tx, trip).await?;
        erased.fixes += erase_trail(tx, trip).await?;
        erased.set_aside += erase_set_aside(tx, trip).await?;
    }
    if let Some(submission) = order.submission {
        erased.submissions += u64::from(tx.delete_submission_of(order.id, submission).await?);
    }
    tx.clear_rating(order.id).await?;
    Ok(erased)
}

/// The devices that were told of an order, and the ids by which their commands know it.
fn commanded(order: &Order) -> Vec<(DeviceId, Vec<Vec<u8>>)> {
    let ids = |offer: &Offer| {
        let ids = [order.id.as_bytes(), offer.id.as_bytes(), offer.trip.as_bytes()];
        (offer.vehicle.device.clone(), ids.map(|id| id.to_vec()).to_vec())
    };
    order.offers.iter().map(ids).collect()
}

/// From when to when it was driven, and paid for where the rider got off.
fn driven(trip: &Trip) -> (Timestamp, Timestamp) {
    (trip.accepted_at, trip.phase_at.max(trip.accepted_at).plus_ms(PAYING_MS))
}

/// Every event of the time, and later ones that name the trip.
async fn erase_events(tx: &mut Tx, trip: &Trip) -> Result<u64, StoreError> {
    let (device, (from, until)) = (&trip.vehicle.device, driven(trip));
    let mut rows = tx.reported(Journal::Events, device, (from, until)).await?;
    let later = (until.plus_ms(1), until.plus_ms(LATE_MS_MAX));
    let later = tx.reported(Journal::Events, device, later).await?;
    rows.extend(later.into_iter().filter(|row| holds(&row.payload, trip.id.as_bytes())));
    let mut count = 0;
    for mut row in rows {
        if let Some(payload) = blank_events(&row.payload) {
            row.payload = payload;
            tx.put_reported(Journal::Events, device, row).await?;
            count += 1;
        }
    }
    Ok(count)
}

async fn erase_trail(tx: &mut Tx, trip: &Trip) -> Result<u64, StoreError> {
    let (device, times) = (&trip.vehicle.device, driven(trip));
    let came = (times.0, times.1.plus_ms(LATE_MS_MAX));
    let mut count = 0;
    for (journal, between) in [(Journal::Trail, came), (Journal::Runs, times)] {
        for mut row in tx.reported(journal, device, between).await? {
            if let Some((payload, fixes)) = blank_trail(&row.payload, times) {
                row.payload = payload;
                tx.put_reported(journal, device, row).await?;
                count += fixes;
            }
        }
    }
    Ok(count)
}

/// What was set aside has no effect and no sequence: a batch that tells of the ride is emptied as a whole.
async fn erase_set_aside(tx: &mut Tx, trip: &Trip) -> Result<u64, StoreError> {
    let (device, times) = (&trip.vehicle.device, driven(trip));
    let came = (times.0, times.1.plus_ms(LATE_MS_MAX));
    let mut count = 0;
    for (id, row) in tx.set_aside_between(device, came).await? {
        if !row.payload.is_empty() && tells_of(row.lane, &row.payload, trip.id, times) {
            tx.empty_set_aside(&id).await?;
            count += 1;
        }
    }
    Ok(count)
}

/// Commits what was done, with a note of it where somebody asked for it; or nothing of it.
async fn finish(
    mut tx: Tx,
    erasing: Erasing,
    what: &str,
    now: Timestamp,
) -> Result<(), ServiceError> {
    match erasing {
        Erasing::DryRun => return Ok(()),
        Erasing::ByAge => {}
        Erasing::OnRequest => {
            let detail = what.to_owned();
            let (device, peer, actor) = (None, None, Some(Actor::CLI.to_owned()));
            let entry = Entry { kind: AuditKind::Erased, device, peer, actor, detail };
            tx.put_audit(AuditRow::new(entry, now)?).await?;
        }
    }
    Ok(tx.commit().await?)
}
