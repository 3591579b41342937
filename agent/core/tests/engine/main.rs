//! The engine against random days: whatever happens in whatever order, its rules hold.

mod settings;
mod vehicle;

use proptest::prelude::*;
use tripline_agent_core::desk::{DriverAction, DriverError};
use tripline_agent_core::engine::Draft;
use tripline_agent_core::observation::Observation;
use tripline_agent_core::record::Record;
use tripline_protocol::assignment::RiderContact;
use tripline_protocol::id::CommandNumber;
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::settings::{DeviceSettings, Keep};
use tripline_protocol::link::up::{CommandOutcome, Event, EventBody};
use tripline_protocol::machine::Machine;
use tripline_protocol::trip::{TripState, TripStep};

use vehicle::{OTP, START, Vehicle, assignment};

fn right_otp() -> DriverAction {
    DriverAction::Start { otp: Some(OTP.into()) }
}

/// A vehicle with a ride under way.
fn riding() -> Vehicle {
    let mut vehicle = Vehicle::new();
    vehicle.fix(0);
    vehicle.command(1, CommandBody::Offer(assignment(1)));
    for action in [DriverAction::Accept, DriverAction::Depart, DriverAction::Arrive, right_otp()] {
        vehicle.drive(action).expect("possible");
    }
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
fn the_otp_is_asked_for_and_checked_and_a_wrong_one_changes_nothing() {
    let mut vehicle = Vehicle::new();
    vehicle.command(1, CommandBody::Offer(assignment(1)));
    for action in [DriverAction::Accept, DriverAction::Depart, DriverAction::Arrive] {
        vehicle.drive(action).expect("possible");
    }
    let written = vehicle.journal.clone();
    for (otp, error) in [
        (None, DriverError::OtpNeeded),
        (Some("4712".to_string()), DriverError::OtpWrong),
        (Some("4711".repeat(9)), DriverError::OtpWrong),
    ] {
        assert_eq!(vehicle.drive(DriverAction::Start { otp }), Err(error));
    }
    assert_eq!((&vehicle.journal, vehicle.state()), (&written, Some(TripState::AtPickup)));
    vehicle.drive(right_otp()).expect("the right one");
    assert_eq!(vehicle.state(), Some(TripState::Started));
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

#[derive(Debug, Clone)]
enum Input {
    Act(DriverAction),
    Offer(u8),
    Withdraw(u8),
    Cancel(u8),
    Configure(DeviceSettings),
    Report,
    Fix(i32),
    Pass(u64),
    Restart,
}

/// Some of it out of range.
fn configuration() -> impl Strategy<Value = DeviceSettings> {
    let keep = prop_oneof![Just(Keep::Full), (0_u16..900).prop_map(Keep::WithinM)];
    let numbers = proptest::option::of(0_u32..700);
    (proptest::option::of(keep), numbers.clone(), numbers).prop_map(|(keep, kmh, radius_m)| {
        DeviceSettings {
            trail_on_trip: keep,
            trail_moving: keep,
            gate_speed_kmh_max: kmh,
            motion_overspeed_kmh: kmh,
            fence_radius_m: radius_m,
            ..DeviceSettings::default()
        }
    })
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let action = prop_oneof![
        4 => Just(DriverAction::Accept),
        1 => Just(DriverAction::Reject { reason: "far".into() }),
        2 => Just(DriverAction::Depart),
        3 => Just(DriverAction::Arrive),
        4 => Just(right_otp()),
        1 => Just(DriverAction::Start { otp: None }),
        2 => Just(DriverAction::Pause),
        2 => Just(DriverAction::Resume),
        2 => Just(DriverAction::Stop),
        1 => Just(DriverAction::Cancel { reason: "flat".into() }),
        1 => Just(DriverAction::NoShow),
        1 => Just(DriverAction::Collected { amount: None }),
    ];
    let input = prop_oneof![
        8 => action.prop_map(Input::Act),
        3 => (1_u8..4).prop_map(Input::Offer),
        1 => (1_u8..4).prop_map(Input::Withdraw),
        1 => (1_u8..4).prop_map(Input::Cancel),
        1 => configuration().prop_map(Input::Configure),
        1 => Just(Input::Report),
        6 => (-500_i32..500).prop_map(Input::Fix),
        3 => (1_u64..60_000).prop_map(Input::Pass),
        1 => Just(Input::Restart),
    ];
    proptest::collection::vec(input, 1..80)
}

fn check(vehicle: &Vehicle) {
    let (mut odometer_mm, mut steady_ms) = (0, 0);
    for records in &vehicle.journal {
        let (mut event, mut trail) = (0, 0);
        for record in records {
            let reading = match record {
                Record::Event { sequence, trail: fixes, event: body, .. } => {
                    event += 1;
                    assert_eq!(sequence.0, event, "events are numbered without holes");
                    assert_eq!(fixes.0, trail, "an event knows the fix before it");
                    body.reading
                }
                Record::Fix { sequence, reading, .. } => {
                    trail += 1;
                    assert_eq!(sequence.0, trail, "fixes are numbered without holes");
                    *reading
                }
                Record::Gap { .. } | Record::Anchor(_) => continue,
            };
            assert!(reading.odometer.mm >= odometer_mm, "the odometer never goes back");
            assert!(reading.steady.ms >= steady_ms, "the steady clock never goes back");
            (odometer_mm, steady_ms) = (reading.odometer.mm, reading.steady.ms);
        }
    }
    let memory = vehicle.read();
    assert_eq!(&memory, vehicle.engine.memory(), "a restart would stand where this process stands");
    let trip = vehicle.engine.view(vehicle.now).trip;
    assert!(trip.is_none_or(|trip| trip.fare_paise >= 0));
}

proptest! {
    #[test]
    fn any_day_keeps_the_rules(inputs in inputs()) {
        let mut vehicle = Vehicle::new();
        let mut number = 0;
        for input in inputs {
            let before = vehicle.state();
            match input {
                Input::Act(action) => drop(vehicle.drive(action)),
                Input::Offer(n) => {
                    number += 1;
                    vehicle.command(number, CommandBody::Offer(assignment(n)));
                }
                Input::Withdraw(n) => {
                    number += 1;
                    let id = assignment(n).id;
                    vehicle.command(
                        number,
                        CommandBody::Withdraw { assignment: id, reason: "no".into() },
                    );
                }
                Input::Cancel(n) => {
                    number += 1;
                    let trip = assignment(n).trip;
                    vehicle.command(number, CommandBody::CancelTrip { trip, reason: "no".into() });
                }
                Input::Configure(settings) => {
                    number += 1;
                    let outcome = vehicle.command(number, CommandBody::Configure(settings));
                    let applied = outcome == Some(CommandOutcome::Applied);
                    prop_assert_eq!(applied, settings.check().is_ok());
                }
                Input::Report => {
                    vehicle.report();
                    prop_assert_eq!(vehicle.report(), None, "once");
                }
                Input::Fix(east_m) => drop(vehicle.hear(east_m)),
                Input::Pass(ms) => vehicle.pass(ms),
                Input::Restart => vehicle.restart(),
            }
            check(&vehicle);
            if let (Some(before), Some(after)) = (before, vehicle.state()) {
                let step = before == after
                    || TripState::TABLE.iter().any(|row| row.from == before && row.to == after);
                // A new trip begins only where the last one has ended.
                let new_trip = before.is_terminal() && after == TripState::INITIAL;
                prop_assert!(step || new_trip, "{before} -> {after}");
            }
        }
    }
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
