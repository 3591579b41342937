//! What the journal holds and where, shared between its one writer and the uplink's reader.

use std::collections::{BTreeMap, VecDeque};

use tripline_agent_core::lanes::Span;
use tripline_agent_core::memory::Anchor;
use tripline_agent_core::record::Record;
use tripline_agent_core::segment::{Cursors, Fate, Header};
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::up::Stream;

/// A segment on the disk, as far as its records are durable.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) header: Header,
    /// The last sequence that is read from it.
    pub(super) last: Sequence,
    /// Length of its file in bytes.
    pub(super) file_len: u64,
    /// Counts how often the file was replaced.
    pub(super) version: u32,
}

impl Segment {
    pub(super) fn name(&self) -> String {
        segment_name(self.header.stream, self.header.number)
    }
}

/// The name of a segment's file.
pub(super) fn segment_name(stream: Stream, number: u64) -> String {
    format!("{}-{number:010}.seg", stream_name(stream))
}

/// The stream and number that a file's name tells.
pub(super) fn parse_name(name: &str) -> Option<(Stream, u64)> {
    let (stream, number) = name.strip_suffix(".seg")?.split_once('-')?;
    let stream = [Stream::Event, Stream::Trail].into_iter().find(|s| stream_name(*s) == stream)?;
    Some((stream, number.parse().ok()?))
}

const fn stream_name(stream: Stream) -> &'static str {
    match stream {
        Stream::Event => "event",
        Stream::Trail => "trail",
    }
}

/// The catalogue.
#[derive(Debug)]
pub(super) struct Catalog {
    /// The running epoch.
    pub(super) epoch: JournalEpoch,
    /// By stream, start and number.
    pub(super) segments: Vec<Segment>,
    pub(super) committed: BTreeMap<(JournalEpoch, Stream), Sequence>,
    pub(super) anchors: BTreeMap<JournalEpoch, Anchor>,
    /// Records of the running epoch that are in no synced segment.
    pub(super) events: VecDeque<Record>,
    pub(super) trail: VecDeque<Record>,
}

impl Catalog {
    pub(super) const fn new(epoch: JournalEpoch) -> Self {
        Self {
            epoch,
            segments: Vec::new(),
            committed: BTreeMap::new(),
            anchors: BTreeMap::new(),
            events: VecDeque::new(),
            trail: VecDeque::new(),
        }
    }

    pub(super) const fn pending(&mut self, stream: Stream) -> &mut VecDeque<Record> {
        match stream {
            Stream::Event => &mut self.events,
            Stream::Trail => &mut self.trail,
        }
    }

    /// Puts segments into their order, and lets each end where the next of its epoch begins: what
    /// stands there twice was written again after a sync had failed.
    pub(super) fn sort(&mut self) {
        let order = |s: &Segment| (s.header.stream.code(), s.header.start, s.header.number);
        self.segments.sort_by_key(order);
        let begins: Vec<_> = self.segments.iter().skip(1).map(|s| s.header.clone()).collect();
        for (segment, next) in self.segments.iter_mut().zip(begins) {
            let follows =
                next.epoch == segment.header.epoch && next.stream == segment.header.stream;
            if follows {
                segment.last = next.after;
            }
        }
    }

    pub(super) fn of(&self, stream: Stream) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(move |segment| segment.header.stream == stream)
    }

    pub(super) fn by_number(&mut self, stream: Stream, number: u64) -> Option<&mut Segment> {
        self.segments
            .iter_mut()
            .find(|segment| segment.header.stream == stream && segment.header.number == number)
    }

    /// How far the backend has an epoch of a stream.
    ///
    /// Events are deleted only when they are committed, so those before the first segment are. Fixes
    /// may be gone for other reasons: what is missing is declared, and trimmed if it was committed.
    pub(super) fn committed(&self, stream: Stream, epoch: JournalEpoch) -> Sequence {
        let told = self.committed.get(&(epoch, stream)).copied().unwrap_or_default();
        let first = self.of(stream).find(|segment| segment.header.epoch == epoch);
        match (stream, first) {
            (Stream::Event, Some(first)) => told.max(first.header.after),
            (Stream::Event | Stream::Trail, _) => told,
        }
    }

    /// What there is of a stream, epoch by epoch, the running one last.
    pub(super) fn spans(&self, stream: Stream) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for segment in self.of(stream) {
            let epoch = segment.header.epoch;
            match spans.last_mut().filter(|span| span.epoch == epoch) {
                Some(span) => span.written = span.written.max(segment.last),
                None => spans.push(Span {
                    epoch,
                    written: segment.last,
                    committed: self.committed(stream, epoch),
                }),
            }
        }
        if spans.last().is_none_or(|span| span.epoch != self.epoch) {
            let committed = self.committed(stream, self.epoch);
            spans.push(Span { epoch: self.epoch, written: Sequence::ZERO, committed });
        }
        spans
    }

    /// The cursors worth keeping: those of epochs that are still here.
    pub(super) fn cursors(&self, serial: u64) -> Cursors {
        let here = |epoch: JournalEpoch| {
            epoch == self.epoch || self.segments.iter().any(|s| s.header.epoch == epoch)
        };
        let committed = self.committed.iter().filter(|((epoch, _), _)| here(*epoch));
        let committed =
            committed.map(|((epoch, stream), through)| (*epoch, *stream, *through)).collect();
        Cursors { serial, committed }
    }

    pub(super) fn remove(&mut self, stream: Stream, number: u64) {
        self.segments.retain(|s| (s.header.stream, s.header.number) != (stream, number));
    }

    /// The dropped segment of the trail that ends where `segment` begins.
    pub(super) fn dropped_before(&self, segment: &Segment) -> Option<Segment> {
        let is_before = |s: &&Segment| {
            s.header.epoch == segment.header.epoch
                && s.last == segment.header.after
                && matches!(s.header.fate, Fate::Dropped { .. })
        };
        self.of(Stream::Trail).find(is_before).cloned()
    }

    /// The oldest segment of the trail that can be made smaller: whole ones are thinned before thinned
    /// ones are dropped. The newest stays as it is: a restart goes on from its last fix.
    pub(super) fn victim(&self) -> Option<Segment> {
        let newest = self.of(Stream::Trail).last()?.header.number;
        let older = || self.of(Stream::Trail).filter(move |s| s.header.number != newest);
        let with = |fate: Fate| older().find(|s| s.header.fate == fate).cloned();
        with(Fate::Whole).or_else(|| with(Fate::Thinned))
    }
}
