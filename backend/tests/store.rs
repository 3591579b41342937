//! One conformance suite for both databases. Each test runs on SQLite and, where a server is provided
//! (`scripts/with-postgres`), on a fresh PostgreSQL database.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tripline_backend::audit::AuditKind;
use tripline_backend::domain::order::{Order, Vehicle};
use tripline_backend::identity::authority::sha256;
use tripline_backend::service::settings::{Change, configure};
use tripline_backend::store::audit::AuditFilter;
use tripline_backend::store::callback::{
    CallbackCounts, CallbackFilter, Delivery, DueCallback, NewCallback, Note, Noted, Replay,
};
use tripline_backend::store::certificate::CertificateRow;
use tripline_backend::store::inbox::{RequestKey, Seen};
use tripline_backend::store::lane::{Cursor, EventRow, LaneKey, TrailRow};
use tripline_backend::store::presence::PresenceRow;
use tripline_backend::store::settings::SettingsRow;
use tripline_backend::store::{Store, StoreError, Tx};
use tripline_protocol::id::{
    AssignmentId, CommandNumber, DeviceId, JournalEpoch, Sequence, TripId,
};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::envelope::decode;
use tripline_protocol::link::settings::{DeviceSettings, Keep};
use tripline_protocol::link::up::{CommandOutcome, Stream};
use tripline_protocol::unit::Timestamp;

mod both;
mod quoted;

use both::{end_certificate, execute, on_both, postgres};

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

fn device(name: &str) -> DeviceId {
    name.parse().expect("valid")
}

fn vehicle(name: &str) -> Vehicle {
    Vehicle {
        device: device(name),
        registration: format!("KA {name}"),
        category: "TAXI".into(),
        make: None,
        model: None,
        color: None,
        driver: None,
        driver_name: "Raghav".into(),
        driver_phone: "+91-98".into(),
        driver_rating_centistars: None,
    }
}

async fn add_vehicle(store: &Store, name: &str) {
    let mut tx = store.write().await.expect("begins");
    assert!(tx.add_vehicle(vehicle(name), NOW).await.expect("added"));
    tx.commit().await.expect("commits");
}

fn order(n: u8) -> Order {
    quoted::order(n, NOW)
}

async fn add_order(store: &Store, n: u8) {
    let mut tx = store.write().await.expect("begins");
    tx.add_order(&order(n)).await.expect("added");
    tx.commit().await.expect("commits");
}

fn callback(key: &str, sequence: u64) -> NewCallback {
    NewCallback {
        order_key: key.into(),
        sequence,
        subscriber_id: "bap.example".into(),
        action: "on_status".into(),
        url: "http://bap.example/on_status".into(),
        body: vec![0, 255, b'{'],
        expires_at: NOW.plus_ms(1_000_000),
    }
}

