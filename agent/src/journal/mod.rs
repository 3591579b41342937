//! The journal: append-only segments of checked records, and what to do when the disk gives way.
//!
//! Each start of the agent writes segments of its own, in an epoch of its own, so no sequence is ever
//! given twice and nothing is appended behind a torn tail. Records gather in memory until their sync;
//! nothing is told to anybody before the sync that covers it has returned. A file whose write or sync
//! failed is never trusted again: what it may lack is written to a fresh one. Where that fails too, the
//! records stay in memory, within bounds, and may be sent from there.
//!
//! `docs/decisions/0018-an-epoch-a-start-and-segments-that-are-deleted.md` and the one after it say why.

mod catalog;
mod cursor;
pub mod disk;
pub mod folder;
mod image;
mod owner;
mod reader;
mod recover;
mod room;
mod write;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{error, warn};
use tripline_agent_core::lanes::Span;
use tripline_agent_core::memory::Memory;
use tripline_agent_core::record::{Record, TooLarge, write_frame};
use tripline_agent_core::thin::Thinner;
use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::down::CommitAck;
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::Uptime;

use catalog::Catalog;
use cursor::CursorFile;
use disk::{Disk, DiskFile, Fault, Health};
pub use owner::owner;
pub use reader::{Batches, Reader};
pub use recover::Found;
use recover::{Numbers, RecoverError, Recovered};
use write::Log;

/// Events kept in memory while the disk gives way; further ones are refused. A day of trips, 300 KB.
pub const EVENTS_IN_MEMORY_MAX: usize = 1_000;

/// Fixes and gaps kept in memory while the disk gives way; beyond, the older half is thinned. An hour
/// at full rate, a megabyte.
pub const FIXES_IN_MEMORY_MAX: usize = 3_600;

/// What an installer has done to the folder, rather than time to the disk.
const MISTAKES: [io::ErrorKind; 3] =
    [io::ErrorKind::PermissionDenied, io::ErrorKind::NotADirectory, io::ErrorKind::AlreadyExists];

/// How the journal uses the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Length of an event segment in bytes. One is in use, one is reserved.
    pub event_segment_len: u64,
    /// Length of a trail segment in bytes.
    pub trail_segment_len: u64,
    /// All trail segments together, in bytes. Beyond it the trail is thinned.
    pub trail_quota_len: u64,
    /// Between two attempts to write to a disk that gave way, in ms.
    pub retry_ms: u64,
    /// How many segments of each stream are kept when everything is committed, at least 1.
    pub segments_kept: usize,
}

/// Why a record was not taken in. Nothing of it is in the journal.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk gives way and the memory is full.
    #[error(
        "the journal cannot take in more: {}, and {EVENTS_IN_MEMORY_MAX} events wait in memory", .0.advice()
    )]
    MemoryFull(Fault),
    /// A record no frame can hold.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// Why a journal is not this agent's to use.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the lock.
    #[error("another agent is using it")]
    Busy,
    /// It is another device's.
    #[error("it belongs to device {owner}")]
    Foreign {
        /// Whose it is.
        owner: DeviceId,
    },
    /// An installer's mistake, not a failing disk.
    #[error("{0}; correct the folder, its owner and permissions")]
    Folder(io::Error),
}

/// How far each stream of the running epoch may be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sendable {
    /// Events.
    pub event: Sequence,
    /// Fixes.
    pub trail: Sequence,
}

/// What opening found.
#[derive(Debug)]
pub struct Opened {
    /// The journal.
    pub journal: Journal,
    /// What it remembers, in the new epoch.
    pub memory: Memory,
    /// What earlier starts left.
    pub found: Found,
}

/// The journal, in the hands of its one owner.
pub struct Journal {
    disk: Arc<dyn Disk>,
    device: DeviceId,
    epoch: JournalEpoch,
    start: u64,
    limits: Limits,
    shared: Arc<Mutex<Catalog>>,
    /// What a restart would know: the fold over everything that is synced.
    durable: Memory,
    event: Log,
    trail: Log,
    numbers: Numbers,
    spare: Option<Spare>,
    no_reserve: Option<Fault>,
    reserve_retry_at: Uptime,
    cursor: CursorFile,
}

/// The reserved event segment.
#[derive(Debug)]
struct Spare {
    number: u64,
    file: Box<dyn DiskFile>,
}

