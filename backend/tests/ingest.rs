//! What devices report, on both databases: each lane in order, each record once, whatever comes together
//! in a group and whoever else commits beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, TestRunner};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tripline_backend::audit::{Audit, AuditKind, Entry};
use tripline_backend::config::Config;
use tripline_backend::device::ingest::{self, BATCHES_WAITING_MAX, Submitted};
use tripline_backend::domain::order::{Order, Vehicle};
use tripline_backend::identity::authority::{Fingerprint, sha256};
use tripline_backend::service::{Applied, EPOCHS_NEW_MAX, Lane, Platform, Submission};
use tripline_backend::store::Store;
use tripline_backend::store::certificate::{CertificateRow, REVOKED, SUPERSEDED};
use tripline_backend::store::lane::LaneKey;
use tripline_backend::store::set_aside::SET_ASIDE_MAX;
use tripline_protocol::duty::TypedPin;
use tripline_protocol::id::{AssignmentId, DeviceId, JournalEpoch, Sequence, TripId};
use tripline_protocol::link::down::CommitAck;
use tripline_protocol::link::envelope::{decode, encode};
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::link::trail::{GapReason, TrailBatch, TrailEntry};
use tripline_protocol::link::up::{Answer, Event, EventBatch, EventBody, Stream};
use tripline_protocol::meter::Reading;
use tripline_protocol::otp::TypedOtp;
use tripline_protocol::signing::SecretKey;
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::Timestamp;

mod both;
mod quoted;

use both::{both, end_certificate, execute, on_both, postgres};

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

fn device(n: usize) -> DeviceId {
    format!("d{n:04}").parse().expect("valid")
}

/// What identifies the certificate of a device.
fn certificate(n: usize) -> Fingerprint {
    sha256(&n.to_be_bytes())
}

/// A platform with vehicles and their certificates, and where its audit entries come out.
async fn platform(store: Store, vehicles: usize) -> (Arc<Platform>, mpsc::Receiver<Entry>) {
    let mut tx = store.write().await.expect("begins");
    for n in 0..vehicles {
        let vehicle = Vehicle {
            device: device(n),
            registration: format!("KA {n}"),
            category: "AUTO".into(),
            make: None,
            model: None,
            color: None,
            driver: None,
            driver_name: "Raghav".into(),
            driver_phone: "+91-98".into(),
            driver_rating_centistars: None,
        };
        assert!(tx.add_vehicle(vehicle, NOW).await.expect("added"));
        let row = CertificateRow {
            device: device(n),
            key_hash: vec![1],
            ca_fingerprint: vec![2],
            der: n.to_be_bytes().to_vec(),
            issued_at: NOW,
            expires_at: NOW.plus_ms(1_000_000),
            ended: None,
        };
        tx.add_certificate(row).await.expect("added");
    }
    tx.commit().await.expect("commits");
    over(store)
}

/// A platform over a store with whatever is in it.
fn over(store: Store) -> (Arc<Platform>, mpsc::Receiver<Entry>) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpp.sample.toml");
    let settings = Config::load(&sample).expect("the sample is valid").settings();
    let (audit, entries) = Audit::new();
    let key = SecretKey::from_seed(&[1; 32]);
    (Arc::new(Platform::new(store, settings, key, audit)), entries)
}

fn event(body: EventBody) -> Event {
    Event { at: NOW, gnss_time: true, reading: Reading::default(), fix: None, body }
}

/// The first batch of a device's events, with one event.
fn first_event(n: usize, body: EventBody) -> Submission {
    let batch =
        EventBatch { epoch: JournalEpoch(1), after: Sequence::ZERO, records: vec![event(body)] };
    let payload = encode(&batch);
    Submission { device: device(n), certificate: certificate(n), lane: Lane::Event(batch, payload) }
}

