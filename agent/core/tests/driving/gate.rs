//! The gate and the odometer against made-up and recorded drives.

use crate::tracks::{DRIVE, Noise, TRUTH, data, fix, parked, recording};
use proptest::prelude::*;
use tripline_agent_core::gate::{Gate, GateLimits};
use tripline_agent_core::geodesy::distance_mm;
use tripline_agent_core::timebase::Verdict;
use tripline_protocol::fix::{Fix, FixStamp, FixType, Refusal};
use tripline_protocol::unit::Position;

fn drive(fixes: &[Fix]) -> (Gate, Vec<Option<Refusal>>) {
    let mut gate = Gate::default();
    let refusals = fixes.iter().map(|fix| gate.step(*fix, Verdict::Trusted).refused).collect();
    (gate, refusals)
}

fn counted_mm(fixes: &[Fix]) -> u64 {
    drive(fixes).0.odometer().0
}

/// Straight north at an even speed, one fix a second, with the speed the receiver tells.
fn straight(mps: f64, seconds: u32, speed_mmps: Option<u32>) -> Vec<Fix> {
    let at = |s: u32| fix(i64::from(s) * 1_000, mps * f64::from(s), 0.0, speed_mmps);
    (0..=seconds).map(at).collect()
}

#[track_caller]
fn assert_near(mm: u64, metres: u64, permille: u64) {
    assert!(mm.abs_diff(metres * 1_000) <= metres * permille, "{mm} mm is not {metres} m");
}

#[test]
fn one_jump_of_2_km_in_a_trip_of_1200_m_adds_nothing() {
    for speed_mmps in [Some(10_000), None, Some(0)] {
        for at in [1, 2, 30, 60, 119] {
            let mut fixes = straight(10.0, 120, speed_mmps);
            fixes[at].position =
                Position::new(fixes[at].position.lat_e7(), 179_700).expect("2 km east");
            let (gate, refusals) = drive(&fixes);
            let jumps: Vec<usize> =
                (0..refusals.len()).filter(|i| refusals[*i].is_some()).collect();
            assert_eq!((jumps, refusals[at]), (vec![at], Some(Refusal::Jump)));
            assert_near(gate.odometer().0, 1_200, 10);
        }
    }
}

#[test]
fn a_jump_that_lasts_is_believed_without_its_leap() {
    let mut fixes = straight(10.0, 120, Some(10_000));
    for fix in &mut fixes[60..] {
        fix.position = Position::new(fix.position.lat_e7(), 179_700).expect("2 km east");
    }
    let (gate, refusals) = drive(&fixes);
    let refused = usize::from(GateLimits::default().confirmations) - 1;
    assert_eq!(refusals.iter().flatten().count(), refused);
    assert_near(gate.odometer().0, 1_190, 5);
}

#[test]
fn twenty_minutes_parked_with_12_m_of_noise_stay_under_5_m() {
    for seed in 0..50 {
        for drift in [0.0, 0.9, 0.98, 0.995] {
            for (name, fixes) in [
                ("a still speed", parked(seed, drift, |_| Some(0))),
                (
                    "a speed with 0.1 m/s of noise",
                    parked(seed, drift, |noise| Some(noise.doppler_mmps())),
                ),
                ("a speed up to 0.5 m/s", parked(seed, drift, |noise| Some(noise.even_mmps(500)))),
                ("no speed", parked(seed, drift, |_| None)),
            ] {
                let mm = counted_mm(&fixes);
                assert!(mm < 5_000, "{name}, seed {seed}, drift {drift}: {mm} mm");
            }
        }
    }
}

#[test]
fn creeping_counts_and_so_does_a_way_whose_speed_is_silent_or_wrong() {
    for mps in [0.4, 0.7, 1.2, 3.0] {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a speed")]
        let speed_mmps = (mps * 1_000.0) as u32;
        let metres = u64::from(speed_mmps) * 600 / 1_000;
        let mm = counted_mm(&straight(mps, 600, Some(speed_mmps)));
        assert!((metres * 1_000 - 21_000..=metres * 1_001).contains(&mm), "{mps}: {mm}");
    }
    for speed_mmps in [None, Some(0)] {
        assert_near(counted_mm(&straight(10.0, 300, speed_mmps)), 3_000, 5);
    }
    let still = straight(0.0, 300, Some(10_000));
    assert_eq!(counted_mm(&still), 0, "the wheels spin, the vehicle stays");
}