#[tokio::test]
async fn a_vehicle_is_added_once_and_found() {
    on_both(|store| async move {
        add_vehicle(&store, "a").await;
        let mut tx = store.write().await.expect("begins");
        assert!(!tx.add_vehicle(vehicle("a"), NOW).await.expect("answers"), "its device is taken");
        let mut other = vehicle("b");
        other.registration = "KA a".into();
        assert!(!tx.add_vehicle(other, NOW).await.expect("answers"), "its plate is taken");
        drop(tx);
        let mut tx = store.read().await.expect("begins");
        let found = tx.vehicle(&device("a")).await.expect("answers");
        let with_driver = Vehicle { driver: "a".parse().ok(), ..vehicle("a") };
        assert_eq!(found, Some(with_driver), "whose driver has an id");
        assert_eq!(tx.vehicle(&device("x")).await.expect("answers"), None);
        assert_eq!(tx.vehicles().await.expect("answers").len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_committed_never_was() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        assert!(tx.add_vehicle(vehicle("a"), NOW).await.expect("added"));
        drop(tx);
        let mut tx = store.read().await.expect("begins");
        assert_eq!(tx.vehicle(&device("a")).await.expect("answers"), None);
    })
    .await;
}

#[tokio::test]
async fn a_device_is_held_for_one_order_at_a_time() {
    on_both(|store| async move {
        add_vehicle(&store, "a").await;
        add_order(&store, 1).await;
        add_order(&store, 2).await;
        let (first, second) = (order(1).id, order(2).id);
        let mut tx = store.write().await.expect("begins");
        assert!(tx.hold(&device("a"), first).await.expect("answers"));
        assert!(!tx.hold(&device("a"), second).await.expect("answers"));
        tx.release(&device("a"), second).await.expect("answers");
        assert!(
            !tx.held_among(&[device("a")]).await.expect("answers").is_empty(),
            "not the holder's release"
        );
        tx.release(&device("a"), first).await.expect("answers");
        assert!(tx.hold(&device("a"), second).await.expect("answers"));
        tx.commit().await.expect("commits");
    })
    .await;
}

#[tokio::test]
async fn an_order_comes_back_as_it_was_by_each_of_its_names() {
    on_both(|store| async move {
        add_order(&store, 1).await;
        let assignment = AssignmentId::from_bytes([9; 16]);
        let mut tx = store.write().await.expect("begins");
        tx.add_assignment(assignment, TripId::from_bytes([9; 16]), order(1).id)
            .await
            .expect("added");
        let by_names = [
            tx.order(order(1).id).await,
            tx.order_of_fulfillment("f1").await,
            tx.order_of_track_token("t1").await,
            tx.order_of_assignment(assignment).await,
        ];
        for found in by_names {
            assert_eq!(found.expect("answers").map(|stored| stored.order), Some(order(1)));
        }
        assert!(tx.order_of_fulfillment("f2").await.expect("answers").is_none());
    })
    .await;
}

#[tokio::test]
async fn an_order_changed_in_between_is_a_conflict_and_keeps_the_first_change() {
    on_both(|store| async move {
        add_order(&store, 1).await;
        let mut tx = store.write().await.expect("begins");
        let mut first = tx.order(order(1).id).await.expect("answers").expect("there");
        let mut second = first.clone();
        first.order.callbacks = 1;
        second.order.callbacks = 2;
        tx.save_order(&first).await.expect("saved");
        let error = tx.save_order(&second).await.expect_err("a conflict");
        assert!(matches!(error, StoreError::Conflict { table: "ride_order", .. }), "{error}");
        let kept = tx.order(order(1).id).await.expect("answers").expect("there");
        assert_eq!(kept.order.callbacks, 1);
    })
    .await;
}

#[tokio::test]
async fn the_same_request_is_seen_again_and_another_under_its_id_is_told_apart() {
    on_both(|store| async move {
        let key = |action: &str| RequestKey {
            variant: Vec::new(),
            subscriber_id: "bap.example".into(),
            action: action.into(),
            message_id: "m1".into(),
        };
        let mut tx = store.write().await.expect("begins");
        for (action, digest, seen) in [
            ("search", b"a", Seen::New),
            ("search", b"a", Seen::Same),
            ("search", b"b", Seen::Other),
            ("select", b"b", Seen::New),
        ] {
            let found = tx.note_request(&key(action), digest, NOW).await.expect("answers");
            assert_eq!(found, seen, "{action} {digest:?}");
        }
    })
    .await;
}

/// Takes what is due of the only subscriber, at most `count`, for 500 ms.
async fn claim(tx: &mut Tx, at: Timestamp, count: usize) -> Vec<DueCallback> {
    let mut turns = tx.callback_turns("bap.example", at, 10).await.expect("answers");
    turns.keep(count, |_, _| true);
    tx.claim_callbacks(turns, at, at.plus_ms(500)).await.expect("answers")
}

fn names(due: &[DueCallback]) -> Vec<(&str, u64)> {
    let mut names: Vec<_> = due.iter().map(|due| (&*due.order_key, due.sequence)).collect();
    names.sort_unstable();
    names
}

fn note(due: &DueCallback, noted: Noted, error: Option<&str>) -> Note {
    Note { due: due.clone(), noted, error: error.map(Into::into) }
}

#[tokio::test]
async fn callbacks_of_one_order_come_up_one_after_another_and_others_do_not_wait() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        for (key, sequence) in [("a", 1), ("a", 2), ("b", 1)] {
            tx.add_callback(callback(key, sequence), NOW).await.expect("added");
        }
        let seen = tx.callback_turns("bap.example", NOW, 10).await.expect("answers");
        let due = tx.claim_callbacks(seen.clone(), NOW, NOW.plus_ms(500)).await.expect("answers");
        assert_eq!(names(&due), [("a", 1), ("b", 1)], "the second waits for the first");
        assert_eq!((&due[0].body, due[0].attempts), (&vec![0, 255, b'{'], 1));
        let again = tx.claim_callbacks(seen, NOW, NOW.plus_ms(500)).await.expect("answers");
        assert_eq!(again, [], "they are taken");
        assert_eq!(claim(&mut tx, NOW, 10).await, []);

        let first = due.iter().find(|due| due.order_key == "a").expect("there");
        let other = due.iter().find(|due| due.order_key == "b").expect("there");
        let later = NOW.plus_ms(100);
        let notes = [
            note(first, Noted::PutOff(later), Some("busy")),
            note(other, Noted::Finished(Delivery::Delivered, NOW), None),
        ];
        tx.note_callbacks(&notes).await.expect("noted");
        let pending = tx.pending_subscribers().await.expect("answers");
        assert_eq!(
            pending,
            [("bap.example".into(), later)],
            "the second's own time does not count"
        );
        let due = claim(&mut tx, later, 10).await;
        assert_eq!((names(&due), due[0].attempts), (vec![("a", 1)], 2));
        let dead = note(&due[0], Noted::Finished(Delivery::Dead, later), Some("refused"));
        tx.note_callbacks(&[dead]).await.expect("noted");
        let due = claim(&mut tx, later, 10).await;
        assert_eq!(names(&due), [("a", 2)], "the next goes after a dead one, and at once");
        let counts = tx.callback_counts().await.expect("answers");
        assert_eq!(counts, CallbackCounts { pending: 1, dead: 1 });
    })
    .await;
}

#[tokio::test]
async fn pending_subscribers_are_found_one_by_one_and_each_sees_its_own_callbacks_alone() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        assert_eq!(tx.pending_subscribers().await.expect("answers"), []);
        for (subscriber, key, after_ms) in
            [("c", "1", 5), ("a", "2", 7), ("a", "3", 3), ("b", "4", 1), ("a", "5", 9)]
        {
            let new = NewCallback { subscriber_id: subscriber.into(), ..callback(key, 1) };
            tx.add_callback(new, NOW.plus_ms(after_ms)).await.expect("added");
        }
        let first = |id: &str, ms| (id.to_owned(), NOW.plus_ms(ms));
        let found = tx.pending_subscribers().await.expect("answers");
        assert_eq!(found, [first("a", 3), first("b", 1), first("c", 5)]);
        let turns = tx.callback_turns("a", NOW.plus_ms(8), 10).await.expect("answers");
        let due = tx.claim_callbacks(turns, NOW, NOW.plus_ms(500)).await.expect("answers");
        assert_eq!(names(&due), [("2", 1), ("3", 1)]);
    })
    .await;
}

