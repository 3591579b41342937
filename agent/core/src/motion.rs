//! What the vehicle does: moving, standing or parked, with what its ignition says, and overspeed.
//!
//! Each state is left only after its opposite has lasted, so a traffic light is no parking and noise is
//! no drive. Refused fixes say nothing, and a vehicle that was moving when the receiver fell silent, as
//! in an underground garage, stands after as long as a standing one parks.

use tripline_protocol::fix::Fix;
pub use tripline_protocol::link::up::MotionState;
use tripline_protocol::unit::{Position, Uptime};

use crate::geodesy::distance_mm;

/// When a state is left. The defaults suit a taxi in a city.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MotionLimits {
    /// Speed below which a moving vehicle may stand, in mm/s: 0.5 m/s.
    pub standing_speed_mmps: u32,
    /// How long it must last, in ms: 5 s.
    pub standing_after_ms: u64,
    /// How long a vehicle stands until it is parked, in ms: 5 minutes.
    pub parked_after_ms: u64,
    /// The same with the ignition off, in ms: 1 minute.
    pub parked_ignition_off_ms: u64,
    /// Speed above which a vehicle moves, in mm/s: 1.5 m/s.
    pub moving_speed_mmps: u32,
    /// How long it must last, in ms: 3 s.
    pub moving_after_ms: u64,
    /// How far from where it stopped a vehicle has moved whatever its speed, in mm: 50 m.
    pub moving_distance_mm: u64,
    /// How many fixes in a row must lie there: 3.
    pub moving_distance_fixes: u8,
    /// Speed above which a vehicle is too fast, in mm/s; `None` for no limit.
    pub overspeed_mmps: Option<u32>,
    /// How long it must last to be told, in ms: 5 s.
    pub overspeed_after_ms: u64,
    /// How far below the limit the speed must fall to end it, in mm/s: 1 m/s.
    pub overspeed_hysteresis_mmps: u32,
}

impl Default for MotionLimits {
    fn default() -> Self {
        Self {
            standing_speed_mmps: 500,
            standing_after_ms: 5_000,
            parked_after_ms: 300_000,
            parked_ignition_off_ms: 60_000,
            moving_speed_mmps: 1_500,
            moving_after_ms: 3_000,
            moving_distance_mm: 50_000,
            moving_distance_fixes: 3,
            overspeed_mmps: None,
            overspeed_after_ms: 5_000,
            overspeed_hysteresis_mmps: 1_000,
        }
    }
}

/// The ignition input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ignition {
    /// No input is wired.
    #[default]
    Unknown,
    /// On.
    On,
    /// Off.
    Off,
}

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The state.
    State {
        /// The one before.
        from: MotionState,
        /// The one it is in.
        to: MotionState,
    },
    /// The vehicle is too fast, told once an episode.
    Overspeed {
        /// Highest speed so far, in mm/s.
        peak_mmps: u32,
        /// The limit, in mm/s.
        limit_mmps: u32,
    },
}

/// The state machine. Changes come out one at a time: ask [`Motion::handle_timeout`] again after each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Motion {
    limits: MotionLimits,
    state: MotionState,
    ignition: Ignition,
    /// Since when the state and the ignition are as they are.
    since: Uptime,
    ignition_since: Uptime,
    /// When a speed was last heard.
    heard: Uptime,
    /// Since when the speed has been that of the opposite state.
    turning_since: Option<Uptime>,
    /// Where it stopped, and how many fixes in a row lay far from there.
    stopped_at: Option<Position>,
    far_fixes: u8,
    speeding: Option<Speeding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Speeding {
    since: Uptime,
    peak_mmps: u32,
    told: bool,
}

impl Motion {
    /// A standing vehicle.
    pub fn new(limits: MotionLimits, now: Uptime) -> Self {
        Self { limits, since: now, ignition_since: now, heard: now, ..Self::default() }
    }

