//! Extras, and who drives.

use tripline_agent_core::desk::{DriverAction, DriverError};
use tripline_agent_core::view::{DriverView, SignInState};
use tripline_protocol::assignment::Assignment;
use tripline_protocol::duty::{Duty, OnDuty, TypedPin};
use tripline_protocol::fare::{EXTRA_NOTE_LEN_MAX, EXTRAS_MAX, Extra, ExtraKind, FareLineKind};
use tripline_protocol::id::DriverId;
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::up::CommandOutcome;
use tripline_protocol::tariff::AMOUNT_MAX;
use tripline_protocol::unit::Paise;

use crate::vehicle::{Vehicle, assignment};
use crate::{at_pickup, riding};

fn extra(kind: ExtraKind, amount: Paise, note: &str) -> DriverAction {
    DriverAction::Extra(Extra { kind, amount, note: note.into() })
}

fn toll() -> DriverAction {
    extra(ExtraKind::Toll, Paise(4_500), "")
}

#[test]
fn an_extra_is_entered_between_start_and_stop_and_is_a_line_of_the_fare() {
    assert_eq!(Vehicle::new().drive(toll()), Err(DriverError::NoTrip));
    assert_eq!(at_pickup().drive(toll()), Err(DriverError::NotRiding));
    let mut vehicle = riding();
    vehicle.drive(toll()).expect("riding");
    vehicle.drive(DriverAction::Pause).expect("riding");
    vehicle.drive(extra(ExtraKind::Other, Paise(100), "ferry")).expect("in a pause");
    vehicle.restart();
    vehicle.drive(DriverAction::Stop).expect("riding");
    let trip = vehicle.engine.view(vehicle.now).trip.expect("ended");
    let lines = trip.fare_lines.iter().filter(|line| line.kind == FareLineKind::Extra);
    let lines: Vec<_> = lines.map(|line| (line.name.as_str(), line.amount.0)).collect();
    assert_eq!(lines, [("toll", 4_500), ("ferry", 100)]);
    assert_eq!(trip.extras.len(), 2);
    assert_eq!(vehicle.drive(toll()), Err(DriverError::NotRiding), "the fare is final");
}

#[test]
fn an_extra_has_its_bounds() {
    let mut vehicle = riding();
    for (action, error) in [
        (extra(ExtraKind::Toll, Paise::ZERO, ""), DriverError::ExtraAmount),
        (extra(ExtraKind::Toll, Paise(-1), ""), DriverError::ExtraAmount),
        (extra(ExtraKind::Toll, AMOUNT_MAX + Paise(1), ""), DriverError::ExtraAmount),
        (extra(ExtraKind::Other, Paise(1), " "), DriverError::ExtraNoteNeeded),
        (extra(ExtraKind::Toll, Paise(1), "a\nb"), DriverError::ExtraNote),
        (
            extra(ExtraKind::Toll, Paise(1), &"x".repeat(EXTRA_NOTE_LEN_MAX + 1)),
            DriverError::ExtraNote,
        ),
    ] {
        assert_eq!(vehicle.drive(action), Err(error));
    }
    for _ in 0..EXTRAS_MAX {
        vehicle.drive(extra(ExtraKind::Parking, AMOUNT_MAX, "")).expect("room");
    }
    assert_eq!(vehicle.drive(toll()), Err(DriverError::ExtrasFull));
}

#[test]
fn a_ride_that_is_not_paid_to_the_driver_has_nothing_to_collect() {
    let mut vehicle = Vehicle::new();
    let prepaid = Assignment { collect_cash: false, otp: None, ..assignment(1) };
    vehicle.command(1, CommandBody::Offer(prepaid));
    let start = DriverAction::Start { otp: None };
    for action in [DriverAction::Accept, DriverAction::Arrive, start, DriverAction::Stop] {
        vehicle.drive(action).expect("possible");
    }
    for amount in [None, Some(Paise(100))] {
        let refused = vehicle.drive(DriverAction::Collected { amount });
        assert_eq!(refused, Err(DriverError::NotToCollect));
    }
}

fn id(text: &str) -> DriverId {
    text.parse().expect("valid")
}

fn sign_in(driver: &str, pin: &str) -> DriverAction {
    DriverAction::SignIn { driver: id(driver), pin: TypedPin(pin.into()) }
}

