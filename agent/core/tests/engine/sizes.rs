//! The largest of everything fits where it is kept and sent.

use tripline_agent_core::desk::{DriverAction, REASON_LEN_MAX};
use tripline_agent_core::record::{
    COMMAND_LEN_MAX, Record, SNAPSHOT_LEN_MAX, fits, write_frame, write_snapshot,
};
use tripline_protocol::assignment::{Assignment, Change, Place, RiderContact};
use tripline_protocol::duty::{Duty, OnDuty};
use tripline_protocol::fare::{EXTRA_NOTE_LEN_MAX, EXTRAS_MAX, Extra, ExtraKind};
use tripline_protocol::id::DriverId;
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::down::{CommandBody, DriveVerb};
use tripline_protocol::link::envelope::{PAYLOAD_LEN_MAX, encode};
use tripline_protocol::link::up::{Batch, CommandOutcome, EVENT_BATCH_RECORDS_MAX, EventBody};
use tripline_protocol::tariff::{
    AMOUNT_MAX, BANDS_MAX, Band, CODE_LEN_MAX, Cancellation, Night, Surcharge, TAX_NAME_LEN_MAX,
    TAXES_MAX, Tariff, Tax,
};
use tripline_protocol::terms::{DISCOUNTS_MAX, Discount, NIGHTS_MAX, Span, Terms};
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::Timestamp;

use crate::right_otp;
use crate::vehicle::{START, Vehicle, assignment, terms};

fn largest_tariff() -> Tariff {
    let band = |n: u32| Band { from_m: u32::MAX - 1_000 + n, per_km_paise: AMOUNT_MAX };
    let tax = Tax { name: "t".repeat(TAX_NAME_LEN_MAX), rate_bp: 9_999, on_extras: true };
    Tariff {
        code: "c".repeat(CODE_LEN_MAX),
        version: u32::MAX,
        base_paise: AMOUNT_MAX,
        base_distance_m: u32::MAX - 2_000,
        bands: (0..u32::try_from(BANDS_MAX).expect("few")).map(band).collect(),
        per_minute_paise: AMOUNT_MAX,
        pickup_paise: AMOUNT_MAX,
        minimum_paise: AMOUNT_MAX,
        waiting_per_minute_paise: AMOUNT_MAX,
        waiting_free_s: 1,
        night: Some(Night {
            from_minute: 1_320,
            until_minute: 300,
            time_zone: "z".repeat(64),
            surcharge: Surcharge::FactorPercent(1_000),
        }),
        package: None,
        outstation: None,
        taxes: vec![tax; TAXES_MAX],
        cancellation: Cancellation {
            free_s: u32::MAX,
            charge_paise: AMOUNT_MAX,
            no_show_paise: AMOUNT_MAX,
        },
        range_percent: 200,
        rounding_paise: AMOUNT_MAX,
    }
}

/// Text fields with no limit of their own are as long as still makes an offer that is taken in.
fn largest_offer() -> Assignment {
    let span = Span { from: START.plus_ms(-1), until: Timestamp::from_unix_ms(i64::MAX / 2) };
    let discount = Discount {
        code: "d".repeat(CODE_LEN_MAX),
        percent_bp: 1,
        flat_paise: AMOUNT_MAX,
        max_paise: Some(AMOUNT_MAX),
        least_paise: AMOUNT_MAX,
    };
    let terms = Terms {
        tariff: largest_tariff(),
        nights: vec![span; NIGHTS_MAX],
        discounts: vec![discount; DISCOUNTS_MAX],
        ..terms()
    };
    terms.tariff.check().expect("a tariff may be so large");
    let place = Place { address: "a".repeat(2_500), ..assignment(1).pickup };
    let pickup_at = Some(Timestamp::from_unix_ms(i64::MAX / 2));
    let mut offer =
        Assignment { pickup: place.clone(), drop: place, pickup_at, terms, ..assignment(1) };
    while fits(&tripline_protocol::link::down::Command {
        number: tripline_protocol::id::CommandNumber(u64::MAX),
        expires_at: None,
        body: CommandBody::Offer(offer.clone()),
    }) {
        offer.drop.address.push('a');
    }
    offer.drop.address.pop();
    offer
}

