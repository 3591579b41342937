//! Riders and drivers who are to be forgotten: nothing of them is left in any column of any table, and what was
//! paid stays. And what is forgotten by itself, by its age.

#[expect(dead_code, reason = "the tests of the store need more of it")]
mod both;
#[expect(dead_code, reason = "the tests of the copy need more of it")]
mod dump;

use serde_json::Value;
use tripline_backend::audit::AuditKind;
use tripline_backend::config::Retention;
use tripline_backend::retention::erase::{Erased, Erasing, erase_driver, erase_order, erase_rider};
use tripline_backend::retention::forget;
use tripline_backend::store::Store;
use tripline_backend::store::audit::AuditFilter;
use tripline_backend::store::lane::{EventRow, LaneKey, TrailRow};
use tripline_backend::store::set_aside::SetAsideRow;
use tripline_protocol::fix::{FixStamp, FixType};
use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence, TripId};
use tripline_protocol::link::envelope::{decode, encode};
use tripline_protocol::link::trail::{TrailBatch, TrailEntry, TrailFix};
use tripline_protocol::link::up::{Event, EventBatch, EventBody, Stream};
use tripline_protocol::meter::Reading;
use tripline_protocol::otp::TypedOtp;
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::{Position, Timestamp};

use dump::{dump_all, run};

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
const DAY_MS: i64 = 86_400_000;

/// The completed ride of the rows that a store of version 3 had.
const RIDE: &str = "07070707-0001-4000-8000-000000000007";
const RIDERS_PHONE: &str = "098000 00007";
const DRIVER: &str = "d1";
/// What the rider's driver typed.
const OTP: &str = "864209";

const EPOCH: JournalEpoch = JournalEpoch(50);

fn device() -> DeviceId {
    DRIVER.parse().expect("valid")
}

fn trip() -> TripId {
    RIDE.replace("-0001-", "-0003-").parse().expect("a trip's id")
}

/// Where the vehicle was so many ms after the start.
fn position(ms: i64) -> Position {
    let moved = i32::try_from(ms).expect("soon");
    Position::new(129_716_000 + moved, 775_946_000 + moved).expect("on the globe")
}

fn event(ms: i64, body: EventBody) -> EventRow {
    let at = NOW.plus_ms(ms);
    let fix = Some(FixStamp { at, position: position(ms) });
    let event = Event { at, gnss_time: true, reading: Reading::default(), fix, body };
    let batch = EventBatch { epoch: EPOCH, after: Sequence(0), records: vec![event] };
    let sequence = Sequence(ms.cast_unsigned());
    EventRow { sequence, at, refused: None, trip: None, payload: encode(&batch) }
}

fn trail() -> TrailRow {
    let fix = |ms: i64| {
        TrailEntry::Fix(TrailFix {
            at: NOW.plus_ms(ms),
            position: position(ms),
            speed_cmps: None,
            course_ddeg: None,
            altitude_mm: None,
            fix_type: FixType::ThreeD,
            refused: None,
        })
    };
    let entries = vec![fix(-5_000), fix(0), fix(900), fix(10_000_000)];
    let payload = encode(&TrailBatch { epoch: EPOCH, after: Sequence(0), entries });
    TrailRow { through: Sequence(4), skip: 0, records: 4, times: None, payload }
}

/// Fills a store with the rows of version 3, and with what a device reported of the ride.
async fn fill(url: &str) -> Store {
    let store = Store::open_through(url, 3).await.expect("it opens");
    run(&store, include_str!("migrations/0003.sql")).await;
    store.close().await;
    let store = Store::open(url).await.expect("brought forward");
    let lane = |stream| LaneKey { device: device(), epoch: EPOCH, stream };
    let near = EventBody::Sos { trip: Some(trip()) };
    let lost = EventBody::Lost;
    let start = TripStep::Start { otp: Some(TypedOtp(OTP.into())) };
    let start = EventBody::Trip { trip: trip(), step: start };
    let aside = SetAsideRow {
        device: device(),
        lane: Stream::Event,
        reason: "its certificate was revoked".into(),
        payload: event(450, start.clone()).payload,
    };
    let events = [
        event(400, lost.clone()),
        event(500, start),
        event(9_000_000, near),
        event(9_000_001, lost.clone()),
    ];
    let events: Vec<_> = events.into_iter().map(|row| (lane(Stream::Event), row)).collect();
    let mut tx = store.write().await.expect("begins");
    tx.add_events(&events, NOW.plus_ms(1_000)).await.expect("added");
    let trail = [(lane(Stream::Trail), trail())];
    tx.add_trail_batches(&trail, NOW.plus_ms(1_000)).await.expect("added");
    let other = SetAsideRow { payload: event(9_000_001, lost).payload, ..aside.clone() };
    for (id, row) in [("a", aside), ("b", other)] {
        assert!(tx.add_set_aside(id.into(), row, NOW.plus_ms(9_100_000)).await.expect("added"));
    }
    tx.commit().await.expect("commits");
    // A command that names the ride's order, as an offer does.
    let order = RIDE.replace('-', "");
    let named = format!("1234{order}41736861");
    run(
        &store,
        &format!(
            "UPDATE down_message SET payload = BYTES('{named}'), outcome = 'applied' \
             WHERE outcome IS NULL; \
             UPDATE callback SET state = 'delivered', finished_at = 1 WHERE order_key = '{RIDE}'"
        ),
    )
    .await;
    store
}

