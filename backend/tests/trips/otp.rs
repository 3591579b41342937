//! The OTP at the platform: checked again, counted, vouched for.

use tripline_backend::domain::case::CaseKind;
use tripline_backend::domain::trip::OtpCheck;
use tripline_backend::operate::trip;
use tripline_backend::time;
use tripline_protocol::link::down::{CommandBody, DriveVerb};
use tripline_protocol::link::up::CommandOutcome;
use tripline_protocol::order::OrderState;
use tripline_protocol::trip::{TripState, TripStep};
use tripline_protocol::unit::Paise;

use crate::both::on_both;
use crate::unit::{Unit, start, stop};
use crate::world::{OTP, World};

const WHY: &str = "the rider confirms it";

#[tokio::test]
async fn a_start_with_an_otp_that_is_not_the_riders_is_driven_and_a_dispatcher_may_answer_for_it() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.at_pickup(1, &mut unit).await;
        let started = unit.step(ride.trip, start("0000"));
        unit.drive(1_000, 100);
        let paused = unit.step(ride.trip, TripStep::Pause);
        world.tell(&mut unit, vec![started, paused]).await;
        let trip_now = world.trip(ride).await;
        assert_eq!((trip_now.state, trip_now.driven), (TripState::AtPickup, TripState::Paused));
        let order = world.order(ride).await;
        assert!(order.waits_for_voucher());
        assert_eq!(order.cases.iter().map(|case| case.kind).collect::<Vec<_>>(), [CaseKind::Otp]);
        let id = ride.trip.to_string();
        let verb = (id.as_str(), DriveVerb::Start);
        let done = world
            .operate(async |it, tx, by| trip::drive(it, tx, by, verb, WHY, time::now()).await)
            .await;
        assert_eq!((done.pending, done.trip.told.as_str()), (None, "paused"));
        let told = world.told(ride).await;
        assert_eq!(told[told.len() - 2..], ["on_status RIDE_STARTED", "on_status RIDE_PAUSED"]);
        let stopped = unit.step(ride.trip, stop(1_000));
        world.tell(&mut unit, vec![stopped]).await;
        let order = world.order(ride).await;
        assert_eq!((order.state, order.fare().total()), (OrderState::Completed, Paise(4_500)));
    })
    .await;
}

#[tokio::test]
async fn a_vehicle_that_ends_a_trip_started_with_a_wrong_otp_is_free_and_the_order_waits() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.at_pickup(1, &mut unit).await;
        let started = unit.step(ride.trip, start("0000"));
        unit.drive(1_000, 100);
        let stopped = unit.step(ride.trip, stop(1_000));
        world.tell(&mut unit, vec![started, stopped]).await;
        assert!(!world.is_held(&unit).await, "it does not wait for anybody to decide");
        let order = world.order(ride).await;
        assert_eq!(order.state, OrderState::Active);
        let driven = order.cases.iter().find_map(|case| case.driven.as_ref()).expect("driven");
        assert_eq!((driven.distance_m, driven.over), (1_000, true));
        let id = ride.trip.to_string();
        world
            .operate(async |it, tx, by| trip::cancel(it, tx, by, &id, WHY, time::now()).await)
            .await;
        assert_eq!(world.order(ride).await.state, OrderState::Cancelled);
    })
    .await;
}

#[tokio::test]
async fn a_dispatchers_start_is_the_devices_step_and_needs_no_otp() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.at_pickup(1, &mut unit).await;
        let id = ride.trip.to_string();
        let verb = (id.as_str(), DriveVerb::Start);
        let done = world
            .operate(async |it, tx, by| trip::drive(it, tx, by, verb, WHY, time::now()).await)
            .await;
        assert!(done.pending.is_some());
        assert_eq!(done.trip.told, "at-pickup", "the device has not done it yet");
        let drive = |body: &CommandBody| matches!(body, CommandBody::Drive { .. });
        unit.drive(0, 20);
        world.report(&mut unit, drive, CommandOutcome::Applied).await;
        let trip = world.trip(ride).await;
        assert_eq!((trip.state, trip.driven), (TripState::Started, TripState::Started));
        let fact = trip.facts.last().expect("facts");
        assert_eq!(
            (fact.by.to_string().as_str(), fact.otp),
            ("operator cli", Some(OtpCheck::Vouched))
        );
        assert!(world.order(ride).await.cases.is_empty());
    })
    .await;
}

#[tokio::test]
async fn five_otps_lock_the_trip_until_a_dispatcher_unlocks_it() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = world.at_pickup(1, &mut unit).await;
        let tries = (0..5).map(|_| unit.otp_tried(ride.trip)).collect();
        world.tell(&mut unit, tries).await;
        let trip_now = world.trip(ride).await;
        assert!(trip_now.otp.is_locked());
        let order = world.order(ride).await;
        assert_eq!(
            order.cases.iter().map(|case| case.kind).collect::<Vec<_>>(),
            [CaseKind::OtpLocked]
        );
        let id = ride.trip.to_string();
        world
            .operate(async |it, tx, by| trip::unlock_otp(it, tx, by, &id, WHY, time::now()).await)
            .await;
        let unlock = |body: &CommandBody| matches!(body, CommandBody::UnlockOtp { .. });
        world.report(&mut unit, unlock, CommandOutcome::Applied).await;
        assert!(!world.trip(ride).await.otp.is_locked());
    })
    .await;
}

#[tokio::test]
async fn a_start_that_is_heard_of_late_is_marked_and_its_otp_checked_then() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        unit.at = time::now().plus_ms(-600_000);
        let ride = world.at_pickup(1, &mut unit).await;
        let started = unit.step(ride.trip, start(OTP));
        world.tell(&mut unit, vec![started]).await;
        let trip = world.trip(ride).await;
        assert!(trip.otp.offline_start);
        assert_eq!(trip.facts.last().and_then(|fact| fact.otp), Some(OtpCheck::Right));
    })
    .await;
}
