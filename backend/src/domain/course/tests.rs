use tripline_protocol::fix::{FixType, Refusal};
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::trail::GapReason;

use super::*;

const T0: i64 = 1_800_000_000_000;

fn fix(ms: i64, position: Position, speed_cmps: u32, course_ddeg: u16) -> TrailFix {
    TrailFix {
        at: Timestamp::from_unix_ms(ms),
        position,
        speed_cmps: Some(speed_cmps),
        course_ddeg: Some(course_ddeg),
        altitude_mm: None,
        fix_type: FixType::ThreeD,
        refused: None,
    }
}

/// North along a meridian at 10 m/s, a fix a second.
fn straight(second: i64) -> TrailFix {
    let north_e7 = i32::try_from(second).expect("short") * 904;
    fix(
        T0 + second * 1_000,
        Position::new(130_000_000 + north_e7, 776_000_000).expect("there"),
        1_000,
        0,
    )
}

fn trail(entries: Vec<TrailEntry>) -> Vec<Passage> {
    vec![Passage { epoch: JournalEpoch(1), after: Sequence(0), entries }]
}

fn stretch(from_ms: i64, until_ms: i64, odometer_m: u64) -> Stretch {
    Stretch {
        from: Timestamp::from_unix_ms(from_ms),
        until: Timestamp::from_unix_ms(until_ms),
        odometer_mm: odometer_m * 1_000,
        bridged_mm: 0,
    }
}

fn minute(odometer_m: u64) -> Stretch {
    stretch(T0, T0 + 60_000, odometer_m)
}

#[test]
fn only_what_was_driven_while_the_meter_ran_counts() {
    let whole = trail((-300..300).map(|s| TrailEntry::Fix(straight(s))).collect());
    let audit = Audit::of(&[minute(600)], &whole);
    assert_eq!((audit.trail_m, audit.verdict), (600, Verdict::Agrees));
    let pause = [minute(600), stretch(T0 + 120_000, T0 + 130_000, 100)];
    assert_eq!(Audit::of(&pause, &whole).trail_m, 700);
}

#[test]
fn an_odometer_that_counted_other_metres_is_told() {
    let whole = trail((0..=60).map(|s| TrailEntry::Fix(straight(s))).collect());
    for (odometer_m, verdict) in [
        (600, Verdict::Agrees),
        (625, Verdict::Agrees),
        (626, Verdict::Differs),
        (560, Verdict::Differs),
    ] {
        let audit = Audit::of(&[minute(odometer_m)], &whole);
        assert_eq!(audit.verdict, verdict, "{odometer_m}: {audit:?}");
    }
    let audit = Audit::of(&[minute(660)], &whole);
    assert_eq!((audit.difference_m, audit.difference_bp), (-60, -909));
}

#[test]
fn declared_gaps_silent_ones_and_refused_fixes_are_told_apart() {
    let entry = |s: i64| match s {
        29 => Some(TrailEntry::Gap { fixes: 6, reason: GapReason::Damaged }),
        10..20 | 30..35 => None,
        45 => {
            let refused = Some(Refusal::Jump);
            Some(TrailEntry::Fix(TrailFix {
                refused,
                position: straight(9_000).position,
                ..straight(45)
            }))
        }
        _ => Some(TrailEntry::Fix(straight(s))),
    };
    let audit = Audit::of(&[minute(600)], &trail((0..=60).filter_map(entry).collect()));
    let (_, measured) = &audit.stretches[0];
    assert_eq!((measured.silent_m, measured.declared_m, measured.lost), (110, 70, 6));
    assert_eq!((measured.distance_m, measured.refused.get("jump")), (600, Some(&1)));
    assert_eq!(audit.verdict, Verdict::Agrees);
}

#[test]
fn a_trail_that_has_not_come_says_nothing_against_the_odometer() {
    assert_eq!(Audit::of(&[minute(600)], &[]).verdict, Verdict::Incomplete);
    let half = trail((0..=30).map(|s| TrailEntry::Fix(straight(s))).collect());
    let audit = Audit::of(&[stretch(T0, T0 + 120_000, 1_200)], &half);
    assert_eq!(audit.verdict, Verdict::Incomplete);
}

