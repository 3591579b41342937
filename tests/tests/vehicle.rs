//! What the vehicle notices by itself, or the driver calls out, reaches the backend's store.

use anyhow::{Context as _, Result, ensure};
use tripline_protocol::link::up::{EventBody, Waypoint};
use tripline_protocol::trip::TripStep;
use tripline_tests::world::{Booking, Evidence, PATIENCE, Plan, TripAnswer, World};

/// Metres of pickup and vehicle apart when it is called an arrival: about 0.01 degree north and east.
const FAR_M: std::ops::Range<u32> = 1_000..2_000;

/// Waits until the backend holds an event.
async fn wait_for_event<T>(
    evidence: &Evidence<'_>,
    what: &str,
    wanted: impl Fn(&EventBody) -> Option<T>,
) -> Result<T> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let committed = evidence.committed().await?;
        if let Some(found) = committed.events.iter().find_map(|(.., event)| wanted(&event.body)) {
            return Ok(found);
        }
        ensure!(tokio::time::Instant::now() < until, "waited in vain for {what}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

fn waits(answer: &TripAnswer) -> bool {
    answer.body.pointer("/trip/waits") == Some(&true.into())
}

fn waiting_s(answer: &TripAnswer) -> Option<u64> {
    answer.body.pointer("/trip/waiting_s")?.as_u64()
}

/// Books a ride from a place that lies so many hundredths of a degree north and east of the vehicle.
async fn book_at(world: &World, hundredths: f64) -> Result<Booking> {
    let here = world.wait_for_position().await?;
    let moved = |by: f64| {
        let (lat, lon) = here.split_once(',').context("a position")?;
        let (lat, lon): (f64, f64) = (lat.parse()?, lon.parse()?);
        anyhow::Ok(format!("{:.7},{:.7}", lat + by / 100.0, lon + by / 100.0))
    };
    world.book_between(&moved(hundredths)?, &moved(hundredths + 1.0)?).await
}

#[tokio::test]
async fn an_arrival_outside_the_fence_is_recorded_and_starts_no_waiting_clock() -> Result<()> {
    let agent = "[fence]\nradius_m = 100\n";
    let plan = Plan { otp: false, agent: agent.into(), ..Plan::default() };
    let mut world = World::start(plan).await?;
    let booking = book_at(&world, 1.0).await?;
    world.drive_to_pickup().await?;
    world.wait_for_fixes(3_000).await?;
    let seen = world.trip(&["show"]).await?;
    ensure!(seen.state() == Some("at-pickup") && !waits(&seen), "{}", seen.body);
    ensure!(waiting_s(&seen) == Some(0), "{}", seen.body);
    let distance_m = wait_for_event(&world.evidence(), "the arrival", |body| {
        let EventBody::Trip { step: TripStep::ArriveOutside { distance_m }, .. } = body else {
            return None;
        };
        Some(*distance_m)
    })
    .await?;
    ensure!(FAR_M.contains(&distance_m), "{distance_m} m away");
    world.drive(&["start"]).await?;
    world.drive_on(40).await?;
    world.drive(&["stop"]).await?;
    world.wait_for_final_fare(&booking).await?;
    let order = world.evidence().order(&booking.order_id).await?;
    let settlement = order.settlement.context("no final fare")?;
    ensure!(settlement.difference.0 == 0, "the fares differ by {}", settlement.difference);
    ensure!(settlement.charged.usage.waiting_s == 0, "waiting is charged: {settlement:?}");
    world.evidence().everything_is_committed_once().await?;
    world.stop().await
}

#[tokio::test]
async fn an_arrival_inside_the_fence_starts_the_waiting_clock() -> Result<()> {
    let agent = "[fence]\nradius_m = 1000\n";
    let plan = Plan { otp: false, agent: agent.into(), ..Plan::default() };
    let mut world = World::start(plan).await?;
    book_at(&world, 0.0).await?;
    world.drive_to_pickup().await?;
    let waited = |answer: &TripAnswer| waits(answer) && waiting_s(answer) >= Some(2);
    world.wait_for_trip("waiting time", waited).await?;
    world.stop().await
}

#[tokio::test]
async fn overspeed_nearness_and_a_call_for_help_reach_the_store() -> Result<()> {
    // The recorded drive is faster than 30 km/h for most of its time.
    let agent = "[fence]\nradius_m = 3000\n[motion]\noverspeed_kmh = 30\n";
    let plan = Plan { otp: false, agent: agent.into(), ..Plan::default() };
    let mut world = World::start(plan).await?;
    let evidence = world.evidence();
    let (speed, limit) = wait_for_event(&evidence, "overspeed", |body| {
        let EventBody::Overspeed { speed_mmps, limit_mmps } = body else { return None };
        Some((*speed_mmps, *limit_mmps))
    })
    .await?;
    ensure!(limit == 8_333 && speed > limit, "{speed} mm/s where {limit} is the limit");
    let booking = book_at(&world, 0.0).await?;
    let near = |wanted: Waypoint| {
        move |body: &EventBody| {
            let EventBody::Near { place, trip } = body else { return None };
            (*place == wanted).then_some(*trip)
        }
    };
    world.drive_to_pickup().await?;
    let at_pickup = wait_for_event(&evidence, "the pickup", near(Waypoint::Pickup)).await?;
    world.drive(&["start"]).await?;
    let at_drop = wait_for_event(&evidence, "the drop", near(Waypoint::Drop)).await?;
    ensure!(at_pickup == at_drop, "{at_pickup} and {at_drop}");

    world.proxy.cut();
    world.drive(&["sos"]).await?;
    world.proxy.restore();
    let help = |body: &EventBody| {
        let EventBody::Sos { trip } = body else { return None };
        Some(*trip)
    };
    let of = wait_for_event(&evidence, "the call for help", help).await?;
    ensure!(of == Some(at_pickup), "a call for help of {of:?}");
    let order = evidence.order(&booking.order_id).await?;
    let cases: Vec<_> = order.cases.iter().filter(|case| case.what.contains("SOS")).collect();
    ensure!(cases.len() == 1, "{:?}", order.cases);
    let twice = world.evidence().committed().await?;
    let calls = twice.events.iter().filter(|(.., event)| help(&event.body).is_some()).count();
    ensure!(calls == 1, "{calls} calls");
    world.stop().await
}
