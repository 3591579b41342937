//! A store of every earlier schema is brought forward with all that is in it, on both databases.
//!
//! `NNNN.sql` beside this file holds rows as version NNNN wrote them, orders in its JSON. A new version needs one
//! as soon as it is used by anybody; the others are never changed. A version without one is passed through by
//! those before it.

#[path = "../both/mod.rs"]
#[expect(dead_code, reason = "the tests of the store need more of it")]
mod both;
#[path = "../dump/mod.rs"]
#[expect(dead_code, reason = "the tests of the copy need more of it")]
mod dump;
#[path = "../quoted/mod.rs"]
mod quoted;

use std::collections::BTreeSet;
use std::path::Path;

use tripline_backend::store::audit::AuditFilter;
use tripline_backend::store::callback::{CallbackFilter, Delivery};
use tripline_backend::store::listing::OrderFilter;
use tripline_backend::store::schema::Table;
use tripline_backend::store::{Store, Tx};
use tripline_protocol::unit::Timestamp;

use dump::{Dump, dump, dump_all, run};

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

/// Columns whose values a later step changes on purpose: table and column. Their tests are their own.
const CHANGED: &[(&str, &str)] =
    &[("ride_order", "body"), ("ride_order", "version"), ("ride_order", "due_at")];

/// The versions that have rows of their own, with those.
fn fixtures() -> Vec<(i64, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/migrations");
    let read = |version: i64| {
        let path = folder.join(format!("{version:04}.sql"));
        path.exists().then(|| (version, std::fs::read_to_string(path).expect("read")))
    };
    Store::versions().filter_map(read).collect()
}

/// Where a fresh store of each kind goes.
async fn urls(dir: &Path) -> Vec<String> {
    let name = uuid::Uuid::new_v4().simple();
    let mut urls = vec![format!("sqlite:{}", dir.join(format!("{name}.db")).display())];
    urls.extend(both::postgres().await);
    urls
}

/// These tables with the columns that the others have as well, but for those that are changed.
fn common(tables: &[Table], others: &[Table]) -> Vec<Table> {
    let is_kept = |table: &Table, column: &str| !CHANGED.contains(&(&*table.name, column));
    let shared = |table: &Table| {
        let twin = others.iter().find(|twin| twin.name == table.name)?;
        let mut shared = table.clone();
        shared.columns.retain(|it| twin.columns.contains(it) && is_kept(table, &it.name));
        Some(shared)
    };
    tables.iter().filter_map(shared).collect()
}

fn assert_all_there(before: &Dump, after: &Dump) {
    for (table, rows) in before {
        let mut left = after[table].clone();
        for row in rows {
            let place = left.iter().position(|other| other == row);
            let place = place.unwrap_or_else(|| panic!("{table} has lost {row}"));
            left.remove(place);
        }
    }
}

/// Every order reads, and says of itself what its columns say.
async fn assert_orders_read(tx: &mut Tx) {
    const SQL: &str = "SELECT track_token, state FROM ride_order";
    let rows: Vec<(String, String)> = match &mut *tx {
        Tx::Sqlite(tx) => sqlx::query_as(SQL).fetch_all(&mut **tx).await,
        Tx::Postgres(tx) | Tx::PostgresWriting(tx) => {
            sqlx::query_as(SQL).fetch_all(&mut **tx).await
        }
    }
    .expect("read");
    assert!(rows.len() > 8, "an order in every state");
    for (token, state) in rows {
        let stored = tx.order_of_track_token(&token).await;
        let stored = stored.unwrap_or_else(|error| panic!("{token}: {error}")).expect("there");
        assert_eq!(stored.order.state.code(), state, "{token}");
        tx.save_order(&stored).await.expect("it can be written again");
    }
}

/// What is not read as an order reads too.
async fn assert_others_read(tx: &mut Tx) {
    for vehicle in tx.vehicles().await.expect("vehicles read") {
        tx.certificates(&vehicle.device).await.expect("certificates read");
        tx.device_settings(&vehicle.device).await.expect("settings read");
        tx.presence(&vehicle.device).await.expect("presence reads");
        tx.set_aside(&vehicle.device).await.expect("what is set aside reads");
    }
    tx.fleet(None).await.expect("the fleet reads");
    for state in Delivery::ALL {
        let filter = CallbackFilter { state: Some(state), ..CallbackFilter::default() };
        assert!(!tx.callbacks(&filter, 100).await.expect("callbacks read").is_empty());
    }
    tx.audit(&AuditFilter::default(), 100).await.expect("the audit trail reads");
    tx.subscribers().await.expect("subscribers read");
}

#[tokio::test]
async fn a_store_of_every_earlier_schema_is_brought_forward_with_all_that_is_in_it() {
    let dir = tempfile::tempdir().expect("a folder");
    for (version, sql) in fixtures() {
        for url in urls(dir.path()).await {
            let store = Store::open_through(&url, version).await.expect("it opens");
            run(&store, &sql).await;
            let old = store.tables().await.expect("answers");
            let filled = dump(&store, &old).await;
            let empty = filled.iter().find(|(_, rows)| rows.is_empty());
            assert_eq!(empty, None, "{version:04}.sql has a row for every table");
            store.close().await;

            let store = Store::open(&url).await.expect("it is brought forward");
            let new = store.tables().await.expect("answers");
            let after = dump(&store, &common(&new, &old)).await;
            store.close().await;
            let old = common(&old, &new);
            assert_all_there(&again(dir.path(), version, &sql, &old).await, &after);

            let store = Store::open_as_is(&url).await.expect("it has the newest schema");
            let mut tx = store.write().await.expect("begins");
            assert_orders_read(&mut tx).await;
            assert_others_read(&mut tx).await;
            tx.add_order(&quoted::order(200, NOW)).await.expect("it goes on");
            tx.commit().await.expect("commits");
            let findings = store.health().await.expect("answers").findings;
            assert_eq!(findings, [""; 0], "from {version}");
            store.close().await;
        }
    }
}