/// Stop and go along a street: 40 s up to 12 m/s and down again, 20 s at rest.
fn stop_and_go(interval_ms: i64, lag_ms: i64, noise_m: f64) -> Vec<Fix> {
    let speed_mps = |ms: i64| match f64::from(i32::try_from(ms.rem_euclid(60_000)).expect("small"))
    {
        ms if ms < 10_000.0 => ms * 1.2e-3,
        ms if ms < 30_000.0 => 12.0,
        ms if ms < 40_000.0 => (40_000.0 - ms) * 1.2e-3,
        _ => 0.0,
    };
    let mut noise = Noise::new(9);
    let mut north_m = 0.0;
    let mut fixes = Vec::new();
    for ms in (0..600_000_i64).step_by(100) {
        north_m += speed_mps(ms) * 0.1;
        if ms % interval_ms == 0 {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a speed")]
            let told_mmps = (speed_mps((ms - lag_ms).max(0)) * 1_000.0) as u32;
            let off_m = [noise.normal() * noise_m, noise.normal() * noise_m];
            fixes.push(fix(ms, north_m + off_m[0], off_m[1], Some(told_mmps)));
        }
    }
    fixes
}

#[test]
fn stop_and_go_counts_at_any_rate_with_a_speed_that_lags_and_noise() {
    for interval_ms in [100, 200, 500, 1_000, 2_000] {
        for lag_ms in [0, 1_000] {
            for noise_m in [0.0, 1.0, 5.0] {
                let mm = counted_mm(&stop_and_go(interval_ms, lag_ms, noise_m));
                let told = format!("{interval_ms} ms, {lag_ms} ms late, {noise_m} m: {mm}");
                assert!(mm.abs_diff(3_600_000) <= 36_000, "{told}");
            }
        }
    }
}

#[test]
fn a_roundabout_is_not_cut() {
    // Ten rounds of 20 m radius at 8 m/s, a fix a second: the polyline is 1.3 % short of the arc.
    let at = |s: i32| {
        let angle = 0.4 * f64::from(s);
        let (north_m, east_m) = (20.0 * angle.sin(), 20.0 * angle.cos());
        fix(i64::from(s) * 1_000, north_m, east_m, Some(8_000))
    };
    assert_near(counted_mm(&(0..=157).map(at).collect::<Vec<_>>()), 1_256, 10);
}

#[test]
fn a_gap_is_bridged_and_told_apart_and_an_implausible_one_counts_nothing() {
    let mut fixes = straight(10.0, 120, Some(10_000));
    fixes.drain(41..60);
    let (gate, _) = drive(&fixes);
    assert_near(gate.odometer().0, 1_200, 1);
    assert_near(gate.odometer().1, 200, 1);
    // 5 km in 100 s: no jump, but no road either.
    let far = [fix(0, 0.0, 0.0, Some(10_000)), fix(100_000, 5_000.0, 0.0, Some(10_000))];
    assert_eq!(drive(&far).0.odometer(), (0, 0));
}

#[test]
fn a_gate_goes_on_from_the_journal_and_bridges_the_restart() {
    let fixes = straight(10.0, 120, Some(10_000));
    for resumes_at in [61, 63, 90] {
        let (gate, _) = drive(&fixes[..=60]);
        let (total_mm, bridged_mm) = gate.odometer();
        let mut after = Gate::default();
        after.resume(total_mm, bridged_mm, gate.last());
        for fix in &fixes[resumes_at..] {
            assert_eq!(after.step(*fix, Verdict::Trusted).refused, None);
        }
        assert_near(after.odometer().0, 1_200, 2);
        assert_near(after.odometer().1, 10 * (resumes_at as u64 - 60), 5);
    }
}

#[test]
fn every_limit_refuses_by_its_name() {
    let base = fix(1_000, 10.0, 0.0, Some(10_000));
    let refused = |fix: Fix| drive(&[self::fix(0, 0.0, 0.0, Some(10_000)), fix]).1[1];
    assert_eq!(refused(base), None);
    let estimated = Fix { fix_type: FixType::Estimated, ..base };
    assert_eq!(refused(estimated), Some(Refusal::Estimated));
    assert_eq!(refused(Fix { hdop_c: Some(1_001), ..base }), Some(Refusal::PoorGeometry));
    assert_eq!(refused(Fix { speed_mmps: Some(70_001), ..base }), Some(Refusal::Speed));
    assert_eq!(refused(Fix { speed_mmps: Some(28_001), ..base }), Some(Refusal::Acceleration));
    assert_eq!(refused(Fix { speed_mmps: Some(28_000), ..base }), None);
    assert_eq!(refused(fix(1_000, 91.0, 0.0, Some(10_000))), Some(Refusal::Jump));
    assert_eq!(refused(fix(0, 1.0, 0.0, Some(10_000))), Some(Refusal::OutOfOrder));
}

