//! Events that cross: each row of the table in `docs/trips.md` through the real service.

use tripline_backend::domain::case::CaseKind;
use tripline_backend::domain::order::CancelledBy;
use tripline_backend::operate::trip;
use tripline_backend::time;
use tripline_protocol::link::down::{CommandBody, DriveVerb};
use tripline_protocol::link::up::CommandOutcome;
use tripline_protocol::order::OrderState;
use tripline_protocol::trip::{TripState, TripStep};
use tripline_protocol::unit::Paise;

use crate::both::on_both;
use crate::unit::{Unit, start, stop};
use crate::world::{OTP, World, record};

const WHY: &str = "the rider called";

fn is_cancel(body: &CommandBody) -> bool {
    matches!(body, CommandBody::CancelTrip { .. })
}

fn is_stop(body: &CommandBody) -> bool {
    matches!(body, CommandBody::Drive { verb: DriveVerb::Stop, .. })
}

fn last(told: &[String]) -> &str {
    told.last().map_or("nothing", String::as_str)
}

#[tokio::test]
async fn a_start_that_crosses_a_cancellation_is_driven_and_becomes_a_case_with_its_fare() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.at_pickup(1, &mut unit).await;
        let id = ride.trip.to_string();
        world
            .operate(async |it, tx, by| trip::cancel(it, tx, by, &id, WHY, time::now()).await)
            .await;
        assert!(world.is_held(&unit).await, "nobody knows yet what the vehicle does");
        let told = world.told(ride).await;
        assert_eq!(last(&told), "on_cancel RIDE_CANCELLED");
        // The driver had started before the command came, which the device refuses.
        let started = unit.step(ride.trip, start(OTP));
        world.tell(&mut unit, vec![started]).await;
        world.report(&mut unit, is_cancel, CommandOutcome::Refused).await;
        assert!(world.is_held(&unit).await, "it drives");
        unit.drive(2_000, 300);
        let stopped = unit.step(ride.trip, stop(2_000));
        world.tell(&mut unit, vec![stopped]).await;
        assert!(!world.is_held(&unit).await);
        let order = world.order(ride).await;
        assert_eq!(world.told(ride).await, told, "what was told is not undone");
        assert_eq!((order.state, order.fare().total()), (OrderState::Cancelled, Paise(0)));
        let cancelled = order.cancelled.as_ref().map(|it| (it.by, it.name.as_deref()));
        assert_eq!(cancelled, Some((CancelledBy::Operator, Some("cli"))));
        let case = order.cases.iter().find(|case| case.kind == CaseKind::Driven).expect("a case");
        let driven = case.driven.as_ref().expect("driven");
        let part = (driven.distance_m, driven.seconds, driven.fare.total(), driven.over);
        assert_eq!(part, (2_000, 300, Paise(6_000), true));
        let trip = world.trip(ride).await;
        assert_eq!((trip.state, trip.driven), (TripState::Cancelled, TripState::Ended));
    })
    .await;
}

#[tokio::test]
async fn a_cancellation_that_the_device_takes_in_frees_the_vehicle_then() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.at_pickup(1, &mut unit).await;
        let id = ride.trip.to_string();
        world
            .operate(async |it, tx, by| trip::cancel(it, tx, by, &id, WHY, time::now()).await)
            .await;
        world.report(&mut unit, is_cancel, CommandOutcome::Applied).await;
        assert!(!world.is_held(&unit).await);
        let order = world.order(ride).await;
        assert!(order.cases.is_empty(), "{:?}", order.cases);
        assert_eq!(world.trip(ride).await.driven, TripState::Cancelled);
    })
    .await;
}

#[tokio::test]
async fn a_cancellation_of_a_trip_that_the_device_does_not_know_frees_the_vehicle() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.accepted(1, &mut unit).await;
        let id = ride.trip.to_string();
        world
            .operate(async |it, tx, by| trip::cancel(it, tx, by, &id, WHY, time::now()).await)
            .await;
        world.report(&mut unit, is_cancel, CommandOutcome::Refused).await;
        assert!(!world.is_held(&unit).await);
    })
    .await;
}

#[tokio::test]
async fn a_cancellation_after_the_start_is_refused_and_changes_nothing() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.started(1, &mut unit).await;
        let before = (world.order(ride).await, world.told(ride).await);
        let mut tx = world.platform.store.write().await.expect("begins");
        let actor = tripline_backend::operate::Actor::cli();
        let id = ride.trip.to_string();
        let refused = trip::cancel(&world.platform, &mut tx, &actor, &id, WHY, time::now()).await;
        let error = refused.expect_err("under way").to_string();
        assert!(error.contains("the ride has started"), "{error}");
        drop(tx);
        assert_eq!((world.order(ride).await, world.told(ride).await), before);
    })
    .await;
}

