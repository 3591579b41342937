//! A rider's change on a disk whose power is cut: it is there with its report, or neither is.

use tripline_agent::book::Book;
use tripline_agent_core::engine::Draft;
use tripline_protocol::assignment::{Assignment, Change};
use tripline_protocol::id::CommandNumber;
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::unit::Uptime;

use crate::disk::{Failing, SimDisk};
use crate::otp::{at_pickup, offer, open};

/// The report on a change of drop and payment; `None` if it was taken in before.
fn report(book: &Book) -> Option<Draft> {
    let Assignment { trip, pickup, mut drop, terms, .. } = offer();
    drop.address = "the gate".into();
    let change = Change { trip, pickup, drop, terms, collect_cash: false };
    let (number, body) = (CommandNumber(2), CommandBody::Change(change));
    let command = Command { number, expires_at: None, body };
    book.engine.handle_command(command, Uptime::default())
}

fn is_changed(book: &Book) -> bool {
    let trip = book.engine.view(Uptime::default()).trip.expect("at the pickup");
    let is_told = trip.changed.as_deref() == Some("drop, payment");
    let is_changed = (trip.drop.as_str(), trip.collect_cash) == ("the gate", false);
    assert_eq!(is_changed, is_told, "the driver is told");
    is_changed
}

#[test]
fn a_power_cut_at_any_operation_leaves_a_change_with_its_report_or_neither() {
    let whole = SimDisk::new();
    let mut book = at_pickup(&whole);
    let before = whole.operations();
    book.append(report(&book).expect("news")).expect("room");
    book.sync(Uptime::default());
    let operations = whole.operations() - before;
    assert!(operations >= 2, "it writes and syncs");
    let (mut kept, mut lost) = (0, 0);
    for cut in 0..=operations {
        let disk = SimDisk::new();
        let mut book = at_pickup(&disk);
        disk.fail(Failing::From(disk.operations() + cut));
        let written = book.append(report(&book).expect("news")).is_ok();
        book.sync(Uptime::default());
        let promised = written && !disk.is_off();
        for left in disk.after_power_cut(cut) {
            let book = open(&left, 2);
            let changed = is_changed(&book);
            assert!(changed || !promised, "cut at {cut}");
            assert_eq!(report(&book).is_none(), changed, "it comes again unless it was taken in");
            if changed { kept += 1 } else { lost += 1 }
        }
    }
    assert!(kept > 0 && lost > 0, "{kept} kept, {lost} lost");
}
