use tripline_protocol::assignment::Place;
use tripline_protocol::fare::{Extra, ExtraKind, Settlement};
use tripline_protocol::fix::{FixStamp, FixType};
use tripline_protocol::id::TripId;
use tripline_protocol::link::trail::{TrailEntry, TrailFix};
use tripline_protocol::meter::Reading;
use tripline_protocol::order::OrderState;
use tripline_protocol::tariff::{Band, Cancellation, Night, Surcharge, Tariff, Tax};
use tripline_protocol::terms::{Discount, Estimate, Terms};
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::{Odometer, Position, Steady};

use super::*;
use crate::domain::catalog::Listing;
use crate::domain::effect::Phase;
use crate::domain::order::{Cancelled, CancelledBy, Conversation, NewOrder, Route, Vehicle};
use crate::domain::trip::Trip;

/// 2026-11-27 23:00:00 in Kolkata.
const T0: Timestamp = Timestamp::from_unix_ms(1_795_800_600_000);
const EPOCH: JournalEpoch = JournalEpoch(0x93ab_cdef_1234_5678);

fn at(s: i64) -> Timestamp {
    T0.plus_ms(s * 1000)
}

/// North along a meridian at 10 m/s from T0 on.
fn place(s: i64) -> Position {
    let north_e7 = i32::try_from(s * 904).expect("near");
    Position::new(129_716_000 + north_e7, 775_946_000).expect("on the globe")
}

fn terms() -> Terms {
    let tariff = Tariff {
        code: "auto-city".into(),
        version: 3,
        base_paise: Paise(3_000),
        base_distance_m: 2_000,
        bands: vec![Band { from_m: 2_000, per_km_paise: Paise(1_500) }],
        per_minute_paise: Paise(100),
        pickup_paise: Paise(1_000),
        minimum_paise: Paise(4_000),
        waiting_per_minute_paise: Paise(200),
        waiting_free_s: 180,
        night: Some(Night {
            from_minute: 22 * 60,
            until_minute: 5 * 60,
            time_zone: "Asia/Kolkata".into(),
            surcharge: Surcharge::FactorPercent(150),
        }),
        package: None,
        outstation: None,
        taxes: vec![Tax { name: "GST".into(), rate_bp: 500, on_extras: false }],
        cancellation: Cancellation {
            free_s: 120,
            charge_paise: Paise(3_000),
            no_show_paise: Paise(5_000),
        },
        range_percent: 0,
        rounding_paise: Paise(100),
    };
    let nights = night::nights(tariff.night.as_ref().expect("there"), T0).expect("a zone");
    let discount = Discount {
        code: "WELCOME".into(),
        percent_bp: 1_000,
        flat_paise: Paise::ZERO,
        max_paise: Some(Paise(1_500)),
        least_paise: Paise::ZERO,
    };
    let estimate = Estimate {
        distance_m: 5_000,
        duration_s: 600,
        start_at: T0,
        pickup: place(0),
        drop: place(533),
    };
    Terms { tariff, nights, discounts: vec![discount], estimate }
}

fn order() -> Order {
    let named = |position| Place { position, address: String::new() };
    Order::quote(
        NewOrder {
            id: "00000000-0000-4000-8000-000000000001".parse().expect("an id"),
            fulfillment_id: "f1".into(),
            track_token: "t".into(),
            receipt_token: "r".into(),
            subscriber_id: "bap.example".into(),
            item_id: "auto".into(),
            route: Route {
                pickup: named(place(0)),
                drop: Some(named(place(533))),
                pickup_at: None,
            },
            listing: Listing {
                provider_id: "namma-autos".parse().expect("an id"),
                provider_name: "Namma Autos Co-operative".into(),
                item_name: "Auto ride".into(),
                vehicle_category: "AUTO_RICKSHAW".into(),
            },
            terms: terms(),
            conversation: Conversation(String::new()),
        },
        at(-900),
    )
}

/// The event with this sequence, when the counters showed so much.
fn record(sequence: u64, s: i64, mm: u64, bridged_mm: u64, step: TripStep) -> Recorded {
    let trip = trip_id();
    let steady = Steady { ms: (s + 10_000).cast_unsigned() * 1000 };
    let reading = Reading {
        steady,
        odometer: Odometer { mm: 70_000_000 + mm },
        bridged: Odometer { mm: bridged_mm },
        fixes: (s + 10_000).cast_unsigned(),
        refused: 4,
    };
    let event = Event {
        at: at(s),
        gnss_time: true,
        reading,
        fix: Some(FixStamp { at: at(s), position: place(s) }),
        body: EventBody::Trip { trip, step: step.clone() },
    };
    Recorded {
        epoch: EPOCH,
        sequence: Sequence(sequence),
        at: at(s),
        received_at: at(s + 1),
        refused: None,
        event,
        step: Some(step),
        commanded: None,
    }
}

fn trip_id() -> TripId {
    "00000000-0000-4000-8000-000000000002".parse().expect("an id")
}