#[test]
fn a_vehicle_that_stands_goes_nowhere() {
    let noise = |s: i64| {
        let off = |n: i64| i32::try_from((s * n).rem_euclid(17) - 8).expect("small") * 40;
        let position = Position::new(130_000_000 + off(7), 776_000_000 + off(11)).expect("there");
        TrailEntry::Fix(fix(T0 + s * 1_000, position, 12, 0))
    };
    let measured =
        measure(stretch(T0, T0 + 1_200_000, 0), &trail((0..=1_200).map(noise).collect()));
    assert_eq!(measured.distance_m, 0);
}

#[test]
fn a_right_angle_in_a_gap_is_bridged_along_its_bend() {
    let east = Position::new(130_000_000 + 9_040, 776_000_000 + 9_220).expect("there");
    let after = fix(T0 + 20_000, east, 1_000, 900);
    let turn = vec![TrailEntry::Fix(straight(0)), TrailEntry::Fix(after)];
    let measured = measure(stretch(T0, T0 + 20_000, 0), &trail(turn));
    assert!((155..=200).contains(&measured.silent_m), "{measured:?}");
}

/// Degrees times 1e7 of `ddmm.mmmm`.
fn e7(text: &str, half: &str) -> i32 {
    let (whole, fraction) = text.split_once('.').expect("a decimal point");
    let (degrees, minutes) = whole.split_at(whole.len() - 2);
    let minutes: f64 = format!("{minutes}.{fraction}").parse().expect("minutes");
    let degrees = degrees.parse::<f64>().expect("degrees") + minutes / 60.0;
    #[expect(clippy::cast_possible_truncation, reason = "an angle")]
    let e7 = (degrees * 1e7).round() as i32;
    if matches!(half, "S" | "W") { -e7 } else { e7 }
}

fn ms(text: &str) -> i64 {
    let (hms, _) = text.split_once('.').unwrap_or((text, ""));
    let n: i64 = hms.parse().expect("a time");
    (n / 10_000 * 3_600 + n / 100 % 100 * 60 + n % 100) * 1_000
}

/// The fields of every sentence of this kind.
fn sentences<'l>(log: &'l str, kind: &'l str) -> impl Iterator<Item = Vec<&'l str>> {
    let fields = move |line: &'l str| {
        let fields: Vec<_> = line.trim().split(',').collect();
        (fields[0].starts_with('$') && fields[0].ends_with(kind)).then_some(fields)
    };
    log.lines().filter_map(fields)
}

#[test]
fn the_recorded_drive_comes_out_as_far_as_it_truly_was() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/mtv-local1/");
    let read = |name| {
        String::from_utf8_lossy(&std::fs::read(format!("{folder}{name}")).expect("there"))
            .into_owned()
    };
    let (drive, truth) = (read("drive.nmea"), read("truth.gga"));
    let number = |text: &str| text.parse::<f64>().unwrap_or(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a speed, a course"
    )]
    let rmc = |f: Vec<&str>| {
        let position = Position::new(e7(f[3], f[4]), e7(f[5], f[6])).expect("on the globe");
        let speed_cmps = (number(f[7]) * 51.444_444).round() as u32;
        TrailEntry::Fix(fix(ms(f[1]), position, speed_cmps, (number(f[8]) * 10.0) as u16))
    };
    let entries: Vec<_> = sentences(&drive, "RMC").filter(|f| f[2] == "A").map(rmc).collect();
    let (first, last) = passage_ends(&entries);
    let mut truth_m = 0.0;
    let mut before = None;
    for f in sentences(&truth, "GGA").filter(|f| (first..=last).contains(&ms(f[1]))) {
        let here = Position::new(e7(f[2], f[3]), e7(f[4], f[5])).expect("on the globe");
        truth_m += before.replace(here).map_or(0.0, |before| metres(before, here));
    }
    let measured = measure(stretch(first, last, 0), &trail(entries));
    let truth_m = whole(truth_m);
    assert!(truth_m > 800, "a drive: {truth_m}");
    // Well within half a percent, and so within a quarter of the tolerance.
    assert!(
        measured.distance_m.abs_diff(truth_m) <= truth_m / 200,
        "{measured:?}, truth {truth_m}"
    );
    assert!(truth_m / 200 <= TOLERANCE_M.max(truth_m * TOLERANCE_PERCENT / 100) / 4);
}

fn passage_ends(entries: &[TrailEntry]) -> (i64, i64) {
    let (first, last) = crate::domain::passage::times(entries).expect("fixes");
    (first.unix_ms, last.unix_ms)
}