#[tokio::test]
async fn a_subscriber_is_full_with_more_than_so_many_that_wait() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        for (subscriber, count) in [("a", 2), ("b", 3), ("c", 4)] {
            for sequence in 1..=count {
                let new = NewCallback {
                    subscriber_id: subscriber.into(),
                    ..callback(&format!("{subscriber}{sequence}"), 1)
                };
                tx.add_callback(new, NOW).await.expect("added");
            }
        }
        let turns = tx.callback_turns("c", NOW, 1).await.expect("answers");
        let due = tx.claim_callbacks(turns, NOW, NOW.plus_ms(500)).await.expect("answers");
        let over = note(&due[0], Noted::Finished(Delivery::Dead, NOW), None);
        for (max, full) in [(1, &["a", "b", "c"][..]), (2, &["b", "c"]), (3, &["c"]), (4, &[])] {
            assert_eq!(tx.subscribers_with_more_pending(max).await.expect("answers"), full);
        }
        tx.note_callbacks(&[over]).await.expect("noted");
        let full = tx.subscribers_with_more_pending(3).await.expect("answers");
        assert_eq!(full, [""; 0], "what is over does not count");
    })
    .await;
}

#[tokio::test]
async fn the_one_whose_turn_it_is_is_found_behind_more_that_wait_than_are_looked_at() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        // Put off once, the first is due after all that wait for it.
        tx.add_callback(callback("a", 1), NOW.plus_ms(50)).await.expect("added");
        for sequence in 2..100 {
            tx.add_callback(callback("a", sequence), NOW).await.expect("added");
        }
        tx.add_callback(callback("b", 1), NOW.plus_ms(60)).await.expect("added");
        let at = NOW.plus_ms(100);
        assert_eq!(names(&claim(&mut tx, at, 10).await), [("a", 1)]);
        let mut looks = 0;
        while names(&claim(&mut tx, at, 10).await) != [("b", 1)] {
            looks += 1;
            assert!(looks < 10, "what waits is put off as it is met");
        }
        assert_eq!(claim(&mut tx, at, 10).await, []);
        let next = tx.pending_subscribers().await.expect("answers")[0].1;
        assert!(next > at, "nothing is due, however many wait");
    })
    .await;
}

#[tokio::test]
async fn the_end_of_one_makes_due_the_next_alone_and_never_one_that_was_attempted() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        for sequence in [1, 2, 3] {
            let tried_ms = if sequence == 2 { 100 } else { 1_000_000 };
            let new = NewCallback { expires_at: NOW.plus_ms(tried_ms), ..callback("a", sequence) };
            tx.add_callback(new, NOW).await.expect("added");
        }
        let first = claim(&mut tx, NOW, 1).await;
        assert_eq!(names(&first), [("a", 1)]);
        // One behind expires while the first is under way, and later while it is put off.
        let at = NOW.plus_ms(200);
        assert_eq!(tx.expire_callbacks(at, 10).await.expect("answers").len(), 1);
        assert_eq!(claim(&mut tx, at, 10).await, [], "the first is under way");
        let until = NOW.plus_ms(9_000);
        tx.note_callbacks(&[note(&first[0], Noted::PutOff(until), None)]).await.expect("noted");
        // A note that changes nothing, since the callback is over.
        let mut second = first[0].clone();
        second.sequence = 2;
        let late = note(&second, Noted::Finished(Delivery::Delivered, at), None);
        tx.note_callbacks(&[late]).await.expect("noted");
        assert_eq!(claim(&mut tx, at.plus_ms(400), 10).await, [], "the first is put off");

        // One before it is replayed, and goes while it is under way.
        let first = claim(&mut tx, until, 1).await;
        let dead = note(&first[0], Noted::Finished(Delivery::Dead, until), Some("no"));
        tx.note_callbacks(&[dead]).await.expect("noted");
        let third = claim(&mut tx, until, 1).await;
        assert_eq!(names(&third), [("a", 3)]);
        let replay = Replay::One { order_key: "a".into(), sequence: 1 };
        tx.replay_callbacks(&replay, until, NOW.plus_ms(1_000_000)).await.expect("answers");
        let again = claim(&mut tx, until, 1).await;
        assert_eq!(names(&again), [("a", 1)]);
        let over = note(&third[0], Noted::Finished(Delivery::Delivered, until), None);
        tx.note_callbacks(&[over]).await.expect("noted");
        assert_eq!(claim(&mut tx, until, 10).await, [], "the first is under way again");
    })
    .await;
}

