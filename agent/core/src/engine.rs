//! The engine: one agent's whole state. What lasts is a fold over its journal.
//!
//! Inputs are judged by methods that return drafts of records. The shell has each numbered by
//! [`Engine::seal`], journals it and hands it to [`Engine::apply`], which alone changes the memory. A
//! record that could not be written has no effect, and a restart applies the same records again. The
//! senses move with every fix, journalled or not; a restart goes on from the newest record.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use tripline_protocol::assignment::AssignmentState;
use tripline_protocol::fix::{Fix, FixStamp};
use tripline_protocol::link::down::Command;
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::link::up::{
    CommandOutcome, Event, EventBody, Live, MotionState, Stream, Trouble, Waypoint,
};
use tripline_protocol::machine::Machine as _;
use tripline_protocol::meter::{Moment, Reading};
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::{Timestamp, Uptime};

use crate::clock::Clock;
use crate::desk::{Decision, DriverAction, DriverError, Offer, OtpTry, Trip};
pub use crate::draft::{Draft, Judged, Outcome};
use crate::fence::{Fences, Nearness};
use crate::memory::{Anchor, Memory};
use crate::motion::Change;
use crate::observation::Observation;
use crate::panel::{Indication, TripMoment};
use crate::record::{Record, fits};
use crate::sampler::{Duty, Sampler};
use crate::senses::Senses;
pub use crate::settings::{Cadence, Settings};
use crate::view::View;

/// How long a fix shows on the panel as having one, in ms: some missed seconds are no news.
const FIX_SHOWN_MS: i64 = 10_000;

/// The engine.
#[derive(Debug)]
pub struct Engine {
    memory: Memory,
    clock: Clock,
    /// The device's own settings, and what is in force: those from afar over them.
    base: Settings,
    settings: Settings,
    senses: Senses,
    sampler: Sampler<Reading>,
    fences: Option<Fences>,
    live_sent: Option<Uptime>,
}

impl Engine {
    /// An engine that goes on from `memory`. Over its own settings, `base`, lie those of the last command
    /// that set any, or `first`, which enrolment brought. `system` is the system clock at `now`, `floor`
    /// a time that has certainly passed, such as the build date.
    pub fn new(
        memory: Memory,
        base: Settings,
        first: &DeviceSettings,
        system: Timestamp,
        floor: Timestamp,
        now: Uptime,
    ) -> Self {
        let clock = Clock::new(system, floor, memory.last_known(), now);
        let above = memory.configured().map_or(*first, |configured| configured.settings);
        let settings = base.under(&above);
        let mut senses = Senses::new(settings.gate, settings.motion, now);
        let (counters, last) = memory.counters();
        senses.resume(counters, last);
        let sampler = Sampler::new(settings.trail, Duty::Moving);
        Self { memory, clock, base, settings, senses, sampler, fences: None, live_sent: None }
    }

    /// What the journal remembers.
    pub const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Numbers a record. Only then is it known what came before it.
    pub fn seal(&self, draft: Draft) -> Record {
        match draft {
            Draft::Fix { fix, reading } => {
                let sequence = self.memory.written(Stream::Trail).next();
                Record::Fix { sequence, fix, reading }
            }
            Draft::Event { event, command } => Record::Event {
                sequence: self.memory.written(Stream::Event).next(),
                trail: self.memory.written(Stream::Trail),
                event,
                command,
            },
            Draft::Anchor(anchor) => Record::Anchor(anchor),
        }
    }

    /// Takes over a record that is in the journal now. The only way the memory changes, and with it what
    /// is set from afar.
    pub fn apply(&mut self, record: &Record) {
        let before = self.memory.configured();
        self.memory.apply(record);
        let after = self.memory.configured();
        if let Some(configured) = after.filter(|_| after != before) {
            self.take_effect(&configured.settings);
        }
        if let (Some(fences), Some(trip)) = (&mut self.fences, self.memory.desk().trip()) {
            fences.follow(&trip.assignment);
        }
    }

