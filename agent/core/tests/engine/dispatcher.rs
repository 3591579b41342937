//! What a dispatcher does on the driver's behalf, and offers that are accepted at once.

use tripline_agent_core::desk::DriverAction;
use tripline_agent_core::record::Record;
use tripline_protocol::assignment::Assignment;
use tripline_protocol::link::down::{CommandBody, DriveVerb};
use tripline_protocol::link::up::{CommandOutcome, EventBody};
use tripline_protocol::machine::Machine;
use tripline_protocol::meter::{Meter, Moment};
use tripline_protocol::terms::Terms;
use tripline_protocol::trip::{TripEvent, TripState, TripStep};

use crate::vehicle::{START, Vehicle, assignment, terms};
use crate::{at_pickup, riding, typed};

fn drive(vehicle: &mut Vehicle, number: u64, verb: DriveVerb) -> Option<CommandOutcome> {
    let (trip, reason) = (assignment(1).trip, "the screen is broken".into());
    vehicle.command(number, CommandBody::Drive { trip, verb, reason })
}

fn fare_of_last_stop(vehicle: &Vehicle) -> i64 {
    vehicle.engine.view(vehicle.now).trip.expect("a trip").fare_paise
}

#[test]
fn a_ride_is_driven_from_afar_without_the_otp_and_costs_what_the_meter_says() {
    let mut vehicle = at_pickup();
    vehicle.drive(typed("4712")).expect_err("wrong");
    let mut meters = Meter::default();
    let mut apply = |vehicle: &Vehicle, event| {
        let moment = Moment { reading: vehicle.engine.reading(vehicle.now), ..Moment::default() };
        meters = std::mem::take(&mut meters).after(event, &moment);
        meters.usage(moment.reading)
    };
    let steps = [DriveVerb::Start, DriveVerb::Pause, DriveVerb::Resume, DriveVerb::Stop];
    for (verb, number) in steps.into_iter().zip(2..) {
        assert_eq!(drive(&mut vehicle, number, verb), Some(CommandOutcome::Applied), "{verb}");
        apply(&vehicle, verb.event());
        vehicle.pass(30_000);
        vehicle.fix(i32::try_from(number).expect("few") * 200);
        vehicle.restart();
    }
    let usage = apply(&vehicle, TripEvent::Stop);
    let trip = vehicle.engine.view(vehicle.now).trip.expect("ended");
    assert_eq!((trip.state, trip.riding_s, trip.paused_s), (TripState::Ended, 60, 30));
    let expected = terms().metered(usage).total().0;
    assert_eq!((trip.fare_paise, expected > 3_000), (expected, true));
    assert_eq!(trip.dispatcher.as_deref(), Some("stop: the screen is broken"));
    vehicle.drive(DriverAction::Collected { amount: None }).expect("the fare is final");
}

#[test]
fn a_stop_from_afar_costs_what_the_driver_s_own_would() {
    let ride = || {
        let mut vehicle = riding();
        vehicle.pass(300_000);
        vehicle.fix(2_000);
        vehicle
    };
    let (mut by_driver, mut by_dispatcher) = (ride(), ride());
    by_driver.drive(DriverAction::Stop).expect("riding");
    assert_eq!(drive(&mut by_dispatcher, 2, DriveVerb::Stop), Some(CommandOutcome::Applied));
    assert_eq!(fare_of_last_stop(&by_driver), fare_of_last_stop(&by_dispatcher));
    let fare = |vehicle: &Vehicle| match vehicle.last() {
        Some(Record::Event { event, .. }) => event.reading,
        other => panic!("{other:?}"),
    };
    assert_eq!(fare(&by_driver), fare(&by_dispatcher), "the report has the same reading");
}