#[tokio::test]
async fn callbacks_whose_time_is_over_are_given_up_in_bounded_steps_unless_under_way() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        for key in ["a", "b", "c", "d"] {
            let new = NewCallback { expires_at: NOW.plus_ms(100), ..callback(key, 1) };
            tx.add_callback(new, NOW).await.expect("added");
        }
        tx.add_callback(callback("a", 2), NOW).await.expect("added");
        let taken = claim(&mut tx, NOW.plus_ms(99), 1).await;
        assert_eq!(taken.len(), 1);
        let at = NOW.plus_ms(100);
        assert_eq!(tx.next_callback_expiry(NOW).await.expect("answers"), Some(at));
        assert_eq!(tx.expire_callbacks(at, 2).await.expect("answers").len(), 2);
        assert_eq!(tx.expire_callbacks(at, 2).await.expect("answers").len(), 1);
        assert_eq!(tx.expire_callbacks(at, 2).await.expect("answers"), []);
        let next = tx.next_callback_expiry(at).await.expect("answers");
        assert_eq!(next, Some(NOW.plus_ms(1_000_000)), "one under way is not asked for again");
        let failed = note(&taken[0], Noted::Finished(Delivery::Dead, at), Some("late"));
        tx.note_callbacks(&[failed]).await.expect("noted");
        assert_eq!(names(&claim(&mut tx, at, 10).await), [("a", 2)], "the next goes after them");
        let kept = tx.callbacks(&CallbackFilter::default(), 10).await.expect("answers");
        let reasons: Vec<_> = kept.iter().filter_map(|row| row.last_error.as_deref()).collect();
        assert_eq!(reasons.iter().filter(|why| **why == "not delivered in its time").count(), 3);
        assert!(reasons.contains(&"late"), "{reasons:?}");
    })
    .await;
}

#[tokio::test]
async fn a_callback_that_was_given_up_is_pending_again_after_a_replay() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        for (subscriber, key) in [("x", "a"), ("x", "b"), ("y", "c")] {
            let new = NewCallback { subscriber_id: subscriber.into(), ..callback(key, 1) };
            tx.add_callback(new, NOW).await.expect("added");
        }
        let (at, until) = (NOW.plus_ms(2_000_000), NOW.plus_ms(9_000_000));
        assert_eq!(tx.expire_callbacks(at, 10).await.expect("answers").len(), 3);
        let one = Replay::One { order_key: "a".into(), sequence: 1 };
        for (replay, count) in [(one, 1), (Replay::To("x".into()), 1), (Replay::All, 1)] {
            let late = tx.count_replayed(&replay, at.plus_ms(-1)).await.expect("answers");
            assert_eq!(late, 0, "given up since");
            assert!(tx.count_replayed(&replay, at).await.expect("answers") >= count);
            assert_eq!(tx.replay_callbacks(&replay, at, until).await.expect("answers"), count);
        }
        let (row, body) = tx.callback("a", 1).await.expect("answers").expect("there");
        assert_eq!(body, [0, 255, b'{']);
        assert_eq!((row.state, row.attempts, row.expires_at), (Delivery::Pending, 0, until));
        assert_eq!((row.finished_at, row.last_error), (None, None));
        assert!(tx.callback("a", 2).await.expect("answers").is_none());
        assert_eq!(tx.callback_turns("x", at, 10).await.expect("answers").len(), 2);
    })
    .await;
}

#[tokio::test]
async fn what_was_delivered_is_pruned_and_what_was_given_up_of_each_action_by_itself() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        for key in ["a", "b", "c", "d"] {
            tx.add_callback(callback(key, 1), NOW).await.expect("added");
        }
        let due = claim(&mut tx, NOW, 3).await;
        let notes = [
            note(&due[0], Noted::Finished(Delivery::Delivered, NOW), None),
            note(&due[1], Noted::Finished(Delivery::Delivered, NOW.plus_ms(1)), None),
            note(&due[2], Noted::Finished(Delivery::Dead, NOW), Some("no")),
        ];
        tx.note_callbacks(&notes).await.expect("noted");
        assert_eq!(tx.prune_delivered(NOW.plus_ms(1)).await.expect("answers"), 1);
        assert_eq!(tx.prune_delivered(NOW.plus_ms(1)).await.expect("answers"), 0);
        let delivered = CallbackFilter { state: Some(Delivery::Delivered), ..Default::default() };
        assert_eq!(tx.callbacks(&delivered, 10).await.expect("answers").len(), 1);
        assert_eq!(tx.callbacks(&CallbackFilter::default(), 10).await.expect("answers").len(), 2);
        assert_eq!(tx.prune_dead("on_search", NOW.plus_ms(1)).await.expect("answers"), 0);
        assert_eq!(tx.prune_dead("on_status", NOW).await.expect("answers"), 0);
        assert_eq!(tx.prune_dead("on_status", NOW.plus_ms(1)).await.expect("answers"), 1);
        assert_eq!(tx.callbacks(&CallbackFilter::default(), 10).await.expect("answers").len(), 1);
    })
    .await;
}

#[tokio::test]
async fn commands_are_numbered_and_open_until_their_device_reports() {
    on_both(|store| async move {
        add_vehicle(&store, "a").await;
        let mut tx = store.write().await.expect("begins");
        let added = NOW.unix_ms.cast_unsigned();
        for expected in 1..=3_u8 {
            let number = tx.next_command_number(&device("a")).await.expect("answers");
            assert_eq!(number, CommandNumber(added + u64::from(expected)));
            let payload = vec![expected];
            tx.add_down_message(&device("a"), number, payload, NOW).await.expect("added");
        }
        let done = CommandOutcome::Applied;
        let second = CommandNumber(added + 2);
        let payload = tx.finish_down_message(&device("a"), second, done).await.expect("answers");
        assert_eq!(payload, Some(vec![2]));
        let again = tx.finish_down_message(&device("a"), second, done).await.expect("answers");
        assert_eq!(again, None, "once");
        let none_yet = CommandNumber::default();
        let open = tx.open_down_messages(&device("a"), none_yet, 10).await.expect("answers");
        assert_eq!(
            open,
            [(CommandNumber(added + 1), vec![1]), (CommandNumber(added + 3), vec![3])]
        );
        let open = tx.open_down_messages(&device("a"), second, 10).await.expect("answers");
        assert_eq!(open, [(CommandNumber(added + 3), vec![3])]);
    })
    .await;
}

