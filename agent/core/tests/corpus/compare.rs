//! The comparison with gpsd.
//!
//! Instants are compared, not reports: gpsd reports one instant several times, and every report with
//! a position must be borne out. A report with a time is by an observation of that time (within 1 ms)
//! at its place (within 1e-7 degree); one without a time by any observation at its place. The other
//! way, every observation must have a report of its time and place, or, as long as gpsd has reported
//! no time at all, a report without one at its place. What is left over is a deviation.

use tripline_agent_core::calendar::ROLLOVER_MS;
use tripline_agent_core::observation::Observation;

use super::report::Report;

/// Degrees within which two places are one.
const PLACE_DEG: f64 = 1e-7;

/// Milliseconds within which two times are one.
const TIME_MS: u64 = 1;

/// How gpsd and the agent differ in one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deviation {
    /// gpsd alone has the instant, or another place for it.
    OnlyGpsd,
    /// The agent alone has it.
    OnlyOurs,
    /// Both have it; the agent's time is so many GPS week rollovers later.
    Rollovers(i64),
}

/// The comparison of one log.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Instants that either has.
    pub(crate) instants: usize,
    /// Where they differ: how, and the Unix time in ms where it is known.
    pub(crate) deviations: Vec<(Deviation, Option<i64>)>,
}

impl Comparison {
    /// Instants in which gpsd and the agent agree.
    pub(crate) fn equal(&self) -> usize {
        self.instants - self.deviations.len()
    }
}

/// Compares all that came of one log.
pub(crate) fn compare(ours: &[Observation], theirs: &[Report]) -> Comparison {
    let mut comparison = Comparison { instants: ours.len(), deviations: Vec::new() };
    for observation in ours {
        let rollovers = || theirs.iter().find_map(|report| rollovers(observation, report));
        if !theirs.iter().any(|report| agree(observation, report)) {
            let deviation = rollovers().map_or(Deviation::OnlyOurs, Deviation::Rollovers);
            let untimed = theirs.iter().any(|report| agree_untimed(observation, report, theirs));
            if deviation != Deviation::OnlyOurs || !untimed {
                comparison.deviations.push((deviation, unix_ms(observation)));
            }
        }
    }
    for report in theirs {
        let borne_out = ours.iter().any(|observation| {
            agree(observation, report)
                || rollovers(observation, report).is_some()
                || report.unix_ms.is_none() && same_place(observation, report)
        });
        let deviation = (Deviation::OnlyGpsd, report.unix_ms);
        if !borne_out && !comparison.deviations.contains(&deviation) {
            comparison.instants += 1;
            comparison.deviations.push(deviation);
        }
    }
    comparison
}

/// Whether gpsd has reported the place of an instant before it reported any time.
fn agree_untimed(observation: &Observation, report: &Report, theirs: &[Report]) -> bool {
    let first_timed = theirs.iter().find_map(|report| report.unix_ms);
    let before_any = match (unix_ms(observation), first_timed) {
        (Some(ours), Some(theirs)) => ours < theirs,
        _ => true,
    };
    before_any && report.unix_ms.is_none() && same_place(observation, report)
}

fn unix_ms(observation: &Observation) -> Option<i64> {
    observation.at.map(|at| at.unix_ms)
}

fn agree(observation: &Observation, report: &Report) -> bool {
    let same_time = match (unix_ms(observation), report.unix_ms) {
        (Some(ours), Some(theirs)) => ours.abs_diff(theirs) <= TIME_MS,
        (None, None) => true,
        _ => false,
    };
    same_time && same_place(observation, report)
}

fn rollovers(observation: &Observation, report: &Report) -> Option<i64> {
    let later_ms = unix_ms(observation)? - report.unix_ms?;
    let whole = later_ms != 0 && later_ms % ROLLOVER_MS == 0;
    (whole && same_place(observation, report)).then_some(later_ms / ROLLOVER_MS)
}

fn same_place(observation: &Observation, report: &Report) -> bool {
    let position = observation.position;
    (position.lat_deg() - report.lat_deg).abs() <= PLACE_DEG
        && (position.lon_deg() - report.lon_deg).abs() <= PLACE_DEG
}
