//! A vehicle that keeps a journal, and the ledger of what its journal has promised.

use std::collections::BTreeMap;
use std::sync::Arc;

use tripline_agent::journal::disk::Health;
use tripline_agent::journal::{Batches, Journal, Limits, Opened, Reader};
use tripline_agent_core::lanes::{Send, Span};
use tripline_agent_core::memory::{Anchor, Memory};
use tripline_agent_core::record::Record;
use tripline_protocol::fix::{Fix, FixType};
use tripline_protocol::id::{AssignmentId, CommandNumber, DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::down::{Command, CommandBody, CommitAck};
use tripline_protocol::link::trail::{GapReason, TrailEntry, TrailFix};
use tripline_protocol::link::up::{CommandOutcome, Event, EventBody, Stream};
use tripline_protocol::meter::Reading;
use tripline_protocol::unit::{Odometer, Position, Steady, Timestamp, Uptime};

use crate::disk::SimDisk;

/// Small segments, so that a short script fills several.
pub(crate) const LIMITS: Limits = Limits {
    event_segment_len: 18 * 1024,
    trail_segment_len: 18 * 1024,
    trail_quota_len: 72 * 1024,
    retry_ms: 1_000,
    segments_kept: 1,
};

pub(crate) const STREAMS: [Stream; 2] = [Stream::Event, Stream::Trail];

/// How far the clock was behind GNSS time before that was known.
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// What a vehicle does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// So many fixes.
    Fixes(u8),
    /// An event that somebody is told of.
    Event,
    /// The first GNSS time.
    Anchor,
    /// The group sync.
    Sync,
    /// The backend commits so many tenths of what it may have.
    Commit(Stream, u8),
    /// The agent is killed and started again.
    Restart,
}

pub(crate) fn device() -> DeviceId {
    "ka-01-1".parse().expect("valid")
}

/// The vehicle.
#[derive(Debug)]
pub(crate) struct Vehicle {
    pub(crate) disk: SimDisk,
    pub(crate) journal: Journal,
    pub(crate) memory: Memory,
    pub(crate) ledger: Ledger,
    pub(crate) now: Uptime,
    /// The uplink's, for the life of the process, and how far it has read.
    reader: Reader,
    sent: BTreeMap<&'static str, Sequence>,
}

/// What was written, and what of it was promised.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// Everything by epoch, in the order it was written.
    pub(crate) written: Vec<(JournalEpoch, Vec<Record>)>,
    /// Told to be durable by epoch and stream.
    pub(crate) promised: BTreeMap<(JournalEpoch, Stream), Sequence>,
    /// Committed by the backend.
    pub(crate) committed: BTreeMap<(JournalEpoch, Stream), Sequence>,
    count: u64,
}

pub(crate) fn open(disk: &SimDisk, epoch: u64) -> Opened {
    Journal::open(Arc::new(disk.clone()), &device(), JournalEpoch(epoch), LIMITS)
        .expect("it always opens")
}

impl Vehicle {
    pub(crate) fn new(disk: SimDisk) -> Self {
        let Opened { journal, memory, .. } = open(&disk, 1);
        let reader = journal.reader();
        let ledger = Ledger { written: vec![(JournalEpoch(1), Vec::new())], ..Ledger::default() };
        let now = Uptime::default();
        Self { disk, journal, memory, ledger, now, reader, sent: BTreeMap::new() }
    }

    pub(crate) fn take(&mut self, step: Step) {
        self.now = self.now.plus_ms(100);
        match step {
            Step::Fixes(count) => (0..count).for_each(|_| self.fix()),
            Step::Event => self.event(),
            Step::Anchor => {
                let at = self.at().plus_ms(HOUR_MS);
                let anchor = Anchor { steady: self.reading().steady, at };
                if self.memory.anchor().is_none() {
                    self.write(Record::Anchor(anchor)).expect("room");
                }
            }
            Step::Sync => self.sync(),
            Step::Commit(stream, tenths) => self.commit(stream, tenths),
            Step::Restart => self.restart(),
        }
    }

    pub(crate) fn fix(&mut self) {
        self.ledger.count += 1;
        let fix = Fix {
            at: self.at(),
            position: Position::new(i32::try_from(self.ledger.count).expect("few"), 7)
                .expect("on the globe"),
            speed_mmps: Some(9_000),
            course_cdeg: Some(4_711),
            altitude_mm: None,
            satellites: Some(9),
            hdop_c: Some(90),
            accuracy_mm: None,
            fix_type: FixType::ThreeD,
            refused: None,
        };
        let sequence = self.memory.written(Stream::Trail).next();
        self.write(Record::Fix { sequence, fix, reading: self.reading() }).expect("always room");
    }

    /// Takes in an event and syncs it, as for a driver who waits for the answer.
    pub(crate) fn event(&mut self) {
        self.try_event().expect("room");
    }

