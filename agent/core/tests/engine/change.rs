//! A trip that its rider changes while it is in hand.

use tripline_agent_core::desk::DriverAction;
use tripline_agent_core::record::Record;
use tripline_agent_core::view::TripView;
use tripline_protocol::assignment::{Assignment, Change, Place};
use tripline_protocol::link::down::{CommandBody, DriveVerb};
use tripline_protocol::link::up::{CommandOutcome, EventBody, Waypoint};
use tripline_protocol::trip::{TripState, TripStep};
use tripline_protocol::unit::{Paise, Position};

use crate::vehicle::{Vehicle, assignment, terms};
use crate::{at_pickup, riding, right_otp};

fn place(east_m: i32, address: &str) -> Place {
    let position = Position::new(0, east_m * 90).expect("on the globe");
    Place { position, address: address.into() }
}

/// The first offer's trip with another pickup, drop, price and way of payment.
fn change() -> Change {
    let mut terms = terms();
    terms.tariff.base_paise = Paise(5_000);
    let (pickup, drop) = (place(700, "the corner"), place(4_000, "the gate"));
    Change { trip: assignment(1).trip, pickup, drop, terms, collect_cash: false }
}

fn told(vehicle: &mut Vehicle, number: u64, change: Change) -> Option<CommandOutcome> {
    vehicle.command(number, CommandBody::Change(change))
}

fn trip(vehicle: &Vehicle) -> TripView {
    vehicle.engine.view(vehicle.now).trip.expect("a trip")
}

fn accepted() -> Vehicle {
    let mut vehicle = Vehicle::new();
    vehicle.fix(0);
    vehicle.command(1, CommandBody::Offer(assignment(1)));
    vehicle.drive(DriverAction::Accept).expect("offered");
    vehicle
}

#[test]
fn before_the_start_everything_is_taken_and_a_restart_keeps_it() {
    let mut vehicle = accepted();
    assert_eq!(told(&mut vehicle, 2, change()), Some(CommandOutcome::Applied));
    for restarts in 0..2 {
        let trip = trip(&vehicle);
        let places = (trip.pickup.as_str(), trip.drop.as_str(), trip.collect_cash);
        assert_eq!(places, ("the corner", "the gate", false), "{restarts}");
        assert_eq!(trip.changed.as_deref(), Some("pickup, drop, payment"));
        assert!(vehicle.engine.indication(vehicle.now).trip.is_some_and(|it| it.changed));
        vehicle.restart();
    }
    vehicle.drive(DriverAction::Depart).expect("on the way");
    assert_eq!(trip(&vehicle).changed, None, "a driver who goes on has seen it");
    assert!(vehicle.engine.indication(vehicle.now).trip.is_some_and(|it| !it.changed));
}

#[test]
fn with_the_rider_aboard_the_pickup_stays_and_the_rest_is_taken() {
    let mut vehicle = riding();
    assert_eq!(told(&mut vehicle, 2, change()), Some(CommandOutcome::Applied));
    let trip = trip(&vehicle);
    assert_eq!((trip.pickup.as_str(), trip.drop.as_str()), ("somewhere", "the gate"));
    assert_eq!(trip.changed.as_deref(), Some("drop, payment"));
}

#[test]
fn the_fare_is_by_the_new_terms_for_the_whole_ride_over_a_restart_in_the_middle() {
    let ride = |change_after: Option<usize>| {
        let mut vehicle = riding();
        for leg in 0..4 {
            if change_after == Some(leg) {
                assert_eq!(told(&mut vehicle, 2, change()), Some(CommandOutcome::Applied));
                vehicle.restart();
                vehicle.fix(500 * i32::try_from(leg).expect("few"));
            }
            vehicle.pass(60_000);
            vehicle.fix(500 * i32::try_from(leg + 1).expect("few"));
        }
        let before = trip(&vehicle).fare_paise;
        vehicle.drive(DriverAction::Stop).expect("riding");
        let Some(Record::Event { event, .. }) = vehicle.last() else { panic!("an event") };
        let EventBody::Trip { step: TripStep::Stop { fare }, .. } = &event.body else {
            panic!("{event:?}")
        };
        assert_eq!((trip(&vehicle).fare_paise, fare.total().0), (before, before));
        (fare.clone(), vehicle)
    };
    let (plain, _) = ride(None);
    let (changed, mut vehicle) = ride(Some(2));
    assert_eq!(changed.total(), change().terms.metered(changed.usage.clone()).total());
    assert_eq!(changed.usage.distance_m, plain.usage.distance_m, "the meter went on");
    assert!(changed.total() >= plain.total() + Paise(2_000), "{changed:?} {plain:?}");
    vehicle.drive(DriverAction::Collected { amount: None }).expect_err("it is prepaid now");
}

