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
use tripline_protocol::unit::{Timestamp, Uptime};

use crate::clock::Clock;
use crate::desk::{DriverAction, DriverError};
use crate::memory::{Anchor, Memory};
use crate::record::Record;
use crate::timebase::TimeBase;
use crate::view::View;

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
        let reading = Reading { steady: self.clock.steady(now), odometer };
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
        let body = self.memory.desk().decide(action, self.clock.at(now), self.reading(now))?;
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
        Reading { steady: self.clock.steady(now), odometer: self.memory.gate().total() }
    }

    /// The last fix that counted.
    pub const fn last_fix(&self) -> Option<FixStamp> {
        self.memory.gate().last()
    }

    /// What the driver sees.
    pub fn view(&self, now: Uptime) -> View {
        let at = self.clock.at(now);
        let desk = self.memory.desk();
        let offer = desk.offer().filter(|offer| {
            offer.state == AssignmentState::Offered && offer.assignment.expires_at > at
        });
        View::new(at, self.clock.has_gnss(), self.last_fix(), self.reading(now), offer, desk.trip())
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