impl Journal {
    /// Opens the journal of `device` and begins the epoch `epoch`. A disk that gives way is no reason
    /// to fail: then everything is in memory, loudly.
    pub fn open(
        disk: Arc<dyn Disk>,
        device: &DeviceId,
        epoch: JournalEpoch,
        limits: Limits,
    ) -> Result<Opened, OpenError> {
        let (mut recovered, fault) = match read(disk.as_ref(), device, epoch) {
            Ok(recovered) => (recovered, None),
            Err(RecoverError::Foreign { owner }) => return Err(OpenError::Foreign { owner }),
            Err(RecoverError::Disk(error)) if error.kind() == io::ErrorKind::ResourceBusy => {
                return Err(OpenError::Busy);
            }
            Err(RecoverError::Disk(error)) if MISTAKES.contains(&error.kind()) => {
                return Err(OpenError::Folder(error));
            }
            Err(RecoverError::Disk(error)) => {
                error!(%error, "the journal cannot be read; nothing is known of earlier trips");
                (Recovered::nothing(epoch), Some(Fault::of(&error)))
            }
        };
        let (cursor, cursors) = CursorFile::open(disk.as_ref());
        recovered.catalog.committed =
            cursors.committed.into_iter().map(|(e, s, through)| ((e, s), through)).collect();
        let mut memory = recovered.memory;
        memory.begin(epoch);
        let mut journal = Self {
            disk,
            device: device.clone(),
            epoch,
            start: recovered.start,
            limits,
            shared: Arc::new(Mutex::new(recovered.catalog)),
            durable: memory.clone(),
            event: Log::new(),
            trail: Log::new(),
            numbers: recovered.numbers,
            spare: None,
            no_reserve: fault,
            reserve_retry_at: Uptime::default(),
            cursor,
        };
        journal.delete_committed();
        Ok(Opened { journal, memory, found: recovered.found })
    }

    /// The running epoch.
    pub const fn epoch(&self) -> JournalEpoch {
        self.epoch
    }

    /// How it is.
    pub fn health(&self) -> Health {
        match (self.event.fault(), self.trail.fault(), self.no_reserve) {
            (Some(fault), _, _) | (None, Some(fault), _) => Health::InMemory(fault),
            (None, None, Some(fault)) => Health::NoReserve(fault),
            (None, None, None) => Health::Sound,
        }
    }

    /// Takes in a record. It is in memory until [`Journal::sync`], and nobody may be told of it.
    pub fn append(&mut self, record: &Record) -> Result<(), AppendError> {
        let stream = record.stream();
        if stream == Stream::Event {
            // Fixes are of a known size.
            write_frame(record, &mut Vec::new())?;
        }
        let fault = self.log(stream).fault();
        let mut shared = self.shared();
        if shared.events.len() >= EVENTS_IN_MEMORY_MAX && stream == Stream::Event {
            return Err(AppendError::MemoryFull(fault.unwrap_or(Fault::Broken)));
        }
        if let Record::Anchor(anchor) = record {
            let epoch = shared.epoch;
            shared.anchors.entry(epoch).or_insert(*anchor);
        }
        shared.pending(stream).push_back(record.clone());
        if shared.trail.len() > FIXES_IN_MEMORY_MAX {
            thin_in_memory(&mut shared);
        }
        Ok(())
    }

    /// Whether something waits for [`Journal::sync`].
    pub fn is_dirty(&self) -> bool {
        let shared = self.shared();
        !shared.events.is_empty() || !shared.trail.is_empty()
    }

    /// Whether so many fixes wait that they should be synced now: left to wait, a fast recording would
    /// have them thinned though the disk is sound.
    pub fn is_filling(&self) -> bool {
        self.trail.fault().is_none() && self.shared().trail.len() >= FIXES_IN_MEMORY_MAX / 2
    }

    /// Makes everything taken in durable where the disk allows it, and says how far each stream may be
    /// sent. Where the disk gives way, that is as far as the memory goes.
    pub fn sync(&mut self, now: Uptime) -> Sendable {
        // The trail first: an event tells of the fixes before it.
        for stream in [Stream::Trail, Stream::Event] {
            self.flush(stream, now);
        }
        self.fold();
        if self.event.has_segment() && self.event.fault().is_none() {
            self.reserve(now);
        }
        self.sendable()
    }

    /// How far each stream may be sent.
    pub fn sendable(&self) -> Sendable {
        Sendable {
            event: self.sendable_of(&self.event, Stream::Event),
            trail: self.sendable_of(&self.trail, Stream::Trail),
        }
    }

