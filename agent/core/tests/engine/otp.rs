//! The rider's OTP: counted before it is compared, five times at most, across restarts.

use proptest::prelude::*;
use tripline_agent_core::desk::{DriverAction, DriverError, OTP_TRIES_MAX};
use tripline_agent_core::engine::{Draft, Judged};
use tripline_agent_core::record::Record;
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::up::{CommandOutcome, EventBody};
use tripline_protocol::otp::TypedOtp;
use tripline_protocol::trip::{TripState, TripStep};

use crate::vehicle::{Vehicle, assignment};
use crate::{at_pickup, right_otp, typed};

fn tries_left(vehicle: &Vehicle) -> Option<u8> {
    vehicle.engine.view(vehicle.now).trip.expect("a trip").otp_tries_left
}

fn unlock(vehicle: &mut Vehicle, number: u64) -> Option<CommandOutcome> {
    vehicle.command(number, CommandBody::UnlockOtp { trip: assignment(1).trip })
}

#[test]
fn what_is_no_otp_is_no_try_and_changes_nothing() {
    let mut vehicle = at_pickup();
    let written = vehicle.journal.clone();
    assert_eq!(vehicle.drive(DriverAction::Start { otp: None }), Err(DriverError::OtpNeeded));
    for otp in ["", " ", "47l1", "4711 4711", "-4711", "٤٧١١", &"4711".repeat(5)] {
        assert_eq!(vehicle.drive(typed(otp)), Err(DriverError::OtpMalformed), "{otp:?}");
    }
    assert_eq!(vehicle.journal, written);
    assert_eq!(tries_left(&vehicle), Some(OTP_TRIES_MAX));
}

#[test]
fn five_wrong_ones_lock_it_over_restarts_also_against_the_right_one() {
    let mut vehicle = at_pickup();
    for left in (1..OTP_TRIES_MAX).rev() {
        assert_eq!(vehicle.drive(typed("4712")), Err(DriverError::OtpWrong { left }));
        vehicle.restart();
        assert_eq!(tries_left(&vehicle), Some(left));
    }
    assert_eq!(vehicle.drive(typed("4712")), Err(DriverError::OtpLocked), "the fifth");
    vehicle.restart();
    let written = vehicle.journal.clone();
    assert_eq!(
        vehicle.drive(right_otp()),
        Err(DriverError::OtpLocked),
        "the sixth is not compared"
    );
    assert_eq!((&vehicle.journal, tries_left(&vehicle)), (&written, Some(0)));
    assert!(DriverError::OtpLocked.to_string().contains("ask your dispatcher to unlock"));
}

#[test]
fn a_dispatcher_unlocks_it_and_the_right_one_starts_the_ride() {
    let mut vehicle = at_pickup();
    for _ in 0..OTP_TRIES_MAX {
        vehicle.drive(typed("4712")).expect_err("wrong");
    }
    let other = CommandBody::UnlockOtp { trip: assignment(2).trip };
    assert_eq!(vehicle.command(2, other), Some(CommandOutcome::Refused), "another trip's");
    assert_eq!(unlock(&mut vehicle, 3), Some(CommandOutcome::Applied));
    vehicle.restart();
    assert_eq!(tries_left(&vehicle), Some(OTP_TRIES_MAX));
    vehicle.drive(typed(" 4711 ")).expect("the right one, with blanks around it");
    assert_eq!(vehicle.state(), Some(TripState::Started));
    let Some(Record::Event { event, .. }) = vehicle.last() else { panic!("an event") };
    let start = TripStep::Start { otp: Some(TypedOtp("4711".into())) };
    assert_eq!(event.body, EventBody::Trip { trip: assignment(1).trip, step: start });
}

#[test]
fn the_fifth_try_may_be_the_right_one() {
    let mut vehicle = at_pickup();
    for _ in 1..OTP_TRIES_MAX {
        vehicle.drive(typed("4712")).expect_err("wrong");
    }
    vehicle.drive(right_otp()).expect("the fifth");
    assert_eq!(vehicle.state(), Some(TripState::Started));
}

#[test]
fn an_otp_whose_try_is_not_written_is_not_compared() {
    let mut vehicle = at_pickup();
    let judged = vehicle.engine.handle_driver(right_otp(), vehicle.now).expect("possible");
    let Judged::Count(tried, otp) = judged else { panic!("{judged:?}") };
    let Draft::Event { event, command: None } = &*tried else { panic!("{tried:?}") };
    assert_eq!(event.body, EventBody::OtpTried { trip: assignment(1).trip });
    assert_eq!(
        vehicle.engine.compare_otp(otp.clone(), vehicle.now),
        Err(DriverError::OtpUncounted)
    );
    vehicle.write(*tried);
    vehicle.engine.compare_otp(otp, vehicle.now).expect("counted");
}

#[test]
fn a_ride_that_needs_no_otp_counts_no_try() {
    let mut vehicle = Vehicle::new();
    let offer = tripline_protocol::assignment::Assignment { otp: None, ..assignment(1) };
    vehicle.command(1, CommandBody::Offer(offer));
    for action in [DriverAction::Accept, DriverAction::Arrive, typed("0000")] {
        vehicle.drive(action).expect("possible");
    }
    assert_eq!((vehicle.state(), tries_left(&vehicle)), (Some(TripState::Started), None));
}

/// What befalls an OTP.
#[derive(Debug, Clone, Copy)]
enum Step {
    Wrong,
    Malformed,
    /// A wrong one, and the power goes after the try is on the disk and before it is compared.
    CutBetween,
    Restart,
    Unlock,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Wrong),
        1 => Just(Step::Malformed),
        3 => Just(Step::CutBetween),
        3 => Just(Step::Restart),
        1 => Just(Step::Unlock),
    ];
    proptest::collection::vec(step, 1..30)
}

proptest! {
    /// The model is a number: the tries since the last unlocking.
    #[test]
    fn between_two_unlockings_there_are_five_tries_whatever_happens(steps in steps()) {
        let mut vehicle = at_pickup();
        let (mut tries, mut number) = (0, 1);
        for step in steps {
            match step {
                Step::Wrong => {
                    let locked = tries >= OTP_TRIES_MAX - 1;
                    tries = OTP_TRIES_MAX.min(tries + 1);
                    let left = OTP_TRIES_MAX - tries;
                    let error = if locked { DriverError::OtpLocked } else { DriverError::OtpWrong { left } };
                    prop_assert_eq!(vehicle.drive(typed("4712")), Err(error));
                }
                Step::Malformed => {
                    prop_assert_eq!(vehicle.drive(typed("4x")), Err(DriverError::OtpMalformed));
                }
                Step::CutBetween => {
                    let judged = vehicle.engine.handle_driver(typed("4712"), vehicle.now);
                    prop_assert_eq!(judged.is_ok(), tries < OTP_TRIES_MAX);
                    if let Ok(Judged::Count(tried, _)) = judged {
                        vehicle.write(*tried);
                        tries += 1;
                    }
                    vehicle.restart();
                }
                Step::Restart => vehicle.restart(),
                Step::Unlock => {
                    number += 1;
                    unlock(&mut vehicle, number);
                    tries = 0;
                }
            }
            prop_assert_eq!(tries_left(&vehicle), Some(OTP_TRIES_MAX - tries));
        }
        prop_assert_eq!(vehicle.drive(right_otp()).is_ok(), tries < OTP_TRIES_MAX);
    }
}
