//! Why a fare was charged, and its receipt.

use std::collections::BTreeSet;

use tripline_protocol::id::{CommandNumber, DeviceId, OrderId, TripId};
use tripline_protocol::link::down::Command;
use tripline_protocol::link::envelope::decode;
use tripline_protocol::link::up::{CommandOutcome, EventBatch, EventBody};
use tripline_protocol::trip::TripEvent;
use tripline_protocol::unit::Timestamp;

use super::OperateError;
use crate::domain::explain::{Explanation, Recorded, facts, put_in_order, stretches};
use crate::domain::order::Order;
use crate::domain::passage::Passage;
use crate::receipt::Receipt;
use crate::service::ServiceError;
use crate::store::lane::{EventRow, LaneKey};
use crate::store::{StoreError, Tx};

/// How long before and after a ride its trail is read, in ms: a minute, for the fixes at both ends.
const AROUND_MS: i64 = 60_000;

/// Explains the final fare of an order, or of the order of a trip.
pub async fn explain(tx: &mut Tx, id: &str) -> Result<Explanation, OperateError> {
    let order = find(tx, id).await?;
    let records = records(tx, &order).await.map_err(ServiceError::from)?;
    let trail = trail(tx, &order, &records).await.map_err(ServiceError::from)?;
    Explanation::of(&order, &records, &trail)
        .map_err(|no_fare| OperateError::refused(no_fare.to_string()))
}

/// The receipt of an order, or of the order of a trip.
pub async fn receipt(tx: &mut Tx, id: &str) -> Result<Receipt, OperateError> {
    let order = find(tx, id).await?;
    Receipt::of(&order)
        .ok_or_else(|| OperateError::refused("there is no receipt: nothing is charged, or not yet"))
}

/// An order by its id or by its trip's.
async fn find(tx: &mut Tx, id: &str) -> Result<Order, OperateError> {
    let missing = || OperateError::NotFound { what: "order or trip", id: id.to_owned() };
    let (order, trip): (OrderId, TripId) =
        id.parse().ok().zip(id.parse().ok()).ok_or_else(missing)?;
    let found = match tx.order(order).await.map_err(ServiceError::from)? {
        Some(found) => Some(found),
        None => tx.order_of_trip(trip).await.map_err(ServiceError::from)?,
    };
    Ok(found.ok_or_else(missing)?.order)
}

/// Every event of an order's trip, in the order they were taken in.
async fn records(tx: &mut Tx, order: &Order) -> Result<Vec<Recorded>, StoreError> {
    let Some(trip) = &order.trip else { return Ok(Vec::new()) };
    let mut records = Vec::new();
    for (lane, received_at, row) in tx.events_of_trip(trip.id).await? {
        // Whoever else names the trip has no say in it.
        if lane.device == trip.vehicle.device {
            records.extend(record(&lane, received_at, row)?);
        }
    }
    records.sort_by_key(|record| (record.received_at, record.epoch, record.sequence));
    let mut reported = BTreeSet::new();
    for record in &mut records {
        // The first report of a command counts.
        if let EventBody::CommandDone { number, outcome: CommandOutcome::Applied } =
            record.event.body
            && reported.insert(number)
        {
            record.commanded = commanded(tx, &trip.vehicle.device, number).await?;
        }
    }
    put_in_order(&mut records);
    Ok(records)
}

/// The step that a command asked for.
async fn commanded(
    tx: &mut Tx,
    device: &DeviceId,
    number: CommandNumber,
) -> Result<Option<TripEvent>, StoreError> {
    let payload = tx.down_payload(device, number).await?;
    let command = payload.and_then(|payload| decode::<Command>(&payload).ok());
    Ok(command.and_then(|command| Recorded::step_asked_for(&command.body)))
}

/// Nothing for an event that was emptied when a ride was taken out of it.
fn record(
    lane: &LaneKey,
    received_at: Timestamp,
    row: EventRow,
) -> Result<Option<Recorded>, StoreError> {
    if row.payload.is_empty() {
        return Ok(None);
    }
    let batch: EventBatch = decode(&row.payload).map_err(|error| StoreError::BadRow {
        table: "device_event",
        row: format!("{}, {}, {}", lane.device, lane.epoch, row.sequence),
        reason: format!("column payload: {error}"),
    })?;
    let (epoch, sequence, at, refused) = (lane.epoch, row.sequence, row.at, row.refused);
    let record = |event| {
        let step = Recorded::step_of(&event);
        Recorded { epoch, sequence, at, received_at, refused, event, step, commanded: None }
    };
    Ok(batch.records.into_iter().next().map(record))
}

async fn trail(
    tx: &mut Tx,
    order: &Order,
    records: &[Recorded],
) -> Result<Vec<Passage>, StoreError> {
    let stretches = stretches(order, records);
    let ends = stretches.first().zip(stretches.last());
    let Some(((first, last), vehicle)) = ends.zip(facts::vehicle(order)) else {
        return Ok(Vec::new());
    };
    let (from, until) = (first.from.plus_ms(-AROUND_MS), last.until.plus_ms(AROUND_MS));
    tx.trail_between(&vehicle.device, from, until).await
}