    fn sendable_of(&self, log: &Log, stream: Stream) -> Sequence {
        let mut shared = self.shared();
        let pending = shared.pending(stream).iter().rev().find_map(Record::position);
        match (log.fault(), pending) {
            (Some(_), Some((_, last))) => log.synced().max(last),
            (Some(_), None) | (None, _) => log.synced(),
        }
    }

    /// What there is of a stream, oldest epoch first.
    pub fn spans(&self, stream: Stream) -> Vec<Span> {
        self.shared().spans(stream)
    }

    /// Records of a stream the backend does not have, up to the last one taken in.
    pub fn waiting(&self, stream: Stream) -> u64 {
        let mut shared = self.shared();
        let last = shared.pending(stream).iter().rev().find_map(Record::position);
        let mut spans = shared.spans(stream);
        if let (Some(running), Some((_, last))) = (spans.last_mut(), last) {
            running.written = running.written.max(last);
        }
        let waiting = spans.iter().map(|span| span.written.since(span.committed));
        waiting.fold(0, u64::saturating_add)
    }

    /// The backend committed. What it has may be forgotten here.
    pub fn handle_commit_ack(&mut self, commit_ack: CommitAck) {
        let CommitAck { epoch, stream, through } = commit_ack;
        let serial = self.cursor.next_serial();
        let mut shared = self.shared();
        let known = shared.committed.entry((epoch, stream)).or_default();
        if through <= *known {
            return;
        }
        *known = through;
        let cursors = shared.cursors(serial);
        let mut dropped = Vec::new();
        if epoch == self.epoch {
            let pending = shared.pending(stream);
            let is_covered = |record: &mut Record| {
                record.position().is_none_or(|(_, sequence)| sequence <= through)
            };
            // Only a journal in memory sends what is not synced.
            while self.log(stream).fault().is_some()
                && let Some(record) = pending.pop_front_if(is_covered)
            {
                dropped.push(record);
            }
        }
        drop(shared);
        self.log_mut(stream).settle(dropped);
        self.fold();
        if let Err(error) = self.cursor.write(self.disk.as_ref(), &cursors) {
            tracing::debug!(%error, "cursor not written; records may be sent again after a restart");
        }
        self.delete_committed();
    }

    /// A reader for another task.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.disk), Arc::clone(&self.shared))
    }

    /// Takes what became durable into what a restart would know.
    fn fold(&mut self) {
        let mut events = self.event.take_settled();
        for record in self.trail.take_settled() {
            self.durable.replay(&mut events, &record);
        }
        for event in events {
            self.durable.replay_event(&event);
        }
    }

    const fn log(&self, stream: Stream) -> &Log {
        match stream {
            Stream::Event => &self.event,
            Stream::Trail => &self.trail,
        }
    }

    const fn log_mut(&mut self, stream: Stream) -> &mut Log {
        match stream {
            Stream::Event => &mut self.event,
            Stream::Trail => &mut self.trail,
        }
    }

    fn shared(&self) -> MutexGuard<'_, Catalog> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("epoch", &self.epoch)
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

fn read(
    disk: &dyn Disk,
    device: &DeviceId,
    epoch: JournalEpoch,
) -> Result<Recovered, RecoverError> {
    if let Err(error) = disk.make_ready() {
        // A read-only disk can be read all the same, unless another agent is at it.
        if Fault::of(&error) != Fault::ReadOnly && Fault::of(&error) != Fault::Full {
            return Err(error.into());
        }
        warn!(%error, "the data folder cannot be written");
    }
    Recovered::read(disk, device, epoch)
}

/// Thins the older half of the fixes in memory.
fn thin_in_memory(shared: &mut Catalog) {
    let half = shared.trail.len() / 2;
    let older: Vec<Record> = shared.trail.drain(..half).collect();
    let first = match older.first() {
        Some(Record::Gap { through, fixes, .. }) => through.0.saturating_sub(*fixes),
        Some(record) => record.position().map_or(0, |(_, sequence)| sequence.0.saturating_sub(1)),
        None => return,
    };
    let last = older.last().and_then(Record::position).map_or(Sequence(first), |(_, last)| last);
    let mut thinned = Vec::new();
    let mut keep = |record| thinned.push(record);
    let mut thinner = Thinner::new(Sequence(first));
    for record in older {
        thinner.push(record, &mut keep);
    }
    thinner.finish(last, &mut keep);
    for record in thinned.into_iter().rev() {
        shared.trail.push_front(record);
    }
}
