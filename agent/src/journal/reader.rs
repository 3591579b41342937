//! Reads batches for the uplink out of the segments, so that a long backlog is never in memory.

use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tripline_agent_core::lanes::Send;
use tripline_agent_core::memory::Anchor;
use tripline_agent_core::record::{Frame, Item, Record, next_candidate, read_frame};
use tripline_agent_core::segment::{Fate, HEADERS_LEN};
use tripline_protocol::id::Sequence;
use tripline_protocol::link::trail::{GapReason, TrailBatch, TrailEntry};
use tripline_protocol::link::up::{Batch, Event, EventBatch, EventBody, Stream};
use tripline_protocol::meter::Reading;
use tripline_protocol::unit::{Odometer, Steady, Timestamp};

use super::catalog::{Catalog, Segment};
use super::disk::Disk;
use super::image;

/// Bytes read at once; longer than the longest frame.
const CHUNK_LEN: usize = 64 * 1024;

/// A batch of either stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batches {
    /// Events.
    Event(EventBatch),
    /// Fixes.
    Trail(TrailBatch),
}

/// Reads what may be sent.
#[derive(Debug)]
pub struct Reader {
    disk: Arc<dyn Disk>,
    shared: Arc<Mutex<Catalog>>,
    /// Where the last batch of each stream ended.
    event_at: Option<Place>,
    trail_at: Option<Place>,
}

/// A place in a segment behind which everything follows `after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    number: u64,
    version: u32,
    after: Sequence,
    offset: u64,
}

impl Reader {
    pub(super) const fn new(disk: Arc<dyn Disk>, shared: Arc<Mutex<Catalog>>) -> Self {
        Self { disk, shared, event_at: None, trail_at: None }
    }

    /// The batch that `send` asks for. What is lost is declared, so that the batch has no holes; it is
    /// empty if there is nothing to send after all.
    pub fn read(&mut self, send: Send) -> io::Result<Batches> {
        loop {
            let (batch, segments) = self.try_read(send)?;
            // One that was thinned meanwhile may have been read half before and half after.
            if segments.iter().all(|segment| self.is_current(segment)) {
                return Ok(batch);
            }
        }
    }

    fn try_read(&mut self, send: Send) -> io::Result<(Batches, Vec<Segment>)> {
        let (segments, pending, anchor) = self.sources(send);
        let mut collector = Collector::new(send, anchor);
        for segment in &segments {
            if collector.is_full() {
                break;
            }
            self.read_segment(segment, &mut collector)?;
        }
        for record in pending {
            if collector.push(record).is_break() {
                break;
            }
        }
        collector.declare_gap(send.through, GapReason::Damaged);
        Ok((collector.into_batch(), segments))
    }

    fn is_current(&self, segment: &Segment) -> bool {
        let mut shared = self.lock();
        let listed = shared.by_number(segment.header.stream, segment.header.number);
        listed.is_none_or(|listed| listed.version == segment.version)
    }

    /// Segments that hold something of it, records in memory that do, and the epoch's anchor.
    fn sources(&self, send: Send) -> (Vec<Segment>, Vec<Record>, Option<Anchor>) {
        let mut shared = self.lock();
        let segments = shared.of(send.stream).filter(|segment| {
            segment.header.epoch == send.epoch
                && segment.last > send.after
                && segment.header.after < send.through
        });
        // A batch ends within a few segments; each of them is followed by at least one record.
        let enough = usize::try_from(send.entries_max).unwrap_or(usize::MAX);
        let segments = segments.take(enough).cloned().collect();
        let anchor = shared.anchors.get(&send.epoch).copied();
        let is_wanted = |record: &&Record| record.position().is_some_and(|(_, at)| at > send.after);
        let pending = if send.epoch == shared.epoch {
            shared.pending(send.stream).iter().filter(is_wanted).take(enough).cloned().collect()
        } else {
            Vec::new()
        };
        (segments, pending, anchor)
    }

    fn read_segment(&mut self, segment: &Segment, collector: &mut Collector) -> io::Result<()> {
        if let Fate::Dropped { .. } = segment.header.fate {
            collector.declare_gap(segment.header.after, GapReason::Damaged);
            collector.declare_gap(segment.last, GapReason::Thinned);
            return Ok(());
        }
        let stream = segment.header.stream;
        let mut offset = self.begin_at(segment, collector.reached);
        let mut goes_on_at = offset;
        let file = self.disk.open(&segment.name())?;
        let mut chunk = vec![0; CHUNK_LEN];
        loop {
            let len = image::read_at(file.as_ref(), &mut chunk, offset)?;
            let bytes = chunk.get(..len).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            let taken = take_frames(bytes, len == CHUNK_LEN, segment.last, collector);
            goes_on_at = taken.valid.map_or(goes_on_at, |valid| offset + valid as u64);
            offset += taken.bytes as u64;
            if taken.enough {
                break;
            }
        }
        if !collector.is_full() {
            collector.declare_gap(segment.last, GapReason::Damaged);
        }
        // Not behind zeros: that is where more will be written.
        let (number, version) = (segment.header.number, segment.version);
        let after = collector.reached;
        *self.place(stream) = Some(Place { number, version, after, offset: goes_on_at });
        Ok(())
    }

