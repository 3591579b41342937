//! Where records stand in the file: every so many of a stream, so that it stays small.

use tripline_agent_core::record::Record;
use tripline_protocol::id::Sequence;
use tripline_protocol::link::up::Stream;

/// One entry for so many fixes: reading begins at most that many too early. Every event has its own,
/// since days of fixes may lie between two.
const FIXES_PER_ENTRY: u64 = 32;

#[derive(Debug, Default)]
pub(super) struct Index {
    event: Vec<(Sequence, u64)>,
    trail: Vec<(Sequence, u64)>,
}

impl Index {
    /// Notes that `record` stands at `offset`.
    pub(super) fn add(&mut self, offset: u64, record: &Record) {
        let Some((stream, sequence)) = record.position() else { return };
        let (entries, every) = match stream {
            Stream::Event => (&mut self.event, 1),
            Stream::Trail => (&mut self.trail, FIXES_PER_ENTRY),
        };
        let due = entries.last().is_none_or(|(last, _)| sequence.since(*last) >= every);
        if due {
            entries.push((sequence, offset));
        }
    }

    /// An offset from which every record of `stream` that follows `after` is still to come.
    pub(super) fn offset(&self, stream: Stream, after: Sequence) -> u64 {
        let entries = match stream {
            Stream::Event => &self.event,
            Stream::Trail => &self.trail,
        };
        let later = entries.partition_point(|(sequence, _)| *sequence <= after.next());
        later.checked_sub(1).and_then(|index| entries.get(index)).map_or(0, |(_, offset)| *offset)
    }
}