    /// Sets other limits. The state stays as it is, and so does since when; under another speed limit an
    /// episode of overspeed begins anew.
    pub fn set_limits(&mut self, limits: MotionLimits) {
        if self.limits.overspeed_mmps != limits.overspeed_mmps {
            self.speeding = None;
        }
        self.limits = limits;
    }

    /// What the vehicle does.
    pub const fn state(&self) -> MotionState {
        self.state
    }

    /// Takes in a judged fix and the ignition as it is; gives what that changes.
    pub fn step(&mut self, now: Uptime, fix: &Fix, ignition: Ignition) -> Option<Change> {
        self.handle_ignition(ignition, now);
        if fix.refused.is_none() {
            self.see_place(fix.position);
            if let Some(mmps) = fix.speed_mmps {
                self.see_speed(mmps, now);
            }
        }
        self.handle_timeout(now)
    }

    /// Takes in the ignition.
    pub fn handle_ignition(&mut self, ignition: Ignition, now: Uptime) {
        if self.ignition != ignition {
            self.ignition = ignition;
            self.ignition_since = now;
        }
    }

    /// When something changes though nothing comes in.
    pub fn poll_timeout(&self) -> Option<Uptime> {
        self.state_due().into_iter().chain(self.overspeed_due()).min()
    }

    /// Gives what has changed by now, if anything.
    pub fn handle_timeout(&mut self, now: Uptime) -> Option<Change> {
        if self.has_gone() || self.state_due().is_some_and(|due| due <= now) {
            let next = match self.state {
                MotionState::Moving => MotionState::Standing,
                MotionState::Standing if self.is_leaving() => MotionState::Moving,
                MotionState::Parked => MotionState::Moving,
                MotionState::Standing => MotionState::Parked,
            };
            return Some(self.enter(next, now));
        }
        let limit_mmps = self.limits.overspeed_mmps?;
        self.overspeed_due().filter(|due| *due <= now)?;
        let speeding = self.speeding.as_mut()?;
        speeding.told = true;
        Some(Change::Overspeed { peak_mmps: speeding.peak_mmps, limit_mmps })
    }

    const fn enter(&mut self, state: MotionState, now: Uptime) -> Change {
        // A vehicle that parks stands where it stood.
        if !matches!(state, MotionState::Parked) {
            self.stopped_at = None;
        }
        let from = core::mem::replace(&mut self.state, state);
        self.since = now;
        self.turning_since = None;
        self.far_fixes = 0;
        Change::State { from, to: state }
    }

    fn is_leaving(&self) -> bool {
        self.has_gone() || self.turned(self.limits.moving_after_ms).is_some()
    }

    const fn has_gone(&self) -> bool {
        self.far_fixes > 0 && self.far_fixes >= self.limits.moving_distance_fixes
    }

    fn state_due(&self) -> Option<Uptime> {
        match self.state {
            MotionState::Moving => self
                .turned(self.limits.standing_after_ms)
                .or_else(|| Some(self.rest_due(self.since.max(self.heard)))),
            MotionState::Parked => self.turned(self.limits.moving_after_ms),
            MotionState::Standing => {
                self.turned(self.limits.moving_after_ms).or_else(|| Some(self.rest_due(self.since)))
            }
        }
    }

    /// When the opposite state had lasted, by what was heard: one fix and then silence say nothing.
    fn turned(&self, after_ms: u64) -> Option<Uptime> {
        let due = self.turning_since?.plus_ms(after_ms);
        (due <= self.heard).then_some(due)
    }

    /// When a vehicle that has not driven since `since`, or not been heard, comes to rest.
    fn rest_due(&self, since: Uptime) -> Uptime {
        let long = since.plus_ms(self.limits.parked_after_ms);
        if self.ignition == Ignition::Off {
            let off_since = since.max(self.ignition_since);
            long.min(off_since.plus_ms(self.limits.parked_ignition_off_ms))
        } else {
            long
        }
    }

