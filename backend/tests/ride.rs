//! The ride's rules, with no I/O: who decides when, what is told, and that random crossings keep the
//! machines in defined states.

use tripline_backend::domain::case::CaseKind;
use tripline_backend::domain::dispatch::DispatchRules;
use tripline_backend::domain::effect::{Effect, Notice, Phase};
use tripline_backend::domain::order::{
    Conversation, LOOK_AGAIN_MS, Order, QUOTE_MS, Rider, Vehicle,
};
use tripline_backend::domain::payment::{CollectedBy, PaymentMethod, PaymentTerms};
use tripline_backend::domain::ride::{Candidate, Handled, Report, RideError, RideRules};
use tripline_backend::domain::trip::By;
use tripline_protocol::fare::{EXTRA_NOTE_LEN_MAX, Extra, ExtraKind, Fare, Usage};
use tripline_protocol::id::{AssignmentId, DeviceId, TripId};
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::up::{Answer, Event, EventBody};
use tripline_protocol::meter::Reading;
use tripline_protocol::order::OrderState;
use tripline_protocol::otp::TypedOtp;
use tripline_protocol::tariff::AMOUNT_MAX;
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::{Odometer, Paise, Steady, Timestamp};

mod quoted;

use quoted::terms;

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
const RIDE: RideRules = RideRules {
    search_ms: 100_000,
    reassign_max: 8,
    silent_ms: 120_000,
    close_silent_ms: 21_600_000,
};
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
            driver_rating_centistars: None,
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
    let report = Report { by: By::Device, event: &event, at: NOW, offline: false };
    let Handled { effects, refused } = order.handle_step(id, step, &report, &RIDE);
    refused.map_or(Ok(effects), Err)
}

fn start() -> TripStep {
    TripStep::Start { otp: Some(TypedOtp(" 4711 ".into())) }
}

fn stop(metres: u64) -> TripStep {
    let usage = Usage { distance_m: metres, ..Usage::default() };
    TripStep::Stop { fare: terms(NOW).metered(usage) }
}

fn answer(order: &mut Order, n: u8, answer: &Answer) -> Result<Vec<Effect>, String> {
    let id = AssignmentId::from_bytes([n; 16]);
    let Handled { effects, refused } = order.handle_answer(id, answer, &RIDE, NOW, NOW);
    refused.map_or(Ok(effects), Err)
}

fn accepted() -> Order {
    let mut order = confirmed();
    order.offer(candidate(1), &RULES, NOW);
    answer(&mut order, 1, &Answer::Accept).expect("offered");
    order
}

fn notices(effects: &[Effect]) -> Vec<Notice> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Tell(notice) | Effect::TellOf(_, notice) => Some(*notice),
            Effect::Command { .. } | Effect::Release(_) | Effect::Cash { .. } => None,
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
    let effects = answer(&mut order, 1, &Answer::Accept).expect("offered");
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
    assert_eq!(
        (order.payment.amount(), order.cases.len()),
        (Some(Paise(6000)), 1),
        "twice is a case"
    );
}

/// An order whose ride of 2,000 m, which comes to 60.00, has ended.
fn ended(terms: PaymentTerms) -> Order {
    let mut order = accepted();
    order.pay_by(Some(terms));
    for (what, metres) in [(TripStep::Arrive, 0), (start(), 0), (stop(2_000), 2_000)] {
        step(&mut order, &what, metres).expect("in order");
    }
    order
}

#[test]
fn money_of_a_ride_that_is_not_paid_to_the_driver_is_a_case_and_pays_for_nothing() {
    let (method, collected_by) = (PaymentMethod::Cash, CollectedBy::Bap);
    let prepaid = PaymentTerms { method: PaymentMethod::Prepaid, collected_by: CollectedBy::Bpp };
    for terms in [PaymentTerms { method, collected_by }, prepaid] {
        let mut order = ended(terms);
        let paid_before = order.payment.is_paid();
        let collected = TripStep::Collected { amount: Paise(6000) };
        let effects = step(&mut order, &collected, 2_000).expect("it happened");
        assert_eq!(notices(&effects), [], "nobody is told that it is paid");
        assert_eq!(order.payment.amount(), Some(Paise(6000)), "it is kept");
        assert_eq!(order.payment.is_paid(), paid_before);
        let kinds: Vec<_> = order.cases.iter().map(|case| case.kind).collect();
        assert_eq!(kinds, [CaseKind::Paid]);
    }
}

#[test]
fn more_than_is_charged_is_a_case_whether_it_is_heard_of_before_the_end_or_after() {
    let over = TripStep::Collected { amount: Paise(6001) };
    let mut after = ended(PaymentTerms::default());
    let effects = step(&mut after, &over, 2_000).expect("owed");
    assert_eq!(notices(&effects), [Notice::Paid], "the rider owes nothing more");
    let mut before = accepted();
    for (what, metres) in [(TripStep::Arrive, 0), (start(), 0), (over, 2_000)] {
        step(&mut before, &what, metres).expect("in order");
    }
    assert_eq!(before.cases.len(), 0, "nobody knows yet");
    step(&mut before, &stop(2_000), 2_000).expect("riding");
    for order in [after, before] {
        let cases: Vec<_> = order.cases.iter().map(|it| (it.kind, it.what.as_str())).collect();
        assert_eq!(cases, [(CaseKind::Paid, "the driver took 60.01, and 60.00 is charged")]);
    }
}

