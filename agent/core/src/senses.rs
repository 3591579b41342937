//! The senses: an observation becomes a fix that counts or is refused, and says what the vehicle does.
//!
//! The agent and `tripline-agent decode` share this code: what a recording shows is what the vehicle
//! would have made of it.

use alloc::vec::Vec;

use tripline_protocol::fix::{Fix, FixStamp};
use tripline_protocol::link::up::MotionState;
use tripline_protocol::meter::Reading;
use tripline_protocol::unit::{Odometer, Steady, Timestamp, Uptime};

use crate::calendar::nearest;
use crate::gate::{Gate, GateLimits};
use crate::motion::{Change, Ignition, Motion, MotionLimits};
use crate::observation::Observation;
use crate::timebase::TimeBase;

/// What the senses know.
#[derive(Debug)]
pub struct Senses {
    time_base: TimeBase,
    gate: Gate,
    motion: Motion,
    ignition: Ignition,
    /// Fixes heard, and of those the refused ones.
    fixes: u64,
    refused: u64,
    trust_next: bool,
}

/// What an observation is to the vehicle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sensed {
    /// The fix, marked if it is refused.
    pub fix: Fix,
    /// What the vehicle begins or ceases to do.
    pub changes: Vec<Change>,
}

impl Senses {
    /// Fresh senses at `now`.
    pub fn new(gate: GateLimits, motion: MotionLimits, now: Uptime) -> Self {
        Self {
            time_base: TimeBase::default(),
            gate: Gate::new(gate),
            motion: Motion::new(motion, now),
            ignition: Ignition::Unknown,
            fixes: 0,
            refused: 0,
            trust_next: false,
        }
    }

    /// Goes on where another process stopped.
    pub fn resume(&mut self, counters: &Reading, last: Option<FixStamp>) {
        self.gate.resume(counters.odometer.mm, counters.bridged.mm, last);
        (self.fixes, self.refused) = (counters.fixes, counters.refused);
    }

    /// Sets other limits. Odometer, state and what was heard so far stay as they are.
    pub fn set_limits(&mut self, gate: GateLimits, motion: MotionLimits) {
        self.gate.set_limits(gate);
        self.motion.set_limits(motion);
    }

    /// Takes the time of the next observation as it stands: in a recording no clock can be carried away.
    pub const fn trust_next(&mut self) {
        self.trust_next = true;
    }

    /// Judges an observation. One without a date is taken for the nearest to `about`.
    pub fn observe(&mut self, observation: &Observation, about: Timestamp, now: Uptime) -> Sensed {
        let of_day = || observation.time_of_day.map(|time| nearest(time, about));
        let at = observation.at.or_else(of_day).unwrap_or(about);
        if core::mem::take(&mut self.trust_next) {
            self.time_base = TimeBase::trusting(at, now);
        }
        let verdict = self.time_base.judge(at, now);
        let fix = self.gate.step(observation.fix(at), verdict);
        self.fixes = self.fixes.saturating_add(1);
        self.refused = self.refused.saturating_add(u64::from(fix.refused.is_some()));
        let first = self.motion.step(now, &fix, self.ignition);
        Sensed { fix, changes: self.all_changes(first, now) }
    }

    /// Takes in the ignition line; `None` where no line tells.
    pub fn handle_ignition(&mut self, on: Option<bool>, now: Uptime) -> Vec<Change> {
        self.ignition = match on {
            None => Ignition::Unknown,
            Some(true) => Ignition::On,
            Some(false) => Ignition::Off,
        };
        self.motion.handle_ignition(self.ignition, now);
        self.all_changes(None, now)
    }

    /// What has changed though nothing came in.
    pub fn handle_timeout(&mut self, now: Uptime) -> Vec<Change> {
        self.all_changes(None, now)
    }

    fn all_changes(&mut self, first: Option<Change>, now: Uptime) -> Vec<Change> {
        let mut changes = Vec::from_iter(first);
        while let Some(change) = self.motion.handle_timeout(now) {
            changes.push(change);
        }
        changes
    }

    /// What the counters show, with the steady clock's word.
    pub const fn reading(&self, steady: Steady) -> Reading {
        let (total_mm, bridged_mm) = self.gate.odometer();
        Reading {
            steady,
            odometer: Odometer { mm: total_mm },
            bridged: Odometer { mm: bridged_mm },
            fixes: self.fixes,
            refused: self.refused,
        }
    }

    /// The last fix that counted.
    pub const fn last_fix(&self) -> Option<FixStamp> {
        self.gate.last()
    }

    /// What the vehicle does.
    pub const fn motion(&self) -> MotionState {
        self.motion.state()
    }

    /// Whether the ignition is on, where a line tells.
    pub const fn ignition(&self) -> Option<bool> {
        match self.ignition {
            Ignition::Unknown => None,
            Ignition::On => Some(true),
            Ignition::Off => Some(false),
        }
    }
}
