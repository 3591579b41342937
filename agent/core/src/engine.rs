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
use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::down::{Command, CommitAck};
use tripline_protocol::link::up::{Event, EventBody, Live, Stream};
use tripline_protocol::meter::Reading;
use tripline_protocol::unit::{Odometer, Steady, Timestamp, Uptime};

use crate::clock::{Clock, LastKnown};
use crate::desk::{Desk, DriverAction, DriverError};
use crate::gate::Gate;
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

/// What a journal remembers: everything but the time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    identity: Option<(DeviceId, JournalEpoch)>,
    event: Sequence,
    trail: Sequence,
    committed_event: Sequence,
    committed_trail: Sequence,
    odometer: Odometer,
    last_counted: Option<FixStamp>,
    desk: Desk,
    last_event: Option<(Timestamp, Steady)>,
    last_fix: Option<(Timestamp, Steady)>,
    last_steady: Steady,
}

impl Memory {
    /// Takes over one record.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Opened { device, epoch, .. } => self.identity = Some((device.clone(), *epoch)),
            Record::Fix { sequence, fix, reading } => {
                self.trail = self.trail.max(*sequence);
                self.last_steady = self.last_steady.max(reading.steady);
                self.odometer = self.odometer.max(reading.odometer);
                if fix.refused.is_none() {
                    self.last_counted = Some(fix.into());
                    self.last_fix = Some((fix.at, reading.steady));
                }
            }
            Record::Event { sequence, event, command } => {
                self.event = self.event.max(*sequence);
                self.desk.apply(event, command.as_deref());
                self.odometer = self.odometer.max(event.reading.odometer);
                self.last_counted = event.fix.or(self.last_counted);
                self.last_event = Some((event.at, event.reading.steady));
                self.last_steady = self.last_steady.max(event.reading.steady);
            }
            Record::Committed { stream, through } => {
                let cursor = self.committed_mut(*stream);
                *cursor = (*cursor).max(*through);
                // What the backend has was written once, even if the disk has lost it since: its
                // sequences are not given again.
                let written = match stream {
                    Stream::Event => &mut self.event,
                    Stream::Trail => &mut self.trail,
                };
                *written = (*written).max(*through);
            }
        }
    }

    /// The device and epoch of the journal, once its first record was read.
    pub const fn identity(&self) -> Option<&(DeviceId, JournalEpoch)> {
        self.identity.as_ref()
    }

    /// The last record written to a stream.
    pub const fn written(&self, stream: Stream) -> Sequence {
        match stream {
            Stream::Event => self.event,
            Stream::Trail => self.trail,
        }
    }

    /// The last record of a stream that the backend has committed.
    pub const fn committed(&self, stream: Stream) -> Sequence {
        match stream {
            Stream::Event => self.committed_event,
            Stream::Trail => self.committed_trail,
        }
    }

    const fn committed_mut(&mut self, stream: Stream) -> &mut Sequence {
        match stream {
            Stream::Event => &mut self.committed_event,
            Stream::Trail => &mut self.committed_trail,
        }
    }

    /// Whether a trip is under way.
    pub fn is_busy(&self) -> bool {
        self.desk.is_busy()
    }

    /// Where both clocks stood at the last record: GNSS time went on as the steady clock did.
    fn last_known(&self) -> Option<LastKnown> {
        let (known, from_gnss) = match self.last_fix {
            Some(fix) => (fix, true),
            None => (self.last_event?, false),
        };
        let (at, steady) = known;
        let since_ms = i64::try_from(self.last_steady.since_ms(steady)).unwrap_or(0);
        Some(LastKnown { at: at.plus_ms(since_ms), steady: self.last_steady, from_gnss })
    }
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    memory: Memory,
    clock: Clock,
    cadence: Cadence,
    time_base: TimeBase,
    gate: Gate,
    live_sent: Option<Uptime>,
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
        let mut gate = Gate::default();
        gate.resume(memory.odometer.mm, 0, memory.last_counted);
        let time_base = TimeBase::default();
        Self { memory, clock, cadence, time_base, gate, live_sent: None }
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
        let fix = self.gate.step(fix, time);
        if fix.refused.is_none() {
            self.clock.discipline(fix.at, now);
        }
        let sequence = self.memory.trail.next();
        let reading = self.reading(now);
        let live = (fix.refused.is_none() && self.live_is_due(now)).then(|| {
            self.live_sent = Some(now);
            Live::from(&fix)
        });
        (Record::Fix { sequence, fix, reading }, live)
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
        let body = self.memory.desk.decide(action, self.clock.at(now), self.reading(now))?;
        Ok(self.event(body, None, now))
    }

    /// Judges a command: its record, or `None` if it was taken in before.
    pub fn handle_command(&self, command: Command, now: Uptime) -> Option<Record> {
        let outcome = self.memory.desk.judge(&command, self.clock.at(now))?;
        let body = EventBody::CommandDone { number: command.number, outcome };
        Some(self.event(body, Some(Box::new(command)), now))
    }

    /// Judges a CommitAck: its record, or `None` if it says nothing new about this journal.
    pub fn handle_commit_ack(&self, commit_ack: CommitAck) -> Option<Record> {
        let CommitAck { epoch, stream, through } = commit_ack;
        let ours = self.memory.identity().is_some_and(|(_, our_epoch)| *our_epoch == epoch);
        let new = through > self.memory.committed(stream) && through <= self.memory.written(stream);
        (ours && new).then_some(Record::Committed { stream, through })
    }

    /// Steady clock and odometer.
    pub fn reading(&self, now: Uptime) -> Reading {
        Reading { steady: self.clock.steady(now), odometer: self.gate.total() }
    }

    /// The last fix that counted.
    pub const fn last_fix(&self) -> Option<FixStamp> {
        self.gate.last()
    }

    /// What the driver sees.
    pub fn view(&self, now: Uptime) -> View {
        let at = self.clock.at(now);
        let desk = &self.memory.desk;
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
        Record::Event { sequence: self.memory.event.next(), event, command }
    }
}