/// A ride by night with waiting, a pause, a toll and an offer; so many mm of it were bridged.
pub(crate) fn ride(bridged_mm: u64) -> (Order, Vec<Recorded>) {
    let toll = Extra { kind: ExtraKind::Toll, amount: Paise(4_500), note: "Bridge".into() };
    let mut records = vec![
        record(11, -700, 0, 0, TripStep::Depart),
        record(12, -300, 3_000_000, 0, TripStep::Arrive),
        record(13, 0, 3_000_412, 0, TripStep::Start { otp: None }),
        record(14, 200, 5_000_412, 0, TripStep::Pause),
        record(15, 260, 5_600_412, 0, TripStep::Resume),
        record(16, 300, 6_000_412, 0, TripStep::Extra(toll)),
    ];
    let mut order = order();
    let terms = order.terms.clone();
    let stop = record(17, 533, 8_333_412, bridged_mm, TripStep::NoShow);
    let usage = {
        let mut until = records.clone();
        until.push(Recorded { step: Some(TripStep::Stop { fare: terms.estimated() }), ..stop });
        metered(until.iter(), None)
    };
    let fare = terms.metered(usage);
    records.push(record(17, 533, 8_333_412, bridged_mm, TripStep::Stop { fare: fare.clone() }));
    order.settlement = Some(Settlement::of(fare.clone(), fare));
    order.state = OrderState::Completed;
    order.trip = Some(driven());
    (order, records)
}

fn driven() -> Trip {
    let vehicle = Vehicle {
        device: "auto-1".parse().expect("an id"),
        registration: "KA01AB1234".into(),
        category: "AUTO_RICKSHAW".into(),
        make: Some("Bajaj".into()),
        model: Some("RE".into()),
        color: Some("yellow".into()),
        driver: None,
        driver_name: "Asha".into(),
        driver_phone: "+91-98".into(),
    };
    let mut trip = Trip::accepted(trip_id(), vehicle, at(-800), at(-800));
    trip.state = TripState::Ended;
    trip.driven = TripState::Ended;
    trip.held = false;
    (trip.phase, trip.phase_at) = (Phase::Ended, at(533));
    trip.ended_at = Some(at(533));
    trip
}

fn trail() -> Vec<Passage> {
    let fix = |s: i64| {
        TrailEntry::Fix(TrailFix {
            at: at(s),
            position: place(s),
            speed_cmps: Some(1_000),
            course_ddeg: Some(0),
            altitude_mm: None,
            fix_type: FixType::ThreeD,
            refused: None,
        })
    };
    let entries = (-900..600).map(fix).collect();
    vec![Passage { epoch: EPOCH, after: Sequence(100), entries }]
}

fn explained(order: &Order, records: &[Recorded]) -> Explanation {
    Explanation::of(order, records, &trail(), Gone::default()).expect("a final fare")
}

#[test]
fn a_ride_by_night_explains_itself() {
    let (order, records) = ride(0);
    let explanation = explained(&order, &records);
    assert!(explanation.holds(), "{explanation}");
    insta::assert_snapshot!(explanation);
}

#[test]
fn a_distance_that_cannot_be_trusted_says_by_which_rule_it_was_charged() {
    let (order, records) = ride(2_000_000);
    let explanation = explained(&order, &records);
    assert_eq!((explanation.equal, explanation.reason), (true, "gaps-estimated"));
    insta::assert_snapshot!(explanation);
}

/// An order that the rider called off too late.
pub(crate) fn called_off() -> Order {
    let mut order = order();
    order.state = OrderState::Cancelled;
    order.cancelled = Some(Cancelled {
        by: CancelledBy::Rider,
        name: None,
        reason: "changed my mind".into(),
        at: at(-679),
        fare: Some(order.terms.cancelled(121)),
    });
    order.trip = Some(driven());
    order
}

#[test]
fn an_order_called_off_late_explains_its_charge() {
    let order = called_off();
    let explanation = explained(&order, &[record(11, -700, 0, 0, TripStep::Depart)]);
    assert!(explanation.holds(), "{explanation}");
    insta::assert_snapshot!(explanation);
}