    pub(crate) fn try_event(&mut self) -> Result<(), tripline_agent::journal::AppendError> {
        self.ledger.count += 1;
        let number = CommandNumber(self.ledger.count);
        let assignment = AssignmentId::from_bytes([7; 16]);
        let body = CommandBody::Withdraw { assignment, reason: "x".repeat(150) };
        let event = Event {
            gnss_time: self.memory.anchor().is_some(),
            at: self.at(),
            reading: self.reading(),
            fix: None,
            body: EventBody::CommandDone { number, outcome: CommandOutcome::Applied },
        };
        let record = Record::Event {
            sequence: self.memory.written(Stream::Event).next(),
            trail: self.memory.written(Stream::Trail),
            event,
            command: Some(Box::new(Command { number, expires_at: None, body })),
        };
        self.write(record)?;
        self.sync();
        Ok(())
    }

    fn write(&mut self, record: Record) -> Result<(), tripline_agent::journal::AppendError> {
        self.journal.append(&record)?;
        self.memory.apply(&record);
        self.ledger.written.last_mut().expect("an epoch").1.push(record);
        Ok(())
    }

    pub(crate) fn sync(&mut self) {
        let sendable = self.journal.sync(self.now);
        if self.disk.is_off() {
            return; // Nobody heard the answer.
        }
        let durable = !matches!(self.journal.health(), Health::InMemory(_));
        let epoch = self.journal.epoch();
        for (stream, last) in [(Stream::Event, sendable.event), (Stream::Trail, sendable.trail)] {
            assert!(last <= self.memory.written(stream), "only what was written is sent");
            if durable {
                self.ledger.promised.insert((epoch, stream), last);
            }
            self.send(stream, last);
        }
    }

    /// Reads what may be sent since the last time: it is what was written.
    fn send(&mut self, stream: Stream, written: Sequence) {
        let epoch = self.journal.epoch();
        let sent = self.sent.insert(stream.code(), written).unwrap_or_default();
        let span = Span { epoch, written, committed: sent.min(written) };
        for (sequence, entry) in read_all(&mut self.reader, span, stream) {
            self.ledger.check_entry(epoch, sequence, &entry, written, Sequence::ZERO);
        }
    }

    /// The backend takes in all it may have of the oldest epoch of each stream.
    pub(crate) fn commit_all(&mut self) {
        for stream in STREAMS {
            self.take(Step::Commit(stream, 10));
        }
    }

    /// The backend takes in some of what it may have, oldest epoch first, and says so.
    fn commit(&mut self, stream: Stream, tenths: u8) {
        let sendable = self.journal.sendable();
        let mut spans = self.journal.spans(stream);
        if let Some(running) = spans.last_mut() {
            running.written = match stream {
                Stream::Event => sendable.event,
                Stream::Trail => sendable.trail,
            };
        }
        let Some(span) = spans.into_iter().find(|span| span.committed < span.written) else {
            return;
        };
        let step = span.written.since(span.committed) * u64::from(tenths) / 10;
        let (epoch, through) = (span.epoch, span.committed.plus(step));
        if self.disk.is_off() {
            return; // What is in memory after the power went was never there.
        }
        let known = self.ledger.committed.entry((epoch, stream)).or_default();
        *known = through.max(*known);
        self.journal.handle_commit_ack(CommitAck { epoch, stream, through });
    }

    /// Killed and started again. What was not synced is there all the same, or in memory and gone.
    pub(crate) fn restart(&mut self) {
        if self.disk.is_off() {
            return;
        }
        self.disk = self.disk.after_kill();
        self.start();
    }

    /// Starts on what is on the disk, and checks it.
    pub(crate) fn start(&mut self) {
        let epoch = JournalEpoch(self.ledger.written.len() as u64 + 1);
        let Opened { journal, memory, .. } = open(&self.disk, epoch.0);
        self.reader = journal.reader();
        self.sent.clear();
        self.journal = journal;
        self.ledger.check(&self.journal);
        self.ledger.forget_lost(&self.journal);
        self.ledger.written.push((epoch, Vec::new()));
        assert_eq!(memory, self.ledger.fold(), "snapshot and rest give what all records give");
        self.memory = memory;
        self.now = Uptime::default();
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_unix_ms(1_700_000_000_000 + self.ledger.count.cast_signed() * 1000)
    }

    fn reading(&self) -> Reading {
        Reading {
            steady: Steady { ms: self.ledger.count * 1000 },
            odometer: Odometer { mm: self.ledger.count * 9_000 },
            bridged: Odometer { mm: self.ledger.count * 10 },
            fixes: self.ledger.count,
            refused: self.ledger.count / 7,
        }
    }
}

impl Ledger {
    /// A fresh start reads what was promised: events all of them, fixes or gaps that say they were
    /// thinned, none other than was written.
    pub(crate) fn check(&self, journal: &Journal) {
        let mut reader = journal.reader();
        for stream in STREAMS {
            let mut spans = journal.spans(stream);
            spans.pop();
            for (epoch, _) in &self.written {
                let promised = Self::of(&self.promised, *epoch, stream);
                let committed = Self::of(&self.committed, *epoch, stream);
                let Some(span) = spans.iter().find(|span| span.epoch == *epoch) else {
                    assert!(promised <= committed, "{epoch} {stream:?} is gone with {promised}");
                    continue;
                };
                assert!(span.written >= promised, "{epoch} {stream:?} ends before {promised}");
                for (sequence, entry) in read_all(&mut reader, *span, stream) {
                    self.check_entry(*epoch, sequence, &entry, promised.max(committed), committed);
                }
            }
        }
    }

