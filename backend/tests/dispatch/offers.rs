//! Batches, drivers who give an order up, and rides that were booked ahead.

use tripline_backend::domain::change::Wish;
use tripline_backend::domain::dispatch::{Cause, DispatchRules};
use tripline_backend::domain::order::Order;
use tripline_protocol::assignment::{AssignmentState, Place};
use tripline_protocol::id::AssignmentId;
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::up::EventBody;
use tripline_protocol::order::OrderState;
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::Position;

use crate::stores;
use crate::world::{World, device, order_id};

const RULES: DispatchRules =
    DispatchRules { offer_ms: 3_600_000, search_ms: 7_200_000, ..DispatchRules::DEFAULT };

/// The open offer to a vehicle.
fn offer_to(order: &Order, n: usize) -> AssignmentId {
    let mut open = order.open_offers();
    open.find(|offer| offer.vehicle.device == device(n)).expect("is asked").id
}

#[tokio::test]
async fn of_a_batch_the_first_to_accept_has_it_and_the_others_are_told_and_free() {
    let (_dir, stores) = stores().await;
    for store in stores {
        let world = World::new(store, 5, DispatchRules { batch: 3, ..RULES }).await;
        world.book(1).await;
        world.look(0, 2_500).await;
        let order = world.order(1).await;
        let asked: Vec<_> = order.open_offers().map(|it| it.vehicle.device.clone()).collect();
        assert_eq!(asked, [device(0), device(1), device(2)]);
        // Two accept at the same time, at two backends.
        let (first, second) = (offer_to(&order, 1), offer_to(&order, 2));
        tokio::join!(world.answer(0, 1, first, true), world.answer(1, 2, second, true));
        let order = world.order(1).await;
        let winner = order.trip.as_ref().expect("somebody has it").vehicle.device.clone();
        let loser = if winner == device(1) { 2 } else { 1 };
        assert!([device(1), device(2)].contains(&winner), "{winner}");
        let states: Vec<_> = order.offers.iter().map(|offer| offer.state).collect();
        let accepted = states.iter().filter(|it| **it == AssignmentState::Accepted).count();
        assert_eq!((accepted, states[0]), (1, AssignmentState::Withdrawn), "{states:?}");
        for (n, offer) in [(0, offer_to_any(&order, 0)), (loser, offer_to_any(&order, loser))] {
            let told = world.commands(n).await;
            let is_it = |body: &CommandBody| matches!(body, CommandBody::Withdraw { assignment, .. } if *assignment == offer);
            assert!(told.iter().any(is_it), "{n}: {told:?}");
        }
        let everybody: Vec<_> = (0..5).map(device).collect();
        let mut tx = world.store.read().await.expect("begins");
        let held = tx.held_among(&everybody).await.expect("answers");
        assert_eq!(held, [winner].into(), "the others are free");
    }
}

/// An offer to a vehicle, whatever became of it.
fn offer_to_any(order: &Order, n: usize) -> AssignmentId {
    let mut offers = order.offers.iter();
    offers.find(|offer| offer.vehicle.device == device(n)).expect("was asked").id
}

#[tokio::test]
async fn a_driver_who_gives_up_before_the_start_is_followed_by_another_and_the_platform_is_told() {
    let (_dir, stores) = stores().await;
    for store in stores {
        let world = World::new(store, 3, RULES).await;
        world.book(1).await;
        world.look(0, 2_500).await;
        world.answer(0, 0, offer_to(&world.order(1).await, 0), true).await;
        let trip = world.order(1).await.trip.expect("is accepted").id;
        let step = TripStep::Cancel { reason: "flat tyre".into() };
        world.report(1, 0, EventBody::Trip { trip, step }).await;
        let order = world.order(1).await;
        assert_eq!(order.state, OrderState::Confirmed);
        let next = offer_to(&order, 1);
        world.answer(1, 1, next, true).await;
        let order = world.order(1).await;
        let by = order.trip.as_ref().map(|trip| trip.vehicle.device.clone());
        assert_eq!((order.state, by), (OrderState::Active, Some(device(1))));
        assert_eq!(world.told(1).await, ["on_confirm", "on_update", "on_update"]);
        let mut tx = world.store.read().await.expect("begins");
        let causes: Vec<_> = tx.decisions(order_id(1)).await.expect("answers");
        let causes: Vec<_> = causes.into_iter().map(|it| it.cause).collect();
        assert_eq!(causes, [Cause::LookedAgain, Cause::GivenUp]);
        let held = tx.held_among(&[device(0), device(1)]).await.expect("answers");
        assert_eq!(held, [device(1)].into(), "who gave up is free");
    }
}