    fn take_effect(&mut self, above: &DeviceSettings) {
        self.settings = self.base.under(above);
        self.senses.set_limits(self.settings.gate, self.settings.motion);
        self.sampler.set_policies(self.settings.trail);
        if let Some(fences) = &mut self.fences {
            fences.set_radius(self.settings.fence_radius_m);
        }
    }

    /// What is in force, if the backend was not told yet. To be asked after the boot and after a command.
    pub fn report(&self, now: Uptime) -> Option<Draft> {
        let settings = self.settings.told();
        let is_news = self.memory.running() != Some(&settings);
        is_news.then(|| self.event(EventBody::Running { settings }, now))
    }

    /// The agent started, and since when it had not been running.
    pub fn boot(&self, agent_version: &str, now: Uptime) -> Draft {
        let absent_since = self.memory.last_known().map(|last| last.at);
        let agent_version = String::from(agent_version);
        self.event(EventBody::Booted { absent_since, agent_version }, now)
    }

    /// Judges what the receiver said of one instant.
    pub fn handle_observation(&mut self, observation: &Observation, now: Uptime) -> Outcome {
        let mut drafts: Vec<Draft> = self.change_duty().into_iter().collect();
        let sensed = self.senses.observe(observation, self.clock.at(now), now);
        let fix = sensed.fix;
        let counts = fix.refused.is_none();
        // One that tells no date was dated by our own clock, which it cannot set.
        if counts && observation.at.is_some() {
            if !self.clock.has_gnss() {
                let anchor = Anchor { steady: self.clock.steady(now), at: fix.at };
                drafts.push(Draft::Anchor(anchor));
            }
            self.clock.discipline(fix.at, now);
        }
        let kept = self.sampler.push(fix, self.reading(now));
        drafts.extend(kept.into_iter().flatten().map(Draft::from));
        drafts.extend(self.tell_changes(&sensed.changes, now));
        drafts.extend(self.tell_nearness(&fix, now));
        let live = (counts && self.live_is_due(now)).then(|| {
            self.live_sent = Some(now);
            Live::from(&fix)
        });
        Outcome { drafts, live }
    }

    /// Takes in the ignition line; `None` where no line tells. A change is an event.
    pub fn handle_ignition(&mut self, on: Option<bool>, now: Uptime) -> Vec<Draft> {
        let before = self.senses.ignition();
        let changes = self.senses.handle_ignition(on, now);
        let mut drafts = self.tell_changes(&changes, now);
        if drafts.is_empty() && before != on {
            drafts.push(self.motion_event(now));
        }
        drafts
    }

    /// What has come to pass though nothing came in; what it tells is as late as it is called.
    pub fn handle_timeout(&mut self, now: Uptime) -> Vec<Draft> {
        let changes = self.senses.handle_timeout(now);
        let mut drafts = self.tell_changes(&changes, now);
        drafts.extend(self.change_duty());
        drafts
    }

    /// Judges what the driver did: what it calls for, or why it cannot be.
    pub fn handle_driver(
        &mut self,
        action: DriverAction,
        now: Uptime,
    ) -> Result<Judged, DriverError> {
        let outside_m = self.outside_pickup_m(now);
        let at = self.clock.at(now);
        let position = self.last_fix().map(|fix| fix.position);
        let moment = Moment { reading: self.reading(now), at: Some(at), position };
        Ok(match self.memory.desk().decide(action, at, &moment, outside_m)? {
            Decision::Done(body) => Judged::Done(self.with_held(body, now)),
            Decision::Count(body, otp) => Judged::Count(Box::new(self.event(body, now)), otp),
        })
    }

    /// Compares an OTP whose try is written: the records of the start, or why it cannot be.
    pub fn compare_otp(&mut self, otp: OtpTry, now: Uptime) -> Result<Vec<Draft>, DriverError> {
        let body = self.memory.desk().compare(otp)?;
        Ok(self.with_held(body, now))
    }

