//! A vehicle's records until the backend has committed them, in memory: rewinds read them again.
//!
//! It stands for the agent's journal on disk and survives no restart; so each run has an epoch of its
//! own.

use std::collections::VecDeque;

use tripline_agent_core::lanes::Send;
use tripline_agent_core::memory::Anchor;
use tripline_agent_core::record::Record;
use tripline_protocol::id::Sequence;
use tripline_protocol::link::envelope::encode;
use tripline_protocol::link::topic::Lane;
use tripline_protocol::link::trail::{TrailBatch, TrailEntry};
use tripline_protocol::link::up::{Event, EventBatch, Stream};

/// Fixes that wait for their CommitAck at most: half an hour. A vehicle that has so many makes no more
/// until some are committed, so that a fleet without its backend does not fill the memory.
pub const FIXES_MAX: usize = 1_800;

/// A batch to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its lane.
    pub lane: Lane,
    /// Its stream.
    pub stream: Stream,
    /// The last sequence in it.
    pub last: Sequence,
    /// How many records it has.
    pub records: u64,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// The records of one epoch that are not committed.
#[derive(Debug, Default)]
pub struct Journal {
    fixes: Kept<TrailEntry>,
    events: Kept<Event>,
    anchor: Option<Anchor>,
}

/// A run of one stream, without holes.
#[derive(Debug)]
struct Kept<R> {
    /// The sequence before the first of them.
    after: Sequence,
    records: VecDeque<R>,
}

impl<R> Default for Kept<R> {
    fn default() -> Self {
        Self { after: Sequence::ZERO, records: VecDeque::new() }
    }
}

impl<R: Clone> Kept<R> {
    fn forget(&mut self, through: Sequence) {
        let count = usize::try_from(through.since(self.after)).unwrap_or(usize::MAX);
        self.records.drain(..count.min(self.records.len()));
        self.after = self.after.max(through);
    }

    fn read(&self, send: Send) -> Vec<R> {
        let skipped = usize::try_from(send.after.since(self.after)).unwrap_or(usize::MAX);
        let count = send.through.since(send.after).min(send.entries_max);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.records.iter().skip(skipped).take(count).cloned().collect()
    }
}

impl Journal {
    /// Keeps a record that the engine has numbered and applied.
    pub fn push(&mut self, record: Record) {
        match record {
            Record::Fix { fix, .. } => {
                self.fixes.records.push_back(TrailEntry::Fix((&fix).into()));
            }
            Record::Gap { fixes, reason, .. } => {
                self.fixes.records.push_back(TrailEntry::Gap { fixes, reason });
            }
            Record::Event { event, .. } => self.events.records.push_back(event),
            Record::Anchor(anchor) => self.anchor = self.anchor.or(Some(anchor)),
        }
    }

    /// Whether it has room for so many fixes.
    pub fn has_room(&self, fixes: usize) -> bool {
        self.fixes.records.len() + fixes <= FIXES_MAX
    }

    /// The batch that the lanes ask for.
    pub fn read(&self, send: Send) -> Outgoing {
        let Send { stream, epoch, after, .. } = send;
        let (lane, last, records, payload) = match stream {
            Stream::Trail => {
                let batch = TrailBatch { epoch, after, entries: self.fixes.read(send) };
                (Lane::Trail, batch.last(), batch.entries.len(), encode(&batch))
            }
            Stream::Event => {
                let records = self.events.read(send).into_iter().map(|event| self.date(event));
                let batch = EventBatch { epoch, after, records: records.collect() };
                (Lane::Event, batch.last(), batch.records.len(), encode(&batch))
            }
        };
        Outgoing { lane, stream, last, records: records as u64, payload }
    }

    /// Forgets what is committed.
    pub fn forget(&mut self, stream: Stream, through: Sequence) {
        match stream {
            Stream::Event => self.events.forget(through),
            Stream::Trail => self.fixes.forget(through),
        }
    }

    /// A provisional time is dated by the anchor, as the agent does when it sends.
    fn date(&self, mut event: Event) -> Event {
        if let Some(anchor) = self.anchor.filter(|_| !event.gnss_time) {
            event.at = anchor.date(event.reading.steady);
            event.gnss_time = true;
        }
        event
    }
}