#[tokio::test]
async fn who_was_asked_for_a_ride_that_the_rider_changes_is_asked_anew_at_once() {
    let (_dir, stores) = stores().await;
    for store in stores {
        let world = World::new(store, 1, RULES).await;
        world.book(1).await;
        world.look(0, 2_500).await;
        let before = world.order(1).await;
        let first = offer_to(&before, 0);
        world.change(1, Wish { drop: Some(gate()), ..Wish::default() }).await;
        let order = world.order(1).await;
        let second = offer_to(&order, 0);
        assert_ne!(first, second);
        let told = world.commands(0).await;
        let [
            CommandBody::Offer(_),
            CommandBody::Withdraw { assignment, .. },
            CommandBody::Offer(offer),
        ] = &told[..]
        else {
            panic!("{told:?}")
        };
        assert_eq!((*assignment, offer.id), (first, second));
        assert_eq!((&offer.drop, &offer.terms), (&gate(), &order.terms));
        assert!(order.quote.total() != before.quote.total());
        // The driver had taken the ride as it was; the answer comes behind the change.
        world.answer(0, 0, first, true).await;
        assert_eq!(world.order(1).await.state, OrderState::Confirmed);
        world.answer(0, 0, second, true).await;
        let trip = world.order(1).await.trip.expect("is accepted");
        assert_eq!(trip.vehicle.device, device(0));
        let mut tx = world.store.read().await.expect("begins");
        let causes = tx.decisions(order_id(1)).await.expect("answers");
        let causes: Vec<_> = causes.into_iter().map(|it| it.cause).collect();
        assert_eq!(causes, [Cause::LookedAgain, Cause::Changed]);
    }
}

fn gate() -> Place {
    let position = Position::new(129_500_000, 776_000_000).expect("on the globe");
    Place { position, address: "the gate".into() }
}

#[tokio::test]
async fn an_order_that_drivers_give_up_too_often_is_called_off() {
    let (_dir, stores) = stores().await;
    for store in stores {
        let world = World::new(store, 3, DispatchRules { reassign_max: 1, ..RULES }).await;
        world.book(1).await;
        world.look(0, 2_500).await;
        for n in [0, 1] {
            world.answer(0, n, offer_to(&world.order(1).await, n), true).await;
            let trip = world.order(1).await.trip.expect("is accepted").id;
            let step = TripStep::Cancel { reason: "no".into() };
            world.report(0, n, EventBody::Trip { trip, step }).await;
        }
        let order = world.order(1).await;
        assert_eq!((order.state, order.offers.len()), (OrderState::Cancelled, 2));
        assert_eq!(world.told(1).await.last().map(String::as_str), Some("on_cancel"));
    }
}

#[tokio::test]
async fn the_driver_of_a_ride_booked_ahead_is_looked_for_in_time_and_not_before() {
    const LEAD_MS: i64 = 5_000;
    const PICKUP_MS: i64 = 20_000;
    let (_dir, stores) = stores().await;
    for store in stores {
        let world = World::new(store, 2, DispatchRules { lead_ms: LEAD_MS, ..RULES }).await;
        world.book_ahead(1, PICKUP_MS).await;
        world.look(0, PICKUP_MS - LEAD_MS - 1).await;
        assert_eq!(world.order(1).await.offers, []);
        world.look(1, PICKUP_MS - LEAD_MS).await;
        let order = world.order(1).await;
        let offer = offer_to(&order, 0);
        let told = world.commands(0).await;
        let pickup_at = told.iter().find_map(|body| {
            let CommandBody::Offer(assignment) = body else { return None };
            assignment.pickup_at.filter(|_| assignment.id == offer)
        });
        assert_eq!(pickup_at, Some(world.now.plus_ms(PICKUP_MS)), "the driver sees when");
        world.answer(0, 0, offer, true).await;
        assert_eq!(
            world.told(1).await,
            ["on_update"],
            "who comes; the booking was confirmed before"
        );
        let mut tx = world.store.read().await.expect("begins");
        let decisions = tx.decisions(order_id(1)).await.expect("answers");
        assert_eq!(decisions[0].cause, Cause::Scheduled);
    }
}

#[tokio::test]
async fn orders_that_cannot_be_read_keep_no_other_waiting() {
    let (_dir, stores) = stores().await;
    for store in stores {
        let world = World::new(store, 1, RULES).await;
        for n in 1..=41 {
            world.book(n).await;
        }
        world.spoil_all_but(41).await;
        world.look(0, 2_500).await;
        assert!(world.order(41).await.has_open_offer(), "it is looked after though it is the last");
    }
}
