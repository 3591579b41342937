//! Reads batches for the uplink out of the file, so that a long backlog is never in memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use tripline_agent_core::lanes::Send;
use tripline_agent_core::record::{Frame, Record, read_frame};
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::trail::{GapReason, TrailBatch, TrailEntry};
use tripline_protocol::link::up::{Batch, Event, EventBatch, EventBody, Stream};
use tripline_protocol::meter::Reading;
use tripline_protocol::unit::Timestamp;

use super::index::Index;

/// Bytes read at once.
const CHUNK_LEN: usize = 64 * 1024;

/// A batch of either stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batches {
    /// Events.
    Event(EventBatch),
    /// Fixes.
    Trail(TrailBatch),
}

/// Reads synced records.
#[derive(Debug)]
pub struct Reader {
    file: File,
    epoch: JournalEpoch,
    index: Arc<Mutex<Index>>,
}

impl Reader {
    pub(super) const fn new(file: File, epoch: JournalEpoch, index: Arc<Mutex<Index>>) -> Self {
        Self { file, epoch, index }
    }

    /// The journal's epoch.
    pub const fn epoch(&self) -> JournalEpoch {
        self.epoch
    }

    /// The batch that `send` asks for. Where the journal is damaged, a lost record is declared, so
    /// that the batch has no holes.
    pub fn read(&self, send: Send) -> io::Result<Batches> {
        let last = send.after.plus(send.records_max);
        let found = self.collect(send.stream, send.after, last)?;
        let mut events = Vec::new();
        let mut fixes = Vec::new();
        let mut found = found.into_iter().peekable();
        let mut expected = send.after;
        while expected < last {
            expected = expected.next();
            let here = found.next_if(|record| {
                record.position().is_some_and(|(_, sequence)| sequence == expected)
            });
            match (send.stream, here) {
                (Stream::Event, Some(Record::Event { event, .. })) => events.push(event),
                (Stream::Event, _) => events.push(lost_event()),
                (Stream::Trail, Some(Record::Fix { fix, .. })) => {
                    fixes.push(TrailEntry::Fix((&fix).into()));
                }
                (Stream::Trail, _) => {
                    fixes.push(TrailEntry::Gap { fixes: 1, reason: GapReason::Damaged });
                }
            }
        }
        let (epoch, after) = (self.epoch, send.after);
        Ok(match send.stream {
            Stream::Event => Batches::Event(Batch { epoch, after, records: events }),
            Stream::Trail => Batches::Trail(TrailBatch { epoch, after, entries: fixes }),
        })
    }

    /// The records of `stream` after `after` up to `last`, in order; a repeated sequence once.
    fn collect(&self, stream: Stream, after: Sequence, last: Sequence) -> io::Result<Vec<Record>> {
        let mut offset =
            self.index.lock().unwrap_or_else(PoisonError::into_inner).offset(stream, after);
        let mut records = Vec::new();
        let mut reached = after;
        let mut chunk = vec![0; CHUNK_LEN];
        loop {
            let len = self.file.read_at(&mut chunk, offset)?;
            let bytes = chunk.get(..len).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(records);
            }
            let mut taken = 0;
            while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
                match read_frame(rest) {
                    Frame::Record { record, len } => {
                        taken += len;
                        let Some((of, sequence)) = record.position() else { continue };
                        if of == stream && sequence > reached && sequence <= last {
                            reached = sequence;
                            records.push(record);
                        }
                        if of == stream && sequence >= last {
                            return Ok(records);
                        }
                    }
                    Frame::Damaged => taken += 1,
                    // Its end may lie in the next chunk; if it stands at this one's start, the chunk
                    // holds a whole frame and this is none.
                    Frame::Incomplete if taken == 0 => taken = 1,
                    Frame::Incomplete => break,
                }
            }
            offset += taken as u64;
        }
    }
}

/// Stands for an event whose record was damaged. Its time and counters are lost with it.
const fn lost_event() -> Event {
    Event {
        at: Timestamp::from_unix_ms(0),
        reading: Reading {
            steady: tripline_protocol::unit::Steady { ms: 0 },
            odometer: tripline_protocol::unit::Odometer { mm: 0 },
            bridged: tripline_protocol::unit::Odometer { mm: 0 },
        },
        fix: None,
        body: EventBody::Lost,
    }
}
