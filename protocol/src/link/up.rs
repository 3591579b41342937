//! What a device publishes: the live position, events, its presence. The trail has its own module.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::envelope::{self, DecodeError, Message, Postcard};
use super::settings::DeviceSettings;
use crate::coded::coded_enum;
use crate::duty::{Duty, TypedPin};
use crate::fix::FixStamp;
use crate::id::{AssignmentId, CommandNumber, DriverId, JournalEpoch, Sequence, TripId};
use crate::meter::{Moment, Reading};
use crate::trip::TripStep;
use crate::unit::Timestamp;

pub use super::live::Live;

coded_enum! {
    /// The two journalled streams of a device.
    Stream {
        /// Events, lane `event`.
        Event => "event",
        /// Fixes, lane `trail`.
        Trail => "trail",
    }
}

/// A run of records of one stream, without holes, that names the sequence it follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch<R> {
    /// The journal the records are in.
    pub epoch: JournalEpoch,
    /// The sequence before the first record.
    pub after: Sequence,
    /// The records, in sequence.
    pub records: Vec<R>,
}

impl<R> Batch<R> {
    /// The sequence of the last record.
    pub fn last(&self) -> Sequence {
        self.after.plus(self.records.len() as u64)
    }

    /// The records that follow `cursor`, or `None` if records between it and this batch are missing.
    ///
    /// What the cursor covers already is a replay and is left out; all of it may be.
    pub fn following(&self, cursor: Sequence) -> Option<&[R]> {
        if self.after > cursor {
            return None;
        }
        let covered = usize::try_from(cursor.since(self.after)).unwrap_or(usize::MAX);
        Some(self.records.get(covered..).unwrap_or_default())
    }
}

/// Most events in one batch: sixteen of the largest stay within a payload. A larger one is malformed.
pub const EVENT_BATCH_RECORDS_MAX: usize = 16;

/// Lane `event`: at most [`EVENT_BATCH_RECORDS_MAX`] events.
pub type EventBatch = Batch<Event>;

/// Something that happened on the device, with what its clock, odometer and receiver said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Whether that is GNSS time. Until the receiver has given it, it is provisional: what the device's
    /// own clock says, which on a board without a clock chip may be long ago.
    pub gnss_time: bool,
    /// Steady clock and odometer.
    pub reading: Reading,
    /// The last fix that counted; `None` before the first.
    pub fix: Option<FixStamp>,
    /// What.
    pub body: EventBody,
}

impl Event {
    /// When it happened, as far as a backend that received it at `received_at` can tell.
    ///
    /// A provisional time is believed if it lies within the last day: a device with a clock chip and no
    /// sky knows it better than we do. Otherwise it is the time of receipt.
    pub fn fact_at(&self, received_at: Timestamp) -> Timestamp {
        const BELIEVED_MS: i64 = 86_400_000;
        let ago_ms = received_at.since_ms(self.at);
        let believed = self.gnss_time || (0..=BELIEVED_MS).contains(&ago_ms);
        if believed { self.at } else { received_at }
    }

    /// What a meter is to know of it.
    pub fn moment(&self, received_at: Timestamp) -> Moment {
        let at = Some(self.fact_at(received_at));
        Moment { reading: self.reading, at, position: self.fix.map(|fix| fix.position) }
    }
}

/// What an event is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventBody {
    /// The agent started.
    Booted {
        /// The last moment the agent is known to have run before; `None` with a new journal.
        absent_since: Option<Timestamp>,
        /// Version of the agent.
        agent_version: String,
    },
    /// The driver's answer to an offer.
    Answered {
        /// The offer.
        assignment: AssignmentId,
        /// The answer.
        answer: Answer,
    },
    /// A step of a trip.
    Trip {
        /// The trip.
        trip: TripId,
        /// The step.
        step: TripStep,
    },
    /// A command was taken in: its effect, if any, is durable on the device.
    CommandDone {
        /// The command.
        number: CommandNumber,
        /// What became of it.
        outcome: CommandOutcome,
    },
    /// The journal was damaged where this sequence's event stood: a declared gap.
    Lost,
    /// The vehicle was parked, moved off, or its ignition changed.
    Motion {
        /// What it does.
        state: MotionState,
        /// Whether its ignition is on; `None` where no line tells.
        ignition: Option<bool>,
    },
    /// The vehicle went faster than its operator permits; once an episode, when it began.
    Overspeed {
        /// Its speed in mm/s.
        speed_mmps: u32,
        /// The limit in mm/s.
        limit_mmps: u32,
    },
    /// The vehicle came near a place of its trip.
    Near {
        /// The trip.
        trip: TripId,
        /// Which place.
        place: Waypoint,
    },
    /// The driver calls for help.
    Sos {
        /// The trip under way.
        trip: Option<TripId>,
    },
    /// Something is wrong with the device, or is well again.
    Trouble {
        /// What.
        trouble: Trouble,
        /// Whether it is there.
        present: bool,
    },
    /// What the device runs, whoever set it; told when it changed.
    Running {
        /// The settings, every one of them.
        settings: DeviceSettings,
    },
    /// An OTP is about to be compared: counted before anybody knows whether it is right.
    OtpTried {
        /// The trip.
        trip: TripId,
    },
    /// A driver signs in; whether that is granted is the platform's to say.
    SignedIn {
        /// Who.
        driver: DriverId,
        /// The PIN as typed.
        pin: TypedPin,
    },
    /// Whoever is signed in takes rides, has a break, or goes.
    Duty {
        /// Which.
        duty: Duty,
    },
}

