//! One vehicle without its connection: a real agent core, fed with a drive.
//!
//! It makes one fix a second of its own time. Every [`Pace::batch_s`] seconds the fixes made since are
//! released to the lanes, as the agent's sync of its journal does.

use std::collections::VecDeque;

use tripline_agent_core::engine::{Cadence, Draft, Engine, Settings};
use tripline_agent_core::lanes::{Heard, Lanes, Span};
use tripline_agent_core::memory::Memory;
use tripline_agent_core::observation::Observation;
use tripline_agent_core::sampler::{Policies, Policy};
use tripline_protocol::fix::FixType;
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::down::{Command, CommitAck};
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::link::up::{Live, Stream};
use tripline_protocol::unit::{Timestamp, Uptime};

use super::journal::{Journal, Outgoing};
use super::town::Drive;

/// Between two fixes, in ms.
const FIX_MS: u64 = 1_000;

/// A moment that has certainly passed: 2026-11-01T00:00:00Z, as in the agent.
const FLOOR: Timestamp = Timestamp::from_unix_ms(1_793_491_200_000);

/// How a vehicle makes its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Fixes in a batch, and seconds between two batches; at least 1.
    pub batch_s: u32,
    /// Between live positions, in ms; none are sent if it is `None`.
    pub live_ms: Option<u64>,
}

impl Pace {
    const fn batch_ms(self) -> u64 {
        self.batch_s as u64 * 1_000
    }

    /// The agent's settings: every fix is kept, refused ones too.
    fn settings(self) -> Settings {
        let trail = Policies {
            parked: Policy::Full,
            moving: Policy::Full,
            to_pickup: Policy::Full,
            on_trip: Policy::Full,
            refused_one_in: 1,
        };
        let live_ms = self.live_ms.unwrap_or(u64::MAX);
        let cadence = Cadence { live_on_trip_ms: live_ms, live_idle_ms: live_ms };
        Settings { trail, cadence, ..Settings::default() }
    }
}

/// From when to when a vehicle drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// Its first fix comes a second later.
    pub from: Uptime,
    /// No fix comes after it.
    pub until: Uptime,
}

/// A batch of fixes that the backend has not committed, and since when it could have been sent.
#[derive(Debug, Clone, Copy)]
struct Released {
    last: Sequence,
    at: Uptime,
}

/// One vehicle.
#[derive(Debug)]
pub struct Vehicle {
    engine: Engine,
    lanes: Lanes,
    journal: Journal,
    drive: Drive,
    pace: Pace,
    epoch: JournalEpoch,
    /// GNSS time when the uptime was zero.
    began: Timestamp,
    /// When the last fix was made, and how many were since the last release.
    fixed: Option<Uptime>,
    unreleased: u32,
    released: VecDeque<Released>,
}

impl Vehicle {
    /// A vehicle that has just been switched on. `began` is the time when the uptime was zero.
    pub fn new(
        seed: u64,
        pace: Pace,
        epoch: JournalEpoch,
        began: Timestamp,
        agent_version: &str,
        now: Uptime,
    ) -> Self {
        let span = Span { epoch, written: Sequence::ZERO, committed: Sequence::ZERO };
        let mut vehicle = Self {
            engine: engine(pace.settings(), epoch, dated(began, now), now),
            lanes: Lanes::new(vec![span], vec![span], 0),
            journal: Journal::default(),
            drive: Drive::seeded(seed),
            pace,
            epoch,
            began,
            fixed: None,
            unreleased: 0,
            released: VecDeque::new(),
        };
        let boot = vehicle.engine.boot(agent_version, now);
        vehicle.write([boot]);
        vehicle
    }

