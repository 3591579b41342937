//! What a unit in a vehicle reports: its journal's events, with a clock and an odometer that only grow.

use tripline_backend::identity::authority::{Fingerprint, sha256};
use tripline_backend::service::{Lane, Submission};
use tripline_backend::time;
use tripline_protocol::fix::FixType;
use tripline_protocol::id::{
    AssignmentId, CommandNumber, DeviceId, JournalEpoch, Sequence, TripId,
};
use tripline_protocol::link::envelope::encode;
use tripline_protocol::link::trail::{TrailBatch, TrailEntry, TrailFix};
use tripline_protocol::link::up::{Answer, CommandOutcome, Event, EventBatch, EventBody};
use tripline_protocol::meter::Reading;
use tripline_protocol::otp::TypedOtp;
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::{Odometer, Position, Steady, Timestamp};

use crate::quoted::terms;

pub(crate) fn device(n: u8) -> DeviceId {
    format!("d{n}").parse().expect("valid")
}

pub(crate) fn certificate(n: u8) -> Fingerprint {
    sha256(&[n])
}

/// A unit, and how far its journal is sent.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    n: u8,
    epoch: u64,
    sequence: u64,
    /// Its clock: when what it reports next happens.
    pub(crate) at: Timestamp,
    steady_ms: u64,
    odometer_mm: u64,
    /// How far its trail is sent.
    fixes: u64,
    /// How far north it is, in seconds at 10 m/s.
    north: i32,
}

impl Unit {
    pub(crate) fn new(n: u8) -> Self {
        Self {
            n,
            epoch: 1,
            sequence: 0,
            at: time::now(),
            steady_ms: 1_000,
            odometer_mm: 1_000,
            fixes: 0,
            north: 0,
        }
    }

    pub(crate) fn device(&self) -> DeviceId {
        device(self.n)
    }

    /// It is started anew: its next events are in another journal.
    pub(crate) fn restart(&mut self) {
        self.epoch += 1;
        self.sequence = 0;
        self.fixes = 0;
    }

    pub(crate) fn drive(&mut self, metres: u64, seconds: u64) {
        self.odometer_mm += metres * 1_000;
        self.steady_ms += seconds * 1_000;
        self.at = self.at.plus_ms(i64::try_from(seconds).expect("short") * 1_000);
    }

    /// Drives at 10 m/s with a fix a second; the batches of its trail.
    pub(crate) fn drive_seen(&mut self, seconds: u16) -> Vec<Submission> {
        let mut entries = Vec::new();
        for second in 0..=seconds {
            if second > 0 {
                self.drive(10, 1);
                self.north += 1;
            }
            let position = Position::new(129_000_000 + self.north * 904, 776_000_000);
            entries.push(TrailEntry::Fix(TrailFix {
                at: self.at,
                position: position.expect("on the globe"),
                speed_cmps: Some(1_000),
                course_ddeg: Some(0),
                altitude_mm: None,
                fix_type: FixType::ThreeD,
                refused: None,
            }));
        }
        entries.chunks(300).map(|entries| self.trail(entries.to_vec())).collect()
    }

    fn trail(&mut self, entries: Vec<TrailEntry>) -> Submission {
        let after = Sequence(self.fixes);
        let batch = TrailBatch { epoch: JournalEpoch(self.epoch), after, entries };
        self.fixes = batch.last().0;
        let payload = encode(&batch);
        Submission {
            device: self.device(),
            certificate: certificate(self.n),
            lane: Lane::Trail(batch, payload),
        }
    }

    fn event(&self, body: EventBody) -> Event {
        let reading = Reading {
            steady: Steady { ms: self.steady_ms },
            odometer: Odometer { mm: self.odometer_mm },
            ..Reading::default()
        };
        Event { at: self.at, gnss_time: true, reading, fix: None, body }
    }

    /// The next batch of its journal.
    pub(crate) fn batch(&mut self, events: Vec<Event>) -> Submission {
        let after = Sequence(self.sequence);
        self.sequence += events.len() as u64;
        let batch = EventBatch { epoch: JournalEpoch(self.epoch), after, records: events };
        let payload = encode(&batch);
        Submission {
            device: self.device(),
            certificate: certificate(self.n),
            lane: Lane::Event(batch, payload),
        }
    }

    pub(crate) fn step(&self, trip: TripId, step: TripStep) -> Event {
        self.event(EventBody::Trip { trip, step })
    }

    pub(crate) fn accept(&self, assignment: AssignmentId) -> Event {
        self.event(EventBody::Answered { assignment, answer: Answer::Accept })
    }

    pub(crate) fn done(&self, number: CommandNumber, outcome: CommandOutcome) -> Event {
        self.event(EventBody::CommandDone { number, outcome })
    }

    pub(crate) fn otp_tried(&self, trip: TripId) -> Event {
        self.event(EventBody::OtpTried { trip })
    }
}

pub(crate) fn start(otp: &str) -> TripStep {
    TripStep::Start { otp: Some(TypedOtp(otp.into())) }
}

/// The stop of a ride of so many metres.
pub(crate) fn stop(metres: u64) -> TripStep {
    let usage = tripline_protocol::fare::Usage { distance_m: metres, ..Default::default() };
    TripStep::Stop { fare: terms(time::now()).metered(usage) }
}