    fn check_entry(
        &self,
        epoch: JournalEpoch,
        sequence: Sequence,
        entry: &Entry,
        promised: Sequence,
        committed: Sequence,
    ) {
        match entry {
            Entry::Event(event) => {
                let Record::Event { event: written, .. } =
                    self.record(epoch, Stream::Event, sequence)
                else {
                    panic!("not an event")
                };
                assert_eq!(event.body, written.body, "event {sequence} of {epoch}");
                assert_eq!(event.reading, written.reading, "event {sequence} of {epoch}");
            }
            Entry::Fix(fix) => {
                let Record::Fix { fix: written, .. } = self.record(epoch, Stream::Trail, sequence)
                else {
                    panic!("not a fix")
                };
                assert_eq!(*fix, TrailFix::from(written), "fix {sequence} of {epoch}");
            }
            Entry::Lost => {
                assert!(sequence > promised || sequence <= committed, "event {sequence} is lost");
            }
            Entry::Gone(GapReason::Thinned) => {}
            Entry::Gone(GapReason::Damaged) => {
                assert!(sequence > promised || sequence <= committed, "fix {sequence} is lost");
            }
        }
    }

    fn of(
        cursors: &BTreeMap<(JournalEpoch, Stream), Sequence>,
        epoch: JournalEpoch,
        stream: Stream,
    ) -> Sequence {
        cursors.get(&(epoch, stream)).copied().unwrap_or_default()
    }

    fn record(&self, epoch: JournalEpoch, stream: Stream, sequence: Sequence) -> &Record {
        let (_, records) = self.written.iter().find(|(of, _)| *of == epoch).expect("an epoch");
        records
            .iter()
            .find(|record| record.position() == Some((stream, sequence)))
            .unwrap_or_else(|| panic!("{stream:?} {sequence} of {epoch} was never written"))
    }

    /// Leaves out of the newest epoch what was lost with its unsynced end.
    fn forget_lost(&mut self, journal: &Journal) {
        let Some((epoch, records)) = self.written.last_mut() else { return };
        let mut kept = BTreeMap::new();
        let mut reader = journal.reader();
        for stream in STREAMS {
            let of = |span: &Span| span.epoch == *epoch;
            let Some(span) = journal.spans(stream).into_iter().find(of) else { continue };
            // What is committed was there.
            let entries = read_all(&mut reader, span, stream);
            let lost =
                |entry: &Entry| matches!(entry, Entry::Lost | Entry::Gone(GapReason::Damaged));
            let lost: Vec<_> =
                entries.into_iter().filter(|(_, entry)| lost(entry)).map(|(at, _)| at).collect();
            kept.insert(stream.code(), (span.written, lost));
        }
        let known = self.committed.clone();
        records.retain(|record| match record.position() {
            None => true,
            Some((stream, at)) => {
                let committed = known.get(&(*epoch, stream)).copied().unwrap_or_default();
                at <= committed
                    || kept
                        .get(stream.code())
                        .is_some_and(|(written, lost)| at <= *written && !lost.contains(&at))
            }
        });
    }

    /// What all records give.
    pub(crate) fn fold(&self) -> Memory {
        let mut memory = Memory::default();
        for (epoch, records) in &self.written {
            memory.begin(*epoch);
            for record in records {
                memory.apply(record);
            }
        }
        memory
    }
}

/// What the backend is sent for one sequence.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    Event(Box<Event>),
    Fix(TrailFix),
    Lost,
    Gone(GapReason),
}

/// Reads a span batch by batch, as the uplink does.
pub(crate) fn read_all(reader: &mut Reader, span: Span, stream: Stream) -> Vec<(Sequence, Entry)> {
    let mut entries = Vec::new();
    let mut after = span.committed;
    while after < span.written {
        let send =
            Send { stream, epoch: span.epoch, after, through: span.written, entries_max: 16 };
        let batch = reader.read(send).expect("readable");
        let before = after;
        match batch {
            Batches::Event(batch) => {
                assert_eq!((batch.epoch, batch.after), (span.epoch, after));
                for event in batch.records {
                    after = after.next();
                    let lost = event.body == EventBody::Lost;
                    entries.push((
                        after,
                        if lost { Entry::Lost } else { Entry::Event(Box::new(event)) },
                    ));
                }
            }
            Batches::Trail(batch) => {
                assert_eq!((batch.epoch, batch.after), (span.epoch, after));
                for entry in batch.entries {
                    for _ in 0..entry.len() {
                        after = after.next();
                        entries.push(match entry {
                            TrailEntry::Fix(fix) => (after, Entry::Fix(fix)),
                            TrailEntry::Gap { reason, .. } => (after, Entry::Gone(reason)),
                        });
                    }
                }
            }
        }
        assert!(after > before, "a batch without records");
    }
    assert_eq!(after, span.written, "a batch went beyond what may be sent");
    entries
}
