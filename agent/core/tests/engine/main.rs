//! The engine against random days: whatever happens in whatever order, its rules hold.

mod change;
mod days;
mod dispatcher;
mod driver;
mod night;
mod otp;
mod settings;
mod sizes;
mod vehicle;

use tripline_agent_core::desk::{DriverAction, DriverError};
use tripline_agent_core::engine::Draft;
use tripline_agent_core::observation::Observation;
use tripline_agent_core::record::Record;
use tripline_protocol::assignment::RiderContact;
use tripline_protocol::id::CommandNumber;
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::up::{CommandOutcome, Event, EventBody};
use tripline_protocol::otp::TypedOtp;
use tripline_protocol::trip::{TripState, TripStep};

use vehicle::{OTP, START, Vehicle, assignment};

fn right_otp() -> DriverAction {
    typed(OTP)
}

fn typed(otp: &str) -> DriverAction {
    DriverAction::Start { otp: Some(TypedOtp(otp.into())) }
}

/// A vehicle whose driver waits at the pickup.
fn at_pickup() -> Vehicle {
    let mut vehicle = Vehicle::new();
    vehicle.fix(0);
    vehicle.command(1, CommandBody::Offer(assignment(1)));
    for action in [DriverAction::Accept, DriverAction::Depart, DriverAction::Arrive] {
        vehicle.drive(action).expect("possible");
    }
    vehicle
}

/// A vehicle with a ride under way.
fn riding() -> Vehicle {
    let mut vehicle = at_pickup();
    vehicle.drive(right_otp()).expect("possible");
    vehicle
}

#[test]
fn a_restart_in_mid_trip_changes_nothing_but_the_boot_record() {
    let mut vehicle = riding();
    vehicle.pass(10_000);
    vehicle.fix(100);
    let before = vehicle.engine.view(vehicle.now);
    vehicle.restart();
    let after = vehicle.engine.view(vehicle.now);
    assert_eq!(after.trip, before.trip);
    assert_eq!(after.odometer_m, before.odometer_m);
    let Some(Record::Event { event, .. }) = vehicle.last() else { panic!("a boot event") };
    assert!(matches!(event.body, EventBody::Booted { absent_since: Some(_), .. }));
}

#[test]
fn time_and_distance_while_the_agent_was_down_are_bridged_once_gnss_time_is_back() {
    let mut vehicle = riding();
    vehicle.pass(10_000);
    vehicle.fix(100);
    vehicle.restart();
    // Down for twenty seconds, on the road: the agent learns it from the next fix.
    vehicle.lived_ms += 20_000;
    vehicle.pass(1_000);
    vehicle.fix(310);
    let trip = vehicle.engine.view(vehicle.now).trip.expect("on a trip");
    assert!((309..=312).contains(&trip.distance_m), "{}", trip.distance_m);
    assert_eq!(trip.riding_s, 31);
}

#[test]
fn a_command_has_its_effect_once_also_across_a_restart_and_never_after_its_expiry() {
    let mut vehicle = Vehicle::new();
    assert_eq!(
        vehicle.command(5, CommandBody::Offer(assignment(1))),
        Some(CommandOutcome::Applied)
    );
    vehicle.restart();
    assert_eq!(vehicle.command(5, CommandBody::Offer(assignment(1))), None);
    assert_eq!(vehicle.command(4, CommandBody::Offer(assignment(2))), None, "an older number");
    let late = Command {
        number: CommandNumber(6),
        expires_at: Some(START),
        body: CommandBody::Offer(assignment(3)),
    };
    let Some(Draft::Event { event, .. }) = vehicle.engine.handle_command(late, vehicle.now) else {
        panic!("reported")
    };
    let expired =
        EventBody::CommandDone { number: CommandNumber(6), outcome: CommandOutcome::Expired };
    assert_eq!(event.body, expired);
}

#[test]
fn nobody_withdraws_or_cancels_a_ride_under_way_and_no_second_offer_comes_between() {
    let mut vehicle = riding();
    let (id, trip) = (assignment(1).id, assignment(1).trip);
    let withdraw = CommandBody::Withdraw { assignment: id, reason: "late".into() };
    let cancel = CommandBody::CancelTrip { trip, reason: "rider".into() };
    let offer = CommandBody::Offer(assignment(2));
    for (number, body) in [(2, withdraw), (3, cancel), (4, offer)] {
        assert_eq!(vehicle.command(number, body), Some(CommandOutcome::Refused));
    }
    assert_eq!(vehicle.state(), Some(TripState::Started));
}

