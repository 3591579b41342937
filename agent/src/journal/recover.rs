//! Reading at the start what earlier starts left behind.
//!
//! Nothing is ever appended to what is found here: this start has an epoch and segments of its own.

use std::collections::{BTreeSet, VecDeque};
use std::io;

use tracing::{error, warn};
use tripline_agent_core::memory::Memory;
use tripline_agent_core::record::{Item, Record, scan};
use tripline_agent_core::segment::{Fate, HEADERS_LEN, Items, read_header};
use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::trail::GapReason;
use tripline_protocol::link::up::Stream;

use super::catalog::{Catalog, Segment, parse_name};
use super::disk::Disk;
use super::image;

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Segments of earlier starts.
    pub segments: u64,
    /// Bytes of torn tails.
    pub torn_bytes: u64,
    /// Damaged stretches; the records in them are lost and declared so.
    pub damaged: u64,
    /// Files with records but no header that could be read: theirs are lost too.
    pub unreadable: u64,
}

/// Why a journal is not this agent's to use.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecoverError {
    #[error("it belongs to device {owner}")]
    Foreign { owner: DeviceId },
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// What earlier starts left.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) catalog: Catalog,
    pub(super) memory: Memory,
    /// Of the next start.
    pub(super) start: u64,
    /// Of the next segment, events and trail.
    pub(super) numbers: Numbers,
    pub(super) found: Found,
    best: Option<(u64, Memory)>,
}

/// The next segment's number in each stream.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Numbers {
    event: u64,
    trail: u64,
}

impl Numbers {
    pub(super) const fn of(&mut self, stream: Stream) -> &mut u64 {
        match stream {
            Stream::Event => &mut self.event,
            Stream::Trail => &mut self.trail,
        }
    }

    /// Numbers that no file of these names has.
    pub(super) fn pass(&mut self, names: &[String]) {
        for (stream, number) in names.iter().filter_map(|name| parse_name(name)) {
            let next = self.of(stream);
            *next = (*next).max(number + 1);
        }
    }
}

impl Recovered {
    pub(super) fn nothing(epoch: JournalEpoch) -> Self {
        Self {
            catalog: Catalog::new(epoch),
            memory: Memory::default(),
            start: 1,
            numbers: Numbers::default(),
            found: Found::default(),
            best: None,
        }
    }

    /// Reads what is there; `epoch` is the one that begins.
    pub(super) fn read(
        disk: &dyn Disk,
        device: &DeviceId,
        epoch: JournalEpoch,
    ) -> Result<Self, RecoverError> {
        let mut recovered = Self::nothing(epoch);
        let names = disk.list()?;
        recovered.numbers.pass(&names);
        for name in &names {
            if parse_name(name).is_some() {
                recovered.look_at(disk, device, name)?;
            } else if name.ends_with(super::room::UNFINISHED) {
                let _ = disk.remove(name);
            }
        }
        recovered.catalog.sort();
        recovered.found.segments = recovered.catalog.segments.len() as u64;
        let newest = recovered.catalog.segments.iter().map(|segment| segment.header.start).max();
        recovered.start = newest.map_or(1, |newest| newest + 1);
        for at in 0..recovered.catalog.segments.len() {
            recovered.scan(disk, at);
        }
        recovered.fold(disk);
        Ok(recovered)
    }