    /// The fix that the sampler holds back, and an event: the trail is to show where a trip's events were.
    fn with_held(&mut self, body: EventBody, now: Uptime) -> Vec<Draft> {
        let held = self.sampler.flush().map(Draft::from);
        held.into_iter().chain([self.event(body, now)]).collect()
    }

    /// Judges a command: its record, or `None` if it was taken in before.
    pub fn handle_command(&self, command: Command, now: Uptime) -> Option<Draft> {
        let mut outcome = self.memory.desk().judge(&command, self.clock.at(now))?;
        if outcome == CommandOutcome::Applied && !fits(&command) {
            outcome = CommandOutcome::Refused;
        }
        let event = self.told(EventBody::CommandDone { number: command.number, outcome }, now);
        // Of one without effect the report is all there is to keep.
        let applied = outcome == CommandOutcome::Applied;
        Some(Draft::Event { event, command: applied.then(|| Box::new(command)) })
    }

    /// Something is wrong with the device, or well again.
    pub fn trouble(&self, trouble: Trouble, present: bool, now: Uptime) -> Draft {
        self.event(EventBody::Trouble { trouble, present }, now)
    }

    /// The fix that the sampler holds back: the agent ends, or the receiver fell silent.
    pub fn flush(&mut self) -> Option<Draft> {
        self.sampler.flush().map(Draft::from)
    }

    /// What the counters show.
    pub fn reading(&self, now: Uptime) -> Reading {
        self.senses.reading(self.clock.steady(now))
    }

    /// The last fix that counted.
    pub const fn last_fix(&self) -> Option<FixStamp> {
        self.senses.last_fix()
    }

    /// What the driver sees.
    pub fn view(&self, now: Uptime) -> View {
        let at = self.clock.at(now);
        let (offer, trip) = (self.open_offer(at), self.memory.desk().trip());
        let (has_gnss, reading) = (self.clock.has_gnss(), self.reading(now));
        View::new(at, has_gnss, self.last_fix(), reading, offer, trip)
            .with_driver(self.memory.desk().sign_in())
            .with_motion(self.senses.motion(), self.senses.ignition())
    }

    /// What the panel shows of the offer, the trip and the fix; the rest is the shell's to say.
    pub fn indication(&self, now: Uptime) -> Indication {
        let at = self.clock.at(now);
        let recent = |fix: FixStamp| at.since_ms(fix.at) <= FIX_SHOWN_MS;
        Indication {
            has_fix: self.last_fix().is_some_and(recent),
            offer_waits: self.open_offer(at).is_some(),
            trip: self.memory.desk().trip().map(|trip| TripMoment {
                state: trip.state,
                needs_otp: trip.assignment.otp.is_some(),
                to_collect: trip.state == TripState::Ended
                    && trip.assignment.collect_cash
                    && trip.collected.is_none(),
                changed: trip.changed.is_any() && !trip.state.is_terminal(),
            }),
            ..Indication::default()
        }
    }

    fn open_offer(&self, at: Timestamp) -> Option<&Offer> {
        self.memory.desk().offer().filter(|offer| {
            offer.state == AssignmentState::Offered && offer.assignment.expires_at > at
        })
    }

    fn live_is_due(&self, now: Uptime) -> bool {
        let Cadence { live_on_trip_ms, live_idle_ms } = self.settings.cadence;
        let interval_ms = if self.memory.is_busy() { live_on_trip_ms } else { live_idle_ms };
        // Half a second of grace: fixes come a second apart, give or take the receiver's jitter.
        self.live_sent.is_none_or(|sent| now.since_ms(sent) + 500 >= interval_ms)
    }