    /// Makes the fixes due by `now`; gives the newest live position among them, if one is due.
    ///
    /// What was due while nobody called is made up for, with the times it should have had.
    pub fn advance(&mut self, shift: Shift, now: Uptime) -> Option<Live> {
        let mut live = None;
        let until = now.min(shift.until);
        let mut due = self.fixed.unwrap_or(shift.from).plus_ms(FIX_MS);
        while due <= until && self.journal.has_room(1) {
            live = self.fix(due).or(live);
            self.fixed = Some(due);
            self.unreleased += 1;
            if self.unreleased >= self.pace.batch_s {
                self.release(due);
            }
            due = due.plus_ms(FIX_MS);
        }
        live
    }

    /// When [`Vehicle::advance`] has something to do again; `None` after the shift, and while the journal
    /// is full.
    pub fn poll_advance(&self, shift: Shift) -> Option<Uptime> {
        let fixed = self.fixed.unwrap_or(shift.from);
        let batch_ms = self.pace.batch_ms();
        let to_batch_ms = batch_ms - u64::from(self.unreleased) * FIX_MS;
        let step_ms = self.pace.live_ms.map_or(to_batch_ms, |live_ms| {
            live_ms.next_multiple_of(FIX_MS).clamp(FIX_MS, to_batch_ms.max(FIX_MS))
        });
        (fixed < shift.until && self.journal.has_room(1)).then(|| fixed.plus_ms(step_ms))
    }

    /// The shift is over: what is left is released.
    pub fn finish(&mut self, now: Uptime) {
        let held = self.engine.flush();
        self.write(held);
        if self.unreleased > 0 {
            self.release(now);
        }
    }

    /// A connection stands: everything uncommitted goes again.
    pub fn handle_connected(&mut self, now: Uptime) {
        self.lanes.handle_connected(now);
    }

    /// The connection is gone.
    pub const fn handle_disconnected(&mut self) {
        self.lanes.handle_disconnected();
    }

    /// The next batch to publish.
    pub fn poll_send(&mut self, now: Uptime) -> Option<Outgoing> {
        let send = self.lanes.poll_send(now)?;
        let outgoing = self.journal.read(send);
        self.lanes.handle_sent(outgoing.stream, outgoing.last, now);
        Some(outgoing)
    }

    /// When [`Vehicle::handle_timeout`] is to be called.
    pub fn poll_timeout(&self, now: Uptime) -> Option<Uptime> {
        self.lanes.poll_timeout(now)
    }

    /// Rewinds what made no progress.
    pub fn handle_timeout(&mut self, now: Uptime) {
        self.lanes.handle_timeout(now);
    }

    /// The backend committed: gives how many fixes more. Tells `waited_ms` of each batch how long ago it
    /// could have been sent first.
    pub fn handle_commit_ack(
        &mut self,
        commit_ack: CommitAck,
        now: Uptime,
        mut waited_ms: impl FnMut(u64),
    ) -> u64 {
        let (_, before) = self.lanes.backlog();
        let Heard::Moved(through) = self.lanes.handle_commit_ack(commit_ack, now) else {
            return 0;
        };
        self.journal.forget(commit_ack.stream, through);
        if commit_ack.stream == Stream::Trail {
            while let Some(batch) = self.released.pop_front_if(|batch| batch.last <= through) {
                waited_ms(now.since_ms(batch.at));
            }
        }
        let (_, after) = self.lanes.backlog();
        before - after
    }

    /// The CommitAck that a broker cannot send: its PubAck of a batch up to `through` stands for it.
    pub const fn as_commit_ack(&self, stream: Stream, through: Sequence) -> CommitAck {
        CommitAck { epoch: self.epoch, stream, through }
    }

    /// Takes in a command whose seal was good.
    pub fn handle_command(&mut self, command: Command, now: Uptime) {
        let draft = self.engine.handle_command(command, now);
        self.write(draft);
    }

    /// Fixes made so far, released or not.
    pub fn fixes(&self) -> u64 {
        self.engine.memory().written(Stream::Trail).0
    }

    /// Whether everything released is committed.
    pub fn is_drained(&self) -> bool {
        self.lanes.backlog() == (0, 0)
    }