#[tokio::test]
async fn what_is_wanted_adds_up_and_only_the_newest_command_for_it_waits() {
    on_both(|store| async move {
        add_vehicle(&store, "a").await;
        let fleet = DeviceSettings { fence_radius_m: Some(80), ..idle_every(9_000) };
        let change = |set| Change { set, ..Change::default() };
        let slow = DeviceSettings { live_on_trip_ms: Some(4_000), ..DeviceSettings::default() };
        let mut tx = store.write().await.expect("begins");
        assert_eq!(tx.device_settings(&device("a")).await.expect("answers"), None);
        let offer = tx.next_command_number(&device("a")).await.expect("answers");
        tx.add_down_message(&device("a"), offer, vec![1], NOW).await.expect("added");

        let first = configure(&mut tx, &device("a"), change(slow), &fleet, NOW).await;
        let first = first.expect("written").expect("a vehicle");
        assert_eq!(first.wanted, slow);
        assert_eq!(first.sent, slow.over(&fleet));
        let change = Change { expires_at: Some(NOW), ..change(idle_every(5_000)) };
        let second = configure(&mut tx, &device("a"), change, &fleet, NOW).await;
        let second = second.expect("written").expect("a vehicle");
        assert_eq!(second.wanted, idle_every(5_000).over(&slow));

        let open = open_commands(&mut tx).await;
        let expected = Command {
            number: second.number,
            expires_at: Some(NOW),
            body: CommandBody::Configure(second.wanted.over(&fleet)),
        };
        assert_eq!(open, [(offer, None), (second.number, Some(expected))], "and the offer waits");
        assert!(second.number > first.number);

        let cleared = Change { clear: true, ..Change::default() };
        let third = configure(&mut tx, &device("a"), cleared, &fleet, NOW).await;
        let third = third.expect("written").expect("a vehicle");
        assert_eq!((third.wanted, third.sent), (DeviceSettings::default(), fleet));
        let none = configure(&mut tx, &device("b"), cleared, &fleet, NOW).await.expect("answers");
        assert_eq!(none, None, "no such vehicle");

        let filter = AuditFilter { kind: Some(AuditKind::Configured), ..AuditFilter::default() };
        let told = tx.audit(&filter, 10).await.expect("answers");
        let mut details: Vec<_> = told.iter().map(|row| row.entry.detail.as_str()).collect();
        details.sort_unstable();
        assert_eq!(details, ["cleared", "live.idle_ms = 5000", "live.on_trip_ms = 4000"]);
        let signals = tx.signals_since(Timestamp::from_unix_ms(0)).await.expect("answers");
        assert_eq!(signals, [(device("a"), NOW.plus_ms(2))], "each of the three is news");
    })
    .await;
}

#[tokio::test]
async fn wanted_and_running_settings_are_kept_beside_each_other_with_what_became_of_the_command() {
    on_both(|store| async move {
        add_vehicle(&store, "a").await;
        let mut tx = store.write().await.expect("begins");
        let running = DeviceSettings {
            trail_parked: Some(Keep::EveryS(600)),
            motion_overspeed_kmh: Some(0),
            ..idle_every(9_000)
        };
        tx.set_running(&device("a"), running, NOW).await.expect("noted");
        let row = tx.device_settings(&device("a")).await.expect("answers").expect("there");
        assert_eq!(row, SettingsRow { wanted: None, running: Some((running, NOW)) });

        let change = Change { set: idle_every(7_000), ..Change::default() };
        let fleet = DeviceSettings::default();
        let sent = configure(&mut tx, &device("a"), change, &fleet, NOW).await;
        let number = sent.expect("written").expect("a vehicle").number;
        let wanted = |row: Option<SettingsRow>| row.and_then(|row| row.wanted).expect("wanted");
        let waits = wanted(tx.device_settings(&device("a")).await.expect("answers"));
        assert_eq!((waits.settings, waits.number, waits.outcome), (change.set, number, None));
        let refused = CommandOutcome::Refused;
        tx.finish_down_message(&device("a"), number, refused).await.expect("noted");
        let row = tx.device_settings(&device("a")).await.expect("answers");
        assert_eq!(row.as_ref().and_then(|row| row.running), Some((running, NOW)));
        assert_eq!(wanted(row).outcome.as_deref(), Some("refused"));
    })
    .await;
}

fn idle_every(idle_ms: u32) -> DeviceSettings {
    DeviceSettings { live_idle_ms: Some(idle_ms), ..DeviceSettings::default() }
}

/// The commands that wait for device `a`, with those that read as one.
async fn open_commands(tx: &mut Tx) -> Vec<(CommandNumber, Option<Command>)> {
    let open = tx.open_down_messages(&device("a"), CommandNumber::default(), 10).await;
    open.expect("answers").into_iter().map(|(number, row)| (number, decode(&row).ok())).collect()
}

