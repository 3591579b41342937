//! Trips that end without their device, and devices that come back.

use tripline_backend::domain::case::CaseKind;
use tripline_backend::domain::course::Verdict;
use tripline_backend::domain::explain::Explanation;
use tripline_backend::operate::explain::explain;
use tripline_backend::operate::trip;
use tripline_backend::time;
use tripline_protocol::fare::{Fare, FareReason};
use tripline_protocol::link::down::{CommandBody, DriveVerb};
use tripline_protocol::link::up::CommandOutcome;
use tripline_protocol::order::OrderState;
use tripline_protocol::trip::{TripState, TripStep};
use tripline_protocol::unit::Paise;

use crate::both::on_both;
use crate::unit::{Unit, start, stop};
use crate::world::{OTP, Ride, World};

const WHY: &str = "its unit is broken";

async fn close(world: &World, id: &str) {
    world.operate(async |it, tx, by| trip::close(it, tx, by, id, WHY, time::now()).await).await;
}

#[tokio::test]
async fn a_trip_that_is_closed_is_charged_as_far_as_it_was_heard_and_what_comes_later_is_a_case() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.started(1, &mut unit).await;
        unit.drive(1_000, 100);
        let heard = [TripStep::Pause, TripStep::Resume].map(|step| unit.step(ride.trip, step));
        world.tell(&mut unit, heard.to_vec()).await;
        close(&world, &ride.trip.to_string()).await;
        assert!(!world.is_held(&unit).await);
        let order = world.order(ride).await;
        let charged = order.settlement.as_ref().map(|it| it.charged.clone()).expect("settled");
        assert_eq!((charged.reason, charged.total()), (FareReason::Silent, Paise(4_500)));
        let told = world.told(ride).await;
        assert_eq!(told.last().map(String::as_str), Some("on_update RIDE_ENDED"));
        // Its device comes back: it drove on and stops because it is told to.
        unit.drive(2_000, 200);
        world.report(&mut unit, is_stop, CommandOutcome::Applied).await;
        let (after, trip) = (world.order(ride).await, world.trip(ride).await);
        assert_eq!((after.settlement, world.told(ride).await), (order.settlement, told));
        assert_eq!((trip.state, trip.driven), (TripState::Ended, TripState::Ended));
        let case = after.cases.iter().find(|case| case.kind == CaseKind::Closed).expect("a case");
        let driven = case.driven.as_ref().expect("driven");
        assert_eq!((driven.distance_m, driven.fare.total()), (3_000, Paise(7_500)));
        assert_eq!(trip.closed.map(|closed| closed.reason).as_deref(), Some(WHY));
    })
    .await;
}

/// A unit that began two hours ago, and its ride, on which a minute costs a rupee.
async fn ride_of_before(world: &World) -> (Unit, Ride) {
    let mut unit = Unit::new(1);
    unit.at = unit.at.plus_ms(-7_200_000);
    let ride = world.started(1, &mut unit).await;
    let mut tx = world.platform.store.write().await.expect("begins");
    let mut stored = tx.order(ride.order).await.expect("answers").expect("there");
    stored.order.terms.tariff.per_minute_paise = Paise(100);
    tx.save_order(&stored).await.expect("saved");
    tx.commit().await.expect("commits");
    (unit, ride)
}

async fn explained(world: &World, ride: Ride) -> Explanation {
    let mut tx = world.platform.store.read().await.expect("begins");
    explain(&mut tx, &ride.order.to_string()).await.expect("a final fare")
}

async fn charged(world: &World, ride: Ride) -> Fare {
    world.order(ride).await.settlement.expect("settled").charged
}

/// Where a figure comes from.
fn source<'e>(explanation: &'e Explanation, name: &str) -> &'e str {
    let input = explanation.inputs.iter().find(|input| input.name == name);
    &input.expect("such a figure").source
}

fn is_stop(body: &CommandBody) -> bool {
    matches!(body, CommandBody::Drive { verb: DriveVerb::Stop, .. })
}

#[tokio::test]
async fn an_hour_without_an_event_is_charged_by_the_trail_and_the_device_that_comes_back_changes_nothing()
 {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let (mut unit, ride) = ride_of_before(&world).await;
        for batch in unit.drive_seen(3_600) {
            world.submit(&batch).await;
        }
        let last_fix = unit.at;
        // What it sends after its closing is late, though it drove it before.
        let late = unit.drive_seen(200);
        close(&world, &ride.trip.to_string()).await;
        let fare = charged(&world, ride).await;
        let (usage, total) = (&fare.usage, fare.total());
        assert!((35_900..=36_100).contains(&usage.distance_m), "{usage:?}");
        assert_eq!((fare.billed_m, usage.riding_s, usage.fixes), (3_000, 3_600, 3_601));
        assert_eq!((fare.reason, total), (FareReason::Silent, Paise(3_000 + 4_500 + 6_000)));
        let heard = world.trip(ride).await.closed.and_then(|closed| closed.heard).expect("a trail");
        assert_eq!((heard.until, heard.distance_m), (last_fix, usage.distance_m));
        let before = explained(&world, ride).await;
        assert!(before.equal && before.holds(), "{before}");
        assert_eq!(before.audit.as_ref().map(|audit| audit.verdict), Some(Verdict::Agrees));
        let told = source(&before, "distance measured");
        assert!(told.contains(" m of the trail up to "), "{told}");
        assert!(source(&before, "riding time").starts_with("3,600 s of the trail up to "));

        for batch in late {
            world.submit(&batch).await;
        }
        world.report(&mut unit, is_stop, CommandOutcome::Applied).await;
        assert_eq!(charged(&world, ride).await, fare);
        let order = world.order(ride).await;
        let case = order.cases.iter().find(|case| case.kind == CaseKind::Closed).expect("a case");
        let driven = case.driven.as_ref().expect("driven");
        assert_eq!((driven.distance_m, driven.seconds, driven.over), (38_000, 3_800, true));
        let after = explained(&world, ride).await;
        assert!(after.equal && after.holds(), "{after}");
        assert_eq!(after.audit.as_ref().map(|audit| audit.verdict), Some(Verdict::Agrees));
        assert_eq!(after.inputs, before.inputs);
    })
    .await;
}

