//! Writing: records go to the segment in use, full segments make way for the next.

use std::collections::VecDeque;
use std::io;

use tracing::{error, info, warn};
use tripline_agent_core::record::{Record, write_frame};
use tripline_agent_core::segment::{FORMAT, Fate, Header, head};
use tripline_protocol::id::Sequence;
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::Uptime;

use super::catalog::{Segment, segment_name};
use super::disk::{DiskFile, Fault};
use super::{Journal, Spare};

/// One stream's writing end.
#[derive(Debug)]
pub(super) struct Log {
    writing: Option<Writing>,
    synced: Sequence,
    trouble: Option<Trouble>,
    /// What became durable, or is the backend's, and is not yet in the fold.
    settled: VecDeque<Record>,
}

/// The segment in use.
#[derive(Debug)]
struct Writing {
    header: Header,
    file: Box<dyn DiskFile>,
    /// Everything before it is synced.
    len: u64,
    len_max: u64,
    file_len: u64,
    /// Whether something of it is synced, so that the catalogue knows it.
    listed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Trouble {
    fault: Fault,
    retry_at: Uptime,
}

/// Frames that fit into what is left of a segment.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    records: usize,
}

impl Log {
    pub(super) const fn new() -> Self {
        let settled = VecDeque::new();
        Self { writing: None, synced: Sequence::ZERO, trouble: None, settled }
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.trouble.map(|trouble| trouble.fault)
    }

    pub(super) const fn synced(&self) -> Sequence {
        self.synced
    }

    pub(super) const fn has_segment(&self) -> bool {
        self.writing.is_some()
    }

    pub(super) fn number_in_use(&self) -> Option<u64> {
        self.writing.as_ref().map(|writing| writing.header.number)
    }

    pub(super) fn settle(&mut self, records: Vec<Record>) {
        let last = records.iter().rev().find_map(Record::position);
        self.synced = last.map_or(self.synced, |(_, last)| self.synced.max(last));
        self.settled.extend(records);
    }

    pub(super) fn take_settled(&mut self) -> VecDeque<Record> {
        std::mem::take(&mut self.settled)
    }
}

impl Journal {
    /// Writes and syncs what is pending of a stream, on a fresh segment if the one in use gives way.
    pub(super) fn flush(&mut self, stream: Stream, now: Uptime) {
        let nothing_pends = self.shared().pending(stream).is_empty();
        match self.log(stream).trouble {
            Some(trouble) if trouble.retry_at > now => return,
            None if nothing_pends => return,
            Some(_) | None => {}
        }
        let on_used = self.log(stream).has_segment();
        // With everything sent from memory there is nothing to write, but a disk to try.
        let outcome =
            if nothing_pends { self.begin_segment(stream) } else { self.write_out(stream) };
        let outcome = outcome.or_else(|error| {
            self.abandon(stream);
            if !on_used {
                return Err(error);
            }
            warn!(stream = stream.code(), %error, "a journal segment gave way; writing to a fresh one");
            self.write_out(stream).inspect_err(|_| self.abandon(stream))
        });
        let retry_at = now.plus_ms(self.limits.retry_ms);
        let log = self.log_mut(stream);
        match outcome {
            Ok(()) => {
                if log.trouble.take().is_some() {
                    info!(stream = stream.code(), "the journal is on the disk again");
                }
            }
            Err(error) => {
                let fault = Fault::of(&error);
                if log.trouble.is_none_or(|trouble| trouble.fault != fault) {
                    error!(
                        stream = stream.code(), %error,
                        "the journal is in memory only: {}", fault.advice()
                    );
                }
                log.trouble = Some(Trouble { fault, retry_at });
            }
        }
    }

    fn write_out(&mut self, stream: Stream) -> io::Result<()> {
        loop {
            let chunk = self.next_chunk(stream);
            if chunk.records > 0 {
                self.write_chunk(stream, &chunk)?;
                continue;
            }
            if self.shared().pending(stream).is_empty() {
                return Ok(());
            }
            self.fold();
            self.close_segment(stream);
            self.begin_segment(stream)?;
            if self.next_chunk(stream).records == 0 {
                return Err(io::Error::other("a record is longer than a segment"));
            }
        }
    }

    /// What fits into the rest of the segment in use.
    fn next_chunk(&self, stream: Stream) -> Chunk {
        let room = self.log(stream).writing.as_ref().map_or(0, |w| w.len_max.saturating_sub(w.len));
        let mut chunk = Chunk::default();
        for record in self.shared().pending(stream).iter() {
            let before = chunk.bytes.len();
            let fits = write_frame(record, &mut chunk.bytes).is_ok();
            if !fits || chunk.bytes.len() as u64 > room {
                chunk.bytes.truncate(before);
                break;
            }
            chunk.records += 1;
        }
        chunk
    }