#[test]
fn before_the_start_the_backend_may_withdraw_and_cancel() {
    let withdraw =
        CommandBody::Withdraw { assignment: assignment(1).id, reason: "given to another".into() };
    let cancel = CommandBody::CancelTrip { trip: assignment(1).trip, reason: "rider".into() };
    for body in [withdraw, cancel] {
        let mut vehicle = Vehicle::new();
        vehicle.command(1, CommandBody::Offer(assignment(1)));
        vehicle.drive(DriverAction::Accept).expect("offered");
        let contact =
            RiderContact { trip: assignment(1).trip, name: "Asha".into(), phone: "+91-98".into() };
        vehicle.command(2, CommandBody::Rider(contact));
        let view = vehicle.engine.view(vehicle.now).trip.expect("accepted");
        assert_eq!(view.rider_name.as_deref(), Some("Asha"));
        assert_eq!(vehicle.command(3, body), Some(CommandOutcome::Applied));
        assert_eq!(vehicle.state(), Some(TripState::Cancelled));
        assert!(matches!(vehicle.drive(DriverAction::Depart), Err(DriverError::Refused(_))));
    }
}

#[test]
fn the_stop_carries_the_fare_and_it_is_collected_once() {
    let mut vehicle = riding();
    vehicle.pass(60_000);
    vehicle.fix(1_000);
    assert_eq!(
        vehicle.drive(DriverAction::Collected { amount: None }),
        Err(DriverError::NothingOwed)
    );
    vehicle.drive(DriverAction::Stop).expect("riding");
    let Some(Record::Event { event, .. }) = vehicle.last() else { panic!("an event") };
    let EventBody::Trip { step: TripStep::Stop { fare }, .. } = &event.body else {
        panic!("a stop")
    };
    assert_eq!(fare.usage.riding_s, 60);
    assert_eq!(fare.total().0, vehicle.engine.view(vehicle.now).trip.expect("ended").fare_paise);
    vehicle.drive(DriverAction::Collected { amount: None }).expect("owed");
    assert_eq!(
        vehicle.drive(DriverAction::Collected { amount: None }),
        Err(DriverError::CollectedAlready)
    );
}

#[test]
fn events_before_the_first_gnss_time_are_dated_by_it_without_the_absence() {
    let mut vehicle = Vehicle::new();
    vehicle.fix(0);
    vehicle.restart();
    vehicle.lived_ms += 3_600_000;
    vehicle.pass(4_000);
    vehicle.command(1, CommandBody::Offer(assignment(1)));
    let Some(Record::Event { event: event @ Event { gnss_time: false, .. }, .. }) =
        vehicle.last().cloned()
    else {
        panic!("a provisional event")
    };
    let happened = START.plus_ms(vehicle.lived_ms);
    assert_ne!(event.at, happened, "the clock knew nothing of the hour");
    vehicle.pass(1_000);
    vehicle.fix(0);
    let anchor = vehicle.engine.memory().anchor().expect("GNSS time");
    assert_eq!(anchor.date(event.reading.steady), happened);
    vehicle.drive(DriverAction::Accept).expect("offered");
    assert!(matches!(vehicle.last(), Some(Record::Event { event, .. }) if event.gnss_time));
}

#[test]
fn an_observation_without_a_date_is_kept_and_sets_no_clock() {
    let mut vehicle = Vehicle::new();
    for _ in 0..10 {
        let at = vehicle.engine.view(vehicle.now).at_unix_ms;
        let undated = Observation { at: None, ..vehicle.observation(0) };
        let outcome = vehicle.engine.handle_observation(&undated, vehicle.now);
        assert!(!outcome.drafts.iter().any(|draft| matches!(draft, Draft::Anchor(_))));
        for draft in outcome.drafts {
            vehicle.write(draft);
        }
        assert!(!vehicle.engine.view(vehicle.now).gnss_time, "our own clock is no GNSS time");
        assert_eq!(vehicle.engine.view(vehicle.now).at_unix_ms, at);
        vehicle.pass(1_000);
    }
    vehicle.fix(0);
    assert!(vehicle.engine.view(vehicle.now).gnss_time);
}