/// A vehicle at the end of a ride with all there may be.
fn fullest() -> Vehicle {
    let offer = largest_offer();
    let mut vehicle = Vehicle::new();
    vehicle.fix(0);
    let mut number = 0;
    let mut command = |vehicle: &mut Vehicle, body| {
        number += 1;
        assert_eq!(vehicle.command(number, body), Some(CommandOutcome::Applied));
    };
    command(&mut vehicle, CommandBody::Offer(offer.clone()));
    vehicle.drive(DriverAction::Accept).expect("offered");
    let (trip, reason) = (offer.trip, "r".repeat(COMMAND_LEN_MAX - 100));
    let half = "p".repeat(COMMAND_LEN_MAX / 2 - 50);
    command(
        &mut vehicle,
        CommandBody::Rider(RiderContact { trip, name: half.clone(), phone: half.clone() }),
    );
    vehicle.drive(DriverAction::Arrive).expect("possible");
    let Assignment { pickup, drop, terms, collect_cash, .. } = offer;
    command(&mut vehicle, CommandBody::Change(Change { trip, pickup, drop, terms, collect_cash }));
    vehicle.drive(right_otp()).expect("possible");
    let extra =
        Extra { kind: ExtraKind::Toll, amount: AMOUNT_MAX, note: "n".repeat(EXTRA_NOTE_LEN_MAX) };
    for _ in 0..EXTRAS_MAX {
        vehicle.drive(DriverAction::Extra(extra.clone())).expect("room");
    }
    command(&mut vehicle, CommandBody::Drive { trip, verb: DriveVerb::Pause, reason });
    vehicle.pass(3_600_000);
    let driver: DriverId = "d".repeat(DriverId::LEN_MAX).parse().expect("valid");
    command(
        &mut vehicle,
        CommandBody::OnDuty(OnDuty {
            driver: Some((driver, half.clone())),
            duty: Duty::On,
            refused: Some(half),
        }),
    );
    vehicle.drive(DriverAction::Stop).expect("riding");
    vehicle
}

#[test]
fn the_fullest_memory_fits_into_a_snapshot() {
    let mut vehicle = fullest();
    let next = Assignment { id: assignment(2).id, ..largest_offer() };
    assert_eq!(vehicle.command(99, CommandBody::Offer(next)), Some(CommandOutcome::Applied));
    let mut bytes = Vec::new();
    write_snapshot(vehicle.engine.memory(), &mut bytes).expect("fits");
    assert!(bytes.len() < SNAPSHOT_LEN_MAX, "{}", bytes.len());
    assert!(bytes.len() > SNAPSHOT_LEN_MAX / 4 * 3, "it is as full as it says: {}", bytes.len());
    let driver = vehicle.engine.view(vehicle.now).driver;
    assert_eq!(driver.refused.map(|refused| refused.len()), Some(REASON_LEN_MAX));
}

#[test]
fn the_largest_fare_fits_into_a_record_and_sixteen_of_it_into_a_batch() {
    let vehicle = fullest();
    let Some(record @ Record::Event { event, .. }) = vehicle.last() else { panic!("an event") };
    let EventBody::Trip { step: TripStep::Stop { fare }, .. } = &event.body else {
        panic!("{event:?}")
    };
    assert!(fare.lines.len() > 30, "{}", fare.lines.len());
    write_frame(record, &mut Vec::new()).expect("fits");
    let records = vec![event.clone(); EVENT_BATCH_RECORDS_MAX];
    let batch = Batch { epoch: JournalEpoch(u64::MAX), after: Sequence(u64::MAX / 2), records };
    let len = encode(&batch).len();
    assert!(len <= PAYLOAD_LEN_MAX, "{len}");
}

#[test]
fn a_command_too_large_for_a_record_is_refused_and_not_asked_for_again() {
    let mut vehicle = Vehicle::new();
    let mut offer = largest_offer();
    offer.drop.address.push_str("further on");
    assert_eq!(vehicle.command(1, CommandBody::Offer(offer)), Some(CommandOutcome::Refused));
    let Some(record) = vehicle.last() else { panic!("a record") };
    write_frame(record, &mut Vec::new()).expect("the report fits");
    assert_eq!(vehicle.command(1, CommandBody::Offer(assignment(1))), None, "taken in");
}
