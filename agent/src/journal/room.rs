//! Making room: what the backend has is deleted, what it does not have is thinned, and says so.

use std::io;

use tracing::{debug, error, warn};
use tripline_agent_core::record::{Item, Record, write_frame};
use tripline_agent_core::segment::{
    Fate, HEADERS_LEN, Header, Items, SECOND_HEADER_AT, head, header_block,
};
use tripline_agent_core::thin::Thinner;
use tripline_protocol::link::up::Stream;

use super::catalog::Segment;
use super::{Journal, image};

/// The end of the name of a file that is not finished: of no use after a restart.
pub(super) const UNFINISHED: &str = ".tmp";

impl Journal {
    /// Deletes segments that are wholly committed, oldest first, but for the newest of each stream:
    /// they hold what a restart starts from.
    pub(super) fn delete_committed(&mut self) {
        for stream in [Stream::Event, Stream::Trail] {
            while let Some(segment) = self.deletable(stream) {
                // One after the other, so that after a power cut there is no hole between those left.
                let removed =
                    self.disk.remove(&segment.name()).and_then(|()| self.disk.sync_folder());
                if let Err(error) = removed {
                    debug!(name = segment.name(), %error, "a committed segment cannot be deleted");
                }
                self.shared().remove(stream, segment.header.number);
            }
        }
    }

    fn deletable(&self, stream: Stream) -> Option<Segment> {
        let shared = self.shared();
        let kept = self.limits.segments_kept.max(1);
        if shared.of(stream).count() <= kept {
            return None;
        }
        let oldest = shared.of(stream).next()?;
        let in_use = self.log(stream).number_in_use() == Some(oldest.header.number);
        let committed = shared.committed(stream, oldest.header.epoch);
        (!in_use && oldest.last <= committed).then(|| oldest.clone())
    }

    /// Keeps the trail within its quota, the segment about to be begun included.
    pub(super) fn keep_quota(&mut self) {
        let used = |journal: &Self| {
            let shared = journal.shared();
            let lens = shared.of(Stream::Trail).map(|segment| segment.file_len);
            lens.fold(journal.limits.trail_segment_len, u64::saturating_add)
        };
        while used(self) > self.limits.trail_quota_len && self.make_room() {}
    }

    /// Makes the trail smaller; whether it did.
    pub(super) fn make_room(&mut self) -> bool {
        let victim = self.shared().victim();
        let Some(victim) = victim else { return false };
        let thinned = match victim.header.fate {
            Fate::Whole => self.thin(&victim),
            Fate::Thinned | Fate::Dropped { .. } => Err(io::ErrorKind::InvalidInput.into()),
        };
        // On a disk without space for even the thinned one, the segment makes way as it is.
        let made = thinned.or_else(|_| self.drop_segment(&victim));
        match &made {
            Ok(fate) => warn!(
                name = victim.name(), after = %victim.header.after, through = %victim.last, ?fate,
                "no room for the trail: fixes given up, and declared"
            ),
            Err(error) => error!(name = victim.name(), %error, "no room can be made for the trail"),
        }
        made.is_ok()
    }

    /// Rewrites a segment with one fix of a few and gaps for the others.
    fn thin(&mut self, victim: &Segment) -> io::Result<Fate> {
        let image = image::read(self.disk.open(&victim.name())?.as_ref())?;
        let header = Header { fate: Fate::Thinned, ..victim.header.clone() };
        let mut bytes = head(&header, None).map_err(io::Error::other)?;
        let mut keep = |record: Record| {
            // A fix or a gap is never too large for a frame.
            let _ = write_frame(&record, &mut bytes);
        };
        let mut thinner = Thinner::new(header.after);
        for item in Items::new(&image) {
            if let Item::Record(record) = item
                && record.position().is_some_and(|(_, sequence)| sequence <= victim.last)
            {
                thinner.push(record, &mut keep);
            }
        }
        thinner.finish(victim.last, &mut keep);

        let name = victim.name();
        let unfinished = format!("{name}{UNFINISHED}");
        let len = bytes.len() as u64;
        let written = self
            .disk
            .create(&unfinished, len)
            .and_then(|file| file.write_at(&bytes, 0).and_then(|()| file.sync()))
            .and_then(|()| self.disk.rename(&unfinished, &name))
            .and_then(|()| self.disk.sync_folder());
        if let Err(error) = written {
            let _ = self.disk.remove(&unfinished);
            return Err(error);
        }
        self.replaced(victim, Fate::Thinned, len);
        Ok(Fate::Thinned)
    }

    /// Gives up a segment's fixes where it stands, which needs no space: headers say so, one after the
    /// other, and then the rest of it goes. They are those of the dropped segment before it, if there is
    /// one, so that a long outage leaves one of an epoch.
    fn drop_segment(&mut self, victim: &Segment) -> io::Result<Fate> {
        let before = self.shared().dropped_before(victim);
        let told = before.as_ref().unwrap_or(victim);
        let fate = Fate::Dropped { through: victim.last };
        let block = header_block(&Header { fate, ..told.header.clone() });
        let block = block.map_err(io::Error::other)?;
        let file = self.disk.open(&told.name())?;
        for at in [0, SECOND_HEADER_AT] {
            file.write_at(&block, at as u64)?;
            file.sync()?;
        }
        self.replaced(told, fate, HEADERS_LEN as u64);
        match before {
            Some(_) => {
                self.disk.remove(&victim.name())?;
                self.shared().remove(Stream::Trail, victim.header.number);
                self.disk.sync_folder()?;
            }
            None => file.cut(HEADERS_LEN as u64)?,
        }
        Ok(fate)
    }

    fn replaced(&self, victim: &Segment, fate: Fate, file_len: u64) {
        if let Some(segment) = self.shared().by_number(Stream::Trail, victim.header.number) {
            segment.header.fate = fate;
            if let Fate::Dropped { through } = fate {
                segment.last = through;
            }
            segment.file_len = file_len;
            segment.version += 1;
        }
    }
}
