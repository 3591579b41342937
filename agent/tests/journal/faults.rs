//! Disks that are full, read-only or dying while the agent runs, and when it starts.

use tripline_agent::journal::disk::{Fault, Health};
use tripline_agent::journal::{AppendError, EVENTS_IN_MEMORY_MAX, FIXES_IN_MEMORY_MAX};
use tripline_protocol::link::up::Stream;

use crate::disk::{Failing, SimDisk};
use crate::ledger::{Entry, LIMITS, STREAMS, Step, Vehicle, read_all};

fn driving() -> Vehicle {
    let mut vehicle = Vehicle::new(SimDisk::new());
    for _ in 0..10 {
        vehicle.take(Step::Fixes(5));
        vehicle.take(Step::Event);
    }
    vehicle
}

#[test]
fn one_failed_operation_anywhere_loses_nothing_and_is_never_noticed_by_a_restart() {
    let steps: Vec<Step> = (0..60)
        .flat_map(|_| [Step::Fixes(4), Step::Event, Step::Commit(Stream::Event, 5)])
        .collect();
    let run = |failing| {
        let disk = SimDisk::new();
        let mut vehicle = Vehicle::new(disk.clone());
        disk.fail(failing);
        for step in &steps {
            vehicle.take(*step);
        }
        disk.fail(Failing::Nothing);
        vehicle.now = vehicle.now.plus_ms(LIMITS.retry_ms);
        vehicle.sync();
        vehicle
    };
    let operations = run(Failing::Nothing).disk.operations();
    for number in 0..operations {
        let mut vehicle = run(Failing::Once(number));
        assert!(!vehicle.journal.is_dirty(), "all of it is on the disk: {number}");
        for left in vehicle.disk.after_power_cut(number).into_iter().take(4) {
            vehicle.disk = left;
            let ledger = vehicle.ledger.clone();
            vehicle.start();
            vehicle.ledger = ledger;
        }
    }
}

#[test]
fn on_a_full_disk_events_go_on_in_their_reserve_and_fixes_make_way() {
    let mut vehicle = driving();
    vehicle.disk.fail(Failing::Full);
    for _ in 0..60 {
        vehicle.take(Step::Fixes(20));
        vehicle.take(Step::Event);
        let waits = vehicle.ledger.promised.values().all(|last| last.0 > 0);
        assert!(waits);
    }
    vehicle.restart();
}

#[test]
fn a_read_only_disk_leaves_the_agent_in_memory_and_it_catches_up_later() {
    let mut vehicle = driving();
    vehicle.disk.fail(Failing::ReadOnly);
    vehicle.take(Step::Fixes(5));
    vehicle.take(Step::Event);
    assert_eq!(vehicle.journal.health(), Health::InMemory(Fault::ReadOnly));
    let sendable = vehicle.journal.sendable();
    assert_eq!(sendable.event, vehicle.memory.written(Stream::Event), "it may be sent from there");
    let mut span = *vehicle.journal.spans(Stream::Trail).last().expect("running");
    span.written = sendable.trail;
    let entries = read_all(&mut vehicle.journal.reader(), span, Stream::Trail);
    assert_eq!(entries.len() as u64, sendable.trail.0);
    assert!(entries.iter().all(|(_, entry)| matches!(entry, Entry::Fix(_))));

    vehicle.disk.fail(Failing::Nothing);
    vehicle.take(Step::Event);
    assert!(matches!(vehicle.journal.health(), Health::InMemory(_)), "not before its time");
    vehicle.now = vehicle.now.plus_ms(LIMITS.retry_ms);
    vehicle.sync();
    assert_eq!((vehicle.journal.health(), vehicle.journal.is_dirty()), (Health::Sound, false));
    vehicle.restart();
}

#[test]
fn a_start_on_a_read_only_disk_knows_what_is_there_and_sends_it() {
    let mut vehicle = driving();
    vehicle.restart();
    vehicle.disk.fail(Failing::ReadOnly);
    vehicle.start();
    vehicle.take(Step::Event);
    assert_eq!(vehicle.journal.health(), Health::InMemory(Fault::ReadOnly));
    assert_eq!(vehicle.journal.waiting(Stream::Event), 11, "ten of the first start, one of this");
    for _ in 0..2 {
        vehicle.commit_all();
    }
    assert_eq!(STREAMS.map(|stream| vehicle.journal.waiting(stream)), [0, 0]);
    vehicle.disk.fail(Failing::Nothing);
    vehicle.now = vehicle.now.plus_ms(LIMITS.retry_ms);
    vehicle.sync();
    assert_eq!(vehicle.journal.health(), Health::Sound, "also with nothing left to write");
    vehicle.take(Step::Event);
    vehicle.restart();
}

#[test]
fn memory_is_bounded_events_are_refused_and_fixes_thinned() {
    let mut vehicle = driving();
    vehicle.disk.fail(Failing::ReadOnly);
    let fixes = FIXES_IN_MEMORY_MAX * 3;
    (0..fixes).for_each(|_| vehicle.fix());
    vehicle.sync();
    let mut span = *vehicle.journal.spans(Stream::Trail).last().expect("running");
    span.written = vehicle.journal.sendable().trail;
    let entries = read_all(&mut vehicle.journal.reader(), span, Stream::Trail);
    assert_eq!(entries.len(), fixes + 50, "fixes and gaps cover all of it");
    let kept = entries.iter().filter(|(_, entry)| matches!(entry, Entry::Fix(_))).count();
    assert!((FIXES_IN_MEMORY_MAX / 2..=FIXES_IN_MEMORY_MAX + 50).contains(&kept), "{kept}");

    (0..EVENTS_IN_MEMORY_MAX).for_each(|_| vehicle.event());
    let refused = vehicle.try_event().expect_err("no room");
    assert!(matches!(refused, AppendError::MemoryFull(Fault::ReadOnly)), "{refused}");
    assert!(refused.to_string().contains("read-only"), "{refused}");
    vehicle.take(Step::Commit(Stream::Event, 10));
    vehicle.event();

    vehicle.disk.fail(Failing::Nothing);
    vehicle.now = vehicle.now.plus_ms(LIMITS.retry_ms);
    vehicle.sync();
    assert!(!vehicle.journal.is_dirty());
}