#[tokio::test]
async fn cursors_are_kept_per_journal_and_epochs_use_all_their_bits() {
    on_both(|store| async move {
        add_vehicle(&store, "a").await;
        let lane =
            |epoch, stream| LaneKey { device: device("a"), epoch: JournalEpoch(epoch), stream };
        let trail = lane(u64::MAX, Stream::Trail);
        let events = lane(u64::MAX, Stream::Event);
        let all = || BTreeSet::from([events.clone(), trail.clone(), lane(1, Stream::Trail)]);
        let mut tx = store.write().await.expect("begins");
        let begun = Cursor { sequence: Sequence(0), created_at: NOW };
        let locked = tx.lock_cursors(all(), NOW).await.expect("answers");
        assert_eq!(locked, all().into_iter().map(|lane| (lane, begun)).collect());
        tx.move_cursors(&[(trail.clone(), Sequence(60))], NOW.plus_ms(1)).await.expect("moved");
        let locked = tx.lock_cursors(all(), NOW.plus_ms(2)).await.expect("answers");
        let moved = Cursor { sequence: Sequence(60), created_at: NOW };
        assert_eq!((locked[&trail], locked[&events]), (moved, begun));
        let cursors = tx.cursors(&device("a"), Stream::Trail).await.expect("answers");
        assert_eq!(
            cursors,
            [(JournalEpoch(u64::MAX), Sequence(60)), (JournalEpoch(1), Sequence(0))]
        );

        let row = TrailRow {
            through: Sequence(60),
            skip: 0,
            records: 60,
            times: Some((NOW, NOW)),
            payload: vec![7; 99],
        };
        tx.add_trail_batches(&[(trail.clone(), row.clone())], NOW).await.expect("added");
        let kept = tx.trail_batches(&device("a"), trail.epoch).await.expect("answers");
        assert_eq!(kept, [row]);
        let row = |sequence, refused| {
            let row = EventRow {
                sequence: Sequence(sequence),
                at: NOW,
                trip: None,
                refused,
                payload: vec![1],
            };
            (events.clone(), row)
        };
        let rows = [row(1, None), row(2, Some("late".to_owned()))];
        tx.add_events(&rows, NOW).await.expect("added");
        assert_eq!(tx.event_counts(&device("a")).await.expect("answers"), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn journals_begun_since_a_time_are_told_in_order_and_older_ones_are_not() {
    on_both(|store| async move {
        add_vehicle(&store, "a").await;
        add_vehicle(&store, "b").await;
        let mut tx = store.write().await.expect("begins");
        for (name, epoch, stream, ms) in [
            ("a", 9, Stream::Event, 0),
            ("a", 8, Stream::Event, 10),
            ("a", 3, Stream::Trail, 20),
            ("a", 7, Stream::Event, 20),
            ("b", 1, Stream::Event, 30),
            ("a", 9, Stream::Trail, 30),
            ("a", 8, Stream::Trail, 30),
        ] {
            let lane = LaneKey { device: device(name), epoch: JournalEpoch(epoch), stream };
            let at = NOW.plus_ms(ms);
            tx.lock_cursors(BTreeSet::from([lane]), at).await.expect("begun");
        }
        let epochs = tx.epochs_since(&device("a"), NOW).await.expect("answers");
        assert_eq!(epochs, [JournalEpoch(8), JournalEpoch(3), JournalEpoch(7)]);
        let lane = LaneKey { device: device("a"), epoch: JournalEpoch(3), stream: Stream::Trail };
        tx.forget_empty_lane(&lane).await.expect("forgotten");
        let epochs = tx.epochs_since(&device("a"), NOW).await.expect("answers");
        assert_eq!(epochs, [JournalEpoch(8), JournalEpoch(7)]);
        tx.move_cursors(&[(lane.clone(), Sequence(1))], NOW.plus_ms(40)).await.expect("moved");
        tx.forget_empty_lane(&lane).await.expect("answers");
        let kept = tx.cursors(&device("a"), Stream::Trail).await.expect("answers");
        assert!(kept.contains(&(JournalEpoch(3), Sequence(1))), "it is not empty");
    })
    .await;
}

#[tokio::test]
async fn only_certificates_that_ended_are_told() {
    on_both(|store| async move {
        add_vehicle(&store, "a").await;
        let mut tx = store.write().await.expect("begins");
        for n in 0..100_u8 {
            let row = CertificateRow {
                device: device("a"),
                key_hash: vec![n],
                ca_fingerprint: vec![1],
                der: vec![n],
                issued_at: NOW,
                expires_at: NOW.plus_ms(1),
                ended: None,
            };
            tx.add_certificate(row).await.expect("added");
        }
        tx.commit().await.expect("commits");
        let ended = BTreeSet::from([sha256(&[3]), sha256(&[99])]);
        for fingerprint in &ended {
            end_certificate(&store, *fingerprint, "test").await;
        }
        let ended: BTreeMap<_, _> = ended.into_iter().map(|it| (it, "test".to_owned())).collect();
        let mut tx = store.read().await.expect("begins");
        let asked = (0..=100_u8).map(|n| sha256(&[n])).collect();
        assert_eq!(tx.ended_certificates(asked).await.expect("answers"), ended);
    })
    .await;
}

#[tokio::test]
async fn opening_twice_keeps_everything() {
    let dir = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", dir.path().join("test.db").display());
    let store = Store::open(&url).await.expect("opens");
    add_vehicle(&store, "a").await;
    store.close().await;
    let store = Store::open(&url).await.expect("opens again");
    let mut tx = store.read().await.expect("begins");
    assert_eq!(tx.vehicles().await.expect("answers").len(), 1);
}

/// Runs a statement that changes something.
async fn change(store: &Store, sql: &'static str) {
    let mut tx = store.write().await.expect("begins");
    assert_ne!(execute(&mut tx, sql).await.expect("done"), 0);
    tx.commit().await.expect("commits");
}

#[tokio::test]
async fn a_store_with_a_schema_of_another_version_is_not_used_as_it_is_and_not_changed() {
    const FORGET: &str = "DELETE FROM _sqlx_migrations WHERE version > 2";
    const ADD: &str = "INSERT INTO _sqlx_migrations \
         (version, description, success, checksum, execution_time) \
         SELECT 99, description, success, checksum, execution_time \
         FROM _sqlx_migrations WHERE version = 1";
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("test.db");
    let mut urls = vec![format!("sqlite:{}", file.display())];
    urls.extend(both::postgres().await);
    for url in urls {
        let said = |opened: Result<Store, StoreError>| opened.expect_err("refused").to_string();
        said(Store::open_as_is(&url).await);
        assert!(!file.exists() || !url.starts_with("sqlite:"), "nothing is made");
        let store = Store::open(&url).await.expect("opens");
        Store::open_as_is(&url).await.expect("as it is").close().await;
        change(&store, FORGET).await;
        let older = said(Store::open_as_is(&url).await);
        assert!(older.contains("version 2") && older.contains("`tripline-bpp serve`"), "{older}");
        assert_eq!(older, said(Store::open_as_is(&url).await), "nothing was changed");
        change(&store, ADD).await;
        for newer in [Store::open_as_is(&url).await, Store::open(&url).await] {
            let newer = said(newer);
            assert!(newer.contains("version 99") && newer.contains("newer"), "{newer}");
        }
        store.close().await;
    }
}

#[tokio::test]
async fn a_url_of_neither_kind_and_a_file_that_is_no_database_are_refused() {
    let error = Store::open("mysql://x/y").await.expect_err("refused");
    assert!(error.to_string().contains("sqlite:PATH"), "{error}");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("text");
    std::fs::write(&file, "this is not a database, and longer than a page header ".repeat(30))
        .expect("written");
    assert!(Store::open(&format!("sqlite:{}", file.display())).await.is_err());
}

#[tokio::test]
async fn a_signal_is_heard_by_who_asks_from_before_it_and_a_device_has_one() {
    on_both(|store| async move {
        add_vehicle(&store, "a").await;
        add_vehicle(&store, "b").await;
        let mut tx = store.write().await.expect("begins");
        for (name, ms) in [("a", 1), ("b", 2), ("a", 3)] {
            tx.signal_device(&device(name), NOW.plus_ms(ms)).await.expect("given");
        }
        let all = tx.signals_since(NOW).await.expect("answers");
        assert_eq!(all, [(device("b"), NOW.plus_ms(2)), (device("a"), NOW.plus_ms(3))]);
        let later = tx.signals_since(NOW.plus_ms(2)).await.expect("answers");
        assert_eq!(later, [(device("a"), NOW.plus_ms(3))]);
    })
    .await;
}

#[tokio::test]
async fn a_signal_by_a_clock_that_is_behind_is_heard_too() {
    on_both(|store| async move {
        add_vehicle(&store, "a").await;
        let mut tx = store.write().await.expect("begins");
        for ms in [3, 3, -1_000_000] {
            let before = tx.signals_since(NOW).await.expect("answers");
            let before = before.first().map_or(NOW, |(_, at)| *at);
            tx.signal_device(&device("a"), NOW.plus_ms(ms)).await.expect("given");
            assert_eq!(tx.signals_since(before).await.expect("answers").len(), 1, "{ms}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_device_runs_harms_nothing_else_if_it_cannot_be_read() {
    on_both(|store| async move {
        add_vehicle(&store, "a").await;
        let mut tx = store.write().await.expect("begins");
        let change = Change { set: idle_every(7_000), ..Change::default() };
        let fleet = DeviceSettings::default();
        configure(&mut tx, &device("a"), change, &fleet, NOW).await.expect("written");
        let running = DeviceSettings { live_on_trip_ms: Some(1), ..DeviceSettings::default() };
        tx.set_running(&device("a"), running, NOW).await.expect("noted");
        let row = tx.device_settings(&device("a")).await.expect("answers").expect("there");
        assert_eq!(row.wanted.map(|wanted| wanted.settings), Some(change.set));
        assert_eq!(row.running, None);
    })
    .await;
}

/// A certificate of a device, issued so many ms after [`NOW`], which lives for one second.
fn certificate(name: &str, key: u8, issued_ms: i64) -> CertificateRow {
    CertificateRow {
        device: device(name),
        key_hash: [key; 32].to_vec(),
        ca_fingerprint: vec![1],
        der: [name.as_bytes(), &[key], &issued_ms.to_be_bytes()].concat(),
        issued_at: NOW.plus_ms(issued_ms),
        expires_at: NOW.plus_ms(issued_ms + 1_000),
        ended: None,
    }
}

#[tokio::test]
async fn certificates_of_a_key_come_newest_first_and_old_ones_go_but_the_last() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        for name in ["a", "b"] {
            assert!(tx.add_vehicle(vehicle(name), NOW).await.expect("added"));
        }
        for row in [
            certificate("a", 1, 0),
            certificate("a", 1, 10_000),
            certificate("a", 2, 20_000),
            certificate("a", 1, 30_000),
            certificate("b", 1, 0),
        ] {
            tx.add_certificate(row).await.expect("added");
        }
        let of_key = tx.certificates_of_key(&device("a"), &[1; 32], 2).await.expect("answers");
        assert_eq!(of_key, [certificate("a", 1, 30_000), certificate("a", 1, 10_000)]);
        let before = NOW.plus_ms(15_000);
        assert_eq!(tx.prune_certificates(before).await.expect("pruned"), 2);
        assert_eq!(tx.certificates(&device("a")).await.expect("answers").len(), 2);
        let last = tx.certificates(&device("b")).await.expect("answers");
        assert_eq!(last, [certificate("b", 1, 0)], "it tells what became of the device");
    })
    .await;
}

#[tokio::test]
async fn codes_that_nobody_used_go_after_their_time_and_used_ones_stay() {
    on_both(|store| async move {
        add_vehicle(&store, "a").await;
        let mut tx = store.write().await.expect("begins");
        for (hash, expires_ms) in [([1; 32], 1), ([2; 32], 1), ([3; 32], 9)] {
            let expires_at = NOW.plus_ms(expires_ms);
            tx.add_code(&hash, &device("a"), NOW, expires_at).await.expect("added");
        }
        tx.use_code(&[2; 32], &[7; 32], NOW).await.expect("used");
        assert_eq!(tx.prune_codes(NOW.plus_ms(5)).await.expect("pruned"), 1);
        assert_eq!(tx.code(&[1; 32]).await.expect("answers"), None);
        for hash in [[2; 32], [3; 32]] {
            assert!(tx.code(&hash).await.expect("answers").is_some());
        }
    })
    .await;
}

#[tokio::test]
async fn errors_are_told_apart_by_what_they_are_due_to() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        let error = execute(&mut tx, "INSERT INTO no_such_table VALUES (1)").await;
        let error = StoreError::from(error.expect_err("fails"));
        assert!(!error.is_of_the_store() && !error.is_deadlock(), "{error}");
        drop(tx);
        let cases: &[(&str, bool, bool)] = if store.has_one_backend() {
            // A file that may not grow is full.
            &[
                ("PRAGMA max_page_count = 1", false, false),
                ("CREATE TABLE big AS SELECT randomblob(9000000) AS x", true, false),
            ]
        } else {
            &[
                ("DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END$$", true, false),
                ("DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '57P03'; END$$", true, false),
                ("DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END$$", false, true),
                ("DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END$$", false, true),
                ("DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '23505'; END$$", false, false),
            ]
        };
        for (sql, of_the_store, deadlock) in cases.iter().copied() {
            let mut tx = store.write().await.expect("begins");
            let Err(error) = execute(&mut tx, sql).await else {
                assert!(!of_the_store && !deadlock, "{sql} must fail");
                continue;
            };
            let error = StoreError::from(error);
            let told = (error.is_of_the_store(), error.is_deadlock());
            assert_eq!(told, (of_the_store, deadlock), "{sql}: {error}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_hangs_in_postgresql_is_an_error_in_the_end() {
    // Longer than a lock is waited for.
    const PATIENCE: Duration = Duration::from_mins(1);
    let Some(url) = postgres().await else { return };
    let store = Store::open(&url).await.expect("opens");
    add_vehicle(&store, "d1").await;
    let mut holding = store.write().await.expect("begins");
    assert!(holding.lock_vehicle(&device("d1")).await.expect("locked"));
    let mut waiting = store.write().await.expect("begins");
    let locked = tokio::time::timeout(PATIENCE, waiting.lock_vehicle(&device("d1"))).await;
    let error = locked.expect("not for ever").expect_err("it is held");
    assert!(!error.is_deadlock(), "nobody is to try again at once: {error}");
    for (sql, expected) in [
        ("SHOW statement_timeout", "20s"),
        ("SHOW lock_timeout", "5s"),
        ("SHOW idle_in_transaction_session_timeout", "30s"),
    ] {
        let Tx::Postgres(mut tx) = store.read().await.expect("begins") else { panic!("{url}") };
        let found: String = sqlx::query_scalar(sql).fetch_one(&mut *tx).await.expect("shown");
        assert_eq!(found, expected, "{sql}");
    }
}

#[tokio::test]
async fn presence_is_the_last_word_and_ends_for_all_at_once_and_the_version_stays() {
    on_both(|store| async move {
        let row = |name: &str, connected, ms, agent_version: &str| PresenceRow {
            device: device(name),
            connected,
            since: NOW.plus_ms(ms),
            peer: "192.0.2.7:40000".into(),
            agent_version: agent_version.into(),
        };
        add_vehicle(&store, "a").await;
        add_vehicle(&store, "b").await;
        let mut tx = store.write().await.expect("begins");
        assert_eq!(tx.presence(&device("a")).await.expect("answers"), None);
        for set in [row("a", true, 0, "0.1.0"), row("a", true, 1, ""), row("b", false, 1, "")] {
            tx.set_presence(set).await.expect("set");
        }
        let found = tx.presence(&device("a")).await.expect("answers");
        assert_eq!(found, Some(row("a", true, 1, "0.1.0")));
        tx.end_all_presence(NOW.plus_ms(9)).await.expect("ended");
        let ended = tx.presence(&device("a")).await.expect("answers");
        assert_eq!(ended, Some(row("a", false, 9, "0.1.0")));
        let other = tx.presence(&device("b")).await.expect("answers");
        assert_eq!(other, Some(row("b", false, 1, "")), "it was not connected");
    })
    .await;
}