/// A batch of `records` records of a device's stream that follows `after`.
fn batch(n: usize, epoch: u64, stream: Stream, after: u64, records: u64) -> Submission {
    let (epoch, after) = (JournalEpoch(epoch), Sequence(after));
    let lane = match stream {
        Stream::Event => {
            let event = event(EventBody::Lost);
            let records = (0..records).map(|_| event.clone()).collect();
            let batch = EventBatch { epoch, after, records };
            let payload = encode(&batch);
            Lane::Event(batch, payload)
        }
        Stream::Trail => {
            let gap = TrailEntry::Gap { fixes: 1, reason: GapReason::Damaged };
            let entries = (0..records).map(|_| gap).collect();
            let batch = TrailBatch { epoch, after, entries };
            let payload = encode(&batch);
            Lane::Trail(batch, payload)
        }
    };
    Submission { device: device(n), certificate: certificate(n), lane }
}

fn trail(n: usize, after: u64, records: u64) -> Submission {
    batch(n, 1, Stream::Trail, after, records)
}

fn committed(epoch: u64, stream: Stream, through: u64) -> Applied {
    let (epoch, through) = (JournalEpoch(epoch), Sequence(through));
    Applied::Committed(CommitAck { epoch, stream, through })
}

/// Whether what is kept of a lane is each record up to its cursor, once; gives the cursor.
async fn kept(store: &Store, n: usize, epoch: u64, stream: Stream) -> u64 {
    let epoch = JournalEpoch(epoch);
    let mut tx = store.read().await.expect("begins");
    let cursors = tx.cursors(&device(n), stream).await.expect("answers");
    let cursor = cursors.into_iter().find(|(known, _)| *known == epoch);
    let cursor = cursor.map_or(Sequence::ZERO, |(_, cursor)| cursor);
    let mut reached = Sequence::ZERO;
    match stream {
        Stream::Event => {
            for row in tx.events(&device(n), epoch).await.expect("answers") {
                assert_eq!(row.sequence, reached.next(), "events of {n} {epoch}");
                reached = row.sequence;
            }
        }
        Stream::Trail => {
            for row in tx.trail_batches(&device(n), epoch).await.expect("answers") {
                assert_eq!(
                    reached.plus(row.records - row.skip),
                    row.through,
                    "trail of {n} {epoch}"
                );
                reached = row.through;
            }
        }
    }
    assert_eq!(reached, cursor, "rows and cursor of {n} {epoch} {stream}");
    cursor.0
}

#[tokio::test]
async fn a_group_of_many_devices_commits_every_lane() {
    on_both(|store| async move {
        const DEVICES: usize = 150;
        let (platform, _entries) = platform(store, DEVICES).await;
        for round in 0..3 {
            let group: Vec<_> = (0..DEVICES)
                .rev()
                .flat_map(|n| {
                    [Stream::Trail, Stream::Event].map(|stream| batch(n, 1, stream, round * 5, 5))
                })
                .collect();
            let applied = platform.ingest(&group).await.expect("committed");
            let both = [Stream::Trail, Stream::Event].map(|it| committed(1, it, round * 5 + 5));
            assert!(applied.chunks(2).all(|two| two == both), "{applied:?}");
            assert_eq!(applied.len(), group.len());
        }
        for n in 0..DEVICES {
            assert_eq!(kept(&platform.store, n, 1, Stream::Trail).await, 15);
            assert_eq!(kept(&platform.store, n, 1, Stream::Event).await, 15);
        }
        assert_eq!(platform.metrics.groups_committed.get(), 3);
    })
    .await;
}

