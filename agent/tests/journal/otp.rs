//! The book that the agent keeps, on a disk whose power is cut: a try at an OTP that was answered is counted.

use std::sync::Arc;

use tripline_agent::book::{ActError, Book};
use tripline_agent::journal::{Journal, Opened};
use tripline_agent_core::desk::{DriverAction, DriverError, OTP_TRIES_MAX};
use tripline_agent_core::engine::{Engine, Judged, Settings};
use tripline_protocol::assignment::{Assignment, Place};
use tripline_protocol::id::{AssignmentId, CommandNumber, JournalEpoch, OrderId, TripId};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::otp::{OtpVerifier, TypedOtp};
use tripline_protocol::tariff::{Cancellation, Tariff};
use tripline_protocol::terms::{Estimate, Terms};
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::{Paise, Position, Timestamp, Uptime};

use crate::disk::{Failing, SimDisk};
use crate::ledger::{LIMITS, device};

pub(crate) const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

pub(crate) fn open(disk: &SimDisk, epoch: u64) -> Book {
    let opened = Journal::open(Arc::new(disk.clone()), &device(), JournalEpoch(epoch), LIMITS);
    let Opened { journal, memory, .. } = opened.expect("it always opens");
    let (base, first) = (Settings::default(), DeviceSettings::default());
    let engine = Engine::new(memory, base, &first, NOW, NOW, Uptime::default());
    Book { engine, journal }
}

/// A driver who waits at the pickup for a rider with the OTP 4711.
pub(crate) fn at_pickup(disk: &SimDisk) -> Book {
    let mut book = open(disk, 1);
    let body = CommandBody::Offer(offer());
    let command = Command { number: CommandNumber(1), expires_at: None, body };
    let draft = book.engine.handle_command(command, Uptime::default()).expect("news");
    book.append(draft).expect("room");
    book.act(DriverAction::Accept, Uptime::default()).expect("offered");
    book.act(DriverAction::Arrive, Uptime::default()).expect("possible");
    book
}

pub(crate) fn offer() -> Assignment {
    let (order, position) = (OrderId::from_bytes([1; 16]), Position::new(0, 0).expect("valid"));
    let place = Place { position, address: String::new() };
    let tariff = Tariff {
        code: "auto".into(),
        version: 1,
        base_paise: Paise(3_000),
        base_distance_m: 0,
        bands: Vec::new(),
        per_minute_paise: Paise::ZERO,
        pickup_paise: Paise::ZERO,
        minimum_paise: Paise::ZERO,
        waiting_per_minute_paise: Paise::ZERO,
        waiting_free_s: 0,
        night: None,
        package: None,
        outstation: None,
        taxes: Vec::new(),
        cancellation: Cancellation::default(),
        range_percent: 0,
        rounding_paise: Paise::ZERO,
    };
    let estimate =
        Estimate { distance_m: 1, duration_s: 1, start_at: NOW, pickup: position, drop: position };
    Assignment {
        id: AssignmentId::from_bytes([2; 16]),
        order,
        trip: TripId::from_bytes([3; 16]),
        pickup: place.clone(),
        drop: place,
        terms: Terms { tariff, nights: Vec::new(), discounts: Vec::new(), estimate },
        pickup_at: None,
        expires_at: NOW.plus_ms(60_000),
        otp: Some(OtpVerifier::new(order, "4711", [9; 16])),
        collect_cash: true,
        auto_accept: false,
    }
}

fn typed(otp: &str) -> DriverAction {
    DriverAction::Start { otp: Some(TypedOtp(otp.into())) }
}

fn tries_left(book: &Book) -> Option<u8> {
    book.engine.view(Uptime::default()).trip.expect("at the pickup").otp_tries_left
}

/// Whether an answer tells about the OTP.
fn tells(answer: &Result<(), ActError>) -> bool {
    use DriverError::{OtpLocked, OtpWrong};
    matches!(answer, Ok(()) | Err(ActError::Driver(OtpWrong { .. } | OtpLocked)))
}

#[test]
fn a_power_cut_at_any_operation_costs_the_tries_that_were_answered_and_at_most_one_more() {
    let whole = SimDisk::new();
    let mut book = at_pickup(&whole);
    let before = whole.operations();
    let answer = book.act(typed("4712"), Uptime::default());
    assert!(tells(&answer), "{answer:?}");
    let operations = whole.operations() - before;
    assert!(operations >= 2, "it writes and syncs");
    let mut answered = 0;
    for cut in 0..=operations {
        let disk = SimDisk::new();
        let mut book = at_pickup(&disk);
        disk.fail(Failing::From(disk.operations() + cut));
        let answer = book.act(typed("4712"), Uptime::default());
        let heard = u8::from(tells(&answer) && !disk.is_off());
        answered += heard;
        for left in disk.after_power_cut(cut) {
            let used = OTP_TRIES_MAX - tries_left(&open(&left, 2)).expect("it needs an OTP");
            assert!((heard..=1).contains(&used), "cut at {cut}: {used} tries, {heard} answers");
        }
    }
    assert!(answered > 0, "the last cut comes after the answer");
}

#[test]
fn a_power_cut_between_counting_and_comparing_leaves_the_try_counted() {
    let disk = SimDisk::new();
    let mut book = at_pickup(&disk);
    let judged = book.engine.handle_driver(typed("4711"), Uptime::default());
    let Ok(Judged::Count(tried, _)) = judged else { panic!("{judged:?}") };
    book.append(*tried).expect("room");
    book.sync(Uptime::default());
    for left in disk.after_power_cut(7) {
        assert_eq!(tries_left(&open(&left, 2)), Some(OTP_TRIES_MAX - 1));
    }
}

#[test]
fn a_right_otp_uses_up_its_try_and_the_start_is_on_the_disk_with_its_answer() {
    let disk = SimDisk::new();
    let mut book = at_pickup(&disk);
    book.act(typed("4711"), Uptime::default()).expect("the right one");
    let trip = book.engine.view(Uptime::default()).trip.expect("riding");
    assert_eq!((trip.state, trip.otp_tries_left), (TripState::Started, Some(OTP_TRIES_MAX - 1)));
    for left in disk.after_power_cut(7) {
        let trip = open(&left, 2).engine.view(Uptime::default()).trip.expect("riding");
        assert_eq!(trip.state, TripState::Started, "what was answered is there");
    }
}
