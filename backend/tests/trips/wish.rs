//! What a rider may have changed, when, and at which price.

use tripline_backend::domain::change::{CHANGES_MAX, Wish};
use tripline_backend::domain::dispatch::DispatchRules;
use tripline_backend::domain::effect::Effect;
use tripline_backend::domain::order::{Conversation, Order, Rider};
use tripline_backend::domain::payment::PaymentTerms;
use tripline_backend::domain::ride::{Candidate, Handled, Report, RideError, RideRules};
use tripline_backend::domain::trip::By;
use tripline_protocol::assignment::{AssignmentState, Change};
use tripline_protocol::id::{AssignmentId, TripId};
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::up::Answer;
use tripline_protocol::order::OrderState;
use tripline_protocol::tariff::{Night, Surcharge};
use tripline_protocol::terms::Discount;
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::{Paise, Timestamp};

use crate::change::{PREPAID, ROAD, gate, to_gate};
use crate::quoted;
use crate::unit::{Unit, device, start, stop};
use crate::world::{OTP, vehicle};

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
const RULES: DispatchRules =
    DispatchRules { offer_ms: 30_000, search_ms: 600_000, ..DispatchRules::DEFAULT };
const RIDE: RideRules = RideRules {
    search_ms: 600_000,
    reassign_max: 3,
    silent_ms: 120_000,
    close_silent_ms: 3_600_000,
};

fn confirmed() -> Order {
    let mut order = quoted::order(1, NOW);
    let rider = Rider { name: "Asha".into(), phone: "+91-98".into() };
    let said = || Conversation(String::new());
    order.initialize(Some(rider), said(), NOW).expect("quoted");
    order.confirm(None, Some(OTP.into()), said(), &RULES, NOW).expect("initialized");
    order
}

fn offer(order: &mut Order, n: u8) {
    let candidate = Candidate {
        vehicle: vehicle(n),
        assignment: AssignmentId::from_bytes([n; 16]),
        trip: TripId::from_bytes([n; 16]),
        otp_key: [n; 16],
    };
    order.offer(candidate, &RULES, NOW);
}

fn answer(order: &mut Order, n: u8) -> Handled {
    order.handle_answer(AssignmentId::from_bytes([n; 16]), &Answer::Accept, &RIDE, NOW, NOW)
}

/// An order whose driver has taken these steps.
fn after(steps: &[TripStep]) -> Order {
    let mut order = confirmed();
    offer(&mut order, 1);
    assert_eq!(answer(&mut order, 1).refused, None);
    let (id, mut unit) = (TripId::from_bytes([1; 16]), Unit::new(1));
    for step in steps {
        unit.drive(100, 10);
        let event = unit.step(id, step.clone());
        let report = Report { by: By::Device, event: &event, at: NOW, offline: false };
        let handled = order.handle_step(id, step, &report, &RIDE);
        assert_eq!(handled.refused, None);
    }
    order
}

fn riding() -> Order {
    after(&[TripStep::Arrive, start(OTP)])
}

fn from_gate() -> Wish {
    Wish { pickup: Some(gate(2)), ..Wish::default() }
}

fn paid(terms: PaymentTerms) -> Wish {
    Wish { payment: Some(terms), ..Wish::default() }
}

/// A proposal of this wish that holds for a minute; what the ride costs with it.
fn propose(order: &mut Order, wish: Wish) -> Paise {
    let terms = order.proposed_terms(&wish, &ROAD, NOW);
    order.propose(wish, terms, NOW.plus_ms(60_000), NOW).expect("possible");
    order.proposal.as_ref().expect("proposed").quote.total()
}

fn changes(effects: &[Effect]) -> Vec<Change> {
    let change = |effect: &Effect| {
        let Effect::Command { body, .. } = effect else { return None };
        let CommandBody::Change(change) = body.as_ref() else { return None };
        Some(change.clone())
    };
    effects.iter().filter_map(change).collect()
}

