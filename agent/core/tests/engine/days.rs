//! Random days: whatever happens in whatever order, the rules hold after each step.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tripline_agent_core::desk::{DriverAction, OTP_TRIES_MAX};
use tripline_agent_core::record::Record;
use tripline_protocol::assignment::{Assignment, Change};
use tripline_protocol::duty::{Duty, OnDuty, TypedPin};
use tripline_protocol::fare::{EXTRAS_MAX, Extra, ExtraKind};
use tripline_protocol::id::DriverId;
use tripline_protocol::link::down::{CommandBody, DriveVerb};
use tripline_protocol::link::settings::{DeviceSettings, Keep};
use tripline_protocol::link::up::{CommandOutcome, EventBody};
use tripline_protocol::machine::Machine;
use tripline_protocol::trip::{TripState, TripStep};
use tripline_protocol::unit::Paise;

use crate::vehicle::{Vehicle, assignment};
use crate::{at_pickup, riding, right_otp, typed};

#[derive(Debug, Clone)]
enum Input {
    Act(DriverAction),
    Offer(u8, bool),
    Withdraw(u8),
    Cancel(u8),
    Drive(u8, DriveVerb),
    Unlock(u8),
    Change(u8, u8),
    OnDuty(OnDuty),
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
        3 => prop_oneof![Just(""), Just("4712"), Just("47l1")].prop_map(typed),
        1 => Just(DriverAction::Start { otp: None }),
        2 => (0_i64..300).prop_map(|amount| DriverAction::Extra(Extra {
            kind: ExtraKind::Toll,
            amount: Paise(amount),
            note: String::new(),
        })),
        1 => (3_usize..6).prop_map(|digits| DriverAction::SignIn {
            driver: driver(),
            pin: TypedPin("7".repeat(digits)),
        }),
        1 => duty().prop_map(DriverAction::Duty),
        2 => Just(DriverAction::Pause),
        2 => Just(DriverAction::Resume),
        2 => Just(DriverAction::Stop),
        1 => Just(DriverAction::Cancel { reason: "flat".into() }),
        1 => Just(DriverAction::NoShow),
        1 => Just(DriverAction::Collected { amount: None }),
    ];
    let input = prop_oneof![
        8 => action.prop_map(Input::Act),
        3 => (1_u8..4, proptest::bool::weighted(0.3)).prop_map(|(n, auto)| Input::Offer(n, auto)),
        1 => (1_u8..4).prop_map(Input::Withdraw),
        1 => (1_u8..4).prop_map(Input::Cancel),
        2 => (1_u8..4, proptest::sample::select(DriveVerb::ALL))
            .prop_map(|(n, verb)| Input::Drive(n, verb)),
        1 => (1_u8..4).prop_map(Input::Unlock),
        2 => (1_u8..4, 0_u8..4).prop_map(|(n, to)| Input::Change(n, to)),
        1 => on_duty().prop_map(Input::OnDuty),
        1 => configuration().prop_map(Input::Configure),
        1 => Just(Input::Report),
        6 => (-500_i32..500).prop_map(Input::Fix),
        3 => (1_u64..60_000).prop_map(Input::Pass),
        1 => Just(Input::Restart),
    ];
    proptest::collection::vec(input, 1..80)
}

fn driver() -> DriverId {
    "asha-1".parse().expect("valid")
}

fn duty() -> impl Strategy<Value = Duty> {
    proptest::sample::select(Duty::ALL)
}