#[test]
fn a_change_of_a_trip_that_is_only_offered_over_or_another_s_is_refused_and_changes_nothing() {
    let mut offered = Vehicle::new();
    offered.command(1, CommandBody::Offer(assignment(1)));
    let before = offered.engine.view(offered.now).offer;
    assert_eq!(told(&mut offered, 2, change()), Some(CommandOutcome::Refused));
    assert_eq!(offered.engine.view(offered.now).offer, before);

    let mut over = riding();
    over.drive(DriverAction::Stop).expect("riding");
    let before = trip(&over);
    assert_eq!(told(&mut over, 2, change()), Some(CommandOutcome::Refused));
    assert_eq!(trip(&over), before);

    let mut other = riding();
    let of_other = Change { trip: assignment(2).trip, ..change() };
    let before = trip(&other);
    assert_eq!(told(&mut other, 2, of_other), Some(CommandOutcome::Refused));
    let mut unsound = change();
    unsound.terms.tariff.base_paise = Paise(-1);
    assert_eq!(told(&mut other, 3, unsound), Some(CommandOutcome::Refused), "no fare by it");
    assert_eq!(trip(&other), before);
}

#[test]
fn a_change_crosses_what_the_device_heard_before_it() {
    let cancel = CommandBody::CancelTrip { trip: assignment(1).trip, reason: "rider".into() };
    let mut vehicle = accepted();
    vehicle.command(2, cancel);
    assert_eq!(told(&mut vehicle, 3, change()), Some(CommandOutcome::Refused));
    assert_eq!(vehicle.state(), Some(TripState::Cancelled));

    // At the pickup the vehicle is sent on to another.
    let mut vehicle = at_pickup();
    assert_eq!(told(&mut vehicle, 2, change()), Some(CommandOutcome::Applied));
    let moved = trip(&vehicle);
    assert_eq!((moved.state, moved.pickup.as_str()), (TripState::AtPickup, "the corner"));
    assert_eq!(moved.changed.as_deref(), Some("pickup, drop, payment"));
    vehicle.drive(right_otp()).expect("the rider came there");

    // A dispatcher's step is none that the driver saw the change at.
    assert_eq!(
        told(&mut vehicle, 3, Change { collect_cash: true, ..change() }),
        Some(CommandOutcome::Applied)
    );
    let (trip_id, reason) = (assignment(1).trip, String::new());
    vehicle.command(4, CommandBody::Drive { trip: trip_id, verb: DriveVerb::Pause, reason });
    assert_eq!(trip(&vehicle).changed.as_deref(), Some("payment"));
}

#[test]
fn the_fences_go_where_the_change_says() {
    let near = |vehicle: &Vehicle, waypoint| {
        let of_journal = vehicle.journal.iter().flatten();
        let is_near = |record: &&Record| match record {
            Record::Event { event, .. } => {
                matches!(event.body, EventBody::Near { place, .. } if place == waypoint)
            }
            Record::Fix { .. } | Record::Gap { .. } | Record::Anchor(_) => false,
        };
        of_journal.filter(is_near).count()
    };
    let far = Assignment { pickup: place(300, "far"), ..assignment(1) };
    let mut vehicle = Vehicle::new();
    vehicle.fix(0);
    vehicle.command(1, CommandBody::Offer(far));
    vehicle.drive(DriverAction::Accept).expect("offered");
    vehicle.pass(30_000);
    vehicle.fix(300);
    assert_eq!(near(&vehicle, Waypoint::Pickup), 1);
    assert_eq!(told(&mut vehicle, 2, change()), Some(CommandOutcome::Applied));
    vehicle.drive(DriverAction::Arrive).expect("outside is an arrival too");
    let Some(Record::Event { event, .. }) = vehicle.last() else { panic!("an event") };
    let outside = |event: &EventBody| matches!(event, EventBody::Trip { step: TripStep::ArriveOutside { distance_m }, .. } if *distance_m > 300);
    assert!(outside(&event.body), "of the new pickup: {event:?}");
    vehicle.pass(30_000);
    vehicle.fix(700);
    assert_eq!(near(&vehicle, Waypoint::Pickup), 2);
    vehicle.drive(DriverAction::Arrive).expect("there");
    assert!(trip(&vehicle).waits);
}
