//! The trail in the store, on both databases: read between two times, as it came and folded.

use tripline_backend::domain::order::Vehicle;
use tripline_backend::domain::passage::{Passage, joined, times};
use tripline_backend::service::fold::{AS_IT_CAME_MS, fold};
use tripline_backend::store::lane::{LaneKey, TrailRow};
use tripline_backend::store::retention::Aged;
use tripline_backend::store::{Store, Tx};
use tripline_protocol::fix::{FixType, Refusal};
use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::envelope::encode;
use tripline_protocol::link::trail::{GapReason, TrailBatch, TrailEntry, TrailFix};
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::{Position, Timestamp};

#[expect(dead_code, reason = "the tests of the store need more of it")]
mod both;

use both::on_both;

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

/// When the second of the two journals began, in seconds.
const SECOND: i64 = 100_000;

fn at(s: i64) -> Timestamp {
    NOW.plus_ms(s * 1_000)
}

fn device() -> DeviceId {
    "auto-1".parse().expect("valid")
}

fn fix(s: i64, refused: Option<Refusal>) -> TrailEntry {
    let e7 = i32::try_from(s % 10_000).expect("small") * 90;
    TrailEntry::Fix(TrailFix {
        at: at(s),
        position: Position::new(129_000_000 + e7, 776_000_000).expect("on the globe"),
        speed_cmps: Some(1_000),
        course_ddeg: Some(0),
        altitude_mm: None,
        fix_type: FixType::ThreeD,
        refused,
    })
}

/// The batches of two journals, five fixes each, with whatever may be in them: a declared gap alone, fixes of
/// another time, a batch that came again in part.
fn batches() -> Vec<(TrailBatch, u64)> {
    let mut batches = Vec::new();
    for (epoch, begun) in [(1, 0), (2, SECOND)] {
        let mut after = Sequence(0);
        for n in 0..2_000 {
            let second = begun + n * 5;
            let entries = match n {
                700 => vec![TrailEntry::Gap { fixes: 5, reason: GapReason::Damaged }],
                900 => (0..5).map(|i| fix(i - 900_000, Some(Refusal::TimeJump))).collect(),
                _ => (0..5).map(|i| fix(second + i, None)).collect(),
            };
            let batch = TrailBatch { epoch: JournalEpoch(epoch), after, entries };
            after = batch.last();
            batches.push((batch, 0));
        }
        // Its first two were committed with the one before it.
        let entries = (-2..3).map(|i| fix(begun + 10_000 + i, None)).collect();
        let after = Sequence(after.0 - 2);
        batches.push((TrailBatch { epoch: JournalEpoch(epoch), after, entries }, 2));
    }
    batches
}

async fn keep(store: &Store, batches: &[(TrailBatch, u64)]) {
    let vehicle = Vehicle {
        device: device(),
        registration: "KA 1".into(),
        category: "AUTO".into(),
        make: None,
        model: None,
        color: None,
        driver: None,
        driver_name: "Asha".into(),
        driver_phone: "1".into(),
        driver_rating_centistars: None,
    };
    let row = |(batch, skip): &(TrailBatch, u64)| {
        let lane = LaneKey { device: device(), epoch: batch.epoch, stream: Stream::Trail };
        // Some of them are of a time before times were kept.
        let times = times(&batch.entries).filter(|_| batch.after.0 % 35 != 0);
        let row = TrailRow {
            through: batch.last(),
            skip: *skip,
            records: batch.last().since(batch.after) - skip,
            times,
            payload: encode(batch),
        };
        (lane, row)
    };
    let mut tx = store.write().await.expect("begins");
    assert!(tx.add_vehicle(vehicle, NOW).await.expect("added"));
    let rows: Vec<_> = batches.iter().map(row).collect();
    tx.add_trail_batches(&rows, NOW).await.expect("kept");
    tx.commit().await.expect("commits");
}

async fn read(store: &Store, from: i64, until: i64) -> Vec<Passage> {
    let mut tx = store.read().await.expect("begins");
    tx.trail_between(&device(), at(from), at(until)).await.expect("read")
}

/// The seconds of its fixes, gaps as `None`, those between two times alone.
fn told(passages: &[Passage], from: i64, until: i64) -> Vec<Option<i64>> {
    let second = |entry: &TrailEntry| entry.fix().map(|fix| fix.at.since_ms(NOW) / 1_000);
    let entries = passages.iter().flat_map(|passage| &passage.entries).map(second);
    entries.filter(|s| s.is_none_or(|s| (from..=until).contains(&s))).collect()
}

