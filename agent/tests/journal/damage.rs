//! Truncated files and flipped bits.

use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::up::Stream;

use crate::disk::SimDisk;
use crate::ledger::{Entry, Step, Vehicle, open, read_all};

const FILE: &str = "trail-0000000000.seg";
const FIXES: u8 = 30;

/// A start whose trail is one segment of a few fixes, read by the next start.
fn image() -> (Vehicle, Vec<u8>) {
    let mut vehicle = Vehicle::new(SimDisk::new());
    vehicle.take(Step::Event);
    vehicle.take(Step::Fixes(FIXES));
    vehicle.take(Step::Sync);
    vehicle.restart();
    let bytes = vehicle.disk.bytes(FILE);
    (vehicle, bytes)
}

/// The fixes that are read from a damaged segment; whatever is read is as it was written.
fn fixes(vehicle: &Vehicle, bytes: Vec<u8>) -> Vec<Sequence> {
    let disk = vehicle.disk.with(FILE, bytes);
    let opened = open(&disk, 99);
    vehicle.ledger.check(&opened.journal);
    let spans = opened.journal.spans(Stream::Trail);
    let Some(span) = spans.into_iter().find(|span| span.epoch == JournalEpoch(1)) else {
        return Vec::new();
    };
    let entries = read_all(&mut opened.journal.reader(), span, Stream::Trail);
    let fixes = entries.into_iter().filter(|(_, entry)| matches!(entry, Entry::Fix(_)));
    fixes.map(|(sequence, _)| sequence).collect()
}

#[test]
fn a_segment_cut_anywhere_opens_and_keeps_what_lies_before_the_cut() {
    let (mut vehicle, bytes) = image();
    vehicle.ledger.promised.clear(); // A cut of what was synced breaks the promise of the disk.
    assert_eq!(fixes(&vehicle, bytes.clone()).len(), usize::from(FIXES));
    let mut before = 0;
    for len in (0..=bytes.len()).filter(|len| *len > 16_384 || len % 64 == 0) {
        let kept = fixes(&vehicle, bytes[..len].to_vec());
        assert!(kept.iter().map(|at| at.0).eq(1..=kept.len() as u64), "cut at {len}");
        assert!((before..=before + 1).contains(&kept.len()), "cut at {len}");
        before = kept.len();
    }
    assert_eq!(before, usize::from(FIXES));
}

#[test]
fn a_flipped_bit_anywhere_in_a_segment_costs_one_fix_at_most() {
    let (mut vehicle, bytes) = image();
    vehicle.ledger.promised.clear();
    let is_interesting = |at: &usize| bytes[*at] != 0 || at.is_multiple_of(64);
    for at in (0..bytes.len()).filter(is_interesting) {
        let bit = at % 8;
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << bit;
        let kept = fixes(&vehicle, damaged).len();
        assert!(kept + 1 >= usize::from(FIXES), "byte {at}, bit {bit}: {kept} fixes");
    }
}