/// Runs a test on a filled store of each kind.
async fn on_filled<F, T>(test: F)
where
    F: Fn(Store) -> T,
    T: Future<Output = ()>,
{
    let dir = tempfile::tempdir().expect("a folder");
    let mut urls = vec![format!("sqlite:{}", dir.path().join("test.db").display())];
    urls.extend(both::postgres().await);
    for url in urls {
        let store = fill(&url).await;
        test(store.clone()).await;
        store.close().await;
    }
}

/// Rows of any table that hold one of these texts, as text or as bytes.
async fn rows_with(store: &Store, texts: &[&str]) -> Vec<String> {
    let hex =
        |text: &str| text.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02X}"));
    let needles: Vec<String> =
        texts.iter().flat_map(|text| [(*text).to_owned(), hex(text)]).collect();
    let dump = dump_all(store).await;
    let rows = dump.iter().flat_map(|(table, rows)| rows.iter().map(move |row| (table, row)));
    rows.filter(|(_, row)| needles.iter().any(|needle| row.contains(needle)))
        .map(|(table, row)| format!("{table}: {row}"))
        .collect()
}

async fn body(store: &Store, id: &str) -> Value {
    let mut tx = store.read().await.expect("begins");
    let raw = tx.raw_order(id).await.expect("answers").expect("there");
    serde_json::from_str(&raw.body).expect("JSON")
}

const RIDERS: [&str; 6] =
    ["Rider 7 ", "9800000007", "7 MG Road", "7 Koramangala", "129716007", "776245007"];

#[tokio::test]
async fn nothing_of_a_rider_is_left_anywhere_and_what_was_paid_stays() {
    on_filled(|store| async move {
        assert_eq!(rows_with(&store, &[OTP]).await.len(), 2, "in an event and set aside");
        let before = (dump_all(&store).await, body(&store, RIDE).await);
        let would = erase_rider(&store, RIDERS_PHONE, Erasing::DryRun, NOW).await.expect("counted");
        assert_eq!(dump_all(&store).await, before.0, "nothing was changed");
        let done = erase_rider(&store, RIDERS_PHONE, Erasing::OnRequest, NOW).await.expect("done");
        assert_eq!(done, would);
        // The device's own event of the fixture is in the time of the ride as well.
        let Erased { orders, under_way, callbacks, commands, fixes, set_aside, .. } = done;
        assert_eq!((orders, under_way, callbacks, commands, fixes), (1, 0, 2, 1, 2));
        assert_eq!(rows_with(&store, &RIDERS).await, [""; 0]);
        assert_eq!(set_aside, 1);
        assert_eq!(rows_with(&store, &[OTP]).await, [""; 0], "as it was typed");
        let aside = store.read().await.expect("begins").set_aside(&device()).await;
        let emptied: Vec<_> =
            aside.expect("answers").iter().map(|row| row.payload.is_empty()).collect();
        assert_eq!(emptied, [true, false], "what tells of other times stays");

        let after = body(&store, RIDE).await;
        for kept in ["id", "state", "settlement", "payment", "quote", "created_at"] {
            assert_eq!(after[kept], before.1[kept], "{kept}");
        }
        assert_eq!(after["terms"]["tariff"], before.1["terms"]["tariff"]);
        assert!(after["settlement"].is_object() && after["terms"]["tariff"].is_object());
        let mut tx = store.write().await.expect("begins");
        let stored = tx.order(RIDE.parse().expect("an id")).await.expect("it reads");
        tx.save_order(&stored.expect("there")).await.expect("a late event can be written");
        drop(tx);
        let again = erase_rider(&store, RIDERS_PHONE, Erasing::OnRequest, NOW).await;
        assert_eq!(again.expect("answers"), Erased::default(), "nobody is found");
    })
    .await;
}