    fn write_chunk(&mut self, stream: Stream, chunk: &Chunk) -> io::Result<()> {
        let log = self.log_mut(stream);
        let Some(writing) = &mut log.writing else { return Ok(()) };
        writing.file.write_at(&chunk.bytes, writing.len)?;
        writing.file.sync()?;
        writing.len += chunk.bytes.len() as u64;
        let listed = std::mem::replace(&mut writing.listed, true);
        let (header, file_len) = (writing.header.clone(), writing.file_len);
        let mut shared = self.shared();
        let records: Vec<Record> = shared.pending(stream).drain(..chunk.records).collect();
        let last = records.iter().rev().find_map(Record::position).map(|(_, last)| last);
        if !listed {
            let last = header.after;
            shared.segments.push(Segment { header: header.clone(), last, file_len, version: 0 });
            shared.sort();
        }
        if let (Some(segment), Some(last)) = (shared.by_number(stream, header.number), last) {
            segment.last = last;
        }
        drop(shared);
        self.log_mut(stream).settle(records);
        Ok(())
    }

    /// Leaves a segment that is full.
    fn close_segment(&mut self, stream: Stream) {
        if let Some(writing) = self.log_mut(stream).writing.take() {
            let _ = writing.file.cut(writing.len);
            if let Some(segment) = self.shared().by_number(stream, writing.header.number) {
                segment.file_len = writing.len;
            }
        }
    }

    /// Leaves a segment that gave way: what is beyond its last sync is written elsewhere.
    fn abandon(&mut self, stream: Stream) {
        if let Some(writing) = self.log_mut(stream).writing.take() {
            drop(writing.file);
            if !writing.listed {
                let _ = self.disk.remove(&segment_name(stream, writing.header.number));
            }
        }
    }

    fn begin_segment(&mut self, stream: Stream) -> io::Result<()> {
        let (number, file) = match stream {
            Stream::Event => self.take_spare()?,
            Stream::Trail => {
                self.keep_quota();
                self.create_segment(stream)?
            }
        };
        let header = Header {
            format: FORMAT,
            device: self.device.clone(),
            epoch: self.epoch,
            start: self.start,
            stream,
            number,
            after: self.log(stream).synced,
            fate: Fate::Whole,
        };
        let bytes = head(&header, Some(&self.durable)).map_err(io::Error::other)?;
        let len_max = self.segment_len(stream);
        let written = file.write_at(&bytes, 0);
        // From here on it is the one in use, so that a failure abandons and removes it.
        let len = bytes.len() as u64;
        let (listed, file_len) = (false, len_max);
        self.log_mut(stream).writing =
            Some(Writing { header, file, len, len_max, file_len, listed });
        written
    }

    const fn segment_len(&self, stream: Stream) -> u64 {
        match stream {
            Stream::Event => self.limits.event_segment_len,
            Stream::Trail => self.limits.trail_segment_len,
        }
    }

    /// Makes a segment's file, and room for it where there is none.
    pub(super) fn create_segment(
        &mut self,
        stream: Stream,
    ) -> io::Result<(u64, Box<dyn DiskFile>)> {
        self.disk.make_ready()?;
        self.numbers.pass(&self.disk.list()?);
        let number = *self.numbers.of(stream);
        let name = segment_name(stream, number);
        let file = loop {
            match self.disk.create(&name, self.segment_len(stream)) {
                Err(error) if Fault::of(&error) == Fault::Full && self.make_room() => {}
                other => break other?,
            }
        };
        self.disk.sync_folder().inspect_err(|_| {
            let _ = self.disk.remove(&name);
        })?;
        *self.numbers.of(stream) = number + 1;
        Ok((number, file))
    }

    fn take_spare(&mut self) -> io::Result<(u64, Box<dyn DiskFile>)> {
        match self.spare.take() {
            Some(Spare { number, file }) => Ok((number, file)),
            None => self.create_segment(Stream::Event),
        }
    }

    /// Reserves the next event segment, so that a full disk stops no event.
    pub(super) fn reserve(&mut self, now: Uptime) {
        if self.spare.is_some() || self.reserve_retry_at > now {
            return;
        }
        match self.create_segment(Stream::Event) {
            Ok((number, file)) => {
                self.spare = Some(Spare { number, file });
                self.no_reserve = None;
            }
            Err(error) => {
                let fault = Fault::of(&error);
                if self.no_reserve != Some(fault) {
                    warn!(%error, "no space is reserved for events: {}", fault.advice());
                }
                self.no_reserve = Some(fault);
                self.reserve_retry_at = now.plus_ms(self.limits.retry_ms);
            }
        }
    }
}
