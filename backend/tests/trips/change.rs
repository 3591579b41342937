//! Changes by the rider that cross what the vehicle does: each such row of the table in `docs/trips.md`.

use tripline_backend::domain::case::CaseKind;
use tripline_backend::domain::change::Wish;
use tripline_backend::domain::estimate::RoadModel;
use tripline_backend::domain::explain::Explanation;
use tripline_backend::domain::order::Order;
use tripline_backend::domain::payment::{CollectedBy, PaymentMethod, PaymentTerms};
use tripline_backend::domain::ride::RideError;
use tripline_backend::domain::trip::By;
use tripline_backend::operate::explain::{explain, receipt};
use tripline_backend::time;
use tripline_protocol::assignment::{Change, Place};
use tripline_protocol::fare::FareReason;
use tripline_protocol::fix::FixStamp;
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::up::{CommandOutcome, Event};
use tripline_protocol::order::OrderState;
use tripline_protocol::terms::Terms;
use tripline_protocol::trip::{TripEvent, TripState, TripStep};
use tripline_protocol::unit::{Odometer, Paise, Position};

use crate::both::on_both;
use crate::unit::{Unit, start};
use crate::world::{OTP, Ride, World, record};

pub(crate) const ROAD: RoadModel = RoadModel { road_factor_percent: 130, speed_kmph: 20 };

pub(crate) const PREPAID: PaymentTerms =
    PaymentTerms { method: PaymentMethod::Prepaid, collected_by: CollectedBy::Bap };

/// A place some kilometres from where every ride begins.
pub(crate) fn gate(n: u8) -> Place {
    let position = Position::new(129_000_000 + (i32::from(n) + 1) * 300_000, 776_000_000);
    Place { position: position.expect("on the globe"), address: format!("gate {n}") }
}

pub(crate) fn to_gate(n: u8) -> Wish {
    Wish { drop: Some(gate(n)), ..Wish::default() }
}

fn from_gate(n: u8) -> Wish {
    Wish { pickup: Some(gate(n)), ..Wish::default() }
}

fn is_change(body: &CommandBody) -> bool {
    matches!(body, CommandBody::Change(_))
}

/// The changes that wait for a device.
async fn changes(world: &World, unit: &Unit) -> Vec<Change> {
    let bodies = world.commands(&unit.device()).await.into_iter().map(|(_, body)| body);
    let change = |body| if let CommandBody::Change(change) = body { Some(change) } else { None };
    bodies.filter_map(change).collect()
}

async fn explained(world: &World, ride: Ride) -> Explanation {
    let mut tx = world.platform.store.read().await.expect("begins");
    explain(&mut tx, &ride.order.to_string()).await.expect("a final fare")
}

fn kinds(order: &Order) -> Vec<CaseKind> {
    order.cases.iter().map(|case| case.kind).collect()
}

/// The stop of a vehicle whose meter runs on these terms. It heard no fix on the way, and stands where the ride
/// was booked to at first.
async fn stop_by(world: &World, ride: Ride, unit: &Unit, terms: &Terms) -> Event {
    let mut event = unit.step(ride.trip, TripStep::Pause);
    let position = Position::new(129_000_000, 776_000_000).expect("on the globe");
    event.fix = Some(FixStamp { at: event.at, position });
    event.reading.bridged = Odometer { mm: event.reading.odometer.mm - 501_000 };
    let moment = event.moment(event.at);
    let meter = world.trip(ride).await.meter.after(TripEvent::Stop, &moment);
    let fare = terms.metered(meter.usage(moment.reading));
    let body = unit.step(ride.trip, TripStep::Stop { fare }).body;
    Event { body, ..event }
}