#[tokio::test]
async fn the_trail_of_the_ride_is_a_gap_and_the_rest_of_the_day_is_as_it_was() {
    on_filled(|store| async move {
        erase_order(&store, RIDE, Erasing::OnRequest, NOW).await.expect("done");
        let mut tx = store.read().await.expect("begins");
        let rows = tx.trail_batches(&device(), EPOCH).await.expect("answers");
        let batch: TrailBatch = decode(&rows[0].payload).expect("it reads");
        let fixes: Vec<_> = batch.entries.iter().map(|entry| entry.fix().is_some()).collect();
        assert_eq!(fixes, [true, false, false, true]);
        assert_eq!(batch.last(), rows[0].through, "no sequence is missing");
        let events = tx.events(&device(), EPOCH).await.expect("answers");
        let has_fix = |row: &EventRow| {
            let batch: EventBatch = decode(&row.payload).expect("it reads");
            batch.records[0].fix.is_some()
        };
        let fixes: Vec<_> = events.iter().map(has_fix).collect();
        assert_eq!(fixes, [false, false, false, true], "in its time, or with its name");
    })
    .await;
}

#[tokio::test]
async fn an_order_that_is_not_over_or_not_told_to_the_end_is_left_and_said() {
    on_filled(|store| async move {
        let riding = "06060606-0001-4000-8000-000000000006";
        let under_way = Erased { under_way: 1, ..Erased::default() };
        let done = erase_order(&store, riding, Erasing::OnRequest, NOW).await;
        assert_eq!(done.expect("answers"), under_way);
        run(&store, &format!("UPDATE callback SET state = 'pending' WHERE order_key = '{RIDE}'"))
            .await;
        let done = erase_order(&store, RIDE, Erasing::OnRequest, NOW).await;
        assert_eq!(done.expect("answers"), under_way);
        assert!(!rows_with(&store, &RIDERS).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_order_whose_vehicle_is_held_or_still_to_be_told_is_left_and_said() {
    on_filled(|store| async move {
        let under_way = Erased { under_way: 1, ..Erased::default() };
        let erased =
            async |now| erase_order(&store, RIDE, Erasing::OnRequest, now).await.expect("answers");
        let named = RIDE.replace('-', "");
        let waits = format!(
            "UPDATE down_message SET outcome = NULL WHERE payload = BYTES('1234{named}41736861')"
        );
        run(&store, &waits).await;
        assert_eq!(erased(NOW).await, under_way, "its device has not heard of it");
        run(&store, "UPDATE down_message SET outcome = 'applied' WHERE outcome IS NULL").await;
        let holds = |before: bool, now: bool| {
            format!(
                "UPDATE ride_order SET body = REPLACE(body, '\"held\":{before}', '\"held\":{now}') \
                 WHERE order_id = '{RIDE}'"
            )
        };
        let stored = store.read().await.expect("begins").order(RIDE.parse().expect("an id")).await;
        let mut tx = store.write().await.expect("begins");
        tx.save_order(&stored.expect("it reads").expect("there")).await.expect("in today's form");
        tx.commit().await.expect("commits");
        run(&store, &holds(false, true)).await;
        assert_eq!(erased(NOW).await, under_way, "its vehicle is held");
        run(&store, &holds(true, false)).await;
        run(&store, &waits).await;
        let late = NOW.plus_ms(31 * DAY_MS);
        assert_eq!(erased(late).await.orders, 1, "it is not waited for longer");
    })
    .await;
}

#[tokio::test]
async fn a_driver_is_taken_out_of_fleet_and_orders_and_it_is_written_down() {
    on_filled(|store| async move {
        // What is under way names its driver: let it be over.
        run(
            &store,
            "DELETE FROM device_hold; DELETE FROM assignment; DELETE FROM trip; DELETE FROM ride_order \
             WHERE state IN ('active', 'confirmed')",
        )
        .await;
        // What the fleet knows of them, and a command that told a device who drives: the id and the name of then,
        // each after its length.
        run(
            &store,
            "INSERT INTO document (document_id, owner_kind, owner_id, kind, number, \
             created_at, updated_at) VALUES ('1', 'driver', 'd1', 'licence', 'Raghav-77', 1, 1); \
             INSERT INTO rating (rating_id, category, driver_id, value, note, answers, at) \
             VALUES ('1', 'driver', 'd1', 400, 'Raghav is kind', '[{\"question\":\"driver-good\",\"text\":\"Raghu\"}]', 1); \
             INSERT INTO down_message (device_id, number, outcome, created_at, payload) \
             VALUES ('d1', 1, 'applied', 1, BYTES('0909026431055261676875200909'))",
        )
        .await;
        let driver =
            store.read().await.expect("begins").driver(&"d1".parse().expect("an id")).await;
        let driver = driver.expect("answers").expect("there");
        let done = erase_driver(&store, &driver, Erasing::OnRequest, NOW).await.expect("done");
        assert_eq!((done.orders, done.drivers, done.commands), (3, 1, 1), "{done:?}");
        assert_eq!(rows_with(&store, &["Raghav", "Raghu", "+91-97"]).await, [""; 0]);
        assert!(!rows_with(&store, &RIDERS).await.is_empty(), "its riders stay");
        let filter = AuditFilter { kind: Some(AuditKind::Erased), ..AuditFilter::default() };
        let told = store.read().await.expect("begins").audit(&filter, 10).await.expect("read");
        assert_eq!(told.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn a_driver_is_taken_out_of_an_order_whose_rider_went_before() {
    on_filled(|store| async move {
        let names_driver = async || {
            let body = body(&store, RIDE).await.to_string();
            body.contains("Raghav") || body.contains("+91-97")
        };
        erase_order(&store, RIDE, Erasing::OnRequest, NOW).await.expect("done");
        assert!(names_driver().await);
        let id = DRIVER.parse().expect("an id");
        let driver = store.read().await.expect("begins").driver(&id).await.expect("answers");
        let driver = driver.expect("there");
        erase_driver(&store, &driver, Erasing::OnRequest, NOW).await.expect("done");
        assert!(!names_driver().await);
    })
    .await;
}

const TRAIL: &str = "UPDATE trail_batch SET skip = skip";
const EVENTS: &str = "UPDATE device_event SET at = at";
const EXPIRED: &str = "UPDATE ride_order SET due_at = due_at WHERE state = 'expired'";
const OVER: &str = "UPDATE ride_order SET due_at = due_at \
     WHERE state IN ('completed', 'cancelled', 'unserved')";
const NAMED: &str = "UPDATE ride_order SET due_at = due_at \
     WHERE state IN ('completed', 'cancelled', 'unserved') AND body LIKE '%MG Road%'";

#[tokio::test]
async fn what_was_kept_long_enough_goes_and_money_goes_last() {
    on_filled(|store| async move {
        let rules = Retention::default();
        let days = |days: u32| NOW.plus_ms(i64::from(days) * DAY_MS + 30_000_000);
        let count = async |sql: &'static str| {
            let mut tx = store.write().await.expect("begins");
            let changed = both::execute(&mut tx, sql).await.expect("counted");
            drop(tx);
            changed
        };
        run(&store, "UPDATE callback SET state = 'dead', finished_at = 1").await;
        assert_eq!(forget(&store, &rules, NOW).await.expect("done"), 0, "nothing is old");
        forget(&store, &rules, days(rules.quotes_days)).await.expect("done");
        assert_eq!((count(EXPIRED).await, count(TRAIL).await), (0, 3));
        forget(&store, &rules, days(rules.trail_days)).await.expect("done");
        assert_eq!((count(TRAIL).await, count(EVENTS).await, count(NAMED).await), (0, 6, 4));
        forget(&store, &rules, days(rules.personal_days)).await.expect("done");
        assert_eq!((count(EVENTS).await, count(NAMED).await, count(OVER).await), (0, 0, 4));
        forget(&store, &rules, days(rules.orders_days)).await.expect("done");
        assert_eq!(count(OVER).await, 0);
        let for_ever = Retention { trail_days: 0, ..rules };
        assert_eq!(forget(&store, &for_ever, days(9_000)).await.expect("done"), 0);
    })
    .await;
}