fn told(driver: Option<&str>, duty: Duty, refused: Option<&str>) -> CommandBody {
    let driver = driver.map(|driver| (id(driver), "Asha".into()));
    CommandBody::OnDuty(OnDuty { driver, duty, refused: refused.map(String::from) })
}

fn seen(vehicle: &Vehicle) -> DriverView {
    vehicle.engine.view(vehicle.now).driver
}

#[test]
fn a_sign_in_is_asked_and_granted_and_a_restart_knows() {
    let mut vehicle = Vehicle::new();
    assert_eq!(seen(&vehicle).sign_in, SignInState::Nobody);
    let on = DriverAction::Duty(Duty::On);
    assert_eq!(vehicle.drive(on.clone()), Err(DriverError::NotSignedIn));

    vehicle.drive(sign_in("asha-1", "4711")).expect("possible");
    vehicle.drive(on).expect("also while the answer is on its way");
    vehicle.restart();
    let view = seen(&vehicle);
    assert_eq!((view.sign_in, view.asked_id.as_deref()), (SignInState::Asked, Some("asha-1")));
    assert_eq!((view.duty, view.asked_duty), (Duty::Off, Some(Duty::On)));

    let granted = told(Some("asha-1"), Duty::On, None);
    assert_eq!(vehicle.command(1, granted), Some(CommandOutcome::Applied));
    vehicle.restart();
    let view = seen(&vehicle);
    assert_eq!((view.sign_in, view.duty, view.asked_duty), (SignInState::Granted, Duty::On, None));
    assert_eq!((view.id.as_deref(), view.name.as_deref()), (Some("asha-1"), Some("Asha")));
}

#[test]
fn a_refusal_tells_its_reason_until_something_else_is_asked_and_whoever_drove_still_does() {
    let mut vehicle = Vehicle::new();
    vehicle.command(1, told(Some("asha-1"), Duty::Break, None));
    vehicle.drive(sign_in("babu-2", "0815")).expect("possible");
    vehicle.command(2, told(Some("asha-1"), Duty::Break, Some("the PIN is wrong")));
    let view = seen(&vehicle);
    assert_eq!(view.sign_in, SignInState::Refused);
    assert_eq!(view.refused.as_deref(), Some("the PIN is wrong"));
    assert_eq!((view.id.as_deref(), view.duty), (Some("asha-1"), Duty::Break));
    vehicle.drive(DriverAction::Duty(Duty::Off)).expect("signed in");
    assert_eq!(seen(&vehicle).refused, None);
    vehicle.command(3, told(None, Duty::Off, None));
    assert_eq!(seen(&vehicle).sign_in, SignInState::Nobody);
}

#[test]
fn a_pin_has_four_to_eight_digits_and_is_shown_and_kept_nowhere_but_in_its_event() {
    let mut vehicle = Vehicle::new();
    for pin in ["", "471", "471111111", "47l1", "٤٧١١"] {
        let malformed = vehicle.drive(sign_in("asha-1", pin));
        assert_eq!(malformed, Err(DriverError::PinMalformed), "{pin:?}");
    }
    vehicle.drive(sign_in("asha-1", "90817263")).expect("possible");
    let view = serde_json::to_string(&vehicle.engine.view(vehicle.now)).expect("JSON");
    let debug = format!("{:?} {:?}", vehicle.engine, vehicle.journal);
    let memory = serde_json::to_string(vehicle.engine.memory()).expect("JSON");
    for text in [view, debug, memory] {
        assert!(!text.contains("90817263"), "{text}");
    }
}

#[test]
fn a_trip_under_way_stays_its_driver_s() {
    let mut vehicle = Vehicle::new();
    vehicle.command(1, told(Some("asha-1"), Duty::On, None));
    vehicle.command(2, CommandBody::Offer(assignment(1)));
    vehicle.drive(DriverAction::Accept).expect("offered");
    assert_eq!(vehicle.drive(sign_in("babu-2", "0815")), Err(DriverError::TripUnderWay));
    let off = DriverAction::Duty(Duty::Off);
    assert_eq!(vehicle.drive(off.clone()), Err(DriverError::TripUnderWay));
    vehicle.drive(DriverAction::Duty(Duty::Break)).expect("no ride after this one");
    vehicle.drive(DriverAction::Cancel { reason: "flat".into() }).expect("possible");
    vehicle.drive(off).expect("the trip is over");
}
