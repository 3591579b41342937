//! Why a fare was charged, and its receipt.

use std::collections::BTreeSet;

use tripline_protocol::id::{CommandNumber, OrderId, TripId};
use tripline_protocol::link::down::Command;
use tripline_protocol::link::envelope::decode;
use tripline_protocol::link::up::{CommandOutcome, Event, EventBatch, EventBody};
use tripline_protocol::trip::TripEvent;
use tripline_protocol::unit::Timestamp;

use super::OperateError;
use crate::domain::explain::{Explanation, Gone, Recorded, facts, put_in_order, stretches};
use crate::domain::order::Order;
use crate::domain::passage::Passage;
use crate::domain::trip::Trip;
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
    let gone = gone(tx, &order).await.map_err(ServiceError::from)?;
    Explanation::of(&order, &records, &trail, gone)
        .map_err(|no_fare| OperateError::refused(no_fare.to_string()))
}

/// What of an order's ride was taken out of the store.
async fn gone(tx: &mut Tx, order: &Order) -> Result<Gone, StoreError> {
    let places = tx.erased_at(order.id).await?.is_some();
    // Events are deleted by when they came: what came after the oldest that is kept was not deleted.
    let oldest = tx.oldest_event().await?;
    let events_before = Some(oldest.unwrap_or(Timestamp::from_unix_ms(i64::MAX)));
    Ok(Gone { places, events_before })
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
            record.commanded = commanded(tx, trip, number, &record.event).await?;
        }
    }
    put_in_order(&mut records);
    Ok(records)
}

/// The step that a command asked for. Commands are deleted sooner than events, and emptied with the ride: the
/// trip's own record has the step then.
async fn commanded(
    tx: &mut Tx,
    trip: &Trip,
    number: CommandNumber,
    report: &Event,
) -> Result<Option<TripEvent>, StoreError> {
    let payload = tx.down_payload(&trip.vehicle.device, number).await?;
    let command = payload.and_then(|payload| decode::<Command>(&payload).ok());
    Ok(match command {
        Some(command) => Recorded::step_asked_for(&command.body),
        None => Recorded::step_on_record(trip, report),
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::explain::EVENTS_DELETED;
    use crate::domain::explain::tests::ride;
    use crate::domain::trip::{By, Measured, Outcome, Step, TripFact};
    use crate::retention::erase::{Erasing, erase_order};
    use crate::store::Store;
    use crate::store::retention::Aged;
    use tripline_protocol::link::envelope::encode;
    use tripline_protocol::link::up::Stream;
    use tripline_protocol::trip::TripStep;

    /// A store with a ride and what its device reported of it.
    async fn stored(order: &Order, records: &[Recorded]) -> Store {
        let store = Store::in_memory().await.expect("it opens");
        let trip = order.trip.as_ref().expect("driven");
        let mut tx = store.write().await.expect("begins");
        assert!(tx.add_vehicle(trip.vehicle.clone(), order.created_at).await.expect("added"));
        tx.add_order(order).await.expect("added");
        for record in records {
            let &Recorded { epoch, sequence, at, received_at, .. } = record;
            let lane =
                LaneKey { device: trip.vehicle.device.clone(), epoch, stream: Stream::Event };
            let batch = EventBatch { epoch, after: sequence, records: vec![record.event.clone()] };
            let (trip, payload) = (Some(trip.id), encode(&batch));
            let row = EventRow { sequence, at, trip, refused: None, payload };
            tx.add_events(&[(lane, row)], received_at).await.expect("added");
        }
        tx.commit().await.expect("commits");
        store
    }

    async fn explained(store: &Store, order: &Order) -> Explanation {
        let mut tx = store.read().await.expect("begins");
        explain(&mut tx, &order.id.to_string()).await.expect("a final fare")
    }

    #[tokio::test]
    async fn a_ride_whose_rider_was_taken_out_still_explains_itself() {
        for (bridged_mm, reason) in [(0, "metered"), (2_000_000, "gaps-estimated")] {
            let (order, records) = ride(bridged_mm);
            let store = stored(&order, &records).await;
            let before = explained(&store, &order).await;
            assert!(before.holds() && before.reason == reason, "{before}");
            let id = order.id.to_string();
            let now = order.updated_at.plus_ms(86_400_000);
            let erased = erase_order(&store, &id, Erasing::OnRequest, now).await.expect("done");
            assert_eq!(erased.events, records.len() as u64);
            let after = explained(&store, &order).await;
            assert!(after.holds(), "{after}");
            assert_eq!((after.reason, after.total_paise), (before.reason, before.total_paise));
        }
    }

    /// A ride whose pause a dispatcher asked for, on its trip's record as on the device's.
    fn paused_by_a_dispatcher() -> (Order, Vec<Recorded>) {
        let (mut order, mut records) = ride(0);
        let asked = &mut records[3];
        asked.step = None;
        let (number, outcome) = (CommandNumber(7), CommandOutcome::Applied);
        asked.event.body = EventBody::CommandDone { number, outcome };
        let facts = records.iter().filter_map(|record| {
            let Recorded { event, at, received_at, step, .. } = record;
            let by = if step.is_some() { By::Device } else { By::operator("asha") };
            let moved = step.as_ref().map_or(Some(TripEvent::Pause), TripStep::event)?;
            let position = event.fix.map(|fix| fix.position);
            Some(TripFact {
                at: *at,
                received_at: *received_at,
                step: Step::Moved(moved),
                by,
                measured: Some(Measured { reading: event.reading, position }),
                otp: None,
                reason: String::new(),
                outcome: Outcome::Applied,
            })
        });
        order.trip.as_mut().expect("driven").facts = facts.collect();
        (order, records)
    }

    #[tokio::test]
    async fn a_dispatcher_s_step_is_known_without_its_command() {
        let (order, records) = paused_by_a_dispatcher();
        let store = stored(&order, &records).await;
        let explanation = explained(&store, &order).await;
        assert!(explanation.holds() && explanation.not_computed.is_none(), "{explanation}");
        assert_eq!(explanation.events[3].what, "pause, asked for by a dispatcher");
    }

    #[tokio::test]
    async fn where_events_were_deleted_by_age_nothing_is_computed_and_nothing_differs() {
        let (order, records) = paused_by_a_dispatcher();
        let store = stored(&order, &records).await;
        // Up to the pause, then all of them.
        for last in [&records[3], &records[records.len() - 1]] {
            let mut tx = store.write().await.expect("begins");
            let before = last.received_at.plus_ms(1);
            assert!(tx.delete_aged(Aged::Events, before).await.expect("deleted") > 0);
            tx.commit().await.expect("commits");
            let explanation = explained(&store, &order).await;
            assert_eq!(explanation.not_computed, Some(EVENTS_DELETED));
            assert!(explanation.holds() && !explanation.equal && explanation.audit.is_none());
            assert_eq!(explanation.difference(), None);
            assert!(explanation.to_string().contains(EVENTS_DELETED), "{explanation}");
        }
    }

    #[tokio::test]
    async fn an_event_that_is_missing_for_another_reason_is_a_difference() {
        let (order, mut records) = paused_by_a_dispatcher();
        records.remove(3);
        let store = stored(&order, &records).await;
        let explanation = explained(&store, &order).await;
        assert!(!explanation.holds() && explanation.not_computed.is_none(), "{explanation}");
    }
}