#[test]
fn the_pickup_can_be_changed_before_the_arrival_and_the_rest_until_the_end() {
    let arrived = [TripStep::Arrive];
    let ended = [TripStep::Arrive, start(OTP), stop(100)];
    let called_off = {
        let mut order = confirmed();
        order.cancel(&By::Rider, "no", NOW).expect("before the start");
        order
    };
    let nothing = [Some("ride"); 3];
    for (name, order, refused) in vec![
        ("quoted", quoted::order(1, NOW), nothing),
        ("confirmed", confirmed(), [None; 3]),
        ("accepted", after(&[]), [None; 3]),
        ("on the way", after(&[TripStep::Depart]), [None; 3]),
        ("there", after(&arrived), [Some("pickup"), None, None]),
        (
            "outside",
            after(&[TripStep::ArriveOutside { distance_m: 300 }]),
            [Some("pickup"), None, None],
        ),
        ("riding", riding(), [Some("pickup"), None, None]),
        ("ended", after(&ended), nothing),
        ("called off", called_off, nothing),
    ] {
        let wishes = [from_gate(), to_gate(1), paid(PREPAID)];
        let found = wishes.map(|wish| match order.check_change(&wish) {
            Ok(()) => None,
            Err(RideError::NotChangeable { what, .. }) => Some(what),
            Err(error) => panic!("{name}: {error}"),
        });
        assert_eq!(found, refused, "{name}");
    }
    let as_it_is = Wish { pickup: Some(riding().route.pickup), ..Wish::default() };
    riding().check_change(&as_it_is).expect("it is no change");
}

#[test]
fn an_offence_against_the_rules_changes_nothing_and_is_named() {
    let mut order = riding();
    let before = order.clone();
    let terms = order.terms.clone();
    let refused = order.propose(from_gate(), terms, NOW.plus_ms(1), NOW);
    assert_eq!(
        refused,
        Err(RideError::NotChangeable { what: "pickup", why: "the rider is aboard" })
    );
    assert_eq!(order.accept_proposal(Paise(1), NOW), Err(RideError::NoProposal));
    assert_eq!(order, before);

    let total = propose(&mut order, to_gate(1));
    let before = order.clone();
    let said = total + Paise(1);
    let other = RideError::OtherPrice { quoted: total, said };
    assert_eq!(order.accept_proposal(said, NOW), Err(other));
    let late = NOW.plus_ms(60_000);
    assert_eq!(order.accept_proposal(total, late), Err(RideError::QuoteExpired));
    assert_eq!(order, before);
    order.accept_proposal(total, late.plus_ms(-1)).expect("in time");
    assert_eq!(order.accept_proposal(total, NOW), Err(RideError::NoProposal), "once");
}