#[tokio::test]
async fn a_change_that_is_accepted_while_driving_is_taken_and_the_fare_is_by_its_terms() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.started(1, &mut unit).await;
        unit.drive(1_000, 100);
        let told = world.told(ride).await;
        let before = world.order(ride).await;
        let wish = Wish { payment: Some(PREPAID), ..to_gate(1) };
        world.change(ride, wish).await;
        let order = world.order(ride).await;
        assert_eq!((&order.route.drop, order.payment.terms), (&Some(gate(1)), PREPAID));
        assert!(order.quote.total() > before.quote.total(), "farther");
        assert_eq!((order.quote.clone(), order.proposal), (order.terms.estimated(), None));
        let [change] = &changes(&world, &unit).await[..] else { panic!("one command") };
        assert_eq!(
            (&change.drop, &change.terms, change.collect_cash),
            (&gate(1), &order.terms, false)
        );
        assert_eq!(change.pickup, before.route.pickup);
        world.report(&mut unit, is_change, CommandOutcome::Applied).await;
        assert_eq!(world.trip(ride).await.behind, None);
        // So much of it was bridged that the estimate counts, were it not for the new drop.
        unit.drive(5_000, 500);
        let stopped = stop_by(&world, ride, &unit, &order.terms).await;
        world.tell(&mut unit, vec![stopped]).await;
        let order = world.order(ride).await;
        let settlement = order.settlement.as_ref().expect("settled");
        assert_eq!((settlement.difference, settlement.charged.billed_m), (Paise(0), 6_000));
        assert_eq!(settlement.charged.reason, FareReason::GapsMetered);
        assert_eq!((order.state, kinds(&order)), (OrderState::Completed, Vec::new()));
        let explanation = explained(&world, ride).await;
        assert!(explanation.equal, "{explanation}");
        assert!(explanation.to_string().contains("by the rider: drop, payment"), "{explanation}");
        let steps = record(&world.trip(ride).await);
        for step in ["ride changed applied", "change taken applied"] {
            assert_eq!(steps.iter().filter(|it| *it == step).count(), 1, "{steps:?}");
        }
        assert_eq!(
            world.told(ride).await[..told.len()],
            told,
            "who asked is answered by whoever serves them"
        );
        let mut tx = world.platform.store.read().await.expect("begins");
        let receipt = receipt(&mut tx, &ride.order.to_string()).await.expect("one");
        assert!(receipt.text().contains("gate 1"), "{}", receipt.text());
    })
    .await;
}

#[tokio::test]
async fn a_ride_that_stops_before_the_change_comes_is_charged_the_lower_fare_and_is_a_case() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.started(1, &mut unit).await;
        let former = world.order(ride).await.terms;
        world.change(ride, to_gate(1)).await;
        unit.drive(6_000, 600);
        let stopped = stop_by(&world, ride, &unit, &former).await;
        world.tell(&mut unit, vec![stopped]).await;
        let order = world.order(ride).await;
        assert_eq!((order.state, kinds(&order)), (OrderState::Completed, vec![CaseKind::Change]));
        let settlement = order.settlement.clone().expect("settled");
        assert_eq!(
            (settlement.charged.billed_m, settlement.charged.reason),
            (3_000, FareReason::GapsEstimated)
        );
        assert_eq!(settlement.difference, Paise(7_500 - 12_000));
        assert_ne!(order.terms, former, "the order stands by what the rider accepted");
        let explanation = explained(&world, ride).await;
        assert!(explanation.equal, "{explanation}");
        assert!(explanation.why.contains("did not take the rider's change"), "{explanation}");
        world.report(&mut unit, is_change, CommandOutcome::Refused).await;
        let after = world.order(ride).await;
        assert_eq!((kinds(&after), after.settlement), (vec![CaseKind::Change], Some(settlement)));
        assert!(explained(&world, ride).await.equal);
    })
    .await;
}

#[tokio::test]
async fn a_vehicle_that_refuses_the_change_drives_on_and_the_operator_is_told() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.started(1, &mut unit).await;
        world.change(ride, to_gate(2)).await;
        let order = world.order(ride).await;
        world.report(&mut unit, is_change, CommandOutcome::Refused).await;
        let after = world.order(ride).await;
        assert_eq!(
            (&after.terms, &after.route, after.state),
            (&order.terms, &order.route, OrderState::Active)
        );
        assert_eq!(kinds(&after), [CaseKind::Change]);
        assert!(record(&world.trip(ride).await).contains(&"change taken refused".to_owned()));
        // The next one may be taken, and the vehicle is not behind any more.
        world.change(ride, to_gate(3)).await;
        world.report(&mut unit, is_change, CommandOutcome::Applied).await;
        assert_eq!(world.trip(ride).await.behind, None);
    })
    .await;
}

#[tokio::test]
async fn of_two_changes_the_vehicle_is_behind_until_it_took_the_second() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.started(1, &mut unit).await;
        let former = world.order(ride).await.terms;
        world.change(ride, to_gate(1)).await;
        let first = world.order(ride).await.terms;
        world.change(ride, to_gate(2)).await;
        let behind = async || world.trip(ride).await.behind.map(|behind| behind.terms);
        assert_eq!(behind().await, Some(former));
        let drops: Vec<_> = changes(&world, &unit).await.into_iter().map(|it| it.drop).collect();
        assert_eq!(drops, [gate(1), gate(2)]);
        let to = |n| move |body: &CommandBody| matches!(body, CommandBody::Change(it) if it.drop == gate(n));
        world.report(&mut unit, to(1), CommandOutcome::Applied).await;
        assert_eq!(behind().await, Some(first));
        world.report(&mut unit, to(2), CommandOutcome::Applied).await;
        assert_eq!(behind().await, None);
    })
    .await;
}

