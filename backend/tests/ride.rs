//! The ride's rules, with no I/O: who decides when, what is told, and that random crossings keep the
//! machines in defined states.

use proptest::prelude::*;
use tripline_backend::domain::dispatch::DispatchRules;
use tripline_backend::domain::effect::{Effect, Notice, Phase};
use tripline_backend::domain::order::{
    Conversation, LOOK_AGAIN_MS, Order, QUOTE_MS, Rider, Vehicle,
};
use tripline_backend::domain::ride::{Candidate, RideError};
use tripline_protocol::assignment::AssignmentState;
use tripline_protocol::fare::Usage;
use tripline_protocol::id::{AssignmentId, DeviceId, TripId};
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::up::{Answer, Event, EventBody};
use tripline_protocol::machine::Machine as _;
use tripline_protocol::meter::Reading;
use tripline_protocol::order::OrderState;
use tripline_protocol::otp::TypedOtp;
use tripline_protocol::trip::{TripState, TripStep};
use tripline_protocol::unit::{Odometer, Paise, Steady, Timestamp};

mod quoted;

use quoted::terms;

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
const RULES: DispatchRules =
    DispatchRules { offer_ms: 30_000, search_ms: 100_000, ..DispatchRules::DEFAULT };

fn quoted() -> Order {
    quoted::order(1, NOW)
}

fn rider() -> Rider {
    Rider { name: "Asha".into(), phone: "+91-98".into() }
}

fn conversation() -> Conversation {
    Conversation("later".into())
}

fn confirmed() -> Order {
    let mut order = quoted();
    order.initialize(Some(rider()), conversation(), NOW).expect("quoted");
    order.confirm(None, Some("4711".into()), conversation(), &RULES, NOW).expect("initialized");
    order
}

fn candidate(n: u8) -> Candidate {
    Candidate {
        vehicle: Vehicle {
            device: device(n),
            registration: format!("KA {n}"),
            category: "TAXI".into(),
            make: None,
            model: None,
            color: None,
            driver: None,
            driver_name: "Raghav".into(),
            driver_phone: "+91-97".into(),
        },
        assignment: AssignmentId::from_bytes([n; 16]),
        trip: TripId::from_bytes([n; 16]),
        otp_key: [n; 16],
    }
}

fn device(n: u8) -> DeviceId {
    format!("d{n}").parse().expect("valid")
}

fn event(step: TripStep, metres: u64) -> Event {
    Event {
        at: NOW,
        gnss_time: true,
        reading: Reading {
            steady: Steady { ms: metres * 100 },
            odometer: Odometer { mm: metres * 1000 },
            ..Reading::default()
        },
        fix: None,
        body: EventBody::Trip { trip: TripId::from_bytes([1; 16]), step },
    }
}

fn step(order: &mut Order, step: &TripStep, metres: u64) -> Result<Vec<Effect>, String> {
    let id = order.trip.as_ref().map_or(TripId::from_bytes([1; 16]), |trip| trip.id);
    let event = event(step.clone(), metres);
    order.handle_step(id, step, &event, NOW).map_err(|refused| refused.to_string())
}

fn start() -> TripStep {
    TripStep::Start { otp: Some(TypedOtp(" 4711 ".into())) }
}

fn stop(metres: u64) -> TripStep {
    let usage = Usage { distance_m: metres, ..Usage::default() };
    TripStep::Stop { fare: terms(NOW).metered(usage) }
}

fn accepted() -> Order {
    let mut order = confirmed();
    order.offer(candidate(1), &RULES, NOW);
    order
        .handle_answer(AssignmentId::from_bytes([1; 16]), &Answer::Accept, NOW, NOW)
        .expect("offered");
    order
}

fn notices(effects: &[Effect]) -> Vec<Notice> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Tell(notice) => Some(*notice),
            Effect::Command { .. } | Effect::Release(_) => None,
        })
        .collect()
}

#[test]
fn the_offer_names_no_rider_and_carries_no_otp() {
    let mut order = confirmed();
    let effects = order.offer(candidate(1), &RULES, NOW);
    let [Effect::Command { body, expires_at, .. }] = effects.as_slice() else {
        panic!("one command")
    };
    let CommandBody::Offer(assignment) = body.as_ref() else { panic!("an offer") };
    assert_eq!(*expires_at, Some(NOW.plus_ms(30_000)));
    let bytes = format!("{assignment:?}");
    for secret in ["4711", "Asha", "+91-98"] {
        assert!(!bytes.contains(secret), "{secret}");
    }
    assert!(assignment.otp.is_some_and(|otp| otp.verify(order.id, "4711")));
}

#[test]
fn an_acceptance_confirms_to_the_bap_and_tells_the_driver_who_rides() {
    let mut order = confirmed();
    order.offer(candidate(1), &RULES, NOW);
    let id = AssignmentId::from_bytes([1; 16]);
    let effects = order.handle_answer(id, &Answer::Accept, NOW, NOW).expect("offered");
    assert_eq!(notices(&effects), [Notice::Confirmed]);
    let told = effects.iter().any(|effect| {
        matches!(effect, Effect::Command { body, .. } if matches!(body.as_ref(), CommandBody::Rider(_)))
    });
    assert!(told);
    assert_eq!(order.state, OrderState::Active);
}

