//! The odometer against the truth, standing still, and against what receivers make up; and how many
//! points of the drive an error bound keeps.

use tripline_agent_core::gate::Gate;
use tripline_agent_core::sampler::simplify;
use tripline_agent_core::timebase::Verdict;
use tripline_protocol::fix::Fix;
use tripline_protocol::unit::Position;
use tripline_tests::truth::Truth;

use crate::{Data, Row};

#[expect(dead_code, reason = "shared with tests that need more")]
#[path = "../../../agent/core/tests/driving/tracks.rs"]
mod tracks;

use tracks::{DRIVE, Noise, TRUTH, fix, parked, recording};

/// 2020-02-07, 00:00 UTC.
const MIDNIGHT_UNIX_MS: i64 = 1_581_033_600_000;

/// The last sample of the truth. The vehicle stands by then, and the receiver goes on for 26 s.
const TRUTH_END_UNIX_MS: i64 = MIDNIGHT_UNIX_MS + 9_758_000;

/// From here on a step has no fixes between, in ms.
const GAP_MS: i64 = 5_000;

/// Error bounds at which points are counted, in m.
const BOUNDS_M: [u64; 4] = [1, 2, 5, 10];

pub(super) fn rows(data: &Data) -> Vec<Row> {
    let fixes = recording(DRIVE).expect("the drive");
    let truth = Truth::load(&data.0.join(TRUTH), MIDNIGHT_UNIX_MS).expect("its truth");
    vec![
        whole(&fixes, &truth),
        between_fixes(&fixes, &truth),
        standing(&fixes),
        jump(),
        parked_20_min(),
        points(&fixes),
    ]
}

/// The gate after these fixes.
fn drive(fixes: &[Fix]) -> Gate {
    let mut gate = Gate::default();
    for fix in fixes {
        let _ = gate.step(*fix, Verdict::Trusted);
    }
    gate
}

#[expect(clippy::cast_precision_loss, reason = "a few kilometres")]
fn metres(mm: u64) -> f64 {
    mm as f64 / 1_000.0
}

fn against(ours_m: f64, truth_m: f64) -> String {
    let percent = (ours_m / truth_m - 1.0) * 100.0;
    format!("{ours_m:.1} m of {truth_m:.1} m: {percent:+.2} %")
}

/// The whole way, also where the receiver was not heard.
fn whole(fixes: &[Fix], truth: &Truth) -> Row {
    let (total_mm, bridged_mm) = drive(fixes).odometer();
    let start = fixes.first().expect("fixes").at.unix_ms;
    let truth_m = truth.distance_m(start, TRUTH_END_UNIX_MS).expect("inside");
    let share = metres(bridged_mm) / metres(total_mm) * 100.0;
    Row {
        measure: "F9K drive: odometer against ground truth",
        reach: "within 0.3 %",
        measured: format!("{}, {share:.1} % bridged", against(metres(total_mm), truth_m)),
    }
}

/// The way without its gaps, where every metre was seen.
fn between_fixes(fixes: &[Fix], truth: &Truth) -> Row {
    let (total_mm, bridged_mm) = drive(fixes).odometer();
    let judged = {
        let mut gate = Gate::default();
        let judged = fixes.iter().map(|fix| gate.step(*fix, Verdict::Trusted));
        judged.filter(|fix| fix.refused.is_none()).collect::<Vec<_>>()
    };
    let truth_m: f64 = judged
        .windows(2)
        .map(|pair| (pair[0].at.unix_ms, pair[1].at.unix_ms.min(TRUTH_END_UNIX_MS)))
        .filter(|(from, to)| (1..=GAP_MS).contains(&(to - from)))
        .map(|(from, to)| truth.distance_m(from, to).expect("inside"))
        .sum();
    Row {
        measure: "the same without its gaps",
        reach: "-",
        measured: against(metres(total_mm - bridged_mm), truth_m),
    }
}

fn standing(fixes: &[Fix]) -> Row {
    let mut gate = Gate::default();
    let (mut standing_mm, mut seconds) = (0, 0);
    for fix in fixes {
        let (before_mm, _) = gate.odometer();
        let _ = gate.step(*fix, Verdict::Trusted);
        if fix.speed_mmps.is_some_and(|mmps| mmps < 500) {
            standing_mm += gate.odometer().0 - before_mm;
            seconds += 1;
        }
    }
    Row {
        measure: "F9K drive: distance while standing still",
        reach: "< 1 m",
        measured: format!("{:.3} m in {seconds} s below 0.5 m/s", metres(standing_mm)),
    }
}

fn jump() -> Row {
    let count = |speed_mmps| {
        let mut fixes: Vec<Fix> = (0..=120_i32)
            .map(|s| fix(i64::from(s) * 1_000, 10.0 * f64::from(s), 0.0, speed_mmps))
            .collect();
        let lat_e7 = fixes[60].position.lat_e7();
        fixes[60].position = Position::new(lat_e7, 179_700).expect("2 km east");
        metres(drive(&fixes).odometer().0)
    };
    let (spoken_m, silent_m) = (count(Some(10_000)), count(None));
    Row {
        measure: "synthetic: one 2 km jump in a trip of 1,200 m",
        reach: "1,200 m within 1 %",
        measured: format!("{spoken_m:.1} m; {silent_m:.1} m without a speed"),
    }
}

/// The worst of many seeds, with noise from white to slowly drifting.
fn parked_20_min() -> Row {
    let worst_mm = |speed: fn(&mut Noise) -> Option<u32>| {
        let seeds = (0..50).flat_map(|seed| [0.0, 0.9, 0.98, 0.995].map(|drift| (seed, drift)));
        let counted = seeds.map(|(seed, drift)| drive(&parked(seed, drift, speed)).odometer().0);
        metres(counted.max().unwrap_or(0))
    };
    let (spoken_m, silent_m) = (worst_mm(|noise| Some(noise.doppler_mmps())), worst_mm(|_| None));
    Row {
        measure: "synthetic: parked 20 min with 12 m of noise, worst of 200 runs",
        reach: "< 5 m",
        measured: format!("{spoken_m:.1} m; {silent_m:.1} m without a speed"),
    }
}

fn points(fixes: &[Fix]) -> Row {
    let kept = BOUNDS_M.map(|m| format!("{} within {m} m", simplify(fixes, m * 1_000).len()));
    Row {
        measure: "F9K drive: points kept at an error bound",
        reach: "-",
        measured: format!("of {}: {}", fixes.len(), kept.join(", ")),
    }
}