    fn look_at(
        &mut self,
        disk: &dyn Disk,
        device: &DeviceId,
        name: &str,
    ) -> Result<(), RecoverError> {
        let mut head = vec![0; HEADERS_LEN];
        let opened = disk.open(name).and_then(|file| {
            let len = image::read_at(file.as_ref(), &mut head, 0)?;
            head.truncate(len);
            Ok((file.length()?, file))
        });
        let (file_len, file) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                error!(name, %error, "a journal segment cannot be opened");
                self.found.unreadable += 1;
                return Ok(());
            }
        };
        let Some(header) = read_header(&head) else {
            // A segment's header is synced with its first records: without one it was never in use, or
            // is damaged twice.
            let image = image::read_whole(file.as_ref());
            // What cannot be read now may be readable again.
            if image.is_ok_and(|image| scan(&image, |_, _| {}).records == 0) {
                let _ = disk.remove(name);
            } else {
                error!(name, "a journal segment has lost both its headers");
                self.found.unreadable += 1;
            }
            return Ok(());
        };
        if header.device != *device {
            return Err(RecoverError::Foreign { owner: header.device });
        }
        let last = match header.fate {
            Fate::Dropped { through } => through,
            Fate::Whole | Fate::Thinned => header.after,
        };
        self.catalog.segments.push(Segment { header, last, file_len, version: 0 });
        Ok(())
    }

    /// Looks for a segment's last record, snapshots and anchor. The trail's are long, and only the last
    /// of an epoch has anything to tell: the others end where the next begins.
    fn scan(&mut self, disk: &dyn Disk, at: usize) {
        let Some(segment) = self.catalog.segments.get(at).cloned() else { return };
        let next = self.catalog.segments.get(at + 1).map(|next| &next.header);
        let is_last = next.is_none_or(|next| {
            next.epoch != segment.header.epoch || next.stream != segment.header.stream
        });
        let dropped = matches!(segment.header.fate, Fate::Dropped { .. });
        if dropped || (segment.header.stream == Stream::Trail && !is_last) {
            return;
        }
        let Ok(file) = disk.open(&segment.name()) else { return };
        let Ok(image) = image::read(file.as_ref()) else { return };
        let mut last = segment.last;
        let result = scan(&image, |_, item| match item {
            Item::Record(Record::Anchor(anchor)) => {
                self.catalog.anchors.entry(segment.header.epoch).or_insert(anchor);
            }
            Item::Record(record) if is_last => {
                let position = record.position().filter(|(of, _)| *of == segment.header.stream);
                last = position.map_or(last, |(_, sequence)| last.max(sequence));
            }
            Item::Snapshot(memory) => self.offer(segment.header.start, *memory),
            Item::Record(_) | Item::Header(_) | Item::Cursors(_) => {}
        });
        self.found.damaged += result.damaged;
        self.found.torn_bytes += result.torn_bytes;
        if is_last {
            // What a killed process left in the page cache was never synced: sync before building on it.
            let _ = file.cut(result.valid_len);
            if segment.header.start + 1 == self.start
                && let Err(error) = file.sync()
            {
                warn!(name = segment.name(), %error, "an old journal segment cannot be synced");
            }
        }
        if let Some(segment) = self.catalog.segments.get_mut(at) {
            segment.last = last;
            segment.file_len = result.valid_len;
        }
    }

    /// Keeps the snapshot that knows most.
    fn offer(&mut self, start: u64, memory: Memory) {
        let knows = |(start, memory): &(u64, Memory)| {
            (*start, memory.written(Stream::Event).0 + memory.written(Stream::Trail).0)
        };
        let offered = (start, memory);
        if self.best.as_ref().is_none_or(|best| knows(best) < knows(&offered)) {
            self.best = Some(offered);
        }
    }

    /// The newest snapshot, and every record behind it.
    fn fold(&mut self, disk: &dyn Disk) {
        let (from, memory) = self.best.take().unwrap_or_default();
        self.memory = memory;
        let starts: BTreeSet<u64> =
            self.catalog.segments.iter().map(|segment| segment.header.start).collect();
        for start in starts.range(from..) {
            let of = |stream| {
                let segments = self.catalog.of(stream);
                segments.filter(|s| s.header.start == *start).cloned().collect::<Vec<_>>()
            };
            let (events, trail) = (of(Stream::Event), of(Stream::Trail));
            let epoch = events.first().or_else(|| trail.first()).map(|s| s.header.epoch);
            if self.memory.epoch() != epoch
                && let Some(epoch) = epoch
            {
                self.memory.begin(epoch);
            }
            fold_start(&mut self.memory, disk, &events, &trail);
        }
    }
}

/// Applies both streams of one start in the order they were written.
fn fold_start(memory: &mut Memory, disk: &dyn Disk, events: &[Segment], trail: &[Segment]) {
    let written = memory.written(Stream::Event);
    let mut waiting = VecDeque::new();
    for segment in events.iter().filter(|segment| segment.last > written) {
        let image = read(disk, segment);
        waiting.extend(
            records(&image, segment.last)
                .filter(|record| record.position().is_none_or(|(_, sequence)| sequence > written)),
        );
    }
    for segment in trail {
        if segment.last <= memory.written(Stream::Trail) {
            continue;
        }
        if !matches!(segment.header.fate, Fate::Dropped { .. }) {
            let image = read(disk, segment);
            for record in records(&image, segment.last) {
                memory.replay(&mut waiting, &record);
            }
        }
        let fixes = segment.last.since(memory.written(Stream::Trail));
        if fixes > 0 {
            memory.apply(&Record::Gap { through: segment.last, fixes, reason: GapReason::Thinned });
        }
    }
    for event in waiting {
        memory.replay_event(&event);
    }
}

fn read(disk: &dyn Disk, segment: &Segment) -> Vec<u8> {
    let file = disk.open(&segment.name());
    file.and_then(|file| image::read(file.as_ref())).unwrap_or_default()
}

fn records(image: &[u8], last: Sequence) -> impl Iterator<Item = Record> {
    Items::new(image).filter_map(move |item| match item {
        Item::Record(record) if record.position().is_none_or(|(_, at)| at <= last) => Some(record),
        Item::Record(_) | Item::Header(_) | Item::Snapshot(_) | Item::Cursors(_) => None,
    })
}
