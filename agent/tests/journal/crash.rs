//! The power is cut at every operation of a script, and whatever it may leave is read again.

use proptest::prelude::*;
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::Timestamp;

use crate::disk::{Failing, SimDisk, mixed};
use crate::ledger::{Entry, HOUR_MS, LIMITS, STREAMS, Step, Vehicle, read_all};

/// Power cuts a script; a longer script has more operations than that.
const CUTS: u64 = 8;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let stream = prop_oneof![Just(Stream::Event), Just(Stream::Trail)];
    let step = prop_oneof![
        6 => (1_u8..40).prop_map(Step::Fixes),
        6 => Just(Step::Event),
        1 => Just(Step::Anchor),
        4 => Just(Step::Sync),
        3 => (stream, 1_u8..=10).prop_map(|(stream, tenths)| Step::Commit(stream, tenths)),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Runs a script on a fresh disk until the power goes.
fn run(steps: &[Step], failing: Failing) -> Vehicle {
    let disk = SimDisk::new();
    let mut vehicle = Vehicle::new(disk.clone());
    disk.fail(failing);
    for step in steps {
        if vehicle.disk.is_off() {
            break;
        }
        let before = vehicle.disk.clone();
        vehicle.take(*step);
        // A restart goes on with a disk of its own, which is to fail in its turn.
        if !before.is_same(&vehicle.disk) {
            vehicle.disk.fail(failing);
        }
    }
    vehicle
}

/// Every disk that a power cut now may leave starts, keeps every promise, and goes on.
fn cut(vehicle: &Vehicle, seed: u64) {
    for left in vehicle.disk.after_power_cut(seed) {
        let mut again = Vehicle::new(SimDisk::new());
        again.ledger = vehicle.ledger.clone();
        again.disk = left;
        again.start();
        again.take(Step::Fixes(3));
        again.take(Step::Event);
        again.restart();
        for _ in 0..again.ledger.written.len() {
            again.commit_all();
        }
        assert_eq!(STREAMS.map(|stream| again.journal.waiting(stream)), [0, 0], "all is sent");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_power_cut_at_any_operation_loses_nothing_that_was_promised(
        steps in steps(),
        seed in any::<u64>(),
    ) {
        let whole = run(&steps, Failing::Nothing);
        cut(&whole, seed);
        let operations = whole.disk.operations();
        for number in 0..operations.min(CUTS) {
            let at = if operations > CUTS { mixed(seed ^ number) % operations } else { number };
            cut(&run(&steps, Failing::From(at)), seed ^ at);
        }
    }
}

#[test]
fn a_long_outage_is_thinned_and_every_fix_is_sent_or_declared() {
    let mut vehicle = Vehicle::new(SimDisk::new());
    let mut used_max = 0;
    for round in 0..400 {
        vehicle.take(Step::Fixes(20));
        vehicle.take(Step::Sync);
        if round % 10 == 0 {
            vehicle.take(Step::Event);
        }
        used_max = used_max.max(vehicle.disk.used("trail-"));
    }
    let quota = usize::try_from(LIMITS.trail_quota_len).expect("small");
    assert!(used_max <= quota, "{used_max} bytes");
    vehicle.restart();
    let entries: Vec<_> = {
        let span = vehicle.journal.spans(Stream::Trail)[0];
        assert_eq!(span.written.0, 8_000);
        read_all(&mut vehicle.journal.reader(), span, Stream::Trail)
    };
    assert_eq!(entries.len(), 8_000, "fixes and gaps cover the trail");
    let fixes = entries.iter().filter(|(_, entry)| matches!(entry, Entry::Fix(_)));
    assert!(fixes.count() > 50, "its shape is kept as far as the quota goes");
    vehicle.take(Step::Event);
    cut(&vehicle, 7);
}

#[test]
fn an_event_before_the_first_gnss_time_is_sent_with_its_real_one_also_after_a_restart() {
    let mut vehicle = Vehicle::new(SimDisk::new());
    vehicle.take(Step::Event);
    vehicle.take(Step::Fixes(5));
    let provisional = dates(&vehicle);
    vehicle.take(Step::Anchor);
    vehicle.take(Step::Event);
    let dated = dates(&vehicle);
    assert_eq!(dated[0], provisional[0].plus_ms(HOUR_MS));
    assert!(dated[1] < dated[0], "an event with GNSS time is left alone, and order is by sequence");
    vehicle.restart();
    assert_eq!(dates(&vehicle), dated);
}

/// The times of the first epoch's events, as they are sent.
fn dates(vehicle: &Vehicle) -> Vec<Timestamp> {
    let mut span = vehicle.journal.spans(Stream::Event)[0];
    if span.epoch == vehicle.journal.epoch() {
        span.written = vehicle.journal.sendable().event;
    }
    let entries = read_all(&mut vehicle.journal.reader(), span, Stream::Event);
    let date = |entry| if let Entry::Event(event) = entry { Some(event.at) } else { None };
    entries.into_iter().filter_map(|(_, entry)| date(entry)).collect()
}

#[test]
fn segments_that_are_committed_are_deleted_and_a_lost_cursor_costs_a_rewind_only() {
    let mut vehicle = Vehicle::new(SimDisk::new());
    for _ in 0..100 {
        vehicle.take(Step::Fixes(10));
        vehicle.take(Step::Event);
        vehicle.commit_all();
    }
    let names = vehicle.disk.names();
    assert!(names.len() <= 4, "one segment of each stream, a reserve and the cursor: {names:?}");
    let bytes = vec![0; vehicle.disk.bytes("cursor").len()];
    vehicle.disk = vehicle.disk.with("cursor", bytes);
    vehicle.restart();
    assert!(vehicle.journal.waiting(Stream::Trail) > 0, "it does not know what was committed");
    vehicle.commit_all();
    assert_eq!(STREAMS.map(|stream| vehicle.journal.waiting(stream)), [0, 0]);
}
