//! A trip as the platform has it: two readings of one machine, and the record they are read from.
//!
//! `state` is what the order was told and stands by; it never goes back. `driven` is what the vehicle
//! reported, by the device's own table. Most of the time they are the same. Where they are not, what was told
//! stands and a case says so; `docs/trips.md` has every crossing.

mod fact;
mod record;

use serde::{Deserialize, Serialize};
use tripline_protocol::fare::{Fare, Usage};
use tripline_protocol::fix::FixStamp;
use tripline_protocol::id::{CommandNumber, TripId};
use tripline_protocol::link::down::DriveVerb;
use tripline_protocol::machine::Machine as _;
use tripline_protocol::meter::{Meter, Reading};
use tripline_protocol::terms::Terms;
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::Timestamp;

pub use self::fact::{By, Measured, OtpCheck, Outcome, Step, TripFact};
use super::course::Heard;
use super::effect::Phase;
use super::order::Vehicle;
use super::passage::Passage;

/// Most facts kept of a trip; the device's events are kept apart, all of them.
pub const FACTS_MAX: usize = 256;

/// Of those, facts that are kept for the ends of a trip, however often it was paused.
pub const FACTS_RESERVED: usize = 16;

/// OTPs that may be tried before a dispatcher has to unlock the next.
pub const OTP_TRIES_MAX: u32 = 5;

/// A start that is heard of so much later was made with no network, in ms.
pub const OFFLINE_MS_MIN: i64 = 60_000;

/// Most commands to drive that are remembered of a trip.
pub const ASKED_MAX: usize = 32;

/// A step that a dispatcher asked the device for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The command that carries it.
    pub number: CommandNumber,
    /// Which step.
    pub verb: DriveVerb,
    /// Who asked.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// What a vehicle goes by that has not taken its rider's last change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// The terms that its meter runs on.
    pub terms: Terms,
    /// Whether it goes to another pickup than the order's.
    pub pickup: bool,
}

/// That a trip was closed without its device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// By whom.
    pub by: By,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// What was heard of its device's trail by then, behind its last event, of a ride that was under way.
    #[serde(default)]
    pub heard: Option<Heard>,
}

/// What became of a trip's OTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtpRecord {
    /// How often one was tried since it was last unlocked, as the device tells.
    pub tries: u32,
    /// Whether the start was made with no network, where nobody but the device could check it.
    pub offline_start: bool,
}

impl OtpRecord {
    /// Whether the device asks no more until it is unlocked.
    pub const fn is_locked(&self) -> bool {
        self.tries >= OTP_TRIES_MAX
    }
}

/// What a vehicle did for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// Its id.
    pub id: TripId,
    /// Who drives.
    pub vehicle: Vehicle,
    /// Whether the order was given to this vehicle; if not, it drove in the order's name all the same.
    pub ours: bool,
    /// Where it stands for the order: what the rider's platform was told. Never goes back.
    pub state: TripState,
    /// Where it stands in the vehicle, as far as it was heard.
    pub driven: TripState,
    /// Whether the vehicle is held for this trip.
    pub held: bool,
    /// The phase the rider's platform was last told.
    pub phase: Phase,
    /// When that phase began, by the device's clock. Never goes back.
    pub phase_at: Timestamp,
    /// The meter over what was driven.
    pub meter: Meter,
    /// What the device's counters last showed in an event of this trip.
    pub reading: Reading,
    /// What the vehicle said the rider owes, once it stopped.
    pub vehicle_fare: Option<Fare>,
    /// The fix at the start.
    pub start_fix: Option<FixStamp>,
    /// The fix at the stop.
    pub stop_fix: Option<FixStamp>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When it was over for the order: told as ended, cancelled or not come to.
    pub ended_at: Option<Timestamp>,
    /// The OTP.
    pub otp: OtpRecord,
    /// Steps that dispatchers asked for and the device has not reported on.
    pub asked: Vec<Asked>,
    /// What the vehicle goes by as long as it has not taken the rider's last change.
    #[serde(default)]
    pub behind: Option<Box<Behind>>,
    /// That it was closed without its device.
    pub closed: Option<Closed>,
    /// Until when its device was heard, as far as somebody looked.
    pub heard_at: Timestamp,
    /// When it is to be looked at whether its device is still heard.
    pub look_at: Option<Timestamp>,
    /// What happened, in that order.
    pub facts: Vec<TripFact>,
    /// How many facts there was no room for.
    pub facts_left_out: u32,
}

