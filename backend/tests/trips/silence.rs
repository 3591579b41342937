//! Devices that are not heard any more, also by a platform that was started anew.

use tripline_backend::domain::case::CaseKind;
use tripline_backend::operate::trip;
use tripline_backend::store::presence::PresenceRow;
use tripline_backend::time;
use tripline_protocol::fare::FareReason;
use tripline_protocol::order::OrderState;
use tripline_protocol::unit::Timestamp;

use crate::both::on_both;
use crate::unit::Unit;
use crate::world::{Ride, World};

const HOUR_MS: i64 = 3_600_000;

async fn is_silent(world: &World, ride: Ride, at: Timestamp) -> bool {
    let mut tx = world.platform.store.read().await.expect("begins");
    let id = ride.trip.to_string();
    let shown = trip::show(&world.platform, &mut tx, &id, at).await.expect("there");
    shown.trip.silent
}

/// How many trips are counted as under way, and how many of them as silent.
async fn counted(world: &World, at: Timestamp) -> (i64, i64) {
    world.platform.count_silent(at).await.expect("counts");
    let metrics = &world.platform.metrics;
    (metrics.trips_under_way.get(), metrics.trips_silent.get())
}

#[tokio::test]
async fn a_trip_whose_device_is_not_heard_is_shown_as_silent_and_after_hours_closed_by_rule() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.started(1, &mut unit).await;
        let now = time::now();
        assert!(!is_silent(&world, ride, now.plus_ms(110_000)).await);
        assert!(is_silent(&world, ride, now.plus_ms(130_000)).await);
        assert_eq!(counted(&world, now.plus_ms(110_000)).await, (1, 0));
        assert_eq!(counted(&world, now.plus_ms(130_000)).await, (1, 1));
        world.platform.handle_due(now.plus_ms(5 * HOUR_MS)).await.expect("looked after");
        assert_eq!(world.order(ride).await.state, OrderState::Active);
        // Another process, with nothing in its memory, finds the same.
        let other = World::over(world.platform.store.clone());
        other.platform.handle_due(now.plus_ms(7 * HOUR_MS)).await.expect("looked after");
        let order = other.order(ride).await;
        assert_eq!(order.state, OrderState::Completed);
        let reason = order.settlement.map(|it| it.charged.reason);
        assert_eq!(reason, Some(FareReason::Silent));
        assert!(order.cases.iter().any(|case| case.kind == CaseKind::Closed));
        assert!(!other.is_held(&unit).await);
    })
    .await;
}

#[tokio::test]
async fn a_device_that_is_connected_or_sends_its_trail_is_heard() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.started(1, &mut unit).await;
        let late = time::now().plus_ms(7 * HOUR_MS);
        let here = |connected, since| PresenceRow {
            device: unit.device(),
            connected,
            since,
            peer: "10.0.0.1".into(),
            agent_version: "1".into(),
        };
        let mut tx = world.platform.store.write().await.expect("begins");
        tx.set_presence(here(true, time::now())).await.expect("written");
        tx.commit().await.expect("commits");
        assert!(!is_silent(&world, ride, late).await);
        assert_eq!(counted(&world, late).await, (1, 0));
        world.platform.handle_due(late).await.expect("looked after");
        assert_eq!(world.order(ride).await.state, OrderState::Active, "it is looked at again");
        let mut tx = world.platform.store.write().await.expect("begins");
        tx.set_presence(here(false, late)).await.expect("written");
        tx.commit().await.expect("commits");
        assert!(is_silent(&world, ride, late.plus_ms(HOUR_MS)).await);
        world.platform.handle_due(late.plus_ms(5 * HOUR_MS)).await.expect("looked after");
        assert_eq!(world.order(ride).await.state, OrderState::Active, "six hours from then on");
        world.platform.handle_due(late.plus_ms(7 * HOUR_MS)).await.expect("looked after");
        assert_eq!(world.order(ride).await.state, OrderState::Completed);
    })
    .await;
}
