//! The journal on damaged images: every truncation and every single-bit flip of a segment file with 200
//! fixes, opened and read as after a restart.

use std::sync::Arc;

use tripline_agent::journal::{Batches, Journal, Limits};
use tripline_agent_core::lanes::Send;
use tripline_agent_core::record::Record;
use tripline_protocol::fix::{Fix, FixType};
use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::trail::{TrailEntry, TrailFix};
use tripline_protocol::link::up::Stream;
use tripline_protocol::meter::Reading;
use tripline_protocol::unit::{Odometer, Position, Steady, Timestamp, Uptime};

use crate::{Data, Row};

#[path = "../../../agent/tests/journal/disk.rs"]
#[expect(dead_code, reason = "the crash tests use the rest of it")]
mod disk;

use disk::SimDisk;

const FILE: &str = "trail-0000000000.seg";
const RECORDS: u64 = 200;
const EPOCH: JournalEpoch = JournalEpoch(1);

const LIMITS: Limits = Limits {
    event_segment_len: 128 * 1024,
    trail_segment_len: 128 * 1024,
    trail_quota_len: 1024 * 1024,
    retry_ms: 1_000,
    segments_kept: 1,
};

pub(super) fn rows(_: &Data) -> Vec<Row> {
    let (disk, image) = written();
    vec![truncations(&disk, &image), flips(&disk, &image)]
}

fn fix(sequence: u64) -> Fix {
    let n = i32::try_from(sequence).expect("few");
    Fix {
        at: Timestamp::from_unix_ms(1_700_000_000_000 + i64::from(n) * 1000),
        position: Position::new(374_263_973 + n * 1_000, -1_220_936_434 - n * 700)
            .expect("on the globe"),
        speed_mmps: Some(13_890),
        course_cdeg: Some(6_513),
        altitude_mm: Some(4_400),
        satellites: Some(12),
        hdop_c: Some(76),
        accuracy_mm: Some(900),
        fix_type: FixType::ThreeD,
        refused: None,
    }
}

fn open(disk: &SimDisk, epoch: JournalEpoch) -> Option<Journal> {
    let device: DeviceId = "ka-01-1".parse().expect("valid");
    Journal::open(Arc::new(disk.clone()), &device, epoch, LIMITS).ok().map(|opened| opened.journal)
}

/// A disk with one segment of [`RECORDS`] fixes, and the segment as a power cut leaves it: without what
/// was preallocated behind them.
fn written() -> (SimDisk, Vec<u8>) {
    let disk = SimDisk::new();
    let mut journal = open(&disk, EPOCH).expect("an empty disk");
    for sequence in 1..=RECORDS {
        let reading = Reading {
            steady: Steady { ms: sequence * 1000 },
            odometer: Odometer { mm: sequence * 13_890 },
            ..Reading::default()
        };
        let record = Record::Fix { sequence: Sequence(sequence), fix: fix(sequence), reading };
        journal.append(&record).expect("room");
    }
    journal.sync(Uptime::default());
    // The next start cuts off what was preallocated.
    let again = disk.after_kill();
    drop(open(&again, JournalEpoch(2)));
    let image = again.bytes(FILE);
    (again, image)
}

/// What a restart makes of an image.
#[derive(Default)]
struct Outcome {
    opened: bool,
    /// The fixes that are read as they were written.
    right: Vec<u64>,
    wrong: usize,
}

fn read(disk: &SimDisk, image: Vec<u8>) -> Outcome {
    let Some(journal) = open(&disk.with(FILE, image), JournalEpoch(3)) else {
        return Outcome::default();
    };
    let mut outcome = Outcome { opened: true, ..Outcome::default() };
    let spans = journal.spans(Stream::Trail);
    let Some(span) = spans.into_iter().find(|span| span.epoch == EPOCH) else { return outcome };
    let mut reader = journal.reader();
    let mut after = Sequence::ZERO;
    while after < span.written {
        let send = Send {
            stream: Stream::Trail,
            epoch: EPOCH,
            after,
            through: span.written,
            entries_max: 60,
        };
        let Ok(Batches::Trail(batch)) = reader.read(send) else { break };
        let mut at = after;
        for entry in &batch.entries {
            at = at.plus(entry.len());
            if let TrailEntry::Fix(found) = entry {
                if at.0 <= RECORDS && *found == TrailFix::from(&fix(at.0)) {
                    outcome.right.push(at.0);
                } else {
                    outcome.wrong += 1;
                }
            }
        }
        if batch.last() <= after {
            break;
        }
        after = batch.last();
    }
    outcome
}

fn truncations(disk: &SimDisk, image: &[u8]) -> Row {
    let (mut opened, mut lost, mut wrong) = (0, 0, 0);
    // Where each record ends is where a cut first keeps it; shorter cuts must not lose it again.
    let mut kept_before = 0;
    for len in 0..=image.len() {
        let outcome = read(disk, image[..len].to_vec());
        opened += usize::from(outcome.opened);
        wrong += outcome.wrong;
        let kept = outcome.right.len();
        let in_a_row = outcome.right.iter().copied().eq(1..=kept as u64);
        lost += usize::from(kept < kept_before || kept > kept_before + 1 || !in_a_row);
        kept_before = kept;
    }
    lost += usize::from(kept_before as u64 != RECORDS);
    Row {
        measure: "journal: every truncation of a segment with 200 fixes",
        reach: "opens every time; every record wholly before the cut survives",
        measured: format!(
            "{opened} of {} open; {lost} lost a record before the cut; {wrong} wrong records",
            image.len() + 1
        ),
    }
}

fn flips(disk: &SimDisk, image: &[u8]) -> Row {
    let (mut opened, mut lost_max, mut wrong) = (0, 0, 0);
    for bit in 0..image.len() * 8 {
        let mut damaged = image.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let outcome = read(disk, damaged);
        opened += usize::from(outcome.opened);
        wrong += outcome.wrong;
        lost_max = lost_max.max(RECORDS - outcome.right.len() as u64);
    }
    Row {
        measure: "journal: every single-bit flip of a segment with 200 fixes",
        reach: "opens every time; at most the record touched is lost; never a wrong one",
        measured: format!(
            "{opened} of {} open; at most {lost_max} record lost; {wrong} wrong records",
            image.len() * 8
        ),
    }
}
