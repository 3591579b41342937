//! What a journal remembers: everything but the time. A fold over its records.
//!
//! Each start of the agent begins a new epoch, in which both streams count from 1 again; trip, offer,
//! odometer and clock go on across epochs.

use alloc::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tripline_protocol::fix::FixStamp;
use tripline_protocol::id::{CommandNumber, JournalEpoch, Sequence};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::link::up::{CommandOutcome, Event, EventBody, Stream};
use tripline_protocol::meter::Reading;
use tripline_protocol::unit::{Steady, Timestamp};

use crate::clock::LastKnown;
use crate::desk::Desk;
use crate::record::Record;

/// The first GNSS time of an epoch, and what the steady clock showed then.
///
/// Both belong to the running process: time that passed before its start is not in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The steady clock, before it took in how long the agent had not been running.
    pub steady: Steady,
    /// GNSS time.
    pub at: Timestamp,
}

impl Anchor {
    /// The time at which the steady clock showed `steady`, in the anchor's epoch before it.
    pub fn date(self, steady: Steady) -> Timestamp {
        let since_ms = i64::try_from(self.steady.since_ms(steady)).unwrap_or(0);
        self.at.plus_ms(-since_ms)
    }
}

/// What a command set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// The command's number.
    pub number: CommandNumber,
    /// What it set.
    pub settings: DeviceSettings,
}

/// What a journal remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    epoch: Option<JournalEpoch>,
    event: Sequence,
    trail: Sequence,
    anchor: Option<Anchor>,
    /// The highest that each counter showed.
    counters: Reading,
    last_counted: Option<FixStamp>,
    desk: Desk,
    /// What the last command that set anything set.
    configured: Option<Configured>,
    /// What the backend was last told is in force.
    running: Option<DeviceSettings>,
    last_event: Option<(Timestamp, Steady)>,
    last_gnss: Option<(Timestamp, Steady)>,
}

impl Memory {
    /// A new epoch begins: sequences start over, everything else goes on.
    pub fn begin(&mut self, epoch: JournalEpoch) {
        self.epoch = Some(epoch);
        self.event = Sequence::ZERO;
        self.trail = Sequence::ZERO;
        self.anchor = None;
        self.desk.begin_epoch();
    }

    /// Takes over one record of the epoch.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Fix { sequence, fix, reading } => {
                self.trail = self.trail.max(*sequence);
                self.count(*reading);
                if fix.refused.is_none() {
                    self.last_counted = Some(fix.into());
                    self.last_gnss = Some((fix.at, reading.steady));
                }
            }
            Record::Gap { through, .. } => self.trail = self.trail.max(*through),
            Record::Event { sequence, event, command, .. } => {
                self.event = self.event.max(*sequence);
                self.desk.apply(event, command.as_deref());
                self.note_settings(event, command.as_deref());
                let dated = Some((event.at, event.reading.steady));
                self.last_event = dated;
                if event.gnss_time {
                    self.last_gnss = dated;
                }
                // Fixes that the sampler left out, or that were never synced, are known from events.
                self.count(event.reading);
                self.last_counted = event.fix.or(self.last_counted);
            }
            Record::Anchor(anchor) if self.anchor.is_none() => {
                self.anchor = Some(*anchor);
                self.desk.date(*anchor);
            }
            Record::Anchor(_) => {}
        }
    }

    fn note_settings(&mut self, event: &Event, command: Option<&Command>) {
        match &event.body {
            EventBody::Running { settings } => self.running = Some(*settings),
            EventBody::CommandDone { number, outcome: CommandOutcome::Applied } => {
                if let Some(CommandBody::Configure(settings)) = command.map(|command| &command.body)
                {
                    // Numbers grow, so the last one is the newest.
                    self.configured = Some(Configured { number: *number, settings: *settings });
                }
            }
            EventBody::Booted { .. }
            | EventBody::Answered { .. }
            | EventBody::Trip { .. }
            | EventBody::CommandDone { .. }
            | EventBody::Lost
            | EventBody::Motion { .. }
            | EventBody::Overspeed { .. }
            | EventBody::Near { .. }
            | EventBody::Sos { .. }
            | EventBody::Trouble { .. }
            | EventBody::OtpTried { .. }
            | EventBody::SignedIn { .. }
            | EventBody::Duty { .. } => {}
        }
    }

    fn count(&mut self, reading: Reading) {
        let Reading { steady, odometer, bridged, fixes, refused } = self.counters;
        self.counters = Reading {
            steady: steady.max(reading.steady),
            odometer: odometer.max(reading.odometer),
            bridged: bridged.max(reading.bridged),
            fixes: fixes.max(reading.fixes),
            refused: refused.max(reading.refused),
        };
    }

    /// Takes over a record read from the trail, and first the events that came before it. What the
    /// memory has already is passed over.
    pub fn replay(&mut self, events: &mut VecDeque<Record>, trail: &Record) {
        let Some((_, sequence)) = trail.position().filter(|(_, at)| *at > self.trail) else {
            return;
        };
        while let Some(event) = events.pop_front_if(|event| came_before(event, sequence)) {
            self.replay_event(&event);
        }
        self.apply(trail);
    }

    /// Takes over a record read from the events, unless the memory has it already.
    pub fn replay_event(&mut self, record: &Record) {
        if record.position().is_none_or(|(_, sequence)| sequence > self.event) {
            self.apply(record);
        }
    }

    /// The epoch.
    pub const fn epoch(&self) -> Option<JournalEpoch> {
        self.epoch
    }

    /// The first GNSS time of the epoch, once it is known.
    pub const fn anchor(&self) -> Option<Anchor> {
        self.anchor
    }

    /// The last record written to a stream in this epoch.
    pub const fn written(&self, stream: Stream) -> Sequence {
        match stream {
            Stream::Event => self.event,
            Stream::Trail => self.trail,
        }
    }

    /// Whether a trip is under way.
    pub fn is_busy(&self) -> bool {
        self.desk.is_busy()
    }

    /// What the newest command that set anything set; `None` before the first.
    pub const fn configured(&self) -> Option<Configured> {
        self.configured
    }

    /// What the backend was last told is in force.
    pub const fn running(&self) -> Option<&DeviceSettings> {
        self.running.as_ref()
    }

    /// What the counters showed, and the last fix that counted.
    pub(crate) const fn counters(&self) -> (&Reading, Option<FixStamp>) {
        (&self.counters, self.last_counted)
    }

    pub(crate) const fn desk(&self) -> &Desk {
        &self.desk
    }

    /// The latest of `build`, the build date, and the last GNSS time the journal knows of, less a day,
    /// since a receiver may correct itself.
    ///
    /// A time more than ten years after the build does not count: a receiver or a replayed recording
    /// was wrong, and would have every true date moved forward for ever.
    pub fn floor(&self, build: Timestamp) -> Timestamp {
        const SLACK_MS: i64 = 86_400_000;
        const BELIEVED_MS: i64 = 10 * 365 * 86_400_000;
        let known = self.last_gnss.map(|(at, _)| at.plus_ms(-SLACK_MS));
        let believed = known.filter(|known| known.since_ms(build) <= BELIEVED_MS);
        believed.map_or(build, |known| known.max(build))
    }

    /// Where both clocks stood at the last record: GNSS time went on as the steady clock did.
    pub(crate) fn last_known(&self) -> Option<LastKnown> {
        let (known, from_gnss) = match self.last_gnss {
            Some(fix) => (fix, true),
            None => (self.last_event?, false),
        };
        let (at, steady) = known;
        let last = self.counters.steady;
        let since_ms = i64::try_from(last.since_ms(steady)).unwrap_or(0);
        Some(LastKnown { at: at.plus_ms(since_ms), steady: last, from_gnss })
    }
}

