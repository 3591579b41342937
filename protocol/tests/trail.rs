//! What is coded reads back, whatever it is; what receivers send is small; what is read is checked.

use proptest::prelude::*;
use tripline_protocol::fix::{Fix, FixType, Refusal};
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::envelope::{DecodeError, decode, encode};
use tripline_protocol::link::live::Live;
use tripline_protocol::link::trail::{
    GapReason, TRAIL_ENTRIES_MAX, TrailBatch, TrailEntry, TrailFix,
};
use tripline_protocol::unit::{Position, Timestamp};

fn position(lat_e7: i32, lon_e7: i32) -> Position {
    Position::new(lat_e7, lon_e7).expect("on the globe")
}

fn batch(entries: Vec<TrailEntry>) -> TrailBatch {
    TrailBatch { epoch: JournalEpoch(u64::MAX), after: Sequence(1_000), entries }
}

fn plain(at: i64) -> TrailFix {
    TrailFix {
        at: Timestamp::from_unix_ms(at),
        position: position(129_716_000, 775_946_000),
        speed_cmps: Some(0),
        course_ddeg: Some(0),
        altitude_mm: Some(0),
        fix_type: FixType::ThreeD,
        refused: None,
    }
}

fn any_fix() -> impl Strategy<Value = TrailFix> {
    let extreme = |max: i32| prop_oneof![Just(-max), Just(max), Just(0), -max..=max];
    let numbers = (
        prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), 0..10_i64],
        (extreme(900_000_000), extreme(1_800_000_000)),
        prop::option::of(prop_oneof![any::<u32>(), Just(u32::MAX), 0..9_u32]),
        prop::option::of(any::<u16>()),
        prop::option::of(prop_oneof![any::<i32>(), Just(i32::MIN), Just(i32::MAX)]),
    );
    let kinds = (prop::sample::select(FixType::ALL), any::<Option<prop::sample::Index>>());
    (numbers, kinds).prop_map(|((at, (lat, lon), speed, course, altitude), (fix_type, refused))| {
        TrailFix {
            at: Timestamp::from_unix_ms(at),
            position: position(lat, lon),
            speed_cmps: speed,
            course_ddeg: course,
            altitude_mm: altitude,
            fix_type,
            refused: refused.map(|index| *index.get(Refusal::ALL)),
        }
    })
}

fn any_entry() -> impl Strategy<Value = TrailEntry> {
    prop_oneof![
        9 => any_fix().prop_map(TrailEntry::Fix),
        1 => (1..u64::MAX >> 10, prop::sample::select(GapReason::ALL))
            .prop_map(|(fixes, reason)| TrailEntry::Gap { fixes, reason }),
    ]
}

prop_compose! {
    /// A drive: steps of every field from the fix before, on a receiver's grid.
    fn any_drive()(
        start in any_fix(),
        (digits, interval) in (0..4_u32, prop::sample::select(vec![100_i64, 200, 1_000, 5_000])),
        steps in prop::collection::vec((-900..900_i32, -900..900_i32, -99..99_i32, -40..40_i32), 0..120),
    ) -> Vec<TrailEntry> {
        let step = 10_i32.pow(digits);
        let (mut at, mut speed, mut course) = (1_600_000_000_000, 500_i32, 100_i32);
        let (mut lat, mut lon) = (start.position.lat_e7() / 2, start.position.lon_e7() / 2);
        steps.into_iter().map(|(north, east, faster, turned)| {
            at += interval;
            (lat, lon) = (lat + north * step, lon + east * step);
            speed = (speed + faster).max(0);
            course = (course + turned).rem_euclid(3_600);
            TrailEntry::Fix(TrailFix {
                at: Timestamp::from_unix_ms(at),
                position: position(lat, lon),
                speed_cmps: start.speed_cmps.map(|_| speed.unsigned_abs()),
                course_ddeg: u16::try_from(course).ok(),
                altitude_mm: start.altitude_mm.map(|mm| mm / 2 + faster * step),
                ..start
            })
        }).collect()
    }
}