#[tokio::test]
async fn a_pause_that_nobody_ended_lasts_as_long_as_the_trail_and_its_way_costs_nothing() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let (mut unit, ride) = ride_of_before(&world).await;
        for batch in unit.drive_seen(100) {
            world.submit(&batch).await;
        }
        let pause = unit.step(ride.trip, TripStep::Pause);
        world.tell(&mut unit, vec![pause]).await;
        for batch in unit.drive_seen(600) {
            world.submit(&batch).await;
        }
        let late = time::now().plus_ms(7 * 3_600_000);
        world.platform.handle_due(late).await.expect("looked after");
        let fare = charged(&world, ride).await;
        let usage = &fare.usage;
        assert_eq!((usage.distance_m, usage.riding_s, usage.paused_s), (1_000, 100, 600));
        let explanation = explained(&world, ride).await;
        assert!(explanation.equal && explanation.holds(), "{explanation}");
        assert!(source(&explanation, "in pauses").starts_with("600 s of the trail up to "));
        assert!(!source(&explanation, "distance measured").contains("trail"));
    })
    .await;
}

#[tokio::test]
async fn a_device_that_was_away_for_a_day_ends_three_trips_at_once() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        // What it drove is in its journal; what it accepted came through another.
        let first = world.at_pickup(1, &mut unit).await;
        let mut day = unit.clone();
        let mut events = vec![day.step(first.trip, start(OTP))];
        day.drive(1_000, 100);
        events.push(day.step(first.trip, stop(1_000)));
        close(&world, &first.trip.to_string()).await;

        unit.restart();
        let second = world.accepted(2, &mut unit).await;
        day.drive(500, 50);
        events.push(day.step(second.trip, TripStep::Arrive));
        events.push(day.step(second.trip, start(OTP)));
        day.drive(2_000, 200);
        events.push(day.step(second.trip, stop(2_000)));
        let id = second.order.to_string();
        world
            .operate(async |it, tx, by| {
                tripline_backend::operate::order::cancel(it, tx, by, &id, WHY, time::now()).await
            })
            .await;
        close(&world, &second.trip.to_string()).await;

        let third = world.accepted(3, &mut unit).await;
        day.drive(500, 50);
        events.push(day.step(third.trip, TripStep::Arrive));
        events.push(day.step(third.trip, start(OTP)));
        day.drive(3_000, 300);
        events.push(day.step(third.trip, stop(3_000)));

        let mut journal = day.clone();
        world.tell(&mut journal, events).await;
        assert!(!world.is_held(&unit).await);
        let [one, two, three] =
            [world.order(first).await, world.order(second).await, world.order(third).await];
        assert_eq!((one.state, two.state), (OrderState::Cancelled, OrderState::Cancelled));
        assert_eq!(three.state, OrderState::Completed);
        let metres = |order: &tripline_backend::domain::order::Order| {
            order.cases.iter().find_map(|case| Some(case.driven.as_ref()?.distance_m))
        };
        assert_eq!((metres(&one), metres(&two), metres(&three)), (Some(1_000), Some(2_000), None));
        assert_eq!(three.settlement.map(|it| it.charged.usage.distance_m), Some(3_000));
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_trip_waits_for_no_riders_platform() {
    on_both(|store| async move {
        let world = World::new(store, 2).await;
        let mut unit = Unit::new(1);
        let ride = world.started(1, &mut unit).await;
        // Nobody delivers callbacks here: the rider's platform answers none, not even on_confirm.
        unit.drive(1_000, 100);
        let stopped = unit.step(ride.trip, stop(1_000));
        world.tell(&mut unit, vec![stopped]).await;
        assert_eq!(world.order(ride).await.state, OrderState::Completed);
        assert!(!world.is_held(&unit).await);
        let told = world.told(ride).await.len() as u64;
        let mut tx = world.platform.store.read().await.expect("begins");
        assert_eq!(tx.pending_callbacks(ride.order).await.expect("answers"), told);
        drop(tx);
        let next = world.accepted(2, &mut unit).await;
        assert!(world.is_held(&unit).await && world.trip(next).await.held);
    })
    .await;
}
