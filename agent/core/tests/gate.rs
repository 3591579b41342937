//! The gate and the odometer against made-up and recorded drives.

mod tracks;

use proptest::prelude::*;
use tracks::{DRIVE, Noise, data, fix, recording};
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

/// 1,200 m straight north at 10 m/s, one fix a second, seen with the speeds given.
fn trip(speed_mmps: Option<u32>) -> Vec<Fix> {
    (0..=120).map(|s| fix(s * 1_000, 10.0 * f64::from(s as i32), 0.0, speed_mmps)).collect()
}

fn assert_within(gate: &Gate, metres: u64, permille: u64) {
    let (mm, _) = gate.odometer();
    assert!(mm.abs_diff(metres * 1_000) <= metres * permille, "{mm} mm is not {metres} m");
}

#[test]
fn one_jump_of_2_km_in_a_trip_of_1200_m_adds_nothing() {
    for speed_mmps in [Some(10_000), None, Some(0)] {
        for at in [1, 2, 30, 60, 119] {
            let mut fixes = trip(speed_mmps);
            fixes[at].position = Position::new(fixes[at].position.lat_e7(), 179_700).expect("there");
            let (gate, refusals) = drive(&fixes);
            assert_eq!(refusals[at], Some(Refusal::Jump));
            assert_eq!(refusals.iter().flatten().count(), 1);
            assert_within(&gate, 1_200, 10);
        }
    }
}

#[test]
fn a_jump_that_lasts_is_believed_without_its_leap() {
    let mut fixes = trip(Some(10_000));
    for fix in &mut fixes[60..] {
        fix.position = Position::new(fix.position.lat_e7(), 179_700).expect("there");
    }
    let (gate, refusals) = drive(&fixes);
    let refused = usize::from(GateLimits::default().confirmations) - 1;
    assert_eq!(refusals.iter().flatten().count(), refused);
    assert_within(&gate, 1_190, 5);
}

/// 20 minutes in one place, with 12 m of noise on each axis: from fix to fix, or drifting.
fn parked(seed: u64, drift: f64, speed: impl Fn(&mut Noise) -> Option<u32>) -> Vec<Fix> {
    let mut noise = Noise::new(seed);
    let mut offset = [0.0, 0.0];
    let fresh = 12.0 * (1.0 - drift * drift).sqrt();
    (0..1_200)
        .map(|s| {
            offset = offset.map(|m| m * drift + fresh * noise.normal());
            fix(s * 1_000, offset[0], offset[1], speed(&mut noise))
        })
        .collect()
}

#[test]
fn twenty_minutes_parked_with_12_m_of_noise_stay_under_5_m() {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a speed")]
    let doppler = |noise: &mut Noise| Some((noise.normal().hypot(noise.normal()) * 100.0) as u32);
    for seed in 0..40 {
        for drift in [0.0, 0.9, 0.98, 0.995] {
            for (name, fixes) in [
                ("a still speed", parked(seed, drift, |_| Some(0))),
                ("a noisy speed", parked(seed, drift, doppler)),
                ("no speed", parked(seed, drift, |_| None)),
            ] {
                let (gate, _) = drive(&fixes);
                println!("X {name} {seed} {drift} {}", gate.odometer().0);
            }
        }
    }
}

#[test]
fn scratch() {
    let mut fixes = recording(DRIVE).expect("data");
    for mute in [false, true] {
    for every in [1, 2, 5, 10] {
        let mut gate = Gate::default();
        for fix in fixes.iter().step_by(every) {
            let fix = if mute { Fix { speed_mmps: None, course_cdeg: None, ..*fix } } else { *fix };
            let j = gate.step(fix, Verdict::Trusted);
            if mute && every == 1 { println!("T {} {} {} {:?} {:?} {:?}", fix.at.unix_ms % 86_400_000 / 1000, gate.odometer().0, gate.odometer().1, j.refused, fix.speed_mmps, fix.course_cdeg); }
        }
        println!("Z mute {mute} every {every} {:?}", gate.odometer());
    }
    // noise
    for m in [0.0, 1.0, 3.0, 6.0, 12.0] { 
        let mut n = Noise::new(5); let mut gate = Gate::default(); 
        for f in &fixes { let f = Fix { speed_mmps: if mute {None} else {f.speed_mmps}, position: Position::new(f.position.lat_e7() + (n.normal()*m*90.0) as i32, f.position.lon_e7() + (n.normal()*m*113.0) as i32).unwrap(), ..*f }; let _ = gate.step(f, Verdict::Trusted); }
        println!("Z noise {m} mute {mute} {:?}", gate.odometer());
    } 
    }
    fixes.clear();
}