#[tokio::test]
async fn orders_under_way_are_listed_and_due_once_they_are_brought_forward() {
    let dir = tempfile::tempdir().expect("a folder");
    for (version, sql) in fixtures() {
        for url in urls(dir.path()).await {
            let store = Store::open_through(&url, version).await.expect("it opens");
            run(&store, &sql).await;
            store.close().await;
            let store = Store::open(&url).await.expect("it is brought forward");
            let mut tx = store.read().await.expect("begins");
            let found = async |tx: &mut Tx, filter| {
                let found = tx.orders_before(&filter, None, 100).await.expect("answers");
                let names = found.into_iter().map(|it| it.order.fulfillment_id);
                names.collect::<BTreeSet<_>>()
            };
            let under_way = OrderFilter { under_way: true, ..OrderFilter::default() };
            let under_way = found(&mut tx, under_way).await;
            assert_eq!(
                under_way,
                ["fulfillment-accepted", "fulfillment-riding"].map(Into::into).into()
            );
            let of_device = OrderFilter { device: "d1".parse().ok(), ..OrderFilter::default() };
            assert!(found(&mut tx, of_device).await.contains("fulfillment-accepted"));
            let with_cases = OrderFilter { with_open_cases: true, ..OrderFilter::default() };
            assert!(!found(&mut tx, with_cases).await.is_empty());
            // Each is looked at again: the devices of both may never come back.
            let due =
                tx.due_orders(NOW.plus_ms(365 * 86_400_000), None, 100).await.expect("answers");
            let due: Vec<_> = due.into_iter().map(|(_, id)| id).collect();
            for name in under_way {
                let order = tx.order_of_fulfillment(&name).await.expect("reads").expect("there");
                assert!(due.contains(&order.order.id), "{name} from {version}");
            }
            // Its driver accepts what was offered before: the device speaks of the trip.
            let offered = tx.order_of_fulfillment("fulfillment-offered").await.expect("reads");
            let offered = offered.expect("there").order;
            let trip = offered.open_offers().next().expect("an open offer").trip;
            let of_trip = tx.order_of_trip(trip).await.expect("reads").expect("found by its trip");
            assert_eq!(of_trip.order.id, offered.id);
            drop(tx);
            store.close().await;
        }
    }
}

#[tokio::test]
async fn an_order_of_before_that_cannot_be_read_is_left_and_keeps_no_other_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let (version, sql) = fixtures().pop().expect("rows of a version");
    for url in urls(dir.path()).await {
        let store = Store::open_through(&url, version).await.expect("it opens");
        run(&store, &sql).await;
        run(&store, "UPDATE ride_order SET body = '{}' WHERE state = 'quoted'").await;
        store.close().await;
        for _ in 0..2 {
            let store = Store::open(&url).await.expect("it is brought forward");
            let mut tx = store.read().await.expect("begins");
            let under_way = OrderFilter { under_way: true, ..OrderFilter::default() };
            assert_eq!(tx.orders_before(&under_way, None, 100).await.expect("answers").len(), 2);
            tx.order_of_fulfillment("fulfillment-quoted").await.expect_err("it is as it was");
            drop(tx);
            store.close().await;
        }
    }
}

/// What a store of that version holds in these tables and columns.
async fn again(dir: &Path, version: i64, sql: &str, tables: &[Table]) -> Dump {
    let url =
        format!("sqlite:{}", dir.join(format!("again-{}.db", uuid::Uuid::new_v4())).display());
    let store = Store::open_through(&url, version).await.expect("it opens");
    run(&store, sql).await;
    let held = dump(&store, tables).await;
    store.close().await;
    held
}

#[tokio::test]
async fn step_by_step_or_at_once_the_outcome_is_that_of_a_new_store() {
    let dir = tempfile::tempdir().expect("a folder");
    for (version, sql) in fixtures() {
        for (at_once, by_step) in urls(dir.path()).await.into_iter().zip(urls(dir.path()).await) {
            for url in [&at_once, &by_step] {
                let store = Store::open_through(url, version).await.expect("it opens");
                run(&store, &sql).await;
                store.close().await;
            }
            for step in Store::versions().filter(|step| *step > version) {
                let store = Store::open_through(&by_step, step).await.expect("a step");
                store.close().await;
            }
            let at_once = Store::open(&at_once).await.expect("it is brought forward");
            let by_step = Store::open(&by_step).await.expect("it is there");
            assert_eq!(dump_all(&at_once).await, dump_all(&by_step).await);
            let fresh = Store::open(&urls(dir.path()).await.remove(0)).await.expect("a new one");
            let columns = |tables: Vec<Table>| -> Vec<_> {
                let table = |table: Table| {
                    let mut columns: Vec<_> =
                        table.columns.into_iter().map(|it| (it.name, it.kind as u8)).collect();
                    columns.sort();
                    (table.name, columns)
                };
                let mut tables: Vec<_> = tables.into_iter().map(table).collect();
                tables.sort();
                tables
            };
            let new = columns(fresh.tables().await.expect("answers"));
            assert_eq!(columns(at_once.tables().await.expect("answers")), new);
            for store in [at_once, by_step, fresh] {
                store.close().await;
            }
        }
    }
}
