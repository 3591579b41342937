//! Nights: decided by the moment of the start, whatever the clocks did.

use tripline_agent_core::desk::DriverAction;
use tripline_protocol::assignment::Assignment;
use tripline_protocol::fare::FareLineKind;
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::tariff::{Night, Surcharge};
use tripline_protocol::terms::Span;
use tripline_protocol::unit::Paise;

use crate::right_otp;
use crate::vehicle::{START, Vehicle, assignment};

/// A ride with one night, which begins `from_s` after the test does and lasts an hour.
fn by_night(from_s: i64) -> Assignment {
    let mut assignment = assignment(1);
    let from = START.plus_ms(from_s * 1000);
    assignment.terms.tariff.night = Some(Night {
        from_minute: 22 * 60,
        until_minute: 5 * 60,
        time_zone: "Asia/Kolkata".into(),
        surcharge: Surcharge::FlatPaise(Paise(2_000)),
    });
    assignment.terms.nights = vec![Span { from, until: from.plus_ms(3_600_000) }];
    assignment
}

fn is_night(vehicle: &Vehicle) -> bool {
    let trip = vehicle.engine.view(vehicle.now).trip.expect("a trip");
    trip.fare_lines.iter().any(|line| line.kind == FareLineKind::Night)
}

fn start(vehicle: &mut Vehicle, assignment: Assignment) {
    vehicle.command(1, CommandBody::Offer(assignment));
    for action in [DriverAction::Accept, DriverAction::Arrive, right_otp()] {
        vehicle.drive(action).expect("possible");
    }
}

#[test]
fn a_ride_is_by_night_if_it_starts_in_one_and_not_if_it_only_ends_there() {
    for (from_s, night) in [(-3_590, true), (-4_000, false), (100, false)] {
        let mut vehicle = Vehicle::new();
        vehicle.fix(0);
        start(&mut vehicle, by_night(from_s));
        vehicle.pass(120_000);
        vehicle.fix(100);
        vehicle.drive(DriverAction::Stop).expect("riding");
        assert_eq!(is_night(&vehicle), night, "{from_s}");
    }
}

#[test]
fn a_start_before_the_first_gnss_time_is_dated_by_it() {
    let mut vehicle = Vehicle::new();
    vehicle.fix(0);
    vehicle.restart();
    // The agent was away for two hours, as only GNSS time can tell.
    vehicle.lived_ms += 7_200_000;
    start(&mut vehicle, by_night(7_000));
    assert!(!is_night(&vehicle), "by the clock that stood still");
    vehicle.pass(10_000);
    vehicle.fix(10);
    assert!(is_night(&vehicle));
    let before = vehicle.engine.view(vehicle.now).trip;
    vehicle.restart();
    assert_eq!(vehicle.engine.view(vehicle.now).trip, before);
}