#[tokio::test]
async fn a_stop_that_comes_before_its_start_waits_and_both_are_told_in_turn() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.at_pickup(1, &mut unit).await;
        // The start is in a journal of before, which is sent after the one of now.
        let mut old = unit.clone();
        let started = old.step(ride.trip, start(OTP));
        unit.restart();
        unit.drive(3_000, 400);
        let stopped = unit.step(ride.trip, stop(3_000));
        world.tell(&mut unit, vec![stopped]).await;
        let early = world.trip(ride).await;
        assert_eq!((early.state, early.driven), (TripState::AtPickup, TripState::AtPickup));
        assert!(!world.is_held(&unit).await, "the vehicle is done with it");
        world.tell(&mut old, vec![started]).await;
        let (order, trip) = (world.order(ride).await, world.trip(ride).await);
        assert_eq!((trip.state, trip.driven), (TripState::Ended, TripState::Ended));
        assert_eq!(order.settlement.as_ref().map(|it| it.charged.usage.distance_m), Some(3_000));
        let told = world.told(ride).await;
        let tail = &told[told.len() - 3..];
        assert_eq!(
            tail,
            ["on_status RIDE_STARTED", "on_status RIDE_ENDED", "on_update RIDE_ENDED"]
        );
        let steps = record(&trip);
        assert_eq!(steps, ["accepted applied", "arrive applied", "start applied", "stop applied"]);
    })
    .await;
}

#[tokio::test]
async fn a_start_that_happened_after_a_no_show_has_no_place_and_is_a_case() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.at_pickup(1, &mut unit).await;
        let no_show = unit.step(ride.trip, TripStep::NoShow);
        world.tell(&mut unit, vec![no_show]).await;
        assert!(!world.is_held(&unit).await);
        unit.drive(10, 10);
        let started = unit.step(ride.trip, start(OTP));
        world.tell(&mut unit, vec![started]).await;
        let (order, trip) = (world.order(ride).await, world.trip(ride).await);
        assert_eq!((order.state, trip.driven), (OrderState::Cancelled, TripState::NoShow));
        let by = order.cancelled.as_ref().map(|it| (it.by, it.reason.as_str()));
        assert_eq!(by, Some((CancelledBy::Driver, "the rider did not come")));
        assert!(order.cases.iter().any(|case| case.kind == CaseKind::OutOfTurn));
    })
    .await;
}

#[tokio::test]
async fn a_start_that_happened_before_a_no_show_and_comes_after_is_what_was_driven() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.at_pickup(1, &mut unit).await;
        let mut old = unit.clone();
        let started = old.step(ride.trip, start(OTP));
        unit.restart();
        unit.drive(700, 90);
        let no_show = unit.step(ride.trip, TripStep::NoShow);
        world.tell(&mut unit, vec![no_show]).await;
        world.tell(&mut old, vec![started]).await;
        let (order, trip) = (world.order(ride).await, world.trip(ride).await);
        assert_eq!((order.state, trip.state), (OrderState::Cancelled, TripState::NoShow));
        assert_eq!(trip.driven, TripState::Started);
        let case = order.cases.iter().find(|case| case.kind == CaseKind::Driven).expect("a case");
        assert_eq!(case.driven.as_ref().map(|part| part.distance_m), Some(700));
    })
    .await;
}

#[tokio::test]
async fn an_offer_accepted_after_it_was_taken_back_is_taken_back_again_and_a_case_if_driven() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.offered(1, 1).await;
        let id = ride.order.to_string();
        world
            .operate(async |it, tx, by| {
                tripline_backend::operate::order::cancel(it, tx, by, &id, WHY, time::now()).await
            })
            .await;
        let withdrawn = |body: &CommandBody| matches!(body, CommandBody::Withdraw { .. });
        assert!(!world.is_held(&unit).await);
        let accepted = unit.accept(ride.offer);
        world.tell(&mut unit, vec![accepted]).await;
        let commands = world.commands(&unit.device()).await;
        assert_eq!(commands.iter().filter(|(_, body)| withdrawn(body)).count(), 2);
        assert!(world.order(ride).await.cases.is_empty(), "nothing was driven");
        let told = world.told(ride).await;
        unit.drive(300, 60);
        let arrived = unit.step(ride.trip, TripStep::Arrive);
        let started = unit.step(ride.trip, start(OTP));
        world.tell(&mut unit, vec![arrived, started]).await;
        let order = world.order(ride).await;
        assert_eq!(order.state, OrderState::Cancelled);
        assert!(order.cases.iter().any(|case| case.kind == CaseKind::Driven), "{:?}", order.cases);
        assert_eq!(world.told(ride).await, told);
    })
    .await;
}