#[tokio::test]
async fn a_trail_is_read_between_two_times_and_no_more_of_it_than_a_batch_around() {
    on_both(|store| async move {
        keep(&store, &batches()).await;
        let ride = read(&store, 1_003, 1_061).await;
        assert_eq!(ride.len(), 1);
        assert_eq!(told(&ride, 1_003, 1_061), (1_003..=1_061).map(Some).collect::<Vec<_>>());
        assert!(ride[0].entries.len() < 100, "{}", ride[0].entries.len());
        assert_eq!(read(&store, 20_000, 20_100).await, []);
        let both = read(&store, 9_000, SECOND + 1_000).await;
        let epochs: Vec<_> = both.iter().map(|passage| passage.epoch.0).collect();
        assert_eq!(epochs, [1, 2]);
        // What lies between two batches comes with them, though it tells no time.
        let gap = read(&store, 3_490, 3_510).await;
        assert!(told(&gap, 3_490, 3_510).contains(&None));
    })
    .await;
}

#[tokio::test]
async fn what_is_folded_reads_as_it_did_before() {
    on_both(|store| async move {
        let batches = batches();
        keep(&store, &batches).await;
        let everything =
            joined(batches.iter().map(|(batch, skip)| Passage::of(batch.clone(), *skip)));
        assert_eq!(read(&store, 0, 2 * SECOND).await, everything);
        let early = fold(&store, NOW.plus_ms(AS_IT_CAME_MS)).await.expect("looks");
        assert_eq!(early, 0, "it is a day as it came");
        let folded = fold(&store, NOW.plus_ms(AS_IT_CAME_MS + 1)).await.expect("folds");
        assert_eq!(folded, batches.len());
        assert_eq!(read(&store, 0, 2 * SECOND).await, everything);
        let ride = read(&store, 1_003, 1_061).await;
        assert_eq!(told(&ride, 1_003, 1_061), (1_003..=1_061).map(Some).collect::<Vec<_>>());
        assert!(ride[0].entries.len() < 1_100, "{}", ride[0].entries.len());
        // More comes of the same journal.
        let last = everything[1].last();
        let entries = (0..5).map(|i| fix(SECOND + 10_003 + i, None)).collect();
        let more = TrailBatch { epoch: JournalEpoch(2), after: last, entries };
        let mut tx = store.write().await.expect("begins");
        let lane = LaneKey { device: device(), epoch: JournalEpoch(2), stream: Stream::Trail };
        let row = TrailRow {
            through: more.last(),
            skip: 0,
            records: 5,
            times: times(&more.entries),
            payload: encode(&more),
        };
        tx.add_trail_batches(&[(lane, row)], NOW).await.expect("kept");
        tx.commit().await.expect("commits");
        let over = read(&store, SECOND + 9_990, SECOND + 10_010).await;
        assert_eq!((over.len(), over[0].last()), (1, more.last()), "one passage over both tables");
    })
    .await;
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_is_set_aside_and_the_rest_is_folded() {
    on_both(|store| async move {
        let batches = batches();
        keep(&store, &batches).await;
        let mut tx = store.write().await.expect("begins");
        let spoil = "UPDATE trail_batch SET payload = CAST('what' AS BYTES) \
             WHERE epoch = 1 AND through_sequence IN (5, 1000)";
        let bytes = if matches!(tx, Tx::Sqlite(_)) { "BLOB" } else { "BYTEA" };
        let spoil = spoil.replace("BYTES", bytes);
        assert_eq!(both::execute(&mut tx, spoil.leak()).await.expect("spoilt"), 2);
        tx.commit().await.expect("commits");
        let later = NOW.plus_ms(AS_IT_CAME_MS + 1);
        assert_eq!(fold(&store, later).await.expect("folds"), batches.len());
        assert_eq!(fold(&store, later).await.expect("looks"), 0, "there is nothing left");
        // The rest of its journal is there, with a hole, and so is the other journal.
        let rest = read(&store, 0, 2 * SECOND).await;
        let epochs: Vec<_> = rest.iter().map(|it| it.epoch.0).collect();
        assert_eq!(epochs, [1, 1, 2]);
        assert_eq!((rest[0].after, rest[1].after), (Sequence(5), Sequence(1_000)));
        let mut tx = store.read().await.expect("begins");
        let aside = tx.set_aside(&device()).await.expect("answers");
        assert_eq!(aside.len(), 2);
        assert!(aside.iter().all(|row| row.payload == b"what"), "{aside:?}");
        for through in ["through_sequence 5,", "through_sequence 1000,"] {
            assert!(aside.iter().any(|row| row.reason.contains(through)), "{aside:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_folded_trail_is_deleted_by_its_age() {
    on_both(|store| async move {
        keep(&store, &batches()).await;
        fold(&store, NOW.plus_ms(AS_IT_CAME_MS + 1)).await.expect("folds");
        let mut tx = store.write().await.expect("begins");
        let deleted = tx.delete_aged(Aged::TrailRuns, at(SECOND)).await.expect("deleted");
        tx.commit().await.expect("commits");
        assert!(deleted > 15, "{deleted}");
        let left: Vec<_> = read(&store, 0, 2 * SECOND).await.iter().map(|it| it.epoch.0).collect();
        assert_eq!(left, [2]);
    })
    .await;
}
