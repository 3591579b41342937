//! Trips: what dispatchers do on a driver's behalf.
//!
//! What moves a trip that is in the vehicle's hands is a command to its device, and takes effect when the
//! device reports that it did. What ends a trip without its device acts at once.

mod view;

use tripline_protocol::id::{CommandNumber, DeviceId, OrderId, TripId};
use tripline_protocol::link::down::{CommandBody, DriveVerb};
use tripline_protocol::unit::Timestamp;

pub use self::view::{CaseView, DrivenView, FactView, TripDetail, TripView};
use super::{Actor, Cursor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::domain::effect::Effect;
use crate::domain::order::Order;
use crate::domain::ride::RideError;
use crate::domain::trip::{Asked, By, Trip};
use crate::service::{Platform, send_command, trail_behind};
use crate::store::Tx;
use crate::store::listing::OrderFilter;
use crate::store::order::StoredOrder;

/// How long a step that was asked for may take effect, in ms: later, nobody would expect it any more.
pub const DRIVE_TRIED_MS: i64 = 10 * 60_000;

/// Longest reason, in bytes: drivers read it.
pub const REASON_LEN_MAX: usize = 200;

/// A command that a device has to report on before what was asked for is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The device.
    pub device: DeviceId,
    /// The command.
    pub number: CommandNumber,
}

/// What a verb came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The trip as it stands.
    pub trip: TripView,
    /// What its device is still to report, if that is needed.
    pub pending: Option<Pending>,
}

/// Which page of which trips, newest order first.
pub async fn list(
    platform: &Platform,
    tx: &mut Tx,
    filter: &OrderFilter,
    page: &Page,
    now: Timestamp,
) -> Result<Listed<TripView>, OperateError> {
    let filter = OrderFilter { with_trip: true, ..filter.clone() };
    let listed = orders(tx, &filter, page).await?;
    let mut items = Vec::with_capacity(listed.items.len());
    for order in &listed.items {
        if let Some(trip) = &order.trip {
            items.push(shown(platform, tx, order, trip, now).await?);
        }
    }
    Ok(Listed { items, next: listed.next })
}

/// Orders, a page at a time.
pub(super) async fn orders(
    tx: &mut Tx,
    filter: &OrderFilter,
    page: &Page,
) -> Result<Listed<Order>, OperateError> {
    let before = match page.after() {
        Some(cursor) => Some((Timestamp::from_unix_ms(cursor.key()?), cursor.id::<OrderId>()?)),
        None => None,
    };
    let rows = tx.orders_before(filter, before, page.rows()).await?;
    let cursor = |row: &StoredOrder| Cursor::new(row.order.created_at.unix_ms, row.order.id);
    Ok(Listed::of(page, rows, cursor, |row| row.order))
}

/// A trip with its record, by its id or, of the one that counts, by its order's.
pub async fn show(
    platform: &Platform,
    tx: &mut Tx,
    id: &str,
    now: Timestamp,
) -> Result<TripDetail, OperateError> {
    let stored = find(tx, id).await?;
    let order = &stored.order;
    let of_id = id.parse().ok().and_then(|id: TripId| order.trip_of(id));
    let trip = of_id.or(order.trip.as_ref()).ok_or_else(|| OperateError::not_found("trip", id))?;
    let view = shown(platform, tx, order, trip, now).await?;
    let ratings = super::rating::of_order(tx, order.id).await?;
    Ok(TripDetail::of(order, trip, view, ratings))
}

/// Asks the device for a step, or answers for a start that the platform did not let pass.
pub async fn drive(
    platform: &Platform,
    tx: &mut Tx,
    actor: &Actor,
    (id, verb): (&str, DriveVerb),
    reason: &str,
    now: Timestamp,
) -> Result<Done, OperateError> {
    check_reason(reason)?;
    let mut stored = find_live(tx, id).await?;
    note(tx, actor, &stored.order, (verb.code(), reason), now).await?;
    if verb == DriveVerb::Start && stored.order.waits_for_voucher() {
        let rules = platform.settings.ride;
        let vouched = stored.order.vouch(&actor.name, reason, &rules, now);
        let effects = vouched.map_err(|error| conflict(id, &error))?;
        return finish(platform, tx, stored, effects, now).await;
    }
    let trip = stored.order.check_drive(verb).map_err(|error| conflict(id, &error))?;
    let (trip, device) = (trip.id, trip.vehicle.device.clone());
    let body = CommandBody::Drive { trip, verb, reason: reason.to_owned() };
    let expires_at = Some(now.plus_ms(DRIVE_TRIED_MS));
    let number = send_command(tx, &device, body, expires_at, now).await?;
    let (name, reason) = (actor.name.clone(), reason.to_owned());
    stored.order.note_asked(Asked { number, verb, name, reason }, now);
    let done = finish(platform, tx, stored, Vec::new(), now).await?;
    Ok(Done { pending: Some(Pending { device, number }), ..done })
}

