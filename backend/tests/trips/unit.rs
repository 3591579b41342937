//! What a unit in a vehicle reports: its journal's events, with a clock and an odometer that only grow.

use tripline_backend::identity::authority::{Fingerprint, sha256};
use tripline_backend::service::{Lane, Submission};
use tripline_backend::time;
use tripline_protocol::id::{
    AssignmentId, CommandNumber, DeviceId, JournalEpoch, Sequence, TripId,
};
use tripline_protocol::link::envelope::encode;
use tripline_protocol::link::up::{Answer, CommandOutcome, Event, EventBatch, EventBody};
use tripline_protocol::meter::Reading;
use tripline_protocol::otp::TypedOtp;
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::{Odometer, Steady, Timestamp};

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
}

impl Unit {
    pub(crate) fn new(n: u8) -> Self {
        Self { n, epoch: 1, sequence: 0, at: time::now(), steady_ms: 1_000, odometer_mm: 1_000 }
    }

    pub(crate) fn device(&self) -> DeviceId {
        device(self.n)
    }

    /// It is started anew: its next events are in another journal.
    pub(crate) fn restart(&mut self) {
        self.epoch += 1;
        self.sequence = 0;
    }

    pub(crate) fn drive(&mut self, metres: u64, seconds: u64) {
        self.odometer_mm += metres * 1_000;
        self.steady_ms += seconds * 1_000;
        self.at = self.at.plus_ms(i64::try_from(seconds).expect("short") * 1_000);
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