#[test]
fn an_order_called_off_in_the_free_time_or_by_somebody_else_must_not_have_been_charged() {
    let mismatches = |change: fn(&mut Cancelled)| {
        let mut order = called_off();
        change(order.cancelled.as_mut().expect("called off"));
        explained(&order, &[]).mismatches.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(mismatches(|_| {}), [""; 0]);
    let cancellation = "line cancellation: charged cancellation Rs 30.00 (1 at Rs 30.00), \
                        recomputed nothing";
    let early = mismatches(|cancelled| cancelled.at = at(-680));
    assert_eq!(early.first().map(String::as_str), Some(cancellation), "120 s are free");
    for by in [CancelledBy::Driver, CancelledBy::Operator, CancelledBy::Rule] {
        let mut order = called_off();
        order.cancelled.as_mut().expect("called off").by = by;
        assert!(!explained(&order, &[]).equal, "{by}");
    }
    let free = |cancelled: &mut Cancelled| cancelled.fare = Some(terms().cancelled(0));
    assert_eq!(
        mismatches(free).first().map(String::as_str),
        Some(
            "line cancellation: charged nothing, recomputed cancellation Rs 30.00 (1 at Rs 30.00)"
        )
    );
}

#[test]
fn a_no_show_was_said_by_the_driver_and_the_trip_had_a_place_for_it() {
    let mut order = called_off();
    let cancelled = order.cancelled.as_mut().expect("called off");
    (cancelled.by, cancelled.fare) = (CancelledBy::Driver, Some(terms().no_show()));
    let mut records =
        vec![record(11, -700, 0, 0, TripStep::Arrive), record(12, -680, 0, 0, TripStep::NoShow)];
    put_in_order(&mut records);
    assert!(explained(&order, &records).equal);
    records.remove(0);
    put_in_order(&mut records);
    for records in [&records[..], &[]] {
        let first = explained(&order, records).mismatches.first().map(ToString::to_string);
        assert_eq!(
            first.as_deref(),
            Some("reason: charged no-show, recomputed cancelled"),
            "{records:?}"
        );
    }
}

#[test]
fn what_was_charged_otherwise_than_the_events_say_is_named() {
    let (order, records) = ride(0);
    let settled = |change: fn(&mut Fare)| {
        let mut order = order.clone();
        change(&mut order.settlement.as_mut().expect("settled").charged);
        let explanation = explained(&order, &records);
        assert!(!explanation.holds());
        explanation.mismatches.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        settled(|fare| fare.usage.riding_s = 480),
        "riding time: charged 480 s, recomputed 473 s"
    );
    assert_eq!(
        settled(|fare| fare.lines[0].amount = Paise(3_100)),
        "line base: charged base Rs 31.00 (1 at Rs 30.00), recomputed base Rs 30.00 (1 at Rs 30.00)"
    );
    assert_eq!(
        settled(|fare| drop(fare.lines.pop())),
        "line rounding: charged nothing, recomputed rounding Rs 0.07 (1 at Rs 1.00)"
    );
}

#[test]
fn an_event_that_had_no_effect_is_listed_and_not_counted() {
    let (order, mut records) = ride(0);
    let mut late = record(18, 900, 9_999_000, 0, TripStep::Resume);
    late.refused = Some("the trip is over".into());
    records.push(late);
    let explanation = explained(&order, &records);
    assert!(explanation.holds());
    assert_eq!(
        explanation.events.last().and_then(|it| it.refused.clone()),
        Some("the trip is over".into())
    );
}

#[test]
fn a_trail_that_tells_of_another_way_is_a_difference() {
    let (order, mut records) = ride(0);
    // The odometer ran on by 400 m, and vehicle and platform charged it.
    let Some(last) = records.last_mut() else { panic!("events") };
    last.event.reading.odometer.mm += 400_000;
    let mut order = order;
    let fare = order.terms.metered(metered(records.iter(), None));
    order.settlement = Some(Settlement::of(fare.clone(), fare));
    let explanation = explained(&order, &records);
    assert!(explanation.equal && !explanation.holds());
    let difference = explanation.difference().expect("one");
    assert_eq!(difference, "the odometer counted 5,133 m and the trail tells of 4,730 m");
}

#[test]
fn events_are_put_in_the_order_of_the_steady_clock_and_judged_by_the_machine() {
    let step = [
        TripStep::Pause,
        TripStep::Depart,
        TripStep::Resume,
        TripStep::Start { otp: None },
        TripStep::Arrive,
    ];
    let mut records: Vec<_> = [(2, 1, 50), (1, 7, 10), (2, 2, 60), (1, 8, 40), (3, 1, 20)]
        .into_iter()
        .zip(step)
        .map(|((epoch, sequence, s), step)| {
            let record = record(sequence, s, 0, 0, step);
            Recorded { epoch: JournalEpoch(epoch), ..record }
        })
        .collect();
    records.push(record(9, 45, 0, 0, TripStep::Depart));
    put_in_order(&mut records);
    let order: Vec<_> = records.iter().map(|it| (it.epoch.0, it.sequence.0)).collect();
    assert_eq!(order, [(1, 7), (3, 1), (1, 8), (EPOCH.0, 9), (2, 1), (2, 2)]);
    let refused: Vec<_> = records.iter().map(|it| it.refused.is_some()).collect();
    assert_eq!(refused, [false, false, false, true, false, false]);
}

#[test]
fn a_step_that_a_dispatcher_asked_for_is_one_of_the_meter_s() {
    let (order, mut records) = ride(0);
    for (record, event) in records[3..5].iter_mut().zip([TripEvent::Pause, TripEvent::Resume]) {
        (record.step, record.commanded) = (None, Some(event));
    }
    let explanation = explained(&order, &records);
    assert!(explanation.holds(), "{explanation}");
    assert_eq!(explanation.events[3].what, "pause, asked for by a dispatcher");
}

#[test]
fn an_order_without_a_final_fare_has_nothing_to_explain() {
    assert_eq!(Explanation::of(&order(), &[], &[], Gone::default()), Err(NoFare));
}