#[tokio::test]
async fn of_two_devices_that_accept_the_first_heard_has_the_order_and_the_other_is_free() {
    on_both(|store| async move {
        let world = World::new(store, 2).await;
        let (mut one, mut other) = (Unit::new(1), Unit::new(2));
        let first = world.offered(1, 1).await;
        let second = world.offered_too(first, 2).await;
        let (of_one, of_other) = (one.accept(first.offer), other.accept(second.offer));
        world.tell(&mut other, vec![of_other]).await;
        world.tell(&mut one, vec![of_one]).await;
        let order = world.order(first).await;
        assert_eq!(order.trip.as_ref().map(|trip| trip.id), Some(second.trip));
        assert!(world.is_held(&other).await && !world.is_held(&one).await);
        let commands = world.commands(&one.device()).await;
        assert!(commands.iter().any(|(_, body)| matches!(body, CommandBody::Withdraw { .. })));
        let confirmed =
            world.told(first).await.iter().filter(|it| it.starts_with("on_confirm")).count();
        assert_eq!((confirmed, order.cases.len()), (1, 0), "a race is no contradiction");
    })
    .await;
}

#[tokio::test]
async fn a_dispatchers_stop_that_crosses_the_drivers_in_the_same_second_changes_nothing() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.started(1, &mut unit).await;
        let id = ride.trip.to_string();
        let verb = (id.as_str(), DriveVerb::Stop);
        world
            .operate(async |it, tx, by| trip::drive(it, tx, by, verb, WHY, time::now()).await)
            .await;
        unit.drive(1_000, 100);
        let stopped = unit.step(ride.trip, stop(1_000));
        world.tell(&mut unit, vec![stopped]).await;
        let (order, told) = (world.order(ride).await, world.told(ride).await);
        world.report(&mut unit, is_stop, CommandOutcome::Refused).await;
        let after = world.order(ride).await;
        assert_eq!((after.settlement, world.told(ride).await), (order.settlement, told));
        assert!(after.cases.is_empty(), "{:?}", after.cases);
        let trip = world.trip(ride).await;
        assert!(record(&trip).contains(&"stop asked for refused".into()), "{:?}", record(&trip));
    })
    .await;
}

#[tokio::test]
async fn a_step_that_comes_twice_moves_nothing_the_second_time() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.started(1, &mut unit).await;
        unit.drive(100, 10);
        let paused = unit.step(ride.trip, TripStep::Pause);
        let batch = unit.batch(vec![paused.clone()]);
        world.submit(&batch).await;
        let (order, told) = (world.order(ride).await, world.told(ride).await);
        // The batch is sent again: its cursor covers it.
        world.submit(&batch).await;
        assert_eq!((world.order(ride).await, world.told(ride).await), (order, told.clone()));
        // The event itself comes again, from a device that is out of order.
        world.tell(&mut unit, vec![paused]).await;
        let after = world.order(ride).await;
        assert_eq!(world.told(ride).await, told);
        assert_eq!(world.trip(ride).await.state, TripState::Paused);
        assert!(after.cases.iter().any(|case| case.kind == CaseKind::OutOfTurn));
    })
    .await;
}

#[tokio::test]
async fn money_reported_twice_is_taken_once_and_is_a_case() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.started(1, &mut unit).await;
        unit.drive(1_000, 100);
        let amount = Paise(4_500);
        let events = vec![
            unit.step(ride.trip, stop(1_000)),
            unit.step(ride.trip, TripStep::Collected { amount }),
            unit.step(ride.trip, TripStep::Collected { amount }),
        ];
        world.tell(&mut unit, events).await;
        let order = world.order(ride).await;
        assert_eq!((order.payment.amount(), order.cases.len()), (Some(amount), 1));
        assert!(order.cases.iter().all(|case| case.kind == CaseKind::Paid));
        let paid = world.told(ride).await;
        assert_eq!(paid.iter().filter(|it| it.contains("PAYMENT_COLLECTED")).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_driver_who_calls_it_off_is_replaced_and_only_if_nobody_comes_the_order_ends() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.at_pickup(1, &mut unit).await;
        let cancel = unit.step(ride.trip, TripStep::Cancel { reason: "flat tyre".into() });
        world.tell(&mut unit, vec![cancel]).await;
        let order = world.order(ride).await;
        assert_eq!((order.state, order.past_trips.len()), (OrderState::Confirmed, 1));
        assert!(!world.is_held(&unit).await && order.needs_new_otp());
        assert_eq!(last(&world.told(ride).await), "on_update AGENTS_FOUND");
        world.platform.handle_due(time::now().plus_ms(3_600_000)).await.expect("looked after");
        let order = world.order(ride).await;
        let cancelled = order.cancelled.clone().expect("called off");
        assert_eq!((order.state, cancelled.by), (OrderState::Cancelled, CancelledBy::Rule));
        assert_eq!(cancelled.fare.map(|fare| fare.total()), Some(Paise(0)));
        assert_eq!(last(&world.told(ride).await), "on_cancel RIDE_CANCELLED");
    })
    .await;
}