/// Lets OTPs be tried on the device again.
pub async fn unlock_otp(
    platform: &Platform,
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Done, OperateError> {
    check_reason(reason)?;
    let stored = find_live(tx, id).await?;
    note(tx, actor, &stored.order, ("unlock-otp", reason), now).await?;
    let trip = stored.order.live_trip().map_err(|error| conflict(id, &error))?;
    let (trip, device) = (trip.id, trip.vehicle.device.clone());
    let expires_at = Some(now.plus_ms(DRIVE_TRIED_MS));
    let body = CommandBody::UnlockOtp { trip };
    let number = send_command(tx, &device, body, expires_at, now).await?;
    let done = finish(platform, tx, stored, Vec::new(), now).await?;
    Ok(Done { pending: Some(Pending { device, number }), ..done })
}

/// Calls the order off before its ride began, at no cost for the rider. Its device is told, and the vehicle
/// is free once it knows.
pub async fn cancel(
    platform: &Platform,
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Done, OperateError> {
    check_reason(reason)?;
    let mut stored = find_live(tx, id).await?;
    note(tx, actor, &stored.order, ("cancel", reason), now).await?;
    let cancelled = stored.order.cancel(&By::operator(&actor.name), reason, now);
    let effects = cancelled.map_err(|error| conflict(id, &error))?;
    finish(platform, tx, stored, effects, now).await
}

/// Closes a trip without its device: a ride that began is charged as far as it was heard, one that did not is
/// called off. The vehicle is free at once; the device is told when it comes.
pub async fn close(
    platform: &Platform,
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Done, OperateError> {
    check_reason(reason)?;
    let mut stored = find(tx, id).await?;
    note(tx, actor, &stored.order, ("close", reason), now).await?;
    let trip = stored.order.trip.as_ref().map(|trip| trip.id);
    let trail = match trip {
        Some(trip) => trail_behind(tx, &stored.order, trip, now).await?,
        None => Vec::new(),
    };
    let closed = stored.order.close(&By::operator(&actor.name), reason, &trail, now);
    let effects = closed.map_err(|error| conflict(id, &error))?;
    finish(platform, tx, stored, effects, now).await
}

/// Stores what a verb did. Whoever serves looks for callbacks and commands within a second.
async fn finish(
    platform: &Platform,
    tx: &mut Tx,
    mut stored: StoredOrder,
    effects: Vec<Effect>,
    now: Timestamp,
) -> Result<Done, OperateError> {
    let wake = platform.carry_out(tx, &mut stored, effects, now).await?;
    platform.wake(wake);
    let order = &stored.order;
    let trip = order.trip.as_ref().ok_or_else(|| OperateError::not_found("trip", ""))?;
    Ok(Done { trip: shown(platform, tx, order, trip, now).await?, pending: None })
}

async fn shown(
    platform: &Platform,
    tx: &mut Tx,
    order: &Order,
    trip: &Trip,
    now: Timestamp,
) -> Result<TripView, OperateError> {
    let heard =
        if trip.is_live() { platform.heard(tx, &trip.vehicle.device, now).await? } else { None };
    Ok(TripView::of(order, trip, heard, platform.settings.ride.silent_ms, now))
}

/// The order of a trip, by the trip's id or its own.
async fn find(tx: &mut Tx, id: &str) -> Result<StoredOrder, OperateError> {
    let not_found = || OperateError::not_found("trip", id);
    let by_trip: TripId = id.parse().map_err(|_| not_found())?;
    if let Some(stored) = tx.order_of_trip(by_trip).await? {
        return Ok(stored);
    }
    let by_order: OrderId = id.parse().map_err(|_| not_found())?;
    let stored = tx.order(by_order).await?;
    stored.filter(|stored| stored.order.trip.is_some()).ok_or_else(not_found)
}

/// The same; a trip that is past for its order is none to act on.
async fn find_live(tx: &mut Tx, id: &str) -> Result<StoredOrder, OperateError> {
    let stored = find(tx, id).await?;
    let is_past =
        id.parse().is_ok_and(|id: TripId| stored.order.past_trips.iter().any(|trip| trip.id == id));
    if is_past || stored.order.trip.is_none() {
        return Err(OperateError::conflict("trip", id, "is over for its order"));
    }
    Ok(stored)
}

async fn note(
    tx: &mut Tx,
    actor: &Actor,
    order: &Order,
    (verb, reason): (&str, &str),
    now: Timestamp,
) -> Result<(), OperateError> {
    let Some(trip) = &order.trip else { return Ok(()) };
    let detail = format!("{} {verb}: {reason}", trip.id);
    actor.note_of_device(tx, AuditKind::TripCommanded, &trip.vehicle.device, detail, now).await
}

/// A reason that a driver can be shown.
pub(super) fn check_reason(reason: &str) -> Result<(), OperateError> {
    let printable = !reason.chars().any(char::is_control);
    if printable && (1..=REASON_LEN_MAX).contains(&reason.trim().len()) {
        return Ok(());
    }
    let problem = format!("must say why, in 1 to {REASON_LEN_MAX} printable bytes");
    Err(OperateError::invalid("reason", problem))
}

fn conflict(id: &str, error: &RideError) -> OperateError {
    OperateError::conflict("trip", id, format!("cannot do that: {error}"))
}
