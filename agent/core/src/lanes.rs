//! What to send next: epochs in order, windows, rewinds, and events before the trail.
//!
//! PubAcks say nothing here; only a CommitAck moves a lane on. Whatever is sent and not committed when
//! a connection ends, or makes no progress for a while, is sent again from the last CommitAck.
//!
//! Every start of the agent begins an epoch. What an older one still holds goes first, and the next
//! epoch of a stream begins only when the one before it is wholly committed: the backend keeps a cursor
//! for each and could not tell that something between two of them is missing.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::down::CommitAck;
use tripline_protocol::link::up::{EVENT_BATCH_RECORDS_MAX, Stream};
use tripline_protocol::unit::Uptime;

/// Most entries in one trail batch: a minute of fixes at 1 Hz.
pub const TRAIL_BATCH_RECORDS_MAX: u64 = 60;

/// Event batches sent and not committed.
pub const EVENT_BATCHES_IN_FLIGHT_MAX: usize = 4;

/// Trail batches sent and not committed. Few, because live cannot overtake what is on the wire.
pub const TRAIL_BATCHES_IN_FLIGHT_MAX: usize = 2;

/// Without progress for so long, a lane rewinds to the last CommitAck, in ms.
pub const REWIND_AFTER_MS: u64 = 10_000;

/// What a stream holds of one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The epoch.
    pub epoch: JournalEpoch,
    /// The last sequence that may be sent.
    pub written: Sequence,
    /// The last sequence the backend has committed.
    pub committed: Sequence,
}

/// A run of records to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Send {
    /// The stream.
    pub stream: Stream,
    /// The epoch.
    pub epoch: JournalEpoch,
    /// The sequence the batch follows.
    pub after: Sequence,
    /// The last sequence that may be in it.
    pub through: Sequence,
    /// The most entries to put into it. A gap is one entry, however many sequences it covers.
    pub entries_max: u64,
}

/// What a CommitAck was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The cursor of its lane stands here now.
    Moved(Sequence),
    /// Nothing new, or an epoch that is done with.
    Known,
    /// Beyond everything this epoch has, which cannot be.
    Beyond,
}

#[derive(Debug)]
struct Lane {
    stream: Stream,
    /// Oldest first; the last is the running epoch.
    spans: VecDeque<Span>,
    /// Of the first span.
    sent: Sequence,
    in_flight: VecDeque<Sequence>,
    in_flight_max: usize,
    entries_max: u64,
    progress: Uptime,
}

impl Lane {
    fn new(stream: Stream, spans: Vec<Span>) -> Self {
        let (in_flight_max, entries_max) = match stream {
            Stream::Event => (EVENT_BATCHES_IN_FLIGHT_MAX, EVENT_BATCH_RECORDS_MAX as u64),
            Stream::Trail => (TRAIL_BATCHES_IN_FLIGHT_MAX, TRAIL_BATCH_RECORDS_MAX),
        };
        let mut lane = Self {
            stream,
            spans: spans.into(),
            sent: Sequence::ZERO,
            in_flight: VecDeque::new(),
            in_flight_max,
            entries_max,
            progress: Uptime::default(),
        };
        lane.drop_committed();
        lane.sent = lane.committed();
        lane
    }

    fn committed(&self) -> Sequence {
        self.spans.front().map_or(Sequence::ZERO, |span| span.committed)
    }

    /// Leaves old epochs that are wholly committed; whether there were any.
    fn drop_committed(&mut self) -> bool {
        let mut left = false;
        while let [first, _, ..] = self.spans.make_contiguous()
            && first.committed >= first.written
        {
            self.spans.pop_front();
            left = true;
        }
        left
    }

    fn rewind(&mut self, now: Uptime) {
        self.sent = self.committed();
        self.in_flight.clear();
        self.progress = now;
    }

    fn next(&self) -> Option<Send> {
        let span = self.spans.front()?;
        (self.sent < span.written && self.in_flight.len() < self.in_flight_max).then_some(Send {
            stream: self.stream,
            epoch: span.epoch,
            after: self.sent,
            through: span.written,
            entries_max: self.entries_max,
        })
    }

    fn handle_commit_ack(&mut self, epoch: JournalEpoch, through: Sequence, now: Uptime) -> Heard {
        let Some(at) = self.spans.iter().position(|span| span.epoch == epoch) else {
            return Heard::Known;
        };
        let is_running = at + 1 == self.spans.len();
        let Some(span) = self.spans.get_mut(at) else { return Heard::Known };
        if through > span.written && is_running {
            return Heard::Beyond;
        }
        // What an old epoch has lost since it was sent is with the backend.
        let through = through.min(span.written);
        if through <= span.committed {
            return Heard::Known;
        }
        span.committed = through;
        if self.drop_committed() {
            self.rewind(now);
        } else if at == 0 {
            self.sent = self.sent.max(through);
            self.in_flight.retain(|last| *last > through);
            self.progress = now;
        }
        Heard::Moved(through)
    }

