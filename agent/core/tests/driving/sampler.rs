//! The sampler: what it leaves out can be told from what it keeps.

use crate::tracks::{DRIVE, Noise, fix, recording};
use proptest::prelude::*;
use tripline_agent_core::geodesy::{between, distance_mm};
use tripline_agent_core::sampler::{Bounded, Duty, Policies, Policy, Sampler, simplify};
use tripline_protocol::fix::{Fix, Refusal};

fn bounded(error_mm: u64, delay_ms_max: u64) -> Policies {
    let moving = Policy::Bounded(Bounded { error_mm, delay_ms_max });
    Policies { moving, ..Policies::default() }
}

/// What is kept, each with the index of the fix at which it left.
fn sample(fixes: &[Fix], policies: Policies, duty: Duty) -> Vec<(Fix, usize)> {
    let mut sampler = Sampler::new(policies, duty);
    let mut kept = Vec::new();
    for (index, fix) in fixes.iter().enumerate() {
        kept.extend(sampler.push(*fix, ()).into_iter().flatten().map(|(fix, ())| (fix, index)));
    }
    kept.extend(sampler.flush().map(|(fix, ())| (fix, fixes.len())));
    kept
}

/// The farthest that a fix lies from where the kept ones around it put it.
fn worst_mm(fixes: &[Fix], kept: &[Fix]) -> u64 {
    let off = |fix: &Fix| {
        let after = kept.partition_point(|kept| kept.at < fix.at);
        let next = kept.get(after).expect("the last fix is kept");
        let last = after.checked_sub(1).map_or(next, |before| &kept[before]);
        distance_mm(between(last.into(), next.into(), fix.at), fix.position)
    };
    fixes.iter().map(off).max().unwrap_or(0)
}

fn random_track(seed: u64, len: u32, step_m: f64) -> Vec<Fix> {
    let mut noise = Noise::new(seed);
    let (mut place, mut speed) = ([0.0, 0.0], [0.0, 0.0]);
    let mut at_ms = 0;
    let next = |_| {
        speed = speed.map(|mps: f64| mps * 0.9 + noise.normal() * step_m);
        place = [place[0] + speed[0], place[1] + speed[1]];
        at_ms += if noise.even() < 0.05 { 20_000 } else { 1_000 };
        fix(at_ms, place[0], place[1], None)
    };
    (0..len).map(next).collect()
}

proptest! {
    #[test]
    fn every_fix_left_out_lies_within_the_error_and_none_is_late(
        seed in any::<u64>(),
        len in 1_u32..600,
        step_m in 0.0..8.0,
        error_mm in 0_u64..60_000,
    ) {
        let fixes = random_track(seed, len, step_m);
        let kept = sample(&fixes, bounded(error_mm, 60_000), Duty::Moving);
        for (fix, left_at) in &kept {
            // The gap that ends a window may be 20 s long; nothing comes in it.
            let left = fixes.get(*left_at).unwrap_or(fixes.last().expect("not empty"));
            prop_assert!(left.at.since_ms(fix.at) <= 60_000 + 20_000);
        }
        let kept: Vec<Fix> = kept.into_iter().map(|(fix, _)| fix).collect();
        prop_assert!(kept.is_sorted_by_key(|fix| fix.at));
        prop_assert!(worst_mm(&fixes, &kept) <= error_mm);
        let thinned: Vec<Fix> = simplify(&fixes, error_mm).iter().map(|i| fixes[*i]).collect();
        prop_assert!(worst_mm(&fixes, &thinned) <= error_mm);
        prop_assert!(thinned.len() <= kept.len() + 1);
    }

    #[test]
    fn whatever_comes_each_fix_is_kept_at_most_once_and_in_order(
        seed in any::<u64>(),
        oddities in proptest::collection::vec((any::<proptest::sample::Index>(), 0_u8..4), 0..40),
    ) {
        let mut fixes = random_track(seed, 200, 3.0);
        let mut duty = vec![None; fixes.len()];
        for (index, what) in oddities {
            let index = index.index(fixes.len());
            match what {
                0 => fixes[index].refused = Some(Refusal::Jump),
                1 => fixes[index].at = fixes[0].at,
                2 => duty[index] = Some(Duty::OnTrip),
                _ => duty[index] = Some(Duty::Moving),
            }
        }
        let mut sampler = Sampler::new(bounded(5_000, 60_000), Duty::Moving);
        let mut kept = Vec::new();
        for (index, fix) in fixes.iter().enumerate() {
            kept.extend(duty[index].and_then(|duty| sampler.set_duty(duty)));
            kept.extend(sampler.push(*fix, index).into_iter().flatten());
        }
        kept.extend(sampler.flush());
        prop_assert!(kept.is_sorted_by(|a, b| a.1 < b.1));
        prop_assert!(kept.iter().all(|(fix, index)| *fix == fixes[*index]));
        prop_assert!(simplify(&fixes, 5_000).is_sorted_by(|a, b| a < b));
    }
}

#[test]
fn the_recorded_drive_needs_a_fraction_of_its_points() {
    let Some(fixes) = recording(DRIVE) else { return };
    for (error_mm, at_most) in [(0, fixes.len()), (1_000, 700), (5_000, 300), (10_000, 200)] {
        let kept: Vec<Fix> = simplify(&fixes, error_mm).iter().map(|i| fixes[*i]).collect();
        assert!(worst_mm(&fixes, &kept) <= error_mm);
        assert!(kept.len() <= at_most, "{} points within {error_mm} mm", kept.len());
    }
}

#[test]
fn each_duty_has_its_policy_and_a_change_lets_go_of_the_fix_held_back() {
    let fixes: Vec<Fix> =
        (0_i32..700).map(|s| fix(i64::from(s) * 1_000, 10.0 * f64::from(s), 0.0, None)).collect();
    let count = |duty| sample(&fixes, Policies::default(), duty).len();
    assert_eq!(count(Duty::OnTrip), 700);
    assert_eq!(count(Duty::Parked), 3, "0 s, 300 s, 600 s");
    assert_eq!(count(Duty::Moving), 141, "straight on: one in five seconds, and the last");
    let mut sampler = Sampler::new(Policies::default(), Duty::Moving);
    let pushed: Vec<_> = fixes[..10].iter().map(|fix| sampler.push(*fix, ())).collect();
    assert_eq!(pushed.iter().flatten().flatten().count(), 2, "0 s, 5 s");
    assert_eq!(sampler.set_duty(Duty::Moving), None);
    assert_eq!(sampler.set_duty(Duty::OnTrip), Some((fixes[9], ())));
    assert_eq!(sampler.flush(), None);
}

#[test]
fn of_refused_fixes_all_are_kept_on_a_trip_and_else_one_in_a_minute() {
    let refused = Some(Refusal::PoorGeometry);
    let fixes: Vec<Fix> =
        (0..121).map(|s| Fix { refused, ..fix(s * 1_000, 0.0, 0.0, None) }).collect();
    assert_eq!(sample(&fixes, Policies::default(), Duty::OnTrip).len(), 121);
    assert_eq!(sample(&fixes, Policies::default(), Duty::Parked).len(), 3);
}