#[test]
fn amounts_that_cannot_be_are_refused_and_become_cases() {
    let mut order = accepted();
    step(&mut order, &TripStep::Arrive, 0).expect("possible");
    step(&mut order, &start(), 0).expect("possible");
    let toll = |amount, note: &str| {
        TripStep::Extra(Extra { kind: ExtraKind::Toll, amount, note: note.into() })
    };
    let long = "x".repeat(EXTRA_NOTE_LEN_MAX + 1);
    for (n, extra) in [
        toll(Paise(-1), ""),
        toll(AMOUNT_MAX + Paise(1), ""),
        toll(Paise(1), "a\nb"),
        toll(Paise(1), &long),
    ]
    .iter()
    .enumerate()
    {
        assert!(step(&mut order, extra, 1_000 + n as u64).is_err(), "{extra:?}");
    }
    step(&mut order, &toll(AMOUNT_MAX, "Bridge"), 1_500).expect("it can be");
    step(&mut order, &stop(2_000), 2_000).expect("riding");
    for amount in [Paise(-1), AMOUNT_MAX + Paise(1)] {
        assert!(step(&mut order, &TripStep::Collected { amount }, 2_000).is_err(), "{amount}");
    }
    assert_eq!(order.payment.amount(), None);
    let trip = order.trip.as_ref().expect("driven");
    assert_eq!(trip.meter.extras().len(), 1);
    let kinds: Vec<_> = order.cases.iter().map(|case| case.kind).collect();
    assert_eq!(kinds, [CaseKind::Extra, CaseKind::Paid]);
    let charged = order.charged().expect("ended").total();
    step(&mut order, &TripStep::Collected { amount: charged.min(AMOUNT_MAX) }, 2_000)
        .expect("what was refused was not the first");
    assert!(order.payment.is_paid());
}

#[test]
fn a_vehicles_fare_that_is_not_by_the_orders_terms_is_not_charged_and_is_a_case() {
    let lower: [fn(&mut Fare); 3] = [
        |fare| fare.tariff_code = "other".into(),
        |fare| fare.tariff_version = 2,
        |fare| fare.lines[0].amount = Paise(-1_000_000),
    ];
    for change in lower {
        let mut order = accepted();
        step(&mut order, &TripStep::Arrive, 0).expect("possible");
        step(&mut order, &start(), 0).expect("possible");
        let TripStep::Stop { mut fare } = stop(100) else { panic!("a stop") };
        change(&mut fare);
        step(&mut order, &TripStep::Stop { fare }, 2_000).expect("riding");
        let settlement = order.settlement.as_ref().expect("ended");
        assert_eq!((settlement.charged.total(), settlement.difference), (Paise(6000), Paise(0)));
        let kinds: Vec<_> = order.cases.iter().map(|case| case.kind).collect();
        assert_eq!(kinds, [CaseKind::Fare]);
    }
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
    let trip = order.trip.as_ref().expect("accepted").id;
    order.handle_sos(trip, NOW, NOW);
    assert_eq!(order.cases.len(), 1);
}

#[test]
fn a_late_answer_is_withdrawn_and_nobody_is_told() {
    let mut order = confirmed();
    order.offer(candidate(1), &RULES, NOW);
    order.handle_timeout(NOW.plus_ms(30_000));
    order.offer(candidate(2), &RULES, NOW.plus_ms(30_000));
    let id = AssignmentId::from_bytes([1; 16]);
    let Handled { effects, refused } = order.handle_answer(id, &Answer::Accept, &RIDE, NOW, NOW);
    assert!(refused.is_some());
    let [Effect::Command { device: to, body, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(*to, device(1));
    assert!(matches!(body.as_ref(), CommandBody::Withdraw { assignment, .. } if *assignment == id));
    assert_eq!((order.state, order.cases.len()), (OrderState::Confirmed, 0), "nothing was driven");
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
fn a_ride_booked_far_ahead_is_confirmed_at_once_and_searched_for_from_the_lead_time_to_the_pickup()
{
    let lead_ms = RULES.lead_ms;
    let booked = |pickup_ms: i64| {
        let mut order = quoted();
        order.pickup_at = Some(NOW.plus_ms(pickup_ms));
        order.initialize(Some(rider()), conversation(), NOW).expect("quoted");
        order.confirm(None, None, conversation(), &RULES, NOW).expect("initialized");
        order
    };
    let soon = booked(lead_ms);
    assert_eq!((soon.booked(), soon.due_at()), (Vec::new(), Some(NOW.plus_ms(LOOK_AGAIN_MS))));
    let mut later = booked(lead_ms + 60_000);
    assert_eq!(notices(&later.booked()), [Notice::Confirmed]);
    assert_eq!(later.due_at(), Some(NOW.plus_ms(60_000)), "the lead time before the pickup");
    assert_eq!(later.handle_timeout(NOW.plus_ms(lead_ms + 59_999)), []);
    let effects = later.handle_timeout(NOW.plus_ms(lead_ms + 60_000));
    assert_eq!(notices(&effects), [Notice::Cancelled], "it was confirmed, and nobody came");
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
    assert_eq!(error.to_string(), "the order lacks the rider's name");
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