    /// Lets the sampler know what the vehicle does; gives the fix it held back for another duty.
    fn change_duty(&mut self) -> Option<Draft> {
        let trip = self.memory.desk().trip().filter(|trip| !trip.state.is_terminal());
        let duty = match trip.map(|trip| trip.state) {
            Some(TripState::Started | TripState::Paused) => Duty::OnTrip,
            Some(TripState::Assigned | TripState::EnRouteToPickup | TripState::AtPickup) => {
                Duty::ToPickup
            }
            Some(TripState::Ended | TripState::Cancelled | TripState::NoShow) | None
                if self.senses.motion() == MotionState::Parked =>
            {
                Duty::Parked
            }
            Some(TripState::Ended | TripState::Cancelled | TripState::NoShow) | None => {
                Duty::Moving
            }
        };
        self.sampler.set_duty(duty).map(Draft::from)
    }

    /// Parking, moving off and overspeed are events; standing at a light is none.
    fn tell_changes(&mut self, changes: &[Change], now: Uptime) -> Vec<Draft> {
        let mut drafts = Vec::new();
        for change in changes {
            match *change {
                Change::State { from, to }
                    if from == MotionState::Parked || to == MotionState::Parked =>
                {
                    drafts.push(self.motion_event(now));
                }
                Change::State { .. } => {}
                Change::Overspeed { peak_mmps: speed_mmps, limit_mmps } => {
                    drafts.push(self.event(EventBody::Overspeed { speed_mmps, limit_mmps }, now));
                }
            }
        }
        drafts
    }

    fn motion_event(&self, now: Uptime) -> Draft {
        let (state, ignition) = (self.senses.motion(), self.senses.ignition());
        self.event(EventBody::Motion { state, ignition }, now)
    }

    /// Coming near the pickup before the start, and the drop after it, is an event, once each.
    fn tell_nearness(&mut self, fix: &Fix, now: Uptime) -> Option<Draft> {
        let trip = self.memory.desk().trip().filter(|trip| !trip.state.is_terminal());
        let Some(Trip { assignment, state, .. }) = trip else {
            self.fences = None;
            return None;
        };
        let place = match state {
            TripState::Started | TripState::Paused => Waypoint::Drop,
            TripState::Assigned
            | TripState::EnRouteToPickup
            | TripState::AtPickup
            | TripState::Ended
            | TripState::Cancelled
            | TripState::NoShow => Waypoint::Pickup,
        };
        let radius_m = self.settings.fence_radius_m;
        let fences = match &mut self.fences {
            Some(fences) if fences.trip() == assignment.trip => fences,
            other => other.insert(Fences::new(assignment, radius_m)),
        };
        let near = fences.step(place, now, fix);
        let trip = assignment.trip;
        near.then(|| self.event(EventBody::Near { trip, place }, now))
    }

    /// How far the pickup is, where the vehicle is known to be elsewhere.
    fn outside_pickup_m(&self, now: Uptime) -> Option<u32> {
        let assignment = &self.memory.desk().trip()?.assignment;
        let fences = self.fences.as_ref().filter(|fences| fences.trip() == assignment.trip);
        let nearness = if let Some(fences) = fences {
            fences.pickup(now)?
        } else {
            // No fix has come since the trip was taken: the last one before it tells.
            let seen = self.last_fix()?;
            let age_ms = u64::try_from(self.clock.at(now).since_ms(seen.at)).unwrap_or(0);
            Nearness::of(assignment.pickup.position, self.settings.fence_radius_m, seen, age_ms)?
        };
        (!nearness.inside).then_some(nearness.distance_m)
    }

    fn event(&self, body: EventBody, now: Uptime) -> Draft {
        Draft::Event { event: self.told(body, now), command: None }
    }

    fn told(&self, body: EventBody, now: Uptime) -> Event {
        let (at, reading, fix) = (self.clock.at(now), self.reading(now), self.last_fix());
        Event { at, gnss_time: self.clock.has_gnss(), reading, fix, body }
    }
}