    fn overspeed_due(&self) -> Option<Uptime> {
        let speeding = self.speeding.filter(|speeding| !speeding.told)?;
        let due = speeding.since.plus_ms(self.limits.overspeed_after_ms);
        (due <= self.heard).then_some(due)
    }

    fn see_place(&mut self, position: Position) {
        if self.state == MotionState::Moving {
            return;
        }
        let stopped_at = *self.stopped_at.get_or_insert(position);
        let is_far = distance_mm(stopped_at, position) >= self.limits.moving_distance_mm;
        self.far_fixes = if is_far { self.far_fixes.saturating_add(1) } else { 0 };
    }

    fn see_speed(&mut self, mmps: u32, now: Uptime) {
        self.heard = now;
        let turns = match self.state {
            MotionState::Moving => mmps < self.limits.standing_speed_mmps,
            MotionState::Standing | MotionState::Parked => mmps > self.limits.moving_speed_mmps,
        };
        self.turning_since = turns.then(|| self.turning_since.unwrap_or(now));
        let Some(limit_mmps) = self.limits.overspeed_mmps else { return };
        self.speeding = match self.speeding {
            None => {
                (mmps > limit_mmps).then_some(Speeding { since: now, peak_mmps: mmps, told: false })
            }
            Some(speeding) => {
                // An episode ends well below the limit; one not told yet, at once.
                let margin_mmps =
                    if speeding.told { self.limits.overspeed_hysteresis_mmps } else { 0 };
                let peak_mmps = speeding.peak_mmps.max(mmps);
                let goes_on = mmps > limit_mmps.saturating_sub(margin_mmps);
                goes_on.then_some(Speeding { peak_mmps, ..speeding })
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use tripline_protocol::fix::{FixType, Refusal};
    use tripline_protocol::unit::Timestamp;

    fn fix(second: u64, metres: i32, speed_mmps: u32) -> Fix {
        Fix {
            at: Timestamp::from_unix_ms(second.cast_signed() * 1_000),
            position: Position::new(metres * 904 / 10, 0).expect("on the globe"),
            speed_mmps: Some(speed_mmps),
            course_cdeg: None,
            altitude_mm: None,
            satellites: None,
            hdop_c: None,
            accuracy_mm: None,
            fix_type: FixType::ThreeD,
            refused: None,
        }
    }

    /// Seconds and changes when each second from 1 on has this place and speed.
    fn run(motion: &mut Motion, ignition: Ignition, course: &[(i32, u32)]) -> Vec<(usize, Change)> {
        let step = |(second, (metres, mmps)): (usize, &(i32, u32))| {
            let now = second as u64 + 1;
            let change =
                motion.step(Uptime::from_ms(now * 1_000), &fix(now, *metres, *mmps), ignition);
            change.map(|change| (second + 1, change))
        };
        course.iter().enumerate().filter_map(step).collect()
    }

    const fn change(from: MotionState, to: MotionState) -> Change {
        Change::State { from, to }
    }

    const MOVING: Change = change(MotionState::Standing, MotionState::Moving);
    const STANDING: Change = change(MotionState::Moving, MotionState::Standing);
    const PARKED: Change = change(MotionState::Standing, MotionState::Parked);
    const UNPARKED: Change = change(MotionState::Parked, MotionState::Moving);

    #[test]
    fn each_state_is_left_once_its_opposite_has_lasted() {
        let mut motion = Motion::default();
        let course = [&[(0, 5_000); 10][..], &[(0, 0); 400], &[(0, 5_000); 4]].concat();
        let changes = run(&mut motion, Ignition::Unknown, &course);
        assert_eq!(changes, [(4, MOVING), (16, STANDING), (316, PARKED), (414, UNPARKED)]);
    }

    #[test]
    fn a_short_stop_and_a_short_burst_change_nothing() {
        let mut motion = Motion::default();
        run(&mut motion, Ignition::On, &[(0, 5_000); 10]);
        let course = [[(0, 100); 5], [(0, 800); 5], [(0, 100); 5]].concat();
        assert_eq!(run(&mut motion, Ignition::On, &course), []);
        let mut motion = Motion::default();
        let course = [[(0, 9_000); 3], [(0, 900); 3], [(0, 9_000); 3]].concat();
        assert_eq!(run(&mut motion, Ignition::On, &course), []);
    }

    #[test]
    fn with_its_ignition_off_a_vehicle_parks_after_a_minute_also_without_fixes() {
        let mut motion = Motion::default();
        motion.handle_ignition(Ignition::Off, Uptime::from_ms(20_000));
        assert_eq!(motion.poll_timeout(), Some(Uptime::from_ms(80_000)));
        assert_eq!(motion.handle_timeout(Uptime::from_ms(79_999)), None);
        assert_eq!(motion.handle_timeout(Uptime::from_ms(80_000)), Some(PARKED));
        assert_eq!(motion.poll_timeout(), None);
    }

    #[test]
    fn a_vehicle_not_heard_of_since_it_drove_comes_to_rest() {
        let mut motion = Motion::default();
        run(&mut motion, Ignition::Unknown, &[(0, 5_000); 10]);
        assert_eq!(motion.handle_timeout(Uptime::from_ms(309_999)), None);
        assert_eq!(motion.handle_timeout(Uptime::from_ms(310_000)), Some(STANDING));
        assert_eq!(motion.poll_timeout(), Some(Uptime::from_ms(610_000)));
    }

    #[test]
    fn a_vehicle_far_from_where_it_stopped_has_moved_whatever_its_speed_says() {
        let mut motion = Motion::default();
        let course = [[(0, 0); 3], [(60, 0); 3]].concat();
        assert_eq!(run(&mut motion, Ignition::On, &course), [(6, MOVING)]);
        let mut motion = Motion::default();
        let course = [(0, 0), (60, 0), (60, 0), (1, 0), (60, 0), (60, 0)];
        assert_eq!(run(&mut motion, Ignition::On, &course), [], "noise comes back");
    }

    #[test]
    fn one_fast_fix_and_then_silence_is_neither_a_drive_nor_overspeed() {
        let limits = MotionLimits { overspeed_mmps: Some(20_000), ..MotionLimits::default() };
        let mut motion = Motion::new(limits, Uptime::default());
        assert_eq!(motion.step(Uptime::from_ms(1_000), &fix(1, 0, 30_000), Ignition::On), None);
        assert_eq!(motion.handle_timeout(Uptime::from_ms(60_000)), None);
        assert_eq!(motion.handle_timeout(Uptime::from_ms(301_000)), Some(PARKED));
    }

    #[test]
    fn refused_fixes_say_nothing() {
        let mut motion = Motion::default();
        for second in 1..100 {
            let refused = Some(Refusal::Jump);
            let fix = Fix { refused, ..fix(second, 900, 30_000) };
            assert_eq!(motion.step(Uptime::from_ms(second * 1_000), &fix, Ignition::On), None);
        }
    }

    #[test]
    fn an_episode_of_overspeed_is_told_once_with_its_peak() {
        let limits = MotionLimits { overspeed_mmps: Some(20_000), ..MotionLimits::default() };
        let mut motion = Motion::new(limits, Uptime::default());
        let course = [
            &[(0, 15_000); 10][..],
            &[(0, 21_000); 3], // too short
            &[(0, 20_000); 3],
            &[(0, 21_000), (0, 24_000), (0, 22_000), (0, 22_000), (0, 22_000), (0, 22_000)],
            &[(0, 19_500), (0, 30_000), (0, 19_500)], // still the same episode
            &[(0, 19_000)],
            &[(0, 20_500); 6],
        ];
        let changes = run(&mut motion, Ignition::On, &course.concat());
        let told = |peak_mmps| Change::Overspeed { peak_mmps, limit_mmps: 20_000 };
        assert_eq!(changes, [(4, MOVING), (22, told(24_000)), (32, told(20_500))]);
    }
}