#[test]
fn what_has_become_impossible_since_it_was_proposed_is_refused() {
    let mut order = after(&[TripStep::Depart]);
    let total = propose(&mut order, from_gate());
    let (id, mut unit) = (TripId::from_bytes([1; 16]), Unit::new(1));
    unit.drive(1_000, 100);
    let event = unit.step(id, TripStep::Arrive);
    let report = Report { by: By::Device, event: &event, at: NOW, offline: false };
    order.handle_step(id, &TripStep::Arrive, &report, &RIDE);
    let refused = order.accept_proposal(total, NOW).expect_err("the driver is there");
    assert_eq!(refused.to_string(), "the pickup cannot be changed: the driver is there");
    // A later proposal takes the place of the one before.
    let total = propose(&mut order, to_gate(1));
    let effects = order.accept_proposal(total, NOW).expect("possible");
    let [change] = &changes(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((&change.pickup, &change.drop), (&order.route.pickup, &gate(1)));
    assert_ne!(order.route.pickup, gate(2));
}

#[test]
fn the_terms_of_a_change_keep_tariff_and_discounts_and_have_another_estimate_and_its_nights() {
    let mut order = confirmed();
    let surcharge = Surcharge::FactorPercent(150);
    let (from_minute, until_minute, time_zone) = (1_320, 300, "Asia/Kolkata".into());
    order.terms.tariff.night = Some(Night { from_minute, until_minute, time_zone, surcharge });
    order.terms.tariff.version = 9;
    let code = "FIRST".into();
    let (percent_bp, flat_paise, max_paise, least_paise) = (1_000, Paise::ZERO, None, Paise::ZERO);
    order.terms.discounts = vec![Discount { code, percent_bp, flat_paise, max_paise, least_paise }];
    let later = NOW.plus_ms(86_400_000);
    let terms = order.proposed_terms(&to_gate(1), &ROAD, later);
    assert_eq!((&terms.tariff, &terms.discounts), (&order.terms.tariff, &order.terms.discounts));
    let pickup = order.route.pickup.position;
    assert_eq!(terms.estimate, ROAD.estimate(pickup, gate(1).position, later));
    assert!(terms.nights.iter().any(|night| night.until > later), "{:?}", terms.nights);
    assert_eq!(order.proposed_terms(&paid(PREPAID), &ROAD, later), order.terms, "the same ride");
    let started = riding();
    let estimate = started.proposed_terms(&to_gate(1), &ROAD, later).estimate;
    let started_at = started.trip.as_ref().and_then(|trip| trip.usage().started_at);
    assert_eq!(Some(estimate.start_at), started_at, "it has begun");
}

#[test]
fn open_offers_are_taken_back_and_their_vehicles_may_be_asked_again() {
    let mut order = confirmed();
    for n in [1, 2, 3] {
        offer(&mut order, n);
    }
    order.handle_answer(
        AssignmentId::from_bytes([3; 16]),
        &Answer::Reject { reason: String::new() },
        &RIDE,
        NOW,
        NOW,
    );
    let total = propose(&mut order, to_gate(1));
    let effects = order.accept_proposal(total, NOW).expect("possible");
    let released: Vec<_> = effects
        .iter()
        .filter_map(|effect| if let Effect::Release(device) = effect { Some(device) } else { None })
        .collect();
    assert_eq!(released, [&device(1), &device(2)]);
    assert!(!order.has_open_offer() && order.state == OrderState::Confirmed);
    assert_eq!(order.asked().collect::<Vec<_>>(), [&device(3)], "who declined is not asked again");
    // A driver who had accepted by then is told.
    let Handled { effects, refused } = answer(&mut order, 1);
    assert!(refused.is_some());
    let [Effect::Command { body, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert!(
        matches!(body.as_ref(), CommandBody::Withdraw { reason, .. } if reason.contains("changed"))
    );
    assert_eq!(order.offers[0].state, AssignmentState::Withdrawn);
}

#[test]
fn another_way_of_payment_needs_no_price_and_is_told_where_the_driver_does_otherwise() {
    let mut order = riding();
    let effects = order.change_payment(PREPAID, NOW).expect("nothing is paid");
    let [change] = &changes(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((change.collect_cash, &change.terms), (false, &order.terms));
    assert_eq!(order.payment.terms, PREPAID);
    // To whom it is paid beforehand is none of the driver's.
    let to_us = PaymentTerms { collected_by: PaymentTerms::default().collected_by, ..PREPAID };
    assert_eq!(order.change_payment(to_us, NOW), Ok(Vec::new()));
    assert_eq!((order.payment.terms, order.changes), (to_us, 2));
    assert_eq!(order.change_payment(to_us, NOW), Ok(Vec::new()));
    assert_eq!(order.changes, 2, "it was so already");
    let mut proposed = riding();
    let total = propose(&mut proposed, to_gate(1));
    proposed.change_payment(PREPAID, NOW).expect("nothing is paid");
    proposed.accept_proposal(total, NOW).expect("the price is the same");
    assert_eq!(proposed.payment.terms, PREPAID, "the later word on it");
}

#[test]
fn what_was_collected_is_not_paid_otherwise() {
    let mut order =
        after(&[TripStep::Arrive, start(OTP), TripStep::Collected { amount: Paise(9) }]);
    let refused = order.change_payment(PREPAID, NOW).expect_err("paid");
    assert_eq!(
        refused.to_string(),
        "the payment cannot be changed: the driver has taken money already"
    );
    order.check_change(&to_gate(1)).expect("the drop is another matter");
}

#[test]
fn an_order_is_changed_so_often_and_no_more() {
    let mut order = confirmed();
    for n in 0..CHANGES_MAX {
        let total = propose(&mut order, to_gate(u8::from(n % 2 == 0)));
        order.accept_proposal(total, NOW).expect("possible");
    }
    assert_eq!(order.changes, CHANGES_MAX);
    let refused = order.check_change(&to_gate(3)).expect_err("enough");
    assert!(matches!(refused, RideError::NotChangeable { what: "ride", .. }), "{refused}");
}

#[test]
fn an_order_of_before_there_were_changes_is_read() {
    let order = riding();
    let mut json = serde_json::to_value(&order).expect("serialises");
    let fields = json.as_object_mut().expect("an object");
    for key in ["proposal", "changes"] {
        assert!(fields.remove(key).is_some(), "{key}");
    }
    json["trip"].as_object_mut().expect("a trip").remove("behind").expect("there");
    json["offers"][0].as_object_mut().expect("an offer").remove("outdated").expect("there");
    assert_eq!(serde_json::from_value::<Order>(json).expect("reads"), order);
}