#[test]
fn a_step_that_the_table_has_not_is_refused_from_afar_as_well() {
    let mut vehicle = at_pickup();
    for (verb, number) in
        [DriveVerb::Pause, DriveVerb::Resume, DriveVerb::Stop].into_iter().zip(2..)
    {
        assert_eq!(drive(&mut vehicle, number, verb), Some(CommandOutcome::Refused));
    }
    let other = CommandBody::Drive {
        trip: assignment(2).trip,
        verb: DriveVerb::Start,
        reason: String::new(),
    };
    assert_eq!(vehicle.command(5, other), Some(CommandOutcome::Refused), "another trip's");
    assert_eq!(vehicle.state(), Some(TripState::AtPickup));
    for verb in DriveVerb::ALL {
        let possible = TripState::Started.next(verb.event()).is_ok();
        let outcome = drive(&mut riding(), 2, *verb);
        assert_eq!(outcome == Some(CommandOutcome::Applied), possible, "{verb}");
    }
}

#[test]
fn an_offer_may_be_accepted_by_being_applied_and_a_restart_knows() {
    let auto = |n| Assignment { auto_accept: true, ..assignment(n) };
    let mut vehicle = Vehicle::new();
    let offer = CommandBody::Offer(auto(1));
    assert_eq!(vehicle.command(1, offer), Some(CommandOutcome::Applied));
    let Some(Record::Event { event, .. }) = vehicle.last() else { panic!("an event") };
    assert!(matches!(event.body, EventBody::CommandDone { .. }), "in the same record");
    vehicle.restart();
    assert_eq!(vehicle.state(), Some(TripState::Assigned));
    assert!(vehicle.engine.view(vehicle.now).offer.is_none(), "nothing to answer");
    vehicle.drive(DriverAction::Depart).expect("it is the driver's");
    let second = CommandBody::Offer(auto(2));
    assert_eq!(vehicle.command(2, second), Some(CommandOutcome::Refused), "one trip at a time");
    let withdraw = CommandBody::Withdraw { assignment: auto(1).id, reason: "rider".into() };
    assert_eq!(vehicle.command(3, withdraw), Some(CommandOutcome::Applied));
    assert_eq!(vehicle.state(), Some(TripState::Cancelled));

    let late = Assignment { expires_at: START, ..auto(3) };
    assert_eq!(vehicle.command(4, CommandBody::Offer(late)), Some(CommandOutcome::Expired));
}

#[test]
fn an_offer_by_terms_that_make_no_fare_is_refused() {
    let mut vehicle = Vehicle::new();
    let many = Terms { nights: vec![span(); 41], ..terms() };
    let mut free = terms();
    free.tariff.base_paise.0 = -1;
    for (terms, number) in [many, free].into_iter().zip(1..) {
        let offer = CommandBody::Offer(Assignment { terms, ..assignment(1) });
        assert_eq!(vehicle.command(number, offer), Some(CommandOutcome::Refused));
    }
}

fn span() -> tripline_protocol::terms::Span {
    tripline_protocol::terms::Span { from: START, until: START }
}

#[test]
fn a_no_show_costs_what_the_tariff_says_and_a_trip_called_off_shows_no_fare() {
    let mut offer = assignment(1);
    offer.terms.tariff.cancellation.no_show_paise.0 = 4_000;
    for (action, fare) in [
        (DriverAction::NoShow, Some(4_000)),
        (DriverAction::Cancel { reason: "flat".into() }, None),
    ] {
        let mut vehicle = Vehicle::new();
        vehicle.command(1, CommandBody::Offer(offer.clone()));
        for action in [DriverAction::Accept, DriverAction::Arrive, action] {
            vehicle.drive(action).expect("possible");
        }
        let trip = vehicle.engine.view(vehicle.now).trip.expect("a trip");
        assert_eq!(trip.fare_reason.map(|_| trip.fare_paise), fare);
    }
}

#[test]
fn a_dispatcher_s_stop_after_the_driver_s_changes_nothing() {
    let mut vehicle = riding();
    vehicle.drive(DriverAction::Stop).expect("riding");
    let Some(Record::Event { event, .. }) = vehicle.last().cloned() else { panic!("an event") };
    assert!(matches!(&event.body, EventBody::Trip { step: TripStep::Stop { .. }, .. }));
    let before = vehicle.engine.view(vehicle.now).trip;
    assert_eq!(drive(&mut vehicle, 2, DriveVerb::Stop), Some(CommandOutcome::Refused));
    assert_eq!(vehicle.engine.view(vehicle.now).trip, before);
}