fn came_before(event: &Record, fix: Sequence) -> bool {
    match event {
        Record::Event { trail, .. } => *trail < fix,
        Record::Anchor(_) | Record::Fix { .. } | Record::Gap { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_dates_what_came_before_it_by_the_steady_clock() {
        let anchor =
            Anchor { steady: Steady { ms: 50_000 }, at: Timestamp::from_unix_ms(1_000_000) };
        assert_eq!(anchor.date(Steady { ms: 48_500 }), Timestamp::from_unix_ms(998_500));
        assert_eq!(anchor.date(Steady { ms: 60_000 }), anchor.at, "never after it");
    }

    #[test]
    fn the_floor_follows_gnss_time_and_no_other_and_not_into_a_far_future() {
        let build = Timestamp::from_unix_ms(1_793_491_200_000);
        let year_ms = 365 * 86_400_000;
        let after = |years: i64| build.plus_ms(years * year_ms);
        let known = |at| Memory { last_gnss: Some((at, Steady::default())), ..Memory::default() };
        assert_eq!(Memory::default().floor(build), build);
        assert_eq!(known(after(-3)).floor(build), build);
        assert_eq!(known(after(3)).floor(build), after(3).plus_ms(-86_400_000));
        assert_eq!(known(after(12)).floor(build), build, "a replay, or a receiver gone wrong");
        let of_event =
            Memory { last_event: Some((after(3), Steady::default())), ..Memory::default() };
        assert_eq!(of_event.floor(build), build, "the system clock's word");
    }

    #[test]
    fn a_new_epoch_counts_from_one_and_forgets_its_anchor_only() {
        let mut memory = Memory::default();
        memory.begin(JournalEpoch(1));
        let gap = Record::Gap {
            through: Sequence(9),
            fixes: 9,
            reason: tripline_protocol::link::trail::GapReason::Thinned,
        };
        memory.apply(&gap);
        memory.apply(&Record::Anchor(Anchor {
            steady: Steady { ms: 1 },
            at: Timestamp::from_unix_ms(2),
        }));
        memory.begin(JournalEpoch(2));
        assert_eq!((memory.written(Stream::Trail), memory.anchor()), (Sequence::ZERO, None));
        assert_eq!(memory.epoch(), Some(JournalEpoch(2)));
    }
}