#[test]
fn a_time_that_stands_alone_is_refused_and_one_confirmed_before_the_last_begins_anew() {
    let (mut gate, _) = drive(&straight(10.0, 20, Some(10_000)));
    let before = gate.odometer();
    let alone = gate.step(fix(90_000, 210.0, 0.0, Some(10_000)), Verdict::Alone);
    assert_eq!((alone.refused, gate.odometer()), (Some(Refusal::TimeJump), before));
    for (at_ms, metres, verdict) in
        [(5_000, 500.0, Verdict::Rebased), (6_000, 510.0, Verdict::Trusted)]
    {
        assert_eq!(gate.step(fix(at_ms, metres, 0.0, Some(10_000)), verdict).refused, None);
    }
    assert_near(gate.odometer().0 - before.0, 10, 10);
}

#[test]
fn a_time_base_that_begins_anew_with_a_fix_of_no_use_is_not_forgotten() {
    let (mut gate, _) = drive(&straight(10.0, 20, Some(10_000)));
    let poor = Fix { hdop_c: Some(2_000), ..fix(5_000, 500.0, 0.0, Some(10_000)) };
    assert_eq!(gate.step(poor, Verdict::Rebased).refused, Some(Refusal::PoorGeometry));
    for at_ms in [6_000, 7_000] {
        let next = fix(at_ms, 510.0, 0.0, Some(10_000));
        assert_eq!(gate.step(next, Verdict::Trusted).refused, None, "{at_ms}");
    }
}

/// Length of the true way in mm between two times of day, in seconds: geodesics from sample to sample
/// at 1 Hz. Steps under 3 cm are the reference's own noise while the vehicle stands, 0.9 m in all.
fn truth_mm(from_s: u64, to_s: u64) -> Option<u64> {
    let log = std::fs::read_to_string(data(TRUTH)?).expect("the truth can be read");
    let angle = |text: &str, degrees: usize| {
        let (whole, minutes) = text.split_at(degrees);
        let (whole, minutes): (f64, f64) = (whole.parse().ok()?, minutes.parse().ok()?);
        #[expect(clippy::cast_possible_truncation, reason = "under 1.8e9")]
        Some(((whole + minutes / 60.0) * 1e7).round() as i32)
    };
    let sample = |line: &str| {
        let fields: Vec<&str> = line.strip_prefix("$GPGGA,")?.split(',').collect();
        let time: u64 = fields[0].split('.').next()?.parse().ok()?;
        let second = time / 10_000 * 3_600 + time / 100 % 100 * 60 + time % 100;
        let position = Position::new(angle(fields[1], 2)?, -angle(fields[3], 3)?).ok()?;
        (from_s..=to_s).contains(&second).then_some(position)
    };
    let samples: Vec<Position> = log.lines().filter_map(sample).collect();
    let steps = samples.windows(2).map(|pair| distance_mm(pair[0], pair[1]));
    Some(steps.filter(|mm| *mm >= 30).sum())
}

fn second_of_day(fix: &Fix) -> u64 {
    u64::try_from(fix.at.unix_ms / 1_000 % 86_400).expect("after 1970")
}

#[test]
fn the_recorded_drive_is_within_0_3_percent_of_the_truth_and_adds_nothing_while_standing() {
    let Some(fixes) = recording(DRIVE) else { return };
    let truth_mm = truth_mm(second_of_day(&fixes[0]), 86_400).expect("the truth is there too");
    let mut gate = Gate::default();
    let mut standing_mm = 0;
    for fix in &fixes {
        let (before_mm, _) = gate.odometer();
        let _ = gate.step(*fix, Verdict::Trusted);
        if fix.speed_mmps.is_some_and(|mmps| mmps < 500) {
            standing_mm += gate.odometer().0 - before_mm;
        }
    }
    let (total_mm, bridged_mm) = gate.odometer();
    let off_mm = total_mm.abs_diff(truth_mm);
    assert!(off_mm * 1_000 <= truth_mm * 3, "{total_mm} mm, in truth {truth_mm} mm");
    assert!(bridged_mm * 10 < total_mm, "{bridged_mm} mm bridged");
    assert!(standing_mm < 1_000, "{standing_mm} mm while standing");
}

