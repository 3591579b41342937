//! Rides as far as a store knows them, written by several at once, and what must be so of them at any time.
//!
//! A ride begins in one transaction: its order, its first callback, and a vehicle that is held for it if one is
//! free. It ends in another: the second callback, and the vehicle is free.

use std::collections::{BTreeMap, BTreeSet};

use tripline_backend::domain::order::{Order, Vehicle};
use tripline_backend::store::callback::NewCallback;
use tripline_backend::store::{Store, StoreError, Tx};
use tripline_protocol::id::{AssignmentId, DeviceId, OrderId, TripId};
use tripline_protocol::unit::Timestamp;

use crate::{HALF, quoted};

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

/// Fewer than there are writers, so that they meet.
const VEHICLES: u64 = 3;

/// Of the rides that are never committed the vehicle is one that no other asks for.
fn device(n: u64) -> DeviceId {
    let vehicle = if n >= HALF { VEHICLES } else { n % VEHICLES };
    format!("d{vehicle}").parse().expect("valid")
}

pub(crate) fn id(n: u64) -> OrderId {
    OrderId::from_bytes(u128::from(n).to_be_bytes())
}

fn order(n: u64) -> Order {
    Order {
        id: id(n),
        fulfillment_id: format!("f{n}"),
        track_token: format!("t{n}"),
        receipt_token: Some(format!("r{n}")),
        ..quoted::order(1, NOW)
    }
}

fn callback(n: u64, sequence: u64) -> NewCallback {
    NewCallback {
        order_key: id(n).to_string(),
        sequence,
        subscriber_id: "bap".into(),
        action: "on_status".into(),
        url: "https://bap.example/".into(),
        body: vec![0; 500],
        expires_at: NOW.plus_ms(1_000),
    }
}

/// Adds the vehicles.
pub(crate) async fn prepare(store: &Store) {
    let mut tx = store.write().await.expect("begins");
    for n in (0..VEHICLES).chain([HALF]) {
        let vehicle = Vehicle {
            device: device(n),
            registration: format!("KA {n}"),
            category: "TAXI".into(),
            make: None,
            model: None,
            color: None,
            driver: None,
            driver_name: "Raghav".into(),
            driver_phone: "1".into(),
            driver_rating_centistars: None,
        };
        assert!(tx.add_vehicle(vehicle, NOW).await.expect("added"));
    }
    tx.commit().await.expect("commits");
}

/// Writes the beginning of a ride, to be committed.
pub(crate) async fn begin(tx: &mut Tx, n: u64) -> Result<(), StoreError> {
    tx.add_order(&order(n)).await?;
    tx.add_callback(callback(n, 1), NOW).await?;
    let is_held = tx.hold(&device(n), id(n)).await?;
    if is_held {
        let bytes = u128::from(n).to_be_bytes();
        let (assignment, trip) = (AssignmentId::from_bytes(bytes), TripId::from_bytes(bytes));
        tx.add_assignment(assignment, trip, id(n)).await?;
    }
    let Some(mut stored) = tx.order(id(n)).await? else { panic!("{n} was added") };
    stored.order.callbacks = 1;
    // Any text of an order that changes with it will do.
    stored.order.otp = is_held.then(|| device(n).to_string());
    tx.save_order(&stored).await
}

async fn end(tx: &mut Tx, n: u64) -> Result<(), StoreError> {
    let Some(mut stored) = tx.order(id(n)).await? else { panic!("{n} was committed") };
    tx.add_callback(callback(n, 2), NOW).await?;
    tx.release(&device(n), id(n)).await?;
    stored.order.callbacks = 2;
    stored.order.otp = None;
    tx.save_order(&stored).await
}

/// Writes one ride, and tells after each commit how many of its transactions are acknowledged.
pub(crate) async fn ride(
    store: &Store,
    n: u64,
    mut acknowledged: impl FnMut(u64, u64),
) -> Result<(), StoreError> {
    let mut tx = store.write().await?;
    begin(&mut tx, n).await?;
    tx.commit().await?;
    acknowledged(n, 1);
    let mut tx = store.write().await?;
    end(&mut tx, n).await?;
    tx.commit().await?;
    acknowledged(n, 2);
    Ok(())
}

/// Checks that everything acknowledged is there, and nothing by halves. Gives how many rides there are.
pub(crate) async fn check(store: &Store, acknowledged: &BTreeMap<u64, u64>) -> usize {
    let mut tx = store.read().await.expect("begins");
    let rides: BTreeMap<String, (u64, Option<String>)> = orders(&mut tx).await;
    for (n, transactions) in acknowledged {
        let known = rides.get(&id(*n).to_string()).map(|(callbacks, _)| *callbacks);
        assert!(known >= Some(*transactions), "{n}: {transactions} acknowledged, {known:?} there");
    }
    let mut callbacks: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (key, sequence) in rows(&mut tx, "SELECT order_key, sequence FROM callback").await {
        callbacks.entry(key).or_default().push(sequence);
    }
    for (id, (count, _)) in &rides {
        let mut told = callbacks.remove(id).unwrap_or_default();
        told.sort_unstable();
        assert_eq!(told, (1..=count.cast_signed()).collect::<Vec<_>>(), "callbacks of {id}");
    }
    assert!(callbacks.is_empty(), "callbacks of no order: {callbacks:?}");
    let held = rides.values().filter_map(|(_, held)| held.as_ref());
    let count = held.clone().count();
    let held: BTreeSet<DeviceId> = held.map(|device| device.parse().expect("valid")).collect();
    assert_eq!(held.len(), count, "no vehicle is on two rides");
    let all: Vec<_> = (0..=VEHICLES).map(|n| format!("d{n}").parse().expect("valid")).collect();
    assert_eq!(tx.held_among(&all).await.expect("answers"), held);
    rides.len()
}

/// Of each order, how many callbacks it says were written, and which vehicle it holds.
async fn orders(tx: &mut Tx) -> BTreeMap<String, (u64, Option<String>)> {
    let mut orders = BTreeMap::new();
    for (key, _) in rows(tx, "SELECT order_id, version FROM ride_order").await {
        let stored = tx.order(key.parse().expect("an id")).await.expect("it reads");
        let order = stored.expect("it is there").order;
        orders.insert(key, (order.callbacks, order.otp));
    }
    orders
}

async fn rows(tx: &mut Tx, sql: &'static str) -> Vec<(String, i64)> {
    match tx {
        Tx::Sqlite(tx) => sqlx::query_as(sql).fetch_all(&mut **tx).await,
        Tx::Postgres(tx) | Tx::PostgresWriting(tx) => {
            sqlx::query_as(sql).fetch_all(&mut **tx).await
        }
    }
    .expect("read")
}