impl EventBody {
    /// The trip it is of.
    pub const fn trip(&self) -> Option<TripId> {
        match self {
            Self::Trip { trip, .. } | Self::Near { trip, .. } | Self::OtpTried { trip } => {
                Some(*trip)
            }
            Self::Sos { trip } => *trip,
            Self::Booted { .. }
            | Self::Answered { .. }
            | Self::CommandDone { .. }
            | Self::Lost
            | Self::Motion { .. }
            | Self::Overspeed { .. }
            | Self::Trouble { .. }
            | Self::Running { .. }
            | Self::SignedIn { .. }
            | Self::Duty { .. } => None,
        }
    }
}

coded_enum! {
    /// What a vehicle does.
    MotionState {
        /// It drives.
        Moving => "moving",
        /// It stands, as at a light.
        Standing => "standing",
        /// It has stood for long, or its ignition is off.
        Parked => "parked",
    }
}

/// A vehicle of which nothing is known stands.
impl Default for MotionState {
    fn default() -> Self {
        Self::Standing
    }
}

coded_enum! {
    /// A place of a trip.
    Waypoint {
        /// Where the rider waits.
        Pickup => "pickup",
        /// Where the rider goes.
        Drop => "drop",
    }
}

coded_enum! {
    /// What can be wrong with a device.
    Trouble {
        /// The journal is in memory only: a power cut loses what the backend has not committed.
        JournalInMemory => "journal-in-memory",
        /// The disk has no room for the reserve of events.
        JournalFull => "journal-full",
        /// The receiver's port is missing.
        ReceiverMissing => "receiver-missing",
        /// The receiver is silent or not understood.
        ReceiverSilent => "receiver-silent",
        /// The receiver is heard and has no position for long.
        AntennaBlind => "antenna-blind",
    }
}

/// A driver's answer to an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Taken.
    Accept,
    /// Declined.
    Reject {
        /// Why, possibly empty.
        reason: String,
    },
}

coded_enum! {
    /// What became of a command on the device.
    CommandOutcome {
        /// It took effect.
        Applied => "applied",
        /// It came after its expiry and had no effect.
        Expired => "expired",
        /// The device's state had no place for it; it had no effect.
        Refused => "refused",
    }
}

/// Lane `presence`: published on connect, and the will of every connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    /// Connected.
    Here {
        /// Version of the agent.
        agent_version: String,
    },
    /// The connection broke (the will), or the agent says goodbye.
    Gone,
}

impl Message for EventBatch {
    fn append(&self, bytes: Vec<u8>) -> Vec<u8> {
        envelope::append_postcard(self, bytes)
    }

    fn read(body: &[u8]) -> Result<Self, DecodeError> {
        let batch: Self = envelope::read_postcard(body)?;
        let within = batch.records.len() <= EVENT_BATCH_RECORDS_MAX;
        if within { Ok(batch) } else { Err(DecodeError::Malformed) }
    }
}

impl Postcard for Presence {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provisional_time_is_believed_for_a_day_and_not_ahead() {
        let received_at = Timestamp::from_unix_ms(1_800_000_000_000);
        let fact_at = |gnss_time, ago_ms: i64| {
            let at = received_at.plus_ms(-ago_ms);
            let (reading, body) = (Reading::default(), EventBody::Lost);
            let event = Event { at, gnss_time, reading, fix: None, body };
            received_at.since_ms(event.fact_at(received_at))
        };
        assert_eq!(
            (fact_at(true, 9_000_000_000), fact_at(true, -60_000)),
            (9_000_000_000, -60_000)
        );
        assert_eq!((fact_at(false, 3_600_000), fact_at(false, 0)), (3_600_000, 0));
        assert_eq!((fact_at(false, 90_000_000), fact_at(false, -1)), (0, 0));
    }

    #[test]
    fn a_batch_of_more_events_than_may_be_is_malformed() {
        let event = Event {
            at: Timestamp::from_unix_ms(0),
            gnss_time: false,
            reading: Reading::default(),
            fix: None,
            body: EventBody::Lost,
        };
        let read = |count| {
            let records = core::iter::repeat_n(event.clone(), count).collect();
            let batch = Batch { epoch: JournalEpoch(1), after: Sequence(0), records };
            envelope::decode::<EventBatch>(&envelope::encode(&batch)).map(|read| read == batch)
        };
        assert_eq!(read(EVENT_BATCH_RECORDS_MAX), Ok(true));
        assert_eq!(read(EVENT_BATCH_RECORDS_MAX + 1), Err(DecodeError::Malformed));
    }

    #[test]
    fn a_batch_is_trimmed_to_what_follows_the_cursor_and_a_hole_declares_itself() {
        let batch =
            Batch { epoch: JournalEpoch(1), after: Sequence(10), records: Vec::from([11, 12, 13]) };
        assert_eq!(batch.following(Sequence(9)), None, "10 is missing");
        assert_eq!(batch.following(Sequence(10)), Some(&[11, 12, 13][..]));
        assert_eq!(batch.following(Sequence(12)), Some(&[13][..]));
        assert_eq!(batch.following(Sequence(13)), Some(&[][..]));
        assert_eq!(batch.following(Sequence(u64::MAX)), Some(&[][..]));
        assert_eq!(batch.last(), Sequence(13));
    }
}