#[tokio::test]
async fn another_pickup_that_crosses_the_arrival_stands_and_is_a_case() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.accepted(1, &mut unit).await;
        world.change(ride, from_gate(1)).await;
        unit.drive(500, 60);
        let arrived = unit.step(ride.trip, TripStep::Arrive);
        world.tell(&mut unit, vec![arrived]).await;
        assert_eq!(kinds(&world.order(ride).await), [], "it may come yet");
        world.report(&mut unit, is_change, CommandOutcome::Applied).await;
        let order = world.order(ride).await;
        assert_eq!((&order.route.pickup, kinds(&order)), (&gate(1), vec![CaseKind::Change]));
        let refused = order.check_change(&from_gate(2)).expect_err("the driver is there");
        assert_eq!(refused.to_string(), "the pickup cannot be changed: the driver is there");
        // The ride goes on as any.
        let started = unit.step(ride.trip, start(OTP));
        world.tell(&mut unit, vec![started]).await;
        assert_eq!(world.trip(ride).await.state, TripState::Started);
    })
    .await;
}

#[tokio::test]
async fn a_change_that_crosses_the_start_is_taken_by_the_ride_that_began() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.accepted(1, &mut unit).await;
        world.change(ride, Wish { pickup: Some(gate(3)), ..to_gate(1) }).await;
        unit.drive(500, 60);
        let arrived = unit.step(ride.trip, TripStep::Arrive);
        let started = unit.step(ride.trip, start(OTP));
        world.tell(&mut unit, vec![arrived, started]).await;
        world.report(&mut unit, is_change, CommandOutcome::Applied).await;
        let order = world.order(ride).await;
        assert_eq!(
            (&order.route.drop, kinds(&order)),
            (&Some(gate(1)), Vec::new()),
            "the rider is aboard"
        );
        assert_eq!(world.trip(ride).await.behind, None);
        let refused = order.check_change(&from_gate(2)).expect_err("aboard");
        assert_eq!(
            refused,
            RideError::NotChangeable { what: "pickup", why: "the rider is aboard" }
        );
    })
    .await;
}

#[tokio::test]
async fn a_change_that_crosses_a_cancellation_changes_nothing_of_it() {
    on_both(|store| async move {
        let world = World::new(store, 2).await;
        // The rider calls it off behind the change: the vehicle hears of both.
        let mut unit = Unit::new(1);
        let ride = world.accepted(1, &mut unit).await;
        world.change(ride, to_gate(1)).await;
        let mut tx = world.platform.store.write().await.expect("begins");
        let mut stored = tx.order(ride.order).await.expect("answers").expect("there");
        let effects = stored.order.cancel(&By::Rider, "no", time::now()).expect("before the start");
        let done =
            world.platform.carry_out_change(&mut tx, &mut stored, effects, time::now()).await;
        drop(done.expect("stored"));
        tx.commit().await.expect("commits");
        world.report(&mut unit, is_change, CommandOutcome::Applied).await;
        let is_cancel = |body: &CommandBody| matches!(body, CommandBody::CancelTrip { .. });
        world.report(&mut unit, is_cancel, CommandOutcome::Applied).await;
        let order = world.order(ride).await;
        assert_eq!((order.state, kinds(&order)), (OrderState::Cancelled, Vec::new()));
        assert!(!world.is_held(&unit).await);
        order.check_change(&to_gate(2)).expect_err("called off");

        // The driver does, before the change comes: the next one is offered the ride as it is.
        let mut unit = Unit::new(2);
        let ride = world.accepted(2, &mut unit).await;
        world.change(ride, to_gate(1)).await;
        let given_up = unit.step(ride.trip, TripStep::Cancel { reason: "flat".into() });
        world.tell(&mut unit, vec![given_up]).await;
        world.report(&mut unit, is_change, CommandOutcome::Refused).await;
        let order = world.order(ride).await;
        assert_eq!((order.state, kinds(&order)), (OrderState::Confirmed, Vec::new()));
        assert_eq!(order.route.drop, Some(gate(1)));
        let next = world.offered_too(ride, 1).await;
        assert_eq!(world.order(next).await.state, OrderState::Confirmed);
    })
    .await;
}