fn on_duty() -> impl Strategy<Value = OnDuty> {
    let text = |of: &'static str| proptest::option::of(Just(String::from(of)));
    (text("Asha"), duty(), text("the PIN is wrong")).prop_map(|(name, duty, refused)| OnDuty {
        driver: name.map(|name| (driver(), name)),
        duty,
        refused,
    })
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

/// The rules of the OTP and of extras, by a model that knows nothing but the journal.
fn check_counts(vehicle: &Vehicle) {
    let (mut tries, mut extras) = (BTreeMap::new(), BTreeMap::new());
    for record in vehicle.journal.iter().flatten() {
        let Record::Event { event, command, .. } = record else { continue };
        match (&event.body, command.as_deref().map(|command| &command.body)) {
            (EventBody::OtpTried { trip }, _) => *tries.entry(*trip).or_insert(0) += 1,
            (EventBody::CommandDone { .. }, Some(CommandBody::UnlockOtp { trip })) => {
                tries.insert(*trip, 0);
            }
            // The test offers the same order again; its trip is another then.
            (EventBody::CommandDone { .. }, Some(CommandBody::Offer(offer))) => {
                tries.insert(offer.trip, 0);
                extras.insert(offer.trip, 0);
            }
            (EventBody::Trip { trip, step: TripStep::Extra(_) }, _) => {
                *extras.entry(*trip).or_insert(0) += 1;
            }
            _ => {}
        }
    }
    assert!(tries.values().all(|tries| *tries <= OTP_TRIES_MAX), "{tries:?}");
    assert!(extras.values().all(|extras| *extras <= EXTRAS_MAX), "{extras:?}");
}

/// What lasts of the desk: all of the view but what the clock moves.
fn lasting(vehicle: &Vehicle) -> impl PartialEq + std::fmt::Debug + use<> {
    let view = vehicle.engine.view(vehicle.now);
    let trip = view.trip.map(|trip| {
        let of_driver = (trip.otp_tries_left, trip.extras, trip.dispatcher, trip.waits);
        let route = (trip.pickup, trip.drop, trip.collect_cash, trip.changed);
        (trip.trip_id, trip.state, of_driver, route)
    });
    (view.driver, view.offer.map(|offer| offer.assignment_id), trip)
}

/// Whether the trip in hand is that of the `n`th offer.
fn is_in_hand(vehicle: &Vehicle, n: u8) -> bool {
    let trip = vehicle.engine.view(vehicle.now).trip;
    trip.is_some_and(|trip| trip.trip_id == assignment(n).trip.to_string())
}

fn act(vehicle: &mut Vehicle, action: DriverAction) {
    let before = vehicle.state();
    let is_extra = matches!(action, DriverAction::Extra(_));
    let done = vehicle.drive(action).is_ok();
    let aboard = matches!(before, Some(TripState::Started | TripState::Paused));
    assert!(!(done && is_extra) || aboard, "an extra in {before:?}");
}

/// A step from afar is possible where the driver's would be, and leads where it would.
fn drive(vehicle: &mut Vehicle, number: u64, n: u8, verb: DriveVerb) {
    let expected = vehicle.state().filter(|_| is_in_hand(vehicle, n));
    let expected = expected.and_then(|state| state.next(verb.event()).ok());
    let body = CommandBody::Drive { trip: assignment(n).trip, verb, reason: "no".into() };
    let applied = vehicle.command(number, body) == Some(CommandOutcome::Applied);
    assert_eq!(applied, expected.is_some(), "{verb}");
    assert!(!applied || vehicle.state() == expected, "{verb} leads to {expected:?}");
}

/// A change is taken with its trip in hand and not over; the pickup only until the rider is aboard.
fn change(vehicle: &mut Vehicle, number: u64, n: u8, to: u8) {
    let change = changed(n, to);
    let before = vehicle.engine.view(vehicle.now).trip.filter(|_| is_in_hand(vehicle, n));
    let expected = before.as_ref().is_some_and(|trip| !trip.state.is_terminal());
    let outcome = vehicle.command(number, CommandBody::Change(change.clone()));
    assert_eq!(outcome == Some(CommandOutcome::Applied), expected);
    let (Some(before), true) = (before, expected) else { return };
    let after = vehicle.engine.view(vehicle.now).trip.expect("in hand");
    let aboard = matches!(before.state, TripState::Started | TripState::Paused);
    let pickup = if aboard { &before.pickup } else { &change.pickup.address };
    assert_eq!((&after.pickup, &after.drop), (pickup, &change.drop.address));
    assert_eq!((after.state, after.collect_cash), (before.state, change.collect_cash));
    let differs = before.drop != after.drop || before.pickup != after.pickup;
    assert!(!differs || after.changed.is_some(), "the driver is told");
}

/// The `n`th offer's trip with other places; each `to` is another.
fn changed(n: u8, to: u8) -> Change {
    let Assignment { trip, mut pickup, mut drop, terms, .. } = assignment(n);
    pickup.address = format!("corner {to}");
    drop.address = format!("gate {to}");
    Change { trip, pickup, drop, terms, collect_cash: to.is_multiple_of(2) }
}

/// Where a day begins: most of what there is to see is seen with a trip in hand.
fn begins() -> impl Strategy<Value = fn() -> Vehicle> {
    const BEGINS: [fn() -> Vehicle; 3] = [Vehicle::new, at_pickup, riding];
    proptest::sample::select(BEGINS.to_vec())
}

proptest! {
    #[test]
    fn any_day_keeps_the_rules(begin in begins(), inputs in inputs()) {
        let mut vehicle = begin();
        let mut number = 1;
        for input in inputs {
            let before = vehicle.state();
            match input {
                Input::Act(action) => act(&mut vehicle, action),
                Input::Offer(n, auto_accept) => {
                    number += 1;
                    let offer = Assignment { auto_accept, ..assignment(n) };
                    let outcome = vehicle.command(number, CommandBody::Offer(offer));
                    let accepted = auto_accept && outcome == Some(CommandOutcome::Applied);
                    let assigned = vehicle.state() == Some(TripState::INITIAL);
                    prop_assert!(!accepted || (assigned && is_in_hand(&vehicle, n)));
                }
                Input::Drive(n, verb) => {
                    number += 1;
                    drive(&mut vehicle, number, n, verb);
                }
                Input::Unlock(n) => {
                    number += 1;
                    vehicle.command(number, CommandBody::UnlockOtp { trip: assignment(n).trip });
                }
                Input::Change(n, to) => {
                    number += 1;
                    change(&mut vehicle, number, n, to);
                }
                Input::OnDuty(told) => {
                    number += 1;
                    vehicle.command(number, CommandBody::OnDuty(told));
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
                Input::Restart => {
                    let before = lasting(&vehicle);
                    vehicle.restart();
                    prop_assert!(lasting(&vehicle) == before, "{before:?}");
                }
            }
            check(&vehicle);
            check_counts(&vehicle);
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