    fn fix(&mut self, now: Uptime) -> Option<Live> {
        let moment = self.drive.step();
        let observation = Observation {
            at: Some(dated(self.began, now)),
            time_of_day: None,
            position: moment.position,
            speed_mmps: Some(moment.speed_mmps),
            course_cdeg: Some(moment.course_cdeg),
            altitude_mm: Some(moment.altitude_mm),
            satellites: Some(11),
            hdop_c: Some(90),
            accuracy_mm: Some(2_500),
            fix_type: FixType::ThreeD,
        };
        let outcome = self.engine.handle_observation(&observation, now);
        self.write(outcome.drafts);
        outcome.live.filter(|_| self.pace.live_ms.is_some())
    }

    fn release(&mut self, now: Uptime) {
        let last = self.engine.memory().written(Stream::Trail);
        self.lanes.handle_written(Stream::Trail, last);
        self.released.push_back(Released { last, at: now });
        self.unreleased = 0;
    }

    /// Numbers records, keeps them and lets them take effect. Events may be sent at once.
    fn write(&mut self, drafts: impl IntoIterator<Item = Draft>) {
        for draft in drafts {
            let record = self.engine.seal(draft);
            self.engine.apply(&record);
            self.journal.push(record);
        }
        let events = self.engine.memory().written(Stream::Event);
        self.lanes.handle_written(Stream::Event, events);
        self.lanes.set_busy(self.engine.memory().is_busy());
    }
}

/// The agent core of a new device. What enrolment brought of settings is left aside, so that the load is
/// what was asked for; a command that sets some counts as it does in any vehicle.
fn engine(settings: Settings, epoch: JournalEpoch, at: Timestamp, now: Uptime) -> Engine {
    let mut memory = Memory::default();
    memory.begin(epoch);
    Engine::new(memory, settings, &DeviceSettings::default(), at, FLOOR, now)
}