    fn rewind_at(&self) -> Option<Uptime> {
        (!self.in_flight.is_empty()).then(|| self.progress.plus_ms(REWIND_AFTER_MS))
    }
}

/// The two journalled lanes of one agent.
#[derive(Debug)]
pub struct Lanes {
    event: Lane,
    trail: Lane,
    connected: bool,
    pause_ms: u64,
    busy: bool,
    trail_from: Uptime,
}

impl Lanes {
    /// Lanes over what the journal holds of each stream, oldest epoch first, the running one last.
    ///
    /// While a trip is under way, trail batches leave `pause_ms` apart at least, so that a long
    /// backlog does not stand in front of every live position.
    pub fn new(event: Vec<Span>, trail: Vec<Span>, pause_ms: u64) -> Self {
        Self {
            event: Lane::new(Stream::Event, event),
            trail: Lane::new(Stream::Trail, trail),
            connected: false,
            pause_ms,
            busy: false,
            trail_from: Uptime::default(),
        }
    }

    /// The running epoch may be sent up to `through`: it is synced, or the journal is in memory.
    ///
    /// A sequence is never given twice in an epoch, and no epoch outlives its process. Even so a healthy
    /// journal's records wait for their sync: what the backend was told must not be forgotten here.
    pub fn handle_written(&mut self, stream: Stream, through: Sequence) {
        if let Some(span) = self.lane_mut(stream).spans.back_mut() {
            span.written = span.written.max(through);
        }
    }

    /// Whether a trip is under way.
    pub const fn set_busy(&mut self, busy: bool) {
        self.busy = busy;
    }

    /// A connection stands: everything uncommitted goes again.
    pub fn handle_connected(&mut self, now: Uptime) {
        self.connected = true;
        self.event.rewind(now);
        self.trail.rewind(now);
    }

    /// The connection is gone.
    pub const fn handle_disconnected(&mut self) {
        self.connected = false;
    }

    /// A batch up to `last` went out, of the epoch that [`Lanes::poll_send`] named.
    pub fn handle_sent(&mut self, stream: Stream, last: Sequence, now: Uptime) {
        if stream == Stream::Trail {
            self.trail_from = now.plus_ms(self.pause_ms);
        }
        let lane = self.lane_mut(stream);
        if lane.in_flight.is_empty() {
            lane.progress = now;
        }
        lane.sent = last;
        lane.in_flight.push_back(last);
    }

    /// The backend committed. The cursor of an old epoch may lie beyond what is known of it; the
    /// running epoch's cannot, and is left alone.
    pub fn handle_commit_ack(&mut self, commit_ack: CommitAck, now: Uptime) -> Heard {
        let CommitAck { epoch, stream, through } = commit_ack;
        self.lane_mut(stream).handle_commit_ack(epoch, through, now)
    }

    /// Rewinds lanes that made no progress; call at [`Lanes::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Uptime) {
        for lane in [&mut self.event, &mut self.trail] {
            if lane.rewind_at().is_some_and(|at| at <= now) {
                lane.rewind(now);
            }
        }
    }

    /// When there is something to do: to rewind, or to send what was paced. After `now`, unless it is
    /// a rewind that is overdue.
    pub fn poll_timeout(&self, now: Uptime) -> Option<Uptime> {
        if !self.connected {
            return None;
        }
        let paced = self.trail_waits(now) && self.trail.next().is_some();
        let rewinds = [&self.event, &self.trail].into_iter().filter_map(Lane::rewind_at);
        rewinds.chain(paced.then_some(self.trail_from)).min()
    }

    /// The next batch to send, events first.
    pub fn poll_send(&self, now: Uptime) -> Option<Send> {
        if !self.connected {
            return None;
        }
        let trail = || self.trail.next().filter(|_| !self.trail_waits(now));
        self.event.next().or_else(trail)
    }

    fn trail_waits(&self, now: Uptime) -> bool {
        self.busy && self.trail_from > now
    }

    /// Records written and not committed, events and fixes.
    pub fn backlog(&self) -> (u64, u64) {
        let of = |lane: &Lane| {
            let waiting = lane.spans.iter().map(|span| span.written.since(span.committed));
            waiting.fold(0, u64::saturating_add)
        };
        (of(&self.event), of(&self.trail))
    }

    const fn lane_mut(&mut self, stream: Stream) -> &mut Lane {
        match stream {
            Stream::Event => &mut self.event,
            Stream::Trail => &mut self.trail,
        }
    }
}
