//! The engine: one agent's whole state, a fold over its journal.
//!
//! Inputs are judged by methods that return the records they call for and leave the memory alone; a
//! fix also sets the clock. The shell journals the records and then hands each to [`Engine::apply`],
//! which alone changes the memory. A record that could not be written has no effect, and a restart
//! applies the same records again.

use alloc::boxed::Box;
use alloc::string::String;

use tripline_protocol::assignment::AssignmentState;
use tripline_protocol::fix::{Fix, FixStamp};
use tripline_protocol::link::down::Command;
use tripline_protocol::link::up::{Event, EventBody, Live, Stream};
use tripline_protocol::meter::Reading;
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::{Odometer, Timestamp, Uptime};

use crate::clock::Clock;
use crate::desk::{DriverAction, DriverError, Offer};
use crate::memory::{Anchor, Memory};
use crate::panel::{Indication, TripMoment};
use crate::record::Record;
use crate::timebase::TimeBase;
use crate::view::View;

/// How long a fix shows on the panel as having one, in ms: some missed seconds are no news.
const FIX_SHOWN_MS: i64 = 10_000;

/// How often things are sent, by what the vehicle does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// Between live positions on a trip, in ms.
    pub live_on_trip_ms: u64,
    /// Between live positions otherwise, in ms.
    pub live_idle_ms: u64,
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    memory: Memory,
    clock: Clock,
    cadence: Cadence,
    time_base: TimeBase,
    live_sent: Option<Uptime>,
    anchor_due: Option<Anchor>,
}

impl Engine {
    /// An engine that goes on from `memory`. `system` is the system clock at `now`, `floor` a time
    /// that has certainly passed, such as the build date.
    pub fn new(
        memory: Memory,
        cadence: Cadence,
        system: Timestamp,
        floor: Timestamp,
        now: Uptime,
    ) -> Self {
        let clock = Clock::new(system, floor, memory.last_known(), now);
        let time_base = TimeBase::default();
        Self { memory, clock, cadence, time_base, live_sent: None, anchor_due: None }
    }

    /// What the journal remembers.
    pub const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Takes over a record that is in the journal now. The only way state changes.
    pub fn apply(&mut self, record: &Record) {
        self.memory.apply(record);
    }

    /// The record that says the agent started, and since when it had not been running.
    pub fn boot(&self, agent_version: &str, now: Uptime) -> Record {
        let absent_since = self.memory.last_known().map(|last| last.at);
        let agent_version = String::from(agent_version);
        self.event(EventBody::Booted { absent_since, agent_version }, None, now)
    }

    /// Judges a fix from the receiver: its record, and the live position if one is due.
    pub fn handle_fix(&mut self, fix: Fix, now: Uptime) -> (Record, Option<Live>) {
        let time = self.time_base.judge(fix.at, now);
        let (fix, odometer) = self.memory.gate().judge(fix, time);
        if fix.refused.is_none() {
            if !self.clock.has_gnss() {
                self.anchor_due = Some(Anchor { steady: self.clock.steady(now), at: fix.at });
            }
            self.clock.discipline(fix.at, now);
        }
        let sequence = self.memory.written(Stream::Trail).next();
        let reading = Reading { odometer, ..self.reading(now) };
        let live = (fix.refused.is_none() && self.live_is_due(now)).then(|| {
            self.live_sent = Some(now);
            Live::from(&fix)
        });
        (Record::Fix { sequence, fix, reading }, live)
    }

    /// The record that lets the events before the first GNSS time be dated by it, once.
    pub fn poll_anchor(&mut self) -> Option<Record> {
        self.anchor_due.take().map(Record::Anchor)
    }

    fn live_is_due(&self, now: Uptime) -> bool {
        let interval_ms = if self.memory.is_busy() {
            self.cadence.live_on_trip_ms
        } else {
            self.cadence.live_idle_ms
        };
        // Half a second of grace: fixes come a second apart, give or take the receiver's jitter.
        self.live_sent.is_none_or(|sent| now.since_ms(sent) + 500 >= interval_ms)
    }

    /// Judges what the driver did: its record, or why it cannot be.
    pub fn handle_driver(&self, action: DriverAction, now: Uptime) -> Result<Record, DriverError> {
        let body =
            self.memory.desk().decide(action, self.clock.at(now), self.reading(now), None)?;
        Ok(self.event(body, None, now))
    }

    /// Judges a command: its record, or `None` if it was taken in before.
    pub fn handle_command(&self, command: Command, now: Uptime) -> Option<Record> {
        let outcome = self.memory.desk().judge(&command, self.clock.at(now))?;
        let body = EventBody::CommandDone { number: command.number, outcome };
        Some(self.event(body, Some(Box::new(command)), now))
    }

    /// Steady clock and odometer.
    pub fn reading(&self, now: Uptime) -> Reading {
        Reading {
            steady: self.clock.steady(now),
            odometer: self.memory.gate().total(),
            bridged: Odometer::default(),
        }
    }

    /// The last fix that counted.
    pub const fn last_fix(&self) -> Option<FixStamp> {
        self.memory.gate().last()
    }

    /// What the driver sees.
    pub fn view(&self, now: Uptime) -> View {
        let at = self.clock.at(now);
        let (offer, trip) = (self.open_offer(at), self.memory.desk().trip());
        View::new(at, self.clock.has_gnss(), self.last_fix(), self.reading(now), offer, trip)
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
            }),
            ..Indication::default()
        }
    }

    fn open_offer(&self, at: Timestamp) -> Option<&Offer> {
        self.memory.desk().offer().filter(|offer| {
            offer.state == AssignmentState::Offered && offer.assignment.expires_at > at
        })
    }

    fn event(&self, body: EventBody, command: Option<Box<Command>>, now: Uptime) -> Record {
        let event = Event {
            at: self.clock.at(now),
            reading: self.reading(now),
            fix: self.last_fix(),
            body,
        };
        Record::Event {
            sequence: self.memory.written(Stream::Event).next(),
            trail: self.memory.written(Stream::Trail),
            gnss_time: self.clock.has_gnss(),
            event,
            command,
        }
    }
}