proptest! {
    #[test]
    fn any_batch_reads_back(
        (epoch, after) in (any::<u64>(), 0..=u64::MAX / 2),
        entries in prop::collection::vec(any_entry(), 0..80),
    ) {
        let batch = TrailBatch { epoch: JournalEpoch(epoch), after: Sequence(after), entries };
        prop_assert_eq!(decode(&encode(&batch)), Ok(batch));
    }

    #[test]
    fn any_drive_reads_back(entries in any_drive()) {
        let batch = batch(entries);
        prop_assert_eq!(decode(&encode(&batch)), Ok(batch));
    }

    #[test]
    fn what_is_read_would_be_written_so(mut bytes in prop::collection::vec(any::<u8>(), 1..200)) {
        bytes[0] = 1;
        if let Ok(batch) = decode::<TrailBatch>(&bytes) {
            prop_assert_eq!(encode(&batch), bytes);
        }
    }

    #[test]
    fn a_live_position_is_read_as_it_was_rounded(
        fix in any_fix(),
        speed_mmps in prop::option::of(any::<u32>()),
        course_cdeg in prop::option::of(0..36_000_u16),
    ) {
        let live = Live { at: fix.at, position: fix.position, speed_mmps, course_cdeg };
        let rounded = live.rounded();
        prop_assert_eq!(decode(&encode(&live)), Ok(rounded));
        prop_assert_eq!(rounded.rounded(), rounded);
        let off = |a: i32, b: i32| a.abs_diff(b);
        prop_assert!(off(rounded.position.lat_e7(), live.position.lat_e7()) <= 5);
        prop_assert!(off(rounded.position.lon_e7(), live.position.lon_e7()) <= 5);
    }
}

#[test]
fn a_vehicle_at_rest_costs_next_to_nothing_and_a_batch_has_a_limit() {
    let seconds = (0_i64..).take(TRAIL_ENTRIES_MAX);
    let fixes = seconds.map(|second| TrailEntry::Fix(plain(second * 1_000)));
    let full = batch(fixes.collect());
    let bytes = encode(&full);
    assert!(bytes.len() < 100, "{} bytes for nothing new", bytes.len());
    assert_eq!(decode(&bytes), Ok(full.clone()));
    let mut longer = full;
    longer.entries.push(TrailEntry::Fix(plain(0)));
    assert_eq!(decode::<TrailBatch>(&encode(&longer)), Err(DecodeError::Malformed));
}

#[test]
fn gaps_of_nothing_or_beyond_the_last_sequence_and_bytes_left_over_are_refused() {
    let gap = |fixes| TrailEntry::Gap { fixes, reason: GapReason::Thinned };
    let refused = [vec![gap(0)], vec![gap(u64::MAX)], vec![gap(u64::MAX - 1_000), gap(1)]];
    for entries in refused {
        let bytes = encode(&batch(entries));
        assert_eq!(decode::<TrailBatch>(&bytes), Err(DecodeError::Malformed));
    }
    let last = batch(vec![gap(u64::MAX - 1_000)]);
    let mut bytes = encode(&last);
    assert_eq!(decode(&bytes), Ok(last));
    bytes.extend([0, 0]);
    assert_eq!(decode::<TrailBatch>(&bytes), Err(DecodeError::Trailing { len: 2 }));
}

#[test]
fn speed_and_course_are_rounded_to_the_nearest_and_a_full_turn_is_north() {
    let fix = |speed_mmps, course_cdeg| Fix {
        at: Timestamp::from_unix_ms(0),
        position: position(0, 0),
        speed_mmps: Some(speed_mmps),
        course_cdeg: Some(course_cdeg),
        altitude_mm: None,
        satellites: None,
        hdop_c: None,
        accuracy_mm: None,
        fix_type: FixType::TwoD,
        refused: None,
    };
    for (speed, course, cmps, ddeg) in
        [(14, 6_514, 1, 651), (15, 6_515, 2, 652), (u32::MAX, 35_995, u32::MAX / 10 + 1, 0)]
    {
        let kept = TrailFix::from(&fix(speed, course));
        assert_eq!((kept.speed_cmps, kept.course_ddeg), (Some(cmps), Some(ddeg)));
    }
}