#[tokio::test]
async fn batches_of_one_lane_in_a_group_follow_each_other() {
    on_both(|store| async move {
        let (platform, _entries) = platform(store, 1).await;
        for stream in [Stream::Trail, Stream::Event] {
            let batch = |(after, records)| batch(0, 7, stream, after, records);
            let through = |through| committed(7, stream, through);
            let group = [(0, 5), (5, 5), (20, 5), (0, 5), (8, 5), (13, 0), (13, 1)].map(batch);
            let applied = platform.ingest(&group).await.expect("committed");
            let expected = [
                through(5),
                through(10),
                Applied::Early,
                through(10),
                through(13),
                through(13),
                through(14),
            ];
            assert_eq!(applied, expected, "a hole, a replay, an overlap, an empty one");
            let group = [(14, 6), (20, 5), (0, 25)].map(batch);
            let applied = platform.ingest(&group).await.expect("committed");
            assert_eq!(applied, [through(20), through(25), through(25)], "the next group");
            assert_eq!(kept(&platform.store, 0, 7, stream).await, 25);
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_revoked_device_had_on_the_way_is_kept_aside_and_has_no_effect() {
    on_both(|store| async move {
        let (platform, mut entries) = platform(store, 3).await;
        end_certificate(&platform.store, certificate(1), SUPERSEDED).await;
        let late = batch(1, 1, Stream::Event, 0, 2);
        let payload = match &late.lane {
            Lane::Event(_, payload) | Lane::Trail(_, payload) => payload.clone(),
        };
        let group = [trail(0, 0, 5), trail(1, 0, 5), late, trail(2, 0, 5)];
        let applied = platform.ingest(&group).await.expect("committed");
        let through = committed(1, Stream::Trail, 5);
        assert_eq!(applied, [through, Applied::SetAside, Applied::SetAside, through]);
        assert_eq!(kept(&platform.store, 1, 1, Stream::Trail).await, 0);
        assert_eq!(kept(&platform.store, 1, 1, Stream::Event).await, 0);
        let mut tx = platform.store.read().await.expect("begins");
        let aside = tx.set_aside(&device(1)).await.expect("answers");
        assert_eq!(aside.len(), 2);
        let event = aside.iter().find(|row| row.lane == Stream::Event).expect("kept");
        assert_eq!(event.payload, payload, "as it came");
        let entry = entries.try_recv().expect("told");
        assert_eq!((entry.kind, entry.device), (AuditKind::SetAside, Some(device(1))));
        assert_eq!(entry.detail, "its device enrolled with another key");
        assert_eq!(event.reason, entry.detail);
        assert_eq!(platform.metrics.batches_set_aside.get(), 2);
    })
    .await;
}

#[tokio::test]
async fn what_was_typed_is_not_in_what_is_kept_aside() {
    on_both(|store| async move {
        let (platform, _entries) = platform(store, 1).await;
        end_certificate(&platform.store, certificate(0), REVOKED).await;
        let trip = TripId::from_bytes([1; 16]);
        let start = |otp: &str| EventBody::Trip {
            trip,
            step: TripStep::Start { otp: Some(TypedOtp(otp.into())) },
        };
        let signed_in = |pin: &str| EventBody::SignedIn {
            driver: "raghav".parse().expect("valid"),
            pin: TypedPin(pin.into()),
        };
        let batch = |bodies: [EventBody; 3]| EventBatch {
            epoch: JournalEpoch(1),
            after: Sequence::ZERO,
            records: bodies.map(event).to_vec(),
        };
        let came = batch([signed_in("975310"), EventBody::Lost, start("864209")]);
        let payload = encode(&came);
        let lane = Lane::Event(came, payload);
        let late = Submission { device: device(0), certificate: certificate(0), lane };
        assert_eq!(platform.ingest(&[late]).await.expect("committed"), [Applied::SetAside]);
        let mut tx = platform.store.read().await.expect("begins");
        let aside = tx.set_aside(&device(0)).await.expect("answers");
        let kept: EventBatch = decode(&aside[0].payload).expect("it reads");
        assert_eq!(kept, batch([signed_in(""), EventBody::Lost, start("")]));
    })
    .await;
}

#[tokio::test]
async fn a_revoked_device_cannot_fill_the_disk() {
    on_both(|store| async move {
        let (platform, _entries) = platform(store, 1).await;
        end_certificate(&platform.store, certificate(0), REVOKED).await;
        let most = usize::try_from(SET_ASIDE_MAX).expect("small");
        let group = vec![trail(0, 0, 1); most + 5];
        for part in group.chunks(400) {
            let applied = platform.ingest(part).await.expect("committed");
            assert!(applied.iter().all(|applied| *applied == Applied::SetAside));
        }
        let mut tx = platform.store.read().await.expect("begins");
        assert_eq!(tx.set_aside(&device(0)).await.expect("answers").len(), most);
        assert_eq!(platform.metrics.batches_set_aside_dropped.get(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_device_that_makes_up_journals_is_held_back_and_nobody_else_is() {
    on_both(|store| async move {
        let (platform, mut entries) = platform(store, 2).await;
        let most = u64::try_from(EPOCHS_NEW_MAX).expect("small");
        let made_up: Vec<_> =
            (1..=most).map(|epoch| batch(0, epoch, Stream::Event, 0, 1)).collect();
        for group in made_up.chunks(ingest::GROUP_MAX) {
            let applied = platform.ingest(group).await.expect("committed");
            assert!(applied.iter().all(|one| matches!(one, Applied::Committed(_))));
        }
        let one_more = batch(0, most + 1, Stream::Event, 0, 1);
        let group = [
            one_more.clone(),
            batch(0, 1, Stream::Event, 1, 1),
            batch(0, 2, Stream::Trail, 0, 1),
            batch(1, most + 1, Stream::Event, 0, 1),
            one_more,
        ];
        let applied = platform.ingest(&group).await.expect("committed");
        let expected = [
            Applied::HeldBack,
            committed(1, Stream::Event, 2),
            committed(2, Stream::Trail, 1),
            committed(most + 1, Stream::Event, 1),
            Applied::HeldBack,
        ];
        assert_eq!(applied, expected, "what it has begun goes on, and so do others");
        let mut tx = platform.store.read().await.expect("begins");
        let begun = tx.cursors(&device(0), Stream::Event).await.expect("answers").len();
        assert_eq!(begun, EPOCHS_NEW_MAX, "nothing is written of the one held back");
        assert_eq!(entries.try_recv().expect("told").kind, AuditKind::PublishRefused);
        assert_eq!(platform.metrics.batches_held_back.get(), 2);
    })
    .await;
}

#[tokio::test]
async fn settings_out_of_range_that_a_device_says_it_runs_are_refused_and_named() {
    on_both(|store| async move {
        let (platform, _entries) = platform(store, 1).await;
        let settings = DeviceSettings { live_on_trip_ms: Some(1), ..DeviceSettings::default() };
        let batch = first_event(0, EventBody::Running { settings });
        let applied = platform.ingest(&[batch]).await.expect("committed");
        assert_eq!(applied, [committed(1, Stream::Event, 1)]);
        let mut tx = platform.store.read().await.expect("begins");
        assert_eq!(tx.device_settings(&device(0)).await.expect("answers"), None);
        let events = tx.events(&device(0), JournalEpoch(1)).await.expect("answers");
        let refused = events[0].refused.as_deref().expect("refused");
        assert_eq!(refused, "live.on_trip_ms is 1; it must be between 500 and 60000");
    })
    .await;
}

/// How long something may take that waits for nobody.
const WAIT: Duration = Duration::from_secs(20);

fn order(n: u8) -> Order {
    quoted::order(n, NOW)
}

#[tokio::test]
async fn a_device_locks_no_order_of_another() {
    // SQLite has one writer.
    let Some(url) = postgres().await else { return };
    let (platform, _entries) = platform(Store::open(&url).await.expect("opens"), 1).await;
    let (order, assignment) = (order(1), AssignmentId::from_bytes([2; 16]));
    let mut tx = platform.store.write().await.expect("begins");
    tx.add_order(&order).await.expect("added");
    tx.add_assignment(assignment, TripId::from_bytes([2; 16]), order.id).await.expect("added");
    tx.commit().await.expect("commits");

    let mut other = platform.store.write().await.expect("begins");
    other.order(order.id).await.expect("answers").expect("locked");
    let body = EventBody::Answered { assignment, answer: Answer::Accept };
    let batch = [first_event(0, body)];
    let applied = tokio::time::timeout(WAIT, platform.ingest(&batch)).await;
    let applied = applied.expect("it waits for no lock").expect("committed");
    assert_eq!(applied, [committed(1, Stream::Event, 1)]);
}

/// Comes back when somebody waits for a lock in this database.
async fn somebody_waits(store: &Store) {
    const SQL: &str = "DO $$BEGIN IF NOT EXISTS (SELECT 1 FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock') \
         THEN RAISE EXCEPTION 'nobody waits'; END IF; END$$";
    loop {
        let mut tx = store.read().await.expect("begins");
        if execute(&mut tx, SQL).await.is_ok() {
            return;
        }
        drop(tx);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_group_that_meets_a_deadlock_is_committed_all_the_same() {
    // SQLite has one writer.
    let Some(url) = postgres().await else { return };
    let (platform, _entries) = platform(Store::open(&url).await.expect("opens"), 2).await;
    let lane = |n| LaneKey { device: device(n), epoch: JournalEpoch(1), stream: Stream::Trail };
    let group = [trail(0, 0, 1), trail(1, 0, 1)];
    platform.ingest(&group).await.expect("committed");

    // Somebody has the second lane and wants the first; the group waits longer, and is the one ended.
    let mut other = platform.store.write().await.expect("begins");
    other.lock_cursors(BTreeSet::from([lane(1)]), NOW).await.expect("locked");
    let ingest = tokio::spawn({
        let platform = Arc::clone(&platform);
        async move { platform.ingest(&[trail(0, 1, 1), trail(1, 1, 1)]).await }
    });
    tokio::time::timeout(WAIT, somebody_waits(&platform.store)).await.expect("the group does");
    other.lock_cursors(BTreeSet::from([lane(0)]), NOW).await.expect("the group gave way");
    other.commit().await.expect("commits");
    let applied = ingest.await.expect("ends").expect("committed");
    assert_eq!(applied, [committed(1, Stream::Trail, 2); 2]);
}

/// Hands a batch to an ingest task and waits for what becomes of it.
async fn submit(ingest: &mpsc::Sender<Submitted>, submission: Submission) -> Option<Applied> {
    let (applied, outcome) = oneshot::channel();
    ingest.send(Submitted { submission, applied }).await.expect("it runs");
    outcome.await.ok()
}

#[tokio::test]
async fn a_batch_the_database_chokes_on_harms_no_other() {
    on_both(|store| async move {
        const DEVICES: usize = 40;
        let (platform, _entries) = platform(store, DEVICES).await;
        let (ingest, submitted) = mpsc::channel(BATCHES_WAITING_MAX);
        let mut outcomes = Vec::new();
        for n in 0..DEVICES + 3 {
            // The last three have no vehicle, which no certificate of ours lets in.
            let n = (n * 7) % (DEVICES + 3);
            let (applied, outcome) = oneshot::channel();
            let submission = trail(n, 0, 5);
            ingest.send(Submitted { submission, applied }).await.expect("room");
            outcomes.push((n, outcome));
        }
        // All wait before it begins, so that they are one group.
        let task = tokio::spawn(ingest::run(Arc::clone(&platform), submitted));
        for (n, outcome) in outcomes {
            let expected = (n < DEVICES).then(|| committed(1, Stream::Trail, 5));
            assert_eq!(outcome.await.ok(), expected, "device {n}");
        }
        drop(ingest);
        task.await.expect("it ends with its senders");
        for n in 0..DEVICES {
            assert_eq!(kept(&platform.store, n, 1, Stream::Trail).await, 5);
        }
    })
    .await;
}

#[tokio::test]
async fn a_store_that_is_gone_commits_nothing_and_says_so() {
    on_both(|store| async move {
        let (platform, _entries) = platform(store, 2).await;
        platform.store.close().await;
        let (ingest, submitted) = mpsc::channel(BATCHES_WAITING_MAX);
        let task = tokio::spawn(ingest::run(Arc::clone(&platform), submitted));
        assert_eq!(submit(&ingest, trail(0, 0, 5)).await, None);
        assert_eq!(submit(&ingest, trail(1, 0, 5)).await, None);
        drop(ingest);
        task.await.expect("it goes on until its senders are gone");
    })
    .await;
}

/// Sends every batch of a device's lane to one of two ingest tasks or both, some of them twice.
async fn send_all(ingests: [mpsc::Sender<Submitted>; 2], n: usize, batches: u64) {
    for round in 0..batches {
        let through = Sequence(round * 5 + 5);
        let one = batch(
            n,
            1,
            if n.is_multiple_of(2) { Stream::Trail } else { Stream::Event },
            round * 5,
            5,
        );
        let (first, second) =
            tokio::join!(submit(&ingests[0], one.clone()), submit(&ingests[1], one));
        for applied in [first, second] {
            let reached =
                matches!(applied, Some(Applied::Committed(ack)) if ack.through == through);
            assert!(reached, "device {n}, {through}: {applied:?}");
        }
    }
}

#[tokio::test]
async fn two_platforms_on_the_same_devices_lose_nothing_and_double_nothing() {
    const DEVICES: usize = 60;
    const BATCHES: u64 = 12;
    let Some(url) = postgres().await else { return };
    let (one, _entries) = platform(Store::open(&url).await.expect("opens"), DEVICES).await;
    let (other, _entries) = over(Store::open(&url).await.expect("opens"));
    let mut tasks = JoinSet::new();
    let ingests = [&one, &other].map(|platform| {
        let (ingest, submitted) = mpsc::channel(BATCHES_WAITING_MAX);
        tasks.spawn(ingest::run(Arc::clone(platform), submitted));
        ingest
    });
    let mut devices = JoinSet::new();
    for n in 0..DEVICES {
        devices.spawn(send_all(ingests.clone(), n, BATCHES));
    }
    drop(ingests);
    while let Some(done) = devices.join_next().await {
        done.expect("every batch was committed");
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("it ends with its senders");
    }
    for n in 0..DEVICES {
        for stream in [Stream::Trail, Stream::Event] {
            let mine = n.is_multiple_of(2) == (stream == Stream::Trail);
            let through = if mine { BATCHES * 5 } else { 0 };
            assert_eq!(kept(&one.store, n, 1, stream).await, through);
        }
    }
}

/// A batch as the model sees it: which lane of which device, what it follows, how many records.
type Sent = (usize, bool, bool, u64, u64);

/// What the cursors must do, whatever the groups.
#[derive(Default)]
struct Model(BTreeMap<(usize, bool, bool), u64>);

impl Model {
    fn apply(&mut self, (n, epoch, stream, after, records): Sent) -> Option<u64> {
        let cursor = self.0.entry((n, epoch, stream)).or_default();
        if after > *cursor {
            return None;
        }
        *cursor = (*cursor).max(after + records);
        Some(*cursor)
    }
}

const fn stream_of(trail: bool) -> Stream {
    if trail { Stream::Trail } else { Stream::Event }
}

/// Commits the groups, journals numbered from `first`, and compares with the model.
async fn check(platform: &Platform, groups: Vec<Vec<Sent>>, first: u64) {
    let mut model = Model::default();
    let epoch_of = |second: bool| first + u64::from(second);
    let mut lanes = BTreeSet::new();
    for group in groups {
        let batches: Vec<_> = group
            .iter()
            .map(|&(n, epoch, trail, after, records)| {
                batch(n, epoch_of(epoch), stream_of(trail), after, records)
            })
            .collect();
        let applied = platform.ingest(&batches).await.expect("committed");
        for (sent, applied) in group.into_iter().zip(applied) {
            let (n, epoch, trail, ..) = sent;
            let expected = model.apply(sent).map_or(Applied::Early, |through| {
                committed(epoch_of(epoch), stream_of(trail), through)
            });
            assert_eq!(applied, expected, "{sent:?}");
            lanes.insert((n, epoch, trail));
        }
    }
    for (n, epoch, trail) in lanes {
        let cursor = kept(&platform.store, n, epoch_of(epoch), stream_of(trail)).await;
        assert_eq!(cursor, model.0[&(n, epoch, trail)]);
    }
}

#[test]
fn any_batches_in_any_groups_move_the_cursors_as_the_model_says() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (_dir, stores) = runtime.block_on(both());
    for store in stores {
        let (platform, _entries) = runtime.block_on(platform(store, 3));
        let first = std::cell::Cell::new(1);
        let sent = (0..3_usize, any::<bool>(), any::<bool>(), 0..12_u64, 0..6_u64);
        let groups = prop::collection::vec(prop::collection::vec(sent, 1..24), 1..5);
        let runs = Runs { cases: 48, failure_persistence: None, ..Runs::default() };
        let checked = TestRunner::new(runs).run(&groups, |groups| {
            // Journals of its own for every run.
            let epoch = first.replace(first.get() + 2);
            runtime.block_on(check(&platform, groups, epoch));
            Ok(())
        });
        checked.expect("as the model says");
    }
}
