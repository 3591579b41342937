//! What to send next: windows, rewinds, and events before the trail.
//!
//! PubAcks say nothing here; only a CommitAck moves a lane on. Whatever is sent and not committed when
//! a connection ends, or makes no progress for a while, is sent again from the last CommitAck.

use alloc::collections::VecDeque;

use tripline_protocol::id::Sequence;
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::Uptime;

/// Most records in one event batch: sixteen of the largest stay within a payload.
pub const EVENT_BATCH_RECORDS_MAX: u64 = 16;

/// Most fixes in one trail batch: a minute at 1 Hz.
pub const TRAIL_BATCH_RECORDS_MAX: u64 = 60;

/// Event batches sent and not committed.
pub const EVENT_BATCHES_IN_FLIGHT_MAX: usize = 4;

/// Trail batches sent and not committed. Few, because live cannot overtake what is on the wire.
pub const TRAIL_BATCHES_IN_FLIGHT_MAX: usize = 2;

/// Without progress for so long, a lane rewinds to the last CommitAck, in ms.
pub const REWIND_AFTER_MS: u64 = 10_000;

/// A run of records to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Send {
    /// The stream.
    pub stream: Stream,
    /// The sequence the batch follows.
    pub after: Sequence,
    /// The most records to put into it.
    pub records_max: u64,
}

#[derive(Debug)]
struct Lane {
    stream: Stream,
    written: Sequence,
    committed: Sequence,
    sent: Sequence,
    in_flight: VecDeque<Sequence>,
    in_flight_max: usize,
    records_max: u64,
    progress: Uptime,
}

impl Lane {
    fn new(stream: Stream, written: Sequence, committed: Sequence) -> Self {
        let (in_flight_max, records_max) = match stream {
            Stream::Event => (EVENT_BATCHES_IN_FLIGHT_MAX, EVENT_BATCH_RECORDS_MAX),
            Stream::Trail => (TRAIL_BATCHES_IN_FLIGHT_MAX, TRAIL_BATCH_RECORDS_MAX),
        };
        Self {
            stream,
            written,
            committed,
            sent: committed,
            in_flight: VecDeque::new(),
            in_flight_max,
            records_max,
            progress: Uptime::default(),
        }
    }

    fn rewind(&mut self, now: Uptime) {
        self.sent = self.committed;
        self.in_flight.clear();
        self.progress = now;
    }

    fn next(&self) -> Option<Send> {
        (self.sent < self.written && self.in_flight.len() < self.in_flight_max).then(|| Send {
            stream: self.stream,
            after: self.sent,
            records_max: self.records_max.min(self.written.since(self.sent)),
        })
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
}

impl Lanes {
    /// Lanes over a journal with these (written, committed) cursors.
    pub fn new(event: (Sequence, Sequence), trail: (Sequence, Sequence)) -> Self {
        Self {
            event: Lane::new(Stream::Event, event.0, event.1),
            trail: Lane::new(Stream::Trail, trail.0, trail.1),
            connected: false,
        }
    }

    /// The journal is synced up to `through`. Only then may a record leave the device: after a power
    /// cut its sequence would otherwise be given to another.
    pub fn handle_synced(&mut self, stream: Stream, through: Sequence) {
        let lane = self.lane_mut(stream);
        lane.written = lane.written.max(through);
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

    /// A batch up to `last` went out.
    pub fn handle_sent(&mut self, stream: Stream, last: Sequence, now: Uptime) {
        let lane = self.lane_mut(stream);
        if lane.in_flight.is_empty() {
            lane.progress = now;
        }
        lane.sent = last;
        lane.in_flight.push_back(last);
    }

    /// The backend committed `stream` up to `through`.
    pub fn handle_commit_ack(&mut self, stream: Stream, through: Sequence, now: Uptime) {
        let lane = self.lane_mut(stream);
        // A cursor beyond what is written is not of this journal, whatever it says.
        if through <= lane.committed || through > lane.written {
            return;
        }
        lane.committed = through;
        lane.sent = lane.sent.max(through);
        lane.in_flight.retain(|last| *last > through);
        lane.progress = now;
    }

    /// Rewinds lanes that made no progress; call at [`Lanes::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Uptime) {
        for lane in [&mut self.event, &mut self.trail] {
            if lane.rewind_at().is_some_and(|at| at <= now) {
                lane.rewind(now);
            }
        }
    }

    /// When [`Lanes::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Uptime> {
        if !self.connected {
            return None;
        }
        [&self.event, &self.trail].into_iter().filter_map(Lane::rewind_at).min()
    }

    /// The next batch to send, events first.
    pub fn poll_send(&self) -> Option<Send> {
        if !self.connected {
            return None;
        }
        self.event.next().or_else(|| self.trail.next())
    }

    /// Records written and not committed, events and fixes.
    pub fn backlog(&self) -> (u64, u64) {
        let of = |lane: &Lane| lane.written.since(lane.committed);
        (of(&self.event), of(&self.trail))
    }

    const fn lane_mut(&mut self, stream: Stream) -> &mut Lane {
        match stream {
            Stream::Event => &mut self.event,
            Stream::Trail => &mut self.trail,
        }
    }
}