fn dated(began: Timestamp, now: Uptime) -> Timestamp {
    began.plus_ms(i64::try_from(now.ms).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tripline_protocol::link::envelope::decode;
    use tripline_protocol::link::trail::{TrailBatch, TrailEntry};

    const PACE: Pace = Pace { batch_s: 5, live_ms: None };
    const SHIFT: Shift = Shift { from: Uptime::from_ms(2_000), until: Uptime::from_ms(62_000) };
    const BEGAN: Timestamp = Timestamp::from_unix_ms(1_795_000_000_000);

    fn vehicle(seed: u64, pace: Pace) -> Vehicle {
        Vehicle::new(seed, pace, JournalEpoch(7), BEGAN, "1", Uptime::from_ms(0))
    }

    fn at_s(s: u64) -> Uptime {
        Uptime::from_ms(s * 1_000)
    }

    /// Everything it publishes until `now`, if all is committed at once.
    fn publish(vehicle: &mut Vehicle, now: Uptime) -> Vec<Outgoing> {
        let mut published = Vec::new();
        while let Some(batch) = vehicle.poll_send(now) {
            let taken = vehicle.as_commit_ack(batch.stream, batch.last);
            vehicle.handle_commit_ack(taken, now, |_| ());
            published.push(batch);
        }
        published
    }

    fn fixes(batches: &[Outgoing]) -> Vec<TrailEntry> {
        let trail = batches.iter().filter(|batch| batch.stream == Stream::Trail);
        trail
            .flat_map(|batch| decode::<TrailBatch>(&batch.payload).expect("a batch").entries)
            .collect()
    }

    #[test]
    fn every_five_seconds_a_batch_of_five_fixes_may_leave() {
        let mut vehicle = vehicle(1, PACE);
        vehicle.handle_connected(at_s(1));
        assert_eq!(publish(&mut vehicle, at_s(1)).len(), 1, "that it booted");
        assert_eq!(vehicle.poll_advance(SHIFT), Some(at_s(7)));
        vehicle.advance(SHIFT, at_s(6));
        assert_eq!((vehicle.fixes(), publish(&mut vehicle, at_s(6))), (4, Vec::new()));
        for batch in 1..=12 {
            let now = at_s(2 + batch * 5);
            vehicle.advance(SHIFT, now);
            let published = publish(&mut vehicle, now);
            assert_eq!(published.iter().map(|batch| batch.records).collect::<Vec<_>>(), [5]);
        }
        assert_eq!((vehicle.poll_advance(SHIFT), vehicle.fixes()), (None, 60));
    }

    #[test]
    fn the_same_seed_makes_the_same_fixes_whenever_it_is_called() {
        let drive = |seed, steps: &[u64]| {
            let mut vehicle = vehicle(seed, PACE);
            for s in steps {
                vehicle.advance(SHIFT, at_s(*s));
            }
            vehicle.finish(at_s(100));
            vehicle.handle_connected(at_s(100));
            fixes(&publish(&mut vehicle, at_s(100)))
        };
        let smooth = drive(3, &(0..70).collect::<Vec<_>>());
        assert_eq!((smooth.len(), &smooth), (60, &drive(3, &[13, 80])));
        assert_ne!(smooth, drive(4, &[80]));
        let refused = smooth.iter().filter_map(TrailEntry::fix).filter(|fix| fix.refused.is_some());
        assert_eq!(refused.count(), 2, "until three agree on the time, and none after");
    }

    #[test]
    fn what_is_not_committed_goes_again_on_the_next_connection() {
        let mut vehicle = vehicle(1, PACE);
        vehicle.handle_connected(at_s(1));
        publish(&mut vehicle, at_s(1));
        vehicle.advance(SHIFT, at_s(12));
        let sent = vehicle.poll_send(at_s(12)).expect("ten fixes");
        vehicle.handle_disconnected();
        vehicle.advance(SHIFT, at_s(62));
        assert_eq!(vehicle.poll_send(at_s(62)), None, "not connected");
        vehicle.handle_connected(at_s(63));
        let again = publish(&mut vehicle, at_s(63));
        assert_eq!((sent.records, again.iter().map(|batch| batch.records).sum::<u64>()), (10, 60));
        assert!(vehicle.is_drained());
    }

    #[test]
    fn a_commit_tells_how_long_each_batch_had_waited() {
        let mut vehicle = vehicle(1, PACE);
        vehicle.advance(SHIFT, at_s(20));
        let taken = vehicle.as_commit_ack(Stream::Trail, Sequence(10));
        let mut waited = Vec::new();
        assert_eq!(vehicle.handle_commit_ack(taken, at_s(20), |ms| waited.push(ms)), 10);
        assert_eq!(waited, [13_000, 8_000]);
        assert_eq!(vehicle.handle_commit_ack(taken, at_s(21), |_| ()), 0, "a repeat");
    }

    #[test]
    fn without_a_backend_the_journal_fills_up_and_the_drive_is_made_up_for_later() {
        let shift = Shift { until: at_s(4_002), ..SHIFT };
        let mut vehicle = vehicle(1, PACE);
        vehicle.advance(shift, at_s(5_000));
        assert_eq!((vehicle.fixes(), vehicle.poll_advance(shift)), (1_800, None));
        vehicle.handle_connected(at_s(5_000));
        publish(&mut vehicle, at_s(5_000));
        vehicle.advance(shift, at_s(5_000));
        assert_eq!(vehicle.fixes(), 3_600);
    }

    #[test]
    fn live_positions_are_made_at_their_pace() {
        let pace = Pace { live_ms: Some(2_000), ..PACE };
        let mut vehicle = vehicle(1, pace);
        assert_eq!(vehicle.poll_advance(SHIFT), Some(at_s(4)));
        let live = (3..=22).filter(|s| vehicle.advance(SHIFT, at_s(*s)).is_some()).count();
        assert_eq!(live, 9, "one every two seconds, once the time is trusted");
    }
}