impl Trip {
    /// A trip that a driver accepted at `happened`, which we learn at `at`.
    pub fn accepted(id: TripId, vehicle: Vehicle, happened: Timestamp, at: Timestamp) -> Self {
        let mut trip = Self::of_nobody(id, vehicle, at);
        trip.ours = true;
        trip.held = true;
        trip.phase_at = happened;
        trip.note(happened, at, Step::Accepted, By::Device, String::new());
        trip
    }

    /// A trip that a vehicle drives though the order is not its own any more.
    pub fn not_ours(id: TripId, vehicle: Vehicle, at: Timestamp) -> Self {
        let mut trip = Self::of_nobody(id, vehicle, at);
        trip.state = TripState::Cancelled;
        trip.phase = Phase::Cancelled;
        trip.ended_at = Some(at);
        trip
    }

    fn of_nobody(id: TripId, vehicle: Vehicle, at: Timestamp) -> Self {
        Self {
            id,
            vehicle,
            ours: false,
            state: TripState::INITIAL,
            driven: TripState::INITIAL,
            held: false,
            phase: Phase::Assigned,
            phase_at: at,
            meter: Meter::default(),
            reading: Reading::default(),
            vehicle_fare: None,
            start_fix: None,
            stop_fix: None,
            accepted_at: at,
            ended_at: None,
            otp: OtpRecord::default(),
            asked: Vec::new(),
            behind: None,
            closed: None,
            heard_at: at,
            look_at: None,
            facts: Vec::new(),
            facts_left_out: 0,
        }
    }

    /// Whether it goes on as far as the order is concerned.
    pub fn is_live(&self) -> bool {
        !self.state.is_terminal()
    }

    /// Whether the rider is aboard as far as the order is concerned.
    pub const fn is_under_way(&self) -> bool {
        matches!(self.state, TripState::Started | TripState::Paused)
    }

    /// Whether the vehicle has driven the rider, or does.
    pub const fn was_driven(&self) -> bool {
        matches!(self.driven, TripState::Started | TripState::Paused | TripState::Ended)
    }

    /// What was used up to the last reading that was heard.
    pub fn usage(&self) -> Usage {
        self.meter.usage(self.reading)
    }

    /// When its meter was last told of by its device, and what the counters showed. `None` if not every fact
    /// is kept.
    pub fn last_told(&self) -> Option<(Timestamp, Reading)> {
        if self.facts_left_out > 0 {
            return None;
        }
        let counts = |fact: &TripFact| {
            let is_metered = matches!(fact.step, Step::Moved(_) | Step::Extra(_));
            let measured = fact.measured.filter(|_| is_metered && fact.outcome.refused().is_none());
            Some((fact.at, measured?.reading))
        };
        self.facts.iter().rev().find_map(counts)
    }

    /// What a trail tells of the ride between the last event and its closing.
    pub(in crate::domain) fn heard_of(
        &self,
        trail: &[Passage],
        closed_at: Timestamp,
    ) -> Option<Heard> {
        let (since, _) = self.last_told().filter(|_| self.is_under_way())?;
        let heard = Heard::of(trail, since, closed_at)?;
        Some(if self.driven == TripState::Started { heard } else { heard.in_pause() })
    }

    /// What was used as far as it was heard: up to the last event, and from there on along the trail.
    pub(in crate::domain) fn usage_heard(&self, heard: Option<Heard>) -> Usage {
        let last = self.last_told().map_or(self.reading, |(_, reading)| reading);
        self.meter.usage(heard.map_or(last, |heard| heard.after(last)))
    }

    /// Whether its device is not heard any more at `now`, if it was last heard at `heard`.
    pub fn is_silent(&self, heard: Timestamp, silent_ms: i64, now: Timestamp) -> bool {
        self.is_live() && now.since_ms(heard.max(self.heard_at)) > silent_ms
    }
}