#[test]
fn a_whole_ride_tells_each_phase_once_and_charges_the_lower_fare() {
    let mut order = accepted();
    let mut told = Vec::new();
    for (what, metres) in [
        (TripStep::Depart, 0),
        (TripStep::Arrive, 500),
        (start(), 500),
        (TripStep::Pause, 1_500),
        (TripStep::Resume, 2_000),
        (stop(2_100), 3_000),
    ] {
        told.extend(notices(&step(&mut order, &what, metres).expect("in order")));
    }
    let phases = [
        Phase::EnRouteToPickup,
        Phase::AtPickup,
        Phase::Started,
        Phase::Paused,
        Phase::Resumed,
        Phase::Ended,
    ];
    let mut expected: Vec<_> = phases.map(Notice::Phase).into();
    expected.push(Notice::FinalFare);
    assert_eq!(told, expected);
    // Driven 1,000 m and 1,000 m: the platform's 60.00 is lower than the vehicle's 61.50.
    let settlement = order.settlement.clone().expect("ended");
    assert_eq!((settlement.charged.total(), settlement.difference), (Paise(6000), Paise(150)));
    let paid = step(&mut order, &TripStep::Collected { amount: Paise(6000) }, 3_000);
    assert_eq!(notices(&paid.expect("owed")), [Notice::Paid]);
    assert_eq!(step(&mut order, &TripStep::Collected { amount: Paise(1) }, 3_000), Ok(Vec::new()));
    assert_eq!((order.collected, order.cases.len()), (Some(Paise(6000)), 1), "twice is a case");
}

#[test]
fn an_arrival_outside_is_told_once_and_waiting_counts_from_the_one_inside() {
    let mut order = accepted();
    let told = step(&mut order, &TripStep::ArriveOutside { distance_m: 400 }, 0);
    assert_eq!(told, Ok(vec![Effect::Tell(Notice::Phase(Phase::AtPickup))]));
    let again = step(&mut order, &TripStep::Arrive, 6_000);
    assert_eq!(again, Ok(Vec::new()), "no news to the rider");
    let reading = event(start(), 7_200).reading;
    let waiting_s = order.trip.as_ref().expect("a trip").meter.usage(reading).waiting_s;
    assert_eq!(waiting_s, 120, "ten minutes outside the fence are not charged");
}

#[test]
fn a_call_for_help_is_a_case_for_the_operator() {
    let mut order = accepted();
    order.handle_sos(NOW);
    assert_eq!(order.cases.len(), 1);
}

#[test]
fn a_start_with_a_wrong_otp_has_no_effect_and_becomes_a_case() {
    for otp in [None, Some(TypedOtp("0000".into()))] {
        let mut order = accepted();
        step(&mut order, &TripStep::Arrive, 0).expect("possible");
        let error = step(&mut order, &TripStep::Start { otp }, 0).expect_err("refused");
        assert!(error.contains("OTP"), "{error}");
        assert_eq!(order.trip.as_ref().map(|trip| trip.state), Some(TripState::AtPickup));
        assert_eq!(order.cases.len(), 1);
    }
}