#[test]
fn the_recorded_drive_with_a_noisy_receiver_is_within_1_percent_of_itself() {
    let Some(fixes) = recording(DRIVE) else { return };
    let clean_mm = counted_mm(&fixes);
    for deviation_m in [1.0, 3.0, 6.0, 12.0] {
        let mut noise = Noise::new(5);
        #[expect(clippy::cast_possible_truncation, reason = "some metres")]
        let mut off = |e7_per_m: f64| (noise.normal() * deviation_m * e7_per_m) as i32;
        let noisy = fixes.iter().map(|fix| {
            let (lat, lon) =
                (fix.position.lat_e7() + off(90.0), fix.position.lon_e7() + off(113.0));
            Fix { position: Position::new(lat, lon).expect("on the globe"), ..*fix }
        });
        let mm = counted_mm(&noisy.collect::<Vec<_>>());
        assert!(mm.abs_diff(clean_mm) * 100 <= clean_mm, "{deviation_m} m: {mm}, not {clean_mm}");
    }
}

#[test]
fn the_recorded_drive_at_a_fifth_of_the_rate_keeps_its_curves() {
    let Some(fixes) = recording(DRIVE) else { return };
    let clean_mm = counted_mm(&fixes);
    let rare: Vec<Fix> = fixes.iter().step_by(5).copied().collect();
    let mm = counted_mm(&rare);
    assert!(mm.abs_diff(clean_mm) * 100 <= clean_mm * 3, "{mm}, not {clean_mm}");
}

fn any_fix() -> impl Strategy<Value = (Fix, Verdict)> {
    let speed = proptest::option::of(0_u32..90_000);
    let verdict = prop_oneof![
        8 => Just(Verdict::Trusted),
        1 => Just(Verdict::Rebased),
        1 => Just(Verdict::Alone),
    ];
    let place = (-400.0..400.0, -400.0..400.0);
    (0_i64..600_000, place, speed, 0_u16..1_200, any::<bool>(), verdict).prop_map(
        |(at_ms, (north_m, east_m), speed_mmps, hdop_c, estimated, verdict)| {
            let fix_type = if estimated { FixType::Estimated } else { FixType::ThreeD };
            let fix = fix(at_ms, north_m, east_m, speed_mmps);
            (Fix { hdop_c: Some(hdop_c), fix_type, ..fix }, verdict)
        },
    )
}

proptest! {
    #[test]
    fn whatever_comes_the_odometer_never_goes_back_and_a_refused_fix_never_moves_it(
        fixes in proptest::collection::vec(any_fix(), 0..200),
        sorted in any::<bool>(),
    ) {
        let mut fixes = fixes;
        if sorted {
            fixes.sort_by_key(|(fix, _)| fix.at);
        }
        let mut gate = Gate::default();
        for (fix, verdict) in fixes {
            let (before, last) = (gate.odometer(), gate.last());
            let judged = gate.step(fix, verdict);
            let after = gate.odometer();
            prop_assert!(after.0 >= before.0 && after.1 >= before.1 && after.1 <= after.0);
            if judged.refused.is_some() {
                prop_assert_eq!((after, gate.last()), (before, last));
            } else {
                prop_assert_eq!(gate.last(), Some(FixStamp::from(&fix)));
            }
            prop_assert_eq!(Fix { refused: None, ..judged }, fix);
        }
    }

    #[test]
    fn a_fix_told_twice_counts_once(
        legs in proptest::collection::vec((0_u32..25, 0_u32..628), 1..30),
        repeated in proptest::collection::vec(any::<proptest::sample::Index>(), 0..40),
    ) {
        let (mut north_m, mut east_m, mut at_ms) = (0.0, 0.0, 0);
        let mut fixes = Vec::new();
        for (mps, angle) in legs {
            for _ in 0..10 {
                let angle = f64::from(angle) / 100.0;
                north_m += f64::from(mps) * angle.cos();
                east_m += f64::from(mps) * angle.sin();
                at_ms += 1_000;
                fixes.push(fix(at_ms, north_m, east_m, Some(mps * 1_000)));
            }
        }
        let once = drive(&fixes).0.odometer();
        for index in repeated {
            let index = index.index(fixes.len());
            fixes.insert(index, fixes[index]);
        }
        prop_assert_eq!(drive(&fixes).0.odometer(), once);
    }
}