    fn begin_at(&mut self, segment: &Segment, after: Sequence) -> u64 {
        let place = self.place(segment.header.stream).filter(|place| {
            (place.number, place.version) == (segment.header.number, segment.version)
                && place.after <= after
        });
        place.map_or(HEADERS_LEN as u64, |place| place.offset)
    }

    const fn place(&mut self, stream: Stream) -> &mut Option<Place> {
        match stream {
            Stream::Event => &mut self.event_at,
            Stream::Trail => &mut self.trail_at,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Catalog> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was done with some bytes.
#[derive(Debug)]
struct Taken {
    /// How many need not be looked at again.
    bytes: usize,
    /// Where the last valid frame among them ends.
    valid: Option<usize>,
    /// Whether the collector wants no more of this segment.
    enough: bool,
}

/// Hands the records of `bytes` up to `last` to the collector. `more` bytes may follow these.
fn take_frames(bytes: &[u8], more: bool, last: Sequence, to: &mut Collector) -> Taken {
    let mut taken = Taken { bytes: 0, valid: None, enough: false };
    while let Some(rest) = bytes.get(taken.bytes..).filter(|rest| !rest.is_empty()) {
        match read_frame(rest) {
            Frame::Valid { item, len } => {
                if let Item::Record(record) = item {
                    let beyond = record.position().is_some_and(|(_, at)| at > last);
                    // One that did not fit is read again for the next batch.
                    taken.enough = beyond || to.push(record).is_break();
                    if taken.enough {
                        return taken;
                    }
                }
                taken.bytes += len;
                taken.valid = Some(taken.bytes);
                taken.enough = to.reached >= last;
                if taken.enough {
                    return taken;
                }
            }
            // Its end may lie in the next chunk; if it stands at this one's start, the chunk holds a
            // whole frame and this is none.
            Frame::Incomplete if more && taken.bytes > 0 => break,
            Frame::Incomplete | Frame::Damaged => taken.bytes += next_candidate(rest),
        }
    }
    taken
}

/// Puts a batch together, without holes.
#[derive(Debug)]
struct Collector {
    send: Send,
    anchor: Option<Anchor>,
    reached: Sequence,
    events: Vec<Event>,
    fixes: Vec<TrailEntry>,
}

impl Collector {
    const fn new(send: Send, anchor: Option<Anchor>) -> Self {
        Self { send, anchor, reached: send.after, events: Vec::new(), fixes: Vec::new() }
    }

    fn is_full(&self) -> bool {
        let entries = self.events.len() + self.fixes.len();
        entries as u64 >= self.send.entries_max || self.reached >= self.send.through
    }

    /// Takes in the next record; breaks where it has no place in this batch any more.
    fn push(&mut self, record: Record) -> ControlFlow<()> {
        let Some((stream, last)) = record.position() else { return ControlFlow::Continue(()) };
        if stream != self.send.stream || last <= self.reached {
            return ControlFlow::Continue(());
        }
        let first = match &record {
            Record::Gap { fixes, .. } => Sequence(last.0.saturating_sub(*fixes)).next(),
            Record::Fix { .. } | Record::Event { .. } | Record::Anchor(_) => last,
        };
        self.declare_gap(Sequence(first.0 - 1), GapReason::Damaged);
        if self.is_full() {
            return ControlFlow::Break(());
        }
        match record {
            Record::Fix { fix, .. } => self.fixes.push(TrailEntry::Fix((&fix).into())),
            Record::Event { mut event, .. } => {
                if let Some(anchor) = self.anchor.filter(|_| !event.gnss_time) {
                    event.at = anchor.date(event.reading.steady);
                    event.gnss_time = true;
                }
                self.events.push(event);
            }
            Record::Gap { reason, .. } => {
                self.declare_gap(last, reason);
                return ControlFlow::Continue(());
            }
            Record::Anchor(_) => return ControlFlow::Continue(()),
        }
        self.reached = last;
        ControlFlow::Continue(())
    }

    /// Declares what is missing up to `through`.
    fn declare_gap(&mut self, through: Sequence, reason: GapReason) {
        let through = through.min(self.send.through);
        while self.reached < through && !self.is_full() {
            let fixes = through.since(self.reached);
            match self.send.stream {
                Stream::Trail => {
                    self.fixes.push(TrailEntry::Gap { fixes, reason });
                    self.reached = through;
                }
                Stream::Event => {
                    self.events.push(LOST);
                    self.reached = self.reached.next();
                }
            }
        }
    }

    fn into_batch(self) -> Batches {
        let Send { epoch, after, stream, .. } = self.send;
        match stream {
            Stream::Event => Batches::Event(Batch { epoch, after, records: self.events }),
            Stream::Trail => Batches::Trail(TrailBatch { epoch, after, entries: self.fixes }),
        }
    }
}

/// Stands for an event whose record was damaged. Its time and counters are lost with it.
const LOST: Event = Event {
    at: Timestamp::from_unix_ms(0),
    gnss_time: false,
    reading: Reading {
        steady: Steady { ms: 0 },
        odometer: Odometer { mm: 0 },
        bridged: Odometer { mm: 0 },
        fixes: 0,
        refused: 0,
    },
    fix: None,
    body: EventBody::Lost,
};