#[test]
fn a_late_answer_is_withdrawn_and_nobody_is_told() {
    let mut order = confirmed();
    order.offer(candidate(1), &RULES, NOW);
    order.handle_timeout(NOW.plus_ms(30_000));
    order.offer(candidate(2), &RULES, NOW.plus_ms(30_000));
    let id = AssignmentId::from_bytes([1; 16]);
    let effects = order.handle_answer(id, &Answer::Accept, NOW, NOW).expect("taken in");
    let [Effect::Command { device: to, body, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(*to, device(1));
    assert!(matches!(body.as_ref(), CommandBody::Withdraw { assignment, .. } if *assignment == id));
    assert_eq!((order.state, order.cases.len()), (OrderState::Confirmed, 1));
}

#[test]
fn offers_expire_vehicles_are_freed_and_the_search_ends_in_one_answer() {
    let mut order = confirmed();
    assert_eq!(order.due_at(), Some(NOW.plus_ms(LOOK_AGAIN_MS)), "nobody asked yet");
    order.offer(candidate(1), &RULES, NOW);
    assert_eq!(order.due_at(), Some(NOW.plus_ms(30_000)));
    assert_eq!(order.handle_timeout(NOW.plus_ms(29_999)), []);
    let effects = order.handle_timeout(NOW.plus_ms(30_000));
    assert_eq!(effects.first(), Some(&Effect::Release(device(1))));
    let effects = order.handle_timeout(NOW.plus_ms(100_000));
    assert_eq!(notices(&effects), [Notice::Unserved]);
    assert_eq!((order.state, order.due_at()), (OrderState::Unserved, None));
    assert_eq!(order.handle_timeout(NOW.plus_ms(200_000)), []);
}

#[test]
fn a_quote_runs_out_and_a_missing_rider_is_named() {
    let late = NOW.plus_ms(QUOTE_MS);
    assert_eq!(
        quoted().initialize(Some(rider()), conversation(), late),
        Err(RideError::QuoteExpired)
    );
    let mut order = quoted();
    assert_eq!(order.due_at(), Some(late));
    assert_eq!((order.handle_timeout(late), order.state), (Vec::new(), OrderState::Expired));
    let again = order.initialize(Some(rider()), conversation(), late);
    assert_eq!(again, Err(RideError::QuoteExpired));
    let mut order = quoted();
    order.initialize(None, conversation(), NOW).expect("quoted");
    let error =
        order.confirm(None, Some("1".into()), conversation(), &RULES, NOW).expect_err("refused");
    assert_eq!(error.to_string(), "the order lacks the rider's name and phone");
    assert_eq!(order.state, OrderState::Initialized, "nothing changed");
}

#[test]
fn an_order_is_trackable_from_assignment_to_end_only() {
    assert!(!confirmed().is_trackable());
    let mut order = accepted();
    assert!(order.is_trackable());
    step(&mut order, &TripStep::Arrive, 0).expect("possible");
    step(&mut order, &start(), 0).expect("possible");
    assert!(order.is_trackable());
    step(&mut order, &stop(0), 0).expect("possible");
    assert!(!order.is_trackable());
}

#[derive(Debug, Clone)]
enum Input {
    Init,
    Confirm,
    Offer(u8),
    Answer(u8, bool),
    Step(TripStep),
    Undelivered(u8),
    Timeout(i64),
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let any_step = prop_oneof![
        Just(TripStep::Depart),
        Just(TripStep::Arrive),
        Just(start()),
        Just(TripStep::Start { otp: None }),
        Just(TripStep::Pause),
        Just(TripStep::Resume),
        Just(stop(100)),
        Just(TripStep::Cancel { reason: "flat".into() }),
        Just(TripStep::NoShow),
        Just(TripStep::Collected { amount: Paise(1) }),
    ];
    let one = prop_oneof![
        1 => Just(Input::Init),
        2 => Just(Input::Confirm),
        3 => (1_u8..4).prop_map(Input::Offer),
        4 => (1_u8..4, any::<bool>()).prop_map(|(n, yes)| Input::Answer(n, yes)),
        8 => any_step.prop_map(Input::Step),
        1 => (1_u8..4).prop_map(Input::Undelivered),
        2 => (0_i64..200_000).prop_map(Input::Timeout),
    ];
    proptest::collection::vec(one, 1..60)
}

proptest! {
    #[test]
    fn any_crossing_leaves_the_machines_in_defined_states(inputs in inputs()) {
        let mut order = quoted();
        order.initialize(Some(rider()), conversation(), NOW).expect("quoted");
        let (mut confirmations, mut ends, mut offered) = (0, 0, std::collections::BTreeSet::new());
        for input in inputs {
            let before = order.state;
            let effects = match input {
                Input::Init => {
                    let _ = order.initialize(Some(rider()), conversation(), NOW);
                    Vec::new()
                }
                Input::Confirm => {
                    let _ = order.confirm(None, Some("4711".into()), conversation(), &RULES, NOW);
                    Vec::new()
                }
                Input::Offer(n) => {
                    let free = order.state == OrderState::Confirmed && order.open_offer().is_none();
                    if free && offered.insert(n) {
                        order.offer(candidate(n), &RULES, NOW)
                    } else {
                        Vec::new()
                    }
                }
                Input::Answer(n, yes) => {
                    let answer =
                        if yes { Answer::Accept } else { Answer::Reject { reason: String::new() } };
                    order.handle_answer(AssignmentId::from_bytes([n; 16]), &answer, NOW, NOW)
                        .unwrap_or_default()
                }
                Input::Step(what) => step(&mut order, &what, 10).unwrap_or_default(),
                Input::Undelivered(n) => {
                    order.handle_undelivered(AssignmentId::from_bytes([n; 16]), NOW)
                }
                Input::Timeout(ms) => order.handle_timeout(NOW.plus_ms(ms)),
            };
            for notice in notices(&effects) {
                confirmations += u32::from(matches!(notice, Notice::Confirmed | Notice::Unserved));
                ends += u32::from(matches!(
                    notice,
                    Notice::Phase(Phase::Ended) | Notice::Cancelled | Notice::Unserved
                ));
            }
            let moved = before == order.state
                || OrderState::TABLE.iter().any(|row| row.from == before && row.to == order.state);
            prop_assert!(moved, "{before} -> {}", order.state);
            prop_assert!(confirmations <= 1, "confirm is answered once");
            prop_assert!(ends <= 1, "an end is told once");
            let open = order.offers.iter().filter(|o| o.state == AssignmentState::Offered).count();
            let taken = order.offers.iter().filter(|o| o.state == AssignmentState::Accepted).count();
            prop_assert!(open + taken <= 1, "one vehicle at a time");
            prop_assert_eq!(order.settlement.is_some(), order.state == OrderState::Completed);
            prop_assert!(order.cases.len() <= 20);
        }
    }
}
